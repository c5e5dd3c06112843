//! Names in the file system (open(2), rename(2), …).

use crate::errno::{Errno, SysResult};
use crate::user::UserPtr;

/// See open(2).
pub fn open(_0: UserPtr<u8>, _1: u32, _2: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See openat(2).
pub fn openat(_0: i32, _1: UserPtr<u8>, _2: u32, _3: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See openat2(2).
pub fn openat2(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See creat(2).
pub fn creat(_0: UserPtr<u8>, _1: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See access(2).
pub fn access(_0: UserPtr<u8>, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See faccessat(2).
pub fn faccessat(_0: i32, _1: UserPtr<u8>, _2: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See faccessat2(2).
pub fn faccessat2(_0: i32, _1: UserPtr<u8>, _2: i32, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mkdir(2).
pub fn mkdir(_0: UserPtr<u8>, _1: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mkdirat(2).
pub fn mkdirat(_0: i32, _1: UserPtr<u8>, _2: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See rmdir(2).
pub fn rmdir(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See unlink(2).
pub fn unlink(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See unlinkat(2).
pub fn unlinkat(_0: i32, _1: UserPtr<u8>, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See rename(2).
pub fn rename(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See renameat(2).
pub fn renameat(_0: i32, _1: UserPtr<u8>, _2: i32, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See renameat2(2).
pub fn renameat2(_0: i32, _1: UserPtr<u8>, _2: i32, _3: UserPtr<u8>, _4: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See link(2).
pub fn link(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See linkat(2).
pub fn linkat(_0: i32, _1: UserPtr<u8>, _2: i32, _3: UserPtr<u8>, _4: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See symlink(2).
pub fn symlink(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See symlinkat(2).
pub fn symlinkat(_0: UserPtr<u8>, _1: i32, _2: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See readlink(2).
pub fn readlink(_0: UserPtr<u8>, _1: UserPtr<u8>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See readlinkat(2).
pub fn readlinkat(_0: i32, _1: UserPtr<u8>, _2: UserPtr<u8>, _3: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mknod(2).
pub fn mknod(_0: UserPtr<u8>, _1: u32, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mknodat(2).
pub fn mknodat(_0: i32, _1: UserPtr<u8>, _2: u32, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See chdir(2).
pub fn chdir(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See fchdir(2).
pub fn fchdir(_0: i32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getcwd(2).
pub fn getcwd(_0: UserPtr<u8>, _1: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See chroot(2).
pub fn chroot(_0: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getdents(2).
pub fn getdents(_0: i32, _1: UserPtr<u8>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See getdents64(2).
pub fn getdents64(_0: i32, _1: UserPtr<u8>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See umask(2).
pub fn umask(_0: u32) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See mount(2).
pub fn mount(
    _0: UserPtr<u8>,
    _1: UserPtr<u8>,
    _2: UserPtr<u8>,
    _3: u64,
    _4: UserPtr<u8>,
) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See umount2(2).
pub fn umount2(_0: UserPtr<u8>, _1: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See pivot_root(2).
pub fn pivot_root(_0: UserPtr<u8>, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See name_to_handle_at(2).
pub fn name_to_handle_at(
    _0: i32,
    _1: UserPtr<u8>,
    _2: UserPtr<u8>,
    _3: UserPtr<u8>,
    _4: u64,
) -> SysResult {
    Err(Errno::ENOSYS)
}
