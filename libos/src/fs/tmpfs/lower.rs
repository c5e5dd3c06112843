//! What a directory in memory may lie over: a read-only tree whose bytes stay mapped.
//!
//! Nothing of it is read before it is asked for: a name is looked up, or all are listed, and only then
//! is the object behind it ([`LowerNode`]) made.

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::errno::Result;
use crate::fs::inode::{FileType, Ownership};
use crate::fs::packed::FileBytes;
use crate::fs::tmpfs::xattr::Xattrs;
use crate::user::Timespec;

/// An object of a lower tree.
pub struct LowerNode {
    /// Its number, which tells it apart from all others of the tree.
    pub number: u64,
    /// Permission bits and owner.
    pub owner: Ownership,
    /// Modification time; also shown as the other times.
    pub mtime: Timespec,
    /// Number of names, if it is not a directory.
    pub links: u32,
    /// Extended attributes, if it has any.
    pub xattrs: Option<Box<Xattrs>>,
    /// What it is.
    pub body: LowerBody,
}

/// What an object of a lower tree is.
pub enum LowerBody {
    /// A regular file with these bytes.
    Regular(FileBytes),
    /// A symlink with this target.
    Symlink(Arc<[u8]>),
    /// A directory.
    Directory(Arc<dyn LowerDirectory>),
    /// A device with this number, a fifo or a socket.
    Special(FileType, u64),
}

/// A directory of a lower tree. All methods fail with EUCLEAN if the tree is damaged.
pub trait LowerDirectory: Send + Sync {
    /// The number of the object behind `name`, if there is one.
    ///
    /// # Errors
    /// EUCLEAN.
    fn find(&self, name: &[u8]) -> Result<Option<u64>>;

    /// The object of this number.
    ///
    /// # Errors
    /// EUCLEAN.
    fn node(&self, number: u64) -> Result<LowerNode>;

    /// Calls `visit` with each name and its number, in a fixed order.
    ///
    /// # Errors
    /// EUCLEAN, and what `visit` returns.
    fn for_each(&self, visit: &mut dyn FnMut(&[u8], u64) -> Result<()>) -> Result<()>;

    /// How many names it has, and of how many directories.
    fn counts(&self) -> (usize, u32);
}
