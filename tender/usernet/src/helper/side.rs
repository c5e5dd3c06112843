//! The host's side of the stack: what the guest's packets cause.
//!
//! Main types: [`HostSide`] (the stack's owner), [`Answer`]. While the stack works, its owner may act on sockets
//! but not on the stack: what is to go back to the guest is noted as an answer.

use super::counters::Counters;
use super::destination::{Destination, Map};
use super::poller::{Poller, Source};
use super::resolvers::Resolvers;
use super::table::Key;
use super::tcp::{self, Stage};
use super::{dhcp, host, icmp, peers, ping, udp};
use crate::config::Config;
use crate::confine::limits::Limits;
use crate::pktinfo;
use crate::publish::BoundPort;
use libos_net::address::Flow;
use libos_net::config::InterfaceId;
use libos_net::owner::{
    Datagram, DatagramError, Delivery, Echo, Learnt, Owner, TcpEvents, Token, Unreachable, Verdict,
};
use libos_net::tcp::ConnectionId;
use libos_net::time::Instant;
use rustix::io::Errno;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Answers that wait for the stack at most: more are lost, as packets are.
const MOST_ANSWERS: usize = 256;

/// Something to be sent to the guest once the stack is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A UDP datagram.
    Datagram {
        /// From whom, as the guest sees it.
        from: SocketAddr,
        /// To whom.
        to: SocketAddr,
        /// Its bytes.
        payload: Vec<u8>,
    },
    /// An ICMP or ICMPv6 message.
    Icmp {
        /// From whom.
        from: IpAddr,
        /// To whom.
        to: IpAddr,
        /// The whole message.
        message: Vec<u8>,
    },
}

/// All of the host's side.
pub struct HostSide {
    /// What is ready.
    pub poller: Poller,
    /// Which address stands behind which.
    pub map: Map,
    /// What is configured.
    pub config: Config,
    /// Whom queries for names go to.
    pub resolvers: Resolvers,
    /// Published ports.
    pub published: Vec<BoundPort>,
    /// TCP.
    pub tcp: tcp::Flows,
    /// UDP of the guest's making.
    pub udp: udp::Flows,
    /// UDP of published ports' peers.
    pub peers: peers::Peers,
    /// Pings.
    pub pings: ping::Pings,
    dhcp: dhcp::Server,
    /// To be sent to the guest.
    pub answers: Vec<Answer>,
    /// What happened.
    pub counters: Counters,
    /// The present, as of this turn of the loop.
    pub now: Instant,
}

impl HostSide {
    /// With its sockets watched.
    ///
    /// # Errors
    /// That of epoll_create1(2) or epoll_ctl(2).
    pub fn new(
        config: &Config,
        published: Vec<BoundPort>,
        resolvers: Vec<SocketAddr>,
        limits: Limits,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        for (index, port) in (0..).zip(&published) {
            poller.watch_input(&port.socket, Source::Published(index))?;
        }
        Ok(Self {
            poller,
            map: Map::new(config),
            config: config.clone(),
            resolvers: Resolvers::new(resolvers),
            published,
            tcp: tcp::Flows::new(limits.flows - limits.flows / 4),
            udp: udp::Flows::new((limits.flows / 8).min(4096)),
            peers: peers::Peers::new(4096),
            pings: ping::Pings::new(),
            dhcp: dhcp::Server::new(config),
            answers: Vec::new(),
            counters: Counters::default(),
            now: Instant::ZERO,
        })
    }

    /// Notes an answer.
    pub fn answer(&mut self, answer: Answer) {
        if self.answers.len() < MOST_ANSWERS {
            self.answers.push(answer);
        }
    }

    /// Tells the guest that its packet did not arrive. A port is refused by the host itself, everything else by
    /// the gateway.
    pub fn tell_unreachable(&mut self, flow: Flow, protocol: u8, what: Unreachable) {
        let to = flow.remote.ip();
        let from = match what {
            Unreachable::Port => Some(flow.local.ip()),
            _ => self.config.gateway(to),
        };
        if let (Some(from), Some(message)) = (from, icmp::unreachable(flow, protocol, what)) {
            self.answer(Answer::Icmp { from, to, message });
        }
    }

    /// Begins a connection to a host for the guest.
    fn connect(&mut self, flow: Flow, address: SocketAddr) -> Verdict {
        if !self.tcp.may_connect() {
            self.counters.no_room += 1;
            return Verdict::Drop;
        }
        let socket = match host::connect_tcp(address) {
            Ok(socket) => socket,
            Err(error) => return self.not_connected(flow, error),
        };
        let Some(key) = self.tcp.add(flow, socket, Stage::Connecting) else {
            return Verdict::Drop;
        };
        match self.watch_tcp(key) {
            Ok(()) => Verdict::Defer,
            Err(error) => {
                self.tcp.remove(key);
                self.not_connected(flow, error)
            }
        }
    }

    /// Watches a flow's socket.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn watch_tcp(&mut self, key: Key) -> Result<(), Errno> {
        let flow = self.tcp.get(key).ok_or(Errno::BADF)?;
        self.poller.watch_edges(&flow.host.socket, Source::Tcp(key))
    }

    /// What the guest is told of a connection that a host did not take.
    pub fn not_connected(&mut self, flow: Flow, error: Errno) -> Verdict {
        self.counters.unreachable += 1;
        let what = match error {
            Errno::CONNREFUSED | Errno::CONNRESET => return Verdict::Refuse,
            Errno::NETUNREACH => Unreachable::Network,
            Errno::ACCESS | Errno::PERM => Unreachable::Prohibited,
            Errno::HOSTUNREACH | Errno::TIMEDOUT => Unreachable::Host,
            // Ours, such as EMFILE: the guest asks again, and may have more luck.
            _ => return Verdict::Drop,
        };
        self.tell_unreachable(flow, icmp::TCP, what);
        Verdict::Drop
    }

    /// How a peer of a published port is shown to the guest if it can be, and the guest's own address. A
    /// guest without IPv6 sees the gateway for an IPv6 peer.
    pub fn way_to_guest(
        &self,
        peer: SocketAddr,
        guest_port: u16,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let own_version = self.config.guest(peer.ip());
        let (shown, guest) = match own_version {
            Some(guest) if self.map.can_be_shown(peer.ip()) => (peer.ip(), guest),
            Some(guest) => (self.config.gateway(peer.ip())?, guest),
            None => (
                self.config.ipv4.gateway.into(),
                self.config.ipv4.guest.into(),
            ),
        };
        Some((
            SocketAddr::new(shown, peer.port()),
            SocketAddr::new(guest, guest_port),
        ))
    }

    /// A flow to the guest as `wish`, but from the gateway and this port.
    pub fn through_gateway(&self, wish: Flow, port: u16) -> Flow {
        let gateway = self
            .config
            .gateway(wish.remote.ip())
            .unwrap_or(wish.local.ip());
        Flow {
            local: SocketAddr::new(gateway, port),
            ..wish
        }
    }

    /// A datagram to a peer of a published port.
    fn send_to_peer(&mut self, peer: peers::Peer, payload: &[u8]) {
        let Some(port) = self.published.get(peer.port as usize) else {
            return;
        };
        match pktinfo::send(&port.socket, payload, peer.address, peer.host) {
            Ok(()) => self.counters.datagrams_out += 1,
            Err(_) => self.counters.datagrams_lost += 1,
        }
    }

    /// A datagram to a host.
    fn send_to_host(&mut self, flow: Flow, payload: &[u8]) -> Delivery {
        let destination = self.map.behind(flow.local);
        match destination {
            Destination::Nobody => return Delivery::NoPort,
            Destination::Martian => {
                self.counters.datagrams_lost += 1;
                return Delivery::Taken;
            }
            Destination::Host(_) | Destination::Resolver | Destination::NoHost => {}
        }
        let sides = (&mut self.resolvers, &self.poller);
        match self.udp.send(self.now, flow, payload, destination, sides) {
            udp::Sent::Out => self.counters.datagrams_out += 1,
            udp::Sent::Lost => self.counters.datagrams_lost += 1,
            udp::Sent::Refused => {
                self.counters.datagrams_lost += 1;
                self.tell_unreachable(flow, icmp::UDP, Unreachable::Port);
            }
            udp::Sent::Unreachable => {
                self.counters.datagrams_lost += 1;
                self.tell_unreachable(flow, icmp::UDP, Unreachable::Host);
            }
        }
        Delivery::Taken
    }

    fn lease(&mut self, message: &[u8]) {
        if let Some(reply) = self.dhcp.answer(message) {
            self.answer(Answer::Datagram {
                from: SocketAddr::new(self.config.ipv4.gateway.into(), dhcp::SERVER_PORT),
                to: reply.to.into(),
                payload: reply.message,
            });
        }
    }

    fn ping(&mut self, echo: &Echo<'_>) {
        if self.map.is_own(echo.to) {
            if let Some(message) = icmp::echo_reply(echo.message, echo.to.is_ipv6()) {
                self.answer(Answer::Icmp {
                    from: echo.to,
                    to: echo.from,
                    message,
                });
            }
            return;
        }
        let named = SocketAddr::new(echo.to, 0);
        let Destination::Host(_) = self.map.behind(named) else {
            return;
        };
        let names = (echo.from, echo.to, echo.identifier);
        if self
            .pings
            .send(self.now, names, echo.message, &self.poller)
            .is_err()
        {
            self.counters.pings_refused += 1;
        }
    }
}

impl Owner for HostSide {
    fn connection_requested(&mut self, _: InterfaceId, flow: Flow) -> Verdict {
        match self.map.behind(flow.local) {
            Destination::Host(address) => self.connect(flow, address),
            Destination::Resolver => match self.resolvers.choose() {
                Some((address, _)) => self.connect(flow, address),
                None => Verdict::Refuse,
            },
            Destination::Nobody => Verdict::Refuse,
            Destination::NoHost => self.not_connected(flow, Errno::HOSTUNREACH),
            Destination::Martian => Verdict::Drop,
        }
    }

    fn tcp(&mut self, connection: ConnectionId, token: Token, events: TcpEvents) {
        self.tcp.note(Key::from_bits(token.0), connection, events);
    }

    fn udp(&mut self, datagram: &Datagram<'_>) -> Delivery {
        let (flow, payload) = (datagram.flow, datagram.payload);
        if flow.local.port() == dhcp::SERVER_PORT && flow.local.is_ipv4() {
            self.lease(payload);
            return Delivery::Taken;
        }
        if let Some(peer) = self.peers.behind(self.now, flow.local, flow.remote.port()) {
            self.send_to_peer(peer, payload);
            return Delivery::Taken;
        }
        self.send_to_host(flow, payload)
    }

    fn echo(&mut self, echo: &Echo<'_>) -> Delivery {
        if echo.is_request {
            self.ping(echo);
        }
        Delivery::Taken
    }

    /// Datagrams to the guest are from hosts that will send them again, or not: nobody is told.
    fn datagram_error(&mut self, _: &DatagramError) {}

    fn configured(&mut self, _: InterfaceId, _: &Learnt) {}
}
