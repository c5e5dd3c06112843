//! Reading, writing and moving file data (read(2), write(2), lseek(2), …).

use alloc::sync::Arc;

use linux_raw_sys::general as abi;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::caller;
use crate::fs::devfs::MemoryDevice;
use crate::fs::file::{Io, OpenFile, OpenFlags};
use crate::fs::inode::{FileType, Inode, SeekTo};
use crate::fs::inotify::Mask;
use crate::syscall::fd::file;
use crate::user::{Dest, Iovec, MAX_TRANSFER, Source, UserPtr, read_iovecs};

/// A length as read(2) takes it.
fn transfer_len(len: usize) -> Result<usize> {
    match isize::try_from(len) {
        Ok(_) => Ok(len.min(MAX_TRANSFER)),
        Err(_) => Err(Errno::EINVAL),
    }
}

pub(super) fn position(offset: i64) -> Result<u64> {
    u64::try_from(offset).map_err(|_| Errno::EINVAL)
}

/// Where a transfer takes place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// At the description's offset, which moves.
    Offset,
    /// At a given position.
    Position(u64),
}

pub(super) fn read_from(
    file: &OpenFile,
    at: At,
    extra: OpenFlags,
    dest: &mut Dest<'_>,
) -> Result<usize> {
    let flags = file.flags();
    if !flags.readable() {
        return Err(Errno::EBADF.because("not open for reading"));
    }
    let flags = flags | extra;
    let object = file.file();
    let count = match at {
        At::Position(_) if !object.is_seekable() => return Err(Errno::ESPIPE),
        At::Position(offset) => object.read(Io { offset, flags }, dest)?,
        At::Offset if !object.is_seekable() => object.read(Io { offset: 0, flags }, dest)?,
        At::Offset => {
            // Not held across the read, which may block in file systems to come.
            let offset = *file.offset().lock();
            let count = object.read(Io { offset, flags }, dest)?;
            *file.offset().lock() = offset + count as u64;
            count
        }
    };
    file.report(Mask::ACCESS);
    Ok(count)
}

pub(super) fn write_to(
    file: &OpenFile,
    at: At,
    extra: OpenFlags,
    source: &mut Source<'_>,
) -> Result<usize> {
    let flags = file.flags();
    if !flags.writable() {
        return Err(Errno::EBADF.because("not open for writing"));
    }
    let flags = flags | extra;
    let object = file.file();
    if !object.is_seekable() {
        return match at {
            At::Position(_) => Err(Errno::ESPIPE),
            At::Offset => object
                .write(Io { offset: 0, flags }, source)
                .map(|w| w.count),
        };
    }
    let offset = match at {
        At::Position(offset) => offset,
        At::Offset => *file.offset().lock(),
    };
    limit_size(file, offset, flags, source)?;
    let written = object.write(Io { offset, flags }, source)?;
    if at == At::Offset {
        *file.offset().lock() = written.end;
    }
    file.report(Mask::MODIFY);
    Ok(written.count)
}

/// Cuts `source` at RLIMIT_FSIZE.
fn limit_size(
    file: &OpenFile,
    offset: u64,
    flags: OpenFlags,
    source: &mut Source<'_>,
) -> Result<()> {
    let limit = caller::file_size_limit();
    if limit == u64::MAX {
        return Ok(());
    }
    let Some(inode) = file
        .inode()
        .filter(|inode| inode.file_type() == FileType::Regular)
    else {
        return Ok(());
    };
    let start = match flags.contains(OpenFlags::APPEND) {
        true => inode.metadata().size,
        false => offset,
    };
    let room = limit.saturating_sub(start);
    if room == 0 && source.left() > 0 {
        caller::exceeds_file_size();
        return Err(Errno::EFBIG);
    }
    source.truncate(usize::try_from(room).unwrap_or(usize::MAX));
    Ok(())
}

/// As [`limit_size`], for calls that set a size.
pub(super) fn check_size(inode: &Arc<dyn Inode>, size: u64) -> Result<()> {
    if size > caller::file_size_limit() && size > inode.metadata().size {
        caller::exceeds_file_size();
        return Err(Errno::EFBIG);
    }
    Ok(())
}

/// See read(2).
pub fn read(fd: i32, buffer: UserPtr<u8>, len: usize) -> SysResult {
    let file = file(fd)?;
    let mut dest = Dest::user(buffer, transfer_len(len)?);
    read_from(&file, At::Offset, OpenFlags::empty(), &mut dest)
}

/// See write(2).
pub fn write(fd: i32, buffer: UserPtr<u8>, len: usize) -> SysResult {
    let file = file(fd)?;
    let mut source = Source::user(buffer, transfer_len(len)?);
    write_to(&file, At::Offset, OpenFlags::empty(), &mut source)
}

/// See pread64(2).
pub fn pread64(fd: i32, buffer: UserPtr<u8>, len: usize, offset: i64) -> SysResult {
    let at = At::Position(position(offset)?);
    let file = file(fd)?;
    let mut dest = Dest::user(buffer, transfer_len(len)?);
    read_from(&file, at, OpenFlags::empty(), &mut dest)
}

/// See pwrite64(2).
pub fn pwrite64(fd: i32, buffer: UserPtr<u8>, len: usize, offset: i64) -> SysResult {
    let at = At::Position(position(offset)?);
    let file = file(fd)?;
    let mut source = Source::user(buffer, transfer_len(len)?);
    write_to(&file, at, OpenFlags::empty(), &mut source)
}

/// See readv(2).
pub fn readv(fd: i32, iovecs: UserPtr<Iovec>, count: i32) -> SysResult {
    read_vector(fd, iovecs, count, At::Offset, OpenFlags::empty())
}

/// See writev(2).
pub fn writev(fd: i32, iovecs: UserPtr<Iovec>, count: i32) -> SysResult {
    write_vector(fd, iovecs, count, At::Offset, OpenFlags::empty())
}

/// See preadv(2).
pub fn preadv(fd: i32, iovecs: UserPtr<Iovec>, count: i32, offset: i64) -> SysResult {
    let at = At::Position(position(offset)?);
    read_vector(fd, iovecs, count, at, OpenFlags::empty())
}

/// See pwritev(2).
pub fn pwritev(fd: i32, iovecs: UserPtr<Iovec>, count: i32, offset: i64) -> SysResult {
    let at = At::Position(position(offset)?);
    write_vector(fd, iovecs, count, at, OpenFlags::empty())
}

/// See preadv2(2). The position's high half (`_high`) is not used on 64-bit machines.
pub fn preadv2(
    fd: i32,
    iovecs: UserPtr<Iovec>,
    count: i32,
    offset: i64,
    _high: u64,
    flags: u32,
) -> SysResult {
    let (at, extra) = (at_or_offset(offset)?, transfer_flags(flags)?);
    read_vector(fd, iovecs, count, at, extra)
}

/// See pwritev2(2). The position's high half (`_high`) is not used on 64-bit machines.
pub fn pwritev2(
    fd: i32,
    iovecs: UserPtr<Iovec>,
    count: i32,
    offset: i64,
    _high: u64,
    flags: u32,
) -> SysResult {
    let (at, extra) = (at_or_offset(offset)?, transfer_flags(flags)?);
    write_vector(fd, iovecs, count, at, extra)
}

fn at_or_offset(offset: i64) -> Result<At> {
    match offset {
        -1 => Ok(At::Offset),
        offset => position(offset).map(At::Position),
    }
}

/// `RWF_*` as status flags for one transfer.
pub(super) fn transfer_flags(flags: u32) -> Result<OpenFlags> {
    let known = abi::RWF_HIPRI | abi::RWF_DSYNC | abi::RWF_SYNC | abi::RWF_NOWAIT | abi::RWF_APPEND;
    if flags & !known != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let mut extra = OpenFlags::empty();
    extra.set(OpenFlags::NONBLOCK, flags & abi::RWF_NOWAIT != 0);
    extra.set(OpenFlags::APPEND, flags & abi::RWF_APPEND != 0);
    extra.set(OpenFlags::DSYNC, flags & abi::RWF_DSYNC != 0);
    extra.set(OpenFlags::SYNC, flags & abi::RWF_SYNC != 0);
    Ok(extra)
}

pub(super) fn read_vector(
    fd: i32,
    iovecs: UserPtr<Iovec>,
    count: i32,
    at: At,
    extra: OpenFlags,
) -> SysResult {
    let file = file(fd)?;
    let iovecs = read_iovecs(iovecs, count)?;
    read_from(&file, at, extra, &mut Dest::vector(&iovecs))
}

pub(super) fn write_vector(
    fd: i32,
    iovecs: UserPtr<Iovec>,
    count: i32,
    at: At,
    extra: OpenFlags,
) -> SysResult {
    let file = file(fd)?;
    let iovecs = read_iovecs(iovecs, count)?;
    write_to(&file, at, extra, &mut Source::vector(&iovecs))
}

/// See lseek(2).
pub fn lseek(fd: i32, offset: i64, whence: u32) -> SysResult {
    let file = file(fd)?;
    if !file.file().is_seekable() {
        return Err(Errno::ESPIPE);
    }
    if file.downcast::<MemoryDevice>().is_some() {
        // As null_lseek in drivers/char/mem.c: there is one position only.
        return Ok(0);
    }
    let inode = file.inode();
    let size = || inode.map_or(0, |inode| inode.metadata().size);
    let target = match whence {
        abi::SEEK_SET => position(offset)?,
        abi::SEEK_CUR => moved(*file.offset().lock(), offset)?,
        abi::SEEK_END if inode.is_some_and(|inode| inode.is_directory()) => {
            return Err(Errno::EINVAL);
        }
        abi::SEEK_END => moved(size(), offset)?,
        abi::SEEK_DATA | abi::SEEK_HOLE => {
            let to = if whence == abi::SEEK_DATA {
                SeekTo::Data
            } else {
                SeekTo::Hole
            };
            let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
            inode.ok_or(Errno::EINVAL)?.seek(from, to)?
        }
        _ => return Err(Errno::EINVAL),
    };
    let result = usize::try_from(target).map_err(|_| Errno::EOVERFLOW)?;
    *file.offset().lock() = target;
    Ok(result)
}

/// `base + offset`, as a valid position.
fn moved(base: u64, offset: i64) -> Result<u64> {
    base.checked_add_signed(offset)
        .filter(|&target| i64::try_from(target).is_ok())
        .ok_or(Errno::EINVAL)
}
