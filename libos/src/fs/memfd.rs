//! memfd_create(2): a regular file in memory that never has a name in the tree.

use alloc::sync::Arc;

use crate::errno::Result;
use crate::fs::caller;
use crate::fs::file::{OpenFile, OpenFlags};
use crate::fs::inode::{Inode, Ownership};
use crate::fs::tmpfs::{Node, TmpFs};
use crate::fs::vfs::{Dentry, Mount, MountFlags, Path};
use crate::sync::SpinLock;

/// The file system of all such files, mounted nowhere; made at the first use.
static HOME: SpinLock<Option<Home>> = SpinLock::new(None);

#[derive(Clone)]
struct Home {
    fs: Arc<TmpFs>,
    mount: Arc<Mount>,
}

/// Whether seals can be put on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// They can (MFD_ALLOW_SEALING).
    Allowed,
    /// F_SEAL_SEAL is on from the start.
    Refused,
}

/// A new file that shows itself as `memfd:NAME`.
///
/// # Errors
/// Those of opening it.
pub fn create(name: &[u8], mode: u32, sealing: Sealing) -> Result<Arc<OpenFile>> {
    let home = home();
    let credentials = caller::credentials();
    let owner = Ownership {
        mode,
        uid: credentials.uid,
        gid: credentials.gid,
    };
    let inode: Arc<dyn Inode> = Node::unnamed(&home.fs, owner, sealing == Sealing::Allowed);
    let file = Arc::clone(&inode).open(OpenFlags::RDWR)?;
    let place = Path {
        mount: home.mount,
        dentry: Dentry::unnamed(inode, &[b"memfd:", name].concat()),
    };
    Ok(OpenFile::at(
        file,
        OpenFlags::RDWR | OpenFlags::LARGEFILE,
        place,
    ))
}

fn home() -> Home {
    let made = HOME.lock().clone();
    made.unwrap_or_else(|| {
        // The memory limit of the run bounds it, as it bounds everything.
        let fs = TmpFs::new(u64::MAX);
        let root = Dentry::root(fs.root(Ownership {
            mode: 0o777,
            uid: 0,
            gid: 0,
        }));
        let mount = Mount::detached(root, "tmpfs", MountFlags::empty());
        let home = Home { fs, mount };
        *HOME.lock() = Some(home.clone());
        home
    })
}
