//! The instructions that enter the host.
//!
//! Everything between `libos_hypercall_start` and `libos_hypercall_end` is what the filter's
//! instruction-pointer rule admits.

use core::sync::atomic::AtomicU32;

unsafe extern "C" {
    /// Host system call `number` with up to five arguments; returns the raw result.
    pub fn libos_hypercall(number: u64, a: u64, b: u64, c: u64, d: u64, e: u64) -> i64;

    /// ppoll(fds, count, timeout, NULL, 0), but -EINTR at once if `*attention` is not 0; a host
    /// signal that arrives between that check and the kernel is not lost, because its handler moves
    /// an instruction pointer inside [`poll_window`] to the cancelling end.
    pub fn libos_hypercall_poll(
        fds: *mut u8,
        count: u64,
        timeout: *const [i64; 2],
        attention: *const AtomicU32,
    ) -> i64;

    static libos_poll_check: u8;
    static libos_poll_syscall: u8;
    static libos_poll_cancel: u8;
}

/// If `address` lies between the check of `attention` and the kernel's entry, where to go instead.
pub fn poll_window(address: usize) -> Option<usize> {
    let first = &raw const libos_poll_check as usize;
    let last = &raw const libos_poll_syscall as usize;
    (first..=last)
        .contains(&address)
        .then_some(&raw const libos_poll_cancel as usize)
}

core::arch::global_asm!(
    ".pushsection .text.libos_hypercall, \"ax\", @progbits",
    ".globl libos_hypercall_start",
    "libos_hypercall_start:",
    // fn(number: rdi, a: rsi, b: rdx, c: rcx, d: r8, e: r9) -> rax. Leaf; the kernel clobbers rcx, r11.
    ".globl libos_hypercall",
    "libos_hypercall:",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "mov r10, r8",
    "mov r8, r9",
    "xor r9d, r9d",
    "syscall",
    "ret",
    // fn(fds: rdi, count: rsi, timeout: rdx, attention: rcx) -> rax.
    ".globl libos_hypercall_poll",
    "libos_hypercall_poll:",
    "mov eax, {ppoll}",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "xor r9d, r9d",
    ".globl libos_poll_check",
    "libos_poll_check:",
    "cmp dword ptr [rcx], 0",
    "jne libos_poll_cancel",
    ".globl libos_poll_syscall",
    "libos_poll_syscall:",
    "syscall",
    "ret",
    ".globl libos_poll_cancel",
    "libos_poll_cancel:",
    "mov rax, {eintr}",
    "ret",
    ".globl libos_hypercall_end",
    "libos_hypercall_end:",
    ".popsection",
    ppoll = const libos_abi::hypercall::Hypercall::Poll.number(),
    eintr = const -4,
);
