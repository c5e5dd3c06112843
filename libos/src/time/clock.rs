//! The clocks of clock_gettime(2) and what they tell.
//!
//! [`ClockId`] is a valid clock id: one of the named clocks, or a CPU-time clock of a thread or of
//! the process, in the encoding of the kernel's `posix-timers.h` (`~id << 3 | kind`).
//!
//! Time of day and monotonic time come from the host, through its vDSO; CPU time of the process from
//! the host, CPU time of a thread from the scheduler's accounts.

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::hypercall::clock_ns;
use crate::task::{self, Thread, Tid};
use crate::time::cycles;

/// CLOCK_REALTIME.
pub const REALTIME: i32 = 0;
/// CLOCK_MONOTONIC.
pub const MONOTONIC: i32 = 1;
/// CLOCK_PROCESS_CPUTIME_ID.
pub const PROCESS_CPUTIME: i32 = 2;
/// CLOCK_THREAD_CPUTIME_ID.
pub const THREAD_CPUTIME: i32 = 3;
const MONOTONIC_RAW: i32 = 4;
const REALTIME_COARSE: i32 = 5;
const MONOTONIC_COARSE: i32 = 6;
const BOOTTIME: i32 = 7;
const REALTIME_ALARM: i32 = 8;
const BOOTTIME_ALARM: i32 = 9;
const TAI: i32 = 11;

/// Resolution of the coarse clocks: the host kernel's tick at its most usual frequency, 250 Hz.
const COARSE_NS: u64 = 4_000_000;

/// A valid clock.
#[derive(Clone, Debug)]
pub enum ClockId {
    /// A clock that the host tells, by its id there.
    Host(i32),
    /// CPU time of the process.
    ProcessCpu,
    /// CPU time of a thread.
    ThreadCpu(Arc<Thread>),
}

impl core::fmt::Debug for Thread {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "thread {}", self.tid())
    }
}

/// What a clock's time counts from; decides how absolute timers on it are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Time of day: the host may set it.
    Realtime,
    /// Time since the host's boot. BOOTTIME counts as this too: the difference, time that the host
    /// was suspended, is looked at when a timer is set.
    Monotonic,
    /// CPU time.
    Cpu,
}

impl ClockId {
    /// From the number in a call.
    ///
    /// # Errors
    /// EINVAL if there is no such clock, or no such thread.
    pub fn from_number(number: i32) -> Result<Self> {
        match number {
            REALTIME | MONOTONIC | MONOTONIC_RAW | REALTIME_COARSE | MONOTONIC_COARSE
            | BOOTTIME | TAI => Ok(Self::Host(number)),
            REALTIME_ALARM => Ok(Self::Host(REALTIME)),
            BOOTTIME_ALARM => Ok(Self::Host(BOOTTIME)),
            PROCESS_CPUTIME => Ok(Self::ProcessCpu),
            THREAD_CPUTIME => Ok(Self::ThreadCpu(task::current_arc())),
            _ if number < 0 => Self::from_dynamic(number),
            _ => Err(Errno::EINVAL),
        }
    }

    /// A CPU-time clock as pthread_getcpuclockid(3) and clock_getcpuclockid(3) make them.
    fn from_dynamic(number: i32) -> Result<Self> {
        /// Low bits: 0 profiling, 1 virtual, 2 scheduler time; 3 would be a descriptor.
        const KIND: i32 = 3;
        const PER_THREAD: i32 = 4;
        if number & KIND == KIND {
            return Err(Errno::EINVAL.because("clocks of descriptors are not supported"));
        }
        let id: Tid = !(number >> 3);
        let process = task::current_process();
        if number & PER_THREAD == 0 {
            return if id == 0 || id == process.pid() {
                Ok(Self::ProcessCpu)
            } else {
                Err(Errno::EINVAL)
            };
        }
        let thread = if id == 0 {
            task::current_arc()
        } else {
            process.thread(id).ok_or(Errno::EINVAL)?
        };
        Ok(Self::ThreadCpu(thread))
    }

    /// Its time in nanoseconds.
    pub fn now_ns(&self) -> u64 {
        match self {
            Self::Host(id) => clock_ns(*id),
            Self::ProcessCpu => clock_ns(PROCESS_CPUTIME),
            Self::ThreadCpu(thread) => thread_cpu_ns(thread),
        }
    }

    /// Its resolution in nanoseconds.
    pub fn resolution_ns(&self) -> u64 {
        match self {
            Self::Host(REALTIME_COARSE | MONOTONIC_COARSE) => COARSE_NS,
            _ => 1,
        }
    }

    /// What its time counts from.
    pub fn base(&self) -> Base {
        match self {
            Self::Host(REALTIME | REALTIME_COARSE | TAI) => Base::Realtime,
            Self::Host(_) => Base::Monotonic,
            Self::ProcessCpu | Self::ThreadCpu(_) => Base::Cpu,
        }
    }

    /// Whether sleeps and timers may use it, as in Linux.
    pub fn has_timers(&self) -> bool {
        !matches!(
            self,
            Self::Host(MONOTONIC_RAW | REALTIME_COARSE | MONOTONIC_COARSE)
        )
    }
}

/// CPU time of `thread` in nanoseconds, the present turn included.
pub fn thread_cpu_ns(thread: &Thread) -> u64 {
    if task::with_current(|current| core::ptr::eq(current, thread)) {
        thread.account_cpu(cycles::now());
    }
    thread.cpu_account.lock().settle(thread.cpu_cycles())
}

/// Clock `number`'s time in nanoseconds, quickly for those that everybody asks for.
///
/// # Errors
/// As [`ClockId::from_number`].
#[inline]
pub fn read(number: i32) -> Result<u64> {
    match number {
        REALTIME | MONOTONIC => Ok(clock_ns(number)),
        _ => Ok(ClockId::from_number(number)?.now_ns()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_clock_are_invalid() {
        for number in [10, 12, 15, 99, i32::MAX] {
            assert_eq!(
                ClockId::from_number(number).err(),
                Some(Errno::EINVAL),
                "{number}"
            );
        }
        for number in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11] {
            assert!(ClockId::from_number(number).is_ok(), "{number}");
        }
    }

    #[test]
    fn dynamic_ids_name_threads_and_the_process() {
        let own = task::current_arc().tid();
        let thread_clock = (!own << 3) | 4 | 2;
        let process_clock = (!own << 3) | 2;
        assert!(matches!(
            ClockId::from_number(thread_clock),
            Ok(ClockId::ThreadCpu(_))
        ));
        assert!(matches!(
            ClockId::from_number(process_clock),
            Ok(ClockId::ProcessCpu)
        ));
        let nobody = (!4242 << 3) | 4 | 2;
        assert_eq!(ClockId::from_number(nobody).err(), Some(Errno::EINVAL));
        let descriptor = (!3 << 3) | 3;
        assert_eq!(ClockId::from_number(descriptor).err(), Some(Errno::EINVAL));
    }

    #[test]
    fn a_clock_knows_its_base_and_resolution() {
        let clock = |number| ClockId::from_number(number).expect("valid");
        assert_eq!(clock(0).base(), Base::Realtime);
        assert_eq!(clock(1).base(), Base::Monotonic);
        assert_eq!(clock(2).base(), Base::Cpu);
        assert_eq!(clock(6).resolution_ns(), 4_000_000);
        assert_eq!(clock(1).resolution_ns(), 1);
        assert!(!clock(4).has_timers() && clock(7).has_timers());
    }
}
