//! Operations through the server.

use super::Operation::{self, *};
use super::{Value, set_time};
use crate::common::Client;
use crate::common::client::{Answer, body, named};
use libos_abi::fuse::messages::{
    AccessIn, EntryOut, FallocateIn, FsyncIn, GetxattrIn, LinkIn, LseekIn, LseekOut, MknodIn,
    SetattrIn,
};
use libos_abi::fuse::wire::Wire;
use libos_abi::fuse::{flags, opcode};
use rustix::io::Errno;

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
