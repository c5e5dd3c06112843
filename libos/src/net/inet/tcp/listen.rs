//! Listeners: who gets a request for a connection, and the queue of those that wait for accept(2).
//!
//! - [`find`]: the best listener for a destination: a specific address before a wildcard, the
//!   destination's own family before a dual one; among equals with SO_REUSEPORT a hash decides.
//! - [`Listening`]: what a listener holds: connections, and requests that found its queue full.
//!
//! A request that finds the queue full waits as a SYN that is sent again and again: it gets its turn
//! when accept(2) makes room, or times out at the side that asked.

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hasher};
use core::net::{IpAddr, SocketAddr};

use super::{Link, Phase, READABLE, State, TcpSocket, TcpState, table};
use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::net::inet::loopback::{self, Count};
use crate::net::inet::ports::{self, Claim, Sharing};
use crate::net::socket::Halves;
use crate::sorted_map::SortedMap;
use crate::sync::SpinLock;
use crate::time::Instant;
use crate::time::timer;
use crate::word_map::WordMap;

/// Most connections that wait in one listener (`net.core.somaxconn`).
const MAX_BACKLOG: usize = 4096;

/// What a listener holds.
pub struct Listening {
    /// As asked for, at most [`MAX_BACKLOG`]. One more connection than this waits, as in Linux.
    backlog: usize,
    pending: VecDeque<Arc<TcpSocket>>,
    /// Connections that are shown to accept(2) when data come (TCP_DEFER_ACCEPT), by their tokens.
    deferred: WordMap<u64, Arc<TcpSocket>>,
    /// Sockets of this process whose requests found no room.
    requests: VecDeque<Weak<TcpSocket>>,
}

impl Listening {
    /// Whether a connection waits for accept(2).
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Number of connections that wait.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Most that wait.
    pub fn backlog(&self) -> usize {
        self.backlog
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() + self.deferred.len() <= self.backlog
    }
}

/// A listener in the table.
struct Entry {
    claim: Claim,
    socket: Weak<TcpSocket>,
}

/// Listeners by port.
static LISTENERS: SpinLock<SortedMap<u16, Vec<Entry>>> = SpinLock::new(SortedMap::new());

/// How well a listener fits a destination; higher is better, `None` not at all. Follows
/// `inet_lhash2_lookup`: tables by address come first, then `compute_score` within one.
fn score(claim: &Claim, destination: IpAddr, device: u32) -> Option<u8> {
    let device_score = match claim.device {
        0 => 0,
        own if own == device => 1,
        _ => return None,
    };
    let address_score = if claim.address == destination {
        8
    } else if !claim.address.is_unspecified() {
        return None;
    } else if claim.address.is_ipv4() == destination.is_ipv4() {
        4
    } else if claim.sharing.contains(Sharing::DUAL) {
        2
    } else {
        return None;
    };
    Some(address_score + device_score)
}

/// The listener that gets a request from `from` for `to`, which came by the interface of index
/// `device`.
pub fn find(to: SocketAddr, from: SocketAddr, device: u32) -> Option<Arc<TcpSocket>> {
    let listeners = LISTENERS.lock();
    let entries = listeners.get(&to.port())?;
    let scored = |entry: &Entry| score(&entry.claim, to.ip(), device);
    let best = entries.iter().filter_map(scored).max()?;
    let mut equals = entries.iter().filter(|entry| scored(entry) == Some(best));
    let count = equals.clone().count();
    let chosen = if count == 1 {
        0
    } else {
        spread(to, from) % count
    };
    equals.nth(chosen)?.socket.upgrade()
}

/// A number that is the same for the same ends and differs among others.
fn spread(to: SocketAddr, from: SocketAddr) -> usize {
    static HASHER: SpinLock<Option<hashbrown::DefaultHashBuilder>> = SpinLock::new(None);
    let builder = HASHER.lock().get_or_insert_default().clone();
    let mut hasher = builder.build_hasher();
    for end in [to, from] {
        match end.ip() {
            IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
            IpAddr::V6(address) => hasher.write_u128(address.to_bits()),
        }
        hasher.write_u16(end.port());
    }
    usize::try_from(hasher.finish() >> 16).unwrap_or(0)
}

fn enlist(port: u16, claim: Claim, socket: &Weak<TcpSocket>) {
    let mut listeners = LISTENERS.lock();
    listeners.get_or_default(port).push(Entry {
        claim,
        socket: Weak::clone(socket),
    });
}

fn strike(port: u16, socket: &Weak<TcpSocket>) {
    let mut listeners = LISTENERS.lock();
    if let Some(entries) = listeners.get_mut(&port) {
        entries.retain(|entry| !entry.socket.ptr_eq(socket));
        if entries.is_empty() {
            listeners.remove(&port);
        }
    }
}

impl TcpSocket {
    pub(super) fn start_listening(&self, backlog: i32) -> Result<()> {
        // A negative backlog is a large unsigned one to Linux.
        let backlog = usize::try_from(backlog)
            .unwrap_or(MAX_BACKLOG)
            .min(MAX_BACKLOG);
        let port = {
            let mut state = self.state.lock();
            if state.phase != Phase::Unconnected {
                return Err(Errno::EINVAL);
            }
            if let Some(listening) = &mut state.listening {
                listening.backlog = backlog;
                drop(state);
                self.admit_requests();
                return Ok(());
            }
            if state.tcp != TcpState::Closed {
                return Err(Errno::EINVAL);
            }
            state.local.port()
        };
        if port == 0 {
            self.bind_any_port()?;
        }
        let mut state = self.state.lock();
        let (port, Some(held)) = (state.local.port(), state.claim) else {
            return Err(Errno::EINVAL);
        };
        let claim = ports::TCP.lock().listen(port, &held)?;
        state.claim = Some(claim);
        state.tcp = TcpState::Listen;
        state.shut = Halves::empty();
        state.is_done = false;
        state.listening = Some(alloc::boxed::Box::new(Listening {
            backlog,
            pending: VecDeque::new(),
            deferred: WordMap::new(),
            requests: VecDeque::new(),
        }));
        drop(state);
        enlist(port, claim, &self.me);
        Ok(())
    }

    /// The next connection that waits.
    pub(super) fn take_pending(&self, patience: Patience) -> Result<Arc<Self>> {
        if self.state.lock().listening.is_none() {
            return Err(Errno::EINVAL);
        }
        let accepted = blocking::attempt(&self.arrivals, patience, || {
            let mut state = self.state.lock();
            match &mut state.listening {
                None => Some(Err(Errno::EINVAL)),
                Some(listening) => listening.pending.pop_front().map(Ok),
            }
        })?;
        self.admit_requests();
        Ok(accepted)
    }

    /// A connection from a socket of this process: the other end's socket, unless there is no room
    /// (`None`). `from` and `to` are the addresses as the client sees them.
    pub(super) fn admit(
        &self,
        client: &Arc<Self>,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<Option<Arc<Self>>> {
        let claim = {
            let mut state = self.state.lock();
            let held = state.claim;
            let Some(listening) = &mut state.listening else {
                return Err(Errno::ECONNREFUSED);
            };
            if !listening.has_room() {
                listening.requests.push_back(Weak::clone(&client.me));
                return Ok(None);
            }
            held
        };
        let mut state = State::new(to);
        state.phase = Phase::Connected;
        state.tcp = TcpState::Established;
        state.link = Link::Local(Weak::clone(&client.me));
        state.peer = Some(from);
        state.claim = child_claim(claim, to);
        let child = self.child(table::next_token(), state);
        self.take_in(&child);
        loopback::add(Count::Opened, 1);
        Ok(Some(child))
    }

    /// A new connection: it waits for accept(2), or for data first (TCP_DEFER_ACCEPT).
    pub(super) fn take_in(&self, child: &Arc<Self>) {
        {
            let state = child.state.lock();
            if let Some(claim) = state.claim {
                ports::TCP.lock().hold(state.local.port(), claim);
            }
        }
        let Some(patience) = self.settings.lock().deferral() else {
            self.queue(Arc::clone(child));
            return;
        };
        {
            let mut state = child.state.lock();
            state.deferred_by = Some(Weak::clone(&self.me));
            let timer: Weak<Self> = Weak::clone(&child.me);
            state.timer = Some(timer::arm(Instant::now().after(patience), timer));
        }
        let mut state = self.state.lock();
        if let Some(listening) = &mut state.listening {
            listening.deferred.insert(child.token.0, Arc::clone(child));
        }
    }

    /// Data, or the end of patience, have come for a connection that was kept back.
    #[cold]
    pub(super) fn undefer(&self) {
        let listener = {
            let mut state = self.state.lock();
            if let Some(key) = state.timer.take() {
                timer::disarm(key);
            }
            state.deferred_by.take()
        };
        let Some(listener) = listener.and_then(|listener| listener.upgrade()) else {
            return;
        };
        let me = {
            let mut state = listener.state.lock();
            let listening = state.listening.as_mut();
            listening.and_then(|listening| listening.deferred.remove(&self.token.0))
        };
        if let Some(me) = me {
            listener.queue(me);
        }
    }

    /// Puts a connection into the queue, and tells of it. It is dropped if the socket no longer
    /// listens.
    fn queue(&self, child: Arc<Self>) {
        {
            let mut state = self.state.lock();
            let Some(listening) = &mut state.listening else {
                drop(state);
                child.abort();
                return;
            };
            listening.pending.push_back(child);
        }
        self.arrivals.wake_one();
        self.pollers.notify(READABLE);
    }

    /// Gives requests that found the queue full their turn.
    fn admit_requests(&self) {
        loop {
            let client = {
                let mut state = self.state.lock();
                let Some(listening) = &mut state.listening else {
                    return;
                };
                if listening.requests.is_empty() || !listening.has_room() {
                    return;
                }
                listening.requests.pop_front()
            };
            if let Some(client) = client.and_then(|client| client.upgrade()) {
                client.ask_again();
            }
        }
    }

    /// Stops listening: those that wait are reset, those that asked are refused.
    pub(super) fn stop_listening(&self) {
        let (listening, port) = {
            let mut state = self.state.lock();
            state.tcp = TcpState::Closed;
            let port = state.local.port();
            if let Some(held) = &mut state.claim {
                let old = *held;
                held.sharing -= Sharing::LISTENING;
                ports::TCP.lock().change(port, &old, *held);
            }
            (state.listening.take(), port)
        };
        strike(port, &self.me);
        let Some(mut listening) = listening else {
            return;
        };
        let deferred = listening.deferred.take_values();
        for child in listening.pending.into_iter().chain(deferred) {
            child.abort();
        }
        for client in listening.requests.iter().filter_map(Weak::upgrade) {
            client.ask_again();
        }
        self.arrivals.wake_all();
    }
}

/// What an accepted connection holds of its listener's port.
pub(super) fn child_claim(listener: Option<Claim>, local: SocketAddr) -> Option<Claim> {
    listener.map(|claim| Claim {
        address: local.ip(),
        sharing: claim.sharing - Sharing::LISTENING - Sharing::DUAL,
        ..claim
    })
}
