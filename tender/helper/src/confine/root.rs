//! An empty root directory: a tmpfs of its own, and everything else unmounted.

use rustix::io::Result;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

/// Makes the root directory an empty one that cannot be written to. The process is in a mount namespace of
/// its own, and may mount in it.
///
/// # Errors
/// That of mount(2) or pivot_root(2): some hosts give a user namespace that may do nothing.
pub fn empty() -> Result<()> {
    rustix::mount::mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    mount_somewhere()?;
    // The old root lands on top of the new one, and goes from there: see pivot_root(2), "." and ".".
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")
}

/// Any directory serves as a mount point: it is only seen from within, and not for long.
fn mount_somewhere() -> Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    let mut answer = Ok(());
    for directory in ["/proc", "/tmp", "/dev", "/var", "/usr"] {
        answer = rustix::mount::mount(
            "none",
            directory,
            "tmpfs",
            flags,
            Some(c"size=4k,nr_inodes=2"),
        )
        .and_then(|()| rustix::process::chdir(directory));
        if answer.is_ok() {
            break;
        }
    }
    answer
}
