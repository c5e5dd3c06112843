//! Memory: the application's address space, and the libOS's own heap and pages.
//!
//! The tender reserved one large region before the filter; nothing is mapped or protected
//! afterwards. This module divides it ([`layout`]), hands out ranges of it and keeps the books:
//! what is mapped, with which protection, which pages were ever used.
//!
//! - [`heap`]: `Box`, `Vec` and the rest; [`bytes`]: memcpy and its kin.
//! - [`pages::PageRun`]: file data. [`kernel_stack::KernelStack`]: where threads run in the libOS.
//! - [`budget`]: the memory limit. [`host`]: what the host knows about our pages.
//! - [`zero`]: making used memory read as zero again. [`va`], [`range_set`]: books on addresses.
//!
//! What this does not do: give memory back to the host. No hypercall can.

pub mod budget;
pub mod bytes;
pub mod extent;
#[cfg(all(feature = "image", not(test)))]
pub mod global;
pub mod heap;
pub mod host;
pub mod kernel_stack;
pub mod layout;
pub mod pages;
pub mod range_set;
#[cfg(test)]
pub mod testing;
pub mod va;
pub mod zero;

pub use budget::BUDGET;
pub use kernel_stack::KernelStack;
pub use pages::PageRun;

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

/// A stack for a thread inside the libOS.
///
/// # Errors
/// ENOMEM if there are too many.
pub fn kernel_stack() -> Result<KernelStack> {
    KernelStack::new()
}

/// Why [`init`] refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitError {
    /// The memory limit leaves nothing for the program: limit and least needed, in bytes.
    LimitTooSmall(usize, usize),
    /// The reserved region is too small to be divided: its length, in bytes.
    RegionTooSmall(usize),
}

impl core::fmt::Display for InitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::LimitTooSmall(limit, least) => write!(
                f,
                "the memory limit is {} KiB, but starting takes at least {} KiB: raise --mem",
                limit >> 10,
                least.div_ceil(1024)
            ),
            Self::RegionTooSmall(len) => write!(
                f,
                "only {} MiB of addresses were reserved, at least {} MiB are needed",
                len >> 20,
                layout::LEAST >> 20
            ),
        }
    }
}

/// What the libOS wants beyond what is resident when it starts, in bytes.
#[cfg(not(test))]
const LEAST_HEADROOM: usize = 1 << 20;

/// Divides the region. Nothing is allocated before this. Called once.
///
/// # Errors
/// What the tender gave is too little.
#[cfg(not(test))]
pub fn init(boot: &'static libos_abi::boot::BootInfo) -> core::result::Result<(), InitError> {
    // SAFETY: the boot information's promise.
    host::set_handles(unsafe { boot.handles.as_slice() });
    let limit = usize::try_from(boot.memory_limit).unwrap_or(usize::MAX);
    BUDGET.set_limit(limit);
    let least = host::resident_bytes().unwrap_or(0) + LEAST_HEADROOM;
    if limit < least {
        return Err(InitError::LimitTooSmall(limit, least));
    }
    let layout = layout::Layout::divide(boot.memory.into()).ok_or(InitError::RegionTooSmall(
        extent::Extent::from(boot.memory).len(),
    ))?;
    // SAFETY: the region is mapped, writable and zero, nobody else uses it, and its parts don't
    // overlap.
    unsafe {
        #[cfg(feature = "image")]
        global::HEAP.set_range(layout.heap.start, layout.heap.end);
        kernel_stack::init(layout.kernel_stacks);
        pages::init(layout.pages);
    }
    Ok(())
}
