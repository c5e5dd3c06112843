//! TIME-WAIT: what remains of a connection that this side ended first.
//!
//! A small table instead of sockets: it answers a repeated FIN, keeps late segments from a later connection of the
//! same addresses, and lets such a connection begin early if its numbers lie beyond
//! (RFC 9293, section 3.6.1; RFC 1122, section 4.2.2.13). It ignores resets (RFC 1337).
//! Bounded: the oldest gives way.

use alloc::collections::VecDeque;

use hashbrown::HashMap;

use super::segment::{Control, Segment};
use super::sequence::Sequence;
use super::table::{Key, Keyed};
use crate::address::Flow;
use crate::time::{Duration, Instant};

/// How long it lasts: Linux's TCP_TIMEWAIT_LEN.
pub(crate) const TIME_WAIT: Duration = Duration::from_secs(60);

/// Most that are remembered.
pub(crate) const MOST: usize = 16_384;

/// One connection's end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remains {
    pub flow: Flow,
    /// The next number we would send.
    pub send_next: Sequence,
    /// The next number we would expect, behind the FIN.
    pub receive_next: Sequence,
    pub window: u16,
}

/// What to do with a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// It is an old one.
    Nothing,
    /// Say again what was said.
    Again(Control),
    /// It begins a new connection, whose numbers must lie beyond this.
    Anew(Sequence),
}

#[derive(Debug, Default)]
pub(crate) struct TimeWait {
    entries: HashMap<Key, (Remains, Instant), Keyed>,
    /// In the order of expiry. An entry that was prolonged or removed has stale ones here.
    order: VecDeque<(Instant, Key)>,
}

impl TimeWait {
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            entries: HashMap::with_hasher(Keyed::new(key)),
            order: VecDeque::new(),
        }
    }

    pub fn insert(&mut self, now: Instant, remains: Remains) {
        while self.order.len() >= MOST {
            self.drop_first();
        }
        let key = Key::new(&remains.flow);
        let until = now + TIME_WAIT;
        self.entries.insert(key, (remains, until));
        self.order.push_back((until, key));
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.entries.contains_key(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Remains> {
        self.entries.values().map(|(remains, _)| remains)
    }

    /// When the first one ends.
    pub fn next(&self) -> Option<Instant> {
        self.order.front().map(|(until, _)| *until)
    }

    pub fn expire(&mut self, now: Instant) {
        while self.next().is_some_and(|until| until <= now) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some((until, key)) = self.order.pop_front() else {
            return;
        };
        let is_current = self.entries.get(&key).is_some_and(|(_, at)| *at == until);
        if is_current {
            self.entries.remove(&key);
        }
    }

    /// A segment came that belongs to no connection; none if it belongs to nothing here either.
    pub fn segment(&mut self, now: Instant, key: &Key, segment: &Segment<'_>) -> Option<Answer> {
        let (remains, until) = *self.entries.get(key)?;
        if segment.rst {
            return Some(Answer::Nothing);
        }
        if segment.syn && segment.ack.is_none() && segment.seq > remains.receive_next {
            self.entries.remove(key);
            return Some(Answer::Anew(remains.send_next));
        }
        if segment.len() == 0 && segment.seq == remains.receive_next {
            return Some(Answer::Nothing);
        }
        // At most once a second, lest repetitions push others out.
        if segment.fin && until + Duration::from_secs(1) < now + TIME_WAIT {
            self.insert(now, remains);
        }
        Some(Answer::Again(Control {
            ack: Some(remains.receive_next),
            window: remains.window,
            ..Control::new(remains.flow, remains.send_next)
        }))
    }

    /// Forgets those of an address.
    pub fn forget(&mut self, address: core::net::IpAddr) {
        self.entries
            .retain(|_, (remains, _)| remains.flow.local.ip() != address);
    }
}
