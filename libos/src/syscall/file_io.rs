//! Reading, writing and moving file data (read(2), write(2), lseek(2), …).

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_raw_sys::general as abi;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::blocking::Patience;
use crate::fs::caller;
use crate::fs::devfs::MemoryDevice;
use crate::fs::file::{Io, OpenFile, OpenFlags};
use crate::fs::inode::{Allocate, FileType, Inode, SeekTo};
use crate::fs::inotify::{self, Mask};
use crate::fs::pipe::{self, Pipe};
use crate::fs::vfs::{AccessMode, check_access};
use crate::syscall::fd::{any_file, file};
use crate::syscall::path::place_at;
use crate::user::{Dest, Iovec, MAX_TRANSFER, Source, UserPtr, read_iovecs};

/// A length as read(2) takes it.
fn transfer_len(len: usize) -> Result<usize> {
    match isize::try_from(len) {
        Ok(_) => Ok(len.min(MAX_TRANSFER)),
        Err(_) => Err(Errno::EINVAL),
    }
}

fn position(offset: i64) -> Result<u64> {
    u64::try_from(offset).map_err(|_| Errno::EINVAL)
}

/// Where a transfer takes place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// At the description's offset, which moves.
    Offset,
    /// At a given position.
    Position(u64),
}

fn read_from(file: &OpenFile, at: At, extra: OpenFlags, dest: &mut Dest<'_>) -> Result<usize> {
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

fn write_to(file: &OpenFile, at: At, extra: OpenFlags, source: &mut Source<'_>) -> Result<usize> {
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
fn check_size(inode: &Arc<dyn Inode>, size: u64) -> Result<()> {
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
fn transfer_flags(flags: u32) -> Result<OpenFlags> {
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

fn read_vector(fd: i32, iovecs: UserPtr<Iovec>, count: i32, at: At, extra: OpenFlags) -> SysResult {
    let file = file(fd)?;
    let iovecs = read_iovecs(iovecs, count)?;
    read_from(&file, at, extra, &mut Dest::vector(&iovecs))
}

fn write_vector(
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

/// Bytes moved at once between two files.
const CHUNK: usize = 64 << 10;

/// One end of a transfer between files: a position of the application's, or the offset.
struct End {
    file: Arc<OpenFile>,
    given: Option<UserPtr<i64>>,
    at: u64,
}

impl End {
    fn new(file: Arc<OpenFile>, offset: UserPtr<i64>) -> Result<Self> {
        let given = offset.non_null();
        let at = match given {
            Some(ptr) => position(ptr.read()?)?,
            None => *file.offset().lock(),
        };
        Ok(Self { file, given, at })
    }

    fn read(&self, buffer: &mut [u8], extra: OpenFlags) -> Result<usize> {
        let at = match self.file.file().is_seekable() {
            true => At::Position(self.at),
            false => At::Offset,
        };
        read_from(&self.file, at, extra, &mut Dest::kernel(buffer))
    }

    fn write(&self, bytes: &[u8], extra: OpenFlags) -> Result<usize> {
        let at = match self.file.file().is_seekable() {
            true => At::Position(self.at),
            false => At::Offset,
        };
        write_to(&self.file, at, extra, &mut Source::kernel(bytes))
    }

    /// Tells the application or the description how far the transfer came.
    fn finish(&self) -> Result<()> {
        match self.given {
            Some(ptr) => ptr.write(self.at.cast_signed()),
            None => {
                *self.file.offset().lock() = self.at;
                Ok(())
            }
        }
    }
}

/// See sendfile(2).
pub fn sendfile(output: i32, input: i32, offset: UserPtr<i64>, count: usize) -> SysResult {
    let (output, input) = (file(output)?, file(input)?);
    if !output.flags().writable() || !input.flags().readable() {
        return Err(Errno::EBADF);
    }
    if !offset.is_null() && !input.file().is_seekable() {
        return Err(Errno::ESPIPE);
    }
    let is_regular = input
        .inode()
        .is_some_and(|inode| inode.file_type() == FileType::Regular);
    if !is_regular || output.flags().contains(OpenFlags::APPEND) {
        return Err(Errno::EINVAL);
    }
    let mut input = End::new(input, offset)?;
    let result = transfer(count.min(MAX_TRANSFER), |buffer| {
        let got = input.read(buffer, OpenFlags::empty())?;
        if got == 0 {
            return Ok(0);
        }
        let extra = OpenFlags::empty();
        let put = write_to(
            &output,
            At::Offset,
            extra,
            &mut Source::kernel(&buffer[..got]),
        )?;
        input.at += put as u64;
        Ok(put)
    });
    let done = result?;
    input.finish()?;
    Ok(done)
}

/// Moves chunk by chunk until a step moves less than its chunk; an error counts only if nothing was
/// moved before.
fn transfer(count: usize, mut step: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<usize> {
    let mut buffer: Vec<u8> = Vec::new();
    let len = CHUNK.min(count);
    buffer.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    buffer.resize(len, 0);
    let mut done = 0;
    while done < count {
        let len = len.min(count - done);
        match step(&mut buffer[..len]) {
            Ok(moved) => {
                done += moved;
                if moved < len {
                    break;
                }
            }
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// See copy_file_range(2).
pub fn copy_file_range(
    input: i32,
    input_offset: UserPtr<i64>,
    output: i32,
    output_offset: UserPtr<i64>,
    count: usize,
    flags: u32,
) -> SysResult {
    let (input, output) = (file(input)?, file(output)?);
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    check_copy(&input, &output)?;
    let mut input = End::new(input, input_offset)?;
    let mut output = End::new(output, output_offset)?;
    let same = match (input.file.inode(), output.file.inode()) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        _ => false,
    };
    let count = count.min(MAX_TRANSFER);
    let size = input.file.inode().map_or(0, |inode| inode.metadata().size);
    let len = (count as u64).min(size.saturating_sub(input.at));
    let apart = input.at + len <= output.at || output.at + len <= input.at;
    if same && !apart {
        return Err(Errno::EINVAL.because("the ranges overlap"));
    }
    let done = transfer(count, |buffer| {
        let got = input.read(buffer, OpenFlags::empty())?;
        if got == 0 {
            return Ok(0);
        }
        let put = output.write(&buffer[..got], OpenFlags::empty())?;
        input.at += put as u64;
        output.at += put as u64;
        Ok(put)
    })?;
    input.finish()?;
    output.finish()?;
    Ok(done)
}

fn check_copy(input: &OpenFile, output: &OpenFile) -> Result<()> {
    for file in [input, output] {
        match file.inode().map(|inode| inode.file_type()) {
            Some(FileType::Directory) => return Err(Errno::EISDIR),
            Some(FileType::Regular) => {}
            _ => return Err(Errno::EINVAL),
        }
    }
    let appends = output.flags().contains(OpenFlags::APPEND);
    match input.flags().readable() && output.flags().writable() && !appends {
        true => Ok(()),
        false => Err(Errno::EBADF),
    }
}

/// Flags of splice(2), tee(2), vmsplice(2).
fn splice_flags(flags: u32) -> Result<OpenFlags> {
    const MOVE: u32 = 1;
    const NONBLOCK: u32 = 2;
    const MORE: u32 = 4;
    const GIFT: u32 = 8;
    if flags & !(MOVE | NONBLOCK | MORE | GIFT) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut extra = OpenFlags::empty();
    extra.set(OpenFlags::NONBLOCK, flags & NONBLOCK != 0);
    Ok(extra)
}

fn patience(file: &OpenFile, extra: OpenFlags) -> Patience {
    Patience::of(Io {
        offset: 0,
        flags: file.flags() | extra,
    })
}

/// See splice(2).
pub fn splice(
    input: i32,
    input_offset: UserPtr<i64>,
    output: i32,
    output_offset: UserPtr<i64>,
    count: usize,
    flags: u32,
) -> SysResult {
    let extra = splice_flags(flags)?;
    if count == 0 {
        return Ok(0);
    }
    let (input, output) = (file(input)?, file(output)?);
    if !input.flags().readable() || !output.flags().writable() {
        return Err(Errno::EBADF);
    }
    let (from, into) = (pipe::of(&input).ok(), pipe::of(&output).ok());
    let given_for_pipe =
        (from.is_some() && !input_offset.is_null()) || (into.is_some() && !output_offset.is_null());
    if given_for_pipe {
        return Err(Errno::ESPIPE);
    }
    let (from, into) = (from.cloned(), into.cloned());
    match (from, into) {
        (None, None) => Err(Errno::EINVAL.because("splice needs a pipe at one end")),
        (Some(from), Some(into)) if Arc::ptr_eq(&from, &into) => Err(Errno::EINVAL),
        (Some(from), _) => {
            if output.flags().contains(OpenFlags::APPEND) {
                return Err(Errno::EINVAL);
            }
            let patience = patience(&input, extra);
            splice_out(
                &from,
                patience,
                End::new(output, output_offset)?,
                count,
                extra,
            )
        }
        (None, Some(_)) => splice_in(End::new(input, input_offset)?, &output, count, extra),
    }
}

/// From a pipe to a file, or to another pipe. Bytes leave the pipe once they are written.
fn splice_out(
    pipe: &Pipe,
    patience: Patience,
    mut output: End,
    count: usize,
    extra: OpenFlags,
) -> SysResult {
    if !pipe.wait_readable(patience)? {
        return Ok(0);
    }
    let seekable = output.file.file().is_seekable();
    let done = transfer(count.min(MAX_TRANSFER), |buffer| {
        let got = pipe.peek(0, buffer);
        if got == 0 {
            return Ok(0);
        }
        let put = output.write(&buffer[..got], extra)?;
        pipe.discard(put);
        output.at += put as u64;
        Ok(put)
    })?;
    if seekable {
        output.finish()?;
    }
    Ok(done)
}

/// From a file to a pipe: one chunk, as much as the pipe takes.
fn splice_in(mut input: End, output: &OpenFile, count: usize, extra: OpenFlags) -> SysResult {
    let seekable = input.file.file().is_seekable();
    let room = pipe::of(output)?.room();
    // What is read from a stream must fit: it cannot be put back.
    let len = match room {
        0 => 1,
        room => count.min(room).min(CHUNK),
    };
    let mut buffer = alloc::vec![0; len];
    let got = input.read(&mut buffer, extra)?;
    if got == 0 {
        return Ok(0);
    }
    let mut source = Source::kernel(&buffer[..got]);
    let put = write_to(output, At::Offset, extra, &mut source)?;
    input.at += put as u64;
    if seekable {
        input.finish()?;
    }
    Ok(put)
}

/// See tee(2).
pub fn tee(input: i32, output: i32, count: usize, flags: u32) -> SysResult {
    let extra = splice_flags(flags)?;
    if count == 0 {
        return Ok(0);
    }
    let (input, output) = (file(input)?, file(output)?);
    if !input.flags().readable() || !output.flags().writable() {
        return Err(Errno::EBADF);
    }
    let (from, into) = (pipe::of(&input), pipe::of(&output));
    let (Ok(from), Ok(into)) = (from, into) else {
        return Err(Errno::EINVAL);
    };
    if Arc::ptr_eq(from, into) {
        return Err(Errno::EINVAL);
    }
    if !from.wait_readable(patience(&input, extra))? {
        return Ok(0);
    }
    let len = match into.room() {
        0 => 1,
        room => count.min(room).min(from.len()),
    };
    let mut buffer = alloc::vec![0; len];
    let got = from.peek(0, &mut buffer);
    let mut source = Source::kernel(&buffer[..got]);
    write_to(&output, At::Offset, extra, &mut source)
}

/// See vmsplice(2): the bytes are copied; the application's pages are not taken.
pub fn vmsplice(fd: i32, iovecs: UserPtr<Iovec>, count: usize, flags: u32) -> SysResult {
    let extra = splice_flags(flags)?;
    let file = any_file(fd)?;
    pipe::of(&file).map_err(|_| Errno::EBADF)?;
    let count = i32::try_from(count).map_err(|_| Errno::EINVAL)?;
    match file.flags().writable() {
        true => write_vector(fd, iovecs, count, At::Offset, extra),
        false => read_vector(fd, iovecs, count, At::Offset, extra),
    }
}

/// The file of `fd`, if data of its kind can be made durable.
fn syncable(fd: i32) -> Result<Arc<OpenFile>> {
    let file = file(fd)?;
    let kind = file.inode().map(|inode| inode.file_type());
    match kind {
        Some(FileType::Regular | FileType::Directory | FileType::BlockDevice) => Ok(file),
        _ => Err(Errno::EINVAL),
    }
}

/// See fsync(2): files in memory are as durable as they get.
pub fn fsync(fd: i32) -> SysResult {
    syncable(fd).map(|_| 0)
}

/// See fdatasync(2).
pub fn fdatasync(fd: i32) -> SysResult {
    syncable(fd).map(|_| 0)
}

/// See sync(2).
pub fn sync() -> SysResult {
    Ok(0)
}

/// See syncfs(2).
pub fn syncfs(fd: i32) -> SysResult {
    file(fd).map(|_| 0)
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
