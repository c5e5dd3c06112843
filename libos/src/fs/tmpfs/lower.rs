//! What a directory in memory may lie over: a read-only tree whose bytes stay mapped.

use alloc::sync::Arc;

use crate::fs::inode::{FileType, Ownership};
use crate::user::Timespec;

/// An object of a lower tree.
pub struct LowerEntry<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Permission bits and owner.
    pub owner: Ownership,
    /// Modification time; also shown as the other times.
    pub mtime: Timespec,
    /// What it is.
    pub node: LowerNode,
    /// If the file has several names.
    pub links: Option<Links>,
}

/// That an entry is one of several names of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    /// The same for all names of the file.
    pub group: u64,
    /// How many names it has.
    pub count: u32,
}

/// What a lower entry is.
pub enum LowerNode {
    /// A regular file with these bytes.
    Regular(&'static [u8]),
    /// A symlink with this target.
    Symlink(&'static [u8]),
    /// A directory.
    Directory(Arc<dyn LowerDirectory>),
    /// A device with this number, a fifo or a socket.
    Special(FileType, u64),
}

/// A directory of a lower tree.
pub trait LowerDirectory: Send + Sync {
    /// Calls `visit` for each entry, in a fixed order.
    fn for_each(&self, visit: &mut dyn FnMut(LowerEntry<'_>));
}
