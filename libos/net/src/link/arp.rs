//! ARP packets (RFC 826) for IPv4 over Ethernet.

use core::net::Ipv4Addr;

use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress};

use super::ethernet;
use crate::config::Mac;

/// Length of a packet in bytes.
const LEN: usize = 28;

/// What a packet says. Who asks or tells is the sender in both cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arp {
    pub(crate) is_request: bool,
    pub(crate) sender_mac: Mac,
    pub(crate) sender: Ipv4Addr,
    pub(crate) target: Ipv4Addr,
}

impl Arp {
    /// Reads a packet; none if it is not one of these.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let packet = ArpPacket::new_checked(bytes).ok()?;
        let ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr,
            source_protocol_addr,
            target_protocol_addr,
            ..
        } = ArpRepr::parse(&packet).ok()?
        else {
            return None;
        };
        let sender_mac = Mac(source_hardware_addr.0);
        let is_request = match operation {
            ArpOperation::Request => true,
            ArpOperation::Reply => false,
            ArpOperation::Unknown(_) => return None,
        };
        (!sender_mac.is_multicast()).then_some(Self {
            is_request,
            sender_mac,
            sender: source_protocol_addr,
            target: target_protocol_addr,
        })
    }

    /// The packet's bytes, told to the station `to`.
    pub(crate) fn emit(&self, to: Mac) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let to = if to == ethernet::BROADCAST {
            Mac([0; 6])
        } else {
            to
        };
        ArpRepr::EthernetIpv4 {
            operation: if self.is_request {
                ArpOperation::Request
            } else {
                ArpOperation::Reply
            },
            source_hardware_addr: EthernetAddress(self.sender_mac.0),
            source_protocol_addr: self.sender,
            target_hardware_addr: EthernetAddress(to.0),
            target_protocol_addr: self.target,
        }
        .emit(&mut ArpPacket::new_unchecked(&mut bytes));
        bytes
    }

    /// Whether it asks if anybody has the address (RFC 5227).
    pub(crate) fn is_probe(&self) -> bool {
        self.sender.is_unspecified()
    }

    /// Whether it tells an address without being asked.
    pub(crate) fn is_gratuitous(&self) -> bool {
        self.sender == self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_survives_its_bytes() {
        let arp = Arp {
            is_request: true,
            sender_mac: Mac([2, 0, 0, 0, 0, 1]),
            sender: Ipv4Addr::new(10, 0, 0, 1),
            target: Ipv4Addr::new(10, 0, 0, 2),
        };
        let bytes = arp.emit(ethernet::BROADCAST);
        assert_eq!(Arp::parse(&bytes), Some(arp));
        assert!(!arp.is_probe() && !arp.is_gratuitous());
        for len in 0..LEN {
            assert_eq!(Arp::parse(&bytes[..len]), None, "{len} bytes");
        }
    }

    #[test]
    fn other_kinds_are_refused() {
        let arp = Arp {
            is_request: false,
            sender_mac: Mac([2, 0, 0, 0, 0, 1]),
            sender: Ipv4Addr::new(10, 0, 0, 1),
            target: Ipv4Addr::new(10, 0, 0, 1),
        };
        for (at, value, what) in [
            (1, 6, "another medium"),
            (3, 1, "another protocol"),
            (4, 8, "longer station addresses"),
            (5, 16, "longer addresses"),
            (7, 3, "another operation"),
            (8, 1, "a group as sender"),
        ] {
            let mut bytes = arp.emit(arp.sender_mac);
            bytes[at] = value;
            assert_eq!(Arp::parse(&bytes), None, "{what}");
        }
    }
}
