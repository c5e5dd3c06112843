//! The libOS's own heap: size-class slabs in front of talc.
//!
//! Small requests (up to [`SLAB_MAX`] bytes) are served from per-class free lists, which take whole
//! chunks from talc and keep them; larger ones go to talc. Talc's arena grows upwards through one
//! range of addresses, [`STEP`] bytes at a time, so that nothing is touched before it is needed.
//!
//! The budget is asked before each step. Small requests may pass it by [`EMERGENCY`] bytes, so that
//! the paths that report "out of memory" can still run.
//!
//! What this does not do: give memory back to the host (no hypercall can).

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use talc::base::Talc;
use talc::base::binning::{Binning, DefaultBinning};
use talc::source::Source;

use crate::mm::budget::Budget;

/// Largest request that a size class serves, in bytes.
pub const SLAB_MAX: usize = 1024;

/// By how much the arena grows at least, in bytes.
pub const STEP: usize = 256 << 10;

/// How far the heap may grow beyond the memory limit for small requests, in bytes.
pub const EMERGENCY: usize = 2 << 20;

/// What counts as small for [`EMERGENCY`], in bytes.
const EMERGENCY_MAX: usize = 16 << 10;

/// Alignment of every block of a size class.
const SLAB_ALIGN: usize = 16;

/// Block sizes: at most 25 % is lost to rounding.
const CLASS_SIZES: [usize; 20] = [
    16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024,
];

/// Class of a request by its size in units of 16 bytes, rounded up.
const CLASS_OF: [u8; SLAB_MAX / 16 + 1] = {
    let mut table = [0; SLAB_MAX / 16 + 1];
    let (mut units, mut class) = (0, 0_u8);
    while units < table.len() {
        if units * 16 > CLASS_SIZES[class as usize] {
            class += 1;
        }
        table[units] = class;
        units += 1;
    }
    table
};

/// Bytes that a class takes from talc at once.
const CHUNK: usize = 4096;

/// A free block: its first word links to the next.
struct FreeBlock {
    next: *mut FreeBlock,
}

/// One size class: blocks that were freed, and the part of the newest chunk never handed out.
#[derive(Clone, Copy)]
struct Class {
    free: *mut FreeBlock,
    fresh: usize,
    fresh_end: usize,
}

/// The allocator. Not synchronised; the owner holds a lock.
pub struct Heap {
    classes: [Class; CLASS_SIZES.len()],
    talc: Talc<Arena, DefaultBinning>,
}

// SAFETY: the pointers are to memory that belongs to this heap alone; moving the heap between
// threads moves that ownership.
unsafe impl Send for Heap {}

impl Heap {
    /// A heap without memory: every request fails until [`Self::set_range`].
    pub const fn new(budget: &'static Budget) -> Self {
        const EMPTY: Class = Class {
            free: null_mut(),
            fresh: 0,
            fresh_end: 0,
        };
        Self {
            classes: [EMPTY; CLASS_SIZES.len()],
            talc: Talc::new(Arena::empty(budget)),
        }
    }

    /// Gives the heap the addresses `[start, end)` to grow through. Called once.
    ///
    /// # Safety
    /// The range is mapped, readable and writable, and belongs to this heap for ever.
    pub unsafe fn set_range(&mut self, start: usize, end: usize) {
        self.talc.source.next = start;
        self.talc.source.limit = end;
        self.talc.source.start = start;
    }

    /// Bytes that the arena spans now.
    pub fn claimed(&self) -> usize {
        self.talc.source.next - self.talc.source.start
    }

    /// Allocates; null if there is no memory.
    ///
    /// # Safety
    /// `layout.size()` is not 0.
    #[inline]
    pub unsafe fn allocate(&mut self, layout: Layout) -> *mut u8 {
        match class_of(layout) {
            Some(class) => self.allocate_block(class),
            // SAFETY: the caller's duty.
            None => unsafe { self.talc.allocate(layout) }.map_or(null_mut(), NonNull::as_ptr),
        }
    }

    /// Frees.
    ///
    /// # Safety
    /// `ptr` came from this heap with this layout and is not used any more.
    #[inline]
    pub unsafe fn deallocate(&mut self, ptr: *mut u8, layout: Layout) {
        let Some(class) = class_of(layout) else {
            // SAFETY: the caller's duty; a layout without class came from talc.
            return unsafe { self.talc.deallocate(ptr, layout) };
        };
        let block: *mut FreeBlock = ptr.cast();
        let head = &mut self.classes[class].free;
        // SAFETY: the block is ours again, at least 16 bytes, aligned to 16.
        unsafe { block.write(FreeBlock { next: *head }) };
        *head = block;
    }

    /// Changes the size without moving, if that is possible.
    ///
    /// # Safety
    /// `ptr` came from this heap with this layout; `new_size` is not 0 and, rounded up to the
    /// alignment, does not overflow `isize`.
    pub unsafe fn resize_in_place(
        &mut self,
        ptr: *mut u8,
        layout: Layout,
        new_size: usize,
    ) -> bool {
        let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else {
            return false;
        };
        match (class_of(layout), class_of(new_layout)) {
            (Some(old), Some(new)) => old == new,
            // SAFETY: the caller's duty; both layouts are talc's.
            (None, None) => unsafe { self.talc.try_realloc_in_place(ptr, layout, new_size) },
            _ => false,
        }
    }

    #[inline]
    fn allocate_block(&mut self, class: usize) -> *mut u8 {
        let list = &mut self.classes[class];
        let block = list.free;
        if block.is_null() {
            return self.fresh_block(class);
        }
        // SAFETY: a block on the free list holds its link, written when it was freed.
        list.free = unsafe { (*block).next };
        block.cast()
    }

    fn fresh_block(&mut self, class: usize) -> *mut u8 {
        let size = CLASS_SIZES[class];
        if self.classes[class].fresh_end - self.classes[class].fresh < size && !self.refill(class) {
            return null_mut();
        }
        let list = &mut self.classes[class];
        let block = list.fresh;
        list.fresh += size;
        block as *mut u8
    }

    #[cold]
    fn refill(&mut self, class: usize) -> bool {
        let size = CHUNK / CLASS_SIZES[class] * CLASS_SIZES[class];
        let Ok(layout) = Layout::from_size_align(size, SLAB_ALIGN) else {
            return false;
        };
        // SAFETY: the size is not 0: every class fits into a chunk.
        let Some(chunk) = (unsafe { self.talc.allocate(layout) }) else {
            return false;
        };
        let list = &mut self.classes[class];
        list.fresh = chunk.as_ptr() as usize;
        list.fresh_end = list.fresh + size;
        true
    }
}

/// The size class of a request; `None` if it is talc's. Depends on the layout alone, so that
/// freeing finds the same answer.
#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    if layout.size() > SLAB_MAX || layout.align() > SLAB_ALIGN {
        return None;
    }
    Some(usize::from(CLASS_OF[layout.size().div_ceil(16)]))
}

/// Where talc gets memory: the next steps of one range.
#[derive(Debug)]
struct Arena {
    start: usize,
    next: usize,
    limit: usize,
    /// End of talc's heap, once there is one.
    heap_end: Option<NonNull<u8>>,
    /// Bytes taken beyond the memory limit.
    emergency: usize,
    budget: &'static Budget,
}

impl core::fmt::Debug for Budget {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Budget({:#x})", self.limit())
    }
}

impl Arena {
    const fn empty(budget: &'static Budget) -> Self {
        Self {
            start: 0,
            next: 0,
            limit: 0,
            heap_end: None,
            emergency: 0,
            budget,
        }
    }

    /// Takes what a request of `layout` needs; the new end of the arena.
    fn take(&mut self, layout: Layout) -> Option<usize> {
        // Talc's own tags and the alignment come on top of the request.
        let need = layout
            .size()
            .checked_add(layout.align())?
            .checked_add(512)?;
        let step = need.checked_next_multiple_of(STEP)?;
        let end = self.next.checked_add(step)?;
        if end > self.limit {
            return None;
        }
        if self.budget.admit(need).is_err() {
            let over = self.emergency + step;
            if layout.size() > EMERGENCY_MAX || over > EMERGENCY {
                return None;
            }
            self.emergency = over;
        }
        self.next = end;
        Some(end)
    }
}

// SAFETY: `acquire` allocates nothing itself and touches only the range given to it.
unsafe impl Source for Arena {
    fn acquire<B: Binning>(
        talc: &mut Talc<Self, B>,
        layout: Layout,
    ) -> core::result::Result<(), ()> {
        let base = talc.source.next;
        let end = talc.source.take(layout).ok_or(())?;
        let heap_end = match talc.source.heap_end {
            // SAFETY: `[base, end)` was just taken from the range, which is the heap's for ever, and
            // follows the heap's end, which talc rounded down by less than a chunk unit.
            Some(heap_end) => unsafe { talc.extend(heap_end, end as *mut u8) },
            // SAFETY: as above, for the first heap.
            None => unsafe { talc.claim(base as *mut u8, end - base) }.ok_or(())?,
        };
        talc.source.heap_end = Some(heap_end);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
