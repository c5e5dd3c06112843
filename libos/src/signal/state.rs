//! Where signals are kept: [`ProcessSignals`] and [`ThreadSignals`].
//!
//! Each lock guards its own part; none is held while another is taken, save that a thread's part is
//! taken under the process's table of threads. Pending sets and masks have copies in atomics, so
//! that [`pending_for_current`] takes no lock.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::errno::Result;
use crate::signal::action::{Action, Actions, IGNORE};
use crate::signal::altstack::AltStack;
use crate::signal::info::{SI_TIMER, SigInfo};
use crate::signal::queue::Pending;
use crate::signal::restart::RestartBlock;
use crate::signal::set::SignalSet;
use crate::signal::ucontext::FaultRegisters;
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;
use crate::task::{self, Thread};

/// A queue of pending signals with a copy of its set that is read without a lock.
#[derive(Default)]
pub struct Inbox {
    pending: SpinLock<Pending>,
    set: AtomicU64,
}

impl Inbox {
    /// Which signals are pending.
    #[inline]
    pub fn set(&self) -> SignalSet {
        SignalSet::from_bits(self.set.load(Ordering::Relaxed))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Pending) -> T) -> T {
        let mut pending = self.pending.lock();
        let result = change(&mut pending);
        self.set.store(pending.set().bits(), Ordering::Relaxed);
        result
    }

    /// As [`Pending::add`].
    ///
    /// # Errors
    /// EAGAIN beyond the limit.
    pub fn add(&self, info: SigInfo, limit: u64) -> Result<()> {
        self.change(|pending| pending.add(info, limit))
    }

    /// As [`Pending::take`].
    pub fn take(&self, wanted: SignalSet) -> Option<SigInfo> {
        if self.set().and(wanted).is_empty() {
            return None;
        }
        self.change(|pending| pending.take(wanted))
    }

    /// As [`Pending::flush`].
    pub fn flush(&self, set: SignalSet) {
        self.change(|pending| pending.flush(set));
    }
}

/// Signal actions and the signals pending for the process as a whole.
pub struct ProcessSignals {
    actions: SpinLock<Actions>,
    /// Signals for the process: any thread may take them.
    pub inbox: Inbox,
    /// Who waits for signals to arrive: sigtimedwait(2) and signalfd(2).
    pub arrived: WaitQueue,
}

impl Default for ProcessSignals {
    fn default() -> Self {
        Self {
            actions: SpinLock::new(Actions::new()),
            inbox: Inbox::default(),
            arrived: WaitQueue::new(),
        }
    }
}

impl ProcessSignals {
    /// The action for `signo`.
    pub fn action(&self, signo: i32) -> Action {
        self.actions.lock().get(signo)
    }

    /// What execve(2) leaves: the signals of `ignored` (bit n − 1 for signal n) stay ignored.
    pub fn inherit_ignored(&self, ignored: u64) {
        let mut actions = self.actions.lock();
        for signo in (1..=64).filter(|signo| ignored & (1_u64 << (signo - 1)) != 0) {
            actions.set(
                signo,
                Action {
                    handler: IGNORE,
                    ..Action::default()
                },
            );
        }
    }

    /// Replaces the action for `signo`; returns the old one.
    pub fn set_action(&self, signo: i32, action: Action) -> Action {
        let mut actions = self.actions.lock();
        let old = actions.get(signo);
        actions.set(signo, action);
        old
    }
}

/// What only the thread itself changes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own {
    /// The mask to go back to once the handlers of a call with a mask of its own were entered.
    pub saved_mask: Option<SignalSet>,
    /// What restart_syscall(2) goes on with.
    pub restart_block: Option<RestartBlock>,
    /// The alternate stack.
    pub altstack: AltStack,
    /// What the last fault left to tell.
    pub fault: FaultRegisters,
}

/// Mask, pending signals and alternate stack of one thread.
#[derive(Default)]
pub struct ThreadSignals {
    blocked: AtomicU64,
    /// Signals for this thread alone.
    pub inbox: Inbox,
    own: SpinLock<Own>,
}

impl ThreadSignals {
    /// A new thread starts with its creator's mask, and without an alternate stack.
    pub fn inherit(&self, creator: &Self) {
        self.set_blocked(creator.blocked());
    }

    /// The blocked signals.
    #[inline]
    pub fn blocked(&self) -> SignalSet {
        SignalSet::from_bits(self.blocked.load(Ordering::Relaxed))
    }

    /// Blocks exactly `set`, but for the unblockable ones.
    pub fn set_blocked(&self, set: SignalSet) {
        let set = set.minus(SignalSet::UNSTOPPABLE);
        self.blocked.store(set.bits(), Ordering::Relaxed);
    }

    /// Looks at, or changes, what only the thread itself changes.
    pub fn own<T>(&self, change: impl FnOnce(&mut Own) -> T) -> T {
        change(&mut self.own.lock())
    }
}

/// Signals that `thread` does not block, pending for it or for its process.
#[inline]
pub fn deliverable(thread: &Thread) -> SignalSet {
    let pending = thread.signals.inbox.set();
    let shared = thread.process().signals.inbox.set();
    pending.union(shared).minus(thread.signals.blocked())
}

/// Whether a signal that the running thread does not block is pending.
#[inline]
pub fn pending_for_current() -> bool {
    task::with_current(|thread| !deliverable(thread).is_empty())
}

/// Takes a pending signal of `set` for the running thread: its own first, then the process's.
pub fn take_pending(set: SignalSet) -> Option<SigInfo> {
    task::with_current(|thread| {
        let own = thread.signals.inbox.take(set);
        let info = own.or_else(|| thread.process().signals.inbox.take(set))?;
        if info.code == SI_TIMER {
            return Some(thread.process().posix_timers.signal_taken(info));
        }
        Some(info)
    })
}

/// Signals of `set` that are pending for the running thread or its process, blocked or not.
pub fn peek_pending(set: SignalSet) -> SignalSet {
    task::with_current(|thread| {
        let shared = thread.process().signals.inbox.set();
        thread.signals.inbox.set().union(shared).and(set)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_ignored_stays_ignored() {
        let signals = ProcessSignals::default();
        signals.inherit_ignored(1 << 0 | 1 << 14);
        let ignored: Vec<i32> = (1..=64)
            .filter(|&signo| signals.action(signo).handler == IGNORE)
            .collect();
        assert_eq!(ignored, [1, 15]);
    }
}
