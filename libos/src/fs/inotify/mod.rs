//! inotify(7): reading what happens to files.
//!
//! - [`Inotify`]: an instance: its watches and the queue of events to read.
//! - [`registry`](self): which watches an inode has; [`event`] and [`Subject`] are what the VFS calls.
//!
//! While nothing is watched anywhere, an event costs one load. The queue is bounded, and overflows
//! into IN_Q_OVERFLOW as Linux's does. A watch keeps its inode, so that an address names one inode.

mod registry;

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU32, Ordering};

use linux_raw_sys::ioctl::FIONREAD;

use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::fs::file::{Anonymous, File, Io};
use crate::fs::inode::{Change, Inode};
use crate::fs::poll::PollEvents;
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;
use crate::user::{Dest, UserPtr};
use crate::word_map::WordMap;

pub use registry::{Subject, event, event_at, forget_inode, is_watched, next_cookie};

/// Most events that wait to be read (`/proc/sys/fs/inotify/max_queued_events`).
const MAX_EVENTS: usize = 16_384;

/// Most watches of an instance (`max_user_watches` bounds them natively).
const MAX_WATCHES: usize = 65_536;

/// Length of a `struct inotify_event` without its name.
const HEADER: usize = 16;

bitflags::bitflags! {
    /// `IN_*`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Mask: u32 {
        /// Read.
        const ACCESS = 0x1;
        /// Written or truncated.
        const MODIFY = 0x2;
        /// Metadata changed.
        const ATTRIB = 0x4;
        /// Closed after being open for writing.
        const CLOSE_WRITE = 0x8;
        /// Closed after being open for reading only.
        const CLOSE_NOWRITE = 0x10;
        /// Opened.
        const OPEN = 0x20;
        /// A name was moved out of the directory.
        const MOVED_FROM = 0x40;
        /// A name was moved into the directory.
        const MOVED_TO = 0x80;
        /// A name was made in the directory.
        const CREATE = 0x100;
        /// A name was removed from the directory.
        const DELETE = 0x200;
        /// The watched object itself was deleted.
        const DELETE_SELF = 0x400;
        /// The watched object itself was moved.
        const MOVE_SELF = 0x800;
        /// Events were lost.
        const Q_OVERFLOW = 0x4000;
        /// The watch is gone.
        const IGNORED = 0x8000;
        /// Only if it is a directory.
        const ONLYDIR = 0x0100_0000;
        /// Don't follow a final symlink.
        const DONT_FOLLOW = 0x0200_0000;
        /// No events of children that were unlinked; accepted without effect.
        const EXCL_UNLINK = 0x0400_0000;
        /// Fail if there is a watch.
        const MASK_CREATE = 0x1000_0000;
        /// Add to the mask of an existing watch.
        const MASK_ADD = 0x2000_0000;
        /// The subject is a directory.
        const ISDIR = 0x4000_0000;
        /// One event, then the watch goes.
        const ONESHOT = 0x8000_0000;
    }
}

impl Mask {
    /// What a change of attributes is reported as: one time alone as the access or the write that may have set
    /// it, all else as itself (fsnotify_change in the kernel's include/linux/fsnotify.h).
    pub fn of_change(change: &Change) -> Self {
        let owner_or_mode = change.mode.is_some() || change.uid.is_some() || change.gid.is_some();
        let times = match (change.atime, change.mtime) {
            (Some(_), Some(_)) => Self::ATTRIB,
            (Some(_), None) => Self::ACCESS,
            (None, Some(_)) => Self::MODIFY,
            (None, None) => Self::empty(),
        };
        if owner_or_mode {
            times | Self::ATTRIB
        } else {
            times
        }
    }
}

impl Mask {
    /// The events that can be asked for.
    pub const EVENTS: Self = Self::from_bits_truncate(0xfff);
}

/// One watch: an inode, and what is wanted of it.
pub struct Watch {
    descriptor: i32,
    mask: AtomicU32,
    inode: Arc<dyn Inode>,
    owner: Weak<Inotify>,
}

impl Watch {
    fn mask(&self) -> Mask {
        Mask::from_bits_truncate(self.mask.load(Ordering::Relaxed))
    }

    /// Reports `mask`, if it is wanted.
    fn report(self: &Arc<Self>, mask: Mask, cookie: u32, name: Option<&[u8]>) {
        if !self.mask().intersects(mask) {
            return;
        }
        let Some(owner) = self.owner.upgrade() else {
            return;
        };
        owner.queue(self.descriptor, mask, cookie, name);
        if self.mask().contains(Mask::ONESHOT) {
            owner.end(self);
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Event {
    watch: i32,
    mask: u32,
    cookie: u32,
    /// With NULs up to a multiple of [`HEADER`]; empty for none.
    name: Vec<u8>,
}

impl Event {
    fn len(&self) -> usize {
        HEADER + self.name.len()
    }

    fn put(&self, dest: &mut Dest<'_>) -> Result<()> {
        let name_len = u32::try_from(self.name.len()).unwrap_or(0);
        let words = [self.watch.cast_unsigned(), self.mask, self.cookie, name_len];
        let whole = [words.map(u32::to_ne_bytes).as_flattened(), &self.name].concat();
        match dest.put(&whole)? {
            count if count == whole.len() => Ok(()),
            _ => Err(Errno::EFAULT),
        }
    }
}

/// An inotify instance.
pub struct Inotify {
    me: Weak<Inotify>,
    state: SpinLock<State>,
    arrivals: WaitQueue,
}

#[derive(Default)]
struct State {
    watches: WordMap<i32, Arc<Watch>>,
    last_descriptor: i32,
    events: VecDeque<Event>,
}

impl Inotify {
    /// An instance without watches.
    pub fn new() -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            state: SpinLock::default(),
            arrivals: WaitQueue::new(),
        })
    }

    /// Watches `inode`, or changes its watch; returns the watch descriptor.
    ///
    /// # Errors
    /// EINVAL for a mask without events, EEXIST with MASK_CREATE, ENOTDIR with ONLYDIR, ENOSPC.
    pub fn watch(&self, inode: &Arc<dyn Inode>, mask: Mask) -> Result<i32> {
        check_mask(mask)?;
        if mask.contains(Mask::ONLYDIR) && !inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        let kept = mask & (Mask::EVENTS | Mask::ONESHOT | Mask::EXCL_UNLINK);
        let mut state = self.state.lock();
        let same = |watch: &&Arc<Watch>| Arc::ptr_eq(&watch.inode, inode);
        if let Some(watch) = state.watches.values().find(same) {
            if mask.contains(Mask::MASK_CREATE) {
                return Err(Errno::EEXIST);
            }
            let new = if mask.contains(Mask::MASK_ADD) {
                watch.mask() | kept
            } else {
                kept
            };
            watch.mask.store(new.bits(), Ordering::Relaxed);
            return Ok(watch.descriptor);
        }
        if state.watches.len() >= MAX_WATCHES {
            return Err(Errno::ENOSPC);
        }
        state.last_descriptor += 1;
        let watch = Arc::new(Watch {
            descriptor: state.last_descriptor,
            mask: AtomicU32::new(kept.bits()),
            inode: Arc::clone(inode),
            owner: Weak::clone(&self.me),
        });
        state.watches.insert(watch.descriptor, Arc::clone(&watch));
        drop(state);
        registry::add(&watch);
        Ok(watch.descriptor)
    }

    /// Ends watch `descriptor`.
    ///
    /// # Errors
    /// EINVAL if there is none.
    pub fn unwatch(&self, descriptor: i32) -> Result<()> {
        let watch = self.state.lock().watches.get(&descriptor).cloned();
        self.end(&watch.ok_or(Errno::EINVAL)?);
        Ok(())
    }

    fn end(&self, watch: &Arc<Watch>) {
        let removed = self.state.lock().watches.remove(&watch.descriptor);
        if removed.is_some() {
            registry::remove(watch);
            self.queue(watch.descriptor, Mask::IGNORED, 0, None);
        }
    }

    fn queue(&self, watch: i32, mask: Mask, cookie: u32, name: Option<&[u8]>) {
        let mut padded = name.map_or_else(Vec::new, <[u8]>::to_vec);
        if name.is_some() {
            padded.resize((padded.len() + 1).next_multiple_of(HEADER), 0);
        }
        let event = Event {
            watch,
            mask: mask.bits(),
            cookie,
            name: padded,
        };
        if self.push(event) {
            self.arrivals.notify(PollEvents::IN | PollEvents::RDNORM);
        }
    }

    /// Adds an event, unless it repeats the last one or the queue is full; says whether it did.
    fn push(&self, event: Event) -> bool {
        let events = &mut self.state.lock().events;
        match events.len() {
            _ if events.back() == Some(&event) => return false,
            MAX_EVENTS.. => return false,
            len if len == MAX_EVENTS - 1 => events.push_back(Event {
                watch: -1,
                mask: Mask::Q_OVERFLOW.bits(),
                cookie: 0,
                name: Vec::new(),
            }),
            _ => events.push_back(event),
        }
        true
    }

    /// Moves as many events as fit into `dest`; `None` if there are none.
    fn try_read(&self, dest: &mut Dest<'_>) -> Option<Result<usize>> {
        let start = dest.written();
        loop {
            let event = {
                let mut state = self.state.lock();
                match state.events.front() {
                    Some(event) if event.len() <= dest.room() => state.events.pop_front(),
                    Some(_) if dest.written() == start => return Some(Err(Errno::EINVAL)),
                    Some(_) => None,
                    None if dest.written() == start => return None,
                    None => None,
                }
            };
            let Some(event) = event else {
                return Some(Ok(dest.written() - start));
            };
            if let Err(error) = event.put(dest) {
                return Some(Err(error));
            }
        }
    }
}

fn check_mask(mask: Mask) -> Result<()> {
    let both = Mask::MASK_ADD | Mask::MASK_CREATE;
    if !mask.intersects(Mask::EVENTS) || mask.contains(both) {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

impl File for Inotify {
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        blocking::attempt(&self.arrivals, Patience::of(io), || self.try_read(dest))
    }

    fn poll(&self) -> PollEvents {
        if self.state.lock().events.is_empty() {
            PollEvents::empty()
        } else {
            PollEvents::IN | PollEvents::RDNORM
        }
    }

    fn wait_queue(&self) -> Option<&WaitQueue> {
        Some(&self.arrivals)
    }

    fn ioctl(&self, request: u32, argument: usize) -> Result<usize> {
        if request != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let bytes: usize = self.state.lock().events.iter().map(Event::len).sum();
        UserPtr::<i32>::new(argument).write(i32::try_from(bytes).unwrap_or(i32::MAX))?;
        Ok(0)
    }

    fn anonymous(&self) -> Anonymous {
        Anonymous::inode("anon_inode:inotify")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        for watch in self.state.get_mut().watches.values() {
            registry::remove(watch);
        }
    }
}

#[cfg(test)]
mod tests;
