//! Directory entries: a name, its place, and the inode behind it.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashMap;

use crate::errno::{Errno, Result};
use crate::fs::inode::Inode;
use crate::fs::vfs::{Mount, NAME_MAX};
use crate::sync::SpinLock;

/// A name in its directory.
///
/// A parent keeps its looked-up children and a child its parent; unlinking breaks that circle.
pub struct Dentry {
    inode: Arc<dyn Inode>,
    /// Guards name and parent together, for renames. Taken alone.
    place: SpinLock<Place>,
    /// Names found in this directory. Taken alone, or after the inode's own lock never.
    children: SpinLock<HashMap<Arc<[u8]>, Arc<Self>>>,
    deleted: AtomicBool,
    /// Whether some mount hangs over it; spares the walk a look into the mount table.
    covered: AtomicBool,
}

struct Place {
    name: Arc<[u8]>,
    /// `None` for the root of a file system and for files that never had a name.
    parent: Option<Arc<Dentry>>,
}

impl Dentry {
    /// The root of a file system.
    pub fn root(inode: Arc<dyn Inode>) -> Arc<Self> {
        Self::new(inode, Arc::from(&b""[..]), None)
    }

    /// A file that has no place in any directory, shown as `name (deleted)`.
    pub fn unnamed(inode: Arc<dyn Inode>, name: &[u8]) -> Arc<Self> {
        let dentry = Self::new(inode, Arc::from(name), None);
        dentry.deleted.store(true, Ordering::Relaxed);
        dentry
    }

    /// As [`Self::unnamed`], shown as if it had been removed from `parent`.
    pub fn unnamed_in(inode: Arc<dyn Inode>, name: &[u8], parent: &Arc<Self>) -> Arc<Self> {
        let dentry = Self::new(inode, Arc::from(name), Some(Arc::clone(parent)));
        dentry.deleted.store(true, Ordering::Relaxed);
        dentry
    }

    fn new(inode: Arc<dyn Inode>, name: Arc<[u8]>, parent: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self {
            inode,
            place: SpinLock::new(Place { name, parent }),
            children: SpinLock::default(),
            deleted: AtomicBool::new(false),
            covered: AtomicBool::new(false),
        })
    }

    /// The inode.
    pub fn inode(&self) -> &Arc<dyn Inode> {
        &self.inode
    }

    /// The present name.
    pub fn name(&self) -> Arc<[u8]> {
        Arc::clone(&self.place.lock().name)
    }

    /// The directory it is in; `None` for a file system's root.
    pub fn parent(&self) -> Option<Arc<Self>> {
        self.place.lock().parent.clone()
    }

    /// Whether its name was removed.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Relaxed)
    }

    /// Whether something is mounted over it.
    pub fn is_covered(&self) -> bool {
        self.covered.load(Ordering::Relaxed)
    }

    /// Notes that something is mounted over it.
    pub fn cover(&self) {
        self.covered.store(true, Ordering::Relaxed);
    }

    /// The entry `name` in this directory.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, ENAMETOOLONG.
    pub fn child(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Self>> {
        if let Some(child) = self.children.lock().get(name) {
            return Ok(Arc::clone(child));
        }
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        if self.is_deleted() {
            return Err(Errno::ENOENT);
        }
        let inode = self.inode.lookup(name)?;
        Ok(self.adopt(name, inode))
    }

    /// As [`Self::child`], with `None` if there is no such name.
    ///
    /// # Errors
    /// All but ENOENT.
    pub fn find(self: &Arc<Self>, name: &[u8]) -> Result<Option<Arc<Self>>> {
        match self.child(name) {
            Ok(child) => Ok(Some(child)),
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The entry for `inode`, which the file system just found or made under `name`.
    pub fn adopt(self: &Arc<Self>, name: &[u8], inode: Arc<dyn Inode>) -> Arc<Self> {
        let name: Arc<[u8]> = Arc::from(name);
        let child = Self::new(inode, Arc::clone(&name), Some(Arc::clone(self)));
        if self.inode.names_are_stable() {
            self.children.lock().insert(name, Arc::clone(&child));
        }
        child
    }

    /// The file system removed `name`: this entry and its descendants in the cache lose their place.
    pub fn forget(&self, name: &[u8]) {
        let child = self.children.lock().remove(name);
        if let Some(child) = child {
            child.deleted.store(true, Ordering::Relaxed);
            // An empty directory has no entries, but the cache of one that was never read might be
            // dropped late; breaking the circle here frees it with its last user.
            child.children.lock().clear();
        }
    }

    /// The file system moved `name` to `new_name` in `new_parent`, replacing what was there.
    pub fn moved(self: &Arc<Self>, name: &[u8], new_parent: &Arc<Self>, new_name: &[u8]) {
        let child = self.children.lock().remove(name);
        new_parent.forget(new_name);
        if let Some(child) = child {
            new_parent.place_child(child, new_name);
        }
    }

    /// The file system exchanged `name` with `other_name` in `other`.
    pub fn exchanged(self: &Arc<Self>, name: &[u8], other: &Arc<Self>, other_name: &[u8]) {
        let first = self.children.lock().remove(name);
        let second = other.children.lock().remove(other_name);
        if let Some(first) = first {
            other.place_child(first, other_name);
        }
        if let Some(second) = second {
            self.place_child(second, name);
        }
    }

    fn place_child(self: &Arc<Self>, child: Arc<Self>, name: &[u8]) {
        let name: Arc<[u8]> = Arc::from(name);
        *child.place.lock() = Place {
            name: Arc::clone(&name),
            parent: Some(Arc::clone(self)),
        };
        self.children.lock().insert(name, child);
    }

    /// Whether `self` is `other` or lies above it in the same file system.
    pub fn is_ancestor_of(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let mut at = Some(Arc::clone(other));
        while let Some(dentry) = at {
            if Arc::ptr_eq(self, &dentry) {
                return true;
            }
            at = dentry.parent();
        }
        false
    }
}

impl Drop for Dentry {
    /// Frees a chain of removed directories one by one: recursion would be as deep as the path.
    fn drop(&mut self) {
        let mut above = self.place.get_mut().parent.take();
        while let Some(mut dentry) = above.and_then(Arc::into_inner) {
            above = dentry.place.get_mut().parent.take();
        }
    }
}

/// A place in the tree: an entry, seen through a mount.
#[derive(Clone)]
pub struct Path {
    /// The mount.
    pub mount: Arc<Mount>,
    /// The entry.
    pub dentry: Arc<Dentry>,
}

impl Path {
    /// The inode there.
    pub fn inode(&self) -> &Arc<dyn Inode> {
        self.dentry.inode()
    }

    /// Whether both are the same place.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mount, &other.mount) && Arc::ptr_eq(&self.dentry, &other.dentry)
    }

    /// Whether it is the root of its mount.
    pub fn is_mount_root(&self) -> bool {
        Arc::ptr_eq(self.mount.root(), &self.dentry)
    }

    /// What is mounted over this place (and over that …), or the place itself.
    #[must_use]
    pub fn uncovered(mut self) -> Self {
        while self.dentry.is_covered() {
            match self.mount.mounted_at(&self.dentry) {
                Some(mount) => {
                    self.dentry = Arc::clone(mount.root());
                    self.mount = mount;
                }
                None => break,
            }
        }
        self
    }

    /// The directory above, through mounts; a global root is above itself.
    #[must_use]
    pub fn above(&self) -> Self {
        let mut place = self.clone();
        while place.is_mount_root() {
            match place.mount.place() {
                Some(under) => place = under,
                None => return place,
            }
        }
        if let Some(parent) = place.dentry.parent() {
            place.dentry = parent;
        }
        place.uncovered()
    }

    /// Whether its mount refuses changes.
    ///
    /// # Errors
    /// EROFS.
    pub fn check_writable(&self) -> Result<()> {
        if self.mount.is_read_only() {
            return Err(Errno::EROFS);
        }
        Ok(())
    }
}

impl core::fmt::Debug for Path {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{}",
            alloc::string::String::from_utf8_lossy(&self.dentry.name())
        )
    }
}
