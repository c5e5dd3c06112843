//! Datagram sockets of AF_INET and AF_INET6: UDP (udp(7)), ICMP echo (icmp(7)), and raw ICMP (raw(7)).
//!
//! - [`DatagramSocket`]: one socket. Its methods are in [`names`](self) (bind, connect, close),
//!   [`send`](self), [`receive`](self) and [`settings`] (options).
//! - [`table`]: who gets what; [`reach`]: which way a destination is reached.
//! - [`queue`], [`errors`], [`multicast`], [`control`]: what a socket holds, and control messages.
//! - [`incoming`]: what comes from the stack. [`icmp`]: echo messages. [`counters`]: for statistics.
//!
//! Loopback is from socket to socket: the sender puts the datagram into the receiver's queue, with no
//! packet in between. What leaves goes through the one stack ([`super::host`]).
//!
//! Lock order: the stack, the tables, one socket, the ports. No socket's lock is held while the stack
//! or a table is asked, and never two sockets'.

pub mod control;
pub mod counters;
pub mod errors;
pub mod icmp;
pub mod incoming;
mod memberships;
pub mod multicast;
mod names;
pub mod queue;
pub mod reach;
mod receive;
mod send;
pub mod settings;
pub mod table;

#[cfg(test)]
mod tests;

use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::net::SocketAddr;

use crate::errno::{Errno, Result};
use crate::fs::blocking::Patience;
use crate::fs::poll::PollEvents;
use crate::net::address::RawAddress;
use crate::net::inet::address::{Family, encode};
use crate::net::inet::options::InetOptions;
use crate::net::inet::ports::{self, Claim, Ports};
use crate::net::message::{MessageFlags, Outgoing, Received};
use crate::net::options::{OptionValue, Options};
use crate::net::socket::{Halves, Kind, Socket};
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;
use crate::task::credentials::Capabilities;
use crate::user::Dest;
use errors::Errors;
use multicast::Multicast;
use queue::ReceiveQueue;
use settings::Own;
use table::Table;

/// SOCK_DGRAM and SOCK_RAW.
const DGRAM: u32 = 2;
const RAW: u32 = 3;

/// Protocol numbers.
const IPPROTO_IP: u32 = 0;
const IPPROTO_ICMP: u32 = 1;
const IPPROTO_UDP: u32 = 17;
const IPPROTO_ICMPV6: u32 = 58;

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// ICMP echo: the identifier takes the place of the port.
    Echo,
    /// All of ICMP, with headers.
    Raw,
}

impl Transport {
    /// The ports, or identifiers, of its sockets.
    fn ports(self) -> Option<&'static SpinLock<Ports>> {
        static ECHO: SpinLock<Ports> = SpinLock::new(Ports::new());
        match self {
            Self::Udp => Some(&ports::UDP),
            Self::Echo => Some(&ECHO),
            Self::Raw => None,
        }
    }

    /// Its sockets that have a port; raw ones are all at port 0.
    fn table(self) -> &'static SpinLock<Table<DatagramSocket>> {
        static UDP: SpinLock<Table<DatagramSocket>> = SpinLock::new(Table::new());
        static ECHO: SpinLock<Table<DatagramSocket>> = SpinLock::new(Table::new());
        static RAW: SpinLock<Table<DatagramSocket>> = SpinLock::new(Table::new());
        match self {
            Self::Udp => &UDP,
            Self::Echo => &ECHO,
            Self::Raw => &RAW,
        }
    }
}

/// A datagram socket.
pub struct DatagramSocket {
    me: Weak<DatagramSocket>,
    family: Family,
    transport: Transport,
    options: Options,
    inet: InetOptions,
    state: SpinLock<State>,
    /// Blocked receivers.
    arrivals: WaitQueue,
    /// poll(2), select(2), epoll(7).
    pollers: WaitQueue,
}

struct State {
    /// Its own address and port, as far as it has them.
    local: SocketAddr,
    /// Whether bind(2) said the address, and the port: then they outlast a connection.
    said_address: bool,
    said_port: bool,
    /// What it holds of the port.
    claim: Option<Claim>,
    /// Its only partner.
    remote: Option<SocketAddr>,
    queue: ReceiveQueue,
    errors: Errors,
    shut: Halves,
    closed: bool,
    multicast: Multicast,
    own: Own,
}

/// Whether a socket of this type and protocol is made here.
pub fn is_datagram(socket_type: u32) -> bool {
    matches!(socket_type, DGRAM | RAW)
}

/// A new socket, for socket(2).
///
/// # Errors
/// ESOCKTNOSUPPORT, EPROTONOSUPPORT; EPERM for a raw socket without CAP_NET_RAW.
pub fn create(family: Family, socket_type: u32, protocol: u32) -> Result<Arc<DatagramSocket>> {
    let icmp = match family {
        Family::V4 => IPPROTO_ICMP,
        Family::V6 => IPPROTO_ICMPV6,
    };
    let transport = match (socket_type, protocol) {
        (DGRAM, IPPROTO_IP | IPPROTO_UDP) => Transport::Udp,
        (DGRAM, protocol) if protocol == icmp => Transport::Echo,
        (RAW, protocol) if protocol == icmp => Transport::Raw,
        (RAW, IPPROTO_IP) | (DGRAM, _) => return Err(Errno::EPROTONOSUPPORT),
        (RAW, _) => {
            return Err(Errno::EPROTONOSUPPORT.because("raw sockets speak ICMP only"));
        }
        _ => return Err(Errno::ESOCKTNOSUPPORT),
    };
    let process = crate::task::current_process();
    if transport == Transport::Raw && !process.identity.capable(Capabilities::NET_RAW) {
        return Err(Errno::EPERM);
    }
    let socket = DatagramSocket::new(family, transport);
    if transport == Transport::Raw {
        socket.register();
    }
    Ok(socket)
}

impl DatagramSocket {
    fn new(family: Family, transport: Transport) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            family,
            transport,
            options: Options::new(),
            inet: InetOptions::new(),
            state: SpinLock::new(State {
                local: family.unspecified(),
                said_address: false,
                said_port: false,
                claim: None,
                remote: None,
                queue: ReceiveQueue::default(),
                errors: Errors::default(),
                shut: Halves::empty(),
                closed: false,
                multicast: Multicast::default(),
                own: Own::default(),
            }),
            arrivals: WaitQueue::new(),
            pollers: WaitQueue::new(),
        })
    }

    fn protocol(&self) -> u32 {
        match (self.transport, self.family) {
            (Transport::Udp, _) => IPPROTO_UDP,
            (_, Family::V4) => IPPROTO_ICMP,
            (_, Family::V6) => IPPROTO_ICMPV6,
        }
    }

    /// Tells sleepers and pollers of what arrived.
    fn announce_arrival(&self) {
        self.arrivals.wake_one();
        self.pollers.notify(PollEvents::IN | PollEvents::RDNORM);
    }

    /// Tells sleepers and pollers of an error.
    fn announce_error(&self) {
        self.arrivals.wake_all();
        self.pollers.notify(PollEvents::ERR);
    }

    fn encode(&self, address: SocketAddr) -> RawAddress {
        encode(self.family, address)
    }
}

impl Socket for DatagramSocket {
    fn kind(&self) -> Kind {
        Kind {
            domain: self.family.number().into(),
            socket_type: if self.transport == Transport::Raw {
                RAW
            } else {
                DGRAM
            },
            protocol: self.protocol(),
        }
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn bind(&self, address: &RawAddress) -> Result<()> {
        self.bind_to(address)
    }

    fn listen(&self, _: i32) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn accept(&self, _: Patience) -> Result<Arc<dyn Socket>> {
        Err(Errno::EOPNOTSUPP)
    }

    fn connect(&self, address: &RawAddress, _: Patience) -> Result<()> {
        self.connect_to(address)
    }

    fn send(&self, message: Outgoing<'_, '_>) -> Result<usize> {
        self.send_message(message)
    }

    fn receive(
        &self,
        dest: &mut Dest<'_>,
        flags: MessageFlags,
        patience: Patience,
    ) -> Result<Received> {
        self.receive_message(dest, flags, patience)
    }

    fn shutdown(&self, halves: Halves) -> Result<()> {
        let connected = {
            let mut state = self.state.lock();
            // Linux shuts an unconnected socket too, and complains nevertheless.
            state.shut |= halves;
            state.remote.is_some()
        };
        self.arrivals.wake_all();
        let events = PollEvents::IN | PollEvents::RDNORM | PollEvents::RDHUP | PollEvents::HUP;
        self.pollers.notify(events | PollEvents::OUT);
        if connected {
            Ok(())
        } else {
            Err(Errno::ENOTCONN)
        }
    }

    fn local_address(&self) -> Result<RawAddress> {
        let local = self.state.lock().local;
        Ok(self.encode(local))
    }

    fn peer_address(&self) -> Result<RawAddress> {
        let remote = self.state.lock().remote;
        let remote = remote.filter(|remote| remote.port() != 0 || self.transport != Transport::Udp);
        Ok(self.encode(remote.ok_or(Errno::ENOTCONN)?))
    }

    fn option(&self, level: u32, name: u32) -> Result<OptionValue> {
        self.get_option(level, name)
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        self.change_option(level, name, value)
    }

    fn poll(&self) -> PollEvents {
        self.state.lock().ready()
    }

    fn wait_queue(&self) -> &WaitQueue {
        &self.pollers
    }

    fn readable_bytes(&self) -> Result<usize> {
        Ok(self.next_len())
    }

    fn unsent_bytes(&self) -> Result<usize> {
        Ok(0)
    }

    fn close(&self) {
        self.hang_up();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl State {
    /// What is ready (net/core/datagram.c, `datagram_poll`). There is always room to send.
    fn ready(&self) -> PollEvents {
        let mut events = PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND;
        if self.errors.is_any() {
            events |= PollEvents::ERR;
        }
        if self.shut.contains(Halves::RECEIVE) {
            events |= PollEvents::RDHUP | PollEvents::IN | PollEvents::RDNORM;
        }
        if self.shut == Halves::all() {
            events |= PollEvents::HUP;
        }
        if !self.queue.is_empty() {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        events
    }
}

impl Drop for DatagramSocket {
    fn drop(&mut self) {
        self.hang_up();
    }
}
