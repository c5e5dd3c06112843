//! What is known of a file (stat(2), chmod(2), …).

use crate::errno::{Errno, SysResult};
use crate::user::UserPtr;

/// See stat(2).
pub fn stat(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fstat(2).
pub fn fstat(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See lstat(2).
pub fn lstat(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See newfstatat(2).
pub fn newfstatat(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See statx(2).
pub fn statx(_0: i32, _1: UserPtr<u8>, _2: u64, _3: u64, _4: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See statfs(2).
pub fn statfs(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fstatfs(2).
pub fn fstatfs(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See ustat(2).
pub fn ustat(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See chmod(2).
pub fn chmod(_0: UserPtr<u8>, _1: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fchmod(2).
pub fn fchmod(_0: i32, _1: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fchmodat(2).
pub fn fchmodat(_0: i32, _1: UserPtr<u8>, _2: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fchmodat2(2).
pub fn fchmodat2(_0: i32, _1: UserPtr<u8>, _2: u32, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See chown(2).
pub fn chown(_0: UserPtr<u8>, _1: i32, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fchown(2).
pub fn fchown(_0: i32, _1: i32, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See lchown(2).
pub fn lchown(_0: UserPtr<u8>, _1: i32, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fchownat(2).
pub fn fchownat(_0: i32, _1: UserPtr<u8>, _2: i32, _3: i32, _4: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See utime(2).
pub fn utime(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See utimes(2).
pub fn utimes(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See futimesat(2).
pub fn futimesat(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See utimensat(2).
pub fn utimensat(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setxattr(2).
pub fn setxattr(
    _0: UserPtr<u8>,
    _1: UserPtr<u8>,
    _2: UserPtr<u8>,
    _3: usize,
    _4: u64,
) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See lsetxattr(2).
pub fn lsetxattr(
    _0: UserPtr<u8>,
    _1: UserPtr<u8>,
    _2: UserPtr<u8>,
    _3: usize,
    _4: u64,
) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fsetxattr(2).
pub fn fsetxattr(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: usize, _4: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getxattr(2).
pub fn getxattr(_0: UserPtr<u8>, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See lgetxattr(2).
pub fn lgetxattr(_0: UserPtr<u8>, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fgetxattr(2).
pub fn fgetxattr(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See listxattr(2).
pub fn listxattr(_0: UserPtr<u8>, _1: UserPtr<u8>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See llistxattr(2).
pub fn llistxattr(_0: UserPtr<u8>, _1: UserPtr<u8>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See flistxattr(2).
pub fn flistxattr(_0: i32, _1: UserPtr<u8>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See removexattr(2).
pub fn removexattr(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See lremovexattr(2).
pub fn lremovexattr(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fremovexattr(2).
pub fn fremovexattr(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}
