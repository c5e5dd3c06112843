//! UDP of the guest's making: one host socket for each pair of guest address and destination.
//!
//! Main types: [`Flows`], [`UdpFlow`]. The sockets are connected, so that nobody but the destination can answer, and
//! so that the host's ICMP errors arrive. A flow ends when it has been idle for too long, or when a
//! newer one needs its place.

use super::destination::Destination;
use super::host;
use super::poller::{Poller, Source};
use super::resolvers::{Query, Resolvers};
use super::table::{Key, Table};
use libos_net::address::Flow;
use libos_net::time::{Duration, Instant};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::collections::HashMap;

/// Idle time of a flow to which nobody ever answered.
const IDLE_UNANSWERED: Duration = Duration::from_secs(60);

/// Idle time of one that is a conversation.
const IDLE: Duration = Duration::from_secs(180);

/// Idle time of one to a resolver: one query, one answer.
const IDLE_QUERY: Duration = Duration::from_secs(15);

/// One conversation.
#[derive(Debug)]
pub struct UdpFlow {
    /// As the stack sees it: `local` is the host's side.
    pub flow: Flow,
    /// The host's side.
    pub socket: OwnedFd,
    last_used: Instant,
    is_answered: bool,
    query: Option<Query>,
}

impl UdpFlow {
    fn idle_limit(&self) -> Duration {
        match (self.query, self.is_answered) {
            (Some(_), _) => IDLE_QUERY,
            (None, true) => IDLE,
            (None, false) => IDLE_UNANSWERED,
        }
    }

    /// The host answered.
    pub fn answered(&mut self, now: Instant) {
        self.last_used = now;
        self.is_answered = true;
        if let Some(query) = &mut self.query {
            query.answered();
        }
    }
}

/// What became of a datagram of the guest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It went out.
    Out,
    /// It was lost, as datagrams are.
    Lost,
    /// An earlier one found no port: so this one, which was not sent. Or no resolver can be reached.
    Refused,
    /// Nothing leads there.
    Unreachable,
}

/// All conversations.
#[derive(Debug)]
pub struct Flows {
    table: Table<UdpFlow>,
    by_flow: HashMap<Flow, Key>,
}

impl Flows {
    /// At most so many.
    pub fn new(most: usize) -> Self {
        Self {
            table: Table::new(most.max(1)),
            by_flow: HashMap::new(),
        }
    }

    /// One of them.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut UdpFlow> {
        self.table.get_mut(key)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// Sends a datagram of the guest's on its way.
    pub fn send(
        &mut self,
        now: Instant,
        flow: Flow,
        payload: &[u8],
        destination: Destination,
        (resolvers, poller): (&mut Resolvers, &Poller),
    ) -> Sent {
        let mut known = self.by_flow.get(&flow).copied();
        if let Some(key) = known
            && self.is_silent(key, now, resolvers)
        {
            self.remove(key);
            known = None;
        }
        let opened = known.map_or_else(|| self.open(now, flow, destination, resolvers, poller), Ok);
        match opened {
            Ok(key) => self.send_on(key, now, payload, resolvers),
            Err(Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::ACCESS) => Sent::Unreachable,
            Err(Errno::CONNREFUSED) => Sent::Refused,
            Err(_) => Sent::Lost,
        }
    }

    /// A resolver that was asked more than once and said nothing; it loses its place.
    fn is_silent(&mut self, key: Key, now: Instant, resolvers: &mut Resolvers) -> bool {
        let Some(query) = self.table.get_mut(key).and_then(|flow| flow.query.as_mut()) else {
            return false;
        };
        let is_silent = query.ask(now);
        if is_silent {
            resolvers.pass_over(*query);
        }
        is_silent
    }

    fn open(
        &mut self,
        now: Instant,
        flow: Flow,
        destination: Destination,
        resolvers: &mut Resolvers,
        poller: &Poller,
    ) -> Result<Key, Errno> {
        let (socket, query) = match destination {
            Destination::Host(address) => (host::connect_udp(address)?, None),
            Destination::Resolver => {
                let (socket, query) = connect_resolver(now, resolvers)?;
                (socket, Some(query))
            }
            Destination::Nobody | Destination::NoHost | Destination::Martian => {
                return Err(Errno::HOSTUNREACH);
            }
        };
        if self.table.is_full() {
            self.remove_oldest();
        }
        let entry = UdpFlow {
            flow,
            socket,
            last_used: now,
            is_answered: false,
            query,
        };
        let key = self.table.insert(entry).map_err(|_| Errno::NOBUFS)?;
        self.by_flow.insert(flow, key);
        let watched = self
            .table
            .get(key)
            .map(|entry| poller.watch_input(&entry.socket, Source::Udp(key)));
        if let Some(Err(error)) = watched {
            self.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    fn send_on(
        &mut self,
        key: Key,
        now: Instant,
        payload: &[u8],
        resolvers: &mut Resolvers,
    ) -> Sent {
        let Some(entry) = self.table.get_mut(key) else {
            return Sent::Lost;
        };
        entry.last_used = now;
        match host::send(&entry.socket, payload) {
            Ok(_) => Sent::Out,
            Err(Errno::CONNREFUSED) => {
                if let Some(query) = entry.query {
                    resolvers.pass_over(query);
                    self.remove(key);
                }
                Sent::Refused
            }
            Err(Errno::NETUNREACH | Errno::HOSTUNREACH) => Sent::Unreachable,
            Err(_) => Sent::Lost,
        }
    }

    /// The host told that nobody listens at the other end.
    pub fn refused(&mut self, key: Key, resolvers: &mut Resolvers) {
        if let Some(query) = self.table.get(key).and_then(|entry| entry.query) {
            resolvers.pass_over(query);
            self.remove(key);
        }
    }

    /// Ends it.
    pub fn remove(&mut self, key: Key) {
        if let Some(entry) = self.table.remove(key) {
            self.by_flow.remove(&entry.flow);
        }
    }

    fn remove_oldest(&mut self) {
        let oldest = self.table.iter().min_by_key(|(_, entry)| entry.last_used);
        if let Some(key) = oldest.map(|(key, _)| key) {
            self.remove(key);
        }
    }

    /// Ends those that have been idle for too long.
    pub fn expire(&mut self, now: Instant) {
        let is_idle = |entry: &UdpFlow| now - entry.last_used > entry.idle_limit();
        let idle = self.table.iter().filter(|(_, entry)| is_idle(entry));
        let idle: Vec<_> = idle.map(|(key, _)| key).collect();
        idle.into_iter().for_each(|key| self.remove(key));
    }
}

/// To the preferred resolver that something leads to. If that is none, nobody is there to ask: the program is told at
/// once, as it would be on the host, instead of waiting for an answer.
fn connect_resolver(now: Instant, resolvers: &mut Resolvers) -> Result<(OwnedFd, Query), Errno> {
    for _ in 0..resolvers.count() {
        let Some((address, mut query)) = resolvers.choose() else {
            break;
        };
        match host::connect_udp(address) {
            Ok(socket) => {
                query.ask(now);
                return Ok((socket, query));
            }
            Err(Errno::NOBUFS | Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
                return Err(Errno::NOBUFS);
            }
            Err(_) => resolvers.pass_over(query),
        }
    }
    Err(Errno::CONNREFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, UdpSocket};

    fn server() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket
            .set_read_timeout(Some(std::time::Duration::from_secs(5)))
            .expect("an option");
        let address = socket.local_addr().expect("an address");
        (socket, address)
    }

    fn flow(guest_port: u16) -> Flow {
        Flow {
            local: SocketAddr::from(([192, 0, 2, 1], 9)),
            remote: SocketAddr::from(([10, 0, 2, 15], guest_port)),
        }
    }

    fn receive(server: &UdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut bytes = [0; 100];
        let (len, from) = server.recv_from(&mut bytes).expect("a datagram");
        (bytes[..len].to_vec(), from)
    }

    #[test]
    fn a_flow_keeps_its_socket_and_idle_ones_end() {
        let (server, address) = server();
        let (mut flows, poller) = (Flows::new(2), Poller::new().expect("epoll"));
        let mut resolvers = Resolvers::new(Vec::new());
        let mut send = |flows: &mut Flows, at, port| {
            let destination = Destination::Host(address);
            flows.send(
                Instant::from_secs(at),
                flow(port),
                b"x",
                destination,
                (&mut resolvers, &poller),
            )
        };
        assert_eq!(send(&mut flows, 0, 1), Sent::Out);
        let (bytes, first) = receive(&server);
        assert_eq!(bytes, b"x");
        assert_eq!(send(&mut flows, 30, 1), Sent::Out);
        assert_eq!(receive(&server).1, first, "the same socket");
        assert_eq!(send(&mut flows, 31, 2), Sent::Out);
        assert_ne!(receive(&server).1, first, "another flow, another socket");
        assert_eq!(send(&mut flows, 32, 3), Sent::Out, "the oldest goes");
        assert_eq!((flows.table.len(), flows.by_flow.len()), (2, 2));
        assert!(!flows.by_flow.contains_key(&flow(1)));
        flows.expire(Instant::from_secs(92));
        assert_eq!((flows.table.len(), flows.by_flow.len()), (1, 1));
        flows.expire(Instant::from_secs(93));
        assert!(flows.is_empty());
    }

    #[test]
    fn a_silent_resolver_is_left_for_the_next() {
        let ((silent, first), (answering, second)) = (server(), server());
        let (mut flows, poller) = (Flows::new(2), Poller::new().expect("epoll"));
        let mut resolvers = Resolvers::new(vec![first, second]);
        for (at, asked) in [(0, &silent), (1, &silent), (2, &answering)] {
            let now = Instant::from_secs(at);
            let sides = (&mut resolvers, &poller);
            let sent = flows.send(now, flow(1), b"query", Destination::Resolver, sides);
            assert_eq!(sent, Sent::Out);
            assert_eq!(receive(asked).0, b"query", "second {at}");
        }
        assert_eq!(flows.table.len(), 1);
    }

    #[test]
    fn a_destination_without_a_host_opens_nothing() {
        let (mut flows, poller) = (Flows::new(2), Poller::new().expect("epoll"));
        let mut resolvers = Resolvers::new(Vec::new());
        for (destination, expected) in [
            (Destination::NoHost, Sent::Unreachable),
            (Destination::Martian, Sent::Unreachable),
            (Destination::Resolver, Sent::Refused),
        ] {
            let sides = (&mut resolvers, &poller);
            let sent = flows.send(Instant::ZERO, flow(1), b"x", destination, sides);
            assert_eq!(sent, expected, "{destination:?}");
        }
        assert!(flows.is_empty());
    }
}
