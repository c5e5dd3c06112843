//! Stacks joined by wires in memory, and an owner that notes what it is told.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use libos_net::address::{Flow, Network};
use libos_net::config::{InterfaceConfig, InterfaceId, Mac, Offloads, Route};
use libos_net::device::{Device, Transmitted};
use libos_net::owner::{
    Datagram, DatagramError, Delivery, Echo, Learnt, OutgoingDatagram, Owner, TcpEvents, Token,
    Verdict,
};
use libos_net::stack::Stack;
use libos_net::tcp::{ConnectionId, TcpOptions};
use libos_net::time::{Duration, Instant};

/// One direction of a wire.
#[derive(Default)]
pub struct Wire {
    pub frames: VecDeque<Vec<u8>>,
    /// Frames that it takes now; none for any number.
    pub room: Option<usize>,
}

/// The end of a wire that takes frames.
#[derive(Clone, Default)]
pub struct Port(pub Arc<Mutex<Wire>>);

impl Port {
    pub fn take(&self) -> Vec<Vec<u8>> {
        self.0.lock().expect("a wire").frames.drain(..).collect()
    }

    pub fn pop(&self) -> Option<Vec<u8>> {
        self.0.lock().expect("a wire").frames.pop_front()
    }

    pub fn set_room(&self, room: Option<usize>) {
        self.0.lock().expect("a wire").room = room;
    }
}

impl Device for Port {
    fn transmit(&mut self, frame: &[u8]) -> Transmitted {
        let mut wire = self.0.lock().expect("a wire");
        match &mut wire.room {
            Some(0) => return Transmitted::Full,
            Some(room) => *room -= 1,
            None => {}
        }
        wire.frames.push_back(frame.to_vec());
        Transmitted::Done
    }
}

/// A datagram that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    pub flow: Flow,
    pub is_to_many: bool,
    pub hop_limit: u8,
    pub payload: Vec<u8>,
}

/// An echo that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameEcho {
    pub from: IpAddr,
    pub to: IpAddr,
    pub is_request: bool,
    pub identifier: u16,
    pub message: Vec<u8>,
}

/// An owner that notes everything.
#[derive(Default)]
pub struct Notes {
    /// UDP ports that are open.
    pub ports: Vec<u16>,
    /// Whether echoes are taken.
    pub takes_echoes: bool,
    /// Whether connections are accepted.
    pub accepts: bool,
    pub datagrams: Vec<Came>,
    pub echoes: Vec<CameEcho>,
    pub errors: Vec<DatagramError>,
    pub learnt: Vec<Learnt>,
    pub events: Vec<(ConnectionId, TcpEvents)>,
}

impl Owner for Notes {
    fn connection_requested(&mut self, _: InterfaceId, _: Flow) -> Verdict {
        if self.accepts {
            Verdict::Accept(Token(1), TcpOptions::default())
        } else {
            Verdict::Refuse
        }
    }

    fn tcp(&mut self, connection: ConnectionId, _: Token, events: TcpEvents) {
        self.events.push((connection, events));
    }

    fn udp(&mut self, datagram: &Datagram<'_>) -> Delivery {
        if !self.ports.contains(&datagram.flow.local.port()) {
            return Delivery::NoPort;
        }
        self.datagrams.push(Came {
            flow: datagram.flow,
            is_to_many: datagram.is_to_many,
            hop_limit: datagram.hop_limit,
            payload: datagram.payload.to_vec(),
        });
        Delivery::Taken
    }

    fn echo(&mut self, echo: &Echo<'_>) -> Delivery {
        if !self.takes_echoes {
            return Delivery::NoPort;
        }
        self.echoes.push(CameEcho {
            from: echo.from,
            to: echo.to,
            is_request: echo.is_request,
            identifier: echo.identifier,
            message: echo.message.to_vec(),
        });
        Delivery::Taken
    }

    fn datagram_error(&mut self, error: &DatagramError) {
        self.errors.push(*error);
    }

    fn configured(&mut self, _: InterfaceId, learnt: &Learnt) {
        self.learnt.push(learnt.clone());
    }
}

/// A stack with one interface.
pub struct Host {
    pub stack: Stack,
    pub notes: Notes,
    pub eth0: InterfaceId,
    pub out: Port,
    pub now: Instant,
}

pub const ETH0: &str = "eth0";

/// A configuration with addresses, without offloads.
pub fn config(mac: u8, addresses: &[&str]) -> InterfaceConfig {
    InterfaceConfig {
        name: ETH0.into(),
        mac: Mac([2, 0, 0, 0, 0, mac]),
        mtu: 1500,
        addresses: addresses.iter().map(|text| network(text)).collect(),
        routes: Vec::new(),
        dhcp: false,
        slaac: false,
        any_address: false,
        offloads: Offloads::default(),
    }
}

pub const ALL_OFFLOADS: Offloads = Offloads {
    vnet_header: true,
    checksum: true,
    segmentation: true,
};

impl Host {
    /// One that has told its neighbours of itself.
    pub fn new(config: InterfaceConfig) -> Self {
        let mut host = Self::fresh(config);
        host.pass(Duration::from_secs(5));
        host.sent();
        host
    }

    /// One that has done nothing yet but what it does at once.
    pub fn fresh(config: InterfaceConfig) -> Self {
        let out = Port::default();
        let seed = [config.mac.0[5]; 32];
        let mut stack = Stack::new(seed);
        let now = Instant::from_secs(1);
        let eth0 = stack.add_interface(now, config, Box::new(out.clone()));
        Self {
            stack,
            notes: Notes::default(),
            eth0,
            out,
            now,
        }
    }

    /// A second interface.
    pub fn add(&mut self, config: InterfaceConfig) -> (InterfaceId, Port) {
        let out = Port::default();
        let id = self
            .stack
            .add_interface(self.now, config, Box::new(out.clone()));
        (id, out)
    }

    pub fn receive(&mut self, frame: &[u8]) {
        self.stack
            .receive(self.now, self.eth0, frame, &mut self.notes);
    }

    pub fn poll(&mut self) {
        self.stack.poll(self.now, &mut self.notes);
    }

    /// Sends a datagram by UDP with default options.
    pub fn send(&mut self, from: &str, to: &str, payload: &[u8]) {
        let datagram = outgoing(from, to, payload);
        self.stack
            .send_udp(self.now, &datagram)
            .expect("it can be sent");
    }

    /// Frames that were put out.
    pub fn sent(&self) -> Vec<Vec<u8>> {
        self.out.take()
    }

    /// Lets time pass, with a poll at each due moment.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.stack.poll_at().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.poll();
        }
        self.now = end;
        self.poll();
    }
}

/// A datagram with default options.
pub fn outgoing<'a>(from: &str, to: &str, payload: &'a [u8]) -> OutgoingDatagram<'a> {
    OutgoingDatagram {
        from: socket(from),
        to: socket(to),
        interface: None,
        hop_limit: 64,
        traffic_class: 0,
        may_fragment: true,
        payload,
    }
}

pub fn socket(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub fn network(text: &str) -> Network {
    let (address, prefix) = text.split_once('/').expect("a prefix");
    Network {
        address: ip(address),
        prefix: prefix.parse().expect("a length"),
    }
}

pub fn route(to: &str, gateway: &str) -> Route {
    Route {
        destination: network(to),
        gateway: Some(ip(gateway)),
        metric: 0,
    }
}

/// Carries frames between two hosts until none is left; returns how many.
pub fn exchange(one: &mut Host, other: &mut Host) -> usize {
    let mut count = 0;
    loop {
        let (there, back) = (one.out.pop(), other.out.pop());
        if there.is_none() && back.is_none() {
            return count;
        }
        for (frame, host) in [(there, &mut *other), (back, &mut *one)] {
            if let Some(frame) = frame {
                host.receive(&frame);
                count += 1;
            }
        }
        assert!(count < 100_000, "the exchange does not end");
    }
}

/// Lets time pass for two hosts that are joined.
pub fn pass(one: &mut Host, other: &mut Host, time: Duration) {
    let end = one.now.max(other.now) + time;
    loop {
        exchange(one, other);
        let due = [one.stack.poll_at(), other.stack.poll_at()];
        let Some(at) = due.into_iter().flatten().min().filter(|&at| at <= end) else {
            break;
        };
        for host in [&mut *one, &mut *other] {
            host.now = host.now.max(at);
            host.poll();
        }
    }
    for host in [one, other] {
        host.now = end;
    }
}
