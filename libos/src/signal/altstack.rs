//! Alternate signal stacks: sigaltstack(2).

use crate::errno::{Errno, Result};
use crate::user::Plain;

/// `SS_ONSTACK`.
pub const ONSTACK: i32 = 1;
/// `SS_DISABLE`.
pub const DISABLE: i32 = 2;
/// `SS_AUTODISARM`.
pub const AUTODISARM: i32 = i32::MIN;
/// `MINSIGSTKSZ`.
const SMALLEST: u64 = 2048;

/// `stack_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackT {
    /// Lowest byte.
    pub sp: u64,
    /// `SS_*`.
    pub flags: i32,
    padding: i32,
    /// Length in bytes.
    pub size: u64,
}

// SAFETY: integers without gaps: every pattern is valid, nothing is owned.
unsafe impl Plain for StackT {}

impl StackT {
    /// From its parts.
    pub const fn new(sp: u64, flags: i32, size: u64) -> Self {
        Self {
            sp,
            flags,
            padding: 0,
            size,
        }
    }
}

/// A thread's alternate stack; size 0 means that there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AltStack {
    sp: u64,
    size: u64,
    autodisarm: bool,
}

impl AltStack {
    /// Whether `sp` lies on it. One that disarms itself is never "on": it may be changed and used
    /// again, which is its purpose.
    pub const fn is_on(&self, sp: u64) -> bool {
        !self.autodisarm && self.covers(sp)
    }

    /// Whether `sp` lies in its memory.
    pub const fn covers(&self, sp: u64) -> bool {
        sp > self.sp && sp - self.sp <= self.size
    }

    /// Its high end, if there is one that a handler may be moved to.
    pub const fn top_if_free(&self, sp: u64) -> Option<u64> {
        if self.size == 0 || self.is_on(sp) {
            return None;
        }
        Some(self.sp.wrapping_add(self.size))
    }

    /// As sigaltstack(2) tells it to a thread at `sp`.
    pub const fn describe(&self, sp: u64) -> StackT {
        let state = if self.size == 0 {
            DISABLE
        } else if self.is_on(sp) {
            ONSTACK
        } else {
            0
        };
        let disarm = if self.autodisarm { AUTODISARM } else { 0 };
        StackT::new(self.sp, state | disarm, self.size)
    }

    /// What a thread at `sp` that asks for `new` gets.
    ///
    /// # Errors
    /// EPERM while on the present one; EINVAL for unknown flags; ENOMEM for one that is too small.
    pub fn replaced(&self, new: &StackT, sp: u64) -> Result<Self> {
        if self.is_on(sp) {
            return Err(Errno::EPERM);
        }
        match new.flags & !AUTODISARM {
            DISABLE => Ok(Self::default()),
            0 | ONSTACK if new.size < SMALLEST => Err(Errno::ENOMEM),
            0 | ONSTACK => Ok(Self {
                sp: new.sp,
                size: new.size,
                autodisarm: new.flags & AUTODISARM != 0,
            }),
            _ => Err(Errno::EINVAL),
        }
    }

    /// What is left once a handler was entered.
    #[must_use]
    pub fn entered(self) -> Self {
        if self.autodisarm {
            Self::default()
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: StackT = StackT::new(0x1000, 0, 0x2000);

    fn set(new: StackT) -> AltStack {
        AltStack::default().replaced(&new, 0).expect("valid")
    }

    #[test]
    fn a_stack_is_told_back_with_its_state() {
        let stack = set(STACK);
        assert_eq!(stack.describe(0x9000), STACK);
        assert_eq!(stack.describe(0x2000).flags, ONSTACK);
        assert_eq!(stack.describe(0x3000).flags, ONSTACK, "its very top");
        assert_eq!(stack.describe(0x1000).flags, 0, "just below it");
        assert_eq!(AltStack::default().describe(0).flags, DISABLE);
    }

    #[test]
    fn requests_are_checked() {
        let stack = set(STACK);
        assert_eq!(stack.replaced(&STACK, 0x2000), Err(Errno::EPERM));
        let small = StackT::new(0x1000, 0, 2047);
        assert_eq!(stack.replaced(&small, 0), Err(Errno::ENOMEM));
        let odd = StackT::new(0x1000, 4, 0x2000);
        assert_eq!(stack.replaced(&odd, 0), Err(Errno::EINVAL));
        let off = StackT::new(7, DISABLE, 7);
        assert_eq!(stack.replaced(&off, 0), Ok(AltStack::default()));
    }

    #[test]
    fn a_self_disarming_stack_is_gone_in_its_handler() {
        let stack = set(StackT::new(0x1000, AUTODISARM, 0x2000));
        assert_eq!(stack.describe(0x2000).flags, AUTODISARM);
        assert_eq!(stack.top_if_free(0x2000), Some(0x3000));
        assert_eq!(stack.entered(), AltStack::default());
        assert_eq!(set(STACK).entered(), set(STACK));
        assert_eq!(set(STACK).top_if_free(0x2000), None);
    }
}
