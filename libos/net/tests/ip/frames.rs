//! Frames made by hand, and what is read of those that come out.

use std::net::IpAddr;

use libos_net::checksum;
use libos_net::config::Mac;
use smoltcp::wire::checksum as sum;

pub const PEER: Mac = Mac([2, 0, 0, 0, 0, 9]);
pub const HOST: Mac = Mac([2, 0, 0, 0, 0, 1]);
pub const ALL: Mac = Mac([0xff; 6]);

pub fn ethernet(to: Mac, from: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to.0[..], &from.0, &kind.to_be_bytes(), payload].concat()
}

/// An IPv4 packet, with a place in a larger one.
pub fn ipv4_piece(
    from: &str,
    to: &str,
    protocol: u8,
    place: u16,
    identification: u16,
    payload: &[u8],
) -> Vec<u8> {
    let octets = |text: &str| match text.parse().expect("an address") {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(_) => panic!("{text}"),
    };
    let total = u16::try_from(20 + payload.len()).expect("short");
    let mut header = vec![0x45, 0];
    header.extend(total.to_be_bytes());
    header.extend(identification.to_be_bytes());
    header.extend(place.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(octets(from));
    header.extend(octets(to));
    let value = !sum::data(&header);
    header[10..12].copy_from_slice(&value.to_be_bytes());
    header.extend(payload);
    header
}

pub fn ipv4(from: &str, to: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_piece(from, to, protocol, 0x4000, 0, payload)
}

pub fn ipv6(from: &str, to: &str, next: u8, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let octets = |text: &str| match text.parse().expect("an address") {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(_) => panic!("{text}"),
    };
    let len = u16::try_from(payload.len()).expect("short");
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([next, hop_limit]);
    packet.extend(octets(from));
    packet.extend(octets(to));
    packet.extend(payload);
    packet
}

/// A segment with its checksum at `at` right.
pub fn summed(from: &str, to: &str, protocol: u8, at: usize, mut segment: Vec<u8>) -> Vec<u8> {
    let (from, to) = (from.parse().expect("one"), to.parse().expect("one"));
    let pseudo = checksum::pseudo_header(from, to, protocol, segment.len());
    checksum::fill(&mut segment, at, pseudo);
    segment
}

pub fn udp(from: &str, to: &str, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).expect("short");
    let mut segment = Vec::new();
    segment.extend(ports.0.to_be_bytes());
    segment.extend(ports.1.to_be_bytes());
    segment.extend(len.to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(payload);
    summed(from, to, 17, 6, segment)
}

/// A UDP datagram in a frame from the peer to the host.
pub fn udp_frame(from: &str, to: &str, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let segment = udp(from, to, ports, payload);
    if to.contains(':') {
        ethernet(HOST, PEER, 0x86dd, &ipv6(from, to, 17, 64, &segment))
    } else {
        ethernet(HOST, PEER, 0x0800, &ipv4(from, to, 17, &segment))
    }
}

/// An ICMPv4 message in a frame from the peer to the host.
pub fn icmp_frame(from: &str, to: &str, mut message: Vec<u8>) -> Vec<u8> {
    checksum::fill(&mut message, 2, 0);
    ethernet(HOST, PEER, 0x0800, &ipv4(from, to, 1, &message))
}

/// An ICMPv6 message in a frame to a station.
pub fn icmp6_frame(station: Mac, from: &str, to: &str, hop_limit: u8, message: Vec<u8>) -> Vec<u8> {
    let message = summed(from, to, 58, 2, message);
    ethernet(
        station,
        PEER,
        0x86dd,
        &ipv6(from, to, 58, hop_limit, &message),
    )
}

/// An ARP packet in a frame to a station.
pub fn arp_frame(
    station: Mac,
    operation: u8,
    mac: Mac,
    sender: [u8; 4],
    target: [u8; 4],
) -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, operation];
    packet.extend(mac.0);
    packet.extend(sender);
    packet.extend([0; 6]);
    packet.extend(target);
    ethernet(station, mac, 0x0806, &packet)
}

/// Type of an Ethernet frame.
pub fn kind(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[12], frame[13]])
}

/// Whom an Ethernet frame is to.
pub fn station(frame: &[u8]) -> Mac {
    Mac(frame[..6].try_into().expect("a frame"))
}

/// The protocol of the IPv4 packet in a frame, and what is behind its header.
pub fn inside(frame: &[u8]) -> (u8, &[u8]) {
    assert_eq!(kind(frame), 0x0800, "{frame:02x?}");
    let header_len = usize::from(frame[14] & 15) * 4;
    (frame[23], &frame[14 + header_len..])
}
