//! The copy that survives a fault.
//!
//! The code between two labels is the only libOS code that touches application memory. The fault
//! handler recognises an address between them and resumes at a third label, which reports the
//! fault; so a page that is not there becomes EFAULT.

use crate::errno::Result;
use crate::mm::bytes::{REP_COPY, copy_and_return};

/// Copies `len` bytes from `source` to `dest`.
///
/// # Errors
/// EFAULT if an access faults; some bytes may have been copied.
///
/// # Safety
/// Whichever of the two runs is the libOS's own must be valid for `len` bytes; they don't overlap.
pub unsafe fn copy(dest: *mut u8, source: *const u8, len: usize) -> Result<()> {
    // SAFETY: the caller's duty; the other run may fault, which `libos_user_copy` reports.
    let left = unsafe { libos_user_copy(dest, source, len) };
    if left == 0 {
        Ok(())
    } else {
        Err(crate::errno::Errno::EFAULT)
    }
}

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
pub fn fixup(address: usize) -> Option<usize> {
    let start = &raw const libos_user_copy_start as usize;
    let end = &raw const libos_user_copy_end as usize;
    (start..end)
        .contains(&address)
        .then_some(&raw const libos_user_copy_fault as usize)
}

// fn(dest: %rdi, source: %rsi, len: %rdx) -> %rax. Everything from the entry to the end label may fault, and
// nothing is saved that the way out would have to restore.
core::arch::global_asm!(
    ".pushsection .text.libos_user_copy, \"ax\", @progbits",
    ".balign 64",
    ".globl libos_user_copy",
    ".globl libos_user_copy_start",
    "libos_user_copy:",
    "libos_user_copy_start:",
    "xor eax, eax",
    copy_and_return!(),
    ".globl libos_user_copy_end",
    "libos_user_copy_end:",
    ".globl libos_user_copy_fault",
    "libos_user_copy_fault:",
    "mov eax, 1",
    "ret",
    ".popsection",
    rep = const REP_COPY,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_small_length_and_alignment_is_copied() {
        let source: Vec<u8> = (0..5000_u32).map(|at| at.to_le_bytes()[0] ^ 0x5a).collect();
        let lengths = (0..=300).chain([511, 1023, 1024, 1025, 4096]);
        for len in lengths {
            for (from, to) in [(0, 0), (1, 0), (0, 3), (9, 14)] {
                let mut dest = vec![0; len + 32];
                // SAFETY: both runs lie in their vectors.
                let copied = unsafe { copy(dest[to..].as_mut_ptr(), source[from..].as_ptr(), len) };
                assert_eq!(copied, Ok(()));
                assert!(dest[..to].iter().all(|&byte| byte == 0), "{len}");
                assert_eq!(dest[to..to + len], source[from..from + len], "{len}");
                assert!(dest[to + len..].iter().all(|&byte| byte == 0), "{len}");
            }
        }
    }

    #[test]
    fn a_fault_inside_goes_on_at_the_fault_label_and_others_do_not() {
        let start = &raw const libos_user_copy_start as usize;
        let end = &raw const libos_user_copy_end as usize;
        let fault = &raw const libos_user_copy_fault as usize;
        assert_eq!(fixup(start), Some(fault));
        assert_eq!(fixup(end - 1), Some(fault));
        assert_eq!(fixup(end), None);
        assert_eq!(fixup(start - 1), None);
        let entry: unsafe extern "C" fn(*mut u8, *const u8, usize) -> usize = libos_user_copy;
        assert_eq!(entry as usize, start, "every instruction is covered");
    }
}
