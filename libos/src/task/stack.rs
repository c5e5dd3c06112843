//! The stacks on which threads run inside the libOS.

use crate::arch::frame::{FRAME_SIZE, TrapFrame};
use crate::errno::Result;
use crate::mm::kernel_stack::KernelStack;

/// A stack; its top holds the thread's frame.
pub struct LibosStack(KernelStack);

impl LibosStack {
    /// A stack.
    ///
    /// # Errors
    /// ENOMEM if there are too many threads.
    pub fn new() -> Result<Self> {
        KernelStack::new().map(Self)
    }

    /// The frame at the top.
    pub fn frame(&self) -> *mut TrapFrame {
        (self.0.top() - FRAME_SIZE) as *mut TrapFrame
    }

    /// Whether `address` lies in it.
    pub fn contains(&self, address: u64) -> bool {
        (self.0.bottom() as u64..=self.0.top() as u64).contains(&address)
    }

    /// Whether it never ran full.
    pub fn is_intact(&self) -> bool {
        self.0.is_intact()
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
