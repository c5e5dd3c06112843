//! Memory: the application's address space, and the libOS's own heap and pages.
//!
//! The tender reserved one large region before the filter; nothing is mapped or protected
//! afterwards. This module divides it ([`layout`]), hands out ranges of it and keeps the books:
//! what is mapped, with which protection, which pages were ever used.
//!
//! - [`heap`]: `Box`, `Vec` and the rest; [`bytes`]: memcpy and its kin.
//! - [`pages::PageRun`]: file data. [`kernel_stack::KernelStack`]: where threads run in the libOS.
//! - [`budget`]: the memory limit. [`host`]: what the host knows about our pages.
//! - [`space::AddressSpace`]: what the application has mapped. (Mappings of files: `fs::mapping`.)
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
pub mod space;
pub mod stack_slots;
#[cfg(test)]
pub mod testing;
pub mod va;
pub mod vma;
pub mod zero;

pub use budget::BUDGET;
pub use kernel_stack::KernelStack;
pub use pages::PageRun;

use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::sync::SpinLock;
use extent::Extent;
use space::AddressSpace;
use vma::Vma;

/// What the libOS is about to do with application memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Copy from it.
    Read,
    /// Copy to it.
    Write,
}

/// The application's address space. One program, one space.
static SPACE: SpinLock<AddressSpace> = SpinLock::new(AddressSpace::new(&BUDGET));

/// Runs `operation` on the address space. What it returns may hold the last reference to a file, so
/// it is dropped only after the lock is open again.
pub fn with_space<T>(operation: impl FnOnce(&mut AddressSpace) -> T) -> T {
    operation(&mut SPACE.lock())
}

/// Whether the bookkeeping lets the application access `[address, address + len)` so.
///
/// # Errors
/// EFAULT if any page is not mapped or its protection forbids it.
#[inline]
pub fn check(address: usize, len: usize, access: Access) -> Result<()> {
    if len == 0 {
        return Ok(());
    }
    let mut space = SPACE.lock();
    if space.is_void() {
        return check_void(address, len);
    }
    space.check(address, len, access)
}

/// Host tests pass pointers of their own; all that can be said is that null is none.
#[cold]
fn check_void(address: usize, len: usize) -> Result<()> {
    match address.checked_add(len) {
        Some(_) if address != 0 => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

/// How many of the `len` bytes from `address` on the application may access so, up to the first that
/// it may not. For transfers that are cut short by a bad page.
pub fn accessible_len(address: usize, len: usize, access: Access) -> usize {
    let space = SPACE.lock();
    if space.is_void() {
        return check_void(address, len).map_or(0, |()| len);
    }
    space.accessible_len(address, len, access)
}

/// Everything that is mapped, in order, for `/proc/self/maps`.
pub fn maps() -> Vec<(Extent, Vma)> {
    SPACE.lock().snapshot()
}

/// Figures for `/proc`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The memory limit, in bytes.
    pub limit: usize,
    /// Bytes of private memory that are resident; an upper bound without the host's answer.
    pub in_use: usize,
    /// Bytes that are resident but lie in files: text, the root file system.
    pub file_resident: usize,
    /// Bytes of address space that the application has mapped.
    pub mapped: usize,
    /// Bytes that are locked.
    pub locked: usize,
    /// Bytes that the libOS's heap spans.
    pub heap: usize,
}

/// The figures now. Costs a hypercall.
pub fn statistics() -> Statistics {
    let space = SPACE.lock();
    let statm = host::statm().unwrap_or_default();
    Statistics {
        limit: BUDGET.limit(),
        in_use: BUDGET.in_use(),
        file_resident: statm.shared * libos_abi::PAGE_SIZE,
        mapped: space.vmas().mapped(),
        locked: space.locked_bytes(),
        heap: heap_claimed(),
    }
}

#[cfg(all(feature = "image", not(test)))]
fn heap_claimed() -> usize {
    global::HEAP.claimed()
}

#[cfg(not(all(feature = "image", not(test))))]
fn heap_claimed() -> usize {
    0
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
    BUDGET.resample();
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
    set_up_space(boot, &layout);
    Ok(())
}

#[cfg(not(test))]
fn set_up_space(boot: &'static libos_abi::boot::BootInfo, layout: &layout::Layout) {
    let file = Extent::from(boot.app.file);
    // SAFETY: the boot information's promise: the whole file is mapped read-only, for ever.
    let bytes = unsafe { core::slice::from_raw_parts(file.start as *const u8, file.len()) };
    let bias = usize::try_from(boot.app.load_bias).unwrap_or(0);
    let parts = space::Parts {
        app: layout.app,
        brk: layout.brk,
        exec: boot.exec_arena.into(),
        pages: layout.pages,
        stack: boot.main_stack.into(),
        // SAFETY: the boot information's promise.
        zones: unsafe { boot.stack_zones.as_slice() },
        segments: &space::Segment::of_file(bytes, bias),
    };
    // SAFETY: the boot information describes the memory as `Parts` wants it, and nothing else uses
    // these parts of the region.
    unsafe { SPACE.lock().set_up(&parts) };
}
