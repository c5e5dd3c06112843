//! Files: opening, reading, writing, and what goes through a handle.

use super::Server;
use super::attributes;
use super::call::{self, Call};
use super::handles::Handle;
use super::inodes::entry;
use super::names::with_umask;
use crate::channel::Reply;
use libos_abi::fuse::messages::{
    CopyFileRangeIn, CreateIn, FallocateIn, FsyncIn, LseekIn, LseekOut, OpenIn, OpenOut, ReadIn,
    ReleaseIn, WriteIn, WriteOut,
};
use libos_abi::fuse::{MOST_DATA, flags};
use rustix::fs::{FallocateFlags, FileType, Mode, OFlags, SeekFrom};
use rustix::io::{Errno, ReadWriteFlags, Result};
use std::io::IoSlice;
use std::os::fd::OwnedFd;

/// Most bytes that one request copies: longer ones are answered with less than they asked for.
const MOST_COPIED: usize = 64 << 20;

/// Shortest read that is worth the pipe, in bytes.
const LEAST_PIPED: usize = 32 << 10;

/// What of open(2)'s flags reaches the host. O_APPEND and O_SYNC are the affair of each write; O_DIRECT would ask of
/// this process's buffers what the guest's cannot promise.
fn open_flags(wanted: u32) -> Result<OFlags> {
    let kept = OFlags::RWMODE | OFlags::TRUNC | OFlags::NOATIME | OFlags::DIRECTORY;
    let wanted = OFlags::from_bits_retain(wanted);
    if wanted & OFlags::RWMODE == OFlags::RWMODE {
        return Err(Errno::INVAL);
    }
    Ok(wanted & kept | OFlags::NONBLOCK)
}

/// Whether opening with these flags lets something be changed.
fn changes(flags: OFlags) -> bool {
    flags & OFlags::RWMODE != OFlags::RDONLY || flags.contains(OFlags::TRUNC)
}

impl Server {
    pub(super) fn open(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, _) = call.read::<OpenIn>()?;
        let flags = open_flags(wanted.flags)?;
        if self.policy.read_only && changes(flags) {
            return Err(Errno::ROFS);
        }
        self.handles.check_room()?;
        let inode = self.inodes.get(call.header.nodeid)?;
        let file = match inode.reopen(self.readable(flags)) {
            Err(Errno::ACCESS) => inode.reopen(flags)?,
            other => other?,
        };
        self.put_handle(call.header.nodeid, file, flags::OPEN_KEEP_CACHE, reply)
    }

    /// A client that writes parts of pages back must read their other parts, also of a file that was opened for writing
    /// alone.
    fn readable(&self, flags: OFlags) -> OFlags {
        match self.write_back && flags & OFlags::RWMODE == OFlags::WRONLY {
            true => flags.difference(OFlags::RWMODE) | OFlags::RDWR,
            false => flags,
        }
    }

    /// Answers with a handle on an open file.
    pub(super) fn put_handle(
        &mut self,
        inode: u64,
        file: OwnedFd,
        cache: u32,
        reply: &mut Reply,
    ) -> Result<()> {
        let open_flags = if self.policy.valid > 0 { cache } else { 0 };
        let fh = self.handles.insert(Handle { file, inode })?;
        let answer = OpenOut {
            fh,
            open_flags,
            padding: 0,
        };
        reply.put(answer.to_bytes());
        Ok(())
    }

    /// open(2) with O_CREAT: of a new file, or without O_EXCL of one that is there.
    pub(super) fn create(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, rest) = call.read::<CreateIn>()?;
        let (name, _) = call::name(rest)?;
        let flags = self.readable(open_flags(wanted.flags)?.difference(OFlags::DIRECTORY));
        self.check_mode(FileType::RegularFile, wanted.mode)?;
        self.handles.check_room()?;
        let parent = self.inodes.get(call.header.nodeid)?;
        let mode = Mode::from_raw_mode(wanted.mode & 0o7777);
        let made = with_umask(wanted.umask, || {
            entry(
                &parent.file,
                name,
                flags | OFlags::CREATE | OFlags::EXCL,
                mode,
            )
        });
        let exclusive = OFlags::from_bits_retain(wanted.flags).contains(OFlags::EXCL);
        match made {
            Ok(file) => self.put_created(call, file, reply),
            Err(Errno::EXIST) if !exclusive => {
                let (number, found) = self.inodes.lookup(call.header.nodeid, name)?;
                let opened = self
                    .inodes
                    .get(number)
                    .and_then(|inode| inode.reopen(flags));
                let file = opened.inspect_err(|_| self.inodes.forget(number, 1))?;
                let found = attributes::stat(&file).unwrap_or(found);
                reply.put(self.entry_out(number, &found).to_bytes());
                self.put_handle(number, file, flags::OPEN_KEEP_CACHE, reply)
            }
            Err(error) => Err(error),
        }
    }

    /// open(2) with O_TMPFILE: a file without a name.
    pub(super) fn tmpfile(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, _) = call.read::<CreateIn>()?;
        let exclusive = OFlags::from_bits_retain(wanted.flags) & OFlags::EXCL;
        let flags = open_flags(wanted.flags)?.difference(OFlags::TRUNC | OFlags::DIRECTORY);
        let flags = self.readable(flags);
        self.check_mode(FileType::RegularFile, wanted.mode)?;
        self.handles.check_room()?;
        let parent = self.inodes.get(call.header.nodeid)?;
        if parent.kind != FileType::Directory {
            return Err(Errno::NOTDIR);
        }
        let mode = Mode::from_raw_mode(wanted.mode & 0o7777);
        let flags = flags | exclusive | OFlags::TMPFILE | OFlags::CLOEXEC;
        let file = with_umask(wanted.umask, || {
            rustix::fs::openat(rustix::fs::CWD, parent.path(), flags, mode)
        })?;
        self.put_created(call, file, reply)
    }

    /// Answers with a new file and a handle on it.
    fn put_created(&mut self, call: &Call<'_>, file: OwnedFd, reply: &mut Reply) -> Result<()> {
        let found = attributes::stat(&file)?;
        let named = rustix::fs::openat(
            rustix::fs::CWD,
            std::os::fd::AsRawFd::as_raw_fd(&file).to_string(),
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let number = self.inodes.insert(named, &found)?;
        let given = self.give(call, number, FileType::RegularFile, &found);
        let found = given.inspect_err(|_| self.inodes.forget(number, 1))?;
        reply.put(self.entry_out(number, &found).to_bytes());
        self.put_handle(number, file, flags::OPEN_KEEP_CACHE, reply)
    }

    /// A long READ, of which the pipe takes what it has room for; the rest goes into the answer. How much is in the pipe; with
    /// none the READ is like any other.
    pub(super) fn read_into_pipe(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<usize> {
        let (wanted, _) = call.read::<ReadIn>()?;
        let handle = self.handles.get(wanted.fh)?;
        let room = usize::try_from(wanted.size)
            .unwrap_or(MOST_DATA)
            .min(MOST_DATA);
        if room < LEAST_PIPED || call.header.total_extlen != 0 {
            return Ok(0);
        }
        // Not every file system can; what is wrong with the file, pread(2) will say.
        let piped = self
            .pipe
            .fill(&handle.file, wanted.offset, room)
            .unwrap_or(0);
        let left = if piped > 0 { room - piped } else { 0 };
        let at = wanted.offset.saturating_add(piped as u64);
        let _ = reply.fill(left, |bytes| pread_all(&handle.file, bytes, at));
        Ok(piped)
    }

    /// Sends what [`Self::read_into_pipe`] has put into the pipe.
    ///
    /// # Errors
    /// That of splice(2): the other side is gone.
    pub fn send_piped(&mut self, channel: &OwnedFd, piped: usize) -> Result<()> {
        self.pipe.send(channel, piped)
    }

    pub(super) fn read(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, _) = call.read::<ReadIn>()?;
        let handle = self.handles.get(wanted.fh)?;
        let room = usize::try_from(wanted.size).unwrap_or(MOST_DATA);
        reply.fill(room, |bytes| pread_all(&handle.file, bytes, wanted.offset))
    }

    pub(super) fn write(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, data) = call.read::<WriteIn>()?;
        let size = usize::try_from(wanted.size).unwrap_or(usize::MAX);
        let data = data.get(..size).ok_or(Errno::INVAL)?;
        let handle = self.handles.get(wanted.fh)?;
        let how = write_flags(&wanted);
        let mut done = 0;
        while done < data.len() {
            let at = wanted.offset.saturating_add(done as u64);
            match rustix::io::pwritev2(&handle.file, &[IoSlice::new(&data[done..])], at, how) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        put_count(done, reply);
        Ok(())
    }

    pub(super) fn fallocate(&mut self, call: &Call<'_>) -> Result<()> {
        let (wanted, _) = call.read::<FallocateIn>()?;
        let mode = FallocateFlags::from_bits(wanted.mode).ok_or(Errno::OPNOTSUPP)?;
        let handle = self.handles.get(wanted.fh)?;
        rustix::fs::fallocate(&handle.file, mode, wanted.offset, wanted.length)
    }

    pub(super) fn lseek(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, _) = call.read::<LseekIn>()?;
        if i64::try_from(wanted.offset).is_err() {
            return Err(Errno::NXIO);
        }
        let to = match i32::try_from(wanted.whence) {
            Ok(libc::SEEK_DATA) => SeekFrom::Data(wanted.offset),
            Ok(libc::SEEK_HOLE) => SeekFrom::Hole(wanted.offset),
            _ => return Err(Errno::INVAL),
        };
        let offset = rustix::fs::seek(&self.handles.get(wanted.fh)?.file, to)?;
        reply.put(LseekOut { offset }.to_bytes());
        Ok(())
    }

    pub(super) fn copy_file_range(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, _) = call.read::<CopyFileRangeIn>()?;
        if wanted.flags != 0 {
            return Err(Errno::INVAL);
        }
        let from = &self.handles.get(wanted.fh_in)?.file;
        let to = &self.handles.get(wanted.fh_out)?.file;
        let (mut read_at, mut write_at) = (wanted.off_in, wanted.off_out);
        let len = usize::try_from(wanted.len)
            .unwrap_or(MOST_COPIED)
            .min(MOST_COPIED);
        let copied =
            rustix::fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), len)?;
        put_count(copied, reply);
        Ok(())
    }

    pub(super) fn fsync(&mut self, call: &Call<'_>) -> Result<()> {
        let (wanted, _) = call.read::<FsyncIn>()?;
        let file = &self.handles.get(wanted.fh)?.file;
        if wanted.fsync_flags & flags::FSYNC_FDATASYNC != 0 {
            return rustix::fs::fdatasync(file);
        }
        rustix::fs::fsync(file)
    }

    /// Also takes away the locks of flock(2), which belong to the open file.
    pub(super) fn release(&mut self, call: &Call<'_>) -> Result<()> {
        let (wanted, _) = call.read::<ReleaseIn>()?;
        self.handles.remove(wanted.fh)
    }
}

/// Reads until there is no more, or no more room. How much.
fn pread_all(file: &OwnedFd, bytes: &mut [u8], offset: u64) -> Result<usize> {
    let mut done = 0;
    while done < bytes.len() {
        let at = offset.saturating_add(done as u64);
        match rustix::io::pread(file, &mut bytes[done..], at) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// How this one write is to be done.
fn write_flags(wanted: &WriteIn) -> ReadWriteFlags {
    let flags = OFlags::from_bits_retain(wanted.flags);
    let mut how = ReadWriteFlags::empty();
    if wanted.write_flags & flags::WRITE_CACHE == 0 && flags.contains(OFlags::APPEND) {
        how |= ReadWriteFlags::APPEND;
    }
    if flags.contains(OFlags::SYNC) {
        how |= ReadWriteFlags::SYNC | ReadWriteFlags::DSYNC;
    } else if flags.contains(OFlags::DSYNC) {
        how |= ReadWriteFlags::DSYNC;
    }
    how
}

fn put_count(count: usize, reply: &mut Reply) {
    let size = u32::try_from(count).unwrap_or(u32::MAX);
    reply.put(WriteOut { size, padding: 0 }.to_bytes());
}
