//! TCP sockets (tcp(7)).
//!
//! - [`TcpSocket`]: one socket: its state as Linux counts states, its queue, its options.
//! - [`connect`](self): bind, connect, and undoing it; [`listen`]: listeners and their backlogs.
//! - [`transfer`](self): sending and receiving; [`cork`]: what waits to be sent with more;
//!   [`end`](self): shutdown, close, reset.
//! - [`remote`]: connections over the network stack; [`settings`]: the options of level IPPROTO_TCP.
//! - [`queue`]: bytes of a loopback connection; [`urgent`](self): those that MSG_OOB sent; [`table`]: all sockets, for events and `/proc/net/tcp`.
//!
//! A connection between two sockets of this process never becomes packets: each holds what was sent
//! to it, as AF_UNIX has it, and the states of RFC 9293 move as if segments travelled in no time. No
//! call holds the locks of two sockets at once, nor one while it works on the stack.

mod connect;
mod cork;
mod end;
pub mod listen;
pub mod queue;
pub mod remote;
pub mod settings;
mod socket;
pub mod table;
mod transfer;
mod urgent;

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::net::SocketAddr;

use libos_net::address::Flow;
use libos_net::owner::Token;
pub use libos_net::tcp::State as TcpState;

use crate::errno::{Errno, Result};
use crate::fs::poll::PollEvents;
use crate::net::inet::address::Family;
use crate::net::inet::options::{InetOptions, Truths};
use crate::net::inet::ports::{self, Claim, Sharing};
use crate::net::options::Options;
use crate::net::socket::Halves;
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;
use crate::time::timer::TimerKey;

use cork::Corked;
use listen::Listening;
use queue::ByteQueue;
use remote::Remote;
use settings::Settings;
use urgent::Mark;

/// IPPROTO_TCP.
pub const IPPROTO_TCP: u32 = 6;

/// What SO_SNDBUF tells of a new socket (`net.ipv4.tcp_wmem`).
const SEND_BUFFER: usize = 16_384;
/// What SO_RCVBUF tells of a new socket (`net.ipv4.tcp_rmem`).
const RECEIVE_BUFFER: usize = 131_072;

/// How far each of the two buffers really goes where the application did not choose: Linux lets them
/// grow by themselves.
const GROWN_BUFFER: usize = 512 * 1024;

/// Readable, as poll(2) has it.
const READABLE: PollEvents = PollEvents::IN.union(PollEvents::RDNORM);
/// Writable.
const WRITABLE: PollEvents = PollEvents::OUT.union(PollEvents::WRNORM);

/// A TCP socket.
pub struct TcpSocket {
    family: Family,
    token: Token,
    me: Weak<TcpSocket>,
    options: Options,
    inet: InetOptions,
    settings: SpinLock<Settings>,
    state: SpinLock<State>,
    /// Blocked receivers, acceptors, and those who wait for their connection.
    arrivals: WaitQueue,
    /// Blocked senders: to this socket from its peer in this process, or from it to another machine.
    space: WaitQueue,
    /// poll(2), select(2), epoll(7) on this socket.
    pollers: WaitQueue,
}

/// What connect(2) has done so far (`socket_state` of Linux): not the same as the state of the
/// connection, since the application learns of that one later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Unconnected,
    Connecting,
    Connected,
}

/// Where the other end is.
enum Link {
    /// None.
    None,
    /// A socket of this process.
    Local(Weak<TcpSocket>),
    /// Over the network.
    Remote(Remote),
}

struct State {
    phase: Phase,
    tcp: TcpState,
    link: Link,
    local: SocketAddr,
    peer: Option<SocketAddr>,
    /// The ends that no other connection may have meanwhile, if it began the connection.
    flow: Option<Box<Flow>>,
    /// What it holds of its port.
    claim: Option<Claim>,
    /// Whether bind(2) chose the address and the port: they survive a connection.
    bound: Bound,
    listening: Option<Box<Listening>>,
    inbox: ByteQueue,
    /// The urgent byte in `inbox`.
    urgent: Option<Box<Mark>>,
    /// Which halves are over: by shutdown(2), by the other side, by an error.
    shut: Halves,
    /// The other side ended its half: a receive gives 0 and nothing else (SOCK_DONE).
    is_done: bool,
    /// Its own end came first: it goes through TIME-WAIT.
    is_active_closer: bool,
    /// The next call that asks fails with it (SO_ERROR).
    error: Option<Errno>,
    /// The last descriptor is gone.
    is_closed: bool,
    /// The peer found no room in `inbox`, and is to be told of some.
    is_peer_waiting: bool,
    /// Its listener, which keeps it back until data come.
    deferred_by: Option<Weak<TcpSocket>>,
    /// What is sent once more has come, or a short time has passed (TCP_CORK, MSG_MORE).
    corked: Option<Box<Corked>>,
    /// Ends a connection attempt, or a connection's being kept back.
    timer: Option<TimerKey>,
}

bitflags::bitflags! {
    /// What bind(2) fixed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Bound: u8 {
        const ADDRESS = 1;
        const PORT = 2;
    }
}

impl TcpSocket {
    /// A socket without name or peer.
    pub fn new(family: Family) -> Arc<Self> {
        Self::build(
            family,
            Options::with_buffers(SEND_BUFFER, RECEIVE_BUFFER),
            InetOptions::new(),
            Settings::new(),
            State::new(family.unspecified()),
        )
    }

    /// A socket for a connection that came to this one: it has its options.
    fn child(&self, token: Token, state: State) -> Arc<Self> {
        Self::with_token(
            token,
            self.family,
            self.options.inherited(),
            self.inet.inherited(),
            *self.settings.lock(),
            state,
        )
    }

    fn build(
        family: Family,
        options: Options,
        inet: InetOptions,
        settings: Settings,
        state: State,
    ) -> Arc<Self> {
        Self::with_token(table::next_token(), family, options, inet, settings, state)
    }

    fn with_token(
        token: Token,
        family: Family,
        options: Options,
        inet: InetOptions,
        settings: Settings,
        state: State,
    ) -> Arc<Self> {
        let socket = Arc::new_cyclic(|me| Self {
            family,
            token,
            me: Weak::clone(me),
            options,
            inet,
            settings: SpinLock::new(settings),
            state: SpinLock::new(state),
            arrivals: WaitQueue::new(),
            space: WaitQueue::new(),
            pollers: WaitQueue::new(),
        });
        table::insert(token, &socket);
        socket
    }

    /// Whether it speaks IPv6 alone.
    fn is_v6_only(&self) -> bool {
        self.family == Family::V6 && self.inet.has(Truths::V6ONLY)
    }

    /// How many bytes may wait in its inbox, sent by a socket of this process.
    fn inbox_limit(&self, sender: &Options) -> usize {
        self.window() + send_room(sender)
    }

    /// How many bytes the other side believes to have room.
    fn window(&self) -> usize {
        let (_, is_fixed) = self.options.fixed_buffers();
        if is_fixed {
            self.options.receive_buffer()
        } else {
            GROWN_BUFFER
        }
    }

    /// What is ready (net/ipv4/tcp.c, `tcp_poll`).
    fn ready(&self) -> PollEvents {
        let low_water = self.options.low_water_mark();
        let (mut events, peer) = {
            let state = self.state.lock();
            // A byte that the stream's reader skips does not make it readable.
            let skipped = usize::from(state.is_at_mark() && !self.is_urgent_inline());
            let events = state.ready(low_water + skipped);
            match &state.link {
                Link::Local(peer) if state.may_send() => (events, peer.upgrade()),
                _ => (events, None),
            }
        };
        if let Some(peer) = peer
            && !peer.has_room_for(self)
        {
            events -= WRITABLE;
        }
        events
    }

    /// Whether a poll of `sender` should say "writable"; if not, `sender` is told when there is room.
    fn has_room_for(&self, sender: &Self) -> bool {
        let limit = self.inbox_limit(&sender.options);
        let mut state = self.state.lock();
        let has_room = state.is_closed || state.inbox.len() <= enough(limit);
        state.is_peer_waiting |= !has_room;
        has_room
    }

    /// The address that a claim for this socket is about.
    fn claim_for(&self, address: core::net::IpAddr) -> Claim {
        let mut sharing = Sharing::empty();
        let truth = |name| self.options.is_set(name);
        sharing.set(Sharing::ADDRESS, truth(linux_raw_sys::net::SO_REUSEADDR));
        sharing.set(Sharing::PORT, truth(linux_raw_sys::net::SO_REUSEPORT));
        let is_any_v6 = address.is_ipv6() && address.is_unspecified();
        sharing.set(Sharing::DUAL, is_any_v6 && !self.is_v6_only());
        Claim {
            address,
            sharing,
            user: effective_user(),
            device: self.inet.device(),
        }
    }

    /// SO_REUSEADDR or SO_REUSEPORT changed: so does what the socket holds.
    fn renew_claim(&self) {
        let fresh = {
            let state = self.state.lock();
            let Some(held) = state.claim else { return };
            let mut fresh = self.claim_for(held.address);
            let kept = Sharing::LISTENING | Sharing::CONNECTED;
            fresh.sharing |= held.sharing & kept;
            fresh
        };
        let mut state = self.state.lock();
        if let Some(held) = state.claim.replace(fresh) {
            let port = state.local.port();
            drop(state);
            ports::TCP.lock().change(port, &held, fresh);
        }
    }
}

impl State {
    fn new(local: SocketAddr) -> Self {
        Self {
            phase: Phase::Unconnected,
            tcp: TcpState::Closed,
            link: Link::None,
            local,
            peer: None,
            flow: None,
            claim: None,
            bound: Bound::empty(),
            listening: None,
            inbox: ByteQueue::new(),
            urgent: None,
            shut: Halves::empty(),
            is_done: false,
            is_active_closer: false,
            error: None,
            is_closed: false,
            is_peer_waiting: false,
            deferred_by: None,
            corked: None,
            timer: None,
        }
    }

    /// Whether the connection takes data.
    fn may_send(&self) -> bool {
        matches!(self.tcp, TcpState::Established | TcpState::CloseWait)
            && !self.shut.contains(Halves::SEND)
    }

    /// Bytes that a receive would find.
    fn readable(&self) -> usize {
        match &self.link {
            Link::Remote(remote) => remote.readable(),
            _ => self.inbox.len(),
        }
    }

    /// What is ready, but for room at a peer in this process.
    fn ready(&self, low_water: usize) -> PollEvents {
        let mut events = PollEvents::empty();
        if let Some(listening) = &self.listening {
            return if listening.has_pending() {
                READABLE
            } else {
                events
            };
        }
        if self.shut == Halves::all() || self.tcp == TcpState::Closed {
            events |= PollEvents::HUP;
        }
        if self.shut.contains(Halves::RECEIVE) {
            events |= READABLE | PollEvents::RDHUP;
        }
        if self.tcp != TcpState::SynSent {
            if self.readable() >= low_water {
                events |= READABLE;
            }
            let has_room = match &self.link {
                Link::Remote(remote) => remote.is_writable(),
                _ => true,
            };
            if has_room || self.shut.contains(Halves::SEND) {
                events |= WRITABLE;
            }
        }
        if self.has_urgent() {
            events |= PollEvents::PRI;
        }
        if self.error.is_some() {
            events |= PollEvents::ERR;
        }
        events
    }
}

/// How many bytes of its own a sender may have under way.
fn send_room(sender: &Options) -> usize {
    let (is_fixed, _) = sender.fixed_buffers();
    if is_fixed {
        sender.send_buffer()
    } else {
        GROWN_BUFFER
    }
}

/// Up to which fill of a queue with `limit` bytes of room a poll says "writable"; Linux asks for a
/// third to be free.
fn enough(limit: usize) -> usize {
    limit - limit / 3
}

fn effective_user() -> u32 {
    let process = crate::task::current_process();
    process.identity.with(|own| own.user.effective)
}

/// The style of a type and protocol of socket(2) for AF_INET and AF_INET6 streams.
///
/// # Errors
/// EPROTONOSUPPORT.
pub fn check_protocol(protocol: u32) -> Result<()> {
    match protocol {
        0 | IPPROTO_TCP => Ok(()),
        _ => Err(Errno::EPROTONOSUPPORT),
    }
}
