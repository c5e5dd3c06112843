//! The clock of the start-up phases.
//!
//! [`Phases`] collects the duration of each step for the report; the libOS adds its own and writes
//! them out. It does not decide what a step is: [`crate::run`] does.

/// CLOCK_MONOTONIC in nanoseconds.
pub fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1_000_000_000 + nanoseconds
}

/// The steps so far, each with its duration in nanoseconds.
#[derive(Debug)]
pub struct Phases {
    /// CLOCK_MONOTONIC when the tender was started, in nanoseconds.
    pub started_ns: u64,
    last_ns: u64,
    /// Name and duration of each finished step, in order.
    pub done: Vec<(&'static str, u64)>,
}

impl Phases {
    /// The first step began at `started_ns`.
    pub fn since(started_ns: u64) -> Self {
        Self {
            started_ns,
            last_ns: started_ns,
            done: Vec::with_capacity(16),
        }
    }

    /// The step `name` ends now; the next begins.
    pub fn end(&mut self, name: &'static str) {
        let now = monotonic_ns();
        self.done.push((name, now.saturating_sub(self.last_ns)));
        self.last_ns = now;
    }
}
