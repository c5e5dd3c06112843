//! ICMP errors that we send about packets that came (RFC 1122, section 3.2.2; RFC 4443, section 2.4).

use alloc::vec::Vec;
use core::net::IpAddr;

use super::super::Internet;
use super::super::header::{Header, protocol};
use super::super::input::Packet;
use super::super::send::{Outgoing, TransportSum};
use super::kind;
use crate::config::InterfaceId;

/// What is wrong with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Nobody has this port.
    Port,
    /// Nobody speaks this protocol.
    Protocol,
    /// Fragments of it did not come.
    Reassembly,
}

/// Most of the packet that is quoted: errors are at most 576 bytes (RFC 1812, section 4.3.2.3), or
/// 1280 (RFC 4443, section 2.4).
const MOST_QUOTED_IPV4: usize = 576 - 28;
const MOST_QUOTED_IPV6: usize = 1280 - 48;

impl Internet {
    /// Tells the sender of `packet`, which came by `interface`, what is wrong with it. Never about
    /// broadcasts, and not too often.
    pub(crate) fn complain(
        &mut self,
        interface: InterfaceId,
        packet: &Packet<'_>,
        problem: Problem,
    ) {
        if !packet.may_be_answered() || !self.limits.admit_error(self.now, packet.source) {
            return;
        }
        let (message, protocol, sum) = match packet.source {
            IpAddr::V4(_) => (
                message_v4(packet, problem),
                protocol::ICMP,
                TransportSum::Alone(2),
            ),
            IpAddr::V6(_) => (
                message_v6(packet, problem),
                protocol::ICMPV6,
                TransportSum::Pseudo(2),
            ),
        };
        self.answer(interface, packet, protocol, sum, &message);
    }

    /// Sends an ICMP message back to where `packet` came from, by the same interface unless the way
    /// there is another.
    pub(crate) fn answer(
        &mut self,
        interface: InterfaceId,
        packet: &Packet<'_>,
        protocol: u8,
        sum: TransportSum,
        message: &[u8],
    ) {
        let is_local =
            matches!(packet.source, IpAddr::V6(source) if source.is_unicast_link_local());
        let Some(hop) = self.hop(packet.source, is_local.then_some(interface)) else {
            return;
        };
        let header = Header {
            source: packet.destination,
            destination: packet.source,
            protocol,
            hop_limit: 64,
            traffic_class: packet.traffic_class,
            dont_fragment: false,
            identification: self.random.next_u16(),
        };
        let outgoing = Outgoing {
            hop,
            header,
            may_fragment: true,
            sum,
            parts: [message, &[]],
        };
        // Lost if it cannot go: nobody waits for it.
        let _ = self.send_packet(&outgoing);
    }
}

fn message_v4(packet: &Packet<'_>, problem: Problem) -> Vec<u8> {
    let (kind, code) = match problem {
        Problem::Protocol => (kind::V4_UNREACHABLE, 2),
        Problem::Port => (kind::V4_UNREACHABLE, 3),
        Problem::Reassembly => (kind::V4_TIME_EXCEEDED, 1),
    };
    let mut message = alloc::vec![kind, code, 0, 0, 0, 0, 0, 0];
    quote(&mut message, packet, MOST_QUOTED_IPV4);
    message
}

fn message_v6(packet: &Packet<'_>, problem: Problem) -> Vec<u8> {
    let (kind, code, pointer) = match problem {
        Problem::Port => (kind::V6_UNREACHABLE, 4, 0),
        // Unrecognized next header: where its number is, for a packet without extension headers.
        Problem::Protocol => (kind::V6_PARAMETER_PROBLEM, 1, 6),
        Problem::Reassembly => (kind::V6_TIME_EXCEEDED, 1, 0),
    };
    let mut message = alloc::vec![kind, code, 0, 0, 0, 0, 0, pointer];
    quote(&mut message, packet, MOST_QUOTED_IPV6);
    message
}

fn quote(message: &mut Vec<u8>, packet: &Packet<'_>, most: usize) {
    let quoted = packet.whole.get(..most).unwrap_or(packet.whole);
    message.extend_from_slice(quoted);
}
