//! What becomes of a call that a signal interrupted: it is made again, it goes on, or it returns EINTR.
//!
//! Calls whose timeout is relative must not be made again as they were: the timeout would begin anew. They
//! leave a [`RestartBlock`] with the moment at which they end, and restart_syscall(2) is made in their place.

use crate::arch::frame::TrapFrame;
use crate::arch::sites;
use crate::errno::{Errno, SysResult};
use crate::signal::action::ActionFlags;
use crate::task;

/// Number of restart_syscall(2).
const RESTART_SYSCALL: u64 = 219;

/// How an interrupted call goes on: a function, and what it needs to know.
#[derive(Clone, Copy, Debug)]
pub struct RestartBlock {
    resume: fn([u64; 4]) -> SysResult,
    words: [u64; 4],
}

/// For a call that was interrupted: if no handler runs, `resume` is called with `words`, and its result is the
/// call's. The error to return now.
#[cold]
pub fn resume_later(resume: fn([u64; 4]) -> SysResult, words: [u64; 4]) -> Errno {
    let block = RestartBlock { resume, words };
    task::with_current(|thread| thread.signals.own(|own| own.restart_block = Some(block)));
    Errno::ERESTART_RESTARTBLOCK
}

/// Goes on with the call that [`resume_later`] kept.
///
/// # Errors
/// EINTR if there is none; else those of the call.
pub fn resume() -> SysResult {
    let block = task::with_current(|thread| thread.signals.own(|own| own.restart_block.take()));
    let block = block.ok_or(Errno::EINTR)?;
    (block.resume)(block.words)
}

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
        let number = match errno {
            Errno::ERESTARTSYS | Errno::ERESTARTNOHAND => number,
            Errno::ERESTART_RESTARTBLOCK => RESTART_SYSCALL,
            _ => return None,
        };
        Some(Self { number, errno })
    }

    /// Whether the call is made again if a handler with `flags` runs first.
    pub fn survives(self, flags: ActionFlags) -> bool {
        self.errno == Errno::ERESTARTSYS && flags.contains(ActionFlags::RESTART)
    }

    /// Makes the thread execute its `syscall` again, or restart_syscall(2) in its place. `frame.rip` becomes the application's own
    /// address of it.
    pub fn rewind(self, frame: &mut TrapFrame) {
        frame.rip = sites::to_original(frame.rip).wrapping_sub(SYSCALL_LEN);
        frame.rax = self.number;
        frame.restore_all = 1;
    }

    /// The call returns EINTR, and nothing goes on with it.
    pub fn fail(frame: &mut TrapFrame) {
        task::with_current(|thread| thread.signals.own(|own| own.restart_block = None));
        frame.rax = (-i64::from(Errno::EINTR.number())).cast_unsigned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_errors_ask_for_a_restart() {
        let from = |errno| Restart::from_errno(7, errno).map(|restart| restart.number);
        assert_eq!(from(Errno::ERESTARTSYS), Some(7));
        assert_eq!(from(Errno::ERESTARTNOHAND), Some(7));
        assert_eq!(from(Errno::ERESTART_RESTARTBLOCK), Some(RESTART_SYSCALL));
        assert_eq!((from(Errno::EINTR), from(Errno::EAGAIN)), (None, None));
    }

    #[test]
    fn a_call_goes_on_once_with_what_it_kept() {
        assert_eq!(resume(), Err(Errno::EINTR));
        let errno = resume_later(
            |words| Ok(usize::try_from(words[0] + words[3]).unwrap()),
            [1, 2, 3, 4],
        );
        assert_eq!(errno, Errno::ERESTART_RESTARTBLOCK);
        assert_eq!(resume(), Ok(5));
        assert_eq!(resume(), Err(Errno::EINTR));
    }

    #[test]
    fn a_handler_decides_with_its_flag() {
        let survives = |errno, flags| Restart { number: 0, errno }.survives(flags);
        let none = ActionFlags::empty();
        assert!(survives(Errno::ERESTARTSYS, ActionFlags::RESTART));
        assert!(!survives(Errno::ERESTARTSYS, none));
        assert!(!survives(Errno::ERESTARTNOHAND, ActionFlags::RESTART));
        assert!(!survives(
            Errno::ERESTART_RESTARTBLOCK,
            ActionFlags::RESTART
        ));
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
