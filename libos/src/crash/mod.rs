//! What is said when a program dies of a fault: registers, the place, a backtrace.
//!
//! - [`program::Program`]: the application's ELF file: symbols, and where its code lies.
//! - [`unwind`]: from a frame's registers to its caller's.
//!
//! Everything the report reads may be damaged (the program has just crashed), so each step may fail
//! and ends the backtrace instead. `signal` has [`tell`] called before the default action (`start` registers it).

pub mod program;
pub mod unwind;

use core::fmt::{self, Write};

use crate::arch::event::Fault;
use crate::arch::frame::TrapFrame;
#[cfg(not(test))]
use crate::fs::packed::FileBytes;
use crate::signal::names::signal_name;

use program::Program;
use unwind::Registers;

/// Longest backtrace, in frames.
const FRAMES: usize = 64;

/// Writes the report on `fault`, which hit the thread whose registers are in `frame`.
///
/// # Errors
/// Those of `out`.
pub fn report(
    out: &mut dyn Write,
    program: Option<&Program<'_>>,
    frame: &TrapFrame,
    fault: &Fault,
) -> fmt::Result {
    let tid = crate::task::with_current(crate::task::Thread::tid);
    let name = signal_name(fault.signo.unsigned_abs());
    writeln!(
        out,
        "libos: thread {tid} died of {name} (code {}) at address {:#x}",
        fault.code, fault.address
    )?;
    registers(out, frame)?;
    writeln!(out, "  backtrace:")?;
    let mut at = Registers::from_frame(frame);
    for depth in 0..FRAMES {
        line(out, program, depth, at.rip)?;
        match unwind::caller(program, &at, depth == 0) {
            Some(caller) => at = caller,
            None => return Ok(()),
        }
    }
    writeln!(out, "   ... (more than {FRAMES} frames)")
}

/// Writes the report on `fault` to standard error; for the running thread.
#[cfg(not(test))]
pub fn tell(frame: &TrapFrame, fault: &Fault) {
    let program = crate::boot::boot().map(|boot| {
        let file = FileBytes::of_part(crate::fs::packed::span_bytes(boot.app.file));
        // SAFETY: the tender's texts stay mapped and unchanged.
        let path = core::str::from_utf8(unsafe { boot.app.path.as_slice() }).unwrap_or("program");
        let extent = (boot.app.extent.start, boot.app.extent.end());
        Program::new(file, boot.app.load_bias, extent, path)
    });
    // Standard error may be closed; then nobody hears it.
    let _ = report(
        &mut crate::stderr::LastWords,
        program.as_ref(),
        frame,
        fault,
    );
}

/// Host tests have no console.
#[cfg(test)]
pub fn tell(_: &TrapFrame, _: &Fault) {}

fn registers(out: &mut dyn Write, f: &TrapFrame) -> fmt::Result {
    writeln!(
        out,
        "  rip {:016x}  rsp {:016x}  flags {:08x}",
        f.rip, f.rsp, f.rflags
    )?;
    for row in [
        [
            ("rax", f.rax),
            ("rbx", f.rbx),
            ("rcx", f.rcx),
            ("rdx", f.rdx),
        ],
        [
            ("rsi", f.rsi),
            ("rdi", f.rdi),
            ("rbp", f.rbp),
            ("r8 ", f.r8),
        ],
        [
            ("r9 ", f.r9),
            ("r10", f.r10),
            ("r11", f.r11),
            ("r12", f.r12),
        ],
        [("r13", f.r13), ("r14", f.r14), ("r15", f.r15), ("   ", 0)],
    ] {
        write!(out, " ")?;
        for (name, value) in row.iter().filter(|(name, _)| *name != "   ") {
            write!(out, " {name} {value:016x}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn line(
    out: &mut dyn Write,
    program: Option<&Program<'_>>,
    depth: usize,
    address: u64,
) -> fmt::Result {
    write!(out, "  {depth:3}: {address:016x}")?;
    let Some(program) = program.filter(|program| program.contains(address)) else {
        return writeln!(out, " (outside the program)");
    };
    write!(out, " {}+{:#x}", program.name(), address - program.bias())?;
    // A return address may be the first byte of the next function; the call is before it.
    let inside = if depth == 0 { address } else { address - 1 };
    match program.symbol(inside) {
        Some(symbol) => {
            let name = rustc_demangle::demangle(symbol.name);
            writeln!(out, " {name:#}+{:#x}", address - symbol.address)
        }
        None => writeln!(out),
    }
}
