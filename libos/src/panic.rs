//! Last words: when the libOS itself is at fault, or the program dies of a fault.

use core::fmt::{self, Write};

use crate::stderr::LastWords;

/// Exit status of a libOS that stops because of its own mistake, as abort(3) would give.
const STATUS: u8 = 134;

const SIGILL: i32 = 4;

/// Says why and ends the process.
pub fn stop(reason: fmt::Arguments<'_>) -> ! {
    let _ = writeln!(LastWords, "libos: {reason}");
    crate::hypercall::exit(STATUS)
}

/// The libOS's own code faulted: says where, for a report to its makers, and ends the process.
pub fn fault(signo: i32, address: u64, rip: u64, rsp: u64, rbp: u64) -> ! {
    let bias = crate::boot::boot().map_or(0, |boot| boot.libos.start);
    // The instruction that is no instruction is put where a lock is found taken.
    let what = match signo {
        SIGILL => "a lock taken twice, or a promise broken: ",
        _ => "",
    };
    let _ = writeln!(
        LastWords,
        "libos: fault of the libOS itself: {what}signal {signo} at libos+{:#x}, address {address:#x}, \
         rsp {rsp:#x}, rbp {rbp:#x}. This is a bug of the libOS, please report it.",
        rip.wrapping_sub(bias),
    );
    crate::hypercall::exit(STATUS)
}

#[cfg(feature = "image")]
#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    stop(format_args!(
        "{info}. This is a bug of the libOS, please report it."
    ))
}

/// Precompiled parts of the core library refer to it, though nothing unwinds here.
#[cfg(feature = "image")]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Likewise: landing pads in precompiled code end in it. Never reached, since a panic ends the image.
#[cfg(feature = "image")]
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    stop(format_args!(
        "unwinding began, though panics abort. This is a bug of the libOS, please report it."
    ))
}
