//! The copy that survives a fault.
//!
//! The code between two labels is the only libOS code that touches application memory. The fault
//! handler recognises an address between them and resumes at a third label, which reports the
//! fault; so a page that is not there becomes EFAULT.

use crate::errno::Result;

/// Copies `len` bytes from `source` to `dest`.
///
/// # Errors
/// EFAULT if an access faults; some bytes may have been copied.
///
/// # Safety
/// Whichever of the two runs is the libOS's own must be valid for `len` bytes; they don't overlap.
#[cfg(not(test))]
pub unsafe fn copy(dest: *mut u8, source: *const u8, len: usize) -> Result<()> {
    // SAFETY: the caller's duty; the other run may fault, which `libos_user_copy` reports.
    let left = unsafe { libos_user_copy(dest, source, len) };
    if left == 0 {
        Ok(())
    } else {
        Err(crate::errno::Errno::EFAULT)
    }
}

#[cfg(not(test))]
unsafe extern "C" {
    /// Returns 0, or 1 after a fault.
    fn libos_user_copy(dest: *mut u8, source: *const u8, len: usize) -> usize;
    /// First byte of the code that may fault.
    static libos_user_copy_start: u8;
    /// Just behind the last byte of the code that may fault.
    static libos_user_copy_end: u8;
    /// Where a fault in that code goes on.
    static libos_user_copy_fault: u8;
}

/// Where execution goes on if the instruction at `address` faulted while touching application
/// memory; `None` if the fault is not of that kind.
#[cfg(not(test))]
pub fn fixup(address: usize) -> Option<usize> {
    let start = &raw const libos_user_copy_start as usize;
    let end = &raw const libos_user_copy_end as usize;
    (start..end)
        .contains(&address)
        .then(|| &raw const libos_user_copy_fault as usize)
}

#[cfg(not(test))]
core::arch::global_asm!(
    ".pushsection .text.libos_user_copy, \"ax\", @progbits",
    // fn(dest: %rdi, source: %rsi, len: %rdx) -> %rax. Leaf; clobbers %rcx, %rsi, %rdi.
    ".globl libos_user_copy",
    "libos_user_copy:",
    "mov rcx, rdx",
    ".globl libos_user_copy_start",
    "libos_user_copy_start:",
    "rep movsb",
    ".globl libos_user_copy_end",
    "libos_user_copy_end:",
    "xor eax, eax",
    "ret",
    ".globl libos_user_copy_fault",
    "libos_user_copy_fault:",
    "mov eax, 1",
    "ret",
    ".popsection",
);

/// Host tests: plain memory, no fault handler.
///
/// # Errors
/// None here.
///
/// # Safety
/// Both runs must be valid for `len` bytes; they don't overlap.
#[cfg(test)]
pub unsafe fn copy(dest: *mut u8, source: *const u8, len: usize) -> Result<()> {
    // SAFETY: the caller's duty.
    unsafe { core::ptr::copy_nonoverlapping(source, dest, len) };
    Ok(())
}
