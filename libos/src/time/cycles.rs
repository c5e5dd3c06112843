//! CPU time of threads.
//!
//! The host tells the CPU time of the process. How it is shared out among the threads follows from
//! the time-stamp counter, which the scheduler reads at each switch: between two questions, a thread
//! gets the part of the process's CPU time that it has of the cycles of all threads. So time that
//! the host gave to others counts for nobody, and a thread's CPU time never runs backwards.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::hypercall::clock_ns;
use crate::time::clock::PROCESS_CPUTIME;

/// Cycles that all threads ran, by the scheduler's accounts.
static TOTAL: AtomicU64 = AtomicU64::new(0);
/// CPU time of the process when the program started, in nanoseconds.
static START_NS: AtomicU64 = AtomicU64::new(0);

/// Notes where the process's CPU time stands when the program starts.
pub fn init() {
    START_NS.store(clock_ns(PROCESS_CPUTIME), Ordering::Relaxed);
}

/// The time-stamp counter.
#[inline]
pub fn now() -> u64 {
    // SAFETY: RDTSC has no preconditions in user mode on the hosts that the tender accepts.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Some thread ran so many cycles; called at each switch.
#[inline]
pub fn count(cycles: u64) {
    TOTAL.store(TOTAL.load(Ordering::Relaxed) + cycles, Ordering::Relaxed);
}

/// Where a thread's CPU time stood when it was last asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    thread_ns: u64,
    thread_cycles: u64,
    process_ns: u64,
    total_cycles: u64,
}

impl Account {
    /// The CPU time, in nanoseconds, of a thread that ran `thread_cycles` so far.
    pub fn settle(&mut self, thread_cycles: u64) -> u64 {
        let process_ns = clock_ns(PROCESS_CPUTIME).saturating_sub(START_NS.load(Ordering::Relaxed));
        self.advance(thread_cycles, process_ns, TOTAL.load(Ordering::Relaxed))
    }

    fn advance(&mut self, thread_cycles: u64, process_ns: u64, total_cycles: u64) -> u64 {
        let ran = thread_cycles.saturating_sub(self.thread_cycles);
        let all = total_cycles.saturating_sub(self.total_cycles);
        let passed = process_ns.saturating_sub(self.process_ns);
        let share = u128::from(passed) * u128::from(ran.min(all)) / u128::from(all.max(1));
        *self = Self {
            thread_ns: self
                .thread_ns
                .saturating_add(u64::try_from(share).unwrap_or(u64::MAX)),
            thread_cycles,
            process_ns,
            total_cycles,
        };
        self.thread_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gets_its_part_of_the_processs_time() {
        let mut account = Account::default();
        assert_eq!(account.advance(300, 1_000, 400), 750);
        assert_eq!(account.advance(300, 2_000, 800), 750, "it did not run");
        assert_eq!(account.advance(700, 2_400, 1_200), 1_150, "it ran alone");
    }

    #[test]
    fn it_never_runs_backwards_and_never_overflows() {
        let mut account = Account::default();
        assert_eq!(account.advance(100, 1_000, 100), 1_000);
        assert_eq!(account.advance(100, 900, 100), 1_000);
        assert_eq!(account.advance(0, 0, 0), 1_000);
        let all = account.advance(u64::MAX, u64::MAX, u64::MAX);
        assert_eq!(all, u64::MAX);
    }
}
