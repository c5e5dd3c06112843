//! Stacks on which threads run inside the libOS.
//!
//! Equal slots of one range of addresses. Only the pages that a thread's calls touch cost memory;
//! a freed slot is handed out again first, uncleared, while its top is still in the cache.

use crate::errno::{Errno, Result};
use crate::mm::extent::Extent;
use crate::sync::SpinLock;

/// Size of a stack in bytes.
pub const KERNEL_STACK_SIZE: usize = 64 << 10;

/// Written at the lowest address of a stack in use; gone if the stack overflowed.
const CANARY: u64 = 0x6b63_6174_735f_6f6e;

/// The slots.
struct Slots {
    /// Lowest address that was never handed out.
    next: usize,
    /// End of the range.
    end: usize,
    /// Start of the slot that was freed last, 0 if none; its top word links to the next.
    free: usize,
}

static SLOTS: SpinLock<Slots> = SpinLock::new(Slots {
    next: 0,
    end: 0,
    free: 0,
});

/// Gives the stacks their addresses. Called once.
///
/// # Safety
/// The memory is mapped, writable, and belongs to the stacks for ever.
pub unsafe fn init(extent: Extent) {
    let mut slots = SLOTS.lock();
    slots.next = extent.start;
    slots.end = extent.end;
}

/// A stack; its slot is free again when this is dropped, which must not happen on the stack itself.
#[derive(Debug)]
pub struct KernelStack {
    start: usize,
}

impl KernelStack {
    /// A stack.
    ///
    /// # Errors
    /// ENOMEM if all slots are taken.
    pub fn new() -> Result<Self> {
        #[cfg(test)]
        tests::ensure_initialised();
        let mut slots = SLOTS.lock();
        let start = slots
            .take()
            .ok_or_else(|| Errno::ENOMEM.because("too many threads"))?;
        // SAFETY: the slot is nobody else's.
        unsafe { (start as *mut u64).write(CANARY) };
        Ok(Self { start })
    }

    /// The address behind the highest byte, where an empty stack's pointer stands; 64 KiB aligned.
    pub fn top(&self) -> usize {
        self.start + KERNEL_STACK_SIZE
    }

    /// The lowest address.
    pub fn bottom(&self) -> usize {
        self.start
    }

    /// Whether the lowest word is still what it was, so that the stack never overflowed.
    pub fn is_intact(&self) -> bool {
        // SAFETY: inside the slot, which is this stack's.
        unsafe { (self.start as *const u64).read_volatile() == CANARY }
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        assert!(self.is_intact(), "a libOS stack overflowed");
        SLOTS.lock().give_back(self.start);
    }
}

impl Slots {
    fn take(&mut self) -> Option<usize> {
        if self.free != 0 {
            let start = self.free;
            // SAFETY: a free slot holds its link there, written by `give_back`.
            self.free = unsafe { Self::link(start).read() };
            return Some(start);
        }
        let start = self.next.next_multiple_of(KERNEL_STACK_SIZE);
        let end = start.checked_add(KERNEL_STACK_SIZE)?;
        (end <= self.end).then(|| {
            self.next = end;
            start
        })
    }

    fn give_back(&mut self, start: usize) {
        // SAFETY: the slot's owner is gone, so its memory is ours.
        unsafe { Self::link(start).write(self.free) };
        self.free = start;
    }

    /// Where a free slot keeps its link: the top word, whose page is resident anyway.
    fn link(start: usize) -> *mut usize {
        (start + KERNEL_STACK_SIZE - size_of::<usize>()) as *mut usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn ensure_initialised() {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            let region = crate::mm::testing::Region::new(1 << 30);
            let extent = Extent::new(region.start, region.start + region.len);
            core::mem::forget(region);
            // SAFETY: fresh memory, leaked.
            unsafe { init(extent) };
        });
    }

    #[test]
    fn ten_thousand_stacks_are_apart() {
        let stacks: Vec<KernelStack> = (0..10_000)
            .map(|_| KernelStack::new().expect("a slot"))
            .collect();
        let mut starts: Vec<usize> = stacks.iter().map(KernelStack::bottom).collect();
        starts.sort_unstable();
        assert!(
            starts
                .windows(2)
                .all(|pair| pair[1] - pair[0] >= KERNEL_STACK_SIZE)
        );
        assert!(stacks.iter().all(KernelStack::is_intact));
    }

    #[test]
    fn an_overflow_is_noticed() {
        let stack = KernelStack::new().expect("a slot");
        // SAFETY: the stack's lowest word.
        unsafe { (stack.bottom() as *mut u64).write(0) };
        assert!(!stack.is_intact());
        core::mem::forget(stack);
    }
}
