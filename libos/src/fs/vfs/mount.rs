//! Mounts: file systems hung over directories.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::fs::vfs::{Dentry, Path};
use crate::sync::SpinLock;

bitflags::bitflags! {
    /// How a mount behaves; the numbers are those of mount(2) and of `f_flags` of statfs(2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MountFlags: u32 {
        /// Nothing may be changed.
        const READ_ONLY = 1;
        /// Set-user-id bits have no effect.
        const NOSUID = 2;
        /// Device files have no effect.
        const NODEV = 4;
        /// Programs cannot be executed.
        const NOEXEC = 8;
        /// The access time is not kept.
        const NOATIME = 1024;
    }
}

/// A file system hung over a directory.
pub struct Mount {
    id: u64,
    root: Arc<Dentry>,
    /// The directory it covers; `None` for the root mount and for file systems without a place.
    place: Option<Path>,
    flags: AtomicU32,
    /// `tmpfs`, `proc`, …, for `/proc/self/mounts`.
    kind: &'static str,
    /// What hangs over directories of this mount. Taken alone.
    children: SpinLock<Vec<(Weak<Dentry>, Arc<Mount>)>>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Mount {
    /// A mount that has no place in a tree: a root, or a home for unnamed files.
    pub fn detached(root: Arc<Dentry>, kind: &'static str, flags: MountFlags) -> Arc<Self> {
        Self::new(root, None, kind, flags)
    }

    fn new(
        root: Arc<Dentry>,
        place: Option<Path>,
        kind: &'static str,
        flags: MountFlags,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            root,
            place,
            flags: AtomicU32::new(flags.bits()),
            kind,
            children: SpinLock::default(),
        })
    }

    /// Hangs `root` over `place`.
    pub fn over(
        place: &Path,
        root: Arc<Dentry>,
        kind: &'static str,
        flags: MountFlags,
    ) -> Arc<Self> {
        let mount = Self::new(root, Some(place.clone()), kind, flags);
        place.dentry.cover();
        place
            .mount
            .children
            .lock()
            .push((Arc::downgrade(&place.dentry), Arc::clone(&mount)));
        mount
    }

    /// The number in `/proc/self/mountinfo`.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The entry that shows at the covered place.
    pub fn root(&self) -> &Arc<Dentry> {
        &self.root
    }

    /// The covered place.
    pub fn place(&self) -> Option<Path> {
        self.place.clone()
    }

    /// `tmpfs`, `proc`, ….
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// How it behaves.
    pub fn flags(&self) -> MountFlags {
        MountFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// Whether nothing may be changed.
    pub fn is_read_only(&self) -> bool {
        self.flags().contains(MountFlags::READ_ONLY)
    }

    /// What hangs over `dentry` of this mount.
    pub fn mounted_at(&self, dentry: &Arc<Dentry>) -> Option<Arc<Self>> {
        self.children
            .lock()
            .iter()
            .rev()
            .find(|(place, _)| core::ptr::eq(place.as_ptr(), Arc::as_ptr(dentry)))
            .map(|(_, mount)| Arc::clone(mount))
    }
}

/// `root` and everything mounted below it, parents first.
pub fn mounts(root: &Arc<Mount>) -> Vec<Arc<Mount>> {
    let mut all = alloc::vec![Arc::clone(root)];
    let mut index = 0;
    while index < all.len() {
        let below: Vec<_> = all[index]
            .children
            .lock()
            .iter()
            .map(|(_, mount)| Arc::clone(mount))
            .collect();
        all.extend(below);
        index += 1;
    }
    all
}
