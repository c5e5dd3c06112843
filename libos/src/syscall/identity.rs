//! User, group, session identity.

use crate::errno::{Errno, SysResult};
use crate::user::UserPtr;

/// See getuid(2).
pub fn getuid() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See geteuid(2).
pub fn geteuid() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getgid(2).
pub fn getgid() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getegid(2).
pub fn getegid() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setuid(2).
pub fn setuid(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setgid(2).
pub fn setgid(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setreuid(2).
pub fn setreuid(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setregid(2).
pub fn setregid(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setresuid(2).
pub fn setresuid(_0: i32, _1: i32, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setresgid(2).
pub fn setresgid(_0: i32, _1: i32, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getresuid(2).
pub fn getresuid(_0: UserPtr<u8>, _1: UserPtr<u8>, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getresgid(2).
pub fn getresgid(_0: UserPtr<u8>, _1: UserPtr<u8>, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setfsuid(2).
pub fn setfsuid(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setfsgid(2).
pub fn setfsgid(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getgroups(2).
pub fn getgroups(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setgroups(2).
pub fn setgroups(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getpgid(2).
pub fn getpgid(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setpgid(2).
pub fn setpgid(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getpgrp(2).
pub fn getpgrp() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getsid(2).
pub fn getsid(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setsid(2).
pub fn setsid() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See capget(2).
pub fn capget(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See capset(2).
pub fn capset(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}
