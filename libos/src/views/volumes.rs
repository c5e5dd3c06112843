//! What of the host hangs in the tree: shared folders.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use libos_abi::boot::BootInfo;
use libos_abi::share::{Share, flags};

use crate::errno::{Errno, Result};
use crate::fs::inode::{FileType, Inode, NewNode, Ownership};
use crate::fs::vfs::{Dentry, Mount, MountFlags, Path};
use crate::fs::volume::instance::{VolumeFs, unmount_all};
use crate::fs::volume::share::ShareVolume;
use crate::fs::volume::share::link::HostLink;

/// Mounts what the run shares.
///
/// # Errors
/// Of what cannot be mounted first, after saying which that is.
pub fn mount(root: &Path, boot: &'static BootInfo) -> Result<()> {
    // SAFETY: the tender's records stay mapped and unchanged.
    for share in unsafe { boot.shares.as_slice() } {
        // SAFETY: as above.
        let target = unsafe { share.target.as_slice() };
        mount_share(root, boot, share, target).inspect_err(|error| {
            let target = String::from_utf8_lossy(target);
            crate::stderr::warn(format_args!("shared folder {target}: {error:?}"));
        })?;
    }
    Ok(())
}

/// Writes what volumes have in memory alone, and says so if it cannot be.
pub fn unmount() {
    if let Err(error) = unmount_all() {
        crate::stderr::warn(format_args!("what was written last is lost: {error:?}"));
    }
}

fn mount_share(root: &Path, boot: &'static BootInfo, share: &Share, target: &[u8]) -> Result<()> {
    // SAFETY: the tender's array stays mapped and unchanged.
    let handles = unsafe { boot.handles.as_slice() };
    let index = usize::try_from(share.handle).unwrap_or(usize::MAX);
    let handle = handles.get(index).ok_or(Errno::EBADF)?;
    let others_write = share.flags & flags::HOST_CHANGES != 0;
    let volume = ShareVolume::connect(Box::new(HostLink(handle)), others_write)?;
    let top = VolumeFs::mount(Box::new(volume))?;
    let mut how = MountFlags::NODEV;
    if share.flags & flags::READ_ONLY != 0 {
        how |= MountFlags::READ_ONLY;
    }
    let place = place(root, target, top.file_type())?;
    Mount::over(&place, Dentry::root(top), "fuse", how);
    Ok(())
}

/// The place at `path`, made (with the directories above it) if it is absent, for something of this type.
fn place(root: &Path, path: &[u8], file_type: FileType) -> Result<Path> {
    let mut place = root.clone();
    let names = path
        .split(|&byte| byte == b'/')
        .filter(|name| !name.is_empty());
    let mut names = names.peekable();
    while let Some(name) = names.next() {
        let is_last = names.peek().is_none();
        let node = match is_last && file_type == FileType::Regular {
            true => NewNode::Regular,
            false => NewNode::Directory,
        };
        place.dentry = match place.dentry.find(name)? {
            Some(dentry) => dentry,
            None => make(&place.dentry, name, node)?,
        };
        place = place.uncovered();
    }
    let fits = place.inode().is_directory() == (file_type == FileType::Directory);
    match fits {
        true => Ok(place),
        false => {
            Err(Errno::ENOTDIR.because("a folder is mounted over a folder, a file over a file"))
        }
    }
}

fn make(above: &Arc<Dentry>, name: &[u8], node: NewNode<'_>) -> Result<Arc<Dentry>> {
    let owner = Ownership {
        mode: 0o755,
        uid: 0,
        gid: 0,
    };
    let inode = above.inode().create(name, node, owner)?;
    Ok(above.adopt(name, inode))
}
