//! Control messages of datagram sockets (ip(7), ipv6(7), udp(7)): what a send asks for itself, what a
//! receive tells.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use linux_raw_sys::net::SOL_SOCKET;

use super::errors::QueuedError;
use super::queue::Parcel;
use super::settings::{IPV6_2292HOPLIMIT, IPV6_2292PKTINFO, SOL_UDP, UDP_GRO, UDP_SEGMENT};
use crate::errno::{Errno, Result};
use crate::net::inet::address::{Family, encode};
use crate::net::inet::options::{SOL_IP, SOL_IPV6, Truths, Values};
use crate::net::message::ControlMessage;

const IP_TOS: u32 = 1;
const IP_TTL: u32 = 2;
const IP_PKTINFO: u32 = 8;
const IP_RECVERR: u32 = 11;
const IP_ORIGDSTADDR: u32 = 20;
const IPV6_RECVERR: u32 = 25;
const IPV6_PKTINFO: u32 = 50;
const IPV6_HOPLIMIT: u32 = 52;
const IPV6_DONTFRAG: u32 = 62;
const IPV6_TCLASS: u32 = 67;

/// What one send asks for, beyond the socket's options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The source address.
    pub source: Option<IpAddr>,
    /// Index of the interface; 0 for any.
    pub interface: u32,
    /// Hop limit.
    pub hop_limit: Option<u8>,
    /// Traffic class.
    pub traffic_class: Option<u8>,
    /// UDP_SEGMENT: length of each datagram but the last.
    pub segment: Option<u16>,
    /// IPV6_DONTFRAG.
    pub dont_fragment: Option<bool>,
}

/// Decodes what goes along with a datagram from a socket of `family` to an IPv4 or IPv6 address.
///
/// # Errors
/// EINVAL for messages that Linux does not know or that are malformed.
pub fn parse(family: Family, to_v4: bool, messages: &[ControlMessage]) -> Result<Wishes> {
    let mut wishes = Wishes::default();
    for message in messages {
        let data = &message.data[..];
        match (message.level, message.kind) {
            (SOL_UDP, UDP_SEGMENT) => {
                let bytes = data.try_into().map_err(|_| Errno::EINVAL)?;
                wishes.segment = Some(u16::from_ne_bytes(bytes));
            }
            (SOL_UDP, _) => return Err(Errno::EINVAL),
            (SOL_IPV6, IPV6_PKTINFO) if to_v4 && family == Family::V6 => {
                let (source, interface) = pktinfo6(data)?;
                let mapped = source.to_ipv4_mapped().ok_or(Errno::EINVAL)?;
                (wishes.source, wishes.interface) = (said(mapped.into()), interface);
            }
            (SOL_IP, kind) if to_v4 => wishes.read_v4(kind, data)?,
            (SOL_IPV6, kind) if !to_v4 => wishes.read_v6(kind, data)?,
            // The other version's messages are ignored, as in Linux.
            _ => {}
        }
    }
    Ok(wishes)
}

impl Wishes {
    fn read_v4(&mut self, kind: u32, data: &[u8]) -> Result<()> {
        match kind {
            IP_PKTINFO => {
                let bytes: &[u8; 12] = data.try_into().map_err(|_| Errno::EINVAL)?;
                self.interface = int(&bytes[..4])?.cast_unsigned();
                let [a, b, c, d] = [bytes[4], bytes[5], bytes[6], bytes[7]];
                self.source = said(Ipv4Addr::new(a, b, c, d).into());
            }
            IP_TTL => {
                let value = u8::try_from(int(data)?).map_err(|_| Errno::EINVAL)?;
                self.hop_limit = Some(value).filter(|&value| value > 0);
                self.hop_limit.ok_or(Errno::EINVAL)?;
            }
            IP_TOS => {
                let value = match data {
                    [one] => *one,
                    _ => u8::try_from(int(data)?).map_err(|_| Errno::EINVAL)?,
                };
                self.traffic_class = Some(value);
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    fn read_v6(&mut self, kind: u32, data: &[u8]) -> Result<()> {
        match kind {
            IPV6_PKTINFO => {
                let (source, interface) = pktinfo6(data)?;
                (self.source, self.interface) = (said(source.into()), interface);
            }
            IPV6_HOPLIMIT => self.hop_limit = byte_or_default(data)?,
            IPV6_TCLASS => self.traffic_class = byte_or_default(data)?,
            IPV6_DONTFRAG => self.dont_fragment = Some(int(data)? != 0),
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }
}

fn said(address: IpAddr) -> Option<IpAddr> {
    Some(address).filter(|address| !address.is_unspecified())
}

fn int(data: &[u8]) -> Result<i32> {
    data.try_into()
        .map(i32::from_ne_bytes)
        .map_err(|_| Errno::EINVAL)
}

/// A byte in an int, or -1 for the default.
fn byte_or_default(data: &[u8]) -> Result<Option<u8>> {
    match int(data)? {
        -1 => Ok(None),
        value => u8::try_from(value).map(Some).map_err(|_| Errno::EINVAL),
    }
}

fn pktinfo6(data: &[u8]) -> Result<(Ipv6Addr, u32)> {
    let (address, index) = data.split_first_chunk::<16>().ok_or(Errno::EINVAL)?;
    Ok((Ipv6Addr::from(*address), int(index)?.cast_unsigned()))
}

/// How timestamps are asked for: SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// A `struct timeval`, as a message of this type.
    Micros(u32),
    /// A `struct timespec`, as a message of this type.
    Nanos(u32),
    /// Three `struct timespec`, the first is software's; as a message of this type.
    Software(u32),
}

/// What a receive is to tell.
#[derive(Clone, Copy, Debug)]
pub struct Interest {
    /// The socket's family.
    pub family: Family,
    /// Its options.
    pub values: Values,
    /// Which timestamp.
    pub stamp: Option<Stamp>,
    /// How many datagrams were dropped (SO_RXQ_OVFL), if it is to be told.
    pub dropped: Option<u32>,
    /// Whether trains are told of (UDP_GRO).
    pub trains: bool,
    /// IPV6_2292HOPLIMIT.
    pub old_hop_limit: bool,
    /// IPV6_2292PKTINFO.
    pub old_packet_info: bool,
}

/// What is told of `parcel`. `own` is the address of the interface that it came by, for datagrams to a
/// group.
pub fn tell(
    interest: &Interest,
    parcel: &Parcel,
    own: impl FnOnce() -> IpAddr,
) -> Vec<ControlMessage> {
    let mut found = Told(Vec::new());
    if let Some(stamp) = interest.stamp {
        found.stamp(stamp, parcel.arrived_ns);
    }
    if let Some(dropped) = interest.dropped.filter(|&dropped| dropped > 0) {
        const SO_RXQ_OVFL: u32 = 40;
        found.word(SOL_SOCKET, SO_RXQ_OVFL, dropped.cast_signed());
    }
    if interest.trains && parcel.segment > 0 {
        let segment = i32::try_from(parcel.segment).unwrap_or(i32::MAX);
        found.word(SOL_UDP, UDP_GRO, segment);
    }
    let truths = interest.values.truths;
    let is_v6 = interest.family == Family::V6;
    let info = truths.contains(Truths::PKTINFO6).then_some(IPV6_PKTINFO);
    let old_info = interest.old_packet_info.then_some(IPV6_2292PKTINFO);
    for kind in [info, old_info].into_iter().flatten().filter(|_| is_v6) {
        let to = match parcel.to.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let data = [&to.octets()[..], &parcel.interface.to_ne_bytes()].concat();
        found.put(SOL_IPV6, kind, data);
    }
    match parcel.to.ip() {
        IpAddr::V4(to) => found.v4(truths, parcel, to, own),
        IpAddr::V6(_) if is_v6 => {
            found.v6(truths, parcel);
            if interest.old_hop_limit {
                found.word(SOL_IPV6, IPV6_2292HOPLIMIT, parcel.hop_limit.into());
            }
        }
        IpAddr::V6(_) => {}
    }
    found.0
}

struct Told(Vec<ControlMessage>);

impl Told {
    fn put(&mut self, level: u32, kind: u32, data: Vec<u8>) {
        self.0.push(ControlMessage { level, kind, data });
    }

    fn word(&mut self, level: u32, kind: u32, value: i32) {
        self.put(level, kind, value.to_ne_bytes().to_vec());
    }

    fn stamp(&mut self, stamp: Stamp, at_ns: u64) {
        const NS: u64 = 1_000_000_000;
        let (kind, fraction) = match stamp {
            Stamp::Micros(kind) => (kind, at_ns % NS / 1000),
            Stamp::Nanos(kind) | Stamp::Software(kind) => (kind, at_ns % NS),
        };
        let mut data = [(at_ns / NS).to_ne_bytes(), fraction.to_ne_bytes()].concat();
        if matches!(stamp, Stamp::Software(_)) {
            data.resize(48, 0);
        }
        self.put(SOL_SOCKET, kind, data);
    }

    fn v4(&mut self, truths: Truths, parcel: &Parcel, to: Ipv4Addr, own: impl FnOnce() -> IpAddr) {
        if truths.contains(Truths::PKTINFO) {
            let local = if to.is_multicast() || to.is_broadcast() {
                match own() {
                    IpAddr::V4(own) => own,
                    IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
                }
            } else {
                to
            };
            let index = parcel.interface.to_ne_bytes();
            let data = [index, local.octets(), to.octets()].concat();
            self.put(SOL_IP, IP_PKTINFO, data);
        }
        if truths.contains(Truths::RECVTTL) {
            self.word(SOL_IP, IP_TTL, parcel.hop_limit.into());
        }
        if truths.contains(Truths::RECVTOS) {
            self.put(SOL_IP, IP_TOS, alloc::vec![parcel.traffic_class]);
        }
        if truths.contains(Truths::RECVORIGDSTADDR) {
            let address = encode(Family::V4, parcel.to);
            self.put(SOL_IP, IP_ORIGDSTADDR, address.bytes().to_vec());
        }
    }

    fn v6(&mut self, truths: Truths, parcel: &Parcel) {
        if truths.contains(Truths::RECVHOPLIMIT) {
            self.word(SOL_IPV6, IPV6_HOPLIMIT, parcel.hop_limit.into());
        }
        if truths.contains(Truths::RECVTCLASS) {
            self.word(SOL_IPV6, IPV6_TCLASS, parcel.traffic_class.into());
        }
    }
}

/// What is told of an error, to a socket of `family`: `struct sock_extended_err` and who complained.
pub fn tell_error(family: Family, error: &QueuedError) -> ControlMessage {
    let offender = match error.offender {
        Some(address) => encode(family, SocketAddr::new(address, 0)).bytes().to_vec(),
        None => {
            let len = if family == Family::V4 { 16 } else { 28 };
            alloc::vec![0; len]
        }
    };
    let (level, kind) = match family {
        Family::V4 => (SOL_IP, IP_RECVERR),
        Family::V6 => (SOL_IPV6, IPV6_RECVERR),
    };
    ControlMessage {
        level,
        kind,
        data: [&error.header()[..], &offender].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: u32, kind: u32, data: &[u8]) -> ControlMessage {
        ControlMessage {
            level,
            kind,
            data: data.to_vec(),
        }
    }

    #[test]
    fn wishes_are_read_for_the_destinations_version() {
        let pktinfo = [&2_i32.to_ne_bytes()[..], &[10, 0, 0, 1], &[0; 4]].concat();
        let messages = [
            message(SOL_IP, IP_PKTINFO, &pktinfo),
            message(SOL_IP, IP_TOS, &[2]),
            message(SOL_UDP, UDP_SEGMENT, &1200_u16.to_ne_bytes()),
            message(SOL_IPV6, IPV6_HOPLIMIT, &9_i32.to_ne_bytes()),
        ];
        let to_v4 = parse(Family::V4, true, &messages).expect("well formed");
        assert_eq!(to_v4.source, Some(Ipv4Addr::new(10, 0, 0, 1).into()));
        assert_eq!((to_v4.interface, to_v4.traffic_class), (2, Some(2)));
        assert_eq!((to_v4.segment, to_v4.hop_limit), (Some(1200), None));
        let to_v6 = parse(Family::V6, false, &messages).expect("well formed");
        assert_eq!((to_v6.source, to_v6.hop_limit), (None, Some(9)));
        let mapped = [&Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets()[..], &[0; 4]].concat();
        let messages = [message(SOL_IPV6, IPV6_PKTINFO, &mapped)];
        let wishes = parse(Family::V6, true, &messages).expect("well formed");
        assert_eq!(wishes.source, Some(Ipv4Addr::LOCALHOST.into()));
    }

    #[test]
    fn malformed_wishes_are_refused() {
        for (level, kind, data) in [
            (SOL_IP, IP_PKTINFO, &[0; 11][..]),
            (SOL_IP, IP_TTL, &[0; 4]),
            (SOL_IP, IP_TTL, &[0, 1, 0, 0]),
            (SOL_IP, 77, &[0; 4]),
            (SOL_UDP, UDP_SEGMENT, &[0; 4]),
            (SOL_UDP, 1, &[0; 4]),
        ] {
            let messages = [message(level, kind, data)];
            let result = parse(Family::V4, true, &messages);
            assert_eq!(result, Err(Errno::EINVAL), "{level} {kind} {data:?}");
        }
    }
}
