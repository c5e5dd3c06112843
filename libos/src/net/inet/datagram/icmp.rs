//! ICMP messages of echo and raw sockets (icmp(7), raw(7)): what is filled in on the way out, what
//! loopback answers, and the IP header that a raw socket sees.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::counters;
use super::errors::Meaning;
use super::queue::Parcel;
use super::send::ends;
use super::{DatagramSocket, Transport};
use libos_net::owner::DatagramError;

use crate::errno::{Errno, Result};
use crate::net::inet::loopback;

/// Length of an ICMP echo header, in bytes.
const HEADER: usize = 8;

/// Length of an IPv4 header without options, in bytes.
pub const IP_HEADER: usize = 20;

/// Message types: request and reply of ICMP and of ICMPv6.
const REQUEST_V4: u8 = 8;
const REPLY_V4: u8 = 0;
const REQUEST_V6: u8 = 128;
const REPLY_V6: u8 = 129;

/// Completes a message of an echo socket: its identifier is the socket's, its checksum is right.
///
/// # Errors
/// EINVAL for a message that is too short, or no echo request.
pub fn prepare_echo(message: &mut [u8], from: SocketAddr, to: SocketAddr) -> Result<()> {
    let request = if to.is_ipv4() { REQUEST_V4 } else { REQUEST_V6 };
    if message.len() < HEADER || message[0] != request || message[1] != 0 {
        return Err(Errno::EINVAL.because("an echo socket sends echo requests"));
    }
    message[4..6].copy_from_slice(&from.port().to_be_bytes());
    fill_checksum(message, from.ip(), to.ip());
    Ok(())
}

/// Completes a message of a raw socket: ICMPv6 gets its checksum, ICMP comes with its own.
pub fn prepare_raw(message: &mut [u8], from: SocketAddr, to: SocketAddr) {
    if to.is_ipv6() && message.len() >= 4 {
        fill_checksum(message, from.ip(), to.ip());
    }
}

fn fill_checksum(message: &mut [u8], from: IpAddr, to: IpAddr) {
    message[2..4].fill(0);
    let sum = checksum(message, from, to);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
}

/// The internet checksum of an ICMP message (RFC 1071), for ICMPv6 with its pseudo-header (RFC 8200).
fn checksum(message: &[u8], from: IpAddr, to: IpAddr) -> u16 {
    const ICMPV6: u64 = 58;
    let mut sum = add(0, message);
    if let (IpAddr::V6(from), IpAddr::V6(to)) = (from, to) {
        sum = add(add(sum, &from.octets()), &to.octets());
        sum += ICMPV6 + message.len() as u64;
    }
    fold(sum)
}

fn add(sum: u64, bytes: &[u8]) -> u64 {
    let words = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u64::from(u16::from_be_bytes([*high, *low])),
        rest => u64::from(rest[0]) << 8,
    });
    sum + words.sum::<u64>()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// The IP header of an IPv4 parcel, as a raw socket sees it.
pub fn ip_header(parcel: &Parcel) -> [u8; IP_HEADER] {
    const ICMP: u8 = 1;
    let mut header = [0; IP_HEADER];
    let len = u16::try_from(IP_HEADER + parcel.payload.len()).unwrap_or(u16::MAX);
    header[0] = 0x45;
    header[1] = parcel.traffic_class;
    header[2..4].copy_from_slice(&len.to_be_bytes());
    header[8] = parcel.hop_limit;
    header[9] = ICMP;
    if let (IpAddr::V4(from), IpAddr::V4(to)) = (parcel.from.ip(), parcel.to.ip()) {
        header[12..16].copy_from_slice(&from.octets());
        header[16..20].copy_from_slice(&to.octets());
    }
    let sum = fold(add(0, &header));
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

/// The message of an ICMP error, as raw sockets see it (traceroute(8)): its header, and the headers of
/// the datagram that it is about, as far as they are known.
pub fn error_message(error: &DatagramError, what: Meaning) -> Parcel {
    const UDP: u8 = 17;
    let (local, remote) = (error.flow.local, error.flow.remote);
    let [kind, code] = what.icmp;
    let mtu = u16::try_from(what.info).unwrap_or(u16::MAX).to_be_bytes();
    let mut message = alloc::vec![kind, code, 0, 0, 0, 0, mtu[0], mtu[1]];
    message.extend(quoted_ip_header(error));
    message.extend_from_slice(&local.port().to_be_bytes());
    message.extend_from_slice(&remote.port().to_be_bytes());
    // The length of an empty UDP datagram; its checksum is not known.
    let len = if error.protocol == UDP { HEADER } else { 0 };
    message.extend_from_slice(&[0, u8::try_from(len).unwrap_or(0), 0, 0]);
    fill_checksum(&mut message, error.by, local.ip());
    Parcel {
        from: SocketAddr::new(error.by, 0),
        to: SocketAddr::new(local.ip(), 0),
        interface: 0,
        hop_limit: crate::net::inet::options::DEFAULT_TTL,
        traffic_class: 0,
        payload: message,
        segment: 0,
        arrived_ns: 0,
    }
}

fn quoted_ip_header(error: &DatagramError) -> Vec<u8> {
    match (error.flow.local.ip(), error.flow.remote.ip()) {
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let head = [0x60, 0, 0, 0, 0, 8, error.protocol, 1];
            [&head[..], &from.octets(), &to.octets()].concat()
        }
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let head = [0x45, 0, 0, 28, 0, 0, 0, 0, 1, error.protocol, 0, 0];
            [&head[..], &from.octets(), &to.octets()].concat()
        }
        _ => Vec::new(),
    }
}

/// A message to this system: raw sockets see it, and an echo request is answered.
pub fn loop_back(mut parcel: Parcel) {
    count_looped(&parcel);
    let (from, to) = (parcel.from, parcel.to);
    parcel.from.set_port(0);
    parcel.to.set_port(0);
    announce(give_to_raw(&parcel));
    let is_v4 = to.is_ipv4();
    let (request, reply) = if is_v4 {
        (REQUEST_V4, REPLY_V4)
    } else {
        (REQUEST_V6, REPLY_V6)
    };
    let kind = parcel.payload.first().copied();
    if parcel.payload.len() < HEADER {
        return;
    }
    if kind == Some(reply) {
        announce(give_to_echo(parcel));
        return;
    }
    if kind != Some(request) || to.ip().is_multicast() || super::reach::is_broadcast(to.ip()) {
        return;
    }
    let mut answer = parcel;
    answer.payload[0] = reply;
    fill_checksum(&mut answer.payload, to.ip(), from.ip());
    answer.from = SocketAddr::new(to.ip(), 0);
    answer.to = SocketAddr::new(from.ip(), 0);
    answer.hop_limit = crate::net::inet::options::DEFAULT_TTL;
    count_looped(&answer);
    announce(give_to_raw(&answer));
    announce(give_to_echo(answer));
}

fn count_looped(parcel: &Parcel) {
    loopback::count_packet(parcel.to.ip(), parcel.payload.len() + IP_HEADER);
    if let Some(&kind) = parcel.payload.first() {
        counters::add_looped_icmp(parcel.to.ip(), kind);
    }
}

/// Sockets that took something, for whoever announces it.
pub type Takers = Vec<alloc::sync::Arc<DatagramSocket>>;

fn announce(takers: Takers) {
    takers.iter().for_each(|socket| socket.announce_arrival());
}

/// Gives an ICMP message to the raw sockets that want it.
pub fn give_to_raw(parcel: &Parcel) -> Takers {
    let Some(&kind) = parcel.payload.first() else {
        return Vec::new();
    };
    let mut takers = Transport::Raw.table().lock().find_all(0, &ends(parcel));
    // A raw socket of IPv6 hears ICMPv6 only.
    takers.retain(|socket| {
        let same_version =
            (socket.family == crate::net::inet::address::Family::V4) == parcel.to.is_ipv4();
        let wants = socket.state.lock().own.wants(kind);
        same_version && wants && socket.admit(parcel.clone())
    });
    takers
}

/// Gives an echo reply to the echo socket whose identifier it bears.
pub fn give_to_echo(mut parcel: Parcel) -> Takers {
    let identifier = u16::from_be_bytes([parcel.payload[4], parcel.payload[5]]);
    parcel.to.set_port(identifier);
    let found = {
        let table = Transport::Echo.table().lock();
        table.find(identifier, &ends(&parcel), || 0)
    };
    match found {
        Some(socket) if socket.admit(parcel) => alloc::vec![socket],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().expect("an address"), 0x1234)
    }

    #[test]
    fn echo_requests_are_completed_and_others_refused() {
        let (from, to) = (address("127.0.0.1"), address("127.0.0.1"));
        let mut message = *b"\x08\x00\xff\xff\0\0\0\x01hi!";
        prepare_echo(&mut message, from, to).expect("a request");
        assert_eq!(message[4..6], [0x12, 0x34]);
        assert_eq!(checksum(&message, from.ip(), to.ip()), 0);
        for refused in [
            &b"\x08\0\0\0\0\0\0"[..],
            b"\0\0\0\0\0\0\0\0",
            b"\x08\x01\0\0\0\0\0\0",
        ] {
            let mut message = refused.to_vec();
            assert_eq!(prepare_echo(&mut message, from, to), Err(Errno::EINVAL));
        }
        let (from, to) = (address("::1"), address("::1"));
        let mut message = *b"\x80\x00\0\0\0\0\0\x01";
        prepare_echo(&mut message, from, to).expect("a request");
        assert_eq!(checksum(&message, from.ip(), to.ip()), 0);
    }

    #[test]
    fn an_error_quotes_its_datagram() {
        use libos_net::address::Flow;
        use libos_net::owner::Unreachable;
        let error = DatagramError {
            protocol: 17,
            flow: Flow {
                local: SocketAddr::from(([10, 0, 0, 2], 0x1234)),
                remote: SocketAddr::from(([10, 0, 0, 1], 33_434)),
            },
            by: "10.0.0.1".parse().expect("an address"),
            what: Unreachable::Port,
        };
        let what = super::super::errors::meaning(error.what, true);
        let parcel = error_message(&error, what);
        let message = &parcel.payload;
        assert_eq!((message[0], message[1], message.len()), (3, 3, 36));
        assert_eq!(message[17], 17, "the protocol of the quoted header");
        assert_eq!(message[28..32], [0x12, 0x34, 0x82, 0x9a]);
        assert_eq!(checksum(message, parcel.from.ip(), parcel.to.ip()), 0);
    }

    #[test]
    fn raw_sockets_see_a_right_header() {
        let parcel = Parcel {
            from: address("127.0.0.1"),
            to: address("127.0.0.2"),
            interface: 1,
            hop_limit: 9,
            traffic_class: 4,
            payload: std::vec![0; 8],
            segment: 0,
            arrived_ns: 0,
        };
        let header = ip_header(&parcel);
        assert_eq!(header[..4], [0x45, 4, 0, 28]);
        assert_eq!(fold(add(0, &header)), 0);
    }
}
