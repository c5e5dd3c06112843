//! Bounds on connections that are asked for and not yet established.
//!
//! - [`HalfOpen`]: those that were answered. Each is a few hundred bytes without engine or buffers; at most
//!   [`MOST`] exist, and the oldest gives way: a flood of SYNs uses no more memory than this, and
//!   established connections are not touched.
//! - [`Deferred`]: those whose owner has not decided.
//!
//! There are no SYN cookies: they would have to carry what the owner said when it was asked (its token and
//! options), and lose window scaling. A flood can push out a half-open connection whose
//! handshake takes longer than [`MOST`] requests take to come; the other side then asks again.

use alloc::collections::VecDeque;

use hashbrown::HashMap;

use super::ConnectionId;
use super::handshake::Request;
use super::sequence::Sequence;
use super::table::{Key, Keyed};
use crate::address::Flow;
use crate::config::InterfaceId;
use crate::time::{Duration, Instant};

/// Most half-open connections that others asked for.
pub(crate) const MOST: usize = 4096;

/// The order of their coming.
#[derive(Debug, Default)]
pub(crate) struct HalfOpen {
    /// Those that are half-open no longer are skipped.
    order: VecDeque<ConnectionId>,
    count: usize,
}

impl HalfOpen {
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn push(&mut self, id: ConnectionId) {
        self.order.push_back(id);
        self.count += 1;
    }

    /// One became established, or ended.
    pub fn leave(&mut self) {
        self.count = self.count.saturating_sub(1);
        if self.count == 0 {
            self.order.clear();
        }
    }

    /// The oldest entry, which may be half-open no longer.
    pub fn pop(&mut self) -> Option<ConnectionId> {
        self.order.pop_front()
    }

    /// Forgets entries that `is_half_open` denies, if they have become many.
    pub fn tidy(&mut self, is_half_open: impl Fn(ConnectionId) -> bool) {
        if self.order.len() > 2 * MOST {
            self.order.retain(|id| is_half_open(*id));
        }
    }
}

/// Most requests without a decision.
const MOST_DEFERRED: usize = 1024;
/// How long a decision may take; the other side gives up after about as long.
const PATIENCE: Duration = Duration::from_secs(127);

/// A request without a decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub flow: Flow,
    pub interface: InterfaceId,
    pub request: Request,
    /// Numbers of an earlier connection, which ours must lie beyond.
    pub beyond: Option<Sequence>,
}

/// Requests without a decision.
#[derive(Debug)]
pub(crate) struct Deferred {
    entries: HashMap<Key, (Pending, Instant), Keyed>,
}

impl Deferred {
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            entries: HashMap::with_hasher(Keyed::new(key)),
        }
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.entries.contains_key(key)
    }

    /// Keeps a request, if there are not too many.
    pub fn insert(&mut self, now: Instant, key: Key, pending: Pending) {
        if self.entries.len() >= MOST_DEFERRED {
            self.entries.retain(|_, (_, since)| *since + PATIENCE > now);
        }
        if self.entries.len() < MOST_DEFERRED {
            self.entries.insert(key, (pending, now));
        }
    }

    pub fn take(&mut self, key: &Key) -> Option<Pending> {
        self.entries.remove(key).map(|(pending, _)| pending)
    }
}
