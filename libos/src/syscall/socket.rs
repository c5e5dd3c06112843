//! Sockets (socket(2), send(2), …).

use crate::errno::{Errno, SysResult};
use crate::user::{Timespec, UserPtr};

/// See socket(2).
pub fn socket(_0: i32, _1: u64, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See socketpair(2).
pub fn socketpair(_0: i32, _1: u64, _2: i32, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See bind(2).
pub fn bind(_0: i32, _1: UserPtr<u8>, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See listen(2).
pub fn listen(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See accept(2).
pub fn accept(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See accept4(2).
pub fn accept4(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See connect(2).
pub fn connect(_0: i32, _1: UserPtr<u8>, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getsockname(2).
pub fn getsockname(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getpeername(2).
pub fn getpeername(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sendto(2).
pub fn sendto(_0: i32, _1: UserPtr<u8>, _2: usize, _3: u64, _4: UserPtr<u8>, _5: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See recvfrom(2).
pub fn recvfrom(
    _0: i32,
    _1: UserPtr<u8>,
    _2: usize,
    _3: u64,
    _4: UserPtr<u8>,
    _5: UserPtr<u8>,
) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sendmsg(2).
pub fn sendmsg(_0: i32, _1: UserPtr<u8>, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See recvmsg(2).
pub fn recvmsg(_0: i32, _1: UserPtr<u8>, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sendmmsg(2).
pub fn sendmmsg(_0: i32, _1: UserPtr<u8>, _2: i32, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See recvmmsg(2).
pub fn recvmmsg(_0: i32, _1: UserPtr<u8>, _2: i32, _3: u64, _4: UserPtr<Timespec>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See shutdown(2).
pub fn shutdown(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setsockopt(2).
pub fn setsockopt(_0: i32, _1: i32, _2: i32, _3: UserPtr<u8>, _4: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getsockopt(2).
pub fn getsockopt(_0: i32, _1: i32, _2: i32, _3: UserPtr<u8>, _4: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}
