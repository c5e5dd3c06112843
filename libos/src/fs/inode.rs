//! Inodes: what has a mode, an owner, times and a size.

/// A file, directory, symlink or device of a file system.
pub trait Inode: Send + Sync {}
