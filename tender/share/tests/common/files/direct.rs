//! Operations on a folder of the host.

use super::Operation::{self, *};
use super::{Value, set_time};
use crate::common::client::Answer;
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, RenameFlags, SeekFrom, Timespec,
    Timestamps, XattrFlags,
};
use rustix::io::Errno;
use std::path::PathBuf;

/// On a folder of the host.
pub struct Direct(pub PathBuf);

impl Direct {
    pub fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn open(&self, path: &str, flags: OFlags) -> Answer<std::os::fd::OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let path = self.at(path);
        // Fifos are not to be opened, by agreement.
        let stat = rustix::fs::lstat(&path)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Fifo {
            return Err(Errno::NXIO);
        }
        rustix::fs::open(path, flags, Mode::empty())
    }

    pub fn run(&self, operation: &Operation) -> Answer<Value> {
        let done = |()| Value::Done;
        match operation {
            Stat(path) => {
                let stat = rustix::fs::lstat(self.at(path))?;
                let size = match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Directory => 0,
                    _ => stat.st_size,
                };
                Ok(Value::Stat([
                    u64::from(stat.st_mode >> 12),
                    u64::from(stat.st_mode & 0o7777),
                    stat.st_nlink,
                    size.cast_unsigned(),
                    stat.st_uid.into(),
                    stat.st_gid.into(),
                    set_time(stat.st_mtime, stat.st_mtime_nsec),
                ]))
            }
            Mkdir(path, mode) => {
                rustix::fs::mkdir(self.at(path), Mode::from_raw_mode(*mode)).map(done)
            }
            Rmdir(path) => rustix::fs::rmdir(self.at(path)).map(done),
            Unlink(path) => rustix::fs::unlink(self.at(path)).map(done),
            Write(path, flags, mode, offset, data) => {
                let flags = OFlags::from_bits_retain(flags.cast_unsigned());
                if let Ok(stat) = rustix::fs::lstat(self.at(path))
                    && FileType::from_raw_mode(stat.st_mode) == FileType::Fifo
                    && !flags.contains(OFlags::EXCL)
                {
                    return Err(Errno::NXIO);
                }
                let file = rustix::fs::open(
                    self.at(path),
                    flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC,
                    Mode::from_raw_mode(*mode),
                )?;
                rustix::io::pwrite(&file, data, *offset).map(|count| Value::Number(count as u64))
            }
            Read(path, offset, size) => {
                let file = self.open(path, OFlags::RDONLY)?;
                let mut bytes = vec![0; *size as usize];
                let count = rustix::io::pread(&file, &mut bytes[..], *offset)?;
                bytes.truncate(count);
                Ok(Value::Bytes(bytes))
            }
            Truncate(path, size) => {
                let file = self.open(path, OFlags::WRONLY)?;
                rustix::fs::ftruncate(&file, *size).map(done)
            }
            Rename(from, to, flags) => {
                let flags = RenameFlags::from_bits_retain(*flags);
                let (from, to) = (self.at(from), self.at(to));
                rustix::fs::renameat_with(CWD, from, CWD, to, flags).map(done)
            }
            Link(from, to) => {
                let flags = AtFlags::empty();
                rustix::fs::linkat(CWD, self.at(from), CWD, self.at(to), flags).map(done)
            }
            Symlink(target, path) => rustix::fs::symlink(target, self.at(path)).map(done),
            Readlink(path) => rustix::fs::readlink(self.at(path), Vec::new())
                .map(|target| Value::Bytes(target.into_bytes())),
            Chmod(path, mode) => {
                let stat = rustix::fs::lstat(self.at(path))?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
                    return Err(Errno::OPNOTSUPP);
                }
                rustix::fs::chmod(self.at(path), Mode::from_raw_mode(*mode)).map(done)
            }
            Chown(path, user, group) => {
                let user = (*user != u32::MAX).then(|| rustix::fs::Uid::from_raw(*user));
                let group = (*group != u32::MAX).then(|| rustix::fs::Gid::from_raw(*group));
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::chownat(CWD, self.at(path), user, group, flags).map(done)
            }
            Times(path, seconds, nanoseconds) => {
                let time = Timespec {
                    tv_sec: *seconds,
                    tv_nsec: (*nanoseconds).into(),
                };
                let times = Timestamps {
                    last_access: time,
                    last_modification: time,
                };
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::utimensat(CWD, self.at(path), &times, flags).map(done)
            }
            SetXattr(path, name, value, flags) => {
                let flags = XattrFlags::from_bits_retain(*flags);
                rustix::fs::lsetxattr(self.at(path), name, value, flags).map(done)
            }
            GetXattr(path, name) => {
                let mut value = vec![0; 65_536];
                let len = rustix::fs::lgetxattr(self.at(path), name, &mut value[..])?;
                Ok(Value::Bytes(value[..len].to_vec()))
            }
            ListXattr(path) => {
                let mut list = vec![0; 65_536];
                let len = rustix::fs::llistxattr(self.at(path), &mut list[..])?;
                Ok(Value::Bytes(list[..len].to_vec()))
            }
            RemoveXattr(path, name) => rustix::fs::lremovexattr(self.at(path), name).map(done),
            Fallocate(path, mode, offset, len) => {
                let file = self.open(path, OFlags::WRONLY)?;
                let mode = FallocateFlags::from_bits_retain(*mode);
                rustix::fs::fallocate(&file, mode, *offset, *len).map(done)
            }
            Seek(path, offset, whence) => {
                let file = self.open(path, OFlags::RDONLY)?;
                let to = match whence.cast_signed() {
                    libc::SEEK_DATA => SeekFrom::Data(*offset),
                    _ => SeekFrom::Hole(*offset),
                };
                rustix::fs::seek(&file, to).map(Value::Number)
            }
            List(path) => {
                let file = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
                let mut names = Vec::new();
                for entry in rustix::fs::Dir::read_from(&file)? {
                    let entry = entry?;
                    let name = entry.file_name().to_string_lossy().into_owned();
                    names.push((name, entry.file_type().as_raw_mode() >> 12));
                }
                names.sort();
                Ok(Value::Names(names))
            }
            Mkfifo(path, mode) => {
                let mode = Mode::from_raw_mode(*mode);
                rustix::fs::mknodat(CWD, self.at(path), FileType::Fifo, mode, 0).map(done)
            }
            Access(path, mask) => {
                let stat = rustix::fs::lstat(self.at(path))?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
                    return Ok(Value::Done);
                }
                let mask = rustix::fs::Access::from_bits_retain(*mask);
                rustix::fs::accessat(CWD, self.at(path), mask, AtFlags::empty()).map(done)
            }
            Sync(path) => {
                let file = self.open(path, OFlags::RDONLY)?;
                rustix::fs::fsync(&file).map(done)
            }
        }
    }
}
