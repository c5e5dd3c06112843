//! One descriptor that an epoll instance watches.

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::fs::epoll::Epoll;
use crate::fs::file::OpenFile;
use crate::fs::multiplex::ALWAYS;
use crate::fs::poll::PollEvents;
use crate::sync::wait::Observer;

bitflags::bitflags! {
    /// The flags of `epoll_event.events` that are not events.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Mode: u32 {
        /// Of several instances that watch one file, not all need to be told (EPOLLEXCLUSIVE).
        const EXCLUSIVE = 1 << 28;
        /// Keep the system awake; accepted without effect, as Linux does without the capability.
        const WAKEUP = 1 << 29;
        /// Report once, then keep quiet until modified (EPOLLONESHOT).
        const ONESHOT = 1 << 30;
        /// Report changes, not states (EPOLLET).
        const EDGE = 1 << 31;
    }
}

/// What names an item: a descriptor and the open file description that it meant when it was added.
/// A reused number is another item; the description's address is not reused while the item exists,
/// because its weak reference keeps the allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    fd: i32,
    description: usize,
}

impl Key {
    /// The key of `file` under number `fd`.
    pub fn new(fd: i32, file: &Arc<OpenFile>) -> Self {
        Self {
            fd,
            description: Arc::as_ptr(file) as usize,
        }
    }
}

/// A watched descriptor. The fields that change are guarded by the instance's lock; they are atomic
/// so that a notification can look at them without it.
pub struct Item {
    pub(super) key: Key,
    pub(super) file: Weak<OpenFile>,
    epoll: Weak<Epoll>,
    /// Itself, for the ready list.
    me: Weak<Item>,
    /// `epoll_event.events` as given, mode bits included; 0 events after a one-shot report.
    events: AtomicU32,
    data: AtomicU64,
    /// Whether it stands in the ready list.
    queued: AtomicBool,
}

impl Item {
    /// An item that is not in the ready list.
    pub(super) fn new(
        key: Key,
        file: &Arc<OpenFile>,
        epoll: Weak<Epoll>,
        events: u32,
        data: u64,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            key,
            file: Arc::downgrade(file),
            epoll,
            me: Weak::clone(me),
            events: AtomicU32::new(events),
            data: AtomicU64::new(data),
            queued: AtomicBool::new(false),
        })
    }

    /// Replaces what is wanted.
    pub(super) fn modify(&self, events: u32, data: u64) {
        self.events.store(events, Ordering::Relaxed);
        self.data.store(data, Ordering::Relaxed);
    }

    /// Stops reporting until [`Self::modify`].
    pub(super) fn disable(&self) {
        self.events.fetch_and(Mode::all().bits(), Ordering::Relaxed);
    }

    /// How it reports.
    pub(super) fn mode(&self) -> Mode {
        Mode::from_bits_truncate(self.events.load(Ordering::Relaxed))
    }

    /// What it reports; empty while disabled.
    pub(super) fn wanted(&self) -> PollEvents {
        let events = self.events.load(Ordering::Relaxed) & !Mode::all().bits();
        if events == 0 && self.mode().contains(Mode::ONESHOT) {
            return PollEvents::empty();
        }
        PollEvents::from_bits_truncate(events) | ALWAYS
    }

    /// The application's word for it.
    pub(super) fn data(&self) -> u64 {
        self.data.load(Ordering::Relaxed)
    }

    /// Marks it as in the ready list; says whether it was not there before.
    pub(super) fn enqueue(&self) -> bool {
        let was = self.queued.load(Ordering::Relaxed);
        self.queued.store(true, Ordering::Relaxed);
        !was
    }

    /// Marks it as out of the ready list; says whether it was there.
    pub(super) fn dequeue(&self) -> bool {
        let was = self.queued.load(Ordering::Relaxed);
        self.queued.store(false, Ordering::Relaxed);
        was
    }
}

impl Observer for Item {
    fn notify(&self, events: PollEvents) {
        if !events.intersects(self.wanted()) || self.queued.load(Ordering::Relaxed) {
            return;
        }
        if let (Some(epoll), Some(me)) = (self.epoll.upgrade(), self.me.upgrade()) {
            epoll.make_ready(&me);
        }
    }
}
