//! The files that the guest has looked up.
//!
//! Main types: [`Inodes`], [`Inode`]. A file is in the table from its first lookup until the guest has given all lookups
//! back (FORGET). Meanwhile its descriptor keeps the host from using its inode number again, so that a file has one number
//! here however it was reached. Numbers are never used twice.

use super::attributes::{self, Key};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Statx};
use rustix::io::{Errno, Result};
use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

/// How often openat2(2) is asked again when somebody renames directories meanwhile.
const MOST_TRIES: usize = 16;

/// A file that has been looked up.
pub struct Inode {
    /// Open with O_PATH: it can be named by it, neither read nor written.
    pub file: OwnedFd,
    /// What it is; that never changes.
    pub kind: FileType,
    /// Its locks of fcntl(2): a description for each owner.
    pub locks: Vec<(u64, OwnedFd)>,
    key: Key,
    lookups: u64,
}

/// All of them.
pub struct Inodes {
    by_number: HashMap<u64, Inode>,
    by_key: HashMap<Key, u64>,
    next: u64,
    most: usize,
}

impl Inodes {
    /// A table with `root` alone, and room for `most`.
    ///
    /// # Errors
    /// That of statx(2).
    pub fn new(root: OwnedFd, most: usize) -> Result<Self> {
        let found = attributes::stat(&root)?;
        let mut inodes = Self {
            by_number: HashMap::new(),
            by_key: HashMap::new(),
            next: libos_abi::fuse::ROOT,
            most,
        };
        inodes.insert(root, &found)?;
        Ok(inodes)
    }

    /// A file by its number.
    ///
    /// # Errors
    /// ESTALE if it has not been looked up, or has been forgotten.
    pub fn get(&self, number: u64) -> Result<&Inode> {
        self.by_number.get(&number).ok_or(Errno::STALE)
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// ESTALE.
    pub fn get_mut(&mut self, number: u64) -> Result<&mut Inode> {
        self.by_number.get_mut(&number).ok_or(Errno::STALE)
    }

    /// Looks up an entry of a directory, and counts that. Its number, and what stat(2) tells of it.
    ///
    /// # Errors
    /// That of openat2(2) or statx(2); ENFILE if the table is full.
    pub fn lookup(&mut self, parent: u64, name: &CStr) -> Result<(u64, Statx)> {
        let parent = self.get(parent)?;
        let file = entry(&parent.file, name, OFlags::PATH, Mode::empty())?;
        let found = attributes::stat(&file)?;
        Ok((self.insert(file, &found)?, found))
    }

    /// Counts a lookup of a file that was reached by other means.
    ///
    /// # Errors
    /// ENFILE if the table is full.
    pub fn insert(&mut self, file: OwnedFd, found: &Statx) -> Result<u64> {
        let key = attributes::key(found);
        if let Some(number) = self.by_key.get(&key)
            && let Some(inode) = self.by_number.get_mut(number)
        {
            inode.lookups = inode.lookups.saturating_add(1);
            return Ok(*number);
        }
        if self.by_number.len() >= self.most {
            return Err(Errno::NFILE);
        }
        let number = self.next;
        self.next += 1;
        self.by_key.insert(key, number);
        self.by_number.insert(
            number,
            Inode {
                file,
                kind: FileType::from_raw_mode(found.stx_mode.into()),
                locks: Vec::new(),
                key,
                lookups: 1,
            },
        );
        Ok(number)
    }

    /// Gives lookups back; with the last one the file goes. The root stays.
    pub fn forget(&mut self, number: u64, lookups: u64) {
        if number == libos_abi::fuse::ROOT {
            return;
        }
        let Some(inode) = self.by_number.get_mut(&number) else {
            return;
        };
        inode.lookups = inode.lookups.saturating_sub(lookups);
        if inode.lookups == 0 {
            self.by_key.remove(&inode.key);
            self.by_number.remove(&number);
        }
    }
}

impl Inode {
    /// Its path, relative to the working directory.
    pub fn path(&self) -> String {
        self.file.as_raw_fd().to_string()
    }

    /// Opens the file itself, if opening it has no effect of its own: a fifo would wait, a device act.
    ///
    /// # Errors
    /// ELOOP for a symbolic link, ENXIO for a fifo, device or socket; that of openat(2).
    pub fn reopen(&self, flags: OFlags) -> Result<OwnedFd> {
        match self.kind {
            FileType::RegularFile | FileType::Directory => {}
            FileType::Symlink => return Err(Errno::LOOP),
            _ => return Err(Errno::NXIO),
        }
        let flags = flags.difference(OFlags::NOFOLLOW | OFlags::CREATE | OFlags::EXCL);
        rustix::fs::openat(CWD, self.path(), flags | OFlags::CLOEXEC, Mode::empty())
    }
}

/// Opens an entry of a directory, without following a symbolic link.
///
/// # Errors
/// That of openat2(2).
pub fn entry(directory: &OwnedFd, name: &CStr, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..MOST_TRIES {
        match rustix::fs::openat2(directory, name, flags, mode, resolve) {
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}
