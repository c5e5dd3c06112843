//! Who is at which Ethernet address: the table behind ARP (RFC 826) and neighbour discovery
//! (RFC 4861, section 7.3, whose states it has).
//!
//! An entry begins incomplete, with packets that wait for it; it is reachable for a while after an
//! answer to a question of ours; then stale, which is as good until it is used; then it is asked
//! itself, and forgotten when it does not answer. What others say without being asked changes entries,
//! but makes none ([`Neighbours::hear`]) except for those who ask for us ([`Neighbours::meet`]), and of
//! these there are never more than [`MOST_MET`].
//!
//! It sends nothing: [`Neighbours::poll`] says what is to be asked. [`listing`] shows the table to who looks.

pub(crate) mod listing;

use alloc::vec::Vec;
use core::net::IpAddr;

use hashbrown::HashMap;

use crate::config::Mac;
use crate::output::Completion;
use crate::random::KeyedHash;
use crate::time::{Duration, Instant};

/// Most entries.
const MOST: usize = 1024;

/// Most entries when one is made because somebody asked for us: the rest is for those whom we ask.
const MOST_MET: usize = 512;

/// Most packets that wait for one neighbour: the fragments of one datagram of 64 KiB, and some.
const MOST_WAITING: usize = 64;

/// Most bytes of packets that wait for all neighbours together.
const MOST_WAITING_BYTES: usize = 1 << 20;

/// How often we ask before we give up (`mcast_solicit`, `ucast_solicit`), a second apart.
const TRIES: u8 = 3;
const RETRY: Duration = Duration::from_secs(1);

/// How long an answer is good (`base_reachable_time_ms`), and how long one that was used after that
/// time is given before it is asked (`delay_first_probe_time`).
const REACHABLE: Duration = Duration::from_secs(30);
const DELAY: Duration = Duration::from_secs(5);

/// A packet that waits: a frame buffer whose link headers are not yet written.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) frame: Vec<u8>,
    pub(crate) completion: Completion,
}

/// What is known of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// Here it is.
    Known(Mac),
    /// It is being asked for; the packet may wait.
    Unknown,
    /// As `Unknown`, and it is to be asked for now: nobody has yet.
    Ask,
    /// There is no room to ask.
    Full,
}

/// Whom to ask for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) address: IpAddr,
    /// The neighbour itself; none for everybody.
    pub(crate) at: Option<Mac>,
}

/// What is due.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(crate) questions: Vec<Question>,
    /// Packets whose neighbour did not answer.
    pub(crate) failed: Vec<Waiting>,
}

#[derive(Debug)]
struct Entry {
    state: State,
    used: Instant,
    /// When it last showed that it is where it is said to be.
    confirmed: Instant,
    /// When `state` last changed.
    updated: Instant,
    waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Incomplete { tries: u8, next: Instant },
    Reachable { mac: Mac, until: Instant },
    Stale { mac: Mac },
    Delay { mac: Mac, until: Instant },
    Probe { mac: Mac, tries: u8, next: Instant },
}

impl State {
    fn mac(self) -> Option<Mac> {
        match self {
            Self::Incomplete { .. } => None,
            Self::Reachable { mac, .. }
            | Self::Stale { mac }
            | Self::Delay { mac, .. }
            | Self::Probe { mac, .. } => Some(mac),
        }
    }

    /// When something is to be done without being asked.
    fn due(self) -> Option<Instant> {
        match self {
            Self::Reachable { .. } | Self::Stale { .. } => None,
            Self::Incomplete { next, .. } | Self::Probe { next, .. } => Some(next),
            Self::Delay { until, .. } => Some(until),
        }
    }
}

/// The neighbours on one link.
#[derive(Debug)]
pub(crate) struct Neighbours {
    table: HashMap<IpAddr, Entry, KeyedHash>,
    waiting_bytes: usize,
    /// No later than the first due time.
    next: Option<Instant>,
}

impl Neighbours {
    /// None yet.
    pub(crate) fn new(hash: KeyedHash) -> Self {
        Self {
            table: HashMap::with_hasher(hash),
            waiting_bytes: 0,
            next: None,
        }
    }

    /// Where `address` is, for a packet that goes there now.
    pub(crate) fn lookup(&mut self, now: Instant, address: IpAddr) -> Lookup {
        if let Some(entry) = self.table.get_mut(&address) {
            entry.used = now;
            let mac = match entry.state {
                State::Incomplete { .. } => return Lookup::Unknown,
                State::Reachable { mac, until } if now < until => return Lookup::Known(mac),
                State::Reachable { mac, .. } | State::Stale { mac } => mac,
                State::Delay { mac, .. } | State::Probe { mac, .. } => return Lookup::Known(mac),
            };
            let until = now + DELAY;
            entry.set(now, State::Delay { mac, until });
            self.wake(until);
            return Lookup::Known(mac);
        }
        if self.table.len() >= MOST && !self.evict() {
            return Lookup::Full;
        }
        let next = now + RETRY;
        self.insert(now, address, State::Incomplete { tries: 1, next });
        self.wake(next);
        Lookup::Ask
    }

    /// Lets a packet wait for `address`; false when there is no room for it.
    pub(crate) fn wait(&mut self, address: IpAddr, packet: Waiting) -> bool {
        let len = packet.frame.len();
        let Some(entry) = self.table.get_mut(&address) else {
            return false;
        };
        if entry.waiting.len() >= MOST_WAITING || self.waiting_bytes + len > MOST_WAITING_BYTES {
            return false;
        }
        self.waiting_bytes += len;
        entry.waiting.push(packet);
        true
    }

    /// `address` answered our question. Returns what waited for it.
    pub(crate) fn answered(&mut self, now: Instant, address: IpAddr, mac: Mac) -> Vec<Waiting> {
        let until = now + REACHABLE;
        let Some(entry) = self.table.get_mut(&address) else {
            return Vec::new();
        };
        entry.confirmed = now;
        entry.set(now, State::Reachable { mac, until });
        self.release(address)
    }

    /// `address` says unasked that it is at `mac`: corrects what is known, and makes no entry.
    pub(crate) fn hear(&mut self, now: Instant, address: IpAddr, mac: Mac) -> Vec<Waiting> {
        match self.table.get_mut(&address) {
            Some(entry) if entry.state.mac() != Some(mac) => entry.set(now, State::Stale { mac }),
            _ => return Vec::new(),
        }
        self.release(address)
    }

    /// `address` asked for us, and will soon be answered: as [`Self::hear`], and makes an entry while
    /// there is room.
    pub(crate) fn meet(&mut self, now: Instant, address: IpAddr, mac: Mac) -> Vec<Waiting> {
        if !self.table.contains_key(&address) && self.table.len() < MOST_MET {
            self.insert(now, address, State::Stale { mac });
        }
        self.hear(now, address, mac)
    }

    /// Where `address` is as far as is known, without using it.
    pub(crate) fn peek(&self, address: IpAddr) -> Option<Mac> {
        self.table.get(&address).and_then(|entry| entry.state.mac())
    }

    /// Forgets everybody, and what waits.
    pub(crate) fn clear(&mut self) {
        self.table.clear();
        self.waiting_bytes = 0;
        self.next = None;
    }

    /// When [`Self::poll`] wants to be called.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        self.next
    }

    /// Ages the entries.
    pub(crate) fn poll(&mut self, now: Instant) -> Due {
        let mut due = Due::default();
        if self.next.is_none_or(|next| now < next) {
            return due;
        }
        let mut gone = Vec::new();
        self.next = None;
        for (&address, entry) in &mut self.table {
            if entry.state.due().is_some_and(|at| at <= now) {
                match entry.advance(now, address) {
                    Some(question) => due.questions.push(question),
                    None => {
                        gone.push(address);
                        continue;
                    }
                }
            }
            self.next = earlier(self.next, entry.state.due());
        }
        for address in gone {
            due.failed.append(&mut self.release(address));
            self.table.remove(&address);
        }
        due
    }

    fn insert(&mut self, now: Instant, address: IpAddr, state: State) {
        let entry = Entry {
            state,
            used: now,
            confirmed: now,
            updated: now,
            waiting: Vec::new(),
        };
        self.table.insert(address, entry);
    }

    fn wake(&mut self, at: Instant) {
        self.next = earlier(self.next, Some(at));
    }

    /// Takes what waits for `address`.
    fn release(&mut self, address: IpAddr) -> Vec<Waiting> {
        let Some(entry) = self.table.get_mut(&address) else {
            return Vec::new();
        };
        let waiting = core::mem::take(&mut entry.waiting);
        let bytes: usize = waiting.iter().map(|packet| packet.frame.len()).sum();
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        waiting
    }

    /// Forgets the entry that was not used for the longest time, of those whom nobody waits for.
    fn evict(&mut self) -> bool {
        let oldest = self
            .table
            .iter()
            .filter(|(_, entry)| entry.state.mac().is_some())
            .min_by_key(|(_, entry)| entry.used)
            .map(|(&address, _)| address);
        oldest.is_some_and(|address| self.table.remove(&address).is_some())
    }
}

impl Entry {
    fn set(&mut self, now: Instant, state: State) {
        self.state = state;
        self.updated = now;
    }

    /// Goes on to the next state at a due time; none when all tries were in vain.
    fn advance(&mut self, now: Instant, address: IpAddr) -> Option<Question> {
        let next = now + RETRY;
        let (state, at) = match self.state {
            State::Incomplete { tries, .. } if tries < TRIES => {
                let tries = tries + 1;
                (State::Incomplete { tries, next }, None)
            }
            State::Delay { mac, .. } => {
                let tries = 1;
                (State::Probe { mac, tries, next }, Some(mac))
            }
            State::Probe { mac, tries, .. } if tries < TRIES => {
                let tries = tries + 1;
                (State::Probe { mac, tries, next }, Some(mac))
            }
            _ => return None,
        };
        self.set(now, state);
        Some(Question { address, at })
    }
}

/// The earlier of two times, where there are any.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
