//! IPv4 packets that came (RFC 791).

use core::net::Ipv4Addr;

use super::header::IPV4_HEADER_LEN;
use crate::bytes::{ipv4_at, u16_at};
use crate::checksum;

/// A packet whose header is right: lengths are inside, the checksum fits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipv4Packet<'a> {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) protocol: u8,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    pub(crate) identification: u16,
    /// Place of a fragment in its packet, in bytes.
    pub(crate) offset: usize,
    /// Whether fragments follow.
    pub(crate) more: bool,
    /// Length of the header in bytes, options included.
    pub(crate) header_len: usize,
    /// The packet, without what the link put behind it.
    pub(crate) whole: &'a [u8],
}

impl<'a> Ipv4Packet<'a> {
    /// Reads a packet; none if it is malformed. Options are skipped.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let packet = Self::parse_quoted(bytes)?;
        let total = usize::from(u16_at(bytes, 2)?);
        let whole = bytes.get(..total)?;
        let header = whole.get(..packet.header_len)?;
        // Fragments that reach beyond the longest packet are nobody's (RFC 791 has no such length).
        let end = packet.offset + (total - packet.header_len);
        if !checksum::is_good_alone(header) || end > 65_535 {
            return None;
        }
        Some(Self { whole, ..packet })
    }

    /// Reads a packet of which an ICMP error quotes the beginning.
    pub(crate) fn parse_quoted(bytes: &'a [u8]) -> Option<Self> {
        let first = *bytes.first()?;
        let header_len = usize::from(first & 0x0f) * 4;
        if first >> 4 != 4 || header_len < IPV4_HEADER_LEN || bytes.len() < header_len {
            return None;
        }
        let place = u16_at(bytes, 6)?;
        Some(Self {
            source: ipv4_at(bytes, 12)?,
            destination: ipv4_at(bytes, 16)?,
            protocol: *bytes.get(9)?,
            hop_limit: *bytes.get(8)?,
            traffic_class: *bytes.get(1)?,
            identification: u16_at(bytes, 4)?,
            offset: usize::from(place & 0x1fff) * 8,
            more: place & 0x2000 != 0,
            header_len,
            whole: bytes,
        })
    }

    /// What is behind the header.
    pub(crate) fn payload(&self) -> &'a [u8] {
        self.whole.get(self.header_len..).unwrap_or(&[])
    }

    /// Whether it is a piece of a packet.
    pub(crate) fn is_fragment(&self) -> bool {
        self.more || self.offset > 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::{Header, set_ipv4_checksum};
    use super::*;
    use alloc::vec::Vec;

    fn packet() -> Vec<u8> {
        let header = Header {
            source: "10.0.0.1".parse().expect("an address"),
            destination: "10.0.0.2".parse().expect("an address"),
            protocol: 17,
            hop_limit: 64,
            traffic_class: 0,
            dont_fragment: true,
            identification: 7,
        };
        let mut packet = alloc::vec![0; 28];
        header.emit(&mut packet);
        packet
    }

    #[test]
    fn a_packet_is_read_and_padding_is_cut() {
        let mut bytes = packet();
        bytes.extend_from_slice(&[0xaa; 18]);
        let read = Ipv4Packet::parse(&bytes).expect("a packet");
        assert_eq!(
            (read.protocol, read.hop_limit, read.identification),
            (17, 64, 7)
        );
        assert_eq!(read.payload().len(), 8);
        assert!(!read.is_fragment());
    }

    #[test]
    fn options_are_skipped() {
        let mut bytes = packet();
        bytes.splice(20..20, [1, 1, 1, 0]);
        bytes[0] = 0x46;
        bytes[3] = 32;
        set_ipv4_checksum(&mut bytes[..24]);
        let read = Ipv4Packet::parse(&bytes).expect("a packet");
        assert_eq!((read.header_len, read.payload().len()), (24, 8));
    }

    #[test]
    fn malformed_packets_are_refused() {
        let good = packet();
        for len in 0..good.len() {
            assert!(Ipv4Packet::parse(&good[..len]).is_none(), "{len} bytes");
        }
        for (at, value, what) in [
            (0, 0x65, "another version"),
            (0, 0x44, "a header that is too short"),
            (0, 0x4f, "a header that ends outside"),
            (3, 19, "a length inside of the header"),
            (2, 1, "a length outside of the packet"),
            (8, 63, "a wrong checksum"),
        ] {
            let mut bytes = good.clone();
            bytes[at] = value;
            if what != "a wrong checksum" {
                set_ipv4_checksum(&mut bytes[..20]);
            }
            assert!(Ipv4Packet::parse(&bytes).is_none(), "{what}");
        }
        let mut bytes = good.clone();
        bytes[6..8].copy_from_slice(&0x1fff_u16.to_be_bytes());
        set_ipv4_checksum(&mut bytes[..20]);
        assert!(
            Ipv4Packet::parse(&bytes).is_none(),
            "a fragment behind the end"
        );
    }
}
