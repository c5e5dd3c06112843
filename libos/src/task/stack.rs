//! The stacks on which threads run inside the libOS.

use alloc::alloc::{Layout, alloc, dealloc};

use crate::arch::frame::{FRAME_SIZE, TrapFrame};

/// Bytes of a stack. Only what is touched costs memory.
pub const STACK_SIZE: usize = 64 * 1024;

/// Marks the low end; found changed, the stack has overflowed.
const CANARY: u64 = 0x6c69_624f_535f_ca4a;

/// A stack; its top holds the thread's frame.
pub struct LibosStack {
    base: *mut u8,
}

// SAFETY: the stack is plain memory owned by this value.
unsafe impl Send for LibosStack {}
// SAFETY: shared references only compute addresses.
unsafe impl Sync for LibosStack {}

impl LibosStack {
    const LAYOUT: Layout = match Layout::from_size_align(STACK_SIZE, 64) {
        Ok(layout) => layout,
        Err(_) => panic!("a power of two and a sane size"),
    };

    /// A stack; `None` if the heap is exhausted.
    pub fn new() -> Option<Self> {
        // SAFETY: the layout's size is not zero.
        let base = unsafe { alloc(Self::LAYOUT) };
        if base.is_null() {
            return None;
        }
        // SAFETY: the memory is ours and aligned.
        unsafe { base.cast::<u64>().write(CANARY) };
        Some(Self { base })
    }

    /// The frame at the top.
    pub fn frame(&self) -> *mut TrapFrame {
        // SAFETY: within the allocation.
        unsafe { self.base.add(STACK_SIZE - FRAME_SIZE) }.cast()
    }

    /// Whether `address` lies in it.
    pub fn contains(&self, address: u64) -> bool {
        let base = self.base as u64;
        (base..=base + STACK_SIZE as u64).contains(&address)
    }

    /// Whether it never ran full.
    pub fn is_intact(&self) -> bool {
        // SAFETY: the low word was written in `new`.
        unsafe { self.base.cast::<u64>().read_volatile() == CANARY }
    }
}

impl Drop for LibosStack {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.base, Self::LAYOUT) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_stands_at_the_top_and_is_aligned() {
        let stack = LibosStack::new().expect("memory");
        let frame = stack.frame() as u64;
        assert_eq!(frame % 64, 0);
        assert!(stack.contains(frame) && stack.is_intact());
    }
}
