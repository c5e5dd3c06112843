//! The same operations on the shared folder and on a folder of the host, to be compared.

pub mod random;

use super::Client;
use super::client::{Answer, body, named};
use libos_abi::fuse::messages::{
    AccessIn, EntryOut, FallocateIn, FsyncIn, GetxattrIn, LinkIn, LseekIn, LseekOut, MknodIn,
    SetattrIn,
};
use libos_abi::fuse::wire::Wire;
use libos_abi::fuse::{flags, opcode};
use rustix::fs::{
    Access, AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, RenameFlags, SeekFrom, Timespec,
    Timestamps, XattrFlags,
};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// What an operation answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Done,
    Number(u64),
    Bytes(Vec<u8>),
    /// Type, permissions, names, size, owner, group; modification time if it was set.
    Stat([u64; 7]),
    Names(Vec<(String, u32)>),
}

#[derive(Clone, Debug)]
pub enum Operation {
    Stat(String),
    Mkdir(String, u32),
    Rmdir(String),
    Unlink(String),
    /// Opens with these flags and permissions, writes there, and closes.
    Write(String, i32, u32, u64, Vec<u8>),
    Read(String, u64, u32),
    Truncate(String, u64),
    Rename(String, String, u32),
    Link(String, String),
    Symlink(String, String),
    Readlink(String),
    Chmod(String, u32),
    Chown(String, u32, u32),
    Times(String, i64, u32),
    SetXattr(String, String, Vec<u8>, u32),
    GetXattr(String, String),
    ListXattr(String),
    RemoveXattr(String, String),
    Fallocate(String, u32, u64, u64),
    Seek(String, u64, u32),
    List(String),
    Mkfifo(String, u32),
    Access(String, u32),
    Sync(String),
}

use Operation::*;

/// Modification times before this were set by a test: those of now are not compared.
const LONG_AGO: i64 = 1_000_000_000;

fn set_time(seconds: i64, nanoseconds: u64) -> u64 {
    if seconds < LONG_AGO {
        seconds.cast_unsigned().wrapping_mul(1_000_000_000) + nanoseconds
    } else {
        0
    }
}

/// On a folder of the host.
pub struct Direct(pub PathBuf);

impl Direct {
    fn at(&self, path: &str) -> PathBuf {
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

/// Through the server.
pub struct Shared(pub Client);

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl Shared {
    fn parent<'a>(&mut self, path: &'a str) -> Answer<(u64, &'a str)> {
        let (directory, name) = split(path);
        Ok((self.0.walk(directory)?, name))
    }

    fn with_handle(
        &mut self,
        path: &str,
        flags: i32,
        opcode: u32,
        body: impl FnOnce(u64) -> Vec<u8>,
    ) -> Answer<Vec<u8>> {
        let number = self.0.walk(path)?;
        let fh = self.0.open(number, flags)?;
        let answer = self.0.call(opcode, number, &body(fh));
        self.0.release(number, fh)?;
        answer
    }

    pub fn run(&mut self, operation: &Operation) -> Answer<Value> {
        let done = |_| Value::Done;
        match operation {
            Stat(path) => {
                let number = self.0.walk(path)?;
                let attr = self.0.getattr(number)?;
                let size = if attr.mode >> 12 == 4 { 0 } else { attr.size };
                Ok(Value::Stat([
                    u64::from(attr.mode >> 12),
                    u64::from(attr.mode & 0o7777),
                    attr.nlink.into(),
                    size,
                    attr.uid.into(),
                    attr.gid.into(),
                    set_time(attr.mtime.cast_signed(), attr.mtimensec.into()),
                ]))
            }
            Mkdir(path, mode) => {
                let (parent, name) = self.parent(path)?;
                self.0.mkdir(parent, name, *mode).map(|_| Value::Done)
            }
            Rmdir(path) => {
                let (parent, name) = self.parent(path)?;
                self.0.remove(opcode::RMDIR, parent, name).map(done)
            }
            Unlink(path) => {
                let (parent, name) = self.parent(path)?;
                self.0.remove(opcode::UNLINK, parent, name).map(done)
            }
            Write(path, flags, mode, offset, data) => {
                let (parent, name) = self.parent(path)?;
                let (number, fh) = match flags & libc::O_CREAT {
                    0 => {
                        let number = self.0.lookup(parent, name)?.nodeid;
                        (number, self.0.open(number, *flags)?)
                    }
                    _ => {
                        let (entry, fh) = self.0.create(parent, name, *flags, *mode)?;
                        (entry.nodeid, fh)
                    }
                };
                let written = self.0.write(fh, *offset, data, *flags);
                self.0.release(number, fh)?;
                Ok(Value::Number(written?.into()))
            }
            Read(path, offset, size) => {
                let number = self.0.walk(path)?;
                let fh = self.0.open(number, libc::O_RDONLY)?;
                let bytes = self.0.read(fh, *offset, *size);
                self.0.release(number, fh)?;
                Ok(Value::Bytes(bytes?))
            }
            Truncate(path, size) => {
                let number = self.0.walk(path)?;
                let wanted = SetattrIn {
                    valid: flags::SET_SIZE,
                    size: *size,
                    ..SetattrIn::default()
                };
                self.0.setattr(number, wanted).map(|_| Value::Done)
            }
            Rename(from, to, flags) => {
                let from = self.parent(from)?;
                let to = self.parent(to)?;
                self.0.rename(from, to, *flags).map(done)
            }
            Link(from, to) => {
                let oldnodeid = self.0.walk(from)?;
                let (parent, name) = self.parent(to)?;
                let body = body(&[&LinkIn { oldnodeid }.to_bytes(), &named(name)]);
                let answer = self.0.call(opcode::LINK, parent, &body)?;
                EntryOut::get(&answer).expect("an entry");
                Ok(Value::Done)
            }
            Symlink(target, path) => {
                let (parent, name) = self.parent(path)?;
                self.0.symlink(parent, name, target).map(|_| Value::Done)
            }
            Readlink(path) => {
                let number = self.0.walk(path)?;
                self.0.call(opcode::READLINK, number, &[]).map(Value::Bytes)
            }
            Chmod(path, mode) => {
                let number = self.0.walk(path)?;
                let wanted = SetattrIn {
                    valid: flags::SET_MODE,
                    mode: *mode,
                    ..SetattrIn::default()
                };
                self.0.setattr(number, wanted).map(|_| Value::Done)
            }
            Chown(path, uid, gid) => {
                let number = self.0.walk(path)?;
                let wanted = SetattrIn {
                    valid: flags::SET_UID | flags::SET_GID,
                    uid: *uid,
                    gid: *gid,
                    ..SetattrIn::default()
                };
                self.0.setattr(number, wanted).map(|_| Value::Done)
            }
            Times(path, seconds, nanoseconds) => {
                let number = self.0.walk(path)?;
                let wanted = SetattrIn {
                    valid: flags::SET_ATIME | flags::SET_MTIME,
                    atime: seconds.cast_unsigned(),
                    mtime: seconds.cast_unsigned(),
                    atimensec: *nanoseconds,
                    mtimensec: *nanoseconds,
                    ..SetattrIn::default()
                };
                self.0.setattr(number, wanted).map(|_| Value::Done)
            }
            SetXattr(path, name, value, flags) => {
                let number = self.0.walk(path)?;
                self.0.setxattr(number, name, value, *flags).map(done)
            }
            GetXattr(path, name) => {
                let number = self.0.walk(path)?;
                let wanted = GetxattrIn {
                    size: 65_536,
                    padding: 0,
                };
                let body = body(&[&wanted.to_bytes(), &named(name)]);
                self.0
                    .call(opcode::GETXATTR, number, &body)
                    .map(Value::Bytes)
            }
            ListXattr(path) => {
                let number = self.0.walk(path)?;
                let wanted = GetxattrIn {
                    size: 65_536,
                    padding: 0,
                };
                let answer = self.0.call(opcode::LISTXATTR, number, &wanted.to_bytes());
                answer.map(Value::Bytes)
            }
            RemoveXattr(path, name) => {
                let number = self.0.walk(path)?;
                self.0.remove(opcode::REMOVEXATTR, number, name).map(done)
            }
            Fallocate(path, mode, offset, length) => {
                let wanted = |fh| FallocateIn {
                    fh,
                    offset: *offset,
                    length: *length,
                    mode: *mode,
                    padding: 0,
                };
                let body = |fh| wanted(fh).to_bytes().to_vec();
                let answer = self.with_handle(path, libc::O_WRONLY, opcode::FALLOCATE, body);
                answer.map(|_| Value::Done)
            }
            Seek(path, offset, whence) => {
                let wanted = |fh| LseekIn {
                    fh,
                    offset: *offset,
                    whence: *whence,
                    padding: 0,
                };
                let body = |fh| wanted(fh).to_bytes().to_vec();
                let answer = self.with_handle(path, libc::O_RDONLY, opcode::LSEEK, body)?;
                Ok(Value::Number(LseekOut::get(&answer).expect("it").offset))
            }
            List(path) => {
                let number = self.0.walk(path)?;
                // A link is not followed for O_DIRECTORY either.
                let found = self.0.getattr(number)?;
                if found.mode >> 12 == 1 {
                    return Err(Errno::NXIO);
                }
                let entries = self.0.list(number, opcode::READDIR, 300)?;
                let mut names: Vec<_> = entries
                    .into_iter()
                    .map(|(name, kind, _)| (name, kind))
                    .collect();
                names.sort();
                Ok(Value::Names(names))
            }
            Mkfifo(path, mode) => {
                let (parent, name) = self.parent(path)?;
                let wanted = MknodIn {
                    mode: libc::S_IFIFO | mode,
                    ..MknodIn::default()
                };
                let body = body(&[&wanted.to_bytes(), &named(name)]);
                self.0
                    .call(opcode::MKNOD, parent, &body)
                    .map(|_| Value::Done)
            }
            Operation::Access(path, mask) => {
                let number = self.0.walk(path)?;
                let wanted = AccessIn {
                    mask: *mask,
                    padding: 0,
                };
                let answer = self.0.call(opcode::ACCESS, number, &wanted.to_bytes());
                answer.map(|_| Value::Done)
            }
            Sync(path) => {
                let body = |fh| {
                    FsyncIn {
                        fh,
                        ..FsyncIn::default()
                    }
                    .to_bytes()
                    .to_vec()
                };
                let answer = self.with_handle(path, libc::O_RDONLY, opcode::FSYNC, body);
                answer.map(|_| Value::Done)
            }
        }
    }
}

/// Everything below a folder, as the host sees it.
pub fn tree(path: &Path) -> Vec<(String, Value, Vec<u8>)> {
    let direct = Direct(path.to_owned());
    let mut found = Vec::new();
    let mut left = vec![String::new()];
    while let Some(directory) = left.pop() {
        let Ok(Value::Names(names)) = direct.run(&List(directory.clone())) else {
            panic!("a directory");
        };
        for (name, kind) in names {
            if name == "." || name == ".." {
                continue;
            }
            let path = format!("{directory}{name}");
            let stat = direct.run(&Stat(path.clone())).expect("an entry");
            let content = match kind {
                4 => {
                    left.push(format!("{path}/"));
                    Vec::new()
                }
                8 => std::fs::read(direct.at(&path)).expect("a file"),
                10 => match direct.run(&Readlink(path.clone())) {
                    Ok(Value::Bytes(target)) => target,
                    other => panic!("{other:?}"),
                },
                _ => Vec::new(),
            };
            found.push((path, stat, content));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}
