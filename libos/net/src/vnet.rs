//! `struct virtio_net_hdr`: what precedes a frame where a device shares the work on it (virtio 1.2,
//! section 5.1.6; `linux/virtio_net.h`).
//!
//! Its numbers are in the machine's byte order (`TUNSETVNETLE` is not used), which is little endian
//! on all machines that this runs on.

use crate::device::VNET_HEADER_LEN;

const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;

const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_UDP: u8 = 3;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// A frame that stands for several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gso {
    /// It stands for itself.
    #[default]
    None,
    /// TCP segments of so many bytes of payload, over IPv4.
    TcpV4(u16),
    /// TCP segments of so many bytes of payload, over IPv6.
    TcpV6(u16),
    /// One UDP datagram that was to be sent in fragments (UFO): it is whole here.
    UdpFragments,
    /// UDP datagrams of so many bytes of payload, one behind the other.
    UdpDatagrams(u16),
}

/// What is known, or wanted, of a frame's transport checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sum {
    /// It is in the packet, and nobody has looked at it.
    #[default]
    Whole,
    /// It was verified.
    Verified,
    /// The field at `start + offset` holds the pseudo header's sum; what is missing is the sum of
    /// everything from `start` on. Both count from the frame's first byte, and the field is inside.
    Partial {
        /// Where the transport header begins.
        start: u16,
        /// Where in it the field is.
        offset: u16,
    },
}

/// The header, of the parts that matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// The checksum.
    pub sum: Sum,
    /// What the frame stands for.
    pub gso: Gso,
    /// Length of all headers in bytes, where `gso` is not `None`: a hint for the device.
    pub header_len: u16,
}

impl VnetHeader {
    /// Takes the header off `bytes`: it and the frame behind it. None for what is too short, points
    /// outside of the frame or is of a kind that was never asked for.
    pub fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (header, frame) = bytes.split_first_chunk::<VNET_HEADER_LEN>()?;
        let [flags, kind, h0, h1, g0, g1, s0, s1, o0, o1] = *header;
        let size = u16::from_le_bytes([g0, g1]);
        let gso = match kind & !GSO_ECN {
            GSO_NONE => Gso::None,
            GSO_TCPV4 => Gso::TcpV4(size),
            GSO_TCPV6 => Gso::TcpV6(size),
            GSO_UDP => Gso::UdpFragments,
            GSO_UDP_L4 if size > 0 => Gso::UdpDatagrams(size),
            _ => return None,
        };
        let sum = if flags & NEEDS_CSUM != 0 {
            let (start, offset) = (u16::from_le_bytes([s0, s1]), u16::from_le_bytes([o0, o1]));
            if usize::from(start) + usize::from(offset) + 2 > frame.len() {
                return None;
            }
            Sum::Partial { start, offset }
        } else if flags & DATA_VALID != 0 {
            Sum::Verified
        } else {
            Sum::Whole
        };
        let header_len = u16::from_le_bytes([h0, h1]);
        Some((
            Self {
                sum,
                gso,
                header_len,
            },
            frame,
        ))
    }

    /// The header's bytes.
    pub fn emit(&self) -> [u8; VNET_HEADER_LEN] {
        let (flags, start, offset) = match self.sum {
            Sum::Whole => (0, 0, 0),
            Sum::Verified => (DATA_VALID, 0, 0),
            Sum::Partial { start, offset } => (NEEDS_CSUM, start, offset),
        };
        let (kind, size) = match self.gso {
            Gso::None => (GSO_NONE, 0),
            Gso::TcpV4(size) => (GSO_TCPV4, size),
            Gso::TcpV6(size) => (GSO_TCPV6, size),
            Gso::UdpFragments => (GSO_UDP, 0),
            Gso::UdpDatagrams(size) => (GSO_UDP_L4, size),
        };
        let [h0, h1] = self.header_len.to_le_bytes();
        let [g0, g1] = size.to_le_bytes();
        let [s0, s1] = start.to_le_bytes();
        let [o0, o1] = offset.to_le_bytes();
        [flags, kind, h0, h1, g0, g1, s0, s1, o0, o1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_its_bytes() {
        let header = VnetHeader {
            sum: Sum::Partial {
                start: 34,
                offset: 16,
            },
            gso: Gso::TcpV4(1448),
            header_len: 66,
        };
        let mut bytes = header.emit().to_vec();
        bytes.extend_from_slice(&[0; 80]);
        let (parsed, frame) = VnetHeader::parse(&bytes).expect("a header");
        assert_eq!((parsed, frame.len()), (header, 80));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let zero = [0_u8; VNET_HEADER_LEN];
        assert!(VnetHeader::parse(&zero[..9]).is_none(), "too short");
        assert!(
            VnetHeader::parse(&zero).is_some(),
            "an empty frame is the next layer's"
        );
        let refused: [(&str, [u8; 10]); 4] = [
            ("a checksum outside", [1, 0, 0, 0, 0, 0, 8, 0, 1, 0]),
            (
                "sums that overflow",
                [1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            ),
            ("an unknown kind", [0, 2, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("datagrams of no length", [0, 5, 0, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (what, header) in refused {
            let mut bytes = header.to_vec();
            bytes.extend_from_slice(&[0; 10]);
            assert!(VnetHeader::parse(&bytes).is_none(), "{what}");
        }
        let ecn = [0, 0x81, 54, 0, 0xa8, 5, 0, 0, 0, 0];
        assert_eq!(
            VnetHeader::parse(&ecn).map(|(header, _)| header.gso),
            Some(Gso::TcpV4(1448))
        );
    }
}
