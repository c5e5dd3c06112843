//! What a program finds in its tree, and what shows the state of all other parts as files.
//!
//! - [`tree`]: the tree as the program finds it: the root image, the directories every program
//!   expects, and what is mounted there.
//! - [`volumes`]: what of the host hangs in it.
//! - [`procfs`], [`sysfs`] behind `/proc` and `/sys`: they look at every subsystem, so they stand above
//!   them all. They are built of [`crate::fs::pseudo`].
//!
//! What a file system is, and the walk over names, is in [`crate::fs`].

pub mod procfs;
pub mod sysfs;
pub mod tree;
pub mod volumes;

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::fs;
use crate::task::Process;
use libos_abi::boot::BootInfo;

/// Mounts the root and opens the standard descriptors of the first process.
///
/// # Errors
/// What the root file system lacks.
pub fn init(boot: &'static BootInfo, process: &Process) -> Result<()> {
    let plan = tree::Plan::new(boot);
    let root = tree::build(&plan)?;
    volumes::mount(&root, boot)?;
    fs::root::set(root.clone());
    process.fs.set_cwd(working_directory(&root, plan.cwd)?);
    procfs::set_boot(boot);
    let mut walker = fs::vfs::walk::Walker::new(root.clone(), fs::vfs::Credentials::default());
    if let Ok(program) = walker.resolve(&root, plan.program.0, fs::vfs::walk::Follow::Yes) {
        procfs::set_program(program);
    }
    let consoles = fs::console::Consoles::new(boot);
    if let Some(terminal) = &consoles.terminal {
        fs::devfs::set_terminal(Arc::clone(terminal) as Arc<dyn fs::file::File>);
    }
    consoles.install(&process.files)
}

/// The directory `path`, in which a program starts.
fn working_directory(root: &fs::vfs::Path, path: &[u8]) -> Result<fs::vfs::Path> {
    let mut walker = fs::vfs::walk::Walker::new(root.clone(), fs::vfs::Credentials::default());
    let place = match path {
        b"" => root.clone(),
        path => walker.resolve(root, path, fs::vfs::walk::Follow::Yes)?,
    };
    match place.inode().is_directory() {
        true => Ok(place),
        false => Err(Errno::ENOTDIR.because("the working directory is not a directory")),
    }
}
