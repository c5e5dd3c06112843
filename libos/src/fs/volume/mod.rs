//! File systems whose files are elsewhere: on a disk, behind a channel.
//!
//! A [`Volume`] knows files by number and does what it is asked, one call at a time; it caches nothing. What
//! programs see of it is made here, once for all of them: one inode object for each number in use, its
//! attributes, its pages. Main types: [`Volume`], what such a file system implements; [`driver::DriverVolume`],
//! one that a module beside the image implements.
//!
//! Neighbours: `fs::inode` (the trait that this implements for the VFS), `libos_abi::driver` (the contract).

pub mod driver;
pub mod instance;
pub mod node;
pub mod pages;
pub mod share;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use libos_abi::driver::{AttributeChange, Attributes, VolumeStatistics};

use crate::errno::Result;
use crate::fs::inode::{Allocate, RenameMode, SeekTo, SetXattr};

/// An inode to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number, of device files.
    pub rdev: u64,
    /// Target, of symlinks.
    pub target: &'a [u8],
}

/// What of a volume is kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Everything; changes of content reach the volume some time later, or when asked for.
    WriteBack,
    /// Everything; changes reach the volume at once.
    WriteThrough,
    /// Nothing: others change it too.
    Nothing,
}

/// An inode of a volume.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// What the volume's calls name it by: the same for all of its names, and no other's until
    /// [`Volume::forget`].
    pub number: u64,
    /// What is known of it. Its `ino` is for show.
    pub attributes: Attributes,
}

/// Takes name, inode number (as stat(2) shows it) and type bits of one name of a directory.
pub type Listed<'a> = dyn FnMut(&[u8], u64, u32) + 'a;

/// A file system that knows files by number.
///
/// Callers have checked names, permissions and types. Errors are those of the call in its manual page, and EIO
/// or EUCLEAN of what lies below.
pub trait Volume: Send {
    /// What is known of the root directory.
    ///
    /// # Errors
    /// See the trait.
    fn root(&mut self) -> Result<Found>;

    /// What of it may be kept in memory.
    fn caching(&self) -> Caching {
        Caching::WriteBack
    }

    /// The inode behind a name.
    ///
    /// # Errors
    /// ENOENT.
    fn lookup(&mut self, parent: u64, name: &[u8]) -> Result<Found>;

    /// What is known of an inode.
    ///
    /// # Errors
    /// See the trait.
    fn attributes(&mut self, ino: u64) -> Result<Attributes>;

    /// Changes metadata.
    ///
    /// # Errors
    /// See the trait.
    fn change(&mut self, ino: u64, change: &AttributeChange) -> Result<()>;

    /// Makes an inode.
    ///
    /// # Errors
    /// ENOSPC.
    fn create(&mut self, parent: u64, name: &[u8], new: &NewFile<'_>) -> Result<Found>;

    /// Gives an inode another name.
    ///
    /// # Errors
    /// EMLINK, ENOSPC.
    fn link(&mut self, ino: u64, parent: u64, name: &[u8]) -> Result<()>;

    /// Removes the name of something that is not a directory; the inode lives until [`Self::forget`].
    ///
    /// # Errors
    /// ENOENT.
    fn unlink(&mut self, parent: u64, name: &[u8]) -> Result<()>;

    /// Removes an empty directory; the inode lives until [`Self::forget`].
    ///
    /// # Errors
    /// ENOTEMPTY.
    fn rmdir(&mut self, parent: u64, name: &[u8]) -> Result<()>;

    /// Moves a name; an inode that it replaces lives until [`Self::forget`].
    ///
    /// # Errors
    /// ENOTEMPTY, ENOSPC.
    fn rename(&mut self, from: (u64, &[u8]), to: (u64, &[u8]), mode: RenameMode) -> Result<()>;

    /// Nobody uses this inode's number any more. What has no name is freed.
    ///
    /// # Errors
    /// See the trait.
    fn forget(&mut self, ino: u64) -> Result<()>;

    /// Somebody opens a file: later reads, and writes if `writable`, are done with the rights of this moment.
    ///
    /// # Errors
    /// EACCES, ETXTBSY, EROFS: volumes that judge themselves.
    fn open(&mut self, ino: u64, writable: bool) -> Result<()> {
        let _ = (ino, writable);
        Ok(())
    }

    /// Nobody has this file open any more.
    ///
    /// # Errors
    /// See the trait.
    fn close(&mut self, ino: u64) -> Result<()> {
        let _ = ino;
        Ok(())
    }

    /// All names of a directory but `.` and `..`.
    ///
    /// # Errors
    /// See the trait.
    fn list(&mut self, ino: u64, emit: &mut Listed<'_>) -> Result<()>;

    /// Reads a file, or a symlink's target; returns how many bytes.
    ///
    /// # Errors
    /// See the trait.
    fn read(&mut self, ino: u64, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// ENOSPC, EFBIG.
    fn write(&mut self, ino: u64, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Sets the size.
    ///
    /// # Errors
    /// EFBIG.
    fn truncate(&mut self, ino: u64, size: u64) -> Result<()>;

    /// Changes the storage of a range.
    ///
    /// # Errors
    /// EOPNOTSUPP, ENOSPC, EFBIG.
    fn allocate(&mut self, ino: u64, what: Allocate, offset: u64, len: u64) -> Result<()>;

    /// The next byte with or without storage.
    ///
    /// # Errors
    /// ENXIO.
    fn seek(&mut self, ino: u64, offset: u64, to: SeekTo) -> Result<u64>;

    /// The value of an extended attribute.
    ///
    /// # Errors
    /// ENODATA, EOPNOTSUPP.
    fn get_xattr(&mut self, ino: u64, name: &[u8]) -> Result<Vec<u8>>;

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// EEXIST, ENODATA, EOPNOTSUPP, ENOSPC.
    fn set_xattr(&mut self, ino: u64, name: &[u8], value: &[u8], mode: SetXattr) -> Result<()>;

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// ENODATA, EOPNOTSUPP.
    fn remove_xattr(&mut self, ino: u64, name: &[u8]) -> Result<()>;

    /// The names of extended attributes, each with a NUL behind it.
    ///
    /// # Errors
    /// See the trait.
    fn list_xattrs(&mut self, ino: u64) -> Result<Vec<u8>>;

    /// What was written of this file survives a power cut once this has returned; with `data_only` without what
    /// is not needed to read it back.
    ///
    /// # Errors
    /// See the trait.
    fn sync_file(&mut self, ino: u64, data_only: bool) -> Result<()> {
        let _ = (ino, data_only);
        self.sync()
    }

    /// The names of this directory survive a power cut once this has returned.
    ///
    /// # Errors
    /// See the trait.
    fn sync_directory(&mut self, ino: u64) -> Result<()> {
        self.sync_file(ino, false)
    }

    /// Everything written so far survives a power cut once this has returned.
    ///
    /// # Errors
    /// See the trait.
    fn sync(&mut self) -> Result<()>;

    /// What statfs(2) tells.
    ///
    /// # Errors
    /// See the trait.
    fn statistics(&mut self) -> Result<VolumeStatistics>;

    /// Writes everything; nothing is asked of it afterwards.
    ///
    /// # Errors
    /// See the trait.
    fn unmount(&mut self) -> Result<()>;
}
