//! What becomes of a frame that came.

use core::net::IpAddr;

use super::Internet;
use super::header::{Header, IPV6_HEADER_LEN, protocol};
use super::icmp::error::Problem;
use super::interface::Interface;
use super::ipv4::Ipv4Packet;
use super::ipv6::{Behind, Fragment, Ipv6Packet};
use super::reassembly::{Key, Outcome, Piece};
use crate::checksum;
use crate::config::InterfaceId;
use crate::link::ethernet::{EtherType, Frame, Refused};
use crate::owner::Owner;
use crate::tcp::Tcp;
use crate::traffic::{Ip, Version};
use crate::vnet::{Sum, VnetHeader};

/// Any address of a version, for packets whose own cannot be read.
const UNSPECIFIED_V4: IpAddr = IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED);
const UNSPECIFIED_V6: IpAddr = IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED);

/// Whom a packet was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cast {
    /// Us alone.
    Unicast,
    /// All of a network.
    Broadcast,
    /// A group that we are in.
    Multicast,
}

/// A whole packet for us, with a good IP header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    pub(crate) cast: Cast,
    /// Whether its frame came to us alone.
    pub(crate) was_unicast: bool,
    /// What the device says of it.
    pub(crate) vnet: VnetHeader,
    /// With its headers.
    pub(crate) whole: &'a [u8],
    /// What is behind the IP headers.
    pub(crate) payload: &'a [u8],
}

impl Packet<'_> {
    /// Whether one may answer its sender: a broadcast would make all of us answer, a group or nobody
    /// as a sender would make one answer many (RFC 1122, section 3.2.2).
    pub(crate) fn may_be_answered(&self) -> bool {
        self.cast == Cast::Unicast && self.was_unicast && !self.source.is_unspecified()
    }

    /// Whether the device vouches for the transport's checksum.
    pub(crate) fn is_sum_good(&self) -> bool {
        self.vnet.sum != Sum::Whole
    }
}

/// The frame's link layer, for the layers above.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) was_unicast: bool,
    pub(crate) vnet: VnetHeader,
    /// Whether the packet was put together here.
    pub(crate) is_whole: bool,
}

impl Link {
    /// Of a packet whose pieces came by it.
    fn of_whole(self) -> Self {
        Self {
            vnet: VnetHeader::default(),
            is_whole: true,
            ..self
        }
    }
}

/// All that a frame may concern.
pub(crate) struct Input<'a> {
    pub(crate) internet: &'a mut Internet,
    pub(crate) tcp: &'a mut Tcp,
    pub(crate) owner: &'a mut dyn Owner,
    /// By which interface it came.
    pub(crate) id: InterfaceId,
}

impl Input<'_> {
    /// A frame came.
    pub(crate) fn frame(&mut self, bytes: &[u8]) {
        let Some(interface) = self.interface() else {
            return;
        };
        if !interface.is_up {
            return;
        }
        interface.counters.received_frames += 1;
        interface.counters.received_bytes += u64::try_from(bytes.len()).unwrap_or(0);
        let (mac, has_header) = (interface.config.mac, interface.config.offloads.vnet_header);
        let parsed = if has_header {
            VnetHeader::parse(bytes)
        } else {
            Some((VnetHeader::default(), bytes))
        };
        let Some((vnet, bytes)) = parsed else {
            return self.malformed();
        };
        let frame = match Frame::parse(bytes, mac) {
            Ok(frame) => frame,
            Err(Refused::Malformed) => return self.malformed(),
            Err(Refused::NotOurs) => return self.not_ours(),
        };
        let link = Link {
            was_unicast: frame.is_unicast,
            vnet,
            is_whole: false,
        };
        match frame.kind {
            EtherType::Arp => self.arp(&frame),
            EtherType::Ipv4 => self.ipv4(frame.payload, link),
            EtherType::Ipv6 => self.ipv6(frame.payload, link),
        }
    }

    /// The interface by which the frame came.
    pub(crate) fn interface(&mut self) -> Option<&mut Interface> {
        self.internet.interface_mut(self.id)
    }

    /// It breaks a rule: counted and dropped.
    pub(crate) fn malformed(&mut self) {
        if let Some(interface) = self.interface() {
            interface.counters.received_errors += 1;
        }
    }

    /// It is not for us, or nothing can be done with it: counted and dropped.
    pub(crate) fn not_ours(&mut self) {
        if let Some(interface) = self.interface() {
            interface.counters.received_dropped += 1;
        }
    }

    fn ipv4(&mut self, bytes: &[u8], link: Link) {
        let Some(packet) = Ipv4Packet::parse(bytes) else {
            self.count(UNSPECIFIED_V4, Ip::InHdrErrors);
            return self.malformed();
        };
        self.arrived(
            packet.source.into(),
            packet.whole.len(),
            packet.traffic_class,
            link,
        );
        let (source, destination) = (packet.source.into(), packet.destination.into());
        let mut whole = Packet {
            source,
            destination,
            hop_limit: packet.hop_limit,
            traffic_class: packet.traffic_class,
            cast: Cast::Broadcast,
            was_unicast: link.was_unicast,
            vnet: link.vnet,
            whole: packet.whole,
            payload: packet.payload(),
        };
        // A server may send to the address that it only offers.
        let may_be_lease = packet.protocol == protocol::UDP && !packet.is_fragment();
        if may_be_lease && self.dhcp(&whole) {
            return;
        }
        let Some(cast) = self.cast(destination) else {
            return self.no_address(destination);
        };
        whole.cast = cast;
        self.count_cast(&whole, link);
        if !self.may_come_from(source, packet.protocol, cast) {
            return self.malformed();
        }
        if packet.is_fragment() {
            let key = Key {
                source,
                destination,
                identification: packet.identification.into(),
                protocol: packet.protocol,
                interface: self.id,
            };
            let (header, data) = packet.whole.split_at(packet.header_len);
            let piece = Piece {
                header,
                offset: packet.offset,
                more: packet.more,
                data,
            };
            if let Some(whole) = self.reassemble(key, piece) {
                self.ipv4(&whole, link.of_whole());
            }
            return;
        }
        match packet.protocol {
            protocol::TCP => self.segment(&whole, whole.whole),
            protocol::UDP => self.udp(&whole),
            protocol::ICMP => self.icmp_v4(&whole),
            protocol::IGMP => self.igmp(&whole),
            _ => return self.unknown_protocol(&whole),
        }
        self.count(source, Ip::InDelivers);
    }

    fn ipv6(&mut self, bytes: &[u8], link: Link) {
        let Some(packet) = Ipv6Packet::parse(bytes) else {
            self.count(UNSPECIFIED_V6, Ip::InHdrErrors);
            return self.malformed();
        };
        let (source, destination) = (packet.source.into(), packet.destination.into());
        self.arrived(source, packet.whole.len(), packet.traffic_class, link);
        let Some(cast) = self.cast(destination) else {
            return self.no_address(destination);
        };
        let Some(behind) = packet.behind() else {
            self.count(source, Ip::InHdrErrors);
            return self.malformed();
        };
        let (protocol, at) = match behind {
            Behind::Transport { protocol, at } => (protocol, at),
            // A fragment of fragments is nobody's.
            Behind::Fragment(_) if link.is_whole => return self.malformed(),
            Behind::Fragment(fragment) => return self.ipv6_fragment(&packet, &fragment, link),
        };
        if !self.may_come_from(source, protocol, cast) {
            return self.malformed();
        }
        let whole = Packet {
            source,
            destination,
            hop_limit: packet.hop_limit,
            traffic_class: packet.traffic_class,
            cast,
            was_unicast: link.was_unicast,
            vnet: link.vnet,
            whole: packet.whole,
            payload: packet.whole.get(at..).unwrap_or(&[]),
        };
        self.count_cast(&whole, link);
        match protocol {
            protocol::TCP if at == IPV6_HEADER_LEN => {
                self.segment(&whole, whole.whole);
            }
            protocol::TCP => self.segment(&whole, &plain(&whole)),
            protocol::UDP => self.udp(&whole),
            protocol::ICMPV6 => self.icmp_v6(&whole),
            protocol::NO_NEXT => {}
            _ => return self.unknown_protocol(&whole),
        }
        self.count(source, Ip::InDelivers);
    }

    /// What went through the interface in one version of IP, to be counted; `address` is one of that version.
    pub(crate) fn traffic(&mut self, address: IpAddr) -> Option<&mut Version> {
        let interface = self.interface()?;
        Some(interface.traffic.of(address))
    }

    pub(crate) fn count(&mut self, address: IpAddr, what: Ip) {
        if let Some(version) = self.traffic(address) {
            version.count(what);
        }
    }

    /// A packet came; one that was put together here has been counted by its fragments.
    fn arrived(&mut self, source: IpAddr, len: usize, traffic_class: u8, link: Link) {
        if let Some(version) = self.traffic(source).filter(|_| !link.is_whole) {
            version.count(Ip::InReceives);
            version.count_bytes(Ip::InOctets, len);
            version.count_mark(traffic_class);
        }
    }

    fn count_cast(&mut self, packet: &Packet<'_>, link: Link) {
        let what = match packet.cast {
            Cast::Broadcast => Ip::InBcastPkts,
            Cast::Multicast => Ip::InMcastPkts,
            Cast::Unicast => return,
        };
        let len = packet.whole.len();
        if let Some(version) = self.traffic(packet.source).filter(|_| !link.is_whole) {
            version.count_packet(what, len);
        }
    }

    /// It is not for us; that a group is not is no fault.
    fn no_address(&mut self, destination: IpAddr) {
        if !destination.is_multicast() {
            self.count(destination, Ip::InAddrErrors);
        }
        self.not_ours();
    }

    fn unknown_protocol(&mut self, packet: &Packet<'_>) {
        self.count(packet.source, Ip::InUnknownProtos);
        self.internet.complain(self.id, packet, Problem::Protocol);
    }

    fn igmp(&mut self, packet: &Packet<'_>) {
        if !checksum::is_good_alone(packet.payload) {
            return self.malformed();
        }
        let internet = &mut *self.internet;
        if let Some(interface) = internet.interfaces.get_mut(usize::from(self.id.0)) {
            let random = &mut internet.random;
            interface
                .groups
                .hear_igmp(internet.now, packet.payload, random);
        }
        self.internet.rearm();
    }

    fn ipv6_fragment(&mut self, packet: &Ipv6Packet<'_>, fragment: &Fragment, link: Link) {
        let mut header = packet
            .whole
            .get(..fragment.header_at)
            .unwrap_or(&[])
            .to_vec();
        if let Some(next_header) = header.get_mut(fragment.next_header_at) {
            *next_header = fragment.next_header;
        }
        let piece = Piece {
            header: &header,
            offset: fragment.offset,
            more: fragment.more,
            data: packet.whole.get(fragment.at..).unwrap_or(&[]),
        };
        let whole = if fragment.offset == 0 && !fragment.more {
            // It stands alone, whatever others say (RFC 6946).
            alone(piece)
        } else {
            let key = Key {
                source: packet.source.into(),
                destination: packet.destination.into(),
                identification: fragment.identification,
                protocol: 0,
                interface: self.id,
            };
            self.reassemble(key, piece)
        };
        if let Some(whole) = whole {
            self.ipv6(&whole, link.of_whole());
        }
    }

    fn reassemble(&mut self, key: Key, piece: Piece<'_>) -> Option<alloc::vec::Vec<u8>> {
        let now = self.internet.now;
        self.count(key.source, Ip::ReasmReqds);
        match self.internet.reassembly.add(now, key, piece) {
            Outcome::Whole(packet) => {
                self.count(key.source, Ip::ReasmOks);
                Some(packet)
            }
            Outcome::Waiting => None,
            Outcome::Contradiction => {
                self.count(key.source, Ip::ReasmFails);
                self.malformed();
                None
            }
        }
    }

    /// A TCP segment came: `bytes` is its packet without extension headers.
    fn segment(&mut self, packet: &Packet<'_>, bytes: &[u8]) {
        // RFC 9293, section 3.9.2.3: connections are between two.
        if !packet.may_be_answered() {
            return self.not_ours();
        }
        let (now, is_good) = (self.internet.now, packet.is_sum_good());
        self.tcp
            .receive(now, self.id, bytes, is_good, self.internet, self.owner);
    }

    /// For whom a packet to `destination` is, if for us at all.
    fn cast(&mut self, destination: IpAddr) -> Option<Cast> {
        if self.internet.is_own(destination) {
            return Some(Cast::Unicast);
        }
        let interface = self.internet.interface(self.id)?;
        let is_everybody = interface.config.any_address;
        if self.internet.is_broadcast(destination) {
            return Some(Cast::Broadcast);
        }
        if destination.is_multicast() {
            return (is_everybody || interface.is_member(destination)).then_some(Cast::Multicast);
        }
        let is_nobody = destination.is_unspecified() || destination.is_loopback();
        (is_everybody && !is_nobody).then_some(Cast::Unicast)
    }

    /// Whether a packet may have this source: not a group, not ourselves, and nobody only where
    /// somebody without an address asks for one.
    fn may_come_from(&self, source: IpAddr, protocol: u8, cast: Cast) -> bool {
        if source.is_unspecified() {
            return match source {
                IpAddr::V4(_) => {
                    matches!(protocol, protocol::UDP | protocol::IGMP) && cast != Cast::Unicast
                }
                IpAddr::V6(_) => protocol == protocol::ICMPV6,
            };
        }
        !(source.is_multicast()
            || source.is_loopback()
            || self.internet.is_broadcast(source)
            || self.internet.is_own(source))
    }
}

/// The packet of an IPv6 fragment that is all of it.
fn alone(piece: Piece<'_>) -> Option<alloc::vec::Vec<u8>> {
    let mut packet = piece.header.to_vec();
    packet.extend_from_slice(piece.data);
    let payload = u16::try_from(packet.len().checked_sub(IPV6_HEADER_LEN)?).ok()?;
    packet
        .get_mut(4..6)?
        .copy_from_slice(&payload.to_be_bytes());
    Some(packet)
}

/// A packet's bytes without its extension headers.
fn plain(packet: &Packet<'_>) -> alloc::vec::Vec<u8> {
    let header = Header {
        source: packet.source,
        destination: packet.destination,
        protocol: protocol::TCP,
        hop_limit: packet.hop_limit,
        traffic_class: packet.traffic_class,
        dont_fragment: true,
        identification: 0,
    };
    let mut bytes = alloc::vec![0; header.len()];
    bytes.extend_from_slice(packet.payload);
    header.emit(&mut bytes);
    bytes
}
