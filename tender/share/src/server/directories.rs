//! Listing directories.

use super::Server;
use super::attributes;
use super::call::Call;
use super::inodes::entry;
use crate::channel::Reply;
use libos_abi::fuse::messages::{Dirent, EntryOut, OpenIn, ReadIn};
use libos_abi::fuse::wire::Wire;
use libos_abi::fuse::{MOST_DATA, ROOT, flags};
use rustix::fs::{FileType, OFlags, RawDir, SeekFrom};
use rustix::io::{Errno, Result};
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

/// Room for the kernel's entries, in bytes: at least the longest one.
const LEAST_ROOM: usize = 512;

/// The same, at most: what is read and does not fit into the answer is read again.
const MOST_ROOM: usize = 32 << 10;

/// An entry, as the kernel tells it.
struct Entry<'a> {
    name: &'a CStr,
    kind: FileType,
    ino: u64,
    next: u64,
}

impl Server {
    pub(super) fn opendir(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        call.read::<OpenIn>()?;
        let inode = self.inodes.get(call.header.nodeid)?;
        if inode.kind != FileType::Directory {
            return Err(Errno::NOTDIR);
        }
        self.handles.check_room()?;
        let file = inode.reopen(OFlags::RDONLY | OFlags::DIRECTORY)?;
        let cache = flags::OPEN_KEEP_CACHE | flags::OPEN_CACHE_DIR;
        self.put_handle(call.header.nodeid, file, cache, reply)
    }

    /// The entries, `.` and `..` among them.
    pub(super) fn readdir(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        self.list(call, reply, |_, _, _, _| Ok(None))
    }

    /// The entries, each with what LOOKUP would answer, and counted as looked up. Those that cannot be looked up
    /// have the number 0.
    pub(super) fn readdirplus(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        self.list(call, reply, |server, directory, found, has_room| {
            if !has_room || matches!(found.name.to_bytes(), b"." | b"..") {
                return Ok(Some(EntryOut::default()));
            }
            Ok(Some(server.looked_up(directory, found.name)))
        })
    }

    fn looked_up(&mut self, directory: &OwnedFd, name: &CStr) -> EntryOut {
        let found =
            entry(directory, name, OFlags::PATH, rustix::fs::Mode::empty()).and_then(|file| {
                let found = attributes::stat(&file)?;
                Ok((self.inodes.insert(file, &found)?, found))
            });
        match found {
            Ok((number, found)) => self.entry_out(number, &found),
            Err(_) => EntryOut::default(),
        }
    }

    /// Puts entries into the answer for as long as there is room; `plus` makes what stands before each.
    fn list(
        &mut self,
        call: &Call<'_>,
        reply: &mut Reply,
        plus: impl Fn(&mut Self, &OwnedFd, &Entry<'_>, bool) -> Result<Option<EntryOut>>,
    ) -> Result<()> {
        let (wanted, _) = call.read::<ReadIn>()?;
        let handle = self.handles.get(wanted.fh)?;
        let is_root = handle.inode == ROOT;
        // Another descriptor of the same description: the handle stays free for what `plus` does.
        let directory = rustix::io::fcntl_dupfd_cloexec(&handle.file, 0)?;
        rustix::fs::seek(&directory, SeekFrom::Start(wanted.offset))?;
        let room = usize::try_from(wanted.size)
            .unwrap_or(MOST_DATA)
            .min(MOST_DATA);
        let mut buffer = vec![MaybeUninit::uninit(); room.clamp(LEAST_ROOM, MOST_ROOM)];
        let mut entries = RawDir::new(&directory, &mut buffer);
        let root = self.inodes.get(ROOT)?;
        let root_ino = attributes::stat(&root.file)?.stx_ino;
        while let Some(found) = entries.next() {
            let found = match found {
                Ok(found) => found,
                Err(_) if reply.len() > 0 => break,
                Err(error) => return Err(error),
            };
            let is_parent_of_root = is_root && found.file_name() == c"..";
            let found = Entry {
                name: found.file_name(),
                kind: found.file_type(),
                ino: if is_parent_of_root {
                    root_ino
                } else {
                    found.ino()
                },
                next: found.next_entry_cookie(),
            };
            let probe = plus(self, &directory, &found, false)?;
            let len = probe.map_or(0, |_| EntryOut::LEN) + Dirent::LEN + found.name.count_bytes();
            if reply.len() + len.next_multiple_of(8) > room {
                break;
            }
            if let Some(before) = plus(self, &directory, &found, true)? {
                reply.put(before.to_bytes());
            }
            put_dirent(&found, reply);
        }
        Ok(())
    }
}

fn put_dirent(found: &Entry<'_>, reply: &mut Reply) {
    let name = found.name.to_bytes();
    let dirent = Dirent {
        ino: found.ino,
        off: found.next,
        namelen: u32::try_from(name.len()).unwrap_or(0),
        kind: found.kind.as_raw_mode() >> 12,
    };
    reply.put(dirent.to_bytes());
    reply.extend(name);
    reply.align();
}
