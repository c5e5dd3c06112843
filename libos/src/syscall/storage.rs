//! What of a file is stored: durability (fsync(2), sync_file_range(2), …), size (truncate(2)), allocation
//! (fallocate(2)) and advice on what will be read.

use alloc::sync::Arc;

use linux_raw_sys::general as abi;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::caller;
use crate::fs::file::OpenFile;
use crate::fs::inode::{Allocate, FileType, SyncScope};
use crate::fs::inotify::{self, Mask};
use crate::fs::pipe::{self};
use crate::fs::vfs::{AccessMode, check_access};
use crate::fs::volume;
use crate::syscall::fd::file;
use crate::syscall::file_io::{check_size, position};
use crate::syscall::path::place_at;
use crate::user::UserPtr;

/// The file of `fd`, if data of its kind can be made durable.
fn syncable(fd: i32) -> Result<Arc<OpenFile>> {
    let file = file(fd)?;
    let kind = file.inode().map(|inode| inode.file_type());
    match kind {
        Some(FileType::Regular | FileType::Directory | FileType::BlockDevice) => Ok(file),
        _ => Err(Errno::EINVAL),
    }
}

fn make_durable(fd: i32, scope: SyncScope) -> SysResult {
    let file = syncable(fd)?;
    let inode = file.inode().ok_or(Errno::EINVAL)?;
    inode.sync(scope).map(|()| 0)
}

/// See fsync(2).
pub fn fsync(fd: i32) -> SysResult {
    make_durable(fd, SyncScope::File)
}

/// See fdatasync(2).
pub fn fdatasync(fd: i32) -> SysResult {
    make_durable(fd, SyncScope::Data)
}

/// See sync(2).
pub fn sync() -> SysResult {
    // It has nobody to tell of an error: the next fsync(2) of the file concerned does.
    let _ = volume::instance::sync_all();
    Ok(0)
}

/// See syncfs(2).
pub fn syncfs(fd: i32) -> SysResult {
    match file(fd)?.inode() {
        Some(inode) => inode.sync(SyncScope::FileSystem).map(|()| 0),
        None => Ok(0),
    }
}

/// See sync_file_range(2).
pub fn sync_file_range(fd: i32, offset: i64, len: i64, flags: u32) -> SysResult {
    const KNOWN: u32 = 7;
    if flags & !KNOWN != 0 || offset < 0 || len < 0 || offset.checked_add(len).is_none() {
        return Err(Errno::EINVAL);
    }
    syncable(fd).map(|_| 0).map_err(|error| match error {
        Errno::EINVAL => Errno::ESPIPE,
        error => error,
    })
}

/// See truncate(2).
pub fn truncate(path: UserPtr<u8>, size: i64) -> SysResult {
    let size = position(size)?;
    let place = place_at(caller::AT_FDCWD, path, 0)?;
    let inode = place.inode();
    match inode.file_type() {
        FileType::Directory => return Err(Errno::EISDIR),
        FileType::Regular => {}
        _ => return Err(Errno::EINVAL),
    }
    place.check_writable()?;
    check_access(inode, &caller::credentials(), AccessMode::WRITE)?;
    check_size(inode, size)?;
    inode.truncate(size)?;
    inotify::event_at(&place, Mask::MODIFY);
    Ok(0)
}

/// See ftruncate(2).
pub fn ftruncate(fd: i32, size: i64) -> SysResult {
    let size = position(size)?;
    let file = file(fd)?;
    let inode = file.inode().ok_or(Errno::EINVAL)?;
    if !file.flags().writable() || inode.file_type() != FileType::Regular {
        return Err(Errno::EINVAL);
    }
    check_size(inode, size)?;
    inode.truncate(size)?;
    file.report(Mask::MODIFY);
    Ok(0)
}

/// See fallocate(2).
pub fn fallocate(fd: i32, mode: u32, offset: i64, len: i64) -> SysResult {
    let file = file(fd)?;
    let (offset, len) = (position(offset)?, position(len)?);
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let what = allocation(mode)?;
    if !file.flags().writable() {
        return Err(Errno::EBADF);
    }
    let Some(inode) = file.inode() else {
        return Err(match pipe::of(&file) {
            Ok(_) => Errno::ESPIPE,
            Err(_) => Errno::ENODEV,
        });
    };
    match inode.file_type() {
        FileType::Regular => {}
        FileType::Directory => return Err(Errno::EISDIR),
        FileType::Fifo => return Err(Errno::ESPIPE),
        _ => return Err(Errno::ENODEV),
    }
    let grows = matches!(what, Allocate::Grow | Allocate::ZeroRange);
    if grows {
        check_size(inode, offset.saturating_add(len))?;
    }
    inode.allocate(what, offset, len)?;
    Ok(0)
}

fn allocation(mode: u32) -> Result<Allocate> {
    const KEEP: u32 = abi::FALLOC_FL_KEEP_SIZE;
    const PUNCH: u32 = abi::FALLOC_FL_PUNCH_HOLE | KEEP;
    const ZERO: u32 = abi::FALLOC_FL_ZERO_RANGE;
    const ZERO_KEEP: u32 = ZERO | KEEP;
    Ok(match mode {
        0 => Allocate::Grow,
        KEEP => Allocate::KeepSize,
        PUNCH => Allocate::PunchHole,
        ZERO => Allocate::ZeroRange,
        ZERO_KEEP => Allocate::ZeroRangeKeepSize,
        abi::FALLOC_FL_COLLAPSE_RANGE => Allocate::CollapseRange,
        abi::FALLOC_FL_INSERT_RANGE => Allocate::InsertRange,
        _ => return Err(Errno::EOPNOTSUPP),
    })
}

/// See posix_fadvise(2): everything is in memory; advice has no effect.
pub fn fadvise64(fd: i32, _offset: i64, len: i64, advice: u32) -> SysResult {
    const KINDS: u32 = 6;
    let file = file(fd)?;
    if pipe::of(&file).is_ok() {
        return Err(Errno::ESPIPE);
    }
    match len >= 0 && advice < KINDS {
        true => Ok(0),
        false => Err(Errno::EINVAL),
    }
}

/// See readahead(2): everything is in memory.
pub fn readahead(fd: i32, _offset: i64, _count: usize) -> SysResult {
    let file = file(fd)?;
    if !file.flags().readable() {
        return Err(Errno::EBADF);
    }
    match file.inode().map(|inode| inode.file_type()) {
        Some(FileType::Regular | FileType::BlockDevice) => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}
