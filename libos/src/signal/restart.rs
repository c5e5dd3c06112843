//! What becomes of a call that a signal interrupted: it is made again, or returns EINTR.

use crate::arch::frame::TrapFrame;
use crate::arch::sites;
use crate::errno::Errno;
use crate::signal::action::ActionFlags;

/// A call that a signal interrupted and that may have to be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The call's number.
    pub number: u64,
    /// How it wants to be restarted.
    pub errno: Errno,
}

/// Length of a `syscall` instruction in bytes.
const SYSCALL_LEN: u64 = 2;

impl Restart {
    /// `Some` if `errno` is one of those that ask for a restart.
    pub fn from_errno(number: u64, errno: Errno) -> Option<Self> {
        matches!(errno, Errno::ERESTARTSYS | Errno::ERESTARTNOHAND)
            .then_some(Self { number, errno })
    }

    /// Whether the call is made again if a handler with `flags` runs first.
    pub fn survives(self, flags: ActionFlags) -> bool {
        self.errno == Errno::ERESTARTSYS && flags.contains(ActionFlags::RESTART)
    }

    /// Makes the thread execute its `syscall` again. `frame.rip` becomes the application's own
    /// address of it.
    pub fn rewind(self, frame: &mut TrapFrame) {
        frame.rip = sites::to_original(frame.rip).wrapping_sub(SYSCALL_LEN);
        frame.rax = self.number;
        frame.restore_all = 1;
    }

    /// The call returns EINTR.
    pub fn fail(frame: &mut TrapFrame) {
        frame.rax = (-i64::from(Errno::EINTR.number())).cast_unsigned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_errors_ask_for_a_restart() {
        let from = |errno| Restart::from_errno(0, errno).is_some();
        assert!(from(Errno::ERESTARTSYS) && from(Errno::ERESTARTNOHAND));
        assert!(!from(Errno::EINTR) && !from(Errno::EAGAIN));
    }

    #[test]
    fn a_handler_decides_with_its_flag() {
        let survives = |errno, flags| Restart { number: 0, errno }.survives(flags);
        let none = ActionFlags::empty();
        assert!(survives(Errno::ERESTARTSYS, ActionFlags::RESTART));
        assert!(!survives(Errno::ERESTARTSYS, none));
        assert!(!survives(Errno::ERESTARTNOHAND, ActionFlags::RESTART));
    }

    #[test]
    fn a_rewound_call_stands_on_its_instruction() {
        let mut frame = TrapFrame::zeroed();
        frame.rip = 0x40_0002;
        let restart = Restart {
            number: 7,
            errno: Errno::ERESTARTSYS,
        };
        restart.rewind(&mut frame);
        assert_eq!((frame.rip, frame.rax), (0x40_0000, 7));
        Restart::fail(&mut frame);
        assert_eq!(frame.rax, (-4_i64).cast_unsigned());
    }
}
