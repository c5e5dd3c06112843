//! Where absolute names begin.
//!
//! [`root`] is what the first process finds as `/`; [`set`] is called once, by the layer that builds
//! the tree ([`crate::views`]).

use alloc::sync::Arc;

use crate::fs::inode::Ownership;
use crate::fs::tmpfs::TmpFs;
use crate::fs::vfs::{Dentry, Mount, MountFlags, Path};
use crate::sync::SpinLock;

/// The root of the tree, once [`set`] has been called.
static ROOT: SpinLock<Option<Path>> = SpinLock::new(None);

/// The root of the tree; an empty one if nothing was built (tests).
pub fn root() -> Path {
    let mut root = ROOT.lock();
    root.get_or_insert_with(empty).clone()
}

/// Makes `root` the root of the tree.
pub fn set(root: Path) {
    *ROOT.lock() = Some(root);
}

/// A tree with nothing in it.
pub fn empty() -> Path {
    let root = Dentry::root(TmpFs::new(1 << 30).root(Ownership {
        mode: 0o755,
        uid: 0,
        gid: 0,
    }));
    Path {
        mount: Mount::detached(Arc::clone(&root), "tmpfs", MountFlags::empty()),
        dentry: root,
    }
}
