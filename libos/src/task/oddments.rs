//! What prctl(2) keeps for a process. Main type: [`Oddments`]; `syscall::prctl` sets and tells it.

use core::sync::atomic::{AtomicI32, AtomicU64};

/// The slack that Linux gives a thread's timers: 50 µs.
pub const DEFAULT_SLACK_NS: u64 = 50_000;

/// What prctl(2) keeps for a process and nothing else looks at: it is told back as it was set.
pub struct Oddments {
    /// Whether a core dump may be written (PR_SET_DUMPABLE).
    pub dumpable: AtomicI32,
    /// The signal at the parent's end; 0 for none (PR_SET_PDEATHSIG).
    pub parent_death_signal: AtomicI32,
    /// Whether orphans come to it (PR_SET_CHILD_SUBREAPER).
    pub subreaper: AtomicI32,
    /// PR_SET_THP_DISABLE.
    pub huge_pages_disabled: AtomicI32,
    /// Slack of its timers, nanoseconds (PR_SET_TIMERSLACK).
    pub timer_slack_ns: AtomicU64,
}

impl Default for Oddments {
    fn default() -> Self {
        Self {
            dumpable: AtomicI32::new(1),
            parent_death_signal: AtomicI32::new(0),
            subreaper: AtomicI32::new(0),
            huge_pages_disabled: AtomicI32::new(0),
            timer_slack_ns: AtomicU64::new(DEFAULT_SLACK_NS),
        }
    }
}
