//! The run's report: what `--report` asks for, written at exit.
//!
//! JSON by hand: a few numbers and names that need no escaping.

/// Host tests have no report.
#[cfg(test)]
pub fn write(_status: u8) {}

#[cfg(not(test))]
pub use image::write;

#[cfg(not(test))]
mod image {
    use alloc::string::String;
    use core::fmt::Write;

    use libos_abi::boot::BootInfo;
    use libos_abi::handle::HandleKind;
    use libos_abi::hypercall::Hypercall;

    use crate::syscall;

    /// Writes the report, if one was asked for.
    pub fn write(status: u8) {
        let (Some(boot), Some(handle)) =
            (crate::boot::boot(), crate::boot::handle(HandleKind::Report))
        else {
            return;
        };
        let text = compose(boot, status);
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match crate::hypercall::write(handle, rest.as_ptr(), rest.len()) {
                Ok(count) if count > 0 => rest = &rest[count..],
                _ => return,
            }
        }
    }

    fn compose(boot: &BootInfo, status: u8) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = try_compose(&mut out, boot, status);
        out
    }

    fn try_compose(out: &mut String, boot: &BootInfo, status: u8) -> core::fmt::Result {
        writeln!(out, "{{\n  \"status\": {status},\n  \"startup_us\": {{")?;
        // SAFETY: the tender keeps the phases and their names for the life of the process.
        let phases = unsafe { boot.phases.as_slice() };
        for phase in phases {
            // SAFETY: as above.
            let name = core::str::from_utf8(unsafe { phase.name.as_slice() }).unwrap_or("?");
            let (us, rest) = (phase.nanoseconds / 1000, phase.nanoseconds % 1000);
            writeln!(out, "    \"{name}\": {us}.{rest:03},")?;
        }
        let libos_us = crate::boot::startup_ns() / 1000;
        writeln!(out, "    \"libos\": {libos_us}\n  }},")?;
        let now = crate::hypercall::monotonic_ns();
        writeln!(
            out,
            "  \"elapsed_us\": {},",
            now.saturating_sub(boot.started_ns) / 1000
        )?;
        writeln!(out, "  \"memory_resident_kib\": {},", resident_kib())?;
        writeln!(out, "  \"hypercalls\": {{")?;
        for (index, call) in Hypercall::ALL.iter().enumerate() {
            let comma = if index + 1 < Hypercall::COUNT {
                ","
            } else {
                ""
            };
            writeln!(
                out,
                "    \"{}\": {}{comma}",
                call.name(),
                crate::hypercall::count(*call)
            )?;
        }
        writeln!(out, "  }},\n  \"calls\": {{")?;
        let mut separator = "";
        for (name, count) in syscall::counts() {
            write!(out, "{separator}    \"{name}\": {count}")?;
            separator = ",\n";
        }
        let (redirected, trapped) = syscall::totals();
        writeln!(
            out,
            "\n  }},\n  \"redirected\": {redirected},\n  \"trapped\": {trapped},"
        )?;
        writeln!(out, "  \"ticks\": {}\n}}", crate::sched::ticks())
    }

    fn resident_kib() -> u64 {
        let Some(handle) = crate::boot::handle(HandleKind::Statm) else {
            return 0;
        };
        let mut text = [0_u8; 128];
        let Ok(len) = crate::hypercall::pread(handle, text.as_mut_ptr(), text.len(), 0) else {
            return 0;
        };
        let field = core::str::from_utf8(&text[..len])
            .ok()
            .and_then(|t| t.split(' ').nth(1));
        field
            .and_then(|pages| pages.parse::<u64>().ok())
            .map_or(0, |pages| pages * 4)
    }
}
