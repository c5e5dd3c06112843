//! Descriptors made by a call of their own (pipe(2), eventfd(2), …).

use crate::errno::{Errno, SysResult};
use crate::user::UserPtr;

/// See pipe(2).
pub fn pipe(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See pipe2(2).
pub fn pipe2(_0: UserPtr<u8>, _1: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See eventfd(2).
pub fn eventfd(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See eventfd2(2).
pub fn eventfd2(_0: i32, _1: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See timerfd_create(2).
pub fn timerfd_create(_0: i32, _1: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See timerfd_settime(2).
pub fn timerfd_settime(_0: i32, _1: u64, _2: UserPtr<u8>, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See timerfd_gettime(2).
pub fn timerfd_gettime(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See signalfd(2).
pub fn signalfd(_0: i32, _1: UserPtr<u64>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See signalfd4(2).
pub fn signalfd4(_0: i32, _1: UserPtr<u64>, _2: usize, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See memfd_create(2).
pub fn memfd_create(_0: UserPtr<u8>, _1: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See inotify_init(2).
pub fn inotify_init() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See inotify_init1(2).
pub fn inotify_init1(_0: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See inotify_add_watch(2).
pub fn inotify_add_watch(_0: i32, _1: UserPtr<u8>, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See inotify_rm_watch(2).
pub fn inotify_rm_watch(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}
