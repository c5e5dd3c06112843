//! Scheduling as programs see it: yielding, affinity, policies and priorities. There is one CPU and one policy; what
//! would ask for another is accepted where Linux lets an ordinary program ask, and has no effect.

use core::sync::atomic::Ordering;

use crate::errno::{Errno, Result, SysResult};
use crate::sched;
use crate::syscall::task::{nonnegative, of_thread};
use crate::task::{self};
use crate::user::{Plain, Timespec, UserPtr};

/// See sched_yield(2).
pub fn sched_yield() -> SysResult {
    sched::yield_now();
    Ok(0)
}

/// The CPUs there are: one.
const CPU_MASK: u64 = 1;

/// See sched_getaffinity(2). Returns the bytes of the kernel's mask, as the raw call does.
pub fn sched_getaffinity(tid: i32, size: usize, mask: UserPtr<u64>) -> SysResult {
    const MASK_BYTES: usize = size_of::<u64>();
    if size < MASK_BYTES || !size.is_multiple_of(MASK_BYTES) {
        return Err(Errno::EINVAL);
    }
    of_thread(tid, |_| ())?;
    mask.write(CPU_MASK)?;
    Ok(MASK_BYTES)
}

/// See sched_setaffinity(2).
pub fn sched_setaffinity(tid: i32, size: usize, mask: UserPtr<u8>) -> SysResult {
    of_thread(tid, |_| ())?;
    let bytes = mask.read_vec(size.min(size_of::<u64>()))?;
    match bytes.first() {
        Some(first) if u64::from(*first) & CPU_MASK != 0 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

const SCHED_OTHER: i32 = 0;
const SCHED_BATCH: i32 = 3;
const SCHED_IDLE: i32 = 5;
const SCHED_FIFO: i32 = 1;
const SCHED_RR: i32 = 2;

/// See sched_getparam(2).
pub fn sched_getparam(tid: i32, parameter: UserPtr<i32>) -> SysResult {
    if tid < 0 || parameter.is_null() {
        return Err(Errno::EINVAL);
    }
    of_thread(tid, |_| ())?;
    parameter.write(0)?;
    Ok(0)
}

/// See sched_setparam(2).
pub fn sched_setparam(tid: i32, parameter: UserPtr<i32>) -> SysResult {
    sched_setscheduler(tid, SCHED_OTHER, parameter)
}

/// See sched_getscheduler(2).
pub fn sched_getscheduler(tid: i32) -> SysResult {
    if tid < 0 {
        return Err(Errno::EINVAL);
    }
    of_thread(tid, |_| ())?;
    nonnegative(SCHED_OTHER)
}

/// See sched_setscheduler(2).
pub fn sched_setscheduler(tid: i32, policy: i32, parameter: UserPtr<i32>) -> SysResult {
    const RESET_ON_FORK: i32 = 0x4000_0000;
    if tid < 0 || parameter.is_null() {
        return Err(Errno::EINVAL);
    }
    let priority = parameter.read()?;
    of_thread(tid, |_| ())?;
    match policy & !RESET_ON_FORK {
        SCHED_OTHER | SCHED_BATCH | SCHED_IDLE if priority == 0 => Ok(0),
        SCHED_FIFO | SCHED_RR if (1..=99).contains(&priority) => {
            Err(Errno::EPERM.because("no real-time scheduling"))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// See sched_get_priority_max(2).
pub fn sched_get_priority_max(policy: i32) -> SysResult {
    priority_bound(policy, 99)
}

/// See sched_get_priority_min(2).
pub fn sched_get_priority_min(policy: i32) -> SysResult {
    priority_bound(policy, 1)
}

fn priority_bound(policy: i32, realtime: usize) -> SysResult {
    match policy {
        SCHED_FIFO | SCHED_RR => Ok(realtime),
        SCHED_OTHER | SCHED_BATCH | SCHED_IDLE | 6 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// See sched_rr_get_interval(2): one tick.
pub fn sched_rr_get_interval(tid: i32, interval: UserPtr<Timespec>) -> SysResult {
    const SLICE_NS: u64 = 4_000_000;
    if tid < 0 {
        return Err(Errno::EINVAL);
    }
    of_thread(tid, |_| ())?;
    interval.write(Timespec::from_ns(SLICE_NS))?;
    Ok(0)
}

/// `struct sched_attr`, first version.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SchedAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

// SAFETY: integers only: all patterns are valid, nothing is owned.
unsafe impl Plain for SchedAttributes {}

/// Size of [`SchedAttributes`], which the calls negotiate.
const ATTRIBUTES_SIZE: u32 = 48;

/// See sched_getattr(2).
pub fn sched_getattr(
    tid: i32,
    attributes: UserPtr<SchedAttributes>,
    size: u32,
    flags: u32,
) -> SysResult {
    if tid < 0 || attributes.is_null() || flags != 0 || size < ATTRIBUTES_SIZE {
        return Err(Errno::EINVAL);
    }
    let nice = of_thread(tid, |_| {
        task::current_process().nice.load(Ordering::Relaxed)
    })?;
    attributes.write(SchedAttributes {
        size: ATTRIBUTES_SIZE,
        nice,
        ..Default::default()
    })?;
    Ok(0)
}

/// See sched_setattr(2).
pub fn sched_setattr(tid: i32, attributes: UserPtr<SchedAttributes>, flags: u32) -> SysResult {
    if tid < 0 || attributes.is_null() || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let wanted = attributes.read()?;
    of_thread(tid, |_| ())?;
    match i32::try_from(wanted.policy) {
        Ok(SCHED_OTHER | SCHED_BATCH | SCHED_IDLE) => Ok(0),
        Ok(SCHED_FIFO | SCHED_RR | 6) => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// Whether (`which`, `who`) names the one process there is.
fn check_priority_target(which: i32, who: i32) -> Result<()> {
    match which {
        0 if who == 0 || of_thread(who, |_| ()).is_ok() => Ok(()),
        1 | 2 if who == 0 => Ok(()),
        0..=2 => Err(Errno::ESRCH),
        _ => Err(Errno::EINVAL),
    }
}

/// See getpriority(2): the raw call returns 20 − nice.
pub fn getpriority(which: i32, who: i32) -> SysResult {
    check_priority_target(which, who)?;
    nonnegative(20 - task::current_process().nice.load(Ordering::Relaxed))
}

/// See setpriority(2). Stored and reported; all threads of an image share one CPU anyway.
pub fn setpriority(which: i32, who: i32, nice: i32) -> SysResult {
    check_priority_target(which, who)?;
    task::current_process()
        .nice
        .store(nice.clamp(-20, 19), Ordering::Relaxed);
    Ok(0)
}

/// See getcpu(2).
pub fn getcpu(cpu: UserPtr<u32>, node: UserPtr<u32>, _cache: UserPtr<u8>) -> SysResult {
    for place in [cpu, node].into_iter().filter_map(UserPtr::non_null) {
        place.write(0)?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinity_is_one_cpu() {
        let mut mask = 0_u64;
        let place = UserPtr::new(&raw mut mask as usize);
        assert_eq!(sched_getaffinity(0, 8, place), Ok(8));
        assert_eq!(mask, 1);
        assert_eq!(sched_getaffinity(0, 7, place), Err(Errno::EINVAL));
        assert_eq!(sched_getaffinity(4711, 8, place), Err(Errno::ESRCH));
        for (mask, verdict) in [(2_u64, Err(Errno::EINVAL)), (3, Ok(0))] {
            let place = UserPtr::new(&raw const mask as usize);
            assert_eq!(sched_setaffinity(0, 8, place), verdict, "mask {mask}");
        }
    }
}
