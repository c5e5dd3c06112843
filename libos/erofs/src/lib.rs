//! EROFS images without compression: read in place, and written.
//!
//! - [`Image`], [`Inode`], [`Data`]: the reader. It allocates nothing, copies nothing, and lends slices
//!   of the image; what an image says is checked before it is used, so that a damaged one is a
//!   [`Damaged`] and never a panic. Understood are flat files, tails beside the inode, chunks (with
//!   holes), and extended attributes; compression and further devices are refused.
//! - `write` (feature `write`, with std): plans and writes an image from a tree of nodes. The same
//!   tree always yields the same bytes.
//!
//! The libOS reads its root image with it, the build tool writes it. The format is the kernel's
//! (`Documentation/filesystems/erofs.rst`, `fs/erofs/erofs_fs.h`); numbers are little-endian.

#![cfg_attr(not(feature = "write"), no_std)]

mod directory;
mod format;
mod inode;
mod superblock;
mod xattr;

#[cfg(feature = "write")]
pub mod write;

pub use directory::Entry;
pub use inode::{Chunks, Data, Inode, Run};
pub use superblock::Image;
pub use xattr::VisitXattr;

/// That an image is malformed or uses what is not understood; says how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged(pub &'static str);

impl core::fmt::Display for Damaged {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(self.0)
    }
}

impl core::error::Error for Damaged {}

/// What reading an image yields.
pub type Result<T> = core::result::Result<T, Damaged>;
