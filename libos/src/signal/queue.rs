//! Signals that were sent and not yet delivered.
//!
//! A standard signal is pending or not; real-time signals queue, in order, with their values, up to
//! RLIMIT_SIGPENDING.

use alloc::collections::VecDeque;

use crate::errno::{Errno, Result};
use crate::signal::info::{SI_TIMER, SI_USER, SigInfo};
use crate::signal::set::{FIRST_REAL_TIME, SignalSet};

/// The pending signals of a thread, or of a process.
#[derive(Debug, Default)]
pub struct Pending {
    set: SignalSet,
    queue: VecDeque<SigInfo>,
}

impl Pending {
    /// Nothing pending.
    pub const fn new() -> Self {
        Self {
            set: SignalSet::EMPTY,
            queue: VecDeque::new(),
        }
    }

    /// Which signals are pending.
    pub fn set(&self) -> SignalSet {
        self.set
    }

    /// Adds a signal. `limit` is RLIMIT_SIGPENDING. A standard signal that is pending already is
    /// dropped; beyond the limit it becomes pending without its details. A timer's signal always
    /// queues: there is one for each timer at most, and the timer waits for it to be taken.
    ///
    /// # Errors
    /// EAGAIN for a real-time signal with a value beyond the limit.
    pub fn add(&mut self, info: SigInfo, limit: u64) -> Result<()> {
        let is_real_time = info.signo >= FIRST_REAL_TIME;
        let from_timer = info.code == SI_TIMER;
        if !is_real_time && !from_timer && self.set.contains(info.signo) {
            return Ok(());
        }
        let admitted = from_timer || (self.queue.len() as u64) < limit;
        let room = admitted && self.queue.try_reserve(1).is_ok();
        if room || !is_real_time {
            self.queue.push_back(info);
        } else if info.code != SI_USER {
            return Err(Errno::EAGAIN);
        }
        self.set = self.set.with(info.signo);
        Ok(())
    }

    /// Takes the first signal of `wanted`, if any is pending.
    pub fn take(&mut self, wanted: SignalSet) -> Option<SigInfo> {
        let signo = self.set.and(wanted).first()?;
        let at = self.queue.iter().position(|info| info.signo == signo);
        let info = at.and_then(|at| self.queue.remove(at));
        if !self.queue.iter().any(|info| info.signo == signo) {
            self.set = self.set.minus(SignalSet::of(&[signo]));
        }
        Some(info.unwrap_or_else(|| SigInfo::from_process(signo, SI_USER, 0, 0)))
    }

    /// Forgets all signals of `set`.
    pub fn flush(&mut self, set: SignalSet) {
        self.queue.retain(|info| !set.contains(info.signo));
        self.set = self.set.minus(set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::info::SI_TKILL;

    const QUEUE: i32 = -1;
    const ALL: SignalSet = SignalSet::from_bits(u64::MAX);

    fn valued(signo: i32, value: u32) -> SigInfo {
        let mut info = SigInfo::new(signo, QUEUE);
        info.fields[2] = value;
        info
    }

    #[test]
    fn a_standard_signal_is_pending_once() {
        let mut pending = Pending::new();
        assert_eq!(pending.add(valued(10, 1), 8), Ok(()));
        assert_eq!(pending.add(valued(10, 2), 8), Ok(()));
        assert_eq!(pending.take(ALL).map(|info| info.fields[2]), Some(1));
        assert_eq!(pending.take(ALL), None);
        assert!(pending.set().is_empty());
    }

    #[test]
    fn real_time_signals_queue_in_order_lowest_first() {
        let mut pending = Pending::new();
        for (signo, value) in [(40, 1), (35, 2), (40, 3), (35, 4)] {
            assert_eq!(pending.add(valued(signo, value), 8), Ok(()));
        }
        let order: Vec<_> = core::iter::from_fn(|| pending.take(ALL))
            .map(|info| info.fields[2])
            .collect();
        assert_eq!(order, [2, 4, 1, 3]);
    }

    #[test]
    fn the_limit_refuses_values_and_keeps_plain_signals() {
        let mut pending = Pending::new();
        assert_eq!(pending.add(valued(34, 1), 1), Ok(()));
        assert_eq!(pending.add(valued(34, 2), 1), Err(Errno::EAGAIN));
        let tkill = SigInfo::new(35, SI_TKILL);
        assert_eq!(pending.add(tkill, 1), Err(Errno::EAGAIN));
        assert_eq!(pending.add(SigInfo::new(36, SI_USER), 1), Ok(()));
        assert_eq!(pending.add(SigInfo::new(15, SI_USER), 1), Ok(()));
        assert_eq!(pending.take(ALL).map(|info| info.signo), Some(15));
        assert_eq!(pending.take(ALL).map(|info| info.signo), Some(34));
        assert_eq!(pending.take(ALL).map(|info| info.signo), Some(36));
    }

    #[test]
    fn blocked_signals_stay() {
        let mut pending = Pending::new();
        assert_eq!(pending.add(valued(10, 1), 8), Ok(()));
        assert_eq!(pending.take(SignalSet::of(&[12])), None);
        pending.flush(SignalSet::of(&[10]));
        assert_eq!(pending.take(ALL), None);
    }
}
