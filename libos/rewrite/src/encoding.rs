//! The few instructions that the rewriter writes: their lengths and bytes.
//!
//! Constants only; [`crate::displace`] and [`crate::apply`] write them, [`crate::verify`] looks for
//! them, [`crate::plan`] and [`crate::island`] make room for them.

/// Length of `lea rel32(%rip),%rcx`, bytes.
pub(crate) const LEA_LEN: u64 = 7;

/// Length of `jmp rel32`, bytes.
pub(crate) const JUMP_LEN: u64 = 5;

/// Length of `jmp rel8`, bytes.
pub(crate) const SHORT_LEN: u64 = 2;

/// `int3`: fills what is left of a window, so that a stray jump into it is caught.
pub(crate) const INT3: u8 = 0xcc;
