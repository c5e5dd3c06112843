//! File systems whose content is made when it is asked for: what `/proc` and `/sys` are built of.
//!
//! - [`Item`]: a file that a function writes, a directory, a symlink.
//! - [`Listing`]: the names of a directory, fixed ([`Table`]) or made anew each time.
//! - [`PseudoFs::root`] makes an inode of a directory; everything below follows from it.
//!
//! A file's text is made when it is read from the start, so that a reader of many pieces sees one
//! moment, and one that rewinds sees the present, as with Linux's seq_file.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::file::{File, Io, OpenFlags, Written};
use crate::fs::inode::{
    Change, DirEntry, EmitEntry, FileType, FsStatistics, Inode, Metadata, NewNode, Ownership,
    cookie,
};
use crate::fs::tmpfs::new_device_number;
use crate::fs::vfs::Path;
use crate::sync::SpinLock;
use crate::task::Tid;
use crate::user::{Dest, Source, Timespec};

/// What a name stands for.
#[derive(Clone)]
pub enum Item {
    /// A file whose text a function makes for a thread.
    Text(fn(Tid) -> Vec<u8>),
    /// As `Text`, from a closure.
    Made(Arc<dyn Fn() -> Vec<u8> + Send + Sync>),
    /// As `Text`, and what is written goes to the other function.
    Setting(fn(Tid) -> Vec<u8>, fn(Tid, &[u8]) -> Result<()>),
    /// A directory.
    Directory(Arc<dyn Listing>),
    /// A symlink with a text.
    Link(fn(Tid) -> Vec<u8>),
    /// A symlink that leads to a place whatever its text says.
    Magic(Arc<dyn Magic>),
}

/// A symlink that is followed without reading its text.
pub trait Magic: Send + Sync {
    /// The text for readlink(2).
    ///
    /// # Errors
    /// ENOENT if its target is gone.
    fn text(&self) -> Result<Vec<u8>>;

    /// Where it leads.
    ///
    /// # Errors
    /// ENOENT if its target is gone.
    fn target(&self) -> Result<Path>;

    /// Permission bits, which say how the target may be used.
    fn mode(&self) -> u32 {
        0o777
    }
}

/// The names of a directory.
pub trait Listing: Send + Sync {
    /// What `name` stands for.
    fn get(&self, name: &[u8]) -> Option<Item>;

    /// All names with their types.
    fn names(&self) -> Vec<(Vec<u8>, FileType)>;

    /// The thread that files in it speak of.
    fn subject(&self) -> Tid {
        0
    }

    /// Whether names stay valid once found.
    fn is_stable(&self) -> bool {
        true
    }
}

/// One line of a [`Table`]: a name and what makes its item for the table's thread.
pub type Row = (&'static str, fn(Tid) -> Item);

/// A directory whose names are fixed.
pub struct Table {
    /// The thread that its files speak of.
    pub subject: Tid,
    /// Its names.
    pub rows: &'static [Row],
}

impl Listing for Table {
    fn get(&self, name: &[u8]) -> Option<Item> {
        let row = self
            .rows
            .iter()
            .find(|(known, _)| known.as_bytes() == name)?;
        Some(row.1(self.subject))
    }

    fn names(&self) -> Vec<(Vec<u8>, FileType)> {
        self.rows
            .iter()
            .map(|(name, make)| (name.as_bytes().to_vec(), make(self.subject).file_type()))
            .collect()
    }

    fn subject(&self) -> Tid {
        self.subject
    }
}

/// A directory with fixed names for `subject`.
pub fn table(subject: Tid, rows: &'static [Row]) -> Item {
    Item::Directory(Arc::new(Table { subject, rows }))
}

/// Writes formatted text.
pub fn text(write: impl FnOnce(&mut String) -> core::fmt::Result) -> Vec<u8> {
    let mut out = String::new();
    // A string takes everything.
    let _ = write(&mut out);
    out.into_bytes()
}

impl Item {
    /// Its type.
    pub fn file_type(&self) -> FileType {
        match self {
            Self::Text(_) | Self::Made(_) | Self::Setting(..) => FileType::Regular,
            Self::Directory(_) => FileType::Directory,
            Self::Link(_) | Self::Magic(_) => FileType::Symlink,
        }
    }

    fn mode(&self) -> u32 {
        match self {
            Self::Text(_) | Self::Made(_) => 0o444,
            Self::Setting(..) => 0o644,
            Self::Directory(_) => 0o555,
            Self::Link(_) => 0o777,
            Self::Magic(magic) => magic.mode(),
        }
    }
}

/// One instance.
pub struct PseudoFs {
    dev: u64,
    magic: u64,
    started: Timespec,
}

impl PseudoFs {
    /// The root inode of a new instance with this `f_type`.
    pub fn root(magic: u64, listing: Arc<dyn Listing>) -> Arc<dyn Inode> {
        let fs = Arc::new(Self {
            dev: new_device_number(),
            magic,
            started: Timespec::from_ns(crate::time::realtime_ns()),
        });
        Arc::new(Pseudo {
            fs,
            ino: 1,
            subject: listing.subject(),
            item: Item::Directory(listing),
        })
    }
}

/// An inode.
struct Pseudo {
    fs: Arc<PseudoFs>,
    ino: u64,
    subject: Tid,
    item: Item,
}

impl Pseudo {
    /// A number that is the same each time a name is looked up (FNV-1a over directory and name).
    fn child_ino(&self, name: &[u8]) -> u64 {
        let start = self.ino ^ 0xcbf2_9ce4_8422_2325;
        let hash = name.iter().fold(start, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (hash >> 1).max(2)
    }

    fn listing(&self) -> Result<&Arc<dyn Listing>> {
        match &self.item {
            Item::Directory(listing) => Ok(listing),
            _ => Err(Errno::ENOTDIR),
        }
    }
}

impl Inode for Pseudo {
    fn file_type(&self) -> FileType {
        self.item.file_type()
    }

    fn metadata(&self) -> Metadata {
        let owner = self.ownership();
        let time = self.fs.started;
        let is_directory = self.file_type() == FileType::Directory;
        Metadata {
            dev: self.fs.dev,
            ino: self.ino,
            file_type: self.file_type(),
            mode: owner.mode,
            nlink: if is_directory { 2 } else { 1 },
            uid: owner.uid,
            gid: owner.gid,
            rdev: 0,
            size: 0,
            blocks: 0,
            block_size: 1024,
            atime: time,
            mtime: time,
            ctime: time,
            btime: time,
        }
    }

    fn ownership(&self) -> Ownership {
        // What speaks of a process belongs to its user.
        let credentials = match self.subject {
            0 => crate::fs::vfs::Credentials::default(),
            _ => crate::fs::credentials(),
        };
        Ownership {
            mode: self.item.mode(),
            uid: credentials.uid,
            gid: credentials.gid,
        }
    }

    fn change(&self, _change: &Change) -> Result<()> {
        Err(Errno::EPERM)
    }

    fn statistics(&self) -> FsStatistics {
        FsStatistics {
            magic: self.fs.magic,
            block_size: 4096,
            blocks: 0,
            blocks_free: 0,
            files: 0,
            files_free: 0,
            id: self.fs.dev,
        }
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        let listing = self.listing()?;
        let item = listing.get(name).ok_or(Errno::ENOENT)?;
        let subject = match &item {
            Item::Directory(below) => below.subject(),
            _ => self.subject,
        };
        Ok(Arc::new(Self {
            fs: Arc::clone(&self.fs),
            ino: self.child_ino(name),
            subject,
            item,
        }))
    }

    fn create(
        &self,
        _name: &[u8],
        _node: NewNode<'_>,
        _owner: Ownership,
    ) -> Result<Arc<dyn Inode>> {
        // Linux's procfs fails at the lookup already, whatever was to be made.
        Err(Errno::ENOENT)
    }

    fn names_are_stable(&self) -> bool {
        self.listing().is_ok_and(|listing| listing.is_stable())
    }

    fn read_dir(&self, from: u64, emit: &mut EmitEntry<'_>) -> Result<()> {
        let names = self.listing()?.names();
        let first = from.max(cookie::FIRST);
        for (name, next) in names.iter().zip(cookie::FIRST..) {
            let (name, file_type) = name;
            let entry = DirEntry {
                name,
                ino: self.child_ino(name),
                file_type: *file_type,
                next: next + 1,
            };
            if next >= first && !emit(entry) {
                break;
            }
        }
        Ok(())
    }

    fn read_link(&self) -> Result<Arc<[u8]>> {
        match &self.item {
            Item::Link(text) => Ok(text(self.subject).into()),
            Item::Magic(magic) => magic.text().map(Into::into),
            _ => Err(Errno::EINVAL),
        }
    }

    fn follow(&self) -> Option<Result<Path>> {
        match &self.item {
            Item::Magic(magic) => Some(magic.target()),
            _ => None,
        }
    }

    fn open(self: Arc<Self>, _flags: OpenFlags) -> Result<Arc<dyn File>> {
        match self.file_type() {
            FileType::Symlink => Err(Errno::ELOOP),
            _ => Ok(Arc::new(OpenPseudo {
                node: self,
                snapshot: SpinLock::default(),
            })),
        }
    }

    fn truncate(&self, _size: u64) -> Result<()> {
        // `echo x > /proc/…` opens with O_TRUNC.
        match &self.item {
            Item::Setting(..) | Item::Text(_) | Item::Made(_) => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// An open file or directory.
struct OpenPseudo {
    node: Arc<Pseudo>,
    snapshot: SpinLock<Arc<[u8]>>,
}

impl OpenPseudo {
    fn bytes(&self, offset: u64, make: impl FnOnce() -> Vec<u8>) -> Arc<[u8]> {
        if offset == 0 {
            let bytes: Arc<[u8]> = make().into();
            *self.snapshot.lock() = bytes;
        }
        Arc::clone(&self.snapshot.lock())
    }
}

impl File for OpenPseudo {
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        let bytes = match &self.node.item {
            Item::Text(make) | Item::Setting(make, _) => {
                self.bytes(io.offset, || make(self.node.subject))
            }
            Item::Made(make) => self.bytes(io.offset, || make()),
            Item::Directory(_) => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        };
        let start = usize::try_from(io.offset).unwrap_or(usize::MAX);
        match bytes.get(start..) {
            Some(rest) => dest.put(rest),
            None => Ok(0),
        }
    }

    fn write(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        /// Longer settings don't exist.
        const LONGEST: usize = 4096;
        let Item::Setting(_, set) = &self.node.item else {
            return Err(Errno::EINVAL);
        };
        let mut bytes = alloc::vec![0; source.left().min(LONGEST)];
        let count = source.take(&mut bytes)?;
        set(self.node.subject, &bytes[..count])?;
        Ok(Written {
            count,
            end: io.offset + count as u64,
        })
    }

    fn read_dir(&self, io: Io, emit: &mut EmitEntry<'_>) -> Result<()> {
        self.node.read_dir(io.offset, emit)
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
