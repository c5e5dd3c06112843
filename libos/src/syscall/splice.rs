//! Moving data between descriptors inside the kernel: sendfile(2), copy_file_range(2), splice(2), tee(2), vmsplice(2).
//!
//! Ends that are seekable are read and written through `file_io`, pipes through `fs::pipe`.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::blocking::Patience;
use crate::fs::file::{Io, OpenFile, OpenFlags};
use crate::fs::inode::FileType;
use crate::fs::pipe::{self, Pipe};
use crate::syscall::fd::{any_file, file};
use crate::syscall::file_io::{At, position, read_from, read_vector, write_to, write_vector};
use crate::user::{Dest, Iovec, MAX_TRANSFER, Source, UserPtr};

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
