//! Inodes: what has a mode, an owner, times and a size.
//!
//! [`Inode`] is the one trait behind which a file system stands: the in-memory one (`tmpfs`), `/dev`,
//! `/proc`, `/sys`, and later those on block devices or behind a channel. An inode knows neither its
//! name nor its place; names belong to `vfs::Dentry`, which also checks permissions, mounts and flags
//! before it calls an inode. So a method here does what it is asked, or says why the file system
//! cannot.
//!
//! Neighbours: `vfs` (callers), [`File`] (what opening yields).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use crate::errno::{Errno, Result};
use crate::fs::file::{File, OpenFlags};
use crate::fs::locks::LockTable;
use crate::sync::SpinLock;
use crate::user::Timespec;

/// What kind of object an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// Named pipe.
    Fifo,
    /// Character device.
    CharDevice,
    /// Directory.
    Directory,
    /// Block device.
    BlockDevice,
    /// Regular file.
    Regular,
    /// Symbolic link.
    Symlink,
    /// Unix-domain socket.
    Socket,
}

impl FileType {
    /// The `S_IFMT` bits of `st_mode`.
    pub const fn mode_bits(self) -> u32 {
        match self {
            Self::Fifo => 0o010_000,
            Self::CharDevice => 0o020_000,
            Self::Directory => 0o040_000,
            Self::BlockDevice => 0o060_000,
            Self::Regular => 0o100_000,
            Self::Symlink => 0o120_000,
            Self::Socket => 0o140_000,
        }
    }

    /// From the `S_IFMT` bits of a mode; `None` if they name no type.
    pub const fn from_mode(mode: u32) -> Option<Self> {
        Some(match mode & 0o170_000 {
            0o010_000 => Self::Fifo,
            0o020_000 => Self::CharDevice,
            0o040_000 => Self::Directory,
            0o060_000 => Self::BlockDevice,
            0o100_000 => Self::Regular,
            0o120_000 => Self::Symlink,
            0o140_000 => Self::Socket,
            _ => return None,
        })
    }

    /// `d_type` of getdents64(2).
    pub const fn dirent_type(self) -> u8 {
        match self {
            Self::Fifo => 1,
            Self::CharDevice => 2,
            Self::Directory => 4,
            Self::BlockDevice => 6,
            Self::Regular => 8,
            Self::Symlink => 10,
            Self::Socket => 12,
        }
    }
}

/// What stat(2) says.
#[derive(Clone, Copy, Debug)]
pub struct Metadata {
    /// Device number of the file system.
    pub dev: u64,
    /// Inode number, unique within `dev`.
    pub ino: u64,
    /// Type.
    pub file_type: FileType,
    /// Permission bits, 12 of them.
    pub mode: u32,
    /// Number of names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number, of device files.
    pub rdev: u64,
    /// Size in bytes.
    pub size: u64,
    /// Storage in units of 512 bytes.
    pub blocks: u64,
    /// Preferred size of a transfer, in bytes.
    pub block_size: u32,
    /// Last read.
    pub atime: Timespec,
    /// Last change of the content.
    pub mtime: Timespec,
    /// Last change of content or metadata.
    pub ctime: Timespec,
    /// Creation.
    pub btime: Timespec,
}

impl Metadata {
    /// `st_mode`: type and permission bits.
    pub const fn st_mode(&self) -> u32 {
        self.file_type.mode_bits() | self.mode
    }
}

/// A device number as stat(2) encodes it.
pub const fn device_number(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}

/// Who may do what with an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// Permission bits, 12 of them.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Changes of metadata; `None` leaves a field as it is. A change always sets the change time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    /// New permission bits.
    pub mode: Option<u32>,
    /// New owner.
    pub uid: Option<u32>,
    /// New group.
    pub gid: Option<u32>,
    /// New access time.
    pub atime: Option<Timespec>,
    /// New modification time.
    pub mtime: Option<Timespec>,
}

/// What to make under a new name.
#[derive(Clone, Copy, Debug)]
pub enum NewNode<'a> {
    /// An empty regular file.
    Regular,
    /// An empty directory.
    Directory,
    /// A symlink with this target.
    Symlink(&'a [u8]),
    /// A device file with this device number, a fifo or a socket.
    Special(FileType, u64),
}

impl NewNode<'_> {
    /// Its type.
    pub const fn file_type(&self) -> FileType {
        match self {
            Self::Regular => FileType::Regular,
            Self::Directory => FileType::Directory,
            Self::Symlink(_) => FileType::Symlink,
            Self::Special(file_type, _) => *file_type,
        }
    }
}

/// How rename(2) treats an existing target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameMode {
    /// The target, if any, is replaced.
    Replace,
    /// The two names change places.
    Exchange,
}

/// What fallocate(2) is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocate {
    /// Give storage to the range; grow the size to hold it.
    Grow,
    /// Give storage to the range, keep the size.
    KeepSize,
    /// Take the storage of the range away: it reads as zero.
    PunchHole,
    /// Make the range read as zero; grow the size to hold it.
    ZeroRange,
    /// Make the range read as zero, keep the size.
    ZeroRangeKeepSize,
    /// Remove the range, moving up what follows.
    CollapseRange,
    /// Insert a hole, moving what follows.
    InsertRange,
}

/// Where lseek(2) with SEEK_DATA or SEEK_HOLE goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekTo {
    /// The next byte with storage.
    Data,
    /// The next byte without storage; the end of the file counts as one.
    Hole,
}

/// How setxattr(2) treats an existing value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetXattr {
    /// Create or replace.
    Any,
    /// Fail with EEXIST if it exists.
    Create,
    /// Fail with ENODATA if it does not.
    Replace,
}

/// What is to survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncScope {
    /// The content of a file, and what is needed to read it (fdatasync(2)).
    Data,
    /// A file with all of its metadata (fsync(2)).
    File,
    /// The whole file system (syncfs(2)).
    FileSystem,
}

/// One name in a directory.
#[derive(Clone, Copy, Debug)]
pub struct DirEntry<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Inode number.
    pub ino: u64,
    /// Type.
    pub file_type: FileType,
    /// Position behind this entry: reading goes on there. Stable while the directory changes.
    pub next: u64,
}

/// Says whether reading a directory goes on (`true`) or the buffer is full (`false`: the entry was
/// not taken).
pub type EmitEntry<'a> = dyn FnMut(DirEntry<'_>) -> bool + 'a;

/// The cookies of `.` and `..`, and the first that a file system may give to its own entries.
pub mod cookie {
    /// Behind `.`.
    pub const DOT: u64 = 1;
    /// Behind `..`.
    pub const DOT_DOT: u64 = 2;
    /// The smallest value of [`super::DirEntry::next`] of a real entry.
    pub const FIRST: u64 = 3;
}

/// What statfs(2) says of a file system.
#[derive(Clone, Copy, Debug)]
pub struct FsStatistics {
    /// Magic number (`f_type`).
    pub magic: u64,
    /// Block size in bytes.
    pub block_size: u64,
    /// Blocks in all; 0 if there is no limit.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Inodes in all.
    pub files: u64,
    /// Inodes still free.
    pub files_free: u64,
    /// Identifies the file system.
    pub id: u64,
}

/// State that other subsystems hang on an inode: locks, the listener of a socket file, the pipe of
/// a fifo. Created empty and without allocation.
#[derive(Default)]
pub struct Extras {
    /// flock(2) and fcntl(2) locks.
    pub locks: LockTable,
    /// What a socket file is bound to, or the pipe behind a fifo; owned by whoever set it.
    pub bound: SpinLock<Option<Arc<dyn Any + Send + Sync>>>,
}

/// A file, directory, symlink or device of a file system.
///
/// Callers have checked names (no `/`, not empty, not `.` or `..`), permissions and read-only
/// mounts. Defaults answer as Linux does for an object of another type or a file system that lacks
/// the operation.
pub trait Inode: Send + Sync + Any {
    /// Its type; never changes.
    fn file_type(&self) -> FileType;

    /// What stat(2) says.
    fn metadata(&self) -> Metadata;

    /// Mode and owner only: asked for at every step of a path walk.
    fn ownership(&self) -> Ownership {
        let metadata = self.metadata();
        Ownership {
            mode: metadata.mode,
            uid: metadata.uid,
            gid: metadata.gid,
        }
    }

    /// Changes mode, owner, times.
    ///
    /// # Errors
    /// EPERM if this object's metadata cannot be changed.
    fn change(&self, change: &Change) -> Result<()> {
        let _ = change;
        Err(Errno::EPERM)
    }

    /// What statfs(2) says of its file system.
    fn statistics(&self) -> FsStatistics;

    /// The inode behind `name` in this directory.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR.
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        let _ = name;
        Err(Errno::ENOTDIR)
    }

    /// Whether a found name stays valid until this VFS removes it. `false` for directories whose
    /// names come and go by themselves (`/proc/self/fd`).
    fn names_are_stable(&self) -> bool {
        true
    }

    /// Makes a new inode under `name`, which does not exist.
    ///
    /// # Errors
    /// EEXIST, ENOSPC, EPERM if this directory takes no new names.
    fn create(&self, name: &[u8], node: NewNode<'_>, owner: Ownership) -> Result<Arc<dyn Inode>> {
        let _ = (name, node, owner);
        Err(Errno::EPERM)
    }

    /// A regular file in this directory's file system that has no name (O_TMPFILE).
    ///
    /// # Errors
    /// EOPNOTSUPP if the file system cannot.
    fn create_unnamed(&self, owner: Ownership) -> Result<Arc<dyn Inode>> {
        let _ = owner;
        Err(Errno::EOPNOTSUPP)
    }

    /// Gives `inode`, of the same file system, another name in this directory.
    ///
    /// # Errors
    /// EEXIST, EMLINK, EPERM.
    fn link(&self, name: &[u8], inode: &Arc<dyn Inode>) -> Result<()> {
        let _ = (name, inode);
        Err(Errno::EPERM)
    }

    /// Removes the name of something that is not a directory.
    ///
    /// # Errors
    /// ENOENT, EISDIR, EPERM.
    fn unlink(&self, name: &[u8]) -> Result<()> {
        let _ = name;
        Err(Errno::EPERM)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, ENOTEMPTY, EPERM.
    fn rmdir(&self, name: &[u8]) -> Result<()> {
        let _ = name;
        Err(Errno::EPERM)
    }

    /// Moves `name` to `new_name` in `new_parent` (same file system; maybe this directory itself).
    /// The caller has excluded moving a directory below itself and mismatched types.
    ///
    /// # Errors
    /// ENOENT, ENOTEMPTY, EPERM.
    fn rename(
        &self,
        name: &[u8],
        new_parent: &Arc<dyn Inode>,
        new_name: &[u8],
        mode: RenameMode,
    ) -> Result<()> {
        let _ = (name, new_parent, new_name, mode);
        Err(Errno::EPERM)
    }

    /// The names in this directory from `cookie` on (0: from the start), without `.` and `..`.
    ///
    /// # Errors
    /// ENOTDIR.
    fn read_dir(&self, cookie: u64, emit: &mut EmitEntry<'_>) -> Result<()> {
        let _ = (cookie, emit);
        Err(Errno::ENOTDIR)
    }

    /// The target of a symlink.
    ///
    /// # Errors
    /// EINVAL for anything else.
    fn read_link(&self) -> Result<Arc<[u8]>> {
        Err(Errno::EINVAL)
    }

    /// Where following a magic link (`/proc/self/fd/3`) leads, if this is one; its [`Self::read_link`]
    /// is only for show.
    fn follow(&self) -> Option<Result<crate::fs::vfs::Path>> {
        None
    }

    /// What an open file description of it refers to. The VFS has truncated it if O_TRUNC says so.
    ///
    /// # Errors
    /// ENXIO for a device or socket nobody serves.
    fn open(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>>;

    /// Sets the size; new bytes are zero.
    ///
    /// # Errors
    /// EINVAL if it is not a regular file, EISDIR, EFBIG, ENOSPC, EPERM if sealed.
    fn truncate(&self, size: u64) -> Result<()> {
        let _ = size;
        Err(match self.file_type() {
            FileType::Directory => Errno::EISDIR,
            _ => Errno::EINVAL,
        })
    }

    /// See fallocate(2).
    ///
    /// # Errors
    /// EOPNOTSUPP if the file system cannot; EINVAL, ENOSPC, EFBIG, EPERM if sealed.
    fn allocate(&self, what: Allocate, offset: u64, len: u64) -> Result<()> {
        let _ = (what, offset, len);
        Err(Errno::EOPNOTSUPP)
    }

    /// The next byte with or without storage, from `offset` on.
    ///
    /// # Errors
    /// ENXIO at or beyond the end.
    fn seek(&self, offset: u64, to: SeekTo) -> Result<u64> {
        let size = self.metadata().size;
        match to {
            _ if offset >= size => Err(Errno::ENXIO),
            SeekTo::Data => Ok(offset),
            SeekTo::Hole => Ok(size),
        }
    }

    /// Lets what was written survive a power cut; files in memory are as durable as they get.
    ///
    /// # Errors
    /// EIO, ENOSPC: what could not be written, now or earlier.
    fn sync(&self, scope: SyncScope) -> Result<()> {
        let _ = scope;
        Ok(())
    }

    /// The value of an extended attribute.
    ///
    /// # Errors
    /// ENODATA if it has none of that name; EOPNOTSUPP.
    fn get_xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        let _ = name;
        Err(Errno::EOPNOTSUPP)
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// EEXIST and ENODATA as `mode` says; EOPNOTSUPP, ENOSPC.
    fn set_xattr(&self, name: &[u8], value: &[u8], mode: SetXattr) -> Result<()> {
        let _ = (name, value, mode);
        Err(Errno::EOPNOTSUPP)
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// ENODATA, EOPNOTSUPP.
    fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        let _ = name;
        Err(Errno::EOPNOTSUPP)
    }

    /// The names of its extended attributes, each with a NUL behind it.
    ///
    /// # Errors
    /// None by default: an empty list.
    fn list_xattrs(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// What other subsystems hang on it; `None` if nothing can be locked or bound here.
    fn extras(&self) -> Option<&Extras> {
        None
    }
}

impl dyn Inode {
    /// The inode as a `T`, if it is one.
    pub fn downcast<T: Inode>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.file_type() == FileType::Directory
    }
}
