//! Who decides on connections and takes datagrams: the libOS's sockets, or the user-mode network.

use core::net::{IpAddr, SocketAddr};

use alloc::vec::Vec;

use crate::address::Flow;
use crate::config::InterfaceId;
use crate::tcp::{ConnectionId, TcpOptions};

/// What the owner calls one of its objects; the stack only hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// What to do with a request for a connection.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// Answer it. The connection exists from now on, half-open, under this token; the owner is told of
    /// its end or of its establishment by events.
    Accept(Token, TcpOptions),
    /// Nobody listens: answer with a reset.
    Refuse,
    /// Say nothing: the other side will ask again (a full backlog, as Linux has it).
    Drop,
    /// Decide later, by [`crate::stack::Stack::decide`]; meanwhile the other side's repetitions are
    /// dropped.
    Defer,
}

bitflags::bitflags! {
    /// What changed on a connection. Events may be told although nothing changed: look again.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct TcpEvents: u8 {
        /// The handshake is over.
        const ESTABLISHED = 1;
        /// There may be more to receive, or the other side has ended its half.
        const READABLE = 2;
        /// There may be more room to send, or the end of our half has been acknowledged.
        const WRITABLE = 4;
        /// It is gone: [`crate::tcp::Tcp::error`] tells why; nothing else will come.
        const CLOSED = 8;
    }
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Somebody has it, or would have if there had been room.
    Taken,
    /// Nobody wants it: for UDP the sender is told by ICMP.
    NoPort,
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// By which interface it came.
    pub interface: InterfaceId,
    /// From and to whom, seen from this side: `local` is its destination, which may be a broadcast or
    /// multicast address.
    pub flow: Flow,
    /// Whether its destination is a group, or the broadcast address of a network or of all: every socket of the port gets it.
    pub is_to_many: bool,
    /// Hop limit (`IP_TTL`).
    pub hop_limit: u8,
    /// Traffic class (`IP_TOS`).
    pub traffic_class: u8,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// An ICMP or ICMPv6 message that is not the stack's own affair: echo replies, and (for an interface
/// with `any_address`) echo requests.
#[derive(Clone, Copy, Debug)]
pub struct Echo<'a> {
    /// By which interface it came.
    pub interface: InterfaceId,
    /// Who sent it.
    pub from: IpAddr,
    /// To whom.
    pub to: IpAddr,
    /// Hop limit.
    pub hop_limit: u8,
    /// Whether it is a request.
    pub is_request: bool,
    /// Identifier: takes the place of a port.
    pub identifier: u16,
    /// The whole ICMP message with its header.
    pub message: &'a [u8],
}

/// What an ICMP error says, as a socket hears it (see icmp(7), ip(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// ENETUNREACH.
    Network,
    /// EHOSTUNREACH.
    Host,
    /// ECONNREFUSED for UDP.
    Port,
    /// ENOPROTOOPT.
    Protocol,
    /// EMSGSIZE; the MTU of the next hop in bytes.
    TooBig(u16),
    /// EACCES: administratively prohibited.
    Prohibited,
    /// EHOSTUNREACH: the hop limit was reached.
    HopLimit,
}

/// An ICMP error about a datagram of ours.
#[derive(Clone, Copy, Debug)]
pub struct DatagramError {
    /// The protocol of the datagram: 17 for UDP, 1 and 58 for an echo (ports are its identifier).
    pub protocol: u8,
    /// From and to whom the datagram went.
    pub flow: Flow,
    /// Who complains.
    pub by: IpAddr,
    /// What.
    pub what: Unreachable,
}

/// What an interface learnt by DHCP or from router advertisements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// Domains to search.
    pub search: Vec<alloc::string::String>,
}

/// Called while the stack works, with the stack borrowed: it must not call back, only note.
pub trait Owner {
    /// Somebody asks for a connection that does not exist.
    fn connection_requested(&mut self, interface: InterfaceId, flow: Flow) -> Verdict;

    /// Something changed on a connection of the owner's.
    fn tcp(&mut self, connection: ConnectionId, token: Token, events: TcpEvents);

    /// A UDP datagram came.
    fn udp(&mut self, datagram: &Datagram<'_>) -> Delivery;

    /// An echo came.
    fn echo(&mut self, echo: &Echo<'_>) -> Delivery;

    /// An ICMP error came about a datagram of ours. Those about connections are the stack's.
    fn datagram_error(&mut self, error: &DatagramError);

    /// An interface's addresses, routes or name servers changed.
    fn configured(&mut self, interface: InterfaceId, learnt: &Learnt);
}

/// A datagram to be sent.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingDatagram<'a> {
    /// Source; an unspecified address is chosen by route.
    pub from: SocketAddr,
    /// Destination.
    pub to: SocketAddr,
    /// Force this interface (`SO_BINDTODEVICE`, `IP_PKTINFO`, multicast).
    pub interface: Option<InterfaceId>,
    /// Hop limit.
    pub hop_limit: u8,
    /// Traffic class.
    pub traffic_class: u8,
    /// Whether it may be cut into fragments; if not, one that is too long is EMSGSIZE.
    pub may_fragment: bool,
    /// Its bytes, without headers.
    pub payload: &'a [u8],
}

/// Why a datagram was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// No route (ENETUNREACH).
    NoRoute,
    /// Longer than fits (EMSGSIZE).
    TooLong,
    /// The device has no room (EAGAIN; ENOBUFS).
    NoRoom,
    /// The source is not an address of ours (EADDRNOTAVAIL; EINVAL).
    NotOurs,
}
