//! ICMP messages that the helper makes: errors about the guest's packets, and answers to its pings.
//!
//! Pure: bytes only. Checksums of the ICMP message are filled in by the stack.

use libos_net::address::Flow;
use libos_net::owner::Unreachable;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

/// Protocol number of TCP.
pub const TCP: u8 = 6;

/// Protocol number of UDP.
pub const UDP: u8 = 17;

/// An error about a packet that the guest sent to `flow.local`: the whole message, the packet's headers quoted as far
/// as its receiver looks at them. None for what is no error of this kind.
pub fn unreachable(flow: Flow, protocol: u8, what: Unreachable) -> Option<Vec<u8>> {
    let ports = [
        flow.remote.port().to_be_bytes(),
        flow.local.port().to_be_bytes(),
    ]
    .concat();
    let quoted = [&ports[..], &[0, 8, 0, 0]].concat();
    match (flow.remote, flow.local) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            let code = match what {
                Unreachable::Network => 0,
                Unreachable::Host => 1,
                Unreachable::Port => 3,
                Unreachable::Prohibited => 13,
                _ => return None,
            };
            let mut message = vec![3, code, 0, 0, 0, 0, 0, 0];
            message.extend(ipv4_header(from, to, protocol));
            message.extend(quoted);
            Some(message)
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            let code = match what {
                Unreachable::Network => 0,
                Unreachable::Prohibited => 1,
                Unreachable::Host => 3,
                Unreachable::Port => 4,
                _ => return None,
            };
            let mut message = vec![1, code, 0, 0, 0, 0, 0, 0];
            message.extend(ipv6_header(from, to, protocol));
            message.extend(quoted);
            Some(message)
        }
        _ => None,
    }
}

fn ipv4_header(from: SocketAddrV4, to: SocketAddrV4, protocol: u8) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    header.extend(from.ip().octets());
    header.extend(to.ip().octets());
    let checksum = checksum(&header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

fn ipv6_header(from: SocketAddrV6, to: SocketAddrV6, protocol: u8) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, 8, protocol, 64];
    header.extend(from.ip().octets());
    header.extend(to.ip().octets());
    header
}

/// The internet checksum (RFC 1071) of whole words.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks_exact(2)
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// The answer to an echo request: the same message with the other type. None for one that is too short.
pub fn echo_reply(request: &[u8], is_v6: bool) -> Option<Vec<u8>> {
    let mut reply = request.get(..8).map(|_| request.to_vec())?;
    reply[0] = if is_v6 { 129 } else { 0 };
    reply[2..4].fill(0);
    Some(reply)
}

/// Puts the guest's identifier into a reply that came through a ping socket, which has its own. False for
/// what is no reply.
pub fn rename_reply(reply: &mut [u8], is_v6: bool, identifier: u16) -> bool {
    let expected = if is_v6 { 129 } else { 0 };
    if reply.len() < 8 || reply[0] != expected {
        return false;
    }
    reply[2..4].fill(0);
    reply[4..6].copy_from_slice(&identifier.to_be_bytes());
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::wire::{Icmpv4Packet, Icmpv6Packet, Ipv4Packet, Ipv6Packet};

    fn flow(local: &str, remote: &str) -> Flow {
        let parse = |text: &str| text.parse().expect("an address");
        Flow {
            local: parse(local),
            remote: parse(remote),
        }
    }

    #[test]
    fn an_ipv4_error_quotes_the_packet() {
        let flow = flow("192.0.2.1:53", "10.0.2.15:4000");
        let message = unreachable(flow, UDP, Unreachable::Port).expect("an error");
        let packet = Icmpv4Packet::new_checked(&message[..]).expect("a message");
        assert_eq!((u8::from(packet.msg_type()), packet.msg_code()), (3, 3));
        let quoted = Ipv4Packet::new_unchecked(packet.data());
        assert!(quoted.verify_checksum());
        assert_eq!(quoted.src_addr().to_string(), "10.0.2.15");
        assert_eq!(quoted.dst_addr().to_string(), "192.0.2.1");
        assert_eq!(message[28..32], [0x0f, 0xa0, 0, 53]);
    }

    #[test]
    fn an_ipv6_error_quotes_the_packet() {
        let flow = flow("[2001:db8::1]:80", "[fd00::15]:4000");
        let message = unreachable(flow, TCP, Unreachable::Host).expect("an error");
        let packet = Icmpv6Packet::new_checked(&message[..]).expect("a message");
        assert_eq!((u8::from(packet.msg_type()), packet.msg_code()), (1, 3));
        let quoted = Ipv6Packet::new_unchecked(&message[8..]);
        assert_eq!(quoted.dst_addr().to_string(), "2001:db8::1");
        assert_eq!(u8::from(quoted.next_header()), TCP);
    }

    #[test]
    fn mixed_versions_and_other_errors_give_none() {
        let mixed = flow("192.0.2.1:53", "[fd00::15]:4000");
        assert_eq!(unreachable(mixed, UDP, Unreachable::Port), None);
        let flow = flow("192.0.2.1:53", "10.0.2.15:4000");
        assert_eq!(unreachable(flow, UDP, Unreachable::TooBig(1500)), None);
    }

    #[test]
    fn echoes_are_turned_and_renamed() {
        let request = [8, 0, 9, 9, 0x12, 0x34, 0, 1, b'x'];
        let mut reply = echo_reply(&request, false).expect("long enough");
        assert_eq!(reply, [0, 0, 0, 0, 0x12, 0x34, 0, 1, b'x']);
        assert!(rename_reply(&mut reply, false, 0xabcd));
        assert_eq!(reply[4..6], [0xab, 0xcd]);
        assert!(
            !rename_reply(&mut [3, 0, 0, 0, 0, 0, 0, 0], false, 1),
            "an error is no reply"
        );
        assert_eq!(echo_reply(&request[..7], false), None);
    }
}
