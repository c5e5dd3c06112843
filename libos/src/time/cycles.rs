//! CPU time from the time-stamp counter.
//!
//! The scheduler counts each thread's cycles. How long a cycle is follows from comparing the
//! counter with the monotonic clock, between the start of the program and the first question that
//! comes late enough for a good ratio; from then on the ratio is fixed, so that CPU time never runs
//! backwards.

use crate::sync::SpinLock;
use crate::time::Instant;

/// How far the two readings must be apart for the ratio to be kept: an error of 50 ns in reading
/// both is 5 ppm then.
const SETTLED_NS: u64 = 10_000_000;

/// Nanoseconds that so many cycles take.
#[derive(Clone, Copy, Debug)]
struct Ratio {
    ns: u64,
    cycles: u64,
}

impl Ratio {
    fn apply(self, cycles: u64) -> u64 {
        let scaled = u128::from(cycles) * u128::from(self.ns) / u128::from(self.cycles.max(1));
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

struct Calibration {
    start: Option<(u64, u64)>,
    settled: Option<Ratio>,
}

static CALIBRATION: SpinLock<Calibration> = SpinLock::new(Calibration {
    start: None,
    settled: None,
});

/// Notes where both clocks stand when the program starts.
pub fn init() {
    CALIBRATION.lock().start = Some((now(), Instant::now().as_ns()));
}

/// The time-stamp counter.
#[inline]
pub fn now() -> u64 {
    // SAFETY: RDTSC has no preconditions in user mode on the hosts that the tender accepts.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// `cycles` in nanoseconds.
pub fn to_ns(cycles: u64) -> u64 {
    ratio().apply(cycles)
}

fn ratio() -> Ratio {
    let mut calibration = CALIBRATION.lock();
    if let Some(ratio) = calibration.settled {
        return ratio;
    }
    let (tsc, ns) = (now(), Instant::now().as_ns());
    let (start_tsc, start_ns) = *calibration.start.get_or_insert((tsc, ns));
    let ratio = Ratio {
        ns: ns.saturating_sub(start_ns),
        cycles: tsc.saturating_sub(start_tsc),
    };
    if ratio.ns >= SETTLED_NS {
        calibration.settled = Some(ratio);
    }
    ratio
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_scale_without_overflow() {
        let ratio = Ratio {
            ns: 1_000_000_000,
            cycles: 3_000_000_000,
        };
        assert_eq!(ratio.apply(3_000), 1_000);
        assert_eq!(ratio.apply(u64::MAX), u64::MAX / 3);
        assert_eq!(Ratio { ns: 0, cycles: 0 }.apply(7), 0);
    }

    #[test]
    fn a_span_of_cycles_is_about_as_long_as_the_clock_says() {
        init();
        let (tsc, clock) = (now(), std::time::Instant::now());
        std::thread::sleep(std::time::Duration::from_millis(20));
        let measured = to_ns(now() - tsc);
        let actual = u64::try_from(clock.elapsed().as_nanos()).unwrap();
        assert!(
            measured.abs_diff(actual) < actual / 20,
            "{measured} ns instead of {actual} ns"
        );
    }
}
