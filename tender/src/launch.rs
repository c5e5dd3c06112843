//! The jump: the last code of the tender that runs.
//!
//! [`enter`] makes the one call that puts the filter in force, and then only loads registers.

use crate::confine::filter::Program;
use crate::error::{Error, Step};
use crate::signals;
use libos_abi::boot::{BootInfo, Span};
use std::arch::asm;
use std::convert::Infallible;
use std::io;

/// Where the image starts.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Address of the libOS's entry point.
    pub address: u64,
    /// The stack that it starts on.
    pub stack: Span,
    /// The boot information.
    pub boot: *const BootInfo,
}

/// Puts the filter in force and jumps.
///
/// # Errors
/// [`Error::System`] if the kernel refuses the filter; otherwise there is no way back.
///
/// # Safety
/// 1. `entry` is the entry point of a mapped image, with its boot information and stack in place.
/// 2. The process runs one thread, and nothing of it is needed again.
pub unsafe fn enter(program: &Program, entry: Entry) -> Result<Infallible, Error> {
    let length = u16::try_from(program.len()).map_err(|_| Error::Profile("too long".into()))?;
    let filter = libc::sock_fprog {
        len: length,
        // The kernel only reads it; seccompiler's instruction has the layout of the kernel's.
        filter: program.as_ptr().cast_mut().cast(),
    };
    signals::unblock_all()?;
    // SAFETY: `filter` describes `length` instructions that outlive the call, which copies them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const filter,
        )
    };
    if result != 0 {
        return Err(Error::System {
            step: Step::Filter,
            call: "seccomp(2)",
            source: io::Error::last_os_error(),
        });
    }
    // SAFETY: duties 1 and 2.
    unsafe { jump(entry) }
}

/// Loads the registers of the contract: `%rsp` the top of the boot stack, `%rdi` the boot
/// information, all others zero, as are the x87 and SSE state at their start values.
///
/// # Safety
/// Those of [`enter`].
unsafe fn jump(entry: Entry) -> ! {
    let mxcsr: u32 = 0x1f80;
    // SAFETY: by duty 1 of `enter` the target expects exactly this state; by duty 2 nothing of this
    // stack frame is used again.
    unsafe {
        asm!(
            "fninit",
            "ldmxcsr [{mxcsr}]",
            "pxor xmm0, xmm0",
            "pxor xmm1, xmm1",
            "pxor xmm2, xmm2",
            "pxor xmm3, xmm3",
            "pxor xmm4, xmm4",
            "pxor xmm5, xmm5",
            "pxor xmm6, xmm6",
            "pxor xmm7, xmm7",
            "pxor xmm8, xmm8",
            "pxor xmm9, xmm9",
            "pxor xmm10, xmm10",
            "pxor xmm11, xmm11",
            "pxor xmm12, xmm12",
            "pxor xmm13, xmm13",
            "pxor xmm14, xmm14",
            "pxor xmm15, xmm15",
            // From here on: rax = entry point, rdi = boot information, rsp = the image's stack.
            "mov rsp, rsi",
            "xor ebx, ebx",
            "xor ecx, ecx",
            "xor edx, edx",
            "xor esi, esi",
            "xor ebp, ebp",
            "xor r8d, r8d",
            "xor r9d, r9d",
            "xor r10d, r10d",
            "xor r11d, r11d",
            "xor r12d, r12d",
            "xor r13d, r13d",
            "xor r14d, r14d",
            "xor r15d, r15d",
            "cld",
            "jmp rax",
            mxcsr = in(reg) &raw const mxcsr,
            in("rax") entry.address,
            in("rdi") entry.boot,
            in("rsi") entry.stack.end(),
            options(noreturn),
        )
    }
}
