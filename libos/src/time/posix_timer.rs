//! POSIX timers: timer_create(2) and its family.
//!
//! As in Linux, a timer has at most one signal pending: it is armed anew when that signal is taken,
//! and the periods that passed meanwhile are its overrun.

use alloc::sync::{Arc, Weak};

use crate::errno::{Errno, Result};
use crate::signal::{self, SigInfo};
use crate::sync::SpinLock;
use crate::task::limits::Resource;
use crate::task::{Process, Thread};
use crate::time::Instant;
use crate::time::alarm::Alarm;
use crate::time::clock::ClockId;
use crate::time::itimer::Setting;
use crate::time::schedule::Schedule;
use crate::time::timer::Expire;
use crate::word_map::WordMap;

/// Whom an expiration is told to.
#[derive(Clone, Debug)]
pub enum Notify {
    /// Nobody: the timer is only asked.
    Nobody,
    /// The process, by this signal.
    Process(i32),
    /// One thread, by this signal.
    Thread(Weak<Thread>, i32),
}

#[derive(Default)]
struct State {
    schedule: Schedule,
    alarm: Alarm,
    /// Its signal waits to be taken.
    signalled: bool,
    overrun: i32,
}

/// One timer.
pub struct PosixTimer {
    id: i32,
    clock: ClockId,
    notify: Notify,
    /// `sigev_value`.
    value: u64,
    process: Weak<Process>,
    state: SpinLock<State>,
}

/// Least time told to be left of an armed timer.
const LEAST_NS: u64 = 1;

impl PosixTimer {
    fn is_told(&self) -> bool {
        !matches!(self.notify, Notify::Nobody)
    }

    fn remaining(&self, state: &State) -> Setting {
        let now = self.clock.now_ns();
        let mut schedule = state.schedule;
        if !self.is_told() {
            schedule.advance(now);
        }
        Setting {
            left: schedule.remaining(now, LEAST_NS),
            interval: schedule.interval,
        }
    }

    /// timer_gettime(2).
    pub fn get(&self) -> Setting {
        self.remaining(&self.state.lock())
    }

    /// timer_settime(2): `left` is the time of its clock if `absolute`. Returns what was left.
    pub fn set(self: &Arc<Self>, new: Setting, absolute: bool) -> Setting {
        let mut state = self.state.lock();
        let old = self.remaining(&state);
        state.alarm.cancel();
        state.signalled = false;
        state.overrun = 0;
        state.schedule = Schedule::default();
        if new.left > 0 {
            let base = if absolute { 0 } else { self.clock.now_ns() };
            state.schedule = Schedule::at(base.saturating_add(new.left), new.interval);
            self.arm(&mut state);
        }
        old
    }

    fn arm(self: &Arc<Self>, state: &mut State) {
        state.alarm = match state.schedule.next {
            Some(next) if self.is_told() => {
                let this: Arc<dyn Expire> = Arc::<Self>::clone(self);
                Alarm::set(&self.clock, next, Arc::downgrade(&this))
            }
            _ => Alarm::Off,
        };
    }

    /// timer_getoverrun(2).
    pub fn overrun(&self) -> i32 {
        self.state.lock().overrun
    }

    /// Its signal was taken: the periods that passed since it was sent are its overrun. Returns the
    /// overrun.
    fn taken(self: &Arc<Self>) -> i32 {
        let mut state = self.state.lock();
        if !core::mem::take(&mut state.signalled) {
            return 0;
        }
        let missed = if state.schedule.interval > 0 {
            state.schedule.advance(self.clock.now_ns())
        } else {
            0
        };
        state.overrun = i32::try_from(missed).unwrap_or(i32::MAX);
        self.arm(&mut state);
        state.overrun
    }

    fn send(&self) -> Result<()> {
        match &self.notify {
            Notify::Nobody => Ok(()),
            Notify::Process(signo) => {
                let process = self.process.upgrade().ok_or(Errno::ESRCH)?;
                let info = SigInfo::timer(*signo, self.id, 0, self.value);
                signal::to_process(&process, info)
            }
            Notify::Thread(thread, signo) => {
                let thread = thread.upgrade().ok_or(Errno::ESRCH)?;
                let info = SigInfo::timer(*signo, self.id, 0, self.value);
                signal::to_thread(&thread, info)
            }
        }
    }

    fn is_ignored(&self) -> bool {
        let (Notify::Process(signo) | Notify::Thread(_, signo)) = &self.notify else {
            return true;
        };
        let process = self.process.upgrade();
        process.is_none_or(|process| process.signals.action(*signo).ignores(*signo))
    }
}

impl Expire for PosixTimer {
    fn expire(self: Arc<Self>, _due: Instant) {
        let now = self.clock.now_ns();
        {
            let mut state = self.state.lock();
            state.alarm = Alarm::Off;
            if state.schedule.next.is_none_or(|next| next > now) {
                // Set anew meanwhile, or woken early by the clock's rounding.
                return self.arm(&mut state);
            }
            let next = state.schedule.next.unwrap_or(now);
            if self.is_ignored() {
                // Nobody will take the signal: go on at once.
                state.schedule.advance(now);
                self.arm(&mut state);
            } else {
                // The first period is the signal itself; those after it are its overrun.
                state.schedule.advance(next);
                state.signalled = true;
            }
        }
        let _ = self.send();
    }
}

/// The timers of a process, by id.
#[derive(Default)]
pub struct PosixTimers {
    table: SpinLock<WordMap<i32, Arc<PosixTimer>>>,
}

impl PosixTimers {
    /// timer_create(2): makes a timer of `process`, whose timers these are. `value` is
    /// `sigev_value`; without one it is the timer's id.
    ///
    /// # Errors
    /// EAGAIN beyond RLIMIT_SIGPENDING.
    pub fn create(
        &self,
        process: &Arc<Process>,
        clock: ClockId,
        notify: Notify,
        value: Option<u64>,
    ) -> Result<i32> {
        let limit = process.limits.soft(Resource::Sigpending);
        let mut table = self.table.lock();
        if table.len() as u64 >= limit {
            return Err(Errno::EAGAIN);
        }
        let id = (0..i32::MAX)
            .find(|id| !table.contains_key(id))
            .ok_or(Errno::EAGAIN)?;
        let timer = PosixTimer {
            id,
            clock,
            notify,
            value: value.unwrap_or(u64::from(id.unsigned_abs())),
            process: Arc::downgrade(process),
            state: SpinLock::default(),
        };
        table.insert(id, Arc::new(timer));
        Ok(id)
    }

    /// Timer `id`.
    ///
    /// # Errors
    /// EINVAL if there is none.
    pub fn get(&self, id: i32) -> Result<Arc<PosixTimer>> {
        self.table.lock().get(&id).cloned().ok_or(Errno::EINVAL)
    }

    /// timer_delete(2).
    ///
    /// # Errors
    /// EINVAL if there is none.
    pub fn delete(&self, id: i32) -> Result<()> {
        let timer = self.table.lock().remove(&id).ok_or(Errno::EINVAL)?;
        timer.state.lock().alarm.cancel();
        Ok(())
    }

    /// A timer's signal was taken: completes `info` with the overrun and arms the timer anew.
    pub fn signal_taken(&self, info: SigInfo) -> SigInfo {
        let Ok(timer) = self.get(info.timer_id()) else {
            return info;
        };
        let overrun = timer.taken();
        SigInfo::timer(info.signo, timer.id, overrun, timer.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{SignalSet, take_pending};
    use crate::task;
    use crate::time::{clock, timer};
    use core::time::Duration;

    const RT: i32 = 40;

    fn monotonic() -> ClockId {
        ClockId::from_number(clock::MONOTONIC).expect("valid")
    }

    #[test]
    fn an_expiration_carries_value_and_overrun() {
        let process = task::current_process();
        task::with_current(|thread| thread.signals.set_blocked(SignalSet::of(&[RT])));
        let timers = &process.posix_timers;
        let id = timers
            .create(&process, monotonic(), Notify::Process(RT), Some(0xabc))
            .expect("room");
        let period = 1_000_000;
        let setting = Setting {
            left: period,
            interval: period,
        };
        let timer = timers.get(id).expect("just made");
        timer.set(setting, false);
        std::thread::sleep(Duration::from_millis(5));
        timer::expire(Instant::now());
        std::thread::sleep(Duration::from_millis(5));
        let info = take_pending(SignalSet::of(&[RT])).expect("expired");
        assert_eq!(info.timer_id(), id);
        assert_eq!(info.fields[2], 0xabc);
        let overrun = info.fields[1].cast_signed();
        assert!(overrun >= 8, "{overrun} periods of 1 ms in 10 ms");
        assert_eq!(timer.overrun(), overrun);
        assert!(timer.get().left <= period);
        assert_eq!(timers.delete(id), Ok(()));
        assert_eq!(timers.delete(id), Err(Errno::EINVAL));
    }

    #[test]
    fn a_silent_timer_is_only_asked() {
        let process = task::current_process();
        let timers = &process.posix_timers;
        let id = timers
            .create(&process, monotonic(), Notify::Nobody, None)
            .expect("room");
        let timer = timers.get(id).expect("just made");
        let second = 1_000_000_000;
        timer.set(
            Setting {
                left: second,
                interval: 0,
            },
            false,
        );
        let left = timer.get().left;
        assert!(left > second / 2 && left <= second);
        timer.set(
            Setting {
                left: 1,
                interval: 0,
            },
            true,
        );
        assert_eq!(timer.get().left, 0, "an absolute time long past");
    }
}
