//! Files: what a descriptor refers to, and the file systems.
//!
//! - [`file::File`]: what can be read, written, polled: one trait for regular files, directories,
//!   pipes, sockets, event descriptors.
//! - [`file::OpenFile`]: an open file description (open(2)): a file, an offset, status flags.
//! - [`fdtable::FdTable`]: a process's descriptors.
//! - [`poll::PollEvents`] says what is ready; it is [`crate::sync`]'s.
//! - [`inode::Inode`]: what a file system implements, and [`vfs`]: names, mounts, path walks.
//! - [`tmpfs`]: the file system in memory, over the image's own ([`root_image`]).
//! - [`devfs`] behind `/dev`; [`pseudo`]: what [`crate::views`] builds `/proc` and `/sys` of.
//! - [`packed`], [`inflate`]: the program's own file, of which a part is compressed.
//! - [`mapping`]: mmap(2) of a file. [`locks`]: flock(2) and fcntl(2) locks. [`root`]: where absolute names begin.

pub mod blocking;
pub mod caller;
pub mod console;
pub mod devfs;
pub mod epoll;
pub mod eventfd;
pub mod fdtable;
pub mod file;
pub mod inflate;
pub mod inode;
pub mod inotify;
pub mod locks;
pub mod mapping;
pub mod memfd;
pub mod multiplex;
pub mod packed;
pub mod pageset;
pub mod pipe;
pub mod pseudo;
pub mod root;
pub mod root_image;
pub mod signalfd;
pub mod timerfd;
pub mod tmpfs;
pub mod vfs;
pub mod volume;

#[cfg(test)]
pub mod testing;

pub use crate::sync::events as poll;
pub use caller::credentials;
pub use root::root;
