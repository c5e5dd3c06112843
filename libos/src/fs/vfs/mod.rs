//! Names: directory entries, mounts, path walks, and the operations that change names.
//!
//! - [`Dentry`]: a name in its directory, with the inode behind it. Dentries are the cache of found
//!   names and know their place, so that a path can be told from a descriptor even after renames.
//! - [`Mount`]: a file system (or part of one) hung over a directory. [`Path`] = mount + dentry.
//! - [`FsContext`]: a process's root, working directory and umask.
//! - [`Credentials`]: whose permissions count.
//! - [`walk`]: from a name to a [`Path`], with all of path_resolution(7).
//! - [`open`] and [`names`]: open(2), mkdir(2), rename(2), …
//! - [`show`]: from a [`Path`] back to a name.
//!
//! Neighbours: `inode` (what a file system implements), `syscall::{path, metadata}` (callers).
//! Decides nothing about file contents.
//!
//! Check and act are one step here because the libOS is not preemptible and the file systems in
//! memory never block. A file system that blocks will need a sleeping lock per directory, taken in
//! `names` and `open` around lookup and change.

mod access;
mod context;
mod dentry;
mod mount;
pub mod names;
pub mod open;
pub mod show;
pub mod walk;

pub use access::{AccessMode, Credentials, check_access, may_change_mode, permits};
pub use context::FsContext;
pub use dentry::{Dentry, Path};
pub use mount::{Mount, MountFlags, mounts};

/// The longest name of a directory entry, in bytes.
pub const NAME_MAX: usize = 255;

/// The longest path that a call takes, in bytes with its NUL.
pub const PATH_MAX: usize = 4096;

#[cfg(test)]
mod tests;
