//! A mounted volume: its inodes in use, what of them is not written yet, and the room for both.
//!
//! An inode whose data or times are newer than the volume's stands in the list of dirty ones, which keeps it
//! alive, until it was written: at fsync(2), [`WRITE_BACK`] later, when too much is dirty, at the end of the program.
//! Locks are taken in the order node, volume; the lists are locked for a moment only, and no inode is dropped
//! under a lock.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;

use super::node::Node;
use super::{Caching, Found, Volume, pages};
use crate::errno::Result;
use crate::fs::inode::FsStatistics;
use crate::fs::tmpfs::new_device_number;
use crate::mm::budget::BUDGET;
use crate::sync::{SpinGuard, SpinLock};
use crate::time::Instant;
use crate::time::timer::{self, Expire};
use crate::word_map::WordMap;

/// How long what was written may be in memory alone.
const WRITE_BACK: Duration = Duration::from_secs(5);

/// How much may be dirty before writers write it themselves, in pages.
const MOST_DIRTY: u64 = (64 << 20) / PAGE;

/// Free pages that are not promised to data: a volume needs some for its own.
const MARGIN: u64 = 256;

const PAGE: u64 = libos_abi::PAGE_SIZE as u64;

/// A mounted volume.
pub struct VolumeFs {
    /// Device number.
    pub dev: u64,
    /// What is kept in memory.
    pub caching: Caching,
    volume: SpinLock<Box<dyn Volume>>,
    nodes: SpinLock<WordMap<u64, Weak<Node>>>,
    dirty: SpinLock<WordMap<u64, Arc<Node>>>,
    /// Numbers of inodes that nobody uses any more, and that the volume has not been told of.
    departed: SpinLock<Vec<u64>>,
    /// Counts uses, to know what was used last.
    clock: AtomicU64,
    /// The clock when room was last made.
    room_made: AtomicU64,
    room: SpinLock<Room>,
    /// Whether a write-back is due.
    armed: AtomicBool,
    ended: AtomicBool,
}

/// Pages that data may still take.
#[derive(Default)]
struct Room {
    free: u64,
    promised: u64,
}

/// All mounted volumes.
static MOUNTED: SpinLock<Vec<Arc<VolumeFs>>> = SpinLock::new(Vec::new());

/// Writes what all volumes have in memory alone, durably.
///
/// # Errors
/// The first of them.
pub fn sync_all() -> Result<()> {
    let mounted = MOUNTED.lock().clone();
    mounted.iter().map(|fs| fs.sync()).fold(Ok(()), Result::and)
}

/// Writes what all volumes have in memory alone, and ends their use. Nothing can be told to anybody now but the
/// first error.
///
/// # Errors
/// The first of them.
pub fn unmount_all() -> Result<()> {
    let mounted = core::mem::take(&mut *MOUNTED.lock());
    let unmounted = mounted.iter().map(|fs| fs.unmount());
    unmounted.fold(Ok(()), Result::and)
}

impl VolumeFs {
    /// Mounts `volume`; returns its root directory.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn mount(mut volume: Box<dyn Volume>) -> Result<Arc<Node>> {
        let root = volume.root()?;
        let fs = Arc::new(Self {
            dev: new_device_number(),
            caching: volume.caching(),
            volume: SpinLock::new(volume),
            nodes: SpinLock::default(),
            dirty: SpinLock::default(),
            departed: SpinLock::default(),
            clock: AtomicU64::new(1),
            room_made: AtomicU64::new(0),
            room: SpinLock::default(),
            armed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        MOUNTED.lock().push(Arc::clone(&fs));
        fs.node(&root)
    }

    /// The volume, to be asked something.
    pub fn volume(&self) -> SpinGuard<'_, Box<dyn Volume>> {
        let mut volume = self.volume.lock();
        let departed = core::mem::take(&mut *self.departed.lock());
        for number in departed {
            // Its number may have been found again meanwhile.
            let used = self
                .nodes
                .lock()
                .get(&number)
                .is_some_and(|node| node.strong_count() > 0);
            if !used {
                self.nodes.lock().remove(&number);
                // Nobody is left who could be told of an error; the volume's check finds what was not freed.
                let _ = volume.forget(number);
            }
        }
        volume
    }

    /// The inode that was found.
    ///
    /// # Errors
    /// EUCLEAN if it is of no type.
    pub fn node(self: &Arc<Self>, found: &Found) -> Result<Arc<Node>> {
        let known = self.nodes.lock().get(&found.number).and_then(Weak::upgrade);
        if let Some(node) = known {
            node.learn(&found.attributes);
            return Ok(node);
        }
        let node = Node::new(self, found)?;
        self.nodes
            .lock()
            .insert(found.number, Arc::downgrade(&node));
        Ok(node)
    }

    /// Nobody uses the inode `number` any more.
    pub fn depart(&self, number: u64) {
        self.departed.lock().push(number);
    }

    /// The next turn of the clock by which the least recently used is known.
    pub fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// `node` has something that the volume lacks.
    pub fn soil(self: &Arc<Self>, node: &Arc<Node>) {
        let before = self.dirty.lock().insert(node.number(), Arc::clone(node));
        drop(before);
        if !self.armed.swap(true, Ordering::Relaxed) {
            let this: Weak<Self> = Arc::downgrade(self);
            timer::arm(Instant::now().after(WRITE_BACK), this);
        }
    }

    /// `node` has nothing that the volume lacks, or nobody will ask for it.
    pub fn clean(&self, number: u64) {
        let gone = self.dirty.lock().remove(&number);
        drop(gone);
    }

    /// Promises room for `count` pages more, if there is so much when everything else is written.
    pub fn promise(&self, count: u64) -> bool {
        if self.room.lock().take(count) || self.ask_for(count) {
            return true;
        }
        // Much is promised for pages that have their place already; once they are written it is known.
        self.write_back().is_ok() && self.ask_for(count)
    }

    /// Pages that were promised room have it, or need none.
    pub fn keep(&self, count: u64) {
        let mut room = self.room.lock();
        room.promised = room.promised.saturating_sub(count);
        // What is free now is asked for when it matters.
        room.free = 0;
    }

    fn ask_for(&self, count: u64) -> bool {
        let free = self.volume().statistics().map_or(0, |known| {
            (known.blocks_free * known.block_size / PAGE).saturating_sub(MARGIN)
        });
        let mut room = self.room.lock();
        room.free = free;
        room.take(count)
    }

    /// Writes what is dirty if it is much.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn keep_bounds(&self) -> Result<()> {
        if self.room.lock().promised > MOST_DIRTY {
            self.write_back()?;
        }
        if pages::cached() > BUDGET.limit() / 4 {
            self.make_room();
        }
        Ok(())
    }

    /// Drops the pages that were used least recently.
    #[cold]
    fn make_room(&self) {
        let now = self.clock.load(Ordering::Relaxed);
        if now < self.room_made.load(Ordering::Relaxed) + 64 {
            return;
        }
        self.room_made.store(now, Ordering::Relaxed);
        let nodes = self.all_nodes();
        let mut oldest = now;
        for node in &nodes {
            node.idle_since(&mut |used| oldest = oldest.min(used));
        }
        // The older half of the time that they span, or all of what is left of it.
        let before = oldest + (now - oldest) / 2 + 1;
        for node in &nodes {
            node.shrink(before);
        }
    }

    fn all_nodes(&self) -> Vec<Arc<Node>> {
        self.nodes
            .lock()
            .values()
            .filter_map(Weak::upgrade)
            .collect()
    }

    /// Writes everything that the volume lacks.
    ///
    /// # Errors
    /// The first of the volume; what it did not take is tried again.
    pub fn write_back(&self) -> Result<()> {
        let dirty: Vec<_> = self.dirty.lock().take_values().collect();
        let mut result = Ok(());
        for node in dirty {
            if let Err(error) = node.write_back() {
                node.remember(error);
                result = result.and(Err(error));
                self.dirty.lock().insert(node.number(), node);
            } else if node.is_mapped() {
                // The mapping may change it again, and nobody will tell.
                self.dirty.lock().insert(node.number(), node);
            }
        }
        result
    }

    /// Writes everything that the volume lacks, durably.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn sync(&self) -> Result<()> {
        let written = self.write_back();
        written.and(self.volume().sync())
    }

    /// Writes everything, and ends the volume's use.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn unmount(&self) -> Result<()> {
        self.ended.store(true, Ordering::Relaxed);
        let written = self.write_back();
        let dirty: Vec<_> = self.dirty.lock().take_values().collect();
        drop(dirty);
        written.and(self.volume().unmount())
    }

    /// What statfs(2) says.
    pub fn statistics(&self) -> FsStatistics {
        let known = self.volume().statistics().unwrap_or_default();
        let promised = self.room.lock().promised * PAGE / known.block_size.max(1);
        FsStatistics {
            magic: known.magic,
            block_size: known.block_size,
            blocks: known.blocks,
            blocks_free: known.blocks_free.saturating_sub(promised),
            files: known.files,
            files_free: known.files_free,
            id: self.dev,
        }
    }
}

impl Room {
    fn take(&mut self, count: u64) -> bool {
        let fits = self.promised.saturating_add(count) <= self.free;
        if fits {
            self.promised += count;
        }
        fits
    }
}

impl Expire for VolumeFs {
    fn expire(self: Arc<Self>, _due: Instant) {
        self.armed.store(false, Ordering::Relaxed);
        if self.ended.load(Ordering::Relaxed) {
            return;
        }
        // Errors are kept for who asks by fsync(2).
        let _ = self.write_back();
        let left = !self.dirty.lock().is_empty();
        if left && !self.armed.swap(true, Ordering::Relaxed) {
            let this: Weak<Self> = Arc::downgrade(&self);
            timer::arm(Instant::now().after(WRITE_BACK), this);
        }
    }
}
