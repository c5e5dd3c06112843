//! The address space (mmap(2), …).

use crate::errno::{Errno, SysResult};
use crate::user::UserPtr;

/// See mmap(2).
pub fn mmap(_0: UserPtr<u8>, _1: usize, _2: u32, _3: u32, _4: i32, _5: i64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See munmap(2).
pub fn munmap(_0: UserPtr<u8>, _1: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mremap(2).
pub fn mremap(_0: UserPtr<u8>, _1: usize, _2: usize, _3: u64, _4: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mprotect(2).
pub fn mprotect(_0: UserPtr<u8>, _1: usize, _2: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See pkey_mprotect(2).
pub fn pkey_mprotect(_0: UserPtr<u8>, _1: usize, _2: u32, _3: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See brk(2).
pub fn brk(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See madvise(2).
pub fn madvise(_0: UserPtr<u8>, _1: usize, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mincore(2).
pub fn mincore(_0: UserPtr<u8>, _1: usize, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See msync(2).
pub fn msync(_0: UserPtr<u8>, _1: usize, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mlock(2).
pub fn mlock(_0: UserPtr<u8>, _1: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mlock2(2).
pub fn mlock2(_0: UserPtr<u8>, _1: usize, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See munlock(2).
pub fn munlock(_0: UserPtr<u8>, _1: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mlockall(2).
pub fn mlockall(_0: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See munlockall(2).
pub fn munlockall() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See membarrier(2).
pub fn membarrier(_0: i32, _1: u64, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See remap_file_pages(2).
pub fn remap_file_pages(_0: UserPtr<u8>, _1: usize, _2: u32, _3: usize, _4: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mbind(2).
pub fn mbind(
    _0: UserPtr<u8>,
    _1: usize,
    _2: i32,
    _3: UserPtr<u8>,
    _4: usize,
    _5: u64,
) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See get_mempolicy(2).
pub fn get_mempolicy(
    _0: UserPtr<u8>,
    _1: UserPtr<u8>,
    _2: usize,
    _3: UserPtr<u8>,
    _4: u64,
) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See set_mempolicy(2).
pub fn set_mempolicy(_0: i32, _1: UserPtr<u8>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}
