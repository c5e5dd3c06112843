//! Interfaces, routes and transports together.

use alloc::boxed::Box;
use core::net::IpAddr;

use crate::address::{Flow, Network};
use crate::config::{InterfaceConfig, InterfaceId, Route};
use crate::device::Device;
use crate::ip::Internet;
use crate::ip::addresses::{Address, Origin};
use crate::ip::input::Input;
use crate::link::neighbour::earlier;
pub use crate::link::neighbour::listing::{Neighbour, NeighbourState};
use crate::owner::{OutgoingDatagram, Owner, SendError, Verdict};
use crate::tcp::{ConnectionId, Tcp};
use crate::time::Instant;
use crate::traffic::{Ip, Traffic, Version};

/// Counters of an interface, for `/proc/net/dev` and reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "named as /proc/net/dev and /proc/net/snmp have them"
)]
pub struct Counters {
    pub received_frames: u64,
    pub received_bytes: u64,
    pub received_errors: u64,
    pub received_dropped: u64,
    pub sent_frames: u64,
    pub sent_bytes: u64,
    pub sent_dropped: u64,
}

/// What is known of an interface.
#[derive(Debug)]
pub struct InterfaceState<'a> {
    /// As configured, with what was learnt since.
    pub config: &'a InterfaceConfig,
    /// Whether its link is up.
    pub is_up: bool,
    /// What went through it.
    pub counters: Counters,
}

/// The network: all interfaces, one routing table, all connections.
pub struct Stack {
    tcp: Tcp,
    internet: Internet,
}

impl Stack {
    /// Without interfaces. `seed` makes hash keys, sequence numbers and identifiers unpredictable.
    pub fn new(seed: [u8; 32]) -> Self {
        let mut internet = Internet::new(seed);
        let key = internet.key();
        Self {
            tcp: Tcp::new(key),
            internet,
        }
    }

    /// Adds an interface, and begins its configuration.
    pub fn add_interface(
        &mut self,
        now: Instant,
        config: InterfaceConfig,
        device: Box<dyn Device>,
    ) -> InterfaceId {
        self.internet.now = now;
        self.internet.add_interface(config, device)
    }

    /// A frame came, with its `virtio_net_hdr` if the interface's offloads say so.
    pub fn receive(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        frame: &[u8],
        owner: &mut dyn Owner,
    ) {
        self.input(now, interface, owner).frame(frame);
    }

    /// The device takes frames again.
    pub fn writable(&mut self, now: Instant, interface: InterfaceId, owner: &mut dyn Owner) {
        self.internet.now = now;
        let Some(found) = self.internet.interface_mut(interface) else {
            return;
        };
        found.flush();
        if found.is_free() {
            self.tcp.writable(now, &mut self.internet, owner);
        }
    }

    /// Whether the device had no room for a frame: [`Self::writable`] is to be called when it has.
    pub fn wants_writable(&self, interface: InterfaceId) -> bool {
        self.internet
            .interface(interface)
            .is_some_and(|interface| interface.is_up && !interface.is_free())
    }

    /// The link went down (the other end of the channel is gone) or up.
    pub fn set_link(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        is_up: bool,
        owner: &mut dyn Owner,
    ) {
        self.input(now, interface, owner).set_link(is_up);
    }

    /// The link is gone for good, with whoever was at its other end: it is down, and connections from its addresses
    /// end with [`crate::tcp::TcpError::NetworkUnreachable`].
    pub fn end_link(&mut self, now: Instant, interface: InterfaceId, owner: &mut dyn Owner) {
        self.set_link(now, interface, false, owner);
        let found = self.internet.interface(interface);
        let addresses = found.map(|found| found.config.addresses.clone());
        for own in addresses.unwrap_or_default() {
            self.tcp.address_gone(own.address, owner);
        }
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Instant, owner: &mut dyn Owner) {
        let learns = self.internet.next.is_some_and(|next| next <= now);
        for index in 0..self.internet.interfaces.len() {
            let id = InterfaceId(u16::try_from(index).unwrap_or(u16::MAX));
            let mut input = self.input(now, id, owner);
            input.poll();
            if learns {
                input.poll_learning();
            }
        }
        if learns {
            self.internet.rearm();
        }
        self.tcp.poll(now, &mut self.internet, owner);
    }

    /// When [`Self::poll`] wants to be called next.
    pub fn poll_at(&self) -> Option<Instant> {
        earlier(self.tcp.poll_at(), self.internet.poll_at())
    }

    /// Sends a UDP datagram.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_udp(
        &mut self,
        now: Instant,
        datagram: &OutgoingDatagram<'_>,
    ) -> Result<(), SendError> {
        self.internet.now = now;
        self.internet.send_udp(datagram)
    }

    /// Sends an ICMP (or ICMPv6, by the family of `to`) message: `payload` is the whole message, its checksum is
    /// filled in; ports are ignored.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_icmp(
        &mut self,
        now: Instant,
        message: &OutgoingDatagram<'_>,
    ) -> Result<(), SendError> {
        self.internet.now = now;
        self.internet.send_icmp(message)
    }

    /// Connections, and the way out for them.
    pub fn tcp(&mut self, now: Instant) -> (&mut Tcp, &mut Internet) {
        self.internet.now = now;
        (&mut self.tcp, &mut self.internet)
    }

    /// Connections, to look at.
    pub fn connections(&self) -> &Tcp {
        &self.tcp
    }

    /// Decides on a request for a connection that was deferred.
    pub fn decide(
        &mut self,
        now: Instant,
        flow: Flow,
        verdict: Verdict,
        owner: &mut dyn Owner,
    ) -> Option<ConnectionId> {
        self.internet.now = now;
        self.tcp
            .decide(now, flow, verdict, &mut self.internet, owner)
    }

    /// By which interface, and from which address, packets to `destination` go.
    pub fn source_for(&self, destination: IpAddr) -> Option<(InterfaceId, IpAddr)> {
        let hop = self.internet.hop(destination, None)?;
        let source = self.internet.source(&hop, destination)?;
        let interface = self.internet.interfaces.get(hop.interface)?;
        Some((interface.id, source))
    }

    /// Whether `address` is one of ours.
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.internet.is_own(address)
    }

    /// Whether `address` is the broadcast address of a network of ours, or of all.
    pub fn is_broadcast(&self, address: IpAddr) -> bool {
        self.internet.is_broadcast(address)
    }

    /// Joins a multicast group on an interface (IGMP and MLD reports are sent); counted.
    pub fn join(&mut self, now: Instant, interface: InterfaceId, group: IpAddr) {
        self.internet.now = now;
        if let Some(interface) = self.internet.interface_mut(interface) {
            interface.groups.join(now, group);
        }
        self.internet.rearm();
    }

    /// Leaves it once.
    pub fn leave(&mut self, now: Instant, interface: InterfaceId, group: IpAddr) {
        self.internet.now = now;
        if let Some(interface) = self.internet.interface_mut(interface) {
            let reporter = interface.reporter();
            if let Some(report) = interface.groups.leave(now, group, reporter) {
                interface.send_report(&report);
            }
        }
        self.internet.rearm();
    }

    /// Interfaces, in the order of their adding.
    pub fn interfaces(&self) -> impl Iterator<Item = (InterfaceId, InterfaceState<'_>)> {
        self.internet.interfaces.iter().map(|interface| {
            let state = InterfaceState {
                config: &interface.config,
                is_up: interface.is_up,
                counters: interface.counters,
            };
            (interface.id, state)
        })
    }

    /// What went through all interfaces in one version of IP.
    pub fn traffic(&self, is_v6: bool) -> Version {
        let of = |traffic: &Traffic| -> Version {
            let version = if is_v6 { &traffic.v6 } else { &traffic.v4 };
            version.clone()
        };
        let mut sum = of(&self.internet.traffic);
        for interface in &self.internet.interfaces {
            sum.add(&of(&interface.traffic));
        }
        let (reassembly, at) = (&self.internet.reassembly, usize::from(is_v6));
        sum.ip[Ip::ReasmTimeout as usize] += reassembly.timeouts[at];
        sum.ip[Ip::ReasmFails as usize] += reassembly.timeouts[at] + reassembly.evicted[at];
        sum
    }

    /// TCP segments that were sent, but for those that were sent again.
    pub fn segments_sent(&self) -> u64 {
        let again = self.tcp.counters().retransmitted;
        self.internet.segments.saturating_sub(again)
    }

    /// How many packets of IPv4 and of IPv6 wait for fragments, and the bytes of both together.
    pub fn incomplete(&self) -> ([usize; 2], usize) {
        self.internet.reassembly.load()
    }

    /// Shows the neighbours of all interfaces, in no order.
    pub fn neighbours(&self, now: Instant, mut show: impl FnMut(InterfaceId, Neighbour)) {
        for interface in &self.internet.interfaces {
            let neighbours = &interface.neighbours;
            neighbours.list(now, |neighbour| show(interface.id, neighbour));
        }
    }

    /// All routes, those that addresses imply included.
    pub fn routes(&self) -> impl Iterator<Item = (InterfaceId, Route)> {
        self.internet
            .routes
            .iter()
            .map(|entry| (entry.interface, entry.route))
    }

    /// Adds an address to an interface (ioctl SIOCSIFADDR, netlink).
    pub fn add_address(&mut self, now: Instant, interface: InterfaceId, address: Network) {
        self.internet.now = now;
        let address = Address::permanent(address, Origin::Configured);
        self.internet.add_address(interface, address);
    }

    fn input<'a>(
        &'a mut self,
        now: Instant,
        id: InterfaceId,
        owner: &'a mut dyn Owner,
    ) -> Input<'a> {
        self.internet.now = now;
        Input {
            internet: &mut self.internet,
            tcp: &mut self.tcp,
            owner,
            id,
        }
    }
}
