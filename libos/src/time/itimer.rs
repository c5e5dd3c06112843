//! Interval timers of a process: setitimer(2), alarm(2).

use alloc::sync::{Arc, Weak};

use crate::errno::{Errno, Result};
use crate::signal::send::from_kernel;
use crate::signal::set::{SIGALRM, SIGPROF, SIGVTALRM};
use crate::sync::SpinLock;
use crate::task::Process;
use crate::time::Instant;
use crate::time::alarm::Alarm;
use crate::time::clock::{self, ClockId};
use crate::time::schedule::Schedule;
use crate::time::timer::Expire;

/// The least that is told to be left of an armed timer: 1 µs, the unit of the calls.
const LEAST_NS: u64 = 1_000;

/// Which timer; the numbers of `ITIMER_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Real time; SIGALRM.
    Real = 0,
    /// CPU time in user code; SIGVTALRM. A program's calls are function calls, so it is all its CPU
    /// time.
    Virtual = 1,
    /// CPU time; SIGPROF.
    Profiling = 2,
}

impl Which {
    /// From the number in a call.
    ///
    /// # Errors
    /// EINVAL if there is no such timer.
    pub fn from_number(number: i32) -> Result<Self> {
        match number {
            0 => Ok(Self::Real),
            1 => Ok(Self::Virtual),
            2 => Ok(Self::Profiling),
            _ => Err(Errno::EINVAL),
        }
    }

    const fn signo(self) -> i32 {
        match self {
            Self::Real => SIGALRM,
            Self::Virtual => SIGVTALRM,
            Self::Profiling => SIGPROF,
        }
    }

    const fn clock(self) -> ClockId {
        match self {
            Self::Real => ClockId::Host(clock::MONOTONIC),
            Self::Virtual | Self::Profiling => ClockId::ProcessCpu,
        }
    }
}

/// What is left of a timer, and its interval, in nanoseconds; 0 left means disarmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Until the next expiration.
    pub left: u64,
    /// Between expirations.
    pub interval: u64,
}

#[derive(Default)]
struct State {
    schedule: Schedule,
    alarm: Alarm,
}

struct IntervalTimer {
    which: Which,
    process: Weak<Process>,
    state: SpinLock<State>,
}

impl IntervalTimer {
    fn get(&self) -> Setting {
        let state = self.state.lock();
        Setting {
            left: state
                .schedule
                .remaining(self.which.clock().now_ns(), LEAST_NS),
            interval: state.schedule.interval,
        }
    }

    fn set(self: &Arc<Self>, new: Setting) {
        let clock = self.which.clock();
        let mut state = self.state.lock();
        state.alarm.cancel();
        state.schedule = Schedule::default();
        if new.left > 0 {
            let next = clock.now_ns().saturating_add(new.left);
            state.schedule = Schedule::at(next, new.interval);
            state.alarm = self.alarm(&clock, next);
        }
    }

    fn alarm(self: &Arc<Self>, clock: &ClockId, next: u64) -> Alarm {
        let this: Arc<dyn Expire> = Arc::<Self>::clone(self);
        Alarm::set(clock, next, Arc::downgrade(&this))
    }
}

impl Expire for IntervalTimer {
    fn expire(self: Arc<Self>, _due: Instant) {
        let clock = self.which.clock();
        let now = clock.now_ns();
        let expired = {
            let mut state = self.state.lock();
            let count = state.schedule.advance(now);
            state.alarm = match state.schedule.next {
                Some(next) => self.alarm(&clock, next),
                None => Alarm::Off,
            };
            count > 0
        };
        if let Some(process) = self.process.upgrade().filter(|_| expired) {
            from_kernel(&process, self.which.signo());
        }
    }
}

/// The three timers of a process, made when they are first set.
#[derive(Default)]
pub struct IntervalTimers([SpinLock<Option<Arc<IntervalTimer>>>; 3]);

impl IntervalTimers {
    /// What is left of a timer.
    pub fn get(&self, which: Which) -> Setting {
        let timer = self.0[which as usize].lock().clone();
        timer.map_or_else(Setting::default, |timer| timer.get())
    }

    /// Sets a timer of `process`, whose timers these are; returns what was left.
    pub fn set(&self, process: &Arc<Process>, which: Which, new: Setting) -> Setting {
        let timer = Arc::clone(self.0[which as usize].lock().get_or_insert_with(|| {
            Arc::new(IntervalTimer {
                which,
                process: Arc::downgrade(process),
                state: SpinLock::default(),
            })
        }));
        let old = timer.get();
        timer.set(new);
        old
    }
}

/// What alarm(2) tells of `left` nanoseconds: seconds, rounded to the nearest, but never 0 for a
/// timer that is armed.
pub fn alarm_seconds(left: u64) -> u64 {
    let (seconds, rest) = (left / 1_000_000_000, left % 1_000_000_000);
    if seconds == 0 && rest > 0 || rest >= 500_000_000 {
        seconds + 1
    } else {
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{SignalSet, take_pending};
    use crate::task;
    use crate::time::timer;
    use core::time::Duration;

    #[test]
    fn alarm_rounds_as_linux_does() {
        let ms = 1_000_000;
        let cases = [(0, 0), (1, 1), (400, 1), (1400, 1), (1500, 2), (5000, 5)];
        for (left, seconds) in cases {
            assert_eq!(alarm_seconds(left * ms), seconds, "{left} ms");
        }
    }

    #[test]
    fn a_real_timer_signals_and_arms_itself_anew() {
        let process = task::current_process();
        let sigalrm = SignalSet::of(&[SIGALRM]);
        let hour = 3_600_000_000_000;
        let setting = Setting {
            left: hour,
            interval: hour,
        };
        let old = process.interval_timers.set(&process, Which::Real, setting);
        assert_eq!(old, Setting::default());
        let left = process.interval_timers.get(Which::Real).left;
        assert!(left > hour - 1_000_000_000 && left <= hour);

        let soon = Setting {
            left: 1,
            interval: hour,
        };
        process.interval_timers.set(&process, Which::Real, soon);
        timer::expire(Instant::now().after(Duration::from_millis(1)));
        assert!(take_pending(sigalrm).is_some());
        assert!(process.interval_timers.get(Which::Real).left > hour / 2);
        let off = process
            .interval_timers
            .set(&process, Which::Real, Setting::default());
        assert_eq!(off.interval, hour);
        assert_eq!(process.interval_timers.get(Which::Real).left, 0);
    }
}
