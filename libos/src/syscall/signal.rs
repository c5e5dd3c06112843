//! Signals (sigaction(2), …).

use crate::errno::{Errno, SysResult};
use crate::user::{Timespec, UserPtr};

/// See rt_sigaction(2).
pub fn rt_sigaction(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See rt_sigprocmask(2).
pub fn rt_sigprocmask(_0: i32, _1: UserPtr<u64>, _2: UserPtr<u8>, _3: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See rt_sigpending(2).
pub fn rt_sigpending(_0: UserPtr<u8>, _1: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See rt_sigtimedwait(2).
pub fn rt_sigtimedwait(
    _0: UserPtr<u64>,
    _1: UserPtr<u8>,
    _2: UserPtr<Timespec>,
    _3: usize,
) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See rt_sigqueueinfo(2).
pub fn rt_sigqueueinfo(_0: i32, _1: i32, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See rt_tgsigqueueinfo(2).
pub fn rt_tgsigqueueinfo(_0: i32, _1: i32, _2: i32, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See rt_sigsuspend(2).
pub fn rt_sigsuspend(_0: UserPtr<u64>, _1: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See rt_sigreturn(2).
pub fn rt_sigreturn() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sigaltstack(2).
pub fn sigaltstack(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See kill(2).
pub fn kill(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See tkill(2).
pub fn tkill(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See tgkill(2).
pub fn tgkill(_0: i32, _1: i32, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See pause(2).
pub fn pause() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See restart_syscall(2).
pub fn restart_syscall() -> SysResult {
    Err(Errno::ENOSYS)
}
