//! What path walks start from: a process's root, working directory and umask.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::fs::vfs::Path;
use crate::sync::SpinLock;

/// Root, working directory and umask of a process.
pub struct FsContext {
    places: SpinLock<Option<Places>>,
    umask: AtomicU32,
}

#[derive(Clone)]
struct Places {
    root: Path,
    cwd: Path,
}

impl Default for FsContext {
    /// The system's root and `/` in it, found at first use; umask 022.
    fn default() -> Self {
        Self {
            places: SpinLock::new(None),
            umask: AtomicU32::new(0o022),
        }
    }
}

impl FsContext {
    /// The root directory.
    pub fn root(&self) -> Path {
        self.with(|places| places.root.clone())
    }

    /// The working directory.
    pub fn cwd(&self) -> Path {
        self.with(|places| places.cwd.clone())
    }

    /// Changes the root directory; the working directory stays (chroot(2)).
    pub fn set_root(&self, root: Path) {
        self.with(|places| places.root = root);
    }

    /// Changes the working directory.
    pub fn set_cwd(&self, cwd: Path) {
        self.with(|places| places.cwd = cwd);
    }

    /// Permission bits that new files don't get.
    pub fn umask(&self) -> u32 {
        self.umask.load(Ordering::Relaxed)
    }

    /// Replaces the umask; returns the old one.
    pub fn set_umask(&self, umask: u32) -> u32 {
        self.umask.swap(umask & 0o777, Ordering::Relaxed)
    }

    fn with<T>(&self, use_places: impl FnOnce(&mut Places) -> T) -> T {
        let mut places = self.places.lock();
        let places = places.get_or_insert_with(|| {
            let root = crate::fs::root();
            Places {
                cwd: root.clone(),
                root,
            }
        });
        use_places(places)
    }
}
