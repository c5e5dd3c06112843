//! Readiness of all descriptors, by epoll(7).
//!
//! Main types: [`Poller`], [`Source`]. TCP sockets are watched once, by edges: their flows remember what they
//! saw, so that no call is spent on changing what is watched. Everything else is watched by levels.

use super::table::Key;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::{Errno, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// Events taken by one call.
const BATCH: usize = 128;

/// What a descriptor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The guest's frames.
    Channel,
    /// The parent's end.
    Parent,
    /// A published port, by its place in the list.
    Published(u32),
    /// A TCP flow.
    Tcp(Key),
    /// A UDP flow.
    Udp(Key),
    /// A ping.
    Ping(Key),
}

impl Source {
    fn to_bits(self) -> u64 {
        let (kind, number) = match self {
            Self::Channel => (0, 0),
            Self::Parent => (1, 0),
            Self::Published(index) => (2, u64::from(index)),
            Self::Tcp(key) => (3, key.to_bits()),
            Self::Udp(key) => (4, key.to_bits()),
            Self::Ping(key) => (5, key.to_bits()),
        };
        kind << 60 | number
    }

    fn from_bits(bits: u64) -> Self {
        let key = Key::from_bits(bits);
        match bits >> 60 {
            0 => Self::Channel,
            1 => Self::Parent,
            2 => Self::Published(u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX)),
            3 => Self::Tcp(key),
            4 => Self::Udp(key),
            _ => Self::Ping(key),
        }
    }
}

/// What became ready.
#[derive(Clone, Copy, Debug)]
pub struct Readiness {
    /// Of what.
    pub source: Source,
    /// There may be something to read.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The other side ended, or an error is to be taken: reading goes on until that is seen.
    pub ended: bool,
}

/// All that is waited for.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poller {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// That of epoll_create1(2).
    pub fn new() -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self {
            epoll,
            events: Vec::with_capacity(BATCH),
        })
    }

    /// Watches a descriptor that becomes readable, for as long as it is open.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn watch_input(&self, descriptor: impl AsFd, source: Source) -> Result<()> {
        self.add(descriptor, source, EventFlags::IN)
    }

    /// Watches a TCP socket by edges, in both directions, for as long as it is open.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn watch_edges(&self, descriptor: impl AsFd, source: Source) -> Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        self.add(descriptor, source, flags)
    }

    /// Changes what a descriptor that is watched by levels is watched for.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn rewatch(&self, descriptor: impl AsFd, source: Source, flags: EventFlags) -> Result<()> {
        let data = EventData::new_u64(source.to_bits());
        epoll::modify(&self.epoll, descriptor, data, flags)
    }

    /// Watches a descriptor no more, though it stays open.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn forget(&self, descriptor: impl AsFd) -> Result<()> {
        epoll::delete(&self.epoll, descriptor)
    }

    fn add(&self, descriptor: impl AsFd, source: Source, flags: EventFlags) -> Result<()> {
        let data = EventData::new_u64(source.to_bits());
        epoll::add(&self.epoll, descriptor, data, flags)
    }

    /// Sleeps until something is ready or the time is over; without a time, for as long as it takes.
    ///
    /// # Errors
    /// That of epoll_pwait(2); an interruption is none.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<()> {
        let timeout = timeout.map(whole_milliseconds);
        self.events.clear();
        let room = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, room, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How many things became ready.
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// One of them.
    pub fn ready(&self, index: usize) -> Option<Readiness> {
        let epoll::Event { flags, data, .. } = *self.events.get(index)?;
        let ended = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        Some(Readiness {
            source: Source::from_bits(data.u64()),
            readable: ended || flags.contains(EventFlags::IN),
            writable: flags.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR),
            ended,
        })
    }
}

/// epoll_pwait(2) takes milliseconds. Rounded up: woken too early, the loop would find nothing due and spin.
fn whole_milliseconds(timeout: Duration) -> Timespec {
    let bounded = timeout.min(Duration::from_secs(3600));
    let milliseconds = bounded.as_micros().div_ceil(1000);
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    Timespec {
        tv_sec: milliseconds / 1000,
        tv_nsec: milliseconds % 1000 * 1_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_survive_as_bits() {
        let key = Key::from_bits(0x0123_4567_89ab_cdef);
        for source in [
            Source::Channel,
            Source::Parent,
            Source::Published(u32::MAX),
            Source::Tcp(key),
            Source::Udp(key),
            Source::Ping(key),
        ] {
            assert_eq!(Source::from_bits(source.to_bits()), source);
        }
    }

    #[test]
    fn timeouts_are_rounded_up() {
        for (micros, expected) in [(0, 0), (1, 1_000_000), (1000, 1_000_000), (1001, 2_000_000)] {
            let timespec = whole_milliseconds(Duration::from_micros(micros));
            assert_eq!(
                (timespec.tv_sec, timespec.tv_nsec),
                (0, expected),
                "{micros} µs"
            );
        }
    }
}
