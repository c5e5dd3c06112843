//! Files: what a descriptor refers to, and the file systems.
//!
//! - [`file::File`]: what can be read, written, polled: one trait for regular files, directories,
//!   pipes, sockets, event descriptors.
//! - [`file::OpenFile`]: an open file description (open(2)): a file, an offset, status flags.
//! - [`fdtable::FdTable`]: a process's descriptors.
//! - [`poll::PollEvents`] says what is ready.
//! - [`inode::Inode`]: what a file system implements, and [`vfs`]: names, mounts, path walks.
//! - [`tmpfs`]: the file system in memory, over the image's archive ([`cpio`]).
//! - [`devfs`], [`procfs`], [`sysfs`] behind `/dev`, `/proc`, `/sys`; [`pseudo`] is what the last two
//!   are built of.
//! - [`packed`], [`inflate`]: the program's own file, of which a part is compressed.
//! - [`locks`]: flock(2) and fcntl(2) locks. [`root`]: the tree that a program finds.

pub mod blocking;
pub mod caller;
pub mod console;
pub mod cpio;
pub mod devfs;
pub mod epoll;
pub mod eventfd;
pub mod fdtable;
pub mod file;
pub mod inflate;
pub mod inode;
pub mod inotify;
pub mod locks;
pub mod memfd;
pub mod multiplex;
pub mod packed;
pub mod pipe;
pub mod poll;
pub mod procfs;
pub mod pseudo;
pub mod root;
pub mod signalfd;
pub mod sysfs;
pub mod timerfd;
pub mod tmpfs;
pub mod vfs;

#[cfg(test)]
pub mod testing;

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::sync::SpinLock;
use crate::task::Process;
use libos_abi::boot::BootInfo;

pub use caller::credentials;

/// The root of the tree, once [`init`] has built it.
static ROOT: SpinLock<Option<vfs::Path>> = SpinLock::new(None);

/// Mounts the root and opens the standard descriptors of the first process.
///
/// # Errors
/// What the root file system lacks.
pub fn init(boot: &'static BootInfo, process: &Process) -> Result<()> {
    let plan = root::Plan::new(boot);
    let root = root::build(&plan)?;
    *ROOT.lock() = Some(root.clone());
    process.fs.set_cwd(working_directory(&root, plan.cwd)?);
    procfs::set_boot(boot);
    let mut walker = vfs::walk::Walker::new(root.clone(), vfs::Credentials::default());
    if let Ok(program) = walker.resolve(&root, plan.program.0, vfs::walk::Follow::Yes) {
        procfs::set_program(program);
    }
    let consoles = console::Consoles::new(boot);
    if let Some(terminal) = &consoles.terminal {
        devfs::set_terminal(Arc::clone(terminal) as Arc<dyn file::File>);
    }
    consoles.install(&process.files)
}

/// The root of the tree; an empty one if nothing was built (tests).
pub fn root() -> vfs::Path {
    let mut root = ROOT.lock();
    root.get_or_insert_with(root::empty).clone()
}

/// The directory `path`, in which a program starts.
fn working_directory(root: &vfs::Path, path: &[u8]) -> Result<vfs::Path> {
    let mut walker = vfs::walk::Walker::new(root.clone(), vfs::Credentials::default());
    let place = match path {
        b"" => root.clone(),
        path => walker.resolve(root, path, vfs::walk::Follow::Yes)?,
    };
    match place.inode().is_directory() {
        true => Ok(place),
        false => Err(Errno::ENOTDIR.because("the working directory is not a directory")),
    }
}
