//! ICMP messages that came: echoes are answered or passed on, errors are read and passed on.

use core::net::{IpAddr, SocketAddr};

use super::super::header::protocol;
use super::super::input::{Input, Packet};
use super::super::ipv4::Ipv4Packet;
use super::super::ipv6::{Behind, Ipv6Packet};
use super::super::multicast;
use super::super::ndp;
use super::super::send::TransportSum;
use super::kind;
use crate::address::Flow;
use crate::bytes::{u16_at, u32_at};
use crate::checksum;
use crate::owner::{DatagramError, Delivery, Echo, Unreachable};
use crate::tcp::TcpError;

/// Shortest message that we understand, in bytes.
const LEAST: usize = 8;

impl Input<'_> {
    /// An ICMP message came.
    pub(crate) fn icmp_v4(&mut self, packet: &Packet<'_>) {
        let message = packet.payload;
        if message.len() < LEAST || !checksum::is_good_alone(message) {
            return self.malformed_icmp(packet);
        }
        self.count_icmp(packet);
        match message[0] {
            kind::V4_ECHO_REQUEST => self.echo_request(packet, kind::V4_ECHO_REPLY),
            kind::V4_ECHO_REPLY => {
                self.pass_echo(packet, false);
            }
            kind::V4_UNREACHABLE | kind::V4_TIME_EXCEEDED | kind::V4_PARAMETER_PROBLEM => {
                self.error_v4(packet);
            }
            _ => {}
        }
    }

    /// An ICMPv6 message came.
    pub(crate) fn icmp_v6(&mut self, packet: &Packet<'_>) {
        let message = packet.payload;
        let (source, destination) = (packet.source, packet.destination);
        // A peer that leaves checksums to its device leaves this one too.
        let is_good = packet.is_sum_good()
            || checksum::is_good(source, destination, protocol::ICMPV6, message);
        if message.len() < LEAST || !is_good {
            return self.malformed_icmp(packet);
        }
        self.count_icmp(packet);
        match message[0] {
            kind::V6_ECHO_REQUEST => self.echo_request(packet, kind::V6_ECHO_REPLY),
            kind::V6_ECHO_REPLY => {
                self.pass_echo(packet, false);
            }
            kind::V6_UNREACHABLE..=kind::V6_PARAMETER_PROBLEM => self.error_v6(packet),
            ndp::ROUTER_SOLICITATION..=ndp::NEIGHBOUR_ADVERTISEMENT => self.discovery(packet),
            multicast::MLD_QUERY => self.mld_query(packet),
            _ => {}
        }
    }

    fn count_icmp(&mut self, packet: &Packet<'_>) {
        let (kind, version) = (packet.payload.first(), self.traffic(packet.source));
        if let (Some(&kind), Some(version)) = (kind, version) {
            version.icmp_in.add(kind, 1);
        }
    }

    fn malformed_icmp(&mut self, packet: &Packet<'_>) {
        if let Some(version) = self.traffic(packet.source) {
            version.icmp_errors += 1;
            version.icmp_bad_sums += u64::from(packet.payload.len() >= LEAST);
        }
        self.malformed();
    }

    fn mld_query(&mut self, packet: &Packet<'_>) {
        // RFC 3810, section 5.1.14: only from the link itself.
        let is_local = matches!(packet.source, IpAddr::V6(from) if from.is_unicast_link_local());
        if packet.hop_limit != 1 || !is_local {
            return self.malformed();
        }
        let internet = &mut *self.internet;
        if let Some(interface) = internet.interfaces.get_mut(usize::from(self.id.0)) {
            let random = &mut internet.random;
            interface
                .groups
                .hear_mld(internet.now, packet.payload, random);
        }
        self.internet.rearm();
    }

    /// Answers an echo request, unless it is the owner's affair. Broadcast ones get no answer
    /// (`icmp_echo_ignore_broadcasts`).
    fn echo_request(&mut self, packet: &Packet<'_>, reply: u8) {
        let is_everybody = self
            .interface()
            .is_some_and(|interface| interface.config.any_address);
        if is_everybody && self.pass_echo(packet, true) == Delivery::Taken {
            return;
        }
        let is_ours = self.internet.is_own(packet.destination);
        if !is_ours
            || !packet.may_be_answered()
            || !self.internet.limits.admit_echo(self.internet.now)
        {
            return;
        }
        let (protocol, sum) = if packet.source.is_ipv4() {
            (protocol::ICMP, TransportSum::Alone(2))
        } else {
            (protocol::ICMPV6, TransportSum::Pseudo(2))
        };
        let mut message = packet.payload.to_vec();
        if let Some(kind) = message.first_mut() {
            *kind = reply;
        }
        let id = self.id;
        self.internet.answer(id, packet, protocol, sum, &message);
    }

    fn pass_echo(&mut self, packet: &Packet<'_>, is_request: bool) -> Delivery {
        self.owner.echo(&Echo {
            interface: self.id,
            from: packet.source,
            to: packet.destination,
            hop_limit: packet.hop_limit,
            is_request,
            identifier: u16_at(packet.payload, 4).unwrap_or(0),
            message: packet.payload,
        })
    }

    fn error_v4(&mut self, packet: &Packet<'_>) {
        let message = packet.payload;
        let [kind, code, ..] = *message else {
            return;
        };
        let Some(quoted) = message.get(LEAST..).and_then(Ipv4Packet::parse_quoted) else {
            return self.malformed();
        };
        // Of later fragments nobody knows whose they are.
        if quoted.offset > 0 {
            return;
        }
        let mtu = u16_at(message, 6).unwrap_or(0);
        let Some(what) = meaning_v4(kind, code, mtu) else {
            return;
        };
        let (source, destination) = (quoted.source.into(), quoted.destination.into());
        self.error(
            packet,
            what,
            source,
            destination,
            quoted.protocol,
            quoted.payload(),
        );
    }

    fn error_v6(&mut self, packet: &Packet<'_>) {
        let message = packet.payload;
        let [kind, code, ..] = *message else {
            return;
        };
        let Some(quoted) = message.get(LEAST..).and_then(Ipv6Packet::parse_quoted) else {
            return self.malformed();
        };
        let (protocol, at) = match quoted.behind() {
            Some(Behind::Transport { protocol, at }) => (protocol, at),
            Some(Behind::Fragment(fragment)) if fragment.offset == 0 => {
                (fragment.next_header, fragment.at)
            }
            _ => return,
        };
        let mtu = u32_at(message, 4).unwrap_or(0);
        let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
        let Some(what) = meaning_v6(kind, code, mtu) else {
            return;
        };
        let (source, destination) = (quoted.source.into(), quoted.destination.into());
        let segment = quoted.whole.get(at..).unwrap_or(&[]);
        self.error(packet, what, source, destination, protocol, segment);
    }

    /// An error about a packet that we may have sent, of which `segment` is the transport's
    /// beginning.
    fn error(
        &mut self,
        packet: &Packet<'_>,
        what: Unreachable,
        source: IpAddr,
        destination: IpAddr,
        protocol: u8,
        segment: &[u8],
    ) {
        let is_everybody = self
            .interface()
            .is_some_and(|interface| interface.config.any_address);
        if !is_everybody && !self.internet.is_own(source) {
            return;
        }
        let Some(flow) = flow_of(source, destination, protocol, segment) else {
            return;
        };
        if protocol == protocol::TCP && !self.tcp.is_used(flow) {
            return;
        }
        let what = match what {
            Unreachable::TooBig(mtu) => {
                let now = self.internet.now;
                Unreachable::TooBig(self.internet.paths.learn(now, destination, mtu))
            }
            what => what,
        };
        self.report(protocol, flow, packet.source, what);
    }

    /// Tells whom it concerns that a packet of ours did not arrive.
    pub(crate) fn report(&mut self, protocol: u8, flow: Flow, by: IpAddr, what: Unreachable) {
        match protocol {
            protocol::TCP => {
                if let Some(error) = tcp_error(what) {
                    self.tcp.unreachable(flow, error, self.owner);
                }
            }
            protocol::UDP | protocol::ICMP | protocol::ICMPV6 => {
                self.owner.datagram_error(&DatagramError {
                    protocol,
                    flow,
                    by,
                    what,
                });
            }
            _ => {}
        }
    }
}

/// The two ends of a packet of ours; an echo's identifier takes the place of both ports. None for
/// what is no packet that a socket sends.
pub(crate) fn flow_of(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    segment: &[u8],
) -> Option<Flow> {
    let (local, remote) = match protocol {
        protocol::TCP | protocol::UDP => (u16_at(segment, 0)?, u16_at(segment, 2)?),
        protocol::ICMP if *segment.first()? == kind::V4_ECHO_REQUEST => {
            (u16_at(segment, 4)?, u16_at(segment, 4)?)
        }
        protocol::ICMPV6 if *segment.first()? == kind::V6_ECHO_REQUEST => {
            (u16_at(segment, 4)?, u16_at(segment, 4)?)
        }
        _ => return None,
    };
    Some(Flow {
        local: SocketAddr::new(source, local),
        remote: SocketAddr::new(destination, remote),
    })
}

/// As Linux's `icmp_err_convert` has it.
fn meaning_v4(kind: u8, code: u8, mtu: u16) -> Option<Unreachable> {
    match (kind, code) {
        (kind::V4_UNREACHABLE, 0 | 6 | 9 | 11) => Some(Unreachable::Network),
        (kind::V4_UNREACHABLE, 1 | 5 | 7 | 8 | 10 | 12..=15) => Some(Unreachable::Host),
        (kind::V4_UNREACHABLE, 2) => Some(Unreachable::Protocol),
        (kind::V4_UNREACHABLE, 3) => Some(Unreachable::Port),
        (kind::V4_UNREACHABLE, 4) => Some(Unreachable::TooBig(mtu)),
        (kind::V4_TIME_EXCEEDED, _) => Some(Unreachable::HopLimit),
        (kind::V4_PARAMETER_PROBLEM, _) => Some(Unreachable::Protocol),
        _ => None,
    }
}

/// As Linux's `icmpv6_err_convert` has it.
fn meaning_v6(kind: u8, code: u8, mtu: u16) -> Option<Unreachable> {
    match (kind, code) {
        (kind::V6_UNREACHABLE, 0) => Some(Unreachable::Network),
        (kind::V6_UNREACHABLE, 1 | 5 | 6) => Some(Unreachable::Prohibited),
        (kind::V6_UNREACHABLE, 2 | 3) => Some(Unreachable::Host),
        (kind::V6_UNREACHABLE, 4) => Some(Unreachable::Port),
        (kind::V6_TOO_BIG, _) => Some(Unreachable::TooBig(mtu)),
        (kind::V6_TIME_EXCEEDED, _) => Some(Unreachable::HopLimit),
        (kind::V6_PARAMETER_PROBLEM, _) => Some(Unreachable::Protocol),
        _ => None,
    }
}

/// What ends a connection that is not yet established; none where it goes on.
fn tcp_error(what: Unreachable) -> Option<TcpError> {
    match what {
        Unreachable::Network => Some(TcpError::NetworkUnreachable),
        Unreachable::Host | Unreachable::HopLimit | Unreachable::Prohibited => {
            Some(TcpError::HostUnreachable)
        }
        Unreachable::Port | Unreachable::Protocol => Some(TcpError::Refused),
        Unreachable::TooBig(_) => None,
    }
}
