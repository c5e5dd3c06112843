//! epoll(7): waiting for many files at a cost that depends on the ready ones only.
//!
//! - [`Epoll`]: an instance: its [`item::Item`]s and the list of those that may be ready.
//! - [`nesting`]: instances that watch instances.
//!
//! An item listens on its file's queue; a notification puts it into the ready list. A wait takes
//! items from that list, asks each file what is so, and reports it; a level-triggered item goes back
//! to the end of the list, to be asked again next time.
//!
//! Items know their open file description weakly: when its last descriptor is closed the item is
//! dead, is skipped, and goes away with the next look or the next sweep. EPOLLEXCLUSIVE is checked as
//! Linux checks it, but all instances are told: it permits fewer wake-ups and promises none.

mod item;
mod nesting;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::{Arc, Weak};
use core::any::Any;

use crate::errno::{Errno, Result};
use crate::fs::file::{Anonymous, File, OpenFile};
use crate::fs::poll::PollEvents;
use crate::sync::SpinLock;
use crate::sync::wait::{Observer, WaitQueue};
use crate::user::Plain;

use item::{Item, Key, Mode};

/// No more descriptors than this in one instance: a bound on the libOS's memory.
const MAX_ITEMS: usize = 1 << 20;

/// Dead items are swept out when the number of items reaches a threshold, at least this.
const SWEEP_FROM: usize = 64;

/// `struct epoll_event`, packed on x86-64.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpollEvent {
    /// Events and flags.
    pub events: u32,
    /// The application's word.
    pub data: u64,
}

// SAFETY: two integers, packed: every pattern is valid, nothing is owned.
unsafe impl Plain for EpollEvent {}

/// An epoll instance.
pub struct Epoll {
    me: Weak<Epoll>,
    state: SpinLock<State>,
    /// Threads in epoll_wait(2).
    waiters: WaitQueue,
    /// Those who poll the instance itself.
    pollers: WaitQueue,
}

struct State {
    items: BTreeMap<Key, Arc<Item>>,
    ready: VecDeque<Arc<Item>>,
    sweep_at: usize,
    /// Instances that watch this one.
    parents: nesting::Parents,
}

impl Epoll {
    /// An instance that watches nothing.
    pub fn new() -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            state: SpinLock::new(State {
                items: BTreeMap::new(),
                ready: VecDeque::new(),
                sweep_at: SWEEP_FROM,
                parents: nesting::Parents::default(),
            }),
            waiters: WaitQueue::new(),
            pollers: WaitQueue::new(),
        })
    }

    /// Watches `file` under number `fd` (EPOLL_CTL_ADD).
    ///
    /// # Errors
    /// EEXIST, EPERM for a file that is always ready, EINVAL for flags that don't go together, ELOOP
    /// for a circle or too deep a nest of instances, ENOSPC.
    pub fn add(&self, fd: i32, file: &Arc<OpenFile>, event: EpollEvent) -> Result<()> {
        let Some(queue) = file.file().wait_queue() else {
            return Err(Errno::EPERM.because("a file that never blocks"));
        };
        let nested = file.downcast::<Self>();
        check_exclusive(event, nested)?;
        let key = Key::new(fd, file);
        if self.find(key).is_ok() {
            return Err(Errno::EEXIST);
        }
        if let Some(child) = nested {
            nesting::admit(self, child)?;
        }
        let item = Item::new(key, file, Weak::clone(&self.me), event.events, event.data);
        self.insert(&item)?;
        let observer: Weak<Item> = Arc::downgrade(&item);
        queue.observe(observer);
        self.look(&item, file);
        Ok(())
    }

    /// Replaces what is wanted of a watched descriptor (EPOLL_CTL_MOD).
    ///
    /// # Errors
    /// ENOENT, EINVAL for an exclusive item.
    pub fn modify(&self, fd: i32, file: &Arc<OpenFile>, event: EpollEvent) -> Result<()> {
        let item = self.find(Key::new(fd, file))?;
        let exclusive = Mode::from_bits_truncate(event.events) | item.mode();
        if exclusive.contains(Mode::EXCLUSIVE) {
            return Err(Errno::EINVAL);
        }
        item.modify(event.events, event.data);
        self.look(&item, file);
        Ok(())
    }

    /// Stops watching a descriptor (EPOLL_CTL_DEL).
    ///
    /// # Errors
    /// ENOENT.
    pub fn delete(&self, fd: i32, file: &Arc<OpenFile>) -> Result<()> {
        let item = self.find(Key::new(fd, file))?;
        self.remove(&item);
        if let Some(queue) = file.file().wait_queue() {
            let observer: Weak<Item> = Arc::downgrade(&item);
            let observer: Weak<dyn Observer> = observer;
            queue.forget(&observer);
        }
        if let Some(child) = file.downcast::<Self>() {
            nesting::dismiss(self, child);
        }
        Ok(())
    }

    /// Reports up to `max` ready items to `sink`, which gets each report's index and may refuse it
    /// (then the item stays ready). Returns how many were reported.
    ///
    /// # Errors
    /// That of `sink`, if it refused the first.
    pub fn harvest(
        &self,
        max: usize,
        mut sink: impl FnMut(usize, EpollEvent) -> Result<()>,
    ) -> Result<usize> {
        let mut count = 0;
        // Items that go back to the list during this look are for the next one.
        let mut budget = self.state.lock().ready.len();
        while count < max && budget > 0 {
            budget -= 1;
            let Some(item) = self.take_first() else { break };
            let Some(found) = self.ask(&item) else {
                continue;
            };
            let event = EpollEvent {
                events: found.bits(),
                data: item.data(),
            };
            if let Err(error) = sink(count, event) {
                self.put_back(item);
                return if count > 0 { Ok(count) } else { Err(error) };
            }
            count += 1;
            if item.mode().contains(Mode::ONESHOT) {
                item.disable();
            } else if !item.mode().contains(Mode::EDGE) {
                self.put_last(item);
            }
        }
        if count > 0 && self.waiters.has_sleepers() && !self.state.lock().ready.is_empty() {
            self.waiters.wake_one();
        }
        Ok(count)
    }

    /// Where epoll_wait(2) sleeps.
    pub fn waiters(&self) -> &WaitQueue {
        &self.waiters
    }

    /// Number of watched descriptors, dead ones included until they are swept.
    pub fn len(&self) -> usize {
        self.state.lock().items.len()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts `item` into the ready list, if it isn't there, and wakes a waiter.
    fn make_ready(&self, item: &Arc<Item>) {
        let mut state = self.state.lock();
        // A notification can come late, for an item that was deleted in the meantime.
        if !state.items.contains_key(&item.key) || !item.enqueue() {
            return;
        }
        state.ready.push_back(Arc::clone(item));
        drop(state);
        self.waiters.wake_one();
        self.pollers.notify(PollEvents::IN | PollEvents::RDNORM);
    }

    /// What `item`'s file reports of what is wanted; `None` for nothing. A dead item goes away.
    fn ask(&self, item: &Arc<Item>) -> Option<PollEvents> {
        let Some(file) = item.file.upgrade() else {
            self.remove(item);
            return None;
        };
        let found = file.file().poll() & item.wanted();
        (!found.is_empty()).then_some(found)
    }

    /// Puts `item` into the ready list if its file has something to report now.
    fn look(&self, item: &Arc<Item>, file: &Arc<OpenFile>) {
        if file.file().poll().intersects(item.wanted()) {
            self.make_ready(item);
        }
    }

    fn find(&self, key: Key) -> Result<Arc<Item>> {
        let state = self.state.lock();
        state.items.get(&key).cloned().ok_or(Errno::ENOENT)
    }

    fn insert(&self, item: &Arc<Item>) -> Result<()> {
        let mut dead = alloc::vec::Vec::new();
        let mut state = self.state.lock();
        if state.items.len() >= state.sweep_at {
            let gone = |item: &Arc<Item>| item.file.strong_count() == 0;
            dead.extend(state.items.extract_if(.., |_, item| gone(item)));
            state.ready.retain(|item| !gone(item));
            state.sweep_at = SWEEP_FROM.max(2 * state.items.len());
        }
        if state.items.len() >= MAX_ITEMS {
            return Err(Errno::ENOSPC);
        }
        state.items.insert(item.key, Arc::clone(item));
        Ok(())
    }

    fn remove(&self, item: &Arc<Item>) {
        let mut state = self.state.lock();
        let removed = state.items.remove(&item.key);
        if item.dequeue() {
            state.ready.retain(|other| !Arc::ptr_eq(other, item));
        }
        drop(state);
        drop(removed);
    }

    fn take_first(&self) -> Option<Arc<Item>> {
        let item = self.state.lock().ready.pop_front()?;
        item.dequeue();
        Some(item)
    }

    fn put_last(&self, item: Arc<Item>) {
        let mut state = self.state.lock();
        if item.enqueue() {
            state.ready.push_back(item);
        }
    }

    fn put_back(&self, item: Arc<Item>) {
        let mut state = self.state.lock();
        if item.enqueue() {
            state.ready.push_front(item);
        }
    }
}

impl File for Epoll {
    fn poll(&self) -> PollEvents {
        let mut budget = self.state.lock().ready.len();
        while budget > 0 {
            budget -= 1;
            let Some(item) = self.take_first() else { break };
            if self.ask(&item).is_some() {
                self.put_back(item);
                return PollEvents::IN | PollEvents::RDNORM;
            }
        }
        PollEvents::empty()
    }

    fn wait_queue(&self) -> Option<&WaitQueue> {
        Some(&self.pollers)
    }

    fn anonymous(&self) -> Anonymous {
        Anonymous::inode("anon_inode:[eventpoll]")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// EPOLLEXCLUSIVE goes with few other flags, and not with instances.
fn check_exclusive(event: EpollEvent, nested: Option<&Epoll>) -> Result<()> {
    let events = event.events;
    if !Mode::from_bits_truncate(events).contains(Mode::EXCLUSIVE) {
        return Ok(());
    }
    let plain = PollEvents::IN | PollEvents::OUT | PollEvents::ERR | PollEvents::HUP;
    let modes = Mode::EXCLUSIVE | Mode::WAKEUP | Mode::EDGE;
    if nested.is_some() || events & !(plain.bits() | modes.bits()) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
