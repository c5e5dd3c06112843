//! Descriptors (close(2), dup(2), fcntl(2), ioctl(2), …).

use crate::errno::{Errno, SysResult};

/// See close(2).
pub fn close(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See close_range(2).
pub fn close_range(_0: i32, _1: i32, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See dup(2).
pub fn dup(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See dup2(2).
pub fn dup2(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See dup3(2).
pub fn dup3(_0: i32, _1: i32, _2: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fcntl(2).
pub fn fcntl(_0: i32, _1: i32, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See flock(2).
pub fn flock(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See ioctl(2).
pub fn ioctl(_0: i32, _1: u64, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}
