//! Names, limits, entropy and what is refused for good.

use crate::errno::{Errno, SysResult};
use crate::user::UserPtr;

/// See uname(2).
pub fn uname(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sysinfo(2).
pub fn sysinfo(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getrandom(2).
pub fn getrandom(_0: UserPtr<u8>, _1: usize, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See prctl(2).
pub fn prctl(_0: i32, _1: u64, _2: u64, _3: u64, _4: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getrlimit(2).
pub fn getrlimit(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setrlimit(2).
pub fn setrlimit(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See prlimit64(2).
pub fn prlimit64(_0: i32, _1: i32, _2: UserPtr<u8>, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sethostname(2).
pub fn sethostname(_0: UserPtr<u8>, _1: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See setdomainname(2).
pub fn setdomainname(_0: UserPtr<u8>, _1: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See syslog(2).
pub fn syslog(_0: i32, _1: UserPtr<u8>, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See personality(2).
pub fn personality(_0: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See ioprio_get(2).
pub fn ioprio_get(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See ioprio_set(2).
pub fn ioprio_set(_0: i32, _1: i32, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See seccomp(2).
pub fn seccomp(_0: i32, _1: u64, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See reboot(2).
pub fn reboot(_0: u64, _1: u64, _2: u64, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See acct(2).
pub fn acct(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See vhangup(2).
pub fn vhangup() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See swapon(2).
pub fn swapon(_0: UserPtr<u8>, _1: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See swapoff(2).
pub fn swapoff(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See bpf(2).
pub fn bpf(_0: i32, _1: UserPtr<u8>, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See perf_event_open(2).
pub fn perf_event_open(_0: UserPtr<u8>, _1: i32, _2: i32, _3: i32, _4: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See userfaultfd(2).
pub fn userfaultfd(_0: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See io_uring_setup(2).
pub fn io_uring_setup(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See io_uring_enter(2).
pub fn io_uring_enter(_0: i32, _1: i32, _2: i32, _3: u64, _4: UserPtr<u8>, _5: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See io_uring_register(2).
pub fn io_uring_register(_0: i32, _1: i32, _2: UserPtr<u8>, _3: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See landlock_create_ruleset(2).
pub fn landlock_create_ruleset(_0: UserPtr<u8>, _1: usize, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See quotactl(2).
pub fn quotactl(_0: i32, _1: UserPtr<u8>, _2: i32, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See init_module(2).
pub fn init_module(_0: UserPtr<u8>, _1: usize, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See delete_module(2).
pub fn delete_module(_0: UserPtr<u8>, _1: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See kexec_load(2).
pub fn kexec_load(_0: u64, _1: u64, _2: UserPtr<u8>, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See iopl(2).
pub fn iopl(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See ioperm(2).
pub fn ioperm(_0: u64, _1: u64, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See add_key(2).
pub fn add_key(_0: UserPtr<u8>, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: usize, _4: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See request_key(2).
pub fn request_key(_0: UserPtr<u8>, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See keyctl(2).
pub fn keyctl(_0: i32, _1: u64, _2: u64, _3: u64, _4: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See modify_ldt(2).
pub fn modify_ldt(_0: i32, _1: UserPtr<u8>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}
