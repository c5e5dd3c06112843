//! UDP (RFC 768): datagrams that came, and those that go.

use core::net::{IpAddr, SocketAddr};

use crate::address::Flow;
use crate::bytes::u16_at;
use crate::checksum;
use crate::ip::Internet;
use crate::ip::header::{Header, protocol};
use crate::ip::icmp::error::Problem;
use crate::ip::input::{Input, Packet};
use crate::ip::send::{Hop, Outgoing, TransportSum};
use crate::owner::{Datagram, Delivery, OutgoingDatagram, SendError};
use crate::traffic::Ip;
use crate::vnet::Gso;

/// Length of the header in bytes.
pub(crate) const HEADER_LEN: usize = 8;

/// Where the checksum is in it.
pub(crate) const CHECKSUM_AT: usize = 6;

impl Input<'_> {
    /// A UDP packet came.
    pub(crate) fn udp(&mut self, packet: &Packet<'_>) {
        let Some((flow, payload)) = parse(packet) else {
            if let Some(version) = self.traffic(packet.source) {
                version.udp_errors += 1;
                version.udp_bad_sums += u64::from(has_good_length(packet.payload));
            }
            return self.malformed();
        };
        // One that a device did not cut is several here.
        let size = match packet.vnet.gso {
            Gso::UdpDatagrams(size) => usize::from(size).max(1),
            _ => payload.len().max(1),
        };
        let to = packet.destination;
        let is_to_many = to.is_multicast() || self.internet.is_broadcast(to);
        let mut delivery = Delivery::Taken;
        let mut rest = payload;
        loop {
            let (one, others) = rest.split_at(size.min(rest.len()));
            delivery = match self.owner.udp(&Datagram {
                interface: self.id,
                flow,
                is_to_many,
                hop_limit: packet.hop_limit,
                traffic_class: packet.traffic_class,
                payload: one,
            }) {
                Delivery::NoPort => Delivery::NoPort,
                Delivery::Taken => delivery,
            };
            rest = others;
            if rest.is_empty() {
                break;
            }
        }
        if delivery == Delivery::NoPort {
            self.internet.complain(self.id, packet, Problem::Port);
        }
    }
}

fn has_good_length(bytes: &[u8]) -> bool {
    let len = u16_at(bytes, 4).map_or(0, usize::from);
    (HEADER_LEN..=bytes.len()).contains(&len)
}

/// Addresses and payload of a good datagram.
pub(crate) fn parse<'a>(packet: &Packet<'a>) -> Option<(Flow, &'a [u8])> {
    let bytes = packet.payload;
    let len = usize::from(u16_at(bytes, 4)?);
    let segment = bytes.get(..len).filter(|_| len >= HEADER_LEN)?;
    let (source, destination) = (packet.source, packet.destination);
    let has_sum = u16_at(segment, CHECKSUM_AT)? != 0;
    // Only IPv4 has datagrams without (RFC 8200, section 8.1).
    if !has_sum && source.is_ipv6() {
        return None;
    }
    if has_sum
        && !packet.is_sum_good()
        && !checksum::is_good(source, destination, protocol::UDP, segment)
    {
        return None;
    }
    let flow = Flow {
        local: SocketAddr::new(destination, u16_at(segment, 2)?),
        remote: SocketAddr::new(source, u16_at(segment, 0)?),
    };
    Some((flow, segment.get(HEADER_LEN..)?))
}

/// A header before `payload` bytes, without checksum; none if they are too many.
pub(crate) fn header(from: u16, to: u16, payload: usize) -> Option<[u8; HEADER_LEN]> {
    let len = u16::try_from(HEADER_LEN + payload).ok()?;
    let mut head = [0; HEADER_LEN];
    head[0..2].copy_from_slice(&from.to_be_bytes());
    head[2..4].copy_from_slice(&to.to_be_bytes());
    head[4..6].copy_from_slice(&len.to_be_bytes());
    Some(head)
}

impl Internet {
    /// Sends a UDP datagram.
    pub(crate) fn send_udp(&mut self, datagram: &OutgoingDatagram<'_>) -> Result<(), SendError> {
        let (from, to) = (datagram.from.port(), datagram.to.port());
        let head = header(from, to, datagram.payload.len()).ok_or(SendError::TooLong)?;
        let parts = [&head[..], datagram.payload];
        let sum = TransportSum::Pseudo(CHECKSUM_AT);
        self.send_datagram(datagram, protocol::UDP, sum, parts)
    }

    /// Sends an ICMP message.
    pub(crate) fn send_icmp(&mut self, message: &OutgoingDatagram<'_>) -> Result<(), SendError> {
        let (protocol, sum) = match message.to {
            SocketAddr::V4(_) => (protocol::ICMP, TransportSum::Alone(2)),
            SocketAddr::V6(_) => (protocol::ICMPV6, TransportSum::Pseudo(2)),
        };
        self.send_datagram(message, protocol, sum, [message.payload, &[]])
    }

    fn send_datagram(
        &mut self,
        datagram: &OutgoingDatagram<'_>,
        protocol: u8,
        sum: TransportSum,
        parts: [&[u8]; 2],
    ) -> Result<(), SendError> {
        let destination = datagram.to.ip();
        let hop = self
            .hop(destination, datagram.interface)
            .ok_or(SendError::NoRoute)
            .inspect_err(|_| self.no_route(destination))?;
        let source = self.checked_source(datagram.from.ip(), destination, &hop)?;
        let is_free = self
            .interfaces
            .get(hop.interface)
            .is_some_and(crate::ip::interface::Interface::is_free);
        if !is_free {
            self.traffic.of(destination).count(Ip::OutDiscards);
            return Err(SendError::NoRoom);
        }
        let header = Header {
            source,
            destination,
            protocol,
            hop_limit: datagram.hop_limit,
            traffic_class: datagram.traffic_class,
            dont_fragment: !datagram.may_fragment,
            identification: self.random.next_u16(),
        };
        self.send_packet(&Outgoing {
            hop,
            header,
            may_fragment: datagram.may_fragment,
            sum,
            parts,
        })
    }

    fn checked_source(
        &self,
        wanted: IpAddr,
        destination: IpAddr,
        hop: &Hop,
    ) -> Result<IpAddr, SendError> {
        if wanted.is_unspecified() {
            return self.source(hop, destination).ok_or(SendError::NoRoute);
        }
        let is_everybody = self
            .interfaces
            .get(hop.interface)
            .is_some_and(|interface| interface.config.any_address);
        let is_fitting = wanted.is_ipv4() == destination.is_ipv4();
        if is_fitting && (is_everybody || self.is_own(wanted)) {
            Ok(wanted)
        } else {
            Err(SendError::NotOurs)
        }
    }
}
