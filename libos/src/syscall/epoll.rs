//! epoll(7).

use crate::errno::{Errno, SysResult};
use crate::user::{Timespec, UserPtr};

/// See epoll_create(2).
pub fn epoll_create(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See epoll_create1(2).
pub fn epoll_create1(_0: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See epoll_ctl(2).
pub fn epoll_ctl(_0: i32, _1: i32, _2: i32, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See epoll_wait(2).
pub fn epoll_wait(_0: i32, _1: UserPtr<u8>, _2: i32, _3: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See epoll_pwait(2).
pub fn epoll_pwait(
    _0: i32,
    _1: UserPtr<u8>,
    _2: i32,
    _3: i32,
    _4: UserPtr<u64>,
    _5: usize,
) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See epoll_pwait2(2).
pub fn epoll_pwait2(
    _0: i32,
    _1: UserPtr<u8>,
    _2: i32,
    _3: UserPtr<Timespec>,
    _4: UserPtr<u64>,
    _5: usize,
) -> SysResult {
    Err(Errno::ENOSYS)
}
