//! Interfaces, routes and transports together.

use alloc::boxed::Box;
use core::net::IpAddr;

use crate::address::{Flow, Network};
use crate::config::{InterfaceConfig, InterfaceId, Route};
use crate::device::Device;
use crate::ip::Internet;
use crate::owner::{OutgoingDatagram, Owner, SendError, Verdict};
use crate::tcp::{ConnectionId, Tcp};
use crate::time::Instant;

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
#[derive(Default)]
pub struct Stack {
    tcp: Tcp,
    internet: Internet,
}

impl Stack {
    /// Without interfaces. `seed` makes hash keys, sequence numbers and identifiers unpredictable.
    pub fn new(_seed: [u8; 32]) -> Self {
        Self::default()
    }

    /// Adds an interface, and begins its configuration.
    pub fn add_interface(
        &mut self,
        _now: Instant,
        _config: InterfaceConfig,
        _device: Box<dyn Device>,
    ) -> InterfaceId {
        InterfaceId(0)
    }

    /// A frame came, with its `virtio_net_hdr` if the interface's offloads say so.
    pub fn receive(
        &mut self,
        _now: Instant,
        _interface: InterfaceId,
        _frame: &[u8],
        _owner: &mut dyn Owner,
    ) {
    }

    /// The device takes frames again.
    pub fn writable(&mut self, _now: Instant, _interface: InterfaceId, _owner: &mut dyn Owner) {}

    /// Whether the device had no room for a frame: [`Self::writable`] is to be called when it has.
    pub fn wants_writable(&self, _interface: InterfaceId) -> bool {
        false
    }

    /// The link went down (the other end of the channel is gone) or up.
    pub fn set_link(
        &mut self,
        _now: Instant,
        _interface: InterfaceId,
        _is_up: bool,
        _owner: &mut dyn Owner,
    ) {
    }

    /// Does what is due.
    pub fn poll(&mut self, _now: Instant, _owner: &mut dyn Owner) {}

    /// When [`Self::poll`] wants to be called next.
    pub fn poll_at(&self) -> Option<Instant> {
        None
    }

    /// Sends a UDP datagram.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_udp(
        &mut self,
        _now: Instant,
        _datagram: &OutgoingDatagram<'_>,
    ) -> Result<(), SendError> {
        Err(SendError::NoRoute)
    }

    /// Sends an ICMP (or ICMPv6, by the family of `to`) message: `payload` is the whole message, its checksum is
    /// filled in; ports are ignored.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_icmp(
        &mut self,
        _now: Instant,
        _message: &OutgoingDatagram<'_>,
    ) -> Result<(), SendError> {
        Err(SendError::NoRoute)
    }

    /// Connections, and the way out for them.
    pub fn tcp(&mut self, _now: Instant) -> (&mut Tcp, &mut Internet) {
        (&mut self.tcp, &mut self.internet)
    }

    /// Decides on a request for a connection that was deferred.
    pub fn decide(
        &mut self,
        now: Instant,
        flow: Flow,
        verdict: Verdict,
        owner: &mut dyn Owner,
    ) -> Option<ConnectionId> {
        self.tcp
            .decide(now, flow, verdict, &mut self.internet, owner)
    }

    /// By which interface, and from which address, packets to `destination` go.
    pub fn source_for(&self, _destination: IpAddr) -> Option<(InterfaceId, IpAddr)> {
        None
    }

    /// Whether `address` is one of ours.
    pub fn is_own(&self, _address: IpAddr) -> bool {
        false
    }

    /// Whether `address` is the broadcast address of a network of ours, or of all.
    pub fn is_broadcast(&self, _address: IpAddr) -> bool {
        false
    }

    /// Joins a multicast group on an interface (IGMPv2/MLDv1 reports are sent); counted.
    pub fn join(&mut self, _now: Instant, _interface: InterfaceId, _group: IpAddr) {}

    /// Leaves it once.
    pub fn leave(&mut self, _now: Instant, _interface: InterfaceId, _group: IpAddr) {}

    /// Interfaces, in the order of their adding.
    pub fn interfaces(&self) -> impl Iterator<Item = (InterfaceId, InterfaceState<'_>)> {
        core::iter::empty()
    }

    /// All routes, those that addresses imply included.
    pub fn routes(&self) -> impl Iterator<Item = (InterfaceId, Route)> {
        core::iter::empty()
    }

    /// Adds an address to an interface (ioctl SIOCSIFADDR, netlink).
    pub fn add_address(&mut self, _now: Instant, _interface: InterfaceId, _address: Network) {}
}
