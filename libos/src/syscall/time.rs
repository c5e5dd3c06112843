//! Clocks, sleeping, timers.

use crate::errno::{Errno, SysResult};
use crate::user::{Timespec, UserPtr};

/// See clock_gettime(2).
pub fn clock_gettime(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See clock_settime(2).
pub fn clock_settime(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See clock_getres(2).
pub fn clock_getres(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See clock_nanosleep(2).
pub fn clock_nanosleep(_0: i32, _1: u64, _2: UserPtr<Timespec>, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See clock_adjtime(2).
pub fn clock_adjtime(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See nanosleep(2).
pub fn nanosleep(_0: UserPtr<Timespec>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See gettimeofday(2).
pub fn gettimeofday(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See settimeofday(2).
pub fn settimeofday(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See adjtimex(2).
pub fn adjtimex(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See time(2).
pub fn time(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See times(2).
pub fn times(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getrusage(2).
pub fn getrusage(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See alarm(2).
pub fn alarm(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setitimer(2).
pub fn setitimer(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getitimer(2).
pub fn getitimer(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See timer_create(2).
pub fn timer_create(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See timer_settime(2).
pub fn timer_settime(_0: i32, _1: u64, _2: UserPtr<u8>, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See timer_gettime(2).
pub fn timer_gettime(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See timer_getoverrun(2).
pub fn timer_getoverrun(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See timer_delete(2).
pub fn timer_delete(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}
