//! What is left to do on a packet's transport part: by the device where it can, else here.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use alloc::vec::Vec;

use super::header::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, protocol, set_ipv4_checksum};
use super::interface::HEADROOM;
use crate::bytes::{array_at, u16_at, u32_at};
use crate::checksum;
use crate::config::Offloads;
use crate::link::ethernet;
use crate::output::Completion;
use crate::vnet::{Gso, Sum, VnetHeader};

/// Where things are in a packet of ours: no IPv6 extension headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    /// Length of the IP header.
    pub(crate) header_len: usize,
}

impl Shape {
    /// Reads a packet's header; none if it is none of ours.
    pub(crate) fn of(packet: &[u8]) -> Option<Self> {
        let first = *packet.first()?;
        match first >> 4 {
            4 => Some(Self {
                source: IpAddr::V4(Ipv4Addr::from(array_at::<4>(packet, 12)?)),
                destination: IpAddr::V4(Ipv4Addr::from(array_at::<4>(packet, 16)?)),
                protocol: *packet.get(9)?,
                header_len: usize::from(first & 0x0f) * 4,
            }),
            6 => Some(Self {
                source: IpAddr::V6(Ipv6Addr::from(array_at::<16>(packet, 8)?)),
                destination: IpAddr::V6(Ipv6Addr::from(array_at::<16>(packet, 24)?)),
                protocol: *packet.get(6)?,
                header_len: IPV6_HEADER_LEN,
            }),
            _ => None,
        }
    }

    /// Where the checksum is in the transport header.
    fn checksum_at(self) -> Option<usize> {
        match self.protocol {
            protocol::TCP => Some(16),
            protocol::UDP => Some(6),
            protocol::ICMPV6 => Some(2),
            _ => None,
        }
    }

    /// Length of the IP and TCP headers.
    fn tcp_headers(self, packet: &[u8]) -> Option<usize> {
        if self.protocol != protocol::TCP {
            return None;
        }
        let offset = packet.get(self.header_len + 12)? >> 4;
        let len = self.header_len + usize::from(offset) * 4;
        (usize::from(offset) >= 5 && len <= packet.len()).then_some(len)
    }
}

/// What is to be done on a packet that may be longer than `mtu`: TCP segments that are too long are
/// cut again, on whatever path they go. None for what cannot be sent so.
pub(crate) fn fit(packet: &[u8], completion: Completion, mtu: usize) -> Option<Completion> {
    if let Completion::Segments(size) = completion {
        let headers = Shape::of(packet)?.tcp_headers(packet)?;
        let room = u16::try_from(mtu.checked_sub(headers)?).unwrap_or(u16::MAX);
        return (room > 0 && size > 0).then_some(Completion::Segments(size.min(room)));
    }
    if packet.len() <= mtu {
        return Some(completion);
    }
    let headers = Shape::of(packet)?.tcp_headers(packet)?;
    let room = u16::try_from(mtu.checked_sub(headers)?).ok()?;
    (room > 0).then_some(Completion::Segments(room))
}

/// Makes `packet` ready for a device: what it does not do is done here. None if it is to be cut, and
/// the device does not cut: [`cut`] does.
pub(crate) fn finish(
    packet: &mut [u8],
    completion: Completion,
    offloads: Offloads,
) -> Option<VnetHeader> {
    if completion == Completion::Whole {
        return Some(VnetHeader::default());
    }
    let shape = Shape::of(packet)?;
    let segment = packet.get_mut(shape.header_len..)?;
    let at = shape.checksum_at()?;
    let pseudo = checksum::pseudo_header(
        shape.source,
        shape.destination,
        shape.protocol,
        segment.len(),
    );
    let gso = match (completion, shape.source) {
        (Completion::Segments(_), _) if !(offloads.segmentation && offloads.vnet_header) => {
            return None;
        }
        (Completion::Segments(size), IpAddr::V4(_)) => Gso::TcpV4(size),
        (Completion::Segments(size), IpAddr::V6(_)) => Gso::TcpV6(size),
        _ => Gso::None,
    };
    if gso == Gso::None && !(offloads.checksum && offloads.vnet_header) {
        if shape.protocol == protocol::UDP {
            checksum::fill_udp(segment, at, pseudo);
        } else {
            checksum::fill(segment, at, pseudo);
        }
        return Some(VnetHeader::default());
    }
    segment
        .get_mut(at..at + 2)?
        .copy_from_slice(&pseudo.to_be_bytes());
    let headers = match gso {
        Gso::None => 0,
        _ => ethernet::HEADER_LEN + shape.tcp_headers(packet)?,
    };
    Some(VnetHeader {
        sum: Sum::Partial {
            start: u16::try_from(ethernet::HEADER_LEN + shape.header_len).ok()?,
            offset: u16::try_from(at).ok()?,
        },
        gso,
        header_len: u16::try_from(headers).ok()?,
    })
}

/// Cuts a TCP packet into segments of at most `size` bytes of payload, as a device would. Each is
/// built behind [`HEADROOM`] bytes in `piece`, and handed to `each` complete.
pub(crate) fn cut(packet: &[u8], size: u16, piece: &mut Vec<u8>, each: &mut dyn FnMut(&mut [u8])) {
    let Some((shape, headers)) =
        Shape::of(packet).and_then(|shape| Some((shape, shape.tcp_headers(packet)?)))
    else {
        return;
    };
    let (front, payload) = packet.split_at(headers);
    let sequence = u32_at(packet, shape.header_len + 4).unwrap_or(0);
    let mut at = 0;
    // A packet without payload is one segment.
    while at < payload.len() || at == 0 {
        let chunk = payload.get(at..).unwrap_or(&[]);
        let chunk = chunk.get(..usize::from(size).max(1)).unwrap_or(chunk);
        let is_last = at + chunk.len() >= payload.len();
        piece.clear();
        piece.resize(HEADROOM, 0);
        piece.extend_from_slice(front);
        piece.extend_from_slice(chunk);
        if let Some(segment) = piece.get_mut(HEADROOM..) {
            let sequence = sequence.wrapping_add(u32::try_from(at).unwrap_or(0));
            adjust(segment, shape, sequence, at == 0, is_last);
            number(segment, shape, at / usize::from(size).max(1));
        }
        each(piece);
        if is_last {
            return;
        }
        at += chunk.len();
    }
}

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// Makes the TCP header that of one segment, and completes its checksum.
fn adjust(packet: &mut [u8], shape: Shape, sequence: u32, is_first: bool, is_last: bool) {
    let Some(tcp) = packet.get_mut(shape.header_len..) else {
        return;
    };
    if let Some(field) = tcp.get_mut(4..8) {
        field.copy_from_slice(&sequence.to_be_bytes());
    }
    if let Some(flags) = tcp.get_mut(13) {
        if !is_last {
            *flags &= !(FIN | PSH);
        }
        if !is_first {
            *flags &= !CWR;
        }
    }
    let pseudo = checksum::pseudo_header(shape.source, shape.destination, protocol::TCP, tcp.len());
    checksum::fill(tcp, 16, pseudo);
}

/// Makes the IP header that of the segment with number `index`.
fn number(packet: &mut [u8], shape: Shape, index: usize) {
    let is_v4 = shape.source.is_ipv4();
    let fixed = if is_v4 { 0 } else { IPV6_HEADER_LEN };
    let len = u16::try_from(packet.len().saturating_sub(fixed)).unwrap_or(0);
    let at = if is_v4 { 2 } else { 4 };
    if let Some(field) = packet.get_mut(at..at + 2) {
        field.copy_from_slice(&len.to_be_bytes());
    }
    if !is_v4 {
        return;
    }
    let index = u16::try_from(index).unwrap_or(0);
    let identification = u16_at(packet, 4).unwrap_or(0).wrapping_add(index);
    if let Some(field) = packet.get_mut(4..6) {
        field.copy_from_slice(&identification.to_be_bytes());
    }
    let len = shape.header_len.max(IPV4_HEADER_LEN);
    if let Some(header) = packet.get_mut(..len) {
        set_ipv4_checksum(header);
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::Header;
    use super::*;

    /// A TCP packet with FIN, PSH and CWR.
    fn packet(source: &str, destination: &str, payload: usize) -> Vec<u8> {
        let header = Header {
            source: source.parse().expect("an address"),
            destination: destination.parse().expect("an address"),
            protocol: protocol::TCP,
            hop_limit: 64,
            traffic_class: 0,
            dont_fragment: true,
            identification: 7,
        };
        let mut packet = alloc::vec![0; header.len() + 20 + payload];
        header.emit(&mut packet);
        let tcp = &mut packet[header.len()..];
        tcp[4..8].copy_from_slice(&0xffff_fff0_u32.to_be_bytes());
        tcp[12] = 5 << 4;
        tcp[13] = FIN | PSH | CWR | 0x10;
        for (index, byte) in tcp[20..].iter_mut().enumerate() {
            *byte = index.to_le_bytes()[0];
        }
        packet
    }

    #[test]
    fn a_long_packet_is_cut_like_a_device_cuts_it() {
        for (source, destination) in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
            let whole = packet(source, destination, 2500);
            let shape = Shape::of(&whole).expect("a packet");
            let mut pieces = Vec::new();
            cut(&whole, 1000, &mut Vec::new(), &mut |frame| {
                pieces.push(frame[HEADROOM..].to_vec());
            });
            assert_eq!(pieces.len(), 3);
            let mut data = Vec::new();
            for (index, piece) in pieces.iter().enumerate() {
                let tcp = &piece[shape.header_len..];
                assert!(checksum::is_good(shape.source, shape.destination, 6, tcp));
                let at = u32::try_from(data.len()).expect("short");
                assert_eq!(u32_at(tcp, 4), Some(0xffff_fff0_u32.wrapping_add(at)));
                assert_eq!(tcp[13] & CWR != 0, index == 0);
                assert_eq!(tcp[13] & (FIN | PSH) != 0, index == 2);
                if shape.source.is_ipv4() {
                    assert!(checksum::is_good_alone(&piece[..20]));
                    assert_eq!(u16_at(piece, 4).map(usize::from), Some(7 + index));
                    assert_eq!(u16_at(piece, 2).map(usize::from), Some(piece.len()));
                } else {
                    assert_eq!(u16_at(piece, 4).map(usize::from), Some(piece.len() - 40));
                }
                data.extend_from_slice(&tcp[20..]);
            }
            assert_eq!(data, whole[shape.header_len + 20..]);
        }
    }

    #[test]
    fn a_device_gets_what_it_does() {
        let all = Offloads {
            vnet_header: true,
            checksum: true,
            segmentation: true,
        };
        let mut whole = packet("10.0.0.1", "10.0.0.2", 5000);
        let header = finish(&mut whole, Completion::Segments(1460), all).expect("it cuts");
        assert_eq!(header.gso, Gso::TcpV4(1460));
        assert_eq!(header.header_len, 54);
        let (start, offset) = (34, 16);
        assert_eq!(header.sum, Sum::Partial { start, offset });
        // What the device then does makes it right.
        let pseudo = u16_at(&whole, 36).expect("a field");
        checksum::fill(&mut whole[20..], 16, pseudo);
        let (source, destination) = ("10.0.0.1".parse(), "10.0.0.2".parse());
        let (source, destination) = (source.expect("one"), destination.expect("one"));
        assert!(checksum::is_good(source, destination, 6, &whole[20..]));

        let none = Offloads::default();
        assert!(finish(&mut whole, Completion::Segments(1460), none).is_none());
        let header = finish(&mut whole, Completion::Checksum, none).expect("it is done here");
        assert_eq!(header, VnetHeader::default());
        assert!(checksum::is_good(source, destination, 6, &whole[20..]));
    }

    #[test]
    fn segments_fit_the_path() {
        let long = packet("10.0.0.1", "10.0.0.2", 1460);
        let fitted = |completion, mtu| fit(&long, completion, mtu);
        assert_eq!(fitted(Completion::Whole, 1500), Some(Completion::Whole));
        assert_eq!(
            fitted(Completion::Whole, 1400),
            Some(Completion::Segments(1360))
        );
        assert_eq!(
            fitted(Completion::Segments(1460), 1400),
            Some(Completion::Segments(1360))
        );
        assert_eq!(
            fitted(Completion::Segments(500), 1400),
            Some(Completion::Segments(500))
        );
        assert_eq!(fitted(Completion::Whole, 40), None, "no room for payload");
        let mut datagram = long.clone();
        datagram[9] = protocol::UDP;
        assert_eq!(fit(&datagram, Completion::Whole, 1400), None);
        assert_eq!(fit(&[], Completion::Segments(1), 1400), None);
    }
}
