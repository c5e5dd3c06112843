//! AF_UNIX sockets (unix(7)), inside the process.
//!
//! - [`UnixSocket`]: one socket: its role, its queue of what it has received.
//! - [`connect`](self): bind, listen, accept, connect, shutdown, close.
//! - [`transfer`](self): sending and receiving.
//! - [`queue`]: the queues; [`name`]: names, [`paths`]: those in the file system.
//!
//! Two connected sockets know each other weakly; each holds what was sent to it. A sender puts bytes
//! into the other's queue under the other's lock, never holding its own: no call holds two sockets'
//! locks at once. Senders without room wait at the receiver.

mod connect;
pub mod name;
pub mod paths;
pub mod queue;
mod transfer;

#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use linux_raw_sys::net::AF_UNIX;

use crate::errno::{Errno, Result};
use crate::fs::poll::PollEvents;
use crate::net::message::{Ancillary, Credentials};
use crate::net::options::Options;
use crate::net::socket::{Halves, Kind};
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;
use crate::task::credentials::{Capabilities, Ids};
use name::Name;
use queue::{PacketQueue, StreamQueue};

/// How a socket keeps the boundaries of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Style {
    /// SOCK_STREAM: not at all.
    Stream,
    /// SOCK_DGRAM: packets, each for itself.
    Datagram,
    /// SOCK_SEQPACKET: packets over a connection.
    SeqPacket,
}

impl Style {
    /// Whether it has connections: listen, accept, an end.
    pub fn is_connected(self) -> bool {
        self != Self::Datagram
    }

    fn socket_type(self) -> u32 {
        match self {
            Self::Stream => 1,
            Self::Datagram => 2,
            Self::SeqPacket => 5,
        }
    }
}

/// The style of a type and protocol of socket(2).
///
/// # Errors
/// EPROTONOSUPPORT, ESOCKTNOSUPPORT.
pub fn kind(socket_type: u32, protocol: u32) -> Result<Style> {
    if protocol != 0 && protocol != AF_UNIX {
        return Err(Errno::EPROTONOSUPPORT);
    }
    match socket_type {
        1 => Ok(Style::Stream),
        // SOCK_RAW is SOCK_DGRAM by another name here.
        2 | 3 => Ok(Style::Datagram),
        5 => Ok(Style::SeqPacket),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

/// An AF_UNIX socket.
pub struct UnixSocket {
    style: Style,
    me: Weak<UnixSocket>,
    options: Options,
    state: SpinLock<State>,
    /// Blocked receivers and acceptors of this socket.
    arrivals: WaitQueue,
    /// Blocked senders and connectors, who wait for room in this socket.
    space: WaitQueue,
    /// poll(2), select(2), epoll(7) on this socket.
    pollers: WaitQueue,
}

struct State {
    name: Option<Arc<Name>>,
    role: Role,
    queue: Queue,
    shut: Halves,
    closed: bool,
    /// The next receive or send fails with it (SO_ERROR).
    error: Option<Errno>,
    peer_name: Option<Arc<Name>>,
    /// Who the peer was when the connection was made (SO_PEERCRED).
    peer_credentials: Option<Credentials>,
    /// Sockets that polled for room here and found none.
    waiting_senders: Vec<Weak<UnixSocket>>,
}

enum Role {
    Idle,
    Listening {
        backlog: usize,
        pending: VecDeque<Arc<UnixSocket>>,
        credentials: Credentials,
    },
    Connected(Weak<UnixSocket>),
}

enum Queue {
    Stream(StreamQueue),
    Packets(PacketQueue),
}

impl Queue {
    fn len(&self) -> usize {
        match self {
            Self::Stream(queue) => queue.len(),
            Self::Packets(queue) => queue.len(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Stream(queue) => queue.is_empty(),
            Self::Packets(queue) => queue.is_empty(),
        }
    }
}

impl UnixSocket {
    /// A socket without name or peer.
    pub fn new(style: Style) -> Arc<Self> {
        let queue = match style {
            Style::Stream => Queue::Stream(StreamQueue::default()),
            Style::Datagram | Style::SeqPacket => Queue::Packets(PacketQueue::default()),
        };
        Arc::new_cyclic(|me| Self {
            style,
            me: Weak::clone(me),
            options: Options::new(),
            state: SpinLock::new(State {
                name: None,
                role: Role::Idle,
                queue,
                shut: Halves::empty(),
                closed: false,
                error: None,
                peer_name: None,
                peer_credentials: None,
                waiting_senders: Vec::new(),
            }),
            arrivals: WaitQueue::new(),
            space: WaitQueue::new(),
            pollers: WaitQueue::new(),
        })
    }

    /// Two sockets, connected to each other.
    pub fn pair(style: Style) -> [Arc<Self>; 2] {
        let sockets = [Self::new(style), Self::new(style)];
        let own = Some(own_credentials());
        for (socket, peer) in [(0, 1), (1, 0)] {
            let mut state = sockets[socket].state.lock();
            state.role = Role::Connected(Arc::downgrade(&sockets[peer]));
            state.peer_credentials = own;
        }
        sockets
    }

    fn described(&self) -> Kind {
        Kind {
            domain: AF_UNIX,
            socket_type: self.style.socket_type(),
            protocol: 0,
        }
    }

    /// The peer, if there is one and it is open.
    fn peer(&self) -> Option<Arc<Self>> {
        match &self.state.lock().role {
            Role::Connected(peer) => peer.upgrade(),
            _ => None,
        }
    }

    fn ready(&self) -> PollEvents {
        let (mut events, peer) = {
            let state = self.state.lock();
            (state.ready(self.style), state.peer())
        };
        let Some(peer) = peer else {
            return events;
        };
        if peer.has_room_for(self) {
            events |= PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND;
        }
        events
    }

    /// Whether a poll of `sender` should say "writable". If not, `sender` is told when there is
    /// room again.
    fn has_room_for(&self, sender: &Self) -> bool {
        let enough = sender.options.send_buffer() / 2;
        let mut state = self.state.lock();
        let has_room = match &state.queue {
            Queue::Stream(queue) => queue.len() <= enough,
            Queue::Packets(queue) => queue.admits(0, enough),
        };
        if !has_room {
            state.remember_sender(&sender.me);
        }
        has_room
    }
}

impl State {
    /// `sender` found no room, in a poll or in a send: it is told when there is some. One who waits for an edge polls only once.
    fn remember_sender(&mut self, sender: &Weak<UnixSocket>) {
        let waiting = &mut self.waiting_senders;
        if !waiting.iter().any(|other| other.ptr_eq(sender)) {
            waiting.retain(|other| other.strong_count() > 0);
            waiting.push(Weak::clone(sender));
        }
    }

    fn peer(&self) -> Option<Arc<UnixSocket>> {
        match &self.role {
            Role::Connected(peer) => peer.upgrade(),
            _ => None,
        }
    }

    /// What is ready, but for room at the peer (net/unix/af_unix.c, `unix_poll`).
    fn ready(&self, style: Style) -> PollEvents {
        let mut events = PollEvents::empty();
        if self.error.is_some() {
            events |= PollEvents::ERR;
        }
        if self.shut == Halves::all() {
            events |= PollEvents::HUP;
        }
        if self.shut.contains(Halves::RECEIVE) {
            events |= PollEvents::RDHUP | PollEvents::IN | PollEvents::RDNORM;
        }
        if !self.queue.is_empty() {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        let writable = PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND;
        match &self.role {
            Role::Listening { pending, .. } if !pending.is_empty() => {
                events |= PollEvents::IN | PollEvents::RDNORM;
            }
            Role::Listening { .. } => {}
            Role::Idle if style.is_connected() => events |= PollEvents::HUP | writable,
            Role::Idle => events |= writable,
            // A closed peer takes everything, with an error.
            Role::Connected(peer) if peer.strong_count() == 0 => events |= writable,
            Role::Connected(_) => {}
        }
        events
    }
}

/// Who the running process is, as its peers see it.
fn own_credentials() -> Credentials {
    crate::task::with_current(|thread| {
        let process = thread.process();
        process.identity.with(|own| Credentials {
            pid: process.pid(),
            uid: own.user.effective,
            gid: own.group.effective,
        })
    })
}

/// The groups that the running process is in besides its own.
fn own_groups() -> Vec<u32> {
    crate::task::with_current(|thread| {
        let process = thread.process();
        process.identity.with(|own| own.groups.to_vec())
    })
}

/// Whether the running process may send `claimed` as its credentials (net/core/scm.c,
/// `scm_check_creds`).
pub fn may_claim(claimed: Credentials) -> bool {
    crate::task::with_current(|thread| {
        let process = thread.process();
        process.identity.with(|own| {
            let is_one_of = |id: u32, ids: Ids| [ids.real, ids.effective, ids.saved].contains(&id);
            let user = is_one_of(claimed.uid, own.user) || own.capable(Capabilities::SETUID);
            let group = is_one_of(claimed.gid, own.group) || own.capable(Capabilities::SETGID);
            claimed.pid == process.pid() && user && group
        })
    })
}

/// The credentials to show for `ancillary`: those sent, else the sender's own.
fn shown(ancillary: &Ancillary, peer: Option<Credentials>) -> Credentials {
    let sent = ancillary.credentials;
    sent.or(peer).unwrap_or(Credentials::NOBODY)
}
