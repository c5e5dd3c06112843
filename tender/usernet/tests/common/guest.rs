//! A guest of the helper's: a stack of its own over the channel.

use super::WAIT;
use libos_net::address::{Flow, Network};
use libos_net::config::{InterfaceConfig, InterfaceId, Mac, Offloads, Route};
use libos_net::device::{Device, LONGEST_FRAME, Transmitted, VNET_HEADER_LEN};
use libos_net::owner::{
    Datagram, DatagramError, Delivery, Echo, Learnt, OutgoingDatagram, Owner, TcpEvents, Token,
    Verdict,
};
use libos_net::stack::Stack;
use libos_net::tcp::{ConnectionId, Refusal, State, TcpError, TcpOptions};
use libos_net::time;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

/// What came, and whom to let in.
#[derive(Default)]
pub struct Notes {
    pub listening: HashSet<u16>,
    pub accepted: Vec<(ConnectionId, Flow)>,
    pub events: HashMap<ConnectionId, TcpEvents>,
    pub datagrams: Vec<(Flow, Vec<u8>)>,
    pub echoes: Vec<(IpAddr, Vec<u8>)>,
    pub errors: Vec<DatagramError>,
    pub learnt: Option<Learnt>,
    requested: HashMap<u64, Flow>,
}

impl Owner for Notes {
    fn connection_requested(&mut self, _: InterfaceId, flow: Flow) -> Verdict {
        if !self.listening.contains(&flow.local.port()) {
            return Verdict::Refuse;
        }
        let token = u64::MAX - u64::try_from(self.requested.len()).unwrap_or(0);
        self.requested.insert(token, flow);
        Verdict::Accept(Token(token), options())
    }

    fn tcp(&mut self, connection: ConnectionId, token: Token, events: TcpEvents) {
        *self.events.entry(connection).or_default() |= events;
        if events.contains(TcpEvents::ESTABLISHED)
            && let Some(flow) = self.requested.get(&token.0)
        {
            self.accepted.push((connection, *flow));
        }
    }

    fn udp(&mut self, datagram: &Datagram<'_>) -> Delivery {
        self.datagrams
            .push((datagram.flow, datagram.payload.to_vec()));
        Delivery::Taken
    }

    fn echo(&mut self, echo: &Echo<'_>) -> Delivery {
        self.echoes.push((echo.from, echo.message.to_vec()));
        Delivery::Taken
    }

    fn datagram_error(&mut self, error: &DatagramError) {
        self.errors.push(*error);
    }

    fn configured(&mut self, _: InterfaceId, learnt: &Learnt) {
        self.learnt = Some(learnt.clone());
    }
}

fn options() -> TcpOptions {
    TcpOptions {
        receive_buffer: 512 * 1024,
        send_buffer: 512 * 1024,
        ..TcpOptions::default()
    }
}

struct ToHelper(Arc<OwnedFd>);

impl Device for ToHelper {
    fn transmit(&mut self, frame: &[u8]) -> Transmitted {
        match rustix::net::send(&self.0, frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN) => Transmitted::Full,
            _ => Transmitted::Done,
        }
    }
}

/// The guest.
pub struct Guest {
    pub stack: Stack,
    pub notes: Notes,
    interface: InterfaceId,
    channel: Arc<OwnedFd>,
    started: Instant,
    frame: Vec<u8>,
    next_port: u16,
}

fn network(text: &str, prefix: u8) -> Network {
    Network {
        address: text.parse().expect("an address"),
        prefix,
    }
}

fn default_route(any: &str, gateway: &str) -> Route {
    let gateway = gateway.parse().expect("an address");
    Route {
        destination: network(any, 0),
        gateway: Some(gateway),
        metric: 0,
    }
}

impl Guest {
    /// With the addresses that the default configuration gives it.
    pub fn new(channel: OwnedFd) -> Self {
        Self::with(channel, |config| {
            config.addresses = vec![network("10.0.2.15", 24), network("fd00::15", 64)];
            config.routes = vec![
                default_route("0.0.0.0", "10.0.2.2"),
                default_route("::", "fd00::2"),
            ];
        })
    }

    /// Configured as `change` says.
    pub fn with(channel: OwnedFd, change: impl FnOnce(&mut InterfaceConfig)) -> Self {
        let mut config = InterfaceConfig {
            name: "eth0".into(),
            mac: Mac([2, 0, 10, 0, 2, 15]),
            mtu: 1500,
            addresses: Vec::new(),
            routes: Vec::new(),
            dhcp: false,
            slaac: false,
            any_address: false,
            offloads: Offloads {
                vnet_header: true,
                checksum: true,
                segmentation: true,
            },
        };
        change(&mut config);
        let channel = Arc::new(channel);
        let mut stack = Stack::new([7; 32]);
        let device = ToHelper(Arc::clone(&channel));
        let interface = stack.add_interface(time::Instant::ZERO, config, Box::new(device));
        Self {
            stack,
            notes: Notes::default(),
            interface,
            channel,
            started: Instant::now(),
            frame: vec![0; VNET_HEADER_LEN + LONGEST_FRAME],
            next_port: 40_000,
        }
    }

    fn now(&self) -> time::Instant {
        let micros = self.started.elapsed().as_micros();
        time::Instant::from_micros(i64::try_from(micros).expect("a short test"))
    }

    /// Takes what came, does what is due, and sleeps until there is something. False once the helper is gone.
    pub fn turn(&mut self) -> bool {
        let mut flags = PollFlags::IN;
        flags.set(PollFlags::OUT, self.stack.wants_writable(self.interface));
        let now = self.now();
        let due = self
            .stack
            .poll_at()
            .map_or(50_000, |at| (at.max(now) - now).total_micros());
        let nanos = i64::try_from(due.min(50_000)).expect("short") * 1000;
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: nanos,
        };
        let mut polled = [PollFd::new(&*self.channel, flags)];
        rustix::event::poll(&mut polled, Some(&timeout)).expect("poll");
        let now = self.now();
        if polled[0].revents().contains(PollFlags::OUT) {
            self.stack.writable(now, self.interface, &mut self.notes);
        }
        for _ in 0..64 {
            match rustix::net::recv(&self.channel, &mut self.frame[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return false,
                Ok((_, len)) => {
                    self.stack
                        .receive(now, self.interface, &self.frame[..len], &mut self.notes);
                }
                Err(_) => break,
            }
        }
        self.stack.poll(now, &mut self.notes);
        true
    }

    /// Works until `done` gives something.
    pub fn until<T>(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> Option<T>) -> T {
        let end = Instant::now() + WAIT;
        loop {
            if let Some(found) = done(self) {
                return found;
            }
            assert!(Instant::now() < end, "{what}: not within {WAIT:?}");
            assert!(self.turn(), "{what}: the helper is gone");
        }
    }

    /// Begins a connection.
    pub fn begin(&mut self, to: &str) -> ConnectionId {
        let remote: SocketAddr = to.parse().expect("an address");
        let own = if remote.is_ipv4() {
            "10.0.2.15"
        } else {
            "fd00::15"
        };
        self.next_port += 1;
        let local = SocketAddr::new(own.parse().expect("an address"), self.next_port);
        let (now, token) = (self.now(), Token(self.next_port.into()));
        let (tcp, output) = self.stack.tcp(now);
        tcp.connect(now, Flow { local, remote }, token, options(), output)
            .expect("room")
    }

    /// Waits for the end of the handshake.
    pub fn established(&mut self, connection: ConnectionId) -> Result<(), Option<TcpError>> {
        self.until("a connection", |guest| {
            let events = guest
                .notes
                .events
                .get(&connection)
                .copied()
                .unwrap_or_default();
            let now = guest.now();
            match events {
                _ if events.contains(TcpEvents::CLOSED) => {
                    Some(Err(guest.stack.tcp(now).0.error(connection)))
                }
                _ if events.contains(TcpEvents::ESTABLISHED) => Some(Ok(())),
                _ => None,
            }
        })
    }

    /// A connection that must succeed.
    pub fn connect(&mut self, to: &str) -> ConnectionId {
        let connection = self.begin(to);
        assert_eq!(self.established(connection), Ok(()), "{to}");
        connection
    }

    /// Puts as much as there is room for, and sends it.
    pub fn send_some(&mut self, connection: ConnectionId, bytes: &[u8]) -> usize {
        let now = self.now();
        let (tcp, output) = self.stack.tcp(now);
        let mut rest = bytes;
        let sent = tcp.send(connection, &mut |room| {
            let count = room.len().min(rest.len());
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            count
        });
        tcp.flush(now, connection, output, &mut self.notes);
        match sent {
            Ok(count) => count,
            Err(Refusal::WouldBlock) => 0,
            Err(refusal) => panic!("{refusal:?}"),
        }
    }

    pub fn send(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let mut sent = 0;
        self.until("room to send", |guest| {
            sent += guest.send_some(connection, &bytes[sent..]);
            (sent == bytes.len()).then_some(())
        });
    }

    /// Takes what is there.
    pub fn receive_some(&mut self, connection: ConnectionId) -> Result<Vec<u8>, Refusal> {
        let now = self.now();
        let (tcp, output) = self.stack.tcp(now);
        let mut bytes = Vec::new();
        let taken = tcp.receive_bytes(connection, &mut |run| {
            bytes.extend_from_slice(run);
            run.len()
        });
        tcp.flush(now, connection, output, &mut self.notes);
        match taken {
            Ok(_) => Ok(bytes),
            Err(Refusal::WouldBlock) => Ok(bytes),
            Err(refusal) => Err(refusal),
        }
    }

    /// Throws away what is there, and says how much it was.
    pub fn discard(&mut self, connection: ConnectionId) -> usize {
        let now = self.now();
        let (tcp, output) = self.stack.tcp(now);
        let taken = tcp.receive_bytes(connection, &mut |run| run.len());
        tcp.flush(now, connection, output, &mut self.notes);
        taken.unwrap_or(0)
    }

    pub fn receive(&mut self, connection: ConnectionId, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.until("bytes", |guest| {
            bytes.extend(guest.receive_some(connection).expect("an open connection"));
            (bytes.len() >= len).then_some(())
        });
        assert_eq!(bytes.len(), len);
        bytes
    }

    /// Everything up to the end, or what ended it.
    pub fn receive_all(&mut self, connection: ConnectionId) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::new();
        self.until("the end", |guest| match guest.receive_some(connection) {
            Ok(more) => {
                bytes.extend(more);
                None
            }
            Err(Refusal::Ended) => Some(Ok(())),
            Err(refusal) => Some(Err(refusal)),
        })?;
        Ok(bytes)
    }

    /// The channel has ended: as the libOS does then.
    pub fn lose_link(&mut self) {
        let now = self.now();
        self.stack.end_link(now, self.interface, &mut self.notes);
    }

    /// Takes what came before the connection broke, and says what broke it.
    pub fn receive_all_left(&mut self, connection: ConnectionId) -> Refusal {
        let end = Instant::now() + WAIT;
        while Instant::now() < end {
            if let Err(refusal) = self.receive_some(connection) {
                return refusal;
            }
        }
        panic!("no end within {WAIT:?}");
    }

    pub fn shutdown(&mut self, connection: ConnectionId) {
        let now = self.now();
        let (tcp, output) = self.stack.tcp(now);
        tcp.shutdown_send(connection);
        tcp.flush(now, connection, output, &mut self.notes);
    }

    /// Bytes that no host has acknowledged, ends of connections counting as one.
    pub fn unacknowledged(&mut self) -> usize {
        let (mut owed, now) = (0, self.now());
        self.stack.tcp(now).0.each(&mut |connection| {
            owed += match connection.state {
                State::Established
                | State::CloseWait
                | State::FinWait1
                | State::Closing
                | State::LastAck => connection.send_queue + 1,
                _ => 0,
            };
        });
        owed
    }

    pub fn abort(&mut self, connection: ConnectionId) {
        let now = self.now();
        let (tcp, output) = self.stack.tcp(now);
        tcp.abort(now, connection, output);
    }

    pub fn release(&mut self, connection: ConnectionId) {
        let now = self.now();
        let (tcp, output) = self.stack.tcp(now);
        tcp.release(now, connection, output);
    }

    /// The next connection to a listening port.
    pub fn accept(&mut self) -> (ConnectionId, Flow) {
        self.until("a connection from outside", |guest| {
            (!guest.notes.accepted.is_empty()).then(|| guest.notes.accepted.remove(0))
        })
    }

    pub fn send_udp(&mut self, from_port: u16, to: &str, payload: &[u8]) {
        let to: SocketAddr = to.parse().expect("an address");
        let own = if to.is_ipv4() {
            "10.0.2.15"
        } else {
            "fd00::15"
        };
        let datagram = OutgoingDatagram {
            from: SocketAddr::new(own.parse().expect("an address"), from_port),
            to,
            interface: None,
            hop_limit: 64,
            traffic_class: 0,
            may_fragment: true,
            payload,
        };
        let now = self.now();
        self.stack.send_udp(now, &datagram).expect("a route");
    }

    /// A message as it is, waiting for room.
    pub fn send_raw(&mut self, message: &[u8]) {
        self.until("room", |guest| {
            let sent = rustix::net::send(&guest.channel, message, SendFlags::NOSIGNAL);
            (sent != Err(Errno::AGAIN)).then_some(())
        });
    }

    pub fn receive_udp(&mut self) -> (Flow, Vec<u8>) {
        self.until("a datagram", |guest| {
            (!guest.notes.datagrams.is_empty()).then(|| guest.notes.datagrams.remove(0))
        })
    }

    pub fn ping(&mut self, to: &str, message: &[u8]) {
        let to: IpAddr = to.parse().expect("an address");
        let own = if to.is_ipv4() {
            "10.0.2.15"
        } else {
            "fd00::15"
        };
        let datagram = OutgoingDatagram {
            from: SocketAddr::new(own.parse().expect("an address"), 0),
            to: SocketAddr::new(to, 0),
            interface: None,
            hop_limit: 64,
            traffic_class: 0,
            may_fragment: true,
            payload: message,
        };
        let now = self.now();
        self.stack.send_icmp(now, &datagram).expect("a route");
    }
}
