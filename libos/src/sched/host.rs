//! Threads that wait for host handles.
//!
//! Each waits for events on one handle. All of them are served by one poll: a blocking one when
//! nothing can run, a glance at each tick otherwise.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use libos_abi::handle::Handle;

use crate::fs::poll::PollEvents;
use crate::hypercall::{self, PollFd};
use crate::sync::SpinLock;
use crate::sync::wait::{WaitQueue, Woken};
use crate::time::Instant;

struct Waiter {
    fd: i32,
    events: PollEvents,
    queue: Arc<WaitQueue>,
    ready: bool,
    id: u64,
}

#[derive(Default)]
struct Waiters {
    list: Vec<Waiter>,
    next_id: u64,
}

static WAITERS: SpinLock<Waiters> = SpinLock::new(Waiters {
    list: Vec::new(),
    next_id: 0,
});

/// Sleeps until `events` (or an error, or a hang-up) are ready on `handle`.
///
/// # Errors
/// [`Woken::TimedOut`] at `deadline`, [`Woken::Interrupted`] by a signal.
pub fn wait_for_host(
    handle: &Handle,
    events: PollEvents,
    deadline: Option<Instant>,
) -> Result<(), Woken> {
    let queue = Arc::new(WaitQueue::new());
    let id = watch(handle.fd, events, Arc::clone(&queue));
    let verdict = queue.wait_until(deadline, || is_ready(id).then_some(()));
    unwatch(id);
    verdict
}

/// Tells `queue` once `events` are ready on host descriptor `fd`; returns a ticket for
/// [`unwatch`]. Used by pollers that wait for several things at once.
pub fn watch(fd: i32, events: PollEvents, queue: Arc<WaitQueue>) -> u64 {
    let mut waiters = WAITERS.lock();
    waiters.next_id += 1;
    let id = waiters.next_id;
    waiters.list.push(Waiter {
        fd,
        events,
        queue,
        ready: false,
        id,
    });
    id
}

/// Ends a watch.
pub fn unwatch(id: u64) {
    WAITERS.lock().list.retain(|waiter| waiter.id != id);
}

fn is_ready(id: u64) -> bool {
    WAITERS
        .lock()
        .list
        .iter()
        .any(|waiter| waiter.id == id && waiter.ready)
}

/// Whether any thread waits for a host handle.
pub fn anyone_waits() -> bool {
    !WAITERS.lock().list.is_empty()
}

/// What is ready on `handle` now, without waiting.
pub fn ready_now(handle: &Handle, events: PollEvents) -> PollEvents {
    let mut fds = [poll_fd(handle.fd, events)];
    match hypercall::poll(&mut fds, Some(Duration::ZERO), &NEVER) {
        Ok(_) => returned(fds[0]),
        Err(_) => PollEvents::empty(),
    }
}

/// An attention word that never cancels.
static NEVER: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);

/// Wakes the waiters whose handle is ready, without waiting.
pub fn check() {
    if anyone_waits() {
        poll_until(Some(Duration::ZERO));
    }
}

/// Waits for a handle, a host signal, or `deadline`, and wakes whom it concerns.
pub fn poll(deadline: Option<Instant>) {
    poll_until(deadline.map(|at| Instant::now().until(at)));
}

fn poll_until(timeout: Option<Duration>) {
    let (mut fds, ids): (Vec<_>, Vec<_>) = WAITERS
        .lock()
        .list
        .iter()
        .filter(|waiter| !waiter.ready)
        .map(|waiter| (poll_fd(waiter.fd, waiter.events), waiter.id))
        .unzip();
    if hypercall::poll(&mut fds, timeout, super::attention()).is_err() {
        return;
    }
    for (fd, id) in fds.iter().zip(ids).filter(|(fd, _)| fd.revents != 0) {
        announce(id, returned(*fd));
    }
}

fn announce(id: u64, events: PollEvents) {
    let queue = {
        let mut waiters = WAITERS.lock();
        let Some(waiter) = waiters.list.iter_mut().find(|waiter| waiter.id == id) else {
            return;
        };
        waiter.ready = true;
        Arc::clone(&waiter.queue)
    };
    queue.notify(events);
}

fn poll_fd(fd: i32, events: PollEvents) -> PollFd {
    let events = i16::try_from(events.bits() & 0x7fff).unwrap_or(0);
    PollFd {
        fd,
        events,
        revents: 0,
    }
}

fn returned(fd: PollFd) -> PollEvents {
    PollEvents::from_bits_truncate(u32::from(fd.revents.cast_unsigned()))
}
