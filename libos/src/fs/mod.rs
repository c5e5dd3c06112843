//! Files: what a descriptor refers to, and (below) the file systems.
//!
//! - [`file::File`]: what can be read, written, polled: one trait for regular files, directories,
//!   pipes, sockets, event descriptors.
//! - [`file::OpenFile`]: an open file description (open(2)): a file, an offset, status flags.
//! - [`fdtable::FdTable`]: a process's descriptors.
//! - [`poll::PollEvents`]: readiness.

pub mod blocking;
pub mod console;
pub mod epoll;
pub mod eventfd;
pub mod fdtable;
pub mod file;
pub mod inode;
pub mod multiplex;
pub mod pipe;
pub mod poll;
pub mod timerfd;

/// Mounts the root and opens the standard descriptors of the first process.
///
/// # Errors
/// What the root file system lacks.
pub fn init(
    boot: &'static libos_abi::boot::BootInfo,
    process: &crate::task::Process,
) -> crate::errno::Result<()> {
    console::Consoles::new(boot).install(&process.files)
}
