//! The names in a directory: found, taken over from the lower tree, added, removed and moved.

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::fs::inode::Inode;
use crate::fs::packed::FileBytes;
use crate::fs::tmpfs::directory::Directory;
use crate::fs::tmpfs::lower::{LowerDirectory, LowerEntry, LowerNode};
use crate::fs::tmpfs::now;

use super::{Body, Node};

#[derive(Default)]
pub(super) struct Names {
    pub(super) names: Directory,
    /// The lower twin, until its names were taken over.
    pub(super) lower: Option<Arc<dyn LowerDirectory>>,
    pub(super) subdirectories: u32,
}

impl Node {
    /// Runs `act` on the names, which were taken over from the lower twin.
    pub(super) fn with_names<T>(&self, act: impl FnOnce(&mut Names) -> Result<T>) -> Result<T> {
        let Body::Directory(names) = &self.body else {
            return Err(Errno::ENOTDIR);
        };
        let mut names = names.lock();
        if let Some(lower) = names.lower.take() {
            self.take_over(&mut names, &*lower);
        }
        act(&mut names)
    }

    pub(super) fn take_over(&self, names: &mut Names, lower: &dyn LowerDirectory) {
        lower.for_each(&mut |entry| {
            let node = self.over(&entry);
            // A lower directory has each name once; a second one would be left out.
            let _ = names.insert(entry.name, node);
        });
    }

    pub(super) fn over(&self, entry: &LowerEntry<'_>) -> Arc<Self> {
        let (fs, owner, time) = (&self.fs, entry.owner, entry.mtime);
        let make = || match &entry.node {
            LowerNode::Regular(bytes) => {
                Self::regular_over(fs, owner, FileBytes::from(*bytes), time)
            }
            LowerNode::Directory(lower) => Self::directory_over(fs, owner, Arc::clone(lower), time),
            LowerNode::Symlink(target) => {
                Self::new(fs, owner, Body::Symlink(Arc::from(*target)), time)
            }
            LowerNode::Special(file_type, rdev) => {
                Self::new(fs, owner, Body::Special(*file_type, *rdev), time)
            }
        };
        match entry.links {
            Some(links) => {
                let node = fs.link_group(links.group, make);
                node.attributes.lock().nlink = links.count;
                node
            }
            None => make(),
        }
    }

    /// Puts an existing node under a new name; for building the tree at start-up.
    ///
    /// # Errors
    /// EEXIST, ENOTDIR.
    pub fn attach(&self, name: &[u8], node: Arc<Self>) -> Result<()> {
        self.with_names(|names| names.insert(name, node))
    }

    /// The node behind `name`.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR.
    pub fn child(&self, name: &[u8]) -> Result<Arc<Self>> {
        self.with_names(|names| names.find(name))
    }

    pub(super) fn sibling(inode: &Arc<dyn Inode>) -> Result<Arc<Self>> {
        let any: Arc<dyn core::any::Any + Send + Sync> = Arc::clone(inode) as _;
        any.downcast().map_err(|_| Errno::EXDEV)
    }

    pub(super) fn replace(&self, name: &[u8], new_parent: &Self, new_name: &[u8]) -> Result<()> {
        let moved = self.with_names(|names| names.find(name))?;
        let victim = new_parent.with_names(|names| Ok(names.names.get(new_name).cloned()))?;
        if let Some(victim) = &victim
            && victim.is_dir()
        {
            victim.with_names(|names| names.check_empty())?;
        }
        self.with_names(|names| names.remove(name).map(drop))?;
        new_parent.with_names(|names| match &victim {
            Some(victim) => {
                names.subdirectories += u32::from(moved.is_dir());
                names.subdirectories -= u32::from(victim.is_dir());
                names.names.replace(new_name, Arc::clone(&moved)).map(drop)
            }
            None => names.insert(new_name, Arc::clone(&moved)),
        })?;
        if let Some(victim) = victim {
            victim.add_links(if victim.is_dir() { -2 } else { -1 });
        }
        self.moved(&moved, new_parent);
        Ok(())
    }

    pub(super) fn exchange(&self, name: &[u8], other: &Self, other_name: &[u8]) -> Result<()> {
        let first = self.with_names(|names| names.find(name))?;
        let second = other.with_names(|names| names.find(other_name))?;
        self.with_names(|names| names.replace(name, &first, &second))?;
        other.with_names(|names| names.replace(other_name, &second, &first))?;
        self.moved(&first, other);
        second.attributes.lock().ctime = now();
        Ok(())
    }

    pub(super) fn moved(&self, moved: &Self, new_parent: &Self) {
        moved.attributes.lock().ctime = now();
        self.touch_changed();
        new_parent.touch_changed();
    }
}

impl Names {
    pub(super) fn find(&self, name: &[u8]) -> Result<Arc<Node>> {
        self.names.get(name).cloned().ok_or(Errno::ENOENT)
    }

    pub(super) fn insert(&mut self, name: &[u8], node: Arc<Node>) -> Result<()> {
        let is_dir = node.is_dir();
        self.names.insert(name, node)?;
        self.subdirectories += u32::from(is_dir);
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Result<Arc<Node>> {
        let node = self.names.remove(name)?;
        self.subdirectories -= u32::from(node.is_dir());
        Ok(node)
    }

    pub(super) fn replace(&mut self, name: &[u8], old: &Arc<Node>, new: &Arc<Node>) -> Result<()> {
        self.names.replace(name, Arc::clone(new))?;
        self.subdirectories += u32::from(new.is_dir());
        self.subdirectories -= u32::from(old.is_dir());
        Ok(())
    }

    pub(super) fn check_empty(&self) -> Result<()> {
        match self.names.is_empty() {
            true => Ok(()),
            false => Err(Errno::ENOTEMPTY),
        }
    }
}
