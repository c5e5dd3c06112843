//! Clocks, sleeping, and the time that was used.

use crate::errno::{Errno, Result, SysResult};
use crate::signal::{self};
use crate::syscall::convert::Argument;
use crate::time::clock::{self, ClockId};
use crate::time::{realtime_ns, sleep};
use crate::user::{Plain, Timespec, UserPtr};

/// `TIMER_ABSTIME`.
pub(super) const ABSTIME: i32 = 1;

/// `struct timeval`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeval {
    /// Seconds.
    pub sec: i64,
    /// Microseconds, 0..=999_999 in valid values.
    pub usec: i64,
}

// SAFETY: two integers: every pattern is valid, nothing is owned.
unsafe impl Plain for Timeval {}

impl Timeval {
    /// From nanoseconds, rounded down.
    pub const fn from_ns(ns: u64) -> Self {
        let spec = Timespec::from_ns(ns);
        Self {
            sec: spec.sec,
            usec: spec.nsec / 1000,
        }
    }

    /// As nanoseconds; saturates.
    ///
    /// # Errors
    /// EINVAL for a negative time or a microsecond field out of range.
    pub fn to_ns(self) -> Result<u64> {
        if !(0..1_000_000).contains(&self.usec) {
            return Err(Errno::EINVAL);
        }
        Timespec {
            sec: self.sec,
            nsec: self.usec * 1000,
        }
        .to_ns()
    }
}

/// See clock_gettime(2).
#[inline]
pub fn clock_gettime(clock: i32, time: UserPtr<Timespec>) -> SysResult {
    time.write(Timespec::from_ns(clock::read(clock)?))?;
    Ok(0)
}

/// See clock_settime(2).
pub fn clock_settime(clock: i32, time: UserPtr<Timespec>) -> SysResult {
    time.read()?.to_ns()?;
    match ClockId::from_number(clock)? {
        ClockId::Host(clock::REALTIME) => {
            Err(Errno::EPERM.because("the clock is the host's; it cannot be set from an image"))
        }
        ClockId::ProcessCpu | ClockId::ThreadCpu(_) => Err(Errno::EPERM),
        ClockId::Host(_) => Err(Errno::EINVAL),
    }
}

/// See clock_getres(2).
pub fn clock_getres(clock: i32, resolution: UserPtr<Timespec>) -> SysResult {
    let clock = ClockId::from_number(clock)?;
    if let Some(resolution) = resolution.non_null() {
        resolution.write(Timespec::from_ns(clock.resolution_ns()))?;
    }
    Ok(0)
}

/// See clock_nanosleep(2).
pub fn clock_nanosleep(
    number: i32,
    flags: i32,
    request: UserPtr<Timespec>,
    remaining: UserPtr<Timespec>,
) -> SysResult {
    let clock = ClockId::from_number(number)?;
    sleep::check_clock(&clock)?;
    let request = request.read()?.to_ns()?;
    if flags & ABSTIME != 0 {
        // Made again with the same absolute time, it ends when it should.
        return match sleep::until(&clock, request) {
            Ok(()) => Ok(0),
            Err(_) => Err(Errno::ERESTARTNOHAND),
        };
    }
    sleep_until(
        clock.now_ns().saturating_add(request),
        number,
        &clock,
        remaining,
    )
}

/// See nanosleep(2).
pub fn nanosleep(request: UserPtr<Timespec>, remaining: UserPtr<Timespec>) -> SysResult {
    let request = request.read()?.to_ns()?;
    let clock = ClockId::Host(clock::MONOTONIC);
    sleep_until(
        clock.now_ns().saturating_add(request),
        clock::MONOTONIC,
        &clock,
        remaining,
    )
}

/// A sleep that began with a relative time. Interrupted, it tells what was left.
fn sleep_until(
    target_ns: u64,
    number: i32,
    clock: &ClockId,
    remaining: UserPtr<Timespec>,
) -> SysResult {
    let Err(left) = sleep::until(clock, target_ns) else {
        return Ok(0);
    };
    if let Some(place) = remaining.non_null() {
        place.write(Timespec::from_ns(left))?;
    }
    let words = [
        target_ns,
        u64::from(number.cast_unsigned()),
        remaining.address() as u64,
        0,
    ];
    Err(signal::resume_later(sleep_on, words))
}

fn sleep_on([target_ns, number, remaining, _]: [u64; 4]) -> SysResult {
    let number = i32::from_register(number);
    sleep_until(
        target_ns,
        number,
        &ClockId::from_number(number)?,
        UserPtr::from_register(remaining),
    )
}

/// See clock_adjtime(2).
pub fn clock_adjtime(clock: i32, buffer: UserPtr<[u8; TIMEX_SIZE]>) -> SysResult {
    match ClockId::from_number(clock)? {
        ClockId::Host(clock::REALTIME) => adjtimex(buffer),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// Size of `struct timex`.
pub const TIMEX_SIZE: usize = 208;

/// See adjtimex(2).
pub fn adjtimex(buffer: UserPtr<[u8; TIMEX_SIZE]>) -> SysResult {
    /// Byte offsets in `struct timex`.
    const STATUS: usize = 40;
    const PRECISION: usize = 56;
    const TIME: usize = 72;
    const TICK: usize = 88;
    /// `STA_UNSYNC`: nothing is known of the host's synchronisation.
    const UNSYNCHRONISED: i32 = 0x40;
    /// `TIME_ERROR`, the state that goes with it.
    const TIME_ERROR: usize = 5;

    let request = buffer.cast::<u32>().read()?;
    if request != 0 {
        return Err(Errno::EPERM.because("the clock is the host's; it cannot be set from an image"));
    }
    let mut timex = [0; TIMEX_SIZE];
    let now = Timeval::from_ns(realtime_ns());
    timex[STATUS..STATUS + 4].copy_from_slice(&UNSYNCHRONISED.to_ne_bytes());
    timex[PRECISION..PRECISION + 8].copy_from_slice(&1_i64.to_ne_bytes());
    timex[TIME..TIME + 8].copy_from_slice(&now.sec.to_ne_bytes());
    timex[TIME + 8..TIME + 16].copy_from_slice(&now.usec.to_ne_bytes());
    timex[TICK..TICK + 8].copy_from_slice(&10_000_i64.to_ne_bytes());
    buffer.write(timex)?;
    Ok(TIME_ERROR)
}

/// See gettimeofday(2).
pub fn gettimeofday(time: UserPtr<Timeval>, zone: UserPtr<[i32; 2]>) -> SysResult {
    if let Some(time) = time.non_null() {
        time.write(Timeval::from_ns(realtime_ns()))?;
    }
    if let Some(zone) = zone.non_null() {
        zone.write([0, 0])?;
    }
    Ok(0)
}

/// See settimeofday(2).
pub fn settimeofday(time: UserPtr<Timeval>, _zone: UserPtr<[i32; 2]>) -> SysResult {
    if let Some(time) = time.non_null() {
        time.read()?.to_ns()?;
    }
    Err(Errno::EPERM.because("the clock is the host's; it cannot be set from an image"))
}

/// See time(2).
pub fn time(place: UserPtr<i64>) -> SysResult {
    let seconds = realtime_ns() / 1_000_000_000;
    if let Some(place) = place.non_null() {
        place.write(seconds.cast_signed())?;
    }
    usize::try_from(seconds).map_err(|_| Errno::EOVERFLOW)
}

/// `struct tms`, in clock ticks.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Tms {
    user: u64,
    system: u64,
    children: [u64; 2],
}

// SAFETY: integers: every pattern is valid, nothing is owned.
unsafe impl Plain for Tms {}

/// Length of a clock tick (`USER_HZ` is 100), in nanoseconds.
const TICK_NS: u64 = 10_000_000;

/// See times(2).
pub fn times(buffer: UserPtr<Tms>) -> SysResult {
    if let Some(buffer) = buffer.non_null() {
        // All CPU time is the program's own: its calls are function calls.
        buffer.write(Tms {
            user: ClockId::ProcessCpu.now_ns() / TICK_NS,
            ..Tms::default()
        })?;
    }
    usize::try_from(clock::read(clock::MONOTONIC)? / TICK_NS).map_err(|_| Errno::EOVERFLOW)
}

/// `struct rusage`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Rusage {
    user: Timeval,
    system: Timeval,
    /// Largest resident set, in KiB.
    max_resident: i64,
    unused: [i64; 13],
}

// SAFETY: integers: every pattern is valid, nothing is owned.
unsafe impl Plain for Rusage {}
const _: () = assert!(size_of::<Rusage>() == 144);

/// See getrusage(2).
pub fn getrusage(who: i32, usage: UserPtr<Rusage>) -> SysResult {
    const CHILDREN: i32 = -1;
    const PROCESS: i32 = 0;
    const THREAD: i32 = 1;
    let cpu = match who {
        PROCESS => ClockId::ProcessCpu.now_ns(),
        THREAD => clock::read(clock::THREAD_CPUTIME)?,
        CHILDREN => {
            usage.write(Rusage::default())?;
            return Ok(0);
        }
        _ => return Err(Errno::EINVAL),
    };
    let resident_kib = crate::mm::BUDGET.in_use() / 1024;
    usage.write(Rusage {
        user: Timeval::from_ns(cpu),
        max_resident: i64::try_from(resident_kib).unwrap_or(i64::MAX),
        ..Rusage::default()
    })?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ptr<T>(place: &mut T) -> UserPtr<T> {
        UserPtr::new(core::ptr::from_mut(place) as usize)
    }

    #[test]
    fn clocks_answer_or_say_why_not() {
        let mut time = Timespec::default();
        for clock in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11] {
            assert_eq!(clock_gettime(clock, ptr(&mut time)), Ok(0), "{clock}");
        }
        assert_eq!(clock_gettime(10, ptr(&mut time)), Err(Errno::EINVAL));
        assert_eq!(clock_gettime(0, UserPtr::new(0)), Err(Errno::EFAULT));
        assert_eq!(clock_getres(1, UserPtr::new(0)), Ok(0));
        assert_eq!(clock_settime(0, ptr(&mut time)), Err(Errno::EPERM));
        assert_eq!(clock_settime(1, ptr(&mut time)), Err(Errno::EINVAL));
    }

    #[test]
    fn sleeps_check_their_arguments() {
        let null = UserPtr::new(0);
        let mut bad = Timespec {
            sec: 0,
            nsec: 1_000_000_000,
        };
        assert_eq!(nanosleep(ptr(&mut bad), null), Err(Errno::EINVAL));
        bad = Timespec { sec: -1, nsec: 0 };
        assert_eq!(nanosleep(ptr(&mut bad), null), Err(Errno::EINVAL));
        assert_eq!(nanosleep(null, null), Err(Errno::EFAULT));
        assert_eq!(
            clock_nanosleep(3, 0, ptr(&mut bad), null),
            Err(Errno::EINVAL)
        );
        assert_eq!(
            clock_nanosleep(5, 0, ptr(&mut bad), null),
            Err(Errno::EOPNOTSUPP)
        );
        let mut short = Timespec {
            sec: 0,
            nsec: 1_000,
        };
        assert_eq!(clock_nanosleep(1, 0, ptr(&mut short), null), Ok(0));
        assert_eq!(clock_nanosleep(1, ABSTIME, ptr(&mut short), null), Ok(0));
    }

    #[test]
    fn usage_is_the_process_the_thread_or_the_children() {
        let mut usage = Rusage::default();
        assert_eq!(getrusage(0, ptr(&mut usage)), Ok(0));
        assert_eq!(getrusage(1, ptr(&mut usage)), Ok(0));
        assert_eq!(getrusage(-1, ptr(&mut usage)), Ok(0));
        assert_eq!(getrusage(2, ptr(&mut usage)), Err(Errno::EINVAL));
    }

    #[test]
    fn adjtimex_reads_but_does_not_set() {
        let mut timex = [0_u8; TIMEX_SIZE];
        assert_eq!(adjtimex(ptr(&mut timex)), Ok(5));
        timex[0] = 1;
        assert_eq!(adjtimex(ptr(&mut timex)), Err(Errno::EPERM));
    }
}
