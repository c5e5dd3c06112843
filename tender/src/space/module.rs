//! Drivers, mapped beside the image from the tender's own file.
//!
//! Main function: [`map_all`]. A driver is copied: it is mapped only in runs that need it, and a private mapping of the
//! tender's file would tie it to how that was linked. It lies at a random base of its own, and is never writable and
//! executable. It relocates itself when the libOS calls its entry point.

use super::region;
use super::segments::{self, BaseSource};
use crate::drivers;
use crate::error::Error;
use crate::image::{Driver, Segment};
use libos_abi::boot::Span;
use libos_abi::driver::{DRIVER_ABI, DriverKind, Module};
use rustix::mm::{MprotectFlags, ProtFlags};

/// Maps each of these drivers once.
///
/// # Errors
/// [`Error::System`]; [`Error::Driver`] if the tender was built with one that is not valid.
pub fn map_all(
    kinds: impl Iterator<Item = DriverKind>,
    base: BaseSource,
) -> Result<Vec<Module>, Error> {
    let mut modules: Vec<Module> = Vec::new();
    for kind in kinds {
        if !modules.iter().any(|module| module.kind == kind) {
            modules.push(map(kind, base)?);
        }
    }
    Ok(modules)
}

fn map(kind: DriverKind, base: BaseSource) -> Result<Module, Error> {
    let file = drivers::file(kind);
    let driver = Driver::parse(file).map_err(|source| Error::Driver {
        name: kind.name(),
        source,
    })?;
    let len = driver.extent();
    let start = segments::reserve_at_random(len, base, |_| true)?;
    for segment in &driver.segments {
        copy_segment(segment, start, file)?;
    }
    Ok(Module {
        kind,
        abi: DRIVER_ABI,
        span: Span { start, len },
        entry: start + driver.entry,
    })
}

fn copy_segment(segment: &Segment, base: u64, file: &[u8]) -> Result<(), Error> {
    let pages = Span {
        start: base + segment.first_page(),
        len: segment.end_page() - segment.first_page(),
    };
    // SAFETY: the segment's pages lie in the reservation, and no other segment shares them.
    unsafe { region::replace(pages, ProtFlags::READ | ProtFlags::WRITE)? };
    let bytes = usize::try_from(segment.offset)
        .ok()
        .zip(usize::try_from(segment.filesz).ok())
        .and_then(|(offset, len)| file.get(offset..)?.get(..len))
        .unwrap_or_default();
    let first = region::pointer(base + segment.vaddr).cast::<u8>();
    // SAFETY: validation has it that `filesz` is at most `memsz`, so the bytes fit into the pages just mapped, which
    // nothing else refers to.
    unsafe { first.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    let mut protection = MprotectFlags::empty();
    protection.set(MprotectFlags::READ, segment.permissions.read);
    protection.set(MprotectFlags::WRITE, segment.permissions.write);
    protection.set(MprotectFlags::EXEC, segment.permissions.execute);
    // SAFETY: nothing but the copy above has used them.
    unsafe { region::protect(pages, protection) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libos_abi::driver::DriverCalls;

    /// Start, end and permissions of what is mapped in `span`.
    fn mappings(span: Span) -> Vec<(u64, u64, String)> {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("a mounted /proc");
        let lines = maps.lines().filter_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let number = |text| u64::from_str_radix(text, 16).ok();
            Some((number(start)?, number(end)?, rest.get(..4)?.to_owned()))
        });
        lines.filter(|(start, ..)| span.contains(*start)).collect()
    }

    #[test]
    fn a_driver_is_mapped_once_and_never_writable_and_executable() {
        let kinds = [DriverKind::Ext4, DriverKind::Ext4];
        let modules = map_all(kinds.into_iter(), BaseSource::Random).expect("room");
        let [module] = modules[..] else {
            panic!("{modules:?}");
        };
        assert_eq!((module.kind, module.abi), (DriverKind::Ext4, DRIVER_ABI));
        let found = mappings(module.span);
        assert!(
            found
                .iter()
                .all(|(.., permissions)| !(permissions.contains('w') && permissions.contains('x'))),
            "{found:x?}"
        );
        let of_entry = found
            .iter()
            .find(|(start, end, _)| (*start..*end).contains(&module.entry));
        let (.., permissions) = of_entry.expect("the entry point is mapped");
        assert_eq!(permissions, "r-xp");
        for wanted in ["r--p", "r-xp", "rw-p"] {
            assert!(
                found.iter().any(|(.., permissions)| permissions == wanted),
                "{wanted}: {found:x?}"
            );
        }
    }

    /// The entry point relocates the driver, looks at the version of what it is offered, and answers.
    #[test]
    fn a_driver_s_entry_point_answers() {
        let modules = map_all([DriverKind::Ext4].into_iter(), BaseSource::Random).expect("room");
        let entry = region::pointer(modules[0].entry);
        // SAFETY: it is a driver's entry point, which looks at the first two fields of what it is given, and calls
        // nothing.
        let entry = unsafe {
            std::mem::transmute::<
                *mut std::ffi::c_void,
                extern "C" fn(&[u32; 2]) -> *const DriverCalls,
            >(entry)
        };
        assert!(entry(&[DRIVER_ABI + 1, 4096]).is_null());
    }
}
