//! Memory: the application's address space, and the libOS's own heap and pages.
//!
//! The tender reserved one large region before the filter; nothing is mapped or protected
//! afterwards. This module hands out ranges of it and keeps the books: what is mapped, with which
//! protection, which pages were ever dirtied.

use crate::errno::{Errno, Result};

/// What the libOS is about to do with application memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Copy from it.
    Read,
    /// Copy to it.
    Write,
}

/// Whether the bookkeeping lets the application access `[address, address + len)` so.
///
/// # Errors
/// EFAULT if any page is not mapped or its protection forbids it.
pub fn check(address: usize, len: usize, access: Access) -> Result<()> {
    let _ = access;
    match address.checked_add(len) {
        Some(_) if address != 0 || len == 0 => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

/// Makes the boot region the libOS's memory.
///
/// # Errors
/// What is wrong with the region.
pub fn init(boot: &'static libos_abi::boot::BootInfo) -> core::result::Result<(), &'static str> {
    let _ = boot;
    Err("not built yet")
}
