//! Files: what a descriptor refers to, and (below) the file systems.
//!
//! - [`file::File`]: what can be read, written, polled: one trait for regular files, directories,
//!   pipes, sockets, event descriptors.
//! - [`file::OpenFile`]: an open file description (open(2)): a file, an offset, status flags.
//! - [`fdtable::FdTable`]: a process's descriptors.
//! - [`poll::PollEvents`]: readiness.

pub mod fdtable;
pub mod file;
pub mod inode;
pub mod poll;
