//! Neighbour discovery messages (RFC 4861) and the addresses that it uses.
//!
//! What arrives is read here into [`Message`]; what follows from it is done in `discovery` and
//! `slaac`.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use super::header::{Header, IPV6_HEADER_LEN, protocol};
use crate::bytes::{array_at, ipv6_at};
use crate::checksum;
use crate::config::Mac;

/// All nodes on the link.
pub(crate) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// All routers on the link.
pub(crate) const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// ICMPv6 types.
pub(crate) const ROUTER_SOLICITATION: u8 = 133;
pub(crate) const ROUTER_ADVERTISEMENT: u8 = 134;
pub(crate) const NEIGHBOUR_SOLICITATION: u8 = 135;
pub(crate) const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;

const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// Most options that are looked at.
const MOST_OPTIONS: usize = 32;

/// A message between neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Somebody asks for an address.
    Solicitation {
        target: Ipv6Addr,
        /// Where the asker is.
        mac: Option<Mac>,
    },
    /// Somebody tells where an address is.
    Advertisement {
        target: Ipv6Addr,
        mac: Option<Mac>,
        is_solicited: bool,
        is_override: bool,
    },
}

impl Message {
    /// Reads an ICMPv6 message whose checksum was verified.
    pub(crate) fn parse(message: &[u8]) -> Option<Self> {
        let [kind, code, ..] = *message else {
            return None;
        };
        let target = ipv6_at(message, 8)?;
        let options = message.get(24..)?;
        if code != 0 || target.is_multicast() {
            return None;
        }
        check_options(options)?;
        match kind {
            NEIGHBOUR_SOLICITATION => Some(Self::Solicitation {
                target,
                mac: link_address(options, SOURCE_LINK_ADDRESS),
            }),
            NEIGHBOUR_ADVERTISEMENT => {
                let flags = *message.get(4)?;
                Some(Self::Advertisement {
                    target,
                    mac: link_address(options, TARGET_LINK_ADDRESS),
                    is_solicited: flags & SOLICITED != 0,
                    is_override: flags & OVERRIDE != 0,
                })
            }
            _ => None,
        }
    }
}

/// The options of a message: type and whole option. Ends at the first that is malformed.
pub(crate) fn options(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    core::iter::from_fn(move || {
        let [kind, units, ..] = *bytes else {
            return None;
        };
        let len = usize::from(units) * 8;
        let option = bytes.get(..len).filter(|option| !option.is_empty())?;
        bytes = bytes.get(len..)?;
        Some((kind, option))
    })
    .take(MOST_OPTIONS)
}

/// RFC 4861, sections 6.1 and 7.1: all options are longer than zero, and inside.
pub(crate) fn check_options(bytes: &[u8]) -> Option<()> {
    let len: usize = options(bytes).map(|(_, option)| option.len()).sum();
    (len == bytes.len()).then_some(())
}

/// The router's or asker's link address among the options of a message.
pub(crate) fn source_link_address(bytes: &[u8]) -> Option<Mac> {
    link_address(bytes, SOURCE_LINK_ADDRESS)
}

fn link_address(bytes: &[u8], wanted: u8) -> Option<Mac> {
    let (_, option) = options(bytes).find(|&(kind, _)| kind == wanted)?;
    let mac = Mac(array_at(option, 2)?);
    (!mac.is_multicast()).then_some(mac)
}

/// The group in which the owner of `address` listens (RFC 4291, section 2.7.1).
pub(crate) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// A packet that asks for `target`. From the unspecified address it asks whether anybody else has it.
pub(crate) fn solicitation(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    target: Ipv6Addr,
    own: Mac,
) -> Vec<u8> {
    let mut message = alloc::vec![NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(&target.octets());
    if !source.is_unspecified() {
        push_link_address(&mut message, SOURCE_LINK_ADDRESS, own);
    }
    packet(source, destination, &message)
}

/// A packet that tells where `target` is; solicited unless it goes to all.
pub(crate) fn advertisement(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    target: Ipv6Addr,
    own: Mac,
) -> Vec<u8> {
    let solicited = if destination.is_multicast() {
        0
    } else {
        SOLICITED
    };
    let flags = solicited | OVERRIDE;
    let mut message = alloc::vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    message.extend_from_slice(&target.octets());
    push_link_address(&mut message, TARGET_LINK_ADDRESS, own);
    packet(source, destination, &message)
}

/// A packet that asks all routers.
pub(crate) fn router_solicitation(source: Ipv6Addr, own: Mac) -> Vec<u8> {
    let mut message = alloc::vec![ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    if !source.is_unspecified() {
        push_link_address(&mut message, SOURCE_LINK_ADDRESS, own);
    }
    packet(source, ALL_ROUTERS, &message)
}

fn push_link_address(message: &mut Vec<u8>, kind: u8, mac: Mac) {
    message.extend_from_slice(&[kind, 1]);
    message.extend_from_slice(&mac.0);
}

/// A whole packet with a message of the link's: hop limit 255.
pub(crate) fn packet(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let (source, destination) = (IpAddr::V6(source), IpAddr::V6(destination));
    let header = Header {
        source,
        destination,
        protocol: protocol::ICMPV6,
        hop_limit: 255,
        traffic_class: 0,
        dont_fragment: true,
        identification: 0,
    };
    let mut packet = alloc::vec![0; IPV6_HEADER_LEN];
    packet.extend_from_slice(message);
    header.emit(&mut packet);
    let sum = checksum::pseudo_header(source, destination, protocol::ICMPV6, message.len());
    if let Some(message) = packet.get_mut(IPV6_HEADER_LEN..) {
        checksum::fill(message, 2, sum);
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn address(text: &str) -> Ipv6Addr {
        text.parse().expect("an address")
    }

    #[test]
    fn messages_survive_their_bytes() {
        let (one, other) = (address("fe80::1"), address("fe80::2"));
        let packet = solicitation(one, solicited_node(other), other, MAC);
        let expected = Message::Solicitation {
            target: other,
            mac: Some(MAC),
        };
        assert_eq!(Message::parse(&packet[40..]), Some(expected));
        let probe = solicitation(Ipv6Addr::UNSPECIFIED, solicited_node(one), one, MAC);
        let expected = Message::Solicitation {
            target: one,
            mac: None,
        };
        assert_eq!(Message::parse(&probe[40..]), Some(expected));
        let packet = advertisement(other, one, other, MAC);
        let expected = Message::Advertisement {
            target: other,
            mac: Some(MAC),
            is_solicited: true,
            is_override: true,
        };
        assert_eq!(Message::parse(&packet[40..]), Some(expected));
        assert!(checksum::is_good(
            one.into(),
            other.into(),
            58,
            &packet[40..]
        ));
    }

    #[test]
    fn malformed_messages_are_refused() {
        let (one, other) = (address("fe80::1"), address("fe80::2"));
        let good = solicitation(one, solicited_node(other), other, MAC)[40..].to_vec();
        for len in 0..good.len() {
            if len != 24 {
                assert_eq!(Message::parse(&good[..len]), None, "{len} bytes");
            }
        }
        for (at, value, what) in [
            (1, 1, "a code"),
            (8, 0xff, "a group as target"),
            (25, 0, "an option of no length"),
            (25, 2, "an option that ends outside"),
            (0, 137, "a redirect"),
        ] {
            let mut bytes = good.clone();
            bytes[at] = value;
            assert_eq!(Message::parse(&bytes), None, "{what}");
        }
    }
}
