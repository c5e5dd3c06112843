//! The image's global allocator.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;

use crate::mm::budget::BUDGET;
use crate::mm::extent::Extent;
use crate::mm::heap::Heap;
use crate::mm::zero;
use crate::sync::SpinLock;

/// [`Heap`] behind a lock.
pub struct GlobalHeap(SpinLock<Heap>);

/// The heap that `Box`, `Vec` and the other collections of the libOS use.
#[global_allocator]
pub static HEAP: GlobalHeap = GlobalHeap(SpinLock::new(Heap::new(&BUDGET)));

impl GlobalHeap {
    /// See [`Heap::set_range`].
    ///
    /// # Safety
    /// As there.
    pub unsafe fn set_range(&self, start: usize, end: usize) {
        // SAFETY: the caller's duty.
        unsafe { self.0.lock().set_range(start, end) };
    }

    /// See [`Heap::claimed`].
    pub fn claimed(&self) -> usize {
        self.0.lock().claimed()
    }
}

// SAFETY: `Heap` hands out blocks that don't overlap, of the size and alignment asked for, and
// touches them no more until they are freed; the lock makes that hold for every caller.
unsafe impl GlobalAlloc for GlobalHeap {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's duty.
        unsafe { self.0.lock().allocate(layout) }
    }

    /// A long block is cleared only where it was used before: what never was used costs no memory yet.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's duty.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            let start = block as usize;
            // SAFETY: the block was just handed out: it is mapped, and nobody else's.
            unsafe { zero::clear(Extent::new(start, start + layout.size())) };
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's duty.
        unsafe { self.0.lock().deallocate(ptr, layout) };
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's duty.
        if unsafe { self.0.lock().resize_in_place(ptr, layout, new_size) } {
            return ptr;
        }
        let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else {
            return null_mut();
        };
        // SAFETY: `new_size` is not 0, the caller's duty.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            // SAFETY: both blocks hold the smaller of the two sizes and don't overlap; the old one
            // came from here with `layout`.
            unsafe {
                new.copy_from_nonoverlapping(ptr, layout.size().min(new_size));
                self.dealloc(ptr, layout);
            }
        }
        new
    }
}
