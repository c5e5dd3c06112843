//! Disks, as the tender describes them to the libOS.
//!
//! A disk is read and written with pread64(2) and pwrite64(2) on [`Block::handle`]. A write there is in the host's
//! page cache. What is written on [`Block::sync_handle`] is on the disk when the call returns, and so is what the
//! disk's own cache held: to flush, the libOS writes the ranges that it has written since the last flush there again.

use crate::boot::Text;

/// Bits of [`Block::flags`].
pub mod flags {
    /// Writes are refused: the handle has no right to pwrite, and there is no second one.
    pub const READ_ONLY: u32 = 1 << 0;
}

/// [`Block::sync_handle`] of a disk that has none.
pub const NO_HANDLE: u32 = u32::MAX;

/// [`Block::fs`] of a disk without a file system that the libOS mounts.
pub const RAW: u32 = 0;

/// A disk.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Its name: a lower-case letter, then up to 15 of those and digits.
    pub name: Text,
    /// Index of its handle in [`crate::boot::BootInfo::handles`]: of kind
    /// [`crate::handle::HandleKind::Block`], or [`crate::handle::HandleKind::BlockReadOnly`].
    pub handle: u32,
    /// Index of the handle for durable writes, of kind [`crate::handle::HandleKind::BlockSync`];
    /// [`NO_HANDLE`] if there is none.
    pub sync_handle: u32,
    /// Length in bytes: above 0, a multiple of 512, of 4096 if there is a file system.
    pub len: u64,
    /// See [`flags`].
    pub flags: u32,
    /// [`RAW`], or the number of the [`crate::driver::DriverKind`] that reads it.
    pub fs: u32,
    /// Where its file system is mounted: absolute, without `.`, `..`, double or trailing slashes, and not the root
    /// directory. Empty: nowhere.
    pub mount: Text,
}
