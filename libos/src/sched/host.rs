//! Host handles whose readiness threads wait for.
//!
//! A [`HostSource`] stands for one handle. Whoever finds it not ready arms the events that it wants
//! and sleeps on its queue. One host poll serves all armed handles: a blocking one when nothing can
//! run ([`poll`]), a glance at each tick otherwise ([`check`]); it disarms what came and wakes the
//! waiters. Arming is one-shot, so a handle that stays ready but that nobody
//! reads (end of file on standard input under edge-triggered epoll) never makes the idle loop spin.
//!
//! It does not read or write: the files over a handle do ([`crate::fs::console`]).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use core::time::Duration;

use libos_abi::handle::Handle;

use crate::hypercall::{self, PollFd};
use crate::sync::SpinLock;
use crate::sync::events::PollEvents;
use crate::sync::wait::{WaitQueue, Woken};
use crate::time::Instant;

/// A handle that the libOS itself reads and writes, whoever runs: a network interface's.
pub trait HostDevice: Send + Sync {
    /// The handle.
    fn handle(&self) -> &'static Handle;

    /// What an idle poll is to wait for.
    fn wanted(&self) -> PollEvents;

    /// Takes what came, without waiting. `came` is what the host told, or nothing if it was not
    /// asked. Says whether there was anything, so that it is called again.
    fn service(&self, came: PollEvents) -> bool;
}

/// All devices; they live as long as the process.
static DEVICES: SpinLock<Vec<Arc<dyn HostDevice>>> = SpinLock::new(Vec::new());

/// Devices are serviced this often, in nanoseconds, while threads keep the CPU busy: a read of an
/// idle handle costs 200 ns, and a frame should not wait for the tick.
const SERVICE_PERIOD_NS: u64 = 50_000;

/// When devices were serviced last, in nanoseconds of CLOCK_MONOTONIC.
static SERVICED: AtomicU64 = AtomicU64::new(0);

/// Whether there are devices: what the scheduler asks at each switch.
static HAS_DEVICES: AtomicBool = AtomicBool::new(false);

/// Adds a device, to be serviced from now on.
pub fn add_device(device: Arc<dyn HostDevice>) {
    DEVICES.lock().push(device);
    HAS_DEVICES.store(true, Ordering::Relaxed);
}

fn has_devices() -> bool {
    HAS_DEVICES.load(Ordering::Relaxed)
}

/// Each device in turn, with the list unlocked.
fn devices() -> impl Iterator<Item = Arc<dyn HostDevice>> {
    (0..).map_while(|index: usize| DEVICES.lock().get(index).cloned())
}

/// Services all devices; says whether any had something.
pub fn service_devices() -> bool {
    if !has_devices() {
        return false;
    }
    SERVICED.store(hypercall::monotonic_ns(), Ordering::Relaxed);
    devices().fold(false, |any, device| {
        device.service(PollEvents::empty()) | any
    })
}

/// Services all devices unless that was done a moment ago.
pub fn service_devices_now_and_then() {
    if !has_devices() {
        return;
    }
    let since = hypercall::monotonic_ns().saturating_sub(SERVICED.load(Ordering::Relaxed));
    if since >= SERVICE_PERIOD_NS {
        service_devices();
    }
}

/// All sources, in the order of their making; they live as long as the process.
static SOURCES: SpinLock<Vec<Arc<HostSource>>> = SpinLock::new(Vec::new());

/// One host handle, as something to wait for.
pub struct HostSource {
    handle: &'static Handle,
    /// Events that the idle loop asks the host for.
    armed: AtomicU32,
    queue: WaitQueue,
}

impl HostSource {
    /// A source over `handle`, known to the idle loop from now on.
    pub fn new(handle: &'static Handle) -> Arc<Self> {
        let source = Arc::new(Self {
            handle,
            armed: AtomicU32::new(0),
            queue: WaitQueue::new(),
        });
        SOURCES.lock().push(Arc::clone(&source));
        source
    }

    /// The handle.
    pub fn handle(&self) -> &'static Handle {
        self.handle
    }

    /// Where changes of readiness are announced.
    pub fn queue(&self) -> &WaitQueue {
        &self.queue
    }

    /// Asks the host which of `events` (and ERR, HUP) hold now; if none of `events` does, arms them.
    pub fn ready(&self, events: PollEvents) -> PollEvents {
        let mut set = [poll_fd(self.handle, events)];
        let answer = hypercall::poll(&mut set, Some(Duration::ZERO), &NEVER);
        let found = match answer {
            Ok(_) => from_host(set[0].revents),
            Err(_) => PollEvents::empty(),
        };
        if !found.intersects(events) {
            self.arm(events);
        }
        found
    }

    /// Asks the idle loop to announce the next readiness for `events`.
    pub fn arm(&self, events: PollEvents) {
        self.armed.fetch_or(events.bits(), Ordering::Relaxed);
    }

    /// Sleeps until one of `events` (or ERR, HUP) holds; other threads run meanwhile.
    ///
    /// # Errors
    /// As [`WaitQueue::wait_until`].
    pub fn wait(&self, events: PollEvents, deadline: Option<Instant>) -> Result<(), Woken> {
        self.queue.wait_until(deadline, || {
            let found = self.ready(events);
            let ends = PollEvents::ERR | PollEvents::HUP | PollEvents::NVAL;
            found.intersects(events | ends).then_some(())
        })
    }

    fn is_awaited(&self) -> bool {
        !self.armed().is_empty() && self.queue.has_listeners()
    }

    fn armed(&self) -> PollEvents {
        PollEvents::from_bits_truncate(self.armed.load(Ordering::Relaxed))
    }

    fn came(&self, events: PollEvents) {
        let ends = PollEvents::ERR | PollEvents::HUP | PollEvents::NVAL;
        let disarmed = if events.intersects(ends) {
            PollEvents::all()
        } else {
            events
        };
        self.armed.fetch_and(!disarmed.bits(), Ordering::Relaxed);
        self.queue.notify(events);
    }
}

/// Whether anybody waits for a host handle.
pub fn anyone_waits() -> bool {
    has_devices() || some_source_is_awaited()
}

fn some_source_is_awaited() -> bool {
    SOURCES.lock().iter().any(|source| source.is_awaited())
}

/// Wakes the waiters whose handle is ready, without waiting.
pub fn check() {
    service_devices();
    if some_source_is_awaited() {
        poll_until(Some(Duration::ZERO));
    }
}

/// Waits for a handle, a host signal, or `deadline`, and wakes whom it concerns.
pub fn poll(deadline: Option<Instant>) {
    poll_until(deadline.map(|at| Instant::now().until(at)));
}

fn poll_until(timeout: Option<Duration>) {
    let mut set = Vec::new();
    fill(&mut set);
    if hypercall::poll(&mut set, timeout, super::attention()).is_ok() {
        announce(&set);
    }
}

/// Appends every handle that is waited for to `set`.
fn fill(set: &mut Vec<PollFd>) {
    set.extend(devices().map(|device| poll_fd(device.handle(), device.wanted())));
    let sources = SOURCES.lock();
    set.extend(
        sources
            .iter()
            .filter(|source| source.is_awaited())
            .map(|source| poll_fd(source.handle, source.armed())),
    );
}

/// Tells the sources what the host answered for the entries that [`fill`] made.
fn announce(set: &[PollFd]) {
    for entry in set.iter().filter(|entry| entry.revents != 0) {
        if let Some(device) = find_device(entry.fd) {
            device.service(from_host(entry.revents));
        } else if let Some(source) = find(entry.fd) {
            source.came(from_host(entry.revents));
        }
    }
}

fn find_device(fd: i32) -> Option<Arc<dyn HostDevice>> {
    devices().find(|device| device.handle().fd == fd)
}

fn find(fd: i32) -> Option<Arc<HostSource>> {
    let sources = SOURCES.lock();
    sources
        .iter()
        .find(|source| source.handle.fd == fd)
        .cloned()
}

/// An attention word that never cancels.
static NEVER: AtomicU32 = AtomicU32::new(0);

fn poll_fd(handle: &Handle, events: PollEvents) -> PollFd {
    PollFd {
        fd: handle.fd,
        events: i16::try_from(events.bits() & 0x3fff).unwrap_or(0),
        revents: 0,
    }
}

fn from_host(revents: i16) -> PollEvents {
    PollEvents::from_bits_truncate(u32::from(revents.cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use libos_abi::boot::Array;
    use libos_abi::handle::HandleKind;

    fn source(fd: i32) -> Arc<HostSource> {
        HostSource::new(std::boxed::Box::leak(std::boxed::Box::new(Handle {
            kind: HandleKind::ConsoleIn,
            fd,
            mode: 0,
            status_flags: 0,
            rdev: 0,
            ino: 0,
            is_terminal: 0,
            reserved: 0,
            name: Array::from_static(b""),
        })))
    }

    fn set_of(fd: i32) -> Vec<PollFd> {
        let mut set = Vec::new();
        fill(&mut set);
        set.retain(|entry| entry.fd == fd);
        set
    }

    struct Deaf;

    impl crate::sync::wait::Observer for Deaf {
        fn notify(&self, _: PollEvents) {}
    }

    #[test]
    fn arming_lasts_for_one_announcement() {
        let source = source(1001);
        let listener: Arc<dyn crate::sync::wait::Observer> = Arc::new(Deaf);
        source.queue().observe(Arc::downgrade(&listener));
        assert!(set_of(1001).is_empty(), "nothing armed at first");
        source.arm(PollEvents::IN);
        let mut set = set_of(1001);
        assert_eq!(set.len(), 1);
        assert_eq!(set[0].events, 1);
        announce(&set);
        assert_eq!(set_of(1001).len(), 1, "no answer leaves it armed");
        set[0].revents = 1;
        announce(&set);
        assert!(set_of(1001).is_empty(), "an answer disarms");
        source.arm(PollEvents::IN | PollEvents::OUT);
        let mut set = set_of(1001);
        set[0].revents = 0x10;
        announce(&set);
        assert!(set_of(1001).is_empty(), "a hang-up disarms everything");
    }

    #[test]
    fn a_handle_that_nobody_listens_to_is_not_polled() {
        let source = source(1002);
        source.arm(PollEvents::IN);
        assert!(set_of(1002).is_empty());
    }
}
