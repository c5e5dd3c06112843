//! The names in a directory: found, taken over from the lower tree, added, removed and moved.

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::fs::inode::Inode;
use crate::fs::tmpfs::directory::Directory;
use crate::fs::tmpfs::lower::LowerDirectory;
use crate::fs::tmpfs::{TmpFs, now};

use super::{Body, Node};

#[derive(Default)]
pub(super) struct Names {
    pub(super) names: Directory,
    /// Directories among `names`.
    subdirectories: u32,
    /// The lower twin, until all of its names were taken over.
    lower: Option<Lower>,
}

/// A lower directory of which some names were taken over.
struct Lower {
    directory: Arc<dyn LowerDirectory>,
    fs: Arc<TmpFs>,
    /// How many, and how many of them were directories.
    taken: (usize, u32),
}

impl Node {
    /// Runs `act` on the names.
    pub(super) fn with_names<T>(&self, act: impl FnOnce(&mut Names) -> Result<T>) -> Result<T> {
        let Body::Directory(names) = &self.body else {
            return Err(Errno::ENOTDIR);
        };
        act(&mut names.lock())
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
        let victim = new_parent.with_names(|names| names.find_any(new_name))?;
        if let Some(victim) = &victim
            && victim.is_dir()
        {
            victim.with_names(|names| names.check_empty())?;
        }
        self.with_names(|names| names.remove(name).map(drop))?;
        new_parent.with_names(|names| match &victim {
            Some(victim) => names.replace(new_name, victim, &moved),
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
    /// The names of `directory`.
    pub(super) fn over(fs: &Arc<TmpFs>, directory: Arc<dyn LowerDirectory>) -> Self {
        Self {
            lower: Some(Lower {
                directory,
                fs: Arc::clone(fs),
                taken: (0, 0),
            }),
            ..Self::default()
        }
    }

    /// How many names there are, and of how many directories.
    pub(super) fn counts(&self) -> (usize, u32) {
        let (mut names, mut subdirectories) = (self.names.len(), self.subdirectories);
        if let Some(lower) = &self.lower {
            let (below, directories_below) = lower.directory.counts();
            names += below.saturating_sub(lower.taken.0);
            subdirectories += directories_below.saturating_sub(lower.taken.1);
        }
        (names, subdirectories)
    }

    pub(super) fn find(&mut self, name: &[u8]) -> Result<Arc<Node>> {
        self.find_any(name)?.ok_or(Errno::ENOENT)
    }

    fn find_any(&mut self, name: &[u8]) -> Result<Option<Arc<Node>>> {
        if let Some(node) = self.names.get(name) {
            return Ok(Some(Arc::clone(node)));
        }
        match &self.lower {
            Some(lower) => match lower.directory.find(name)? {
                Some(number) => self.take(name, number).map(Some),
                None => Ok(None),
            },
            None => Ok(None),
        }
    }

    /// Takes a name of the lower directory over.
    fn take(&mut self, name: &[u8], number: u64) -> Result<Arc<Node>> {
        let lower = self.lower.as_mut().ok_or(Errno::ENOENT)?;
        let node = lower.fs.over(lower.directory.node(number)?);
        let is_dir = u32::from(node.is_dir());
        self.names.insert(name, Arc::clone(&node))?;
        lower.taken = (lower.taken.0 + 1, lower.taken.1 + is_dir);
        self.subdirectories += is_dir;
        Ok(node)
    }

    /// Takes all names of the lower directory over that were not yet.
    pub(super) fn complete(&mut self) -> Result<()> {
        let Some(lower) = &self.lower else {
            return Ok(());
        };
        let directory = Arc::clone(&lower.directory);
        directory.for_each(&mut |name, number| match self.names.get(name) {
            Some(_) => Ok(()),
            None => self.take(name, number).map(drop),
        })?;
        self.lower = None;
        Ok(())
    }

    pub(super) fn insert(&mut self, name: &[u8], node: Arc<Node>) -> Result<()> {
        if self.find_any(name)?.is_some() {
            return Err(Errno::EEXIST);
        }
        let is_dir = node.is_dir();
        self.names.insert(name, node)?;
        self.subdirectories += u32::from(is_dir);
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Result<Arc<Node>> {
        let is_below = match &self.lower {
            Some(lower) => lower.directory.find(name)?.is_some(),
            None => false,
        };
        if is_below {
            // Or else it would be found there again.
            self.complete()?;
        }
        let node = self.names.remove(name)?;
        self.subdirectories -= u32::from(node.is_dir());
        Ok(node)
    }

    /// Lets `name`, which means `old`, mean `new`.
    pub(super) fn replace(&mut self, name: &[u8], old: &Arc<Node>, new: &Arc<Node>) -> Result<()> {
        self.names.replace(name, Arc::clone(new))?;
        self.subdirectories += u32::from(new.is_dir());
        self.subdirectories -= u32::from(old.is_dir());
        Ok(())
    }

    pub(super) fn check_empty(&self) -> Result<()> {
        match self.counts().0 {
            0 => Ok(()),
            _ => Err(Errno::ENOTEMPTY),
        }
    }
}
