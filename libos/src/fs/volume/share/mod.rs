//! Shared folders: a volume whose files are the host's, behind a channel of FUSE messages.
//!
//! - [`channel`]: requests and answers; [`link`]: the bytes below.
//! - here: [`ShareVolume`], which says what is asked for what, and counts what the server must keep: lookups of
//!   each number, and the handles of open files.
//!
//! Whose files these are and what may be done with them judges the host, with the rights of who started the run.

pub mod channel;
mod convert;
pub mod link;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use libos_abi::driver::{AttributeChange, Attributes, VolumeStatistics, change};
use libos_abi::fuse::messages::{
    AttrOut, CreateIn, Dirent, EntryOut, FallocateIn, ForgetIn, FsyncIn, GetattrIn, GetxattrIn,
    InitIn, InitOut, Kstatfs, LinkIn, LseekIn, LseekOut, MkdirIn, MknodIn, OpenIn, OpenOut, ReadIn,
    ReleaseIn, Rename2In, SetattrIn, SetxattrIn, WriteIn, WriteOut,
};
use libos_abi::fuse::wire::Wire;
use libos_abi::fuse::{MAJOR, MINOR, MOST_DATA, ROOT, flags, opcode};

use super::{Caching, Found, Listed, NewFile, Volume};
use crate::errno::{Errno, Result};
use crate::fs::inode::{Allocate, FileType, RenameMode, SeekTo, SetXattr};
use crate::word_map::WordMap;
use channel::{Channel, Link, Subject};

/// `FUSE_SUPER_MAGIC`.
const MAGIC: u64 = 0x6573_5546;

/// `XATTR_SIZE_MAX`.
const XATTR_MOST: u32 = 64 << 10;

const O_RDONLY: u32 = 0;
const O_WRONLY: u32 = 1;
const O_RDWR: u32 = 2;
const O_CREAT: u32 = 0o100;
const O_EXCL: u32 = 0o200;

/// A shared folder, or file.
pub struct ShareVolume {
    channel: Channel,
    known: WordMap<u64, Box<Known>>,
    others_write: bool,
    /// Most bytes of one read or write.
    most: usize,
}

/// What the server keeps for us of one file.
#[derive(Default)]
struct Known {
    /// How often it was found.
    lookups: u64,
    is_symlink: bool,
    /// Handle to read by.
    reader: Option<u64>,
    /// Handle to write by.
    writer: Option<u64>,
    /// Whether the writer reads too.
    writer_reads: bool,
}

impl ShareVolume {
    /// Greets the server. `others_write`: whether the host changes the folder meanwhile.
    ///
    /// # Errors
    /// ENOTCONN; EPROTO if the server is of another version.
    pub fn connect(link: Box<dyn Link>, others_write: bool) -> Result<Self> {
        let mut channel = Channel::new(link);
        let hello = InitIn {
            major: MAJOR,
            minor: MINOR,
            max_readahead: u32::try_from(MOST_DATA).unwrap_or(u32::MAX),
            flags: flags::BIG_WRITES | flags::MAX_PAGES | flags::DONT_MASK,
            ..InitIn::default()
        };
        let answer = channel.ask(opcode::INIT, Subject::node(0), &[&hello.to_bytes()])?;
        let server: InitOut = whole(answer)?;
        if server.major != MAJOR {
            return Err(Errno::EPROTO.because("the share's server is of another version"));
        }
        let most = usize::try_from(server.max_write).unwrap_or(MOST_DATA);
        Ok(Self {
            channel,
            known: WordMap::default(),
            others_write,
            most: most.clamp(4096, MOST_DATA),
        })
    }

    fn ask(&mut self, opcode: u32, node: u64, parts: &[&[u8]]) -> Result<&[u8]> {
        self.channel.ask(opcode, Subject::node(node), parts)
    }

    /// Asks for something with one name.
    fn name(&mut self, opcode: u32, subject: Subject, before: &[u8], name: &[u8]) -> Result<Found> {
        let answer = self.channel.ask(opcode, subject, &[before, name, b"\0"])?;
        let entry: EntryOut = whole(answer)?;
        self.found(&entry)
    }

    fn found(&mut self, entry: &EntryOut) -> Result<Found> {
        if entry.nodeid == 0 {
            return Err(Errno::ENOENT);
        }
        let attributes = convert::attributes(&entry.attr);
        if entry.nodeid != ROOT {
            let known = self.known.get_or_default(entry.nodeid);
            known.lookups += 1;
            known.is_symlink = FileType::from_mode(attributes.mode) == Some(FileType::Symlink);
        }
        Ok(Found {
            number: entry.nodeid,
            attributes,
        })
    }

    fn open_handle(&mut self, ino: u64, flags: u32) -> Result<u64> {
        let wanted = OpenIn {
            flags,
            ..OpenIn::default()
        };
        let answer = self.ask(opcode::OPEN, ino, &[&wanted.to_bytes()])?;
        whole(answer).map(|out: OpenOut| out.fh)
    }

    /// A handle to read by.
    fn reader(&mut self, ino: u64) -> Result<u64> {
        let known = self.known.get_or_default(ino);
        let open = known.reader.or(known.writer.filter(|_| known.writer_reads));
        if let Some(handle) = open {
            return Ok(handle);
        }
        let handle = self.open_handle(ino, O_RDONLY)?;
        self.known.get_or_default(ino).reader = Some(handle);
        Ok(handle)
    }

    /// A handle to write by; it reads too if it may, since pages that are changed in part are read.
    fn writer(&mut self, ino: u64) -> Result<u64> {
        if let Some(handle) = self.known.get_or_default(ino).writer {
            return Ok(handle);
        }
        let (handle, reads) = match self.open_handle(ino, O_RDWR) {
            Err(Errno::EACCES) => (self.open_handle(ino, O_WRONLY)?, false),
            opened => (opened?, true),
        };
        let known = self.known.get_or_default(ino);
        (known.writer, known.writer_reads) = (Some(handle), reads);
        Ok(handle)
    }

    fn any_handle(&mut self, ino: u64) -> Result<u64> {
        match self.known.get_or_default(ino).writer {
            Some(handle) => Ok(handle),
            None => self.reader(ino),
        }
    }

    fn release(&mut self, ino: u64, opcode: u32, handle: u64) -> Result<()> {
        let gone = ReleaseIn {
            fh: handle,
            ..ReleaseIn::default()
        };
        self.ask(opcode, ino, &[&gone.to_bytes()]).map(drop)
    }

    fn read_link(&mut self, ino: u64, buffer: &mut [u8]) -> Result<usize> {
        let target = self.ask(opcode::READLINK, ino, &[])?;
        let count = target.len().min(buffer.len());
        buffer[..count].copy_from_slice(&target[..count]);
        Ok(count)
    }

    fn set_attributes(&mut self, ino: u64, wanted: &SetattrIn) -> Result<()> {
        self.ask(opcode::SETATTR, ino, &[&wanted.to_bytes()])
            .map(drop)
    }

    fn list_from(
        &mut self,
        ino: u64,
        handle: u64,
        offset: u64,
        emit: &mut Listed<'_>,
    ) -> Result<Option<u64>> {
        let wanted = ReadIn {
            fh: handle,
            offset,
            size: 32 << 10,
            ..ReadIn::default()
        };
        let mut rest = self.ask(opcode::READDIR, ino, &[&wanted.to_bytes()])?;
        let mut next = None;
        while !rest.is_empty() {
            let (entry, behind) = Dirent::take(rest).ok_or(Errno::EIO)?;
            let len = usize::try_from(entry.namelen).unwrap_or(usize::MAX);
            let name = behind.get(..len).ok_or(Errno::EIO)?;
            next = Some(entry.off);
            let padded = (Dirent::LEN + len).next_multiple_of(8) - Dirent::LEN;
            rest = behind.get(padded..).unwrap_or(&[]);
            if name.is_empty() || name.contains(&b'/') || name.contains(&0) {
                return Err(Errno::EIO.because("the share's server listed a name that is none"));
            }
            if !matches!(name, b"." | b"..") {
                emit(name, entry.ino, entry.kind << 12);
            }
        }
        Ok(next)
    }

    fn xattr_value(&mut self, opcode: u32, ino: u64, name: &[&[u8]]) -> Result<Vec<u8>> {
        let wanted = GetxattrIn {
            size: XATTR_MOST,
            padding: 0,
        };
        let wanted = wanted.to_bytes();
        let mut parts = vec![&wanted[..]];
        parts.extend_from_slice(name);
        self.ask(opcode, ino, &parts).map(Vec::from)
    }
}

impl Volume for ShareVolume {
    fn root(&mut self) -> Result<Found> {
        let attributes = self.attributes(ROOT)?;
        Ok(Found {
            number: ROOT,
            attributes,
        })
    }

    fn caching(&self) -> Caching {
        match self.others_write {
            true => Caching::Nothing,
            false => Caching::WriteThrough,
        }
    }

    fn lookup(&mut self, parent: u64, name: &[u8]) -> Result<Found> {
        self.name(opcode::LOOKUP, Subject::node(parent), &[], name)
    }

    fn attributes(&mut self, ino: u64) -> Result<Attributes> {
        let wanted = GetattrIn::default().to_bytes();
        let answer = self.ask(opcode::GETATTR, ino, &[&wanted])?;
        whole(answer).map(|out: AttrOut| convert::attributes(&out.attr))
    }

    fn change(&mut self, ino: u64, new: &AttributeChange) -> Result<()> {
        let bits = [
            (change::MODE, flags::SET_MODE),
            (change::OWNER, flags::SET_UID | flags::SET_GID),
            (change::ATIME, flags::SET_ATIME),
            (change::MTIME, flags::SET_MTIME),
        ];
        let valid = bits.iter().filter(|(bit, _)| new.valid & bit != 0);
        let wanted = SetattrIn {
            valid: valid.map(|(_, bit)| bit).sum(),
            mode: new.mode,
            uid: new.uid,
            gid: new.gid,
            atime: new.atime.seconds.cast_unsigned(),
            atimensec: new.atime.nanoseconds,
            mtime: new.mtime.seconds.cast_unsigned(),
            mtimensec: new.mtime.nanoseconds,
            ..SetattrIn::default()
        };
        self.set_attributes(ino, &wanted)
    }

    fn create(&mut self, parent: u64, name: &[u8], new: &NewFile<'_>) -> Result<Found> {
        let subject = Subject {
            node: parent,
            uid: new.uid,
            gid: new.gid,
        };
        let mode = new.mode & 0o7777;
        match FileType::from_mode(new.mode) {
            Some(FileType::Regular) => self.create_file(subject, name, mode),
            Some(FileType::Directory) => {
                let wanted = MkdirIn { mode, umask: 0 }.to_bytes();
                self.name(opcode::MKDIR, subject, &wanted, name)
            }
            Some(FileType::Symlink) => {
                let parts = [name, b"\0", new.target, b"\0"];
                let answer = self.channel.ask(opcode::SYMLINK, subject, &parts)?;
                let entry = whole(answer)?;
                self.found(&entry)
            }
            _ => {
                let wanted = MknodIn {
                    mode: new.mode,
                    rdev: u32::try_from(new.rdev).unwrap_or(0),
                    ..MknodIn::default()
                };
                self.name(opcode::MKNOD, subject, &wanted.to_bytes(), name)
            }
        }
    }

    fn link(&mut self, ino: u64, parent: u64, name: &[u8]) -> Result<()> {
        let wanted = LinkIn { oldnodeid: ino }.to_bytes();
        self.name(opcode::LINK, Subject::node(parent), &wanted, name)
            .map(drop)
    }

    fn unlink(&mut self, parent: u64, name: &[u8]) -> Result<()> {
        self.ask(opcode::UNLINK, parent, &[name, b"\0"]).map(drop)
    }

    fn rmdir(&mut self, parent: u64, name: &[u8]) -> Result<()> {
        self.ask(opcode::RMDIR, parent, &[name, b"\0"]).map(drop)
    }

    fn rename(&mut self, from: (u64, &[u8]), to: (u64, &[u8]), mode: RenameMode) -> Result<()> {
        /// `RENAME_EXCHANGE`.
        const EXCHANGE: u32 = 2;
        let wanted = Rename2In {
            newdir: to.0,
            flags: match mode {
                RenameMode::Replace => 0,
                RenameMode::Exchange => EXCHANGE,
            },
            padding: 0,
        };
        let parts = [&wanted.to_bytes()[..], from.1, b"\0", to.1, b"\0"];
        self.ask(opcode::RENAME2, from.0, &parts).map(drop)
    }

    fn forget(&mut self, ino: u64) -> Result<()> {
        let Some(known) = self.known.get(&ino) else {
            return Ok(());
        };
        let given = ForgetIn {
            nlookup: known.lookups,
        };
        self.close(ino)?;
        self.known.remove(&ino);
        let told = self
            .channel
            .tell(opcode::FORGET, Subject::node(ino), &[&given.to_bytes()]);
        told.map(drop)
    }

    fn open(&mut self, ino: u64, writable: bool) -> Result<()> {
        match writable {
            true => self.writer(ino),
            false => self.reader(ino),
        }
        .map(drop)
    }

    fn close(&mut self, ino: u64) -> Result<()> {
        let Some(known) = self.known.get_mut(&ino) else {
            return Ok(());
        };
        for handle in [known.reader.take(), known.writer.take()]
            .into_iter()
            .flatten()
        {
            self.release(ino, opcode::RELEASE, handle)?;
        }
        Ok(())
    }

    fn list(&mut self, ino: u64, emit: &mut Listed<'_>) -> Result<()> {
        let wanted = OpenIn::default().to_bytes();
        let answer = self.ask(opcode::OPENDIR, ino, &[&wanted])?;
        let handle = whole(answer).map(|out: OpenOut| out.fh)?;
        let mut next = Some(0);
        let mut listed = Ok(());
        while let Some(offset) = next {
            (next, listed) = match self.list_from(ino, handle, offset, emit) {
                Ok(next) => (next, Ok(())),
                Err(error) => (None, Err(error)),
            };
        }
        self.release(ino, opcode::RELEASEDIR, handle)?;
        listed
    }

    fn read(&mut self, ino: u64, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        if self.known.get(&ino).is_some_and(|known| known.is_symlink) {
            return self.read_link(ino, buffer);
        }
        let handle = self.reader(ino)?;
        let most = self.most.min(buffer.len());
        let wanted = ReadIn {
            fh: handle,
            offset,
            size: u32::try_from(most).unwrap_or(0),
            ..ReadIn::default()
        };
        let parts = [&wanted.to_bytes()[..]];
        let subject = Subject::node(ino);
        self.channel
            .ask_data(opcode::READ, subject, &parts, &mut buffer[..most])
    }

    fn write(&mut self, ino: u64, offset: u64, bytes: &[u8]) -> Result<()> {
        let handle = self.writer(ino)?;
        let (mut offset, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let some = &rest[..rest.len().min(self.most)];
            let wanted = WriteIn {
                fh: handle,
                offset,
                size: u32::try_from(some.len()).unwrap_or(0),
                ..WriteIn::default()
            };
            let answer = self.ask(opcode::WRITE, ino, &[&wanted.to_bytes(), some])?;
            let written = whole(answer).map(|out: WriteOut| out.size)?;
            let written = usize::try_from(written).unwrap_or(usize::MAX);
            if written == 0 || written > some.len() {
                return Err(Errno::EIO.because("the share's server wrote what it was not given"));
            }
            rest = &rest[written..];
            offset += written as u64;
        }
        Ok(())
    }

    fn truncate(&mut self, ino: u64, size: u64) -> Result<()> {
        let handle = self.known.get(&ino).and_then(|known| known.writer);
        let wanted = SetattrIn {
            valid: flags::SET_SIZE | if handle.is_some() { flags::SET_FH } else { 0 },
            fh: handle.unwrap_or(0),
            size,
            ..SetattrIn::default()
        };
        self.set_attributes(ino, &wanted)
    }

    fn allocate(&mut self, ino: u64, what: Allocate, offset: u64, len: u64) -> Result<()> {
        let wanted = FallocateIn {
            fh: self.writer(ino)?,
            offset,
            length: len,
            mode: convert::allocation(what),
            padding: 0,
        };
        self.ask(opcode::FALLOCATE, ino, &[&wanted.to_bytes()])
            .map(drop)
    }

    fn seek(&mut self, ino: u64, offset: u64, to: SeekTo) -> Result<u64> {
        let wanted = LseekIn {
            fh: self.any_handle(ino)?,
            offset,
            whence: match to {
                SeekTo::Data => 3,
                SeekTo::Hole => 4,
            },
            padding: 0,
        };
        let answer = self.ask(opcode::LSEEK, ino, &[&wanted.to_bytes()])?;
        whole(answer).map(|out: LseekOut| out.offset)
    }

    fn get_xattr(&mut self, ino: u64, name: &[u8]) -> Result<Vec<u8>> {
        self.xattr_value(opcode::GETXATTR, ino, &[name, b"\0"])
    }

    fn set_xattr(&mut self, ino: u64, name: &[u8], value: &[u8], mode: SetXattr) -> Result<()> {
        let wanted = SetxattrIn {
            size: u32::try_from(value.len()).map_err(|_| Errno::E2BIG)?,
            flags: match mode {
                SetXattr::Any => 0,
                SetXattr::Create => 1,
                SetXattr::Replace => 2,
            },
        };
        let parts = [&wanted.to_bytes()[..], name, b"\0", value];
        self.ask(opcode::SETXATTR, ino, &parts).map(drop)
    }

    fn remove_xattr(&mut self, ino: u64, name: &[u8]) -> Result<()> {
        self.ask(opcode::REMOVEXATTR, ino, &[name, b"\0"]).map(drop)
    }

    fn list_xattrs(&mut self, ino: u64) -> Result<Vec<u8>> {
        self.xattr_value(opcode::LISTXATTR, ino, &[])
    }

    fn sync_file(&mut self, ino: u64, data_only: bool) -> Result<()> {
        let wanted = FsyncIn {
            fh: self.any_handle(ino)?,
            fsync_flags: if data_only { flags::FSYNC_FDATASYNC } else { 0 },
            padding: 0,
        };
        self.ask(opcode::FSYNC, ino, &[&wanted.to_bytes()])
            .map(drop)
    }

    fn sync_directory(&mut self, ino: u64) -> Result<()> {
        let wanted = OpenIn::default().to_bytes();
        let answer = self.ask(opcode::OPENDIR, ino, &[&wanted])?;
        let handle = whole(answer).map(|out: OpenOut| out.fh)?;
        let wanted = FsyncIn {
            fh: handle,
            ..FsyncIn::default()
        };
        let synced = self
            .ask(opcode::FSYNCDIR, ino, &[&wanted.to_bytes()])
            .map(drop);
        self.release(ino, opcode::RELEASEDIR, handle)?;
        synced
    }

    fn sync(&mut self) -> Result<()> {
        match self.ask(opcode::SYNCFS, ROOT, &[&[0; 8]]) {
            // Nothing was written to a folder that is shared read-only.
            Ok(_) | Err(Errno::EROFS) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn statistics(&mut self) -> Result<VolumeStatistics> {
        let answer = self.ask(opcode::STATFS, ROOT, &[])?;
        let known: Kstatfs = whole(answer)?;
        Ok(VolumeStatistics {
            magic: MAGIC,
            block_size: known.frsize.into(),
            blocks: known.blocks,
            blocks_free: known.bavail,
            files: known.files,
            files_free: known.ffree,
        })
    }

    fn unmount(&mut self) -> Result<()> {
        // The server ends with the channel, which ends with this process.
        Ok(())
    }
}

impl ShareVolume {
    fn create_file(&mut self, subject: Subject, name: &[u8], mode: u32) -> Result<Found> {
        let wanted = CreateIn {
            flags: O_RDWR | O_CREAT | O_EXCL,
            mode,
            ..CreateIn::default()
        };
        let parts = [&wanted.to_bytes()[..], name, b"\0"];
        let answer = self.channel.ask(opcode::CREATE, subject, &parts)?;
        let (entry, rest) = EntryOut::take(answer).ok_or(Errno::EIO)?;
        let opened: OpenOut = whole(rest)?;
        let found = self.found(&entry)?;
        let known = self.known.get_or_default(found.number);
        (known.writer, known.writer_reads) = (Some(opened.fh), true);
        Ok(found)
    }
}

/// A structure that begins an answer.
fn whole<T: Wire>(answer: &[u8]) -> Result<T> {
    T::get(answer).ok_or(Errno::EIO.because("the share's server sent a short answer"))
}
