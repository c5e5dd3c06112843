//! Reading, writing and moving file data (read(2), write(2), lseek(2), …).

use crate::errno::{Errno, SysResult};
use crate::user::{Iovec, UserPtr};

/// See read(2).
pub fn read(_0: i32, _1: UserPtr<u8>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See write(2).
pub fn write(_0: i32, _1: UserPtr<u8>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See pread64(2).
pub fn pread64(_0: i32, _1: UserPtr<u8>, _2: usize, _3: i64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See pwrite64(2).
pub fn pwrite64(_0: i32, _1: UserPtr<u8>, _2: usize, _3: i64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See readv(2).
pub fn readv(_0: i32, _1: UserPtr<Iovec>, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See writev(2).
pub fn writev(_0: i32, _1: UserPtr<Iovec>, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See preadv(2).
pub fn preadv(_0: i32, _1: UserPtr<Iovec>, _2: i32, _3: i64, _4: i64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See pwritev(2).
pub fn pwritev(_0: i32, _1: UserPtr<Iovec>, _2: i32, _3: i64, _4: i64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See preadv2(2).
pub fn preadv2(_0: i32, _1: UserPtr<Iovec>, _2: i32, _3: i64, _4: i64, _5: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See pwritev2(2).
pub fn pwritev2(_0: i32, _1: UserPtr<Iovec>, _2: i32, _3: i64, _4: i64, _5: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See lseek(2).
pub fn lseek(_0: i32, _1: i64, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sendfile(2).
pub fn sendfile(_0: i32, _1: i32, _2: UserPtr<u8>, _3: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See copy_file_range(2).
pub fn copy_file_range(
    _0: i32,
    _1: UserPtr<u8>,
    _2: i32,
    _3: UserPtr<u8>,
    _4: usize,
    _5: u64,
) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See splice(2).
pub fn splice(_0: i32, _1: UserPtr<u8>, _2: i32, _3: UserPtr<u8>, _4: usize, _5: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See tee(2).
pub fn tee(_0: i32, _1: i32, _2: usize, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See vmsplice(2).
pub fn vmsplice(_0: i32, _1: UserPtr<Iovec>, _2: usize, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fsync(2).
pub fn fsync(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fdatasync(2).
pub fn fdatasync(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sync(2).
pub fn sync() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See syncfs(2).
pub fn syncfs(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See sync_file_range(2).
pub fn sync_file_range(_0: i32, _1: i64, _2: i64, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See truncate(2).
pub fn truncate(_0: UserPtr<u8>, _1: i64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See ftruncate(2).
pub fn ftruncate(_0: i32, _1: i64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fallocate(2).
pub fn fallocate(_0: i32, _1: u64, _2: i64, _3: i64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fadvise64(2).
pub fn fadvise64(_0: i32, _1: i64, _2: usize, _3: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See readahead(2).
pub fn readahead(_0: i32, _1: i64, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}
