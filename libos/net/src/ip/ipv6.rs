//! IPv6 packets that came (RFC 8200), and their extension headers.

use core::net::Ipv6Addr;

use super::header::{IPV6_HEADER_LEN, protocol};
use crate::bytes::{ipv6_at, u16_at, u32_at};

/// Most extension headers before a packet is refused; nobody sends more than one of each.
const MOST_HEADERS: usize = 8;

/// A packet whose fixed header is right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipv6Packet<'a> {
    pub(crate) source: Ipv6Addr,
    pub(crate) destination: Ipv6Addr,
    pub(crate) next_header: u8,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    /// The packet, without what the link put behind it.
    pub(crate) whole: &'a [u8],
}

/// What is behind the extension headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// A transport at this offset of the packet.
    Transport { protocol: u8, at: usize },
    /// A piece of a packet.
    Fragment(Fragment),
}

/// A fragment header (RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// What comes behind it in the whole packet.
    pub(crate) next_header: u8,
    /// Where the number of that lies in the packet: in the header before the fragment header.
    pub(crate) next_header_at: usize,
    /// Where the fragment header lies.
    pub(crate) header_at: usize,
    /// Where the piece begins.
    pub(crate) at: usize,
    /// The piece's place in the whole, in bytes.
    pub(crate) offset: usize,
    /// Whether pieces follow.
    pub(crate) more: bool,
    pub(crate) identification: u32,
}

impl<'a> Ipv6Packet<'a> {
    /// Reads a packet; none if it is malformed.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let packet = Self::parse_quoted(bytes)?;
        let payload = usize::from(u16_at(bytes, 4)?);
        let whole = bytes.get(..IPV6_HEADER_LEN + payload)?;
        Some(Self { whole, ..packet })
    }

    /// Reads a packet of which an ICMP error quotes the beginning.
    pub(crate) fn parse_quoted(bytes: &'a [u8]) -> Option<Self> {
        let [first, second, ..] = *bytes else {
            return None;
        };
        (first >> 4 == 6).then_some(())?;
        Some(Self {
            source: ipv6_at(bytes, 8)?,
            destination: ipv6_at(bytes, 24)?,
            next_header: *bytes.get(6)?,
            hop_limit: *bytes.get(7)?,
            traffic_class: first << 4 | second >> 4,
            whole: bytes,
        })
    }

    /// Walks the extension headers; none if they are malformed, too many, or say that the packet is to
    /// be discarded by those who do not know them.
    pub(crate) fn behind(&self) -> Option<Behind> {
        let mut next_header_at = 6;
        let mut at = IPV6_HEADER_LEN;
        let mut protocol = self.next_header;
        for index in 0..MOST_HEADERS {
            match protocol {
                protocol::HOP_BY_HOP if index > 0 => return None,
                protocol::HOP_BY_HOP | protocol::DESTINATION_OPTIONS => {
                    let header = self.extension(at)?;
                    check_options(header.get(2..)?)?;
                }
                // Nobody is to be routed through us (RFC 5095 for type 0).
                protocol::ROUTING => {
                    let header = self.extension(at)?;
                    (*header.get(3)? == 0).then_some(())?;
                }
                protocol::FRAGMENT => {
                    return self.fragment(next_header_at, at).map(Behind::Fragment);
                }
                _ => return Some(Behind::Transport { protocol, at }),
            }
            let header = self.extension(at)?;
            protocol = *header.first()?;
            next_header_at = at;
            at += header.len();
        }
        None
    }

    fn extension(&self, at: usize) -> Option<&'a [u8]> {
        let rest = self.whole.get(at..)?;
        let len = (usize::from(*rest.get(1)?) + 1) * 8;
        rest.get(..len)
    }

    fn fragment(&self, next_header_at: usize, at: usize) -> Option<Fragment> {
        let place = u16_at(self.whole, at + 2)?;
        Some(Fragment {
            next_header: *self.whole.get(at)?,
            next_header_at,
            header_at: at,
            at: at + 8,
            offset: usize::from(place & !7),
            more: place & 1 != 0,
            identification: u32_at(self.whole, at + 4)?,
        })
    }
}

/// RFC 8200, section 4.2: unknown options whose two upper bits are zero are skipped, others forbid the
/// packet.
fn check_options(mut options: &[u8]) -> Option<()> {
    const PAD1: u8 = 0;
    while let Some((&kind, rest)) = options.split_first() {
        if kind == PAD1 {
            options = rest;
            continue;
        }
        (kind & 0xc0 == 0).then_some(())?;
        let len = usize::from(*rest.first()?);
        options = rest.get(1 + len..)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// A packet with `extensions` (first number given) and eight bytes of payload.
    fn packet(first: u8, extensions: &[u8]) -> Vec<u8> {
        let mut bytes = alloc::vec![0; 40];
        bytes[0] = 0x60;
        let payload = u16::try_from(extensions.len() + 8).expect("short");
        bytes[4..6].copy_from_slice(&payload.to_be_bytes());
        bytes[6] = first;
        bytes[7] = 64;
        bytes[23] = 1;
        bytes[39] = 2;
        bytes.extend_from_slice(extensions);
        bytes.extend_from_slice(&[0; 8]);
        bytes
    }

    fn behind(first: u8, extensions: &[u8]) -> Option<Behind> {
        let bytes = packet(first, extensions);
        Ipv6Packet::parse(&bytes)?.behind()
    }

    const PADDED: [u8; 6] = [1, 4, 0, 0, 0, 0];

    fn extension(next: u8, body: [u8; 6]) -> Vec<u8> {
        [&[next, 0][..], &body].concat()
    }

    #[test]
    fn extension_headers_are_walked() {
        let transport = |at| Some(Behind::Transport { protocol: 17, at });
        assert_eq!(behind(17, &[]), transport(40));
        assert_eq!(behind(0, &extension(17, PADDED)), transport(48));
        let three = [
            extension(43, PADDED),
            extension(60, [0; 6]),
            extension(17, [5, 2, 0, 0, 1, 0]),
        ];
        assert_eq!(behind(0, &three.concat()), transport(64));
        let fragment = behind(44, &[17, 0, 0x05, 0xa9, 0, 0, 0, 9]);
        let Some(Behind::Fragment(fragment)) = fragment else {
            panic!("{fragment:?}");
        };
        assert_eq!((fragment.offset, fragment.more), (0x5a8, true));
        assert_eq!((fragment.identification, fragment.at), (9, 48));
    }

    #[test]
    fn malformed_and_forbidden_headers_are_refused() {
        for (what, first, extensions) in [
            (
                "hop by hop in the second place",
                60,
                [extension(0, PADDED), extension(17, PADDED)].concat(),
            ),
            (
                "an option that forbids the packet",
                60,
                extension(17, [0x80, 4, 0, 0, 0, 0]),
            ),
            (
                "an option that ends outside",
                60,
                extension(17, [1, 5, 0, 0, 0, 0]),
            ),
            (
                "an option without length",
                60,
                extension(17, [0, 0, 0, 0, 0, 1]),
            ),
            (
                "routing that goes on",
                43,
                extension(17, [0, 1, 0, 0, 0, 0]),
            ),
            (
                "a header that ends outside",
                60,
                [17, 9, 1, 4, 0, 0, 0, 0].to_vec(),
            ),
            ("too many headers", 60, extension(60, PADDED).repeat(9)),
        ] {
            assert_eq!(behind(first, &extensions), None, "{what}");
        }
        let bytes = packet(17, &[]);
        for len in 0..bytes.len() {
            assert!(Ipv6Packet::parse(&bytes[..len]).is_none(), "{len} bytes");
        }
        let mut fragment = packet(44, &[]);
        fragment.truncate(44);
        fragment[5] = 4;
        let read = Ipv6Packet::parse(&fragment).expect("a packet");
        assert_eq!(read.behind(), None, "half a fragment header");
    }
}
