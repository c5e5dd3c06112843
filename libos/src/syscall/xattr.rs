//! Extended attributes (setxattr(2), getxattr(2), …).
//!
//! The `user.` attributes of regular files and directories are kept, and with privilege those of
//! `trusted.` and `security.`; ACLs (`system.`) are not.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::caller::{self, AT_FDCWD};
use crate::fs::inode::{FileType, Inode, SetXattr};
use crate::fs::vfs::{AccessMode, check_access};
use crate::syscall::fd::file;
use crate::syscall::path::{AT_SYMLINK_NOFOLLOW, place_at};
use crate::user::UserPtr;

/// Longest name with its namespace, in bytes.
const NAME_MAX: usize = 255;
/// Longest value, in bytes.
const SIZE_MAX: usize = 65_536;

fn at(path: UserPtr<u8>, flags: u32) -> Result<Arc<dyn Inode>> {
    Ok(Arc::clone(place_at(AT_FDCWD, path, flags)?.inode()))
}

fn behind(fd: i32) -> Result<Arc<dyn Inode>> {
    file(fd)?.inode().cloned().ok_or(Errno::EOPNOTSUPP)
}

fn read_name(name: UserPtr<u8>) -> Result<Vec<u8>> {
    let name = name.read_cstr(NAME_MAX + 1).map_err(|error| match error {
        Errno::ENAMETOOLONG => Errno::ERANGE,
        error => error,
    })?;
    match name.is_empty() {
        true => Err(Errno::ERANGE),
        false => Ok(name),
    }
}

/// The rules of xattr(7) for each namespace.
fn check_name(inode: &Arc<dyn Inode>, name: &[u8], wanted: AccessMode) -> Result<()> {
    let credentials = caller::credentials();
    let writes = wanted.contains(AccessMode::WRITE);
    let prefix = |prefix: &[u8]| name.starts_with(prefix) && name.len() > prefix.len();
    if prefix(b"user.") {
        let kept = matches!(inode.file_type(), FileType::Regular | FileType::Directory);
        return match (kept, writes) {
            (true, _) => check_access(inode, &credentials, wanted),
            (false, true) => Err(Errno::EPERM),
            (false, false) => Err(Errno::ENODATA),
        };
    }
    if prefix(b"trusted.") {
        return match (credentials.is_privileged(), writes) {
            (true, _) => Ok(()),
            (false, true) => Err(Errno::EPERM),
            (false, false) => Err(Errno::ENODATA),
        };
    }
    if prefix(b"security.") {
        return match writes && !credentials.is_privileged() {
            true => Err(Errno::EPERM),
            false => Ok(()),
        };
    }
    Err(Errno::EOPNOTSUPP)
}

fn set(
    inode: &Arc<dyn Inode>,
    name: UserPtr<u8>,
    value: UserPtr<u8>,
    size: usize,
    flags: u32,
) -> SysResult {
    let mode = match flags {
        0 => SetXattr::Any,
        1 => SetXattr::Create,
        2 => SetXattr::Replace,
        _ => return Err(Errno::EINVAL),
    };
    let name = read_name(name)?;
    if size > SIZE_MAX {
        return Err(Errno::E2BIG);
    }
    let value = match size {
        0 => Vec::new(),
        size => value.read_vec(size)?,
    };
    check_name(inode, &name, AccessMode::WRITE)?;
    inode.set_xattr(&name, &value, mode)?;
    Ok(0)
}

fn get(inode: &Arc<dyn Inode>, name: UserPtr<u8>, value: UserPtr<u8>, size: usize) -> SysResult {
    let name = read_name(name)?;
    check_name(inode, &name, AccessMode::READ)?;
    answer(&inode.get_xattr(&name)?, value, size)
}

/// Copies `bytes` out; a size of 0 asks for the length only.
fn answer(bytes: &[u8], buffer: UserPtr<u8>, size: usize) -> SysResult {
    if size == 0 {
        return Ok(bytes.len());
    }
    if bytes.len() > size {
        return Err(Errno::ERANGE);
    }
    buffer.write_slice(bytes)?;
    Ok(bytes.len())
}

fn list(inode: &Arc<dyn Inode>, buffer: UserPtr<u8>, size: usize) -> SysResult {
    answer(&inode.list_xattrs()?, buffer, size)
}

fn remove(inode: &Arc<dyn Inode>, name: UserPtr<u8>) -> SysResult {
    let name = read_name(name)?;
    check_name(inode, &name, AccessMode::WRITE)?;
    inode.remove_xattr(&name)?;
    Ok(0)
}

/// See setxattr(2).
pub fn setxattr(
    path: UserPtr<u8>,
    name: UserPtr<u8>,
    value: UserPtr<u8>,
    size: usize,
    flags: u32,
) -> SysResult {
    set(&at(path, 0)?, name, value, size, flags)
}

/// See lsetxattr(2).
pub fn lsetxattr(
    path: UserPtr<u8>,
    name: UserPtr<u8>,
    value: UserPtr<u8>,
    size: usize,
    flags: u32,
) -> SysResult {
    set(&at(path, AT_SYMLINK_NOFOLLOW)?, name, value, size, flags)
}

/// See fsetxattr(2).
pub fn fsetxattr(
    fd: i32,
    name: UserPtr<u8>,
    value: UserPtr<u8>,
    size: usize,
    flags: u32,
) -> SysResult {
    set(&behind(fd)?, name, value, size, flags)
}

/// See getxattr(2).
pub fn getxattr(
    path: UserPtr<u8>,
    name: UserPtr<u8>,
    value: UserPtr<u8>,
    size: usize,
) -> SysResult {
    get(&at(path, 0)?, name, value, size)
}

/// See lgetxattr(2).
pub fn lgetxattr(
    path: UserPtr<u8>,
    name: UserPtr<u8>,
    value: UserPtr<u8>,
    size: usize,
) -> SysResult {
    get(&at(path, AT_SYMLINK_NOFOLLOW)?, name, value, size)
}

/// See fgetxattr(2).
pub fn fgetxattr(fd: i32, name: UserPtr<u8>, value: UserPtr<u8>, size: usize) -> SysResult {
    get(&behind(fd)?, name, value, size)
}

/// See listxattr(2).
pub fn listxattr(path: UserPtr<u8>, buffer: UserPtr<u8>, size: usize) -> SysResult {
    list(&at(path, 0)?, buffer, size)
}

/// See llistxattr(2).
pub fn llistxattr(path: UserPtr<u8>, buffer: UserPtr<u8>, size: usize) -> SysResult {
    list(&at(path, AT_SYMLINK_NOFOLLOW)?, buffer, size)
}

/// See flistxattr(2).
pub fn flistxattr(fd: i32, buffer: UserPtr<u8>, size: usize) -> SysResult {
    list(&behind(fd)?, buffer, size)
}

/// See removexattr(2).
pub fn removexattr(path: UserPtr<u8>, name: UserPtr<u8>) -> SysResult {
    remove(&at(path, 0)?, name)
}

/// See lremovexattr(2).
pub fn lremovexattr(path: UserPtr<u8>, name: UserPtr<u8>) -> SysResult {
    remove(&at(path, AT_SYMLINK_NOFOLLOW)?, name)
}

/// See fremovexattr(2).
pub fn fremovexattr(fd: i32, name: UserPtr<u8>) -> SysResult {
    remove(&behind(fd)?, name)
}
