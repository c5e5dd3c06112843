//! What a process does on each signal: sigaction(2).

use crate::signal::set::{DefaultAction, LAST, SignalSet, default_action};
use crate::user::Plain;

bitflags::bitflags! {
    /// `SA_*`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ActionFlags: u64 {
        /// No SIGCHLD for stopped children; kept only, there are no children.
        const NOCLDSTOP = 0x1;
        /// Children leave no zombies; kept only, there are no children.
        const NOCLDWAIT = 0x2;
        /// The handler takes three arguments. It gets them in any case, as on Linux.
        const SIGINFO = 0x4;
        /// Asked by programs to find out which flags exist; never kept.
        const UNSUPPORTED = 0x400;
        /// Tag bits in `si_addr`; there are none on this architecture.
        const EXPOSE_TAGBITS = 0x800;
        /// `sa_restorer` is valid.
        const RESTORER = 0x0400_0000;
        /// Run on the alternate stack.
        const ONSTACK = 0x0800_0000;
        /// Make interrupted calls again.
        const RESTART = 0x1000_0000;
        /// Do not block the signal in its handler.
        const NODEFER = 0x4000_0000;
        /// Back to the default on entry.
        const RESETHAND = 0x8000_0000;
    }
}

/// The flags that Linux keeps (`UAPI_SA_FLAGS`, x86).
const KEPT: ActionFlags = ActionFlags::all().difference(ActionFlags::UNSUPPORTED);

/// `SIG_DFL`.
pub const DEFAULT: u64 = 0;
/// `SIG_IGN`.
pub const IGNORE: u64 = 1;

/// The kernel's `struct sigaction`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Address of the handler, or [`DEFAULT`], or [`IGNORE`].
    pub handler: u64,
    /// `SA_*`.
    pub flags: u64,
    /// Where the handler returns to.
    pub restorer: u64,
    /// What is blocked in the handler.
    pub mask: u64,
}

// SAFETY: integers without gaps: every pattern is valid, nothing is owned.
unsafe impl Plain for Action {}

impl Action {
    /// The flags by name.
    pub fn flags(&self) -> ActionFlags {
        ActionFlags::from_bits_truncate(self.flags)
    }

    /// What is kept of a request: known flags, a mask without the unblockable signals.
    #[must_use]
    pub fn accepted(self) -> Self {
        Self {
            flags: self.flags & KEPT.bits(),
            mask: SignalSet::from_bits(self.mask)
                .minus(SignalSet::UNSTOPPABLE)
                .bits(),
            ..self
        }
    }

    /// Whether `signo` has no effect under it.
    pub fn ignores(&self, signo: i32) -> bool {
        self.handler == IGNORE
            || self.handler == DEFAULT && default_action(signo) != DefaultAction::Terminate
    }

    /// Whether there is a function to call.
    pub fn has_handler(&self) -> bool {
        self.handler != DEFAULT && self.handler != IGNORE
    }
}

/// The actions of a process.
#[derive(Debug)]
pub struct Actions([Action; LAST as usize]);

impl Default for Actions {
    fn default() -> Self {
        Self::new()
    }
}

impl Actions {
    /// All default.
    pub const fn new() -> Self {
        Self(
            [Action {
                handler: DEFAULT,
                flags: 0,
                restorer: 0,
                mask: 0,
            }; LAST as usize],
        )
    }

    /// The action for `signo`; the default for a number that is no signal's.
    pub fn get(&self, signo: i32) -> Action {
        Self::index(signo).map_or_else(Action::default, |index| self.0[index])
    }

    /// Replaces the action for `signo`.
    pub fn set(&mut self, signo: i32, action: Action) {
        if let Some(index) = Self::index(signo) {
            self.0[index] = action;
        }
    }

    fn index(signo: i32) -> Option<usize> {
        usize::try_from(signo.checked_sub(1)?)
            .ok()
            .filter(|&index| index < 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_flags_and_unblockable_signals_are_dropped() {
        let asked = Action {
            handler: 0x1000,
            flags: u64::MAX,
            restorer: 0x2000,
            mask: u64::MAX,
        };
        let kept = asked.accepted();
        assert_eq!(kept.flags & ActionFlags::UNSUPPORTED.bits(), 0);
        assert_eq!(kept.flags, KEPT.bits());
        assert!(!SignalSet::from_bits(kept.mask).contains(9));
        assert!(!SignalSet::from_bits(kept.mask).contains(19));
    }

    #[test]
    fn what_is_ignored_depends_on_action_and_signal() {
        let default = Action::default();
        assert!(default.ignores(17) && default.ignores(20) && !default.ignores(15));
        let ignore = Action {
            handler: IGNORE,
            ..default
        };
        assert!(ignore.ignores(15) && !ignore.has_handler());
        let handler = Action {
            handler: 0x1000,
            ..default
        };
        assert!(!handler.ignores(17) && handler.has_handler());
    }

    #[test]
    fn actions_are_kept_by_number() {
        let mut actions = Actions::new();
        let ignore = Action {
            handler: IGNORE,
            ..Action::default()
        };
        actions.set(64, ignore);
        actions.set(65, ignore);
        assert_eq!(actions.get(64), ignore);
        assert_eq!(actions.get(1), Action::default());
        assert_eq!(actions.get(i32::MIN), Action::default());
    }
}
