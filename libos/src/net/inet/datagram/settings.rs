//! Socket options of datagram sockets: those of UDP, of multicast, of raw ICMP, and what the shared
//! ones ([`crate::net::inet::options`]) do not know (udp(7), ip(7), ipv6(7), icmp(7), socket(7)).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use linux_raw_sys::net::{
    SO_ACCEPTCONN, SO_BINDTODEVICE, SO_DOMAIN, SO_ERROR, SO_PROTOCOL, SO_REUSEADDR, SO_REUSEPORT,
    SO_RXQ_OVFL, SO_TIMESTAMP_OLD, SO_TIMESTAMPNS_OLD, SO_TYPE, SOL_SOCKET,
};

use super::control::{Interest, Stamp};
use super::send::mtu_of;
use super::{DatagramSocket, Transport, memberships};
use crate::errno::{Errno, Result};
use crate::net::inet::address::Family;
use crate::net::inet::interfaces;
use crate::net::inet::options::{Context, SOL_IP, SOL_IPV6, Truths};
use crate::net::options::{OptionValue, word};
use crate::net::socket::Socket;

/// IPPROTO_UDP, as a level.
pub const SOL_UDP: u32 = 17;
/// Length of the datagrams that a send is cut into.
pub const UDP_SEGMENT: u32 = 103;
/// Whether trains of datagrams are received as one.
pub const UDP_GRO: u32 = 104;
/// UDP checksums of zero over IPv6: accepted, and without effect.
const UDP_NO_CHECK6: [u32; 2] = [101, 102];
/// Sends are gathered into one datagram.
const UDP_CORK: u32 = 1;

const SO_TIMESTAMPING_OLD: u32 = 37;
const SO_BINDTOIFINDEX: u32 = 62;

/// SOL_RAW and IPPROTO_ICMPV6, as levels, and their one option: which ICMP types are not wanted.
const SOL_RAW: u32 = 255;
const SOL_ICMPV6: u32 = 58;
const ICMP_FILTER: u32 = 1;

const IP_MTU: u32 = 14;
const IP_MULTICAST_IF: u32 = 32;
const IP_MULTICAST_TTL: u32 = 33;
const IP_MULTICAST_LOOP: u32 = 34;
const IP_MULTICAST_ALL: u32 = 49;
const IPV6_CHECKSUM: u32 = 7;
pub(super) const IPV6_2292PKTINFO: u32 = 2;
pub(super) const IPV6_2292HOPLIMIT: u32 = 8;
const IPV6_MULTICAST_IF: u32 = 17;
const IPV6_MULTICAST_HOPS: u32 = 18;
const IPV6_MULTICAST_LOOP: u32 = 19;
const IPV6_MTU: u32 = 24;
const IPV6_MULTICAST_ALL: u32 = 29;

/// What a datagram socket keeps beside the shared options.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own {
    /// UDP_SEGMENT.
    pub segment: u16,
    /// UDP_GRO.
    pub joins_trains: bool,
    /// Which timestamp is told.
    pub stamp: Option<Stamp>,
    /// SO_RXQ_OVFL.
    pub tells_drops: bool,
    /// IPV6_2292HOPLIMIT and IPV6_2292PKTINFO: as the later options, with message types of their own.
    pub old_hop_limit: bool,
    /// See [`Self::old_hop_limit`].
    pub old_packet_info: bool,
    /// ICMP types that a raw socket does not want, a bit each.
    pub unwanted: [u32; 8],
}

impl Own {
    /// What a receive has to tell; none if nothing, as is usual.
    pub fn interest(&self, socket: &DatagramSocket, dropped: u32) -> Option<Interest> {
        let values = socket.inet.values();
        let told = Truths::PKTINFO
            | Truths::PKTINFO6
            | Truths::RECVTTL
            | Truths::RECVTOS
            | Truths::RECVHOPLIMIT
            | Truths::RECVTCLASS
            | Truths::RECVORIGDSTADDR;
        let any = values.truths.intersects(told)
            || self.stamp.is_some()
            || self.tells_drops
            || self.old_hop_limit
            || self.old_packet_info
            || self.joins_trains;
        any.then_some(Interest {
            family: socket.family,
            values,
            stamp: self.stamp,
            dropped: self.tells_drops.then_some(dropped),
            trains: self.joins_trains,
            old_hop_limit: self.old_hop_limit,
            old_packet_info: self.old_packet_info,
        })
    }

    /// Whether a raw socket wants ICMP messages of `kind`.
    pub fn wants(&self, kind: u8) -> bool {
        let word = self.unwanted[usize::from(kind / 32)];
        word & (1 << (kind % 32)) == 0
    }
}

/// The value of an option that takes a byte where a whole word is missing (net/ipv4/ip_sockglue.c).
pub(super) fn byte_or_word(bytes: &[u8]) -> Result<i32> {
    match bytes {
        [] => Err(Errno::EINVAL),
        [one] | [one, _] | [one, _, _] => Ok((*one).into()),
        _ => word(bytes, 0),
    }
}

impl DatagramSocket {
    /// Whether the option `name` of level SOL_SOCKET is set.
    pub(super) fn is_set(&self, name: u32) -> bool {
        self.options.is_set(name)
    }

    fn context(&self) -> Context {
        Context {
            family: self.family,
            is_stream: false,
            is_bound: self.state.lock().local.port() != 0,
        }
    }

    pub(super) fn get_option(&self, level: u32, name: u32) -> Result<OptionValue> {
        let int = |value: u32| Ok(OptionValue::words(&[value.cast_signed()]));
        let kind = self.kind();
        match (level, name) {
            (SOL_SOCKET, SO_TYPE) => int(kind.socket_type),
            (SOL_SOCKET, SO_DOMAIN) => int(kind.domain),
            (SOL_SOCKET, SO_PROTOCOL) => int(kind.protocol),
            (SOL_SOCKET, SO_ACCEPTCONN) => int(0),
            (SOL_SOCKET, SO_ERROR) => {
                let error = self.state.lock().errors.take_pending();
                int(error.map_or(0, |error| error.number().into()))
            }
            (SOL_SOCKET, SO_BINDTODEVICE) => Ok(self.inet.device_name()),
            (SOL_SOCKET, SO_BINDTOIFINDEX) => int(self.inet.device()),
            (SOL_SOCKET, _) => self.options.get(name),
            (SOL_UDP, _) if self.transport == Transport::Udp => self.get_udp(name),
            (SOL_RAW | SOL_ICMPV6, ICMP_FILTER) if self.has_filter(level) => {
                let words = self.state.lock().own.unwanted;
                let count = if level == SOL_RAW { 1 } else { words.len() };
                let bytes = words[..count].iter().copied().flat_map(u32::to_ne_bytes);
                Ok(OptionValue::of_bytes(bytes.collect()))
            }
            (SOL_IP, IP_MTU) | (SOL_IPV6, IPV6_MTU) => int(self.partners_mtu()?),
            (SOL_IPV6, _) if self.family == Family::V4 => Err(Errno::EOPNOTSUPP),
            (SOL_IPV6, IPV6_2292HOPLIMIT) => int(self.state.lock().own.old_hop_limit.into()),
            (SOL_IPV6, IPV6_2292PKTINFO) => int(self.state.lock().own.old_packet_info.into()),
            (SOL_IP | SOL_IPV6, _) => match self.get_multicast(level, name) {
                Some(value) => Ok(value),
                None => self.inet.get(self.context(), level, name),
            },
            // `ip_getsockopt` and `ipv6_getsockopt` of Linux differ.
            _ if self.family == Family::V4 => Err(Errno::EOPNOTSUPP),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    pub(super) fn change_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        match level {
            SOL_SOCKET => self.change_socket_option(name, value),
            SOL_UDP if self.transport == Transport::Udp => self.change_udp(name, value),
            SOL_RAW | SOL_ICMPV6 if name == ICMP_FILTER && self.has_filter(level) => {
                let mut own = self.state.lock();
                for (place, bytes) in own.own.unwanted.iter_mut().zip(value.chunks_exact(4)) {
                    *place = word(bytes, 0)?.cast_unsigned();
                }
                Ok(())
            }
            // The stack computes the checksums of ICMPv6 whatever is said here.
            SOL_IPV6 | SOL_RAW if name == IPV6_CHECKSUM && self.transport == Transport::Raw => {
                Ok(())
            }
            SOL_IPV6 if self.family == Family::V4 => Err(Errno::ENOPROTOOPT),
            SOL_IPV6 if name == IPV6_2292HOPLIMIT => {
                self.state.lock().own.old_hop_limit = word(value, 0)? != 0;
                Ok(())
            }
            SOL_IPV6 if name == IPV6_2292PKTINFO => {
                self.state.lock().own.old_packet_info = word(value, 0)? != 0;
                Ok(())
            }
            SOL_IP | SOL_IPV6 => {
                if memberships::change(self, level, name, value)?
                    || self.change_multicast(level, name, value)?
                {
                    return Ok(());
                }
                self.inet.set(self.context(), level, name, value)?;
                let truths = self.inet.values().truths;
                if !truths.intersects(Truths::RECVERR | Truths::RECVERR6) {
                    self.state.lock().errors.clear_queue();
                }
                Ok(())
            }
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn has_filter(&self, level: u32) -> bool {
        let fits = match self.family {
            Family::V4 => SOL_RAW,
            Family::V6 => SOL_ICMPV6,
        };
        self.transport == Transport::Raw && level == fits
    }

    fn change_socket_option(&self, name: u32, value: &[u8]) -> Result<()> {
        match name {
            SO_TYPE | SO_DOMAIN | SO_PROTOCOL | SO_ERROR | SO_ACCEPTCONN => {
                return Err(Errno::ENOPROTOOPT);
            }
            SO_BINDTODEVICE => self.inet.set_device(value)?,
            SO_BINDTOIFINDEX => self.inet.set_device_index(word(value, 0)?)?,
            _ => self.options.set(name, value)?,
        }
        match name {
            SO_REUSEADDR | SO_REUSEPORT | SO_BINDTODEVICE | SO_BINDTOIFINDEX => self.renew_claim(),
            _ => self.renew_interest(),
        }
        Ok(())
    }

    /// Remembers what of SOL_SOCKET is looked at with each datagram.
    fn renew_interest(&self) {
        /// `SOF_TIMESTAMPING_RX_SOFTWARE` and `SOF_TIMESTAMPING_SOFTWARE`: made and told.
        const SOFTWARE: i32 = 0x8 | 0x10;
        let flags = self.options.number(SO_TIMESTAMPING_OLD);
        let stamp = if self.is_set(SO_TIMESTAMPNS_OLD) {
            Some(Stamp::Nanos(SO_TIMESTAMPNS_OLD))
        } else if self.is_set(SO_TIMESTAMP_OLD) {
            Some(Stamp::Micros(SO_TIMESTAMP_OLD))
        } else if flags & SOFTWARE == SOFTWARE {
            Some(Stamp::Software(SO_TIMESTAMPING_OLD))
        } else {
            None
        };
        let tells_drops = self.is_set(SO_RXQ_OVFL);
        let mut state = self.state.lock();
        (state.own.stamp, state.own.tells_drops) = (stamp, tells_drops);
    }

    fn get_udp(&self, name: u32) -> Result<OptionValue> {
        let own = self.state.lock().own;
        let value = match name {
            UDP_SEGMENT => own.segment.into(),
            UDP_GRO => i32::from(own.joins_trains),
            UDP_CORK => 0,
            name if UDP_NO_CHECK6.contains(&name) => 0,
            _ => return Err(Errno::ENOPROTOOPT),
        };
        Ok(OptionValue::words(&[value]))
    }

    fn change_udp(&self, name: u32, value: &[u8]) -> Result<()> {
        let value = word(value, 0)?;
        let mut state = self.state.lock();
        match name {
            UDP_SEGMENT => {
                state.own.segment = u16::try_from(value).map_err(|_| Errno::EINVAL)?;
            }
            UDP_GRO => state.own.joins_trains = value != 0,
            UDP_CORK if value == 0 => {}
            UDP_CORK => {
                return Err(Errno::ENOPROTOOPT.because("datagrams are not gathered"));
            }
            name if UDP_NO_CHECK6.contains(&name) => {}
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// MTU of the way to the partner, in bytes.
    fn partners_mtu(&self) -> Result<u32> {
        let remote: Option<SocketAddr> = self.state.lock().remote;
        let remote = remote.ok_or(Errno::ENOTCONN)?;
        let way = self.way_to(remote)?;
        Ok(u32::try_from(mtu_of(&way, remote.ip())).unwrap_or(u32::MAX))
    }

    fn get_multicast(&self, level: u32, name: u32) -> Option<OptionValue> {
        let state = self.state.lock();
        let multicast = &state.multicast;
        let at = usize::from(level == SOL_IPV6);
        let value = match (level, name) {
            (SOL_IP, IP_MULTICAST_IF) => i32::from_ne_bytes(multicast.source.octets()),
            (SOL_IPV6, IPV6_MULTICAST_IF) => multicast.interface[at].cast_signed(),
            (SOL_IP, IP_MULTICAST_TTL) | (SOL_IPV6, IPV6_MULTICAST_HOPS) => {
                multicast.hop_limit[at].into()
            }
            (SOL_IP, IP_MULTICAST_LOOP) | (SOL_IPV6, IPV6_MULTICAST_LOOP) => {
                i32::from(multicast.loops[at])
            }
            (SOL_IP, IP_MULTICAST_ALL) | (SOL_IPV6, IPV6_MULTICAST_ALL) => {
                i32::from(multicast.hears_all[at])
            }
            _ => return None,
        };
        Some(OptionValue::words(&[value]))
    }

    /// Sets an option of multicast that is no membership; `false` for another option.
    fn change_multicast(&self, level: u32, name: u32, bytes: &[u8]) -> Result<bool> {
        if (level, name) == (SOL_IP, IP_MULTICAST_IF) {
            self.choose_interface_v4(bytes)?;
            return Ok(true);
        }
        let is_v6 = level == SOL_IPV6;
        let at = usize::from(is_v6);
        let value = || {
            if is_v6 {
                word(bytes, 0)
            } else {
                byte_or_word(bytes)
            }
        };
        let truth = || match value()? {
            0 => Ok(false),
            1 => Ok(true),
            _ if is_v6 || name == IP_MULTICAST_ALL => Err(Errno::EINVAL),
            _ => Ok(true),
        };
        match (level, name) {
            (SOL_IP, IP_MULTICAST_TTL) | (SOL_IPV6, IPV6_MULTICAST_HOPS) => {
                let value = match value()? {
                    -1 => 1,
                    value => u8::try_from(value).map_err(|_| Errno::EINVAL)?,
                };
                self.state.lock().multicast.hop_limit[at] = value;
            }
            (SOL_IP, IP_MULTICAST_LOOP) | (SOL_IPV6, IPV6_MULTICAST_LOOP) => {
                let value = truth()?;
                self.state.lock().multicast.loops[at] = value;
            }
            (SOL_IP, IP_MULTICAST_ALL) | (SOL_IPV6, IPV6_MULTICAST_ALL) => {
                let value = truth()?;
                self.state.lock().multicast.hears_all[at] = value;
            }
            (SOL_IPV6, IPV6_MULTICAST_IF) => {
                let index = u32::try_from(value()?).map_err(|_| Errno::ENODEV)?;
                if index != 0 && interfaces::by_index(index).is_none() {
                    return Err(Errno::ENODEV);
                }
                self.state.lock().multicast.interface[at] = index;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// IP_MULTICAST_IF: an address, a `struct ip_mreq` or a `struct ip_mreqn`.
    fn choose_interface_v4(&self, bytes: &[u8]) -> Result<()> {
        let (address, index) = match bytes.len() {
            12.. => (v4_at(bytes, 4)?, word(bytes, 8)?),
            8.. => (v4_at(bytes, 4)?, 0),
            4.. => (v4_at(bytes, 0)?, 0),
            _ => return Err(Errno::EINVAL),
        };
        let index = match (index, address) {
            (0, Ipv4Addr::UNSPECIFIED) => 0,
            (0, address) => interface_with(address).ok_or(Errno::EADDRNOTAVAIL)?,
            (index, _) => {
                let index = u32::try_from(index).map_err(|_| Errno::EADDRNOTAVAIL)?;
                interfaces::by_index(index).ok_or(Errno::EADDRNOTAVAIL)?;
                index
            }
        };
        let mut state = self.state.lock();
        state.multicast.interface[0] = index;
        state.multicast.source = address;
        Ok(())
    }
}

/// An IPv4 address in the application's bytes.
pub(super) fn v4_at(bytes: &[u8], at: usize) -> Result<Ipv4Addr> {
    let bytes = bytes.get(at..at + 4).ok_or(Errno::EINVAL)?;
    let octets: [u8; 4] = bytes.try_into().map_err(|_| Errno::EINVAL)?;
    Ok(octets.into())
}

/// Index of the interface that has `address`.
pub(super) fn interface_with(address: Ipv4Addr) -> Option<u32> {
    let all: Vec<_> = interfaces::all();
    let has = |one: &&interfaces::Interface| {
        one.addresses
            .iter()
            .any(|network| network.address == IpAddr::V4(address))
    };
    // All of 127.0.0.0/8 is loopback's.
    let is_loopback = address.is_loopback().then_some(interfaces::LOOPBACK);
    all.iter().find(has).map(|one| one.index).or(is_loopback)
}
