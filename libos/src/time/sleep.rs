//! Sleeping until a clock shows a time: nanosleep(2) and clock_nanosleep(2).

use core::time::Duration;

use crate::errno::{Errno, Result};
use crate::sync::wait::{WaitQueue, Woken};
use crate::time::Instant;
use crate::time::clock::{Base, ClockId};

/// How often a sleep on a CPU-time clock looks at its clock, at least.
const CPU_CLOCK_STEP: Duration = Duration::from_millis(1);
/// How often a sleep until a time of day looks whether the host's clock was set.
const REALTIME_STEP: Duration = Duration::from_secs(1);

/// Sleeps until `clock` shows `target_ns`.
///
/// # Errors
/// The nanoseconds that are left, if a signal came first.
pub fn until(clock: &ClockId, target_ns: u64) -> core::result::Result<(), u64> {
    let nobody = WaitQueue::new();
    loop {
        let left = target_ns.saturating_sub(clock.now_ns());
        if left == 0 {
            return Ok(());
        }
        let step = step(clock.base(), Duration::from_nanos(left));
        let deadline = Instant::now().after(step);
        if let Err(Woken::Interrupted) = nobody.wait_until(Some(deadline), || None::<()>) {
            return match target_ns.saturating_sub(clock.now_ns()) {
                0 => Ok(()),
                left => Err(left),
            };
        }
    }
}

/// How long to sleep before looking at the clock again.
fn step(base: Base, left: Duration) -> Duration {
    match base {
        Base::Monotonic => left,
        Base::Realtime => left.min(REALTIME_STEP),
        Base::Cpu => left.max(CPU_CLOCK_STEP),
    }
}

/// Checks that one may sleep on `clock`.
///
/// # Errors
/// EINVAL for a thread's own CPU time, which stands still while it sleeps; EOPNOTSUPP for clocks
/// without timers.
pub fn check_clock(clock: &ClockId) -> Result<()> {
    match clock {
        ClockId::ThreadCpu(thread) if thread.tid() == crate::task::current_arc().tid() => {
            Err(Errno::EINVAL)
        }
        clock if !clock.has_timers() => Err(Errno::EOPNOTSUPP),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_when_its_clock_says_so() {
        let clock = ClockId::from_number(1).expect("monotonic");
        let target = clock.now_ns() + 2_000_000;
        assert_eq!(until(&clock, target), Ok(()));
        assert!(clock.now_ns() >= target);
        assert_eq!(until(&clock, 0), Ok(()), "a time in the past");
    }

    #[test]
    fn steps_fit_the_clock() {
        let hour = Duration::from_secs(3600);
        assert_eq!(step(Base::Monotonic, hour), hour);
        assert_eq!(step(Base::Realtime, hour), REALTIME_STEP);
        assert_eq!(step(Base::Cpu, Duration::from_nanos(1)), CPU_CLOCK_STEP);
    }

    #[test]
    fn some_clocks_cannot_be_slept_on() {
        let check = |number| check_clock(&ClockId::from_number(number).expect("valid"));
        assert_eq!(check(0), Ok(()));
        assert_eq!(check(2), Ok(()));
        assert_eq!(check(3), Err(Errno::EINVAL));
        assert_eq!(check(4), Err(Errno::EOPNOTSUPP));
        assert_eq!(check(6), Err(Errno::EOPNOTSUPP));
    }
}
