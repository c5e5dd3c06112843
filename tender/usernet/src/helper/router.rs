//! Router advertisements (RFC 4861, 4862, 8106): how a guest finds its IPv6 address, way out and name server by
//! itself.
//!
//! The stack takes no solicitations for its owner, so that they are recognised in the frames themselves.

use crate::config::Config;
use libos_net::device::VNET_HEADER_LEN;
use std::net::Ipv6Addr;

/// All nodes of the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Hop limit of neighbour discovery: whoever checks it knows that the packet came from the link.
pub const HOP_LIMIT: u8 = 255;

/// How long prefix, route and name server hold, in seconds. The helper lives as long as the guest; a
/// guest that wants to be sure asks again.
const LIFETIME: u32 = 86_400;

/// How long the router itself holds, in seconds: the greatest that RFC 4861 allows.
const ROUTER_LIFETIME: u16 = 9000;

const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;

/// Whether a frame of the channel is a router solicitation.
pub fn is_solicitation(message: &[u8]) -> bool {
    const ETHER_TYPE: usize = VNET_HEADER_LEN + 12;
    const IPV6: usize = VNET_HEADER_LEN + 14;
    const ICMPV6: usize = IPV6 + 40;
    let byte = |at: usize| message.get(at).copied();
    message.get(ETHER_TYPE..IPV6) == Some(&[0x86, 0xdd])
        && byte(IPV6 + 6) == Some(58)
        && byte(IPV6 + 7) == Some(HOP_LIMIT)
        && (byte(ICMPV6), byte(ICMPV6 + 1)) == (Some(SOLICITATION), Some(0))
}

/// The advertisement, as an ICMPv6 message without its checksum; none for a guest without IPv6.
pub fn advertisement(config: &Config) -> Option<Vec<u8>> {
    let subnet = config.ipv6?;
    let lifetime = LIFETIME.to_be_bytes();
    let mut message = vec![ADVERTISEMENT, 0, 0, 0, 64, 0];
    message.extend(ROUTER_LIFETIME.to_be_bytes());
    message.extend([0; 8]);
    message.extend([1, 1]); // Source link-layer address.
    message.extend(config.gateway_mac);
    message.extend([5, 1, 0, 0]); // MTU.
    message.extend(u32::from(config.mtu).to_be_bytes());
    message.extend([3, 4, subnet.prefix, 0xc0]); // Prefix: on-link, and for addresses of the guest's choice.
    message.extend(lifetime);
    message.extend(lifetime);
    message.extend([0; 4]);
    message.extend(network(subnet.gateway, subnet.prefix).octets());
    message.extend([25, 3, 0, 0]); // Recursive DNS server.
    message.extend(lifetime);
    message.extend(subnet.dns.octets());
    Some(message)
}

fn network(address: Ipv6Addr, prefix: u8) -> Ipv6Addr {
    let host_bits = 128_u32.saturating_sub(prefix.into());
    Ipv6Addr::from_bits(address.to_bits() & u128::MAX.checked_shl(host_bits).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::wire::{Icmpv6Packet, NdiscRepr};

    #[test]
    fn the_advertisement_says_prefix_mtu_and_router() {
        let message = advertisement(&Config::default()).expect("IPv6 is on");
        let packet = Icmpv6Packet::new_checked(&message[..]).expect("a message");
        let NdiscRepr::RouterAdvert {
            router_lifetime,
            lladdr,
            mtu,
            prefix_info,
            ..
        } = NdiscRepr::parse(&packet).expect("an advertisement")
        else {
            panic!("{message:?}");
        };
        assert_eq!((router_lifetime.secs(), mtu), (9000, Some(1500)));
        assert_eq!(
            lladdr.map(|mac| mac.as_bytes().to_vec()),
            Some(vec![2, 0, 10, 0, 2, 2])
        );
        let prefix = prefix_info.expect("a prefix");
        assert_eq!(
            (prefix.prefix.to_string(), prefix.prefix_len),
            ("fd00::".into(), 64)
        );
        assert_eq!(message.len() % 8, 0, "options come in eights");
    }

    #[test]
    fn a_guest_without_ipv6_gets_none() {
        assert_eq!(
            advertisement(&Config {
                ipv6: None,
                ..Config::default()
            }),
            None
        );
    }

    #[test]
    fn solicitations_are_told_from_other_frames() {
        let mut frame = vec![0; VNET_HEADER_LEN + 14 + 40 + 8];
        frame[22..24].copy_from_slice(&[0x86, 0xdd]);
        (frame[30], frame[31], frame[64]) = (58, 255, SOLICITATION);
        assert!(is_solicitation(&frame));
        for (at, value) in [(23, 0), (30, 6), (31, 64), (64, 135), (65, 1)] {
            let mut other = frame.clone();
            other[at] = value;
            assert!(!is_solicitation(&other), "byte {at}");
        }
        assert!(!is_solicitation(&frame[..60]), "too short");
    }
}
