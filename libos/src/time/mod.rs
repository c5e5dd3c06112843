//! Time: the newtypes, the clocks, and the queue of what is due.
//!
//! [`Instant`] is CLOCK_MONOTONIC in nanoseconds; time of day is [`realtime_ns`]. Timers of all
//! kinds (sleeps, POSIX timers, timerfd) stand in one [`timer`] queue, which tells the idle loop
//! how long it may sleep.

pub mod alarm;
pub mod clock;
pub mod cpu_timers;
pub mod cycles;
pub mod itimer;
pub mod posix_timer;
pub mod schedule;
pub mod sleep;
pub mod timer;

use core::time::Duration;

/// A moment on CLOCK_MONOTONIC, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The present.
    pub fn now() -> Self {
        Self(crate::hypercall::monotonic_ns())
    }

    /// From nanoseconds of CLOCK_MONOTONIC.
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds of CLOCK_MONOTONIC.
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// This moment plus `duration`; saturates at the end of time.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// How long until `later`; zero if it has passed.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        Duration::from_nanos(later.0.saturating_sub(self.0))
    }
}

/// CLOCK_REALTIME in nanoseconds since the epoch.
pub fn realtime_ns() -> u64 {
    crate::hypercall::realtime_ns()
}

/// A preemption tick: CPU-time timers look at their clocks.
pub fn tick() {
    if cpu_timers::any() {
        cpu_timers::check();
    }
}

/// Whether CPU-time timers want ticks even while nobody else could run.
pub fn tick_wanted() -> bool {
    cpu_timers::any()
}
