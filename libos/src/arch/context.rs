//! From one thread's libOS stack to another's.
//!
//! A context is a stack pointer: everything else that a Rust function expects to survive a call was
//! pushed. What belongs to the application's side (FS base, vector state) is switched by
//! [`crate::sched`] through [`fs_base`], [`set_fs_base`] and [`super::xstate`].

unsafe extern "C" {
    /// Saves the callee-saved registers and stores the stack pointer to `*from`, then goes on where
    /// `to` was saved.
    ///
    /// # Safety
    /// 1. `to` was stored by this function or made by [`prepare`], and was not resumed since.
    /// 2. `from` is writable and stays valid until the calling context is resumed.
    pub fn libos_switch(from: *mut u64, to: u64);

    fn libos_thread_start();
}

core::arch::global_asm!(
    ".pushsection .text.libos_switch, \"ax\", @progbits",
    ".p2align 4",
    ".globl libos_switch",
    "libos_switch:",
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov [rdi], rsp",
    "mov rsp, rsi",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    ".popsection",
);

/// Lays out a new thread's libOS stack below its frame at `frame`, so that switching to the result
/// enters `libos_thread_start` with `%rsp` = `frame`.
///
/// # Safety
/// The 56 bytes below `frame` are writable and unused.
pub unsafe fn prepare(frame: u64) -> u64 {
    let words = (frame - 7 * 8) as *mut u64;
    // SAFETY: the caller's duty; six callee-saved registers and the return address.
    unsafe {
        words.write_bytes(0, 6);
        words.add(6).write(libos_thread_start as *const () as u64);
    }
    words as u64
}

/// The running thread's FS base.
#[inline]
pub fn fs_base() -> u64 {
    let base: u64;
    // SAFETY: reads a register; FSGSBASE was checked by the tender.
    unsafe { core::arch::asm!("rdfsbase {}", out(reg) base, options(nomem, nostack)) };
    base
}

/// Sets the running thread's FS base. The libOS itself does not use `%fs`.
#[inline]
pub fn set_fs_base(base: u64) {
    // SAFETY: the libOS does not use %fs; a non-canonical address, on which the instruction would
    // fault, was refused by the callers.
    unsafe { core::arch::asm!("wrfsbase {}", in(reg) base, options(nomem, nostack)) };
}

/// The time-stamp counter.
#[inline]
pub fn timestamp() -> u64 {
    // SAFETY: RDTSC has no preconditions in user mode on the hosts that the tender accepts.
    unsafe { core::arch::x86_64::_rdtsc() }
}
