//! Sleeping until a condition holds.
//!
//! A [`WaitQueue`] belongs to an object whose state threads wait for (a pipe, a futex, a child's
//! exit). A sleeper enters the queue, checks its condition, and sleeps; whoever changes the state
//! calls [`WaitQueue::wake_all`], [`WaitQueue::wake_one`] or [`WaitQueue::notify`]. Entering before
//! checking is what makes a wake-up between check and sleep impossible to lose.
//!
//! Pollers that do not sleep themselves (epoll items) listen as an [`Observer`].
//!
//! Neighbours: `sched` puts threads to sleep and makes them runnable; `time` ends a sleep at its
//! deadline; `signal` interrupts it.

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use crate::sync::SpinLock;
use crate::sync::events::PollEvents;
use crate::task::{self, Thread};
use crate::time::Instant;

/// Why a sleep ended without its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The deadline passed.
    TimedOut,
    /// A signal that the thread does not block is pending.
    Interrupted,
}

/// Somebody who wants to hear of events without sleeping.
pub trait Observer: Send + Sync {
    /// `events` may have become ready. Called with the queue's lock released. Must not block.
    fn notify(&self, events: PollEvents);
}

/// Threads that sleep, and observers that listen, for changes of one object.
#[derive(Default)]
pub struct WaitQueue {
    inner: SpinLock<Inner>,
}

#[derive(Default)]
struct Inner {
    sleepers: VecDeque<Arc<Thread>>,
    observers: Vec<Weak<dyn Observer>>,
}

impl WaitQueue {
    /// A queue nobody waits on.
    pub const fn new() -> Self {
        Self {
            inner: SpinLock::new(Inner {
                sleepers: VecDeque::new(),
                observers: Vec::new(),
            }),
        }
    }

    /// Sleeps until `attempt` returns `Some`, which is tried before each sleep.
    ///
    /// # Errors
    /// [`Woken::TimedOut`] once `deadline` has passed, [`Woken::Interrupted`] if a signal is
    /// pending. A condition that holds wins over both.
    pub fn wait_until<T>(
        &self,
        deadline: Option<Instant>,
        attempt: impl FnMut() -> Option<T>,
    ) -> Result<T, Woken> {
        wait_any(&[self], deadline, attempt)
    }

    /// Wakes the thread that has slept longest, if any; says whether there was one.
    pub fn wake_one(&self) -> bool {
        loop {
            let Some(thread) = self.inner.lock().sleepers.pop_front() else {
                return false;
            };
            if crate::sched::wake(&thread) {
                return true;
            }
        }
    }

    /// Wakes all threads that sleep here.
    pub fn wake_all(&self) {
        while self.wake_one() {}
    }

    /// Wakes all sleepers and tells all observers that `events` may be ready.
    pub fn notify(&self, events: PollEvents) {
        self.wake_all();
        self.tell_observers(events);
    }

    /// As [`Self::notify`], but wakes one sleeper only (one item arrived; one can take it).
    pub fn notify_one(&self, events: PollEvents) {
        self.wake_one();
        self.tell_observers(events);
    }

    fn tell_observers(&self, events: PollEvents) {
        let inner = self.inner.lock();
        match inner.observers.as_slice() {
            [] => return,
            // The usual case, without an allocation.
            [only] => {
                let only = only.upgrade();
                drop(inner);
                if let Some(only) = only {
                    only.notify(events);
                }
                return;
            }
            _ => drop(inner),
        }
        // Called outside the lock, since an observer may wake threads or queues of its own.
        let observers: Vec<_> = self
            .inner
            .lock()
            .observers
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        observers
            .iter()
            .for_each(|observer| observer.notify(events));
    }

    /// Adds an observer. It is kept weakly and dropped from the list once it is gone.
    pub fn observe(&self, observer: Weak<dyn Observer>) {
        let mut inner = self.inner.lock();
        inner.observers.retain(|old| old.strong_count() > 0);
        inner.observers.push(observer);
    }

    /// Removes an observer.
    pub fn forget(&self, observer: &Weak<dyn Observer>) {
        self.inner
            .lock()
            .observers
            .retain(|old| !old.ptr_eq(observer));
    }

    /// Whether any thread sleeps here.
    pub fn has_sleepers(&self) -> bool {
        !self.inner.lock().sleepers.is_empty()
    }

    /// Whether any thread sleeps or any observer listens here.
    pub fn has_listeners(&self) -> bool {
        let inner = self.inner.lock();
        !inner.sleepers.is_empty() || inner.observers.iter().any(|one| one.strong_count() > 0)
    }

    fn enter(&self, thread: &Arc<Thread>) {
        self.inner.lock().sleepers.push_back(Arc::clone(thread));
    }

    fn leave(&self, thread: &Arc<Thread>) {
        let sleepers = &mut self.inner.lock().sleepers;
        match sleepers.front() {
            // Whoever woke it took it out already.
            None => {}
            // A thread stands here once.
            Some(first) if Arc::ptr_eq(first, thread) => drop(sleepers.pop_front()),
            Some(_) => sleepers.retain(|other| !Arc::ptr_eq(other, thread)),
        }
    }
}

/// Sleeps on several queues at once until `attempt` returns `Some`.
///
/// # Errors
/// As [`WaitQueue::wait_until`].
pub fn wait_any<T>(
    queues: &[&WaitQueue],
    deadline: Option<Instant>,
    mut attempt: impl FnMut() -> Option<T>,
) -> Result<T, Woken> {
    if let Some(value) = attempt() {
        return Ok(value);
    }
    let thread = task::current_arc();
    loop {
        crate::sched::prepare_to_sleep(&thread);
        queues.iter().for_each(|queue| queue.enter(&thread));
        let verdict = match attempt() {
            Some(value) => Some(Ok(value)),
            None if task::signal_pending() => Some(Err(Woken::Interrupted)),
            None if deadline.is_some_and(|at| Instant::now() >= at) => Some(Err(Woken::TimedOut)),
            None => None,
        };
        if verdict.is_none() {
            crate::sched::sleep(deadline);
        }
        crate::sched::finish_sleep(&thread);
        queues.iter().for_each(|queue| queue.leave(&thread));
        if let Some(result) = verdict {
            return result;
        }
    }
}
