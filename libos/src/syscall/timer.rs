//! Timers: alarm(2), setitimer(2) and those of timer_create(2).

use alloc::sync::Arc;

use crate::errno::{Errno, Result, SysResult};
use crate::signal::is_signal;
use crate::signal::set::SIGALRM;
use crate::syscall::time::{ABSTIME, Timeval};
use crate::task;
use crate::time::clock::ClockId;
use crate::time::itimer::{Setting, Which, alarm_seconds};
use crate::time::posix_timer::{Notify, PosixTimer};
use crate::user::{Plain, Timespec, UserPtr};

/// See alarm(2).
pub fn alarm(seconds: u32) -> SysResult {
    let process = task::current_process();
    let new = Setting {
        left: u64::from(seconds) * 1_000_000_000,
        interval: 0,
    };
    let old = process.interval_timers.set(&process, Which::Real, new);
    usize::try_from(alarm_seconds(old.left)).map_err(|_| Errno::EOVERFLOW)
}

/// `struct itimerval`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Itimerval {
    interval: Timeval,
    value: Timeval,
}

// SAFETY: integers without gaps: every pattern is valid, nothing is owned.
unsafe impl Plain for Itimerval {}

impl Itimerval {
    fn from_setting(setting: Setting) -> Self {
        Self {
            interval: Timeval::from_ns(setting.interval),
            value: Timeval::from_ns(setting.left),
        }
    }

    fn to_setting(self) -> Result<Setting> {
        Ok(Setting {
            left: self.value.to_ns()?,
            interval: self.interval.to_ns()?,
        })
    }
}

/// See setitimer(2).
pub fn setitimer(which: i32, new: UserPtr<Itimerval>, old: UserPtr<Itimerval>) -> SysResult {
    // Linux takes a null pointer for "disarm", for the sake of old programs.
    let new = match new.non_null() {
        Some(new) => new.read()?.to_setting()?,
        None => Setting::default(),
    };
    let which = Which::from_number(which)?;
    let process = task::current_process();
    let before = process.interval_timers.set(&process, which, new);
    if let Some(old) = old.non_null() {
        old.write(Itimerval::from_setting(before))?;
    }
    Ok(0)
}

/// See getitimer(2).
pub fn getitimer(which: i32, current: UserPtr<Itimerval>) -> SysResult {
    let which = Which::from_number(which)?;
    let setting = task::current_process().interval_timers.get(which);
    current.write(Itimerval::from_setting(setting))?;
    Ok(0)
}

/// `struct sigevent`, as far as the kernel looks at it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SigEvent {
    value: u64,
    signo: i32,
    notify: i32,
    tid: i32,
    rest: [i32; 11],
}

// SAFETY: integers without gaps: every pattern is valid, nothing is owned.
unsafe impl Plain for SigEvent {}
const _: () = assert!(size_of::<SigEvent>() == 64);

impl SigEvent {
    fn decode(&self) -> Result<Notify> {
        const SIGNAL: i32 = 0;
        const NONE: i32 = 1;
        const THREAD: i32 = 2;
        const THREAD_ID: i32 = 4;
        if self.notify == NONE {
            return Ok(Notify::Nobody);
        }
        if !is_signal(self.signo) {
            return Err(Errno::EINVAL);
        }
        match self.notify {
            SIGNAL | THREAD => Ok(Notify::Process(self.signo)),
            THREAD_ID => {
                let thread = task::current_process().thread(self.tid);
                let thread = thread.ok_or(Errno::EINVAL)?;
                Ok(Notify::Thread(Arc::downgrade(&thread), self.signo))
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

/// See timer_create(2).
pub fn timer_create(clock: i32, event: UserPtr<SigEvent>, id: UserPtr<i32>) -> SysResult {
    let clock = ClockId::from_number(clock)?;
    if !clock.has_timers() {
        return Err(Errno::EOPNOTSUPP);
    }
    let (notify, value) = match event.non_null() {
        Some(event) => {
            let event = event.read()?;
            (event.decode()?, Some(event.value))
        }
        None => (Notify::Process(SIGALRM), None),
    };
    let process = task::current_process();
    let timers = &process.posix_timers;
    let made = timers.create(&process, clock, notify, value)?;
    if let Err(error) = id.write(made) {
        timers.delete(made)?;
        return Err(error);
    }
    Ok(0)
}

/// `struct itimerspec`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Itimerspec {
    interval: Timespec,
    value: Timespec,
}

// SAFETY: integers without gaps: every pattern is valid, nothing is owned.
unsafe impl Plain for Itimerspec {}

impl Itimerspec {
    fn from_setting(setting: Setting) -> Self {
        Self {
            interval: Timespec::from_ns(setting.interval),
            value: Timespec::from_ns(setting.left),
        }
    }

    fn to_setting(self) -> Result<Setting> {
        Ok(Setting {
            left: self.value.to_ns()?,
            interval: self.interval.to_ns()?,
        })
    }
}

fn posix_timer(id: i32) -> Result<Arc<PosixTimer>> {
    task::current_process().posix_timers.get(id)
}

/// See timer_settime(2).
pub fn timer_settime(
    id: i32,
    flags: i32,
    new: UserPtr<Itimerspec>,
    old: UserPtr<Itimerspec>,
) -> SysResult {
    if new.is_null() {
        return Err(Errno::EINVAL);
    }
    let new = new.read()?.to_setting()?;
    let before = posix_timer(id)?.set(new, flags & ABSTIME != 0);
    if let Some(old) = old.non_null() {
        old.write(Itimerspec::from_setting(before))?;
    }
    Ok(0)
}

/// See timer_gettime(2).
pub fn timer_gettime(id: i32, value: UserPtr<Itimerspec>) -> SysResult {
    let setting = posix_timer(id)?.get();
    value.write(Itimerspec::from_setting(setting))?;
    Ok(0)
}

/// See timer_getoverrun(2).
pub fn timer_getoverrun(id: i32) -> SysResult {
    usize::try_from(posix_timer(id)?.overrun()).map_err(|_| Errno::EINVAL)
}

/// See timer_delete(2).
pub fn timer_delete(id: i32) -> SysResult {
    task::current_process().posix_timers.delete(id)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ptr<T>(place: &mut T) -> UserPtr<T> {
        UserPtr::new(core::ptr::from_mut(place) as usize)
    }

    #[test]
    fn interval_timers_check_and_tell() {
        let mut new = Itimerval::default();
        new.value.sec = 100;
        new.interval.usec = 1_000_000;
        let null = UserPtr::new(0);
        assert_eq!(setitimer(0, ptr(&mut new), null), Err(Errno::EINVAL));
        new.interval.usec = 5;
        assert_eq!(setitimer(3, ptr(&mut new), null), Err(Errno::EINVAL));
        assert_eq!(setitimer(0, ptr(&mut new), null), Ok(0));
        let mut now = Itimerval::default();
        assert_eq!(getitimer(0, ptr(&mut now)), Ok(0));
        assert_eq!((now.value.sec, now.interval.usec), (99, 5));
        assert_eq!(alarm(7), Ok(100));
        assert_eq!(alarm(0), Ok(7));
        assert_eq!(alarm(0), Ok(0));
    }

    #[test]
    fn timers_check_their_arguments() {
        let mut id = -1;
        let mut event = SigEvent {
            signo: 65,
            ..SigEvent::default()
        };
        let null = UserPtr::new(0);
        let made = timer_create(1, ptr(&mut event), ptr(&mut id));
        assert_eq!(made, Err(Errno::EINVAL));
        event = SigEvent {
            signo: 10,
            notify: 4,
            tid: 4242,
            ..SigEvent::default()
        };
        let made = timer_create(1, ptr(&mut event), ptr(&mut id));
        assert_eq!(made, Err(Errno::EINVAL));
        assert_eq!(timer_create(99, null, ptr(&mut id)), Err(Errno::EINVAL));
        assert_eq!(timer_create(4, null, ptr(&mut id)), Err(Errno::EOPNOTSUPP));
        assert_eq!(timer_create(1, null, UserPtr::new(0)), Err(Errno::EFAULT));
        assert_eq!(timer_create(1, null, ptr(&mut id)), Ok(0));
        assert_eq!(timer_getoverrun(id), Ok(0));
        let null = UserPtr::new(0);
        assert_eq!(timer_settime(id, 0, null, null), Err(Errno::EINVAL));
        let mut value = Itimerspec::default();
        assert_eq!(timer_gettime(id, ptr(&mut value)), Ok(0));
        assert_eq!(value, Itimerspec::default());
        assert_eq!(timer_delete(id), Ok(0));
        assert_eq!(timer_delete(id), Err(Errno::EINVAL));
    }
}
