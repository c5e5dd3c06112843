//! Threads, scheduling, futexes.

use crate::errno::{Errno, SysResult};
use crate::user::UserPtr;

/// See clone(2).
pub fn clone(
    _0: u64,
    _1: UserPtr<u8>,
    _2: UserPtr<u8>,
    _3: UserPtr<u8>,
    _4: UserPtr<u8>,
) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See clone3(2).
pub fn clone3(_0: UserPtr<u8>, _1: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fork(2).
pub fn fork() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See vfork(2).
pub fn vfork() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See execve(2).
pub fn execve(_0: UserPtr<u8>, _1: UserPtr<u8>, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See execveat(2).
pub fn execveat(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: UserPtr<u8>, _4: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See exit(2).
pub fn exit(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See exit_group(2).
pub fn exit_group(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See wait4(2).
pub fn wait4(_0: i32, _1: UserPtr<u8>, _2: u64, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See waitid(2).
pub fn waitid(_0: i32, _1: i32, _2: UserPtr<u8>, _3: u64, _4: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See set_tid_address(2).
pub fn set_tid_address(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See set_robust_list(2).
pub fn set_robust_list(_0: UserPtr<u8>, _1: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See get_robust_list(2).
pub fn get_robust_list(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See futex(2).
pub fn futex(
    _0: UserPtr<u8>,
    _1: u32,
    _2: i32,
    _3: UserPtr<u8>,
    _4: UserPtr<u8>,
    _5: u64,
) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_yield(2).
pub fn sched_yield() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_getaffinity(2).
pub fn sched_getaffinity(_0: i32, _1: usize, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_setaffinity(2).
pub fn sched_setaffinity(_0: i32, _1: usize, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_getparam(2).
pub fn sched_getparam(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_setparam(2).
pub fn sched_setparam(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_getscheduler(2).
pub fn sched_getscheduler(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_setscheduler(2).
pub fn sched_setscheduler(_0: i32, _1: i32, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_get_priority_max(2).
pub fn sched_get_priority_max(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_get_priority_min(2).
pub fn sched_get_priority_min(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_rr_get_interval(2).
pub fn sched_rr_get_interval(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_getattr(2).
pub fn sched_getattr(_0: i32, _1: UserPtr<u8>, _2: usize, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sched_setattr(2).
pub fn sched_setattr(_0: i32, _1: UserPtr<u8>, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getpriority(2).
pub fn getpriority(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setpriority(2).
pub fn setpriority(_0: i32, _1: i32, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See gettid(2).
pub fn gettid() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getpid(2).
pub fn getpid() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getppid(2).
pub fn getppid() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See rseq(2).
pub fn rseq(_0: UserPtr<u8>, _1: i32, _2: u64, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See arch_prctl(2).
pub fn arch_prctl(_0: u64, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getcpu(2).
pub fn getcpu(_0: UserPtr<u8>, _1: UserPtr<u8>, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See ptrace(2).
pub fn ptrace(_0: i32, _1: i32, _2: UserPtr<u8>, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See unshare(2).
pub fn unshare(_0: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setns(2).
pub fn setns(_0: i32, _1: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See kcmp(2).
pub fn kcmp(_0: i32, _1: i32, _2: i32, _3: u64, _4: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See pidfd_open(2).
pub fn pidfd_open(_0: i32, _1: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See pidfd_getfd(2).
pub fn pidfd_getfd(_0: i32, _1: i32, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See pidfd_send_signal(2).
pub fn pidfd_send_signal(_0: i32, _1: i32, _2: UserPtr<u8>, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}
