//! The file system in memory: `/`, `/tmp`, `/dev/shm`, memfd.
//!
//! - [`TmpFs`]: the instance: device number, limits, the clock for its times.
//! - [`Node`]: an inode; also the [`crate::fs::file::File`] that opening a regular file or directory
//!   yields, since an opener's state (offset, flags) is in the open file description.
//! - [`contents::Contents`]: the bytes of a regular file.
//! - [`directory::Directory`]: names, found in O(1), listed in a stable order.
//! - [`lower::LowerDirectory`]: a read-only tree below, such as the image's root. A directory
//!   takes a name of its lower twin over when it is first looked up, and all when it is listed or loses
//!   one; a file borrows the lower bytes until it is first changed. From then on the upper layer alone
//!   speaks, so that removed and replaced names need no whiteouts and an inode keeps its identity
//!   through a copy-up.
//!
//! Neighbours: `vfs` (checks names and permissions), `mm` (pages).

pub mod contents;
mod directory;
pub mod lower;
mod node;
mod regular;
pub mod xattr;

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;

use crate::errno::{Errno, Result};
use crate::fs::inode::{FsStatistics, Ownership};
use crate::sync::SpinLock;
use crate::user::Timespec;

use lower::{LowerBody, LowerNode};

pub use node::Node;
pub use regular::Seals;

/// `TMPFS_MAGIC`.
pub const MAGIC: u64 = 0x0102_1994;

const BLOCK: u64 = libos_abi::PAGE_SIZE as u64;

/// One instance.
pub struct TmpFs {
    dev: u64,
    next_ino: AtomicU64,
    /// Limit of file data in blocks of a page.
    blocks: u64,
    used_blocks: AtomicU64,
    /// Limit of inodes.
    inodes: u64,
    used_inodes: AtomicU64,
    /// Lower files with several names that were taken over, by their number.
    link_groups: SpinLock<HashMap<u64, Weak<Node>>>,
}

static NEXT_DEV: AtomicU64 = AtomicU64::new(0x19);

/// A device number that no other file system of this run has.
pub fn new_device_number() -> u64 {
    NEXT_DEV.fetch_add(1, Ordering::Relaxed)
}

impl TmpFs {
    /// An instance that holds up to `bytes` of file data.
    pub fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            dev: new_device_number(),
            next_ino: AtomicU64::new(1),
            blocks: bytes / BLOCK,
            used_blocks: AtomicU64::new(0),
            inodes: (bytes / 1024).max(1024),
            used_inodes: AtomicU64::new(0),
            link_groups: SpinLock::default(),
        })
    }

    /// Its root: an empty directory.
    pub fn root(self: &Arc<Self>, owner: Ownership) -> Arc<Node> {
        Node::directory(self, owner)
    }

    /// What statfs(2) says.
    pub fn statistics(&self) -> FsStatistics {
        let used = self.used_blocks.load(Ordering::Relaxed);
        let used_inodes = self.used_inodes.load(Ordering::Relaxed);
        FsStatistics {
            magic: MAGIC,
            block_size: BLOCK,
            blocks: self.blocks,
            blocks_free: self.blocks.saturating_sub(used),
            files: self.inodes,
            files_free: self.inodes.saturating_sub(used_inodes),
            id: self.dev,
        }
    }

    /// The node that stands for `lower`: the same for all names of a file.
    fn over(self: &Arc<Self>, lower: LowerNode) -> Arc<Node> {
        if lower.links < 2 || matches!(lower.body, LowerBody::Directory(_)) {
            return Node::over(self, lower);
        }
        let number = lower.number;
        let known = self.link_groups.lock().get(&number).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let node = Node::over(self, lower);
            self.link_groups
                .lock()
                .insert(number, Arc::downgrade(&node));
            node
        })
    }

    /// Leaves inode numbers below `end` to a lower tree.
    pub fn number_from(&self, end: u64) {
        self.next_ino.fetch_max(end, Ordering::Relaxed);
    }

    fn new_ino(&self) -> u64 {
        self.next_ino.fetch_add(1, Ordering::Relaxed)
    }

    fn check_inodes(&self) -> Result<()> {
        match self.used_inodes.load(Ordering::Relaxed) < self.inodes {
            true => Ok(()),
            false => Err(Errno::ENOSPC.because("the file system's limit of inodes is reached")),
        }
    }

    fn add_inode(&self) {
        self.used_inodes.fetch_add(1, Ordering::Relaxed);
    }

    fn drop_inode(&self) {
        self.used_inodes.fetch_sub(1, Ordering::Relaxed);
    }

    /// Books a change of a file's blocks.
    fn book(&self, before: u64, after: u64) -> Result<()> {
        let used = self.used_blocks.load(Ordering::Relaxed);
        let new = (used + after).saturating_sub(before);
        if after > before && new > self.blocks {
            return Err(Errno::ENOSPC.because("the file system's size limit is reached"));
        }
        self.used_blocks.store(new, Ordering::Relaxed);
        Ok(())
    }
}

/// The present, for time stamps.
fn now() -> Timespec {
    Timespec::from_ns(crate::time::realtime_ns())
}
