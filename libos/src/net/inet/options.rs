//! Options of levels IPPROTO_IP and IPPROTO_IPV6 (ip(7), ipv6(7)) that TCP, UDP and ICMP sockets share,
//! and those of level SOL_SOCKET that concern the network only.
//!
//! What has no effect here is kept and read back where Linux does so. Multicast membership is the
//! datagram sockets' own.

use linux_raw_sys::net::{
    IP_BIND_ADDRESS_NO_PORT, IP_FREEBIND, IP_MTU_DISCOVER, IP_PKTINFO, IP_RECVERR, IP_RECVTOS,
    IP_RECVTTL, IP_TOS, IP_TRANSPARENT, IP_TTL, IPV6_V6ONLY,
};

use crate::errno::{Errno, Result};
use crate::net::inet::address::Family;
use crate::net::inet::interfaces;
use crate::net::options::{OptionValue, word};
use crate::sync::SpinLock;

/// IPPROTO_IP, as a level.
pub const SOL_IP: u32 = 0;
/// IPPROTO_IPV6, as a level.
pub const SOL_IPV6: u32 = 41;

/// Longest name of an interface with its NUL (`IFNAMSIZ`).
const NAME_SIZE: usize = 16;

const IP_MINTTL: u32 = 21;
const IP_NODEFRAG: u32 = 22;
const IP_RECVORIGDSTADDR: u32 = 20;
const IP_RECVOPTS: u32 = 6;
const IP_RETOPTS: u32 = 7;
const IP_PASSSEC: u32 = 18;
const IP_LOCAL_PORT_RANGE: u32 = 51;

const IPV6_UNICAST_HOPS: u32 = 16;
const IPV6_MTU_DISCOVER: u32 = 23;
const IPV6_MTU: u32 = 24;
const IPV6_RECVERR: u32 = 25;
const IPV6_FLOWINFO: u32 = 11;
const IPV6_FLOWINFO_SEND: u32 = 33;
const IPV6_RECVPKTINFO: u32 = 49;
const IPV6_RECVHOPLIMIT: u32 = 51;
const IPV6_RECVHOPOPTS: u32 = 53;
const IPV6_RECVRTHDR: u32 = 56;
const IPV6_RECVDSTOPTS: u32 = 58;
const IPV6_RECVPATHMTU: u32 = 60;
const IPV6_DONTFRAG: u32 = 62;
const IPV6_RECVTCLASS: u32 = 66;
const IPV6_TCLASS: u32 = 67;
const IPV6_AUTOFLOWLABEL: u32 = 70;
const IPV6_ADDR_PREFERENCES: u32 = 72;
const IPV6_MINHOPCOUNT: u32 = 73;
const IPV6_TRANSPARENT: u32 = 75;
const IPV6_FREEBIND: u32 = 78;

/// How a socket treats the path's MTU at first (`IP_PMTUDISC_WANT`).
const MTU_DISCOVER_WANT: u8 = 1;
/// One more than the highest value of IP_MTU_DISCOVER.
const MTU_DISCOVER_LIMIT: u8 = 6;

bitflags::bitflags! {
    /// Options that are a truth.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Truths: u32 {
        /// IP_PKTINFO: received datagrams tell where they arrived.
        const PKTINFO = 1;
        /// IP_RECVTTL.
        const RECVTTL = 1 << 1;
        /// IP_RECVTOS.
        const RECVTOS = 1 << 2;
        /// IP_RECVERR: ICMP errors are queued with their datagrams.
        const RECVERR = 1 << 3;
        /// IP_FREEBIND: an address that is not ours may be bound.
        const FREEBIND = 1 << 4;
        /// IP_BIND_ADDRESS_NO_PORT: bind(2) leaves the port to connect(2).
        const NO_PORT = 1 << 5;
        /// IPV6_V6ONLY.
        const V6ONLY = 1 << 6;
        /// IPV6_RECVPKTINFO.
        const PKTINFO6 = 1 << 7;
        /// IPV6_RECVHOPLIMIT.
        const RECVHOPLIMIT = 1 << 8;
        /// IPV6_RECVTCLASS.
        const RECVTCLASS = 1 << 9;
        /// IPV6_RECVERR.
        const RECVERR6 = 1 << 10;
        /// IPV6_DONTFRAG.
        const DONTFRAG6 = 1 << 11;
        /// IP_RECVORIGDSTADDR.
        const RECVORIGDSTADDR = 1 << 12;
        /// Those below are only kept.
        const RECVOPTS = 1 << 13;
        /// IP_RETOPTS.
        const RETOPTS = 1 << 14;
        /// IP_PASSSEC.
        const PASSSEC = 1 << 15;
        /// IPV6_FLOWINFO.
        const FLOWINFO = 1 << 16;
        /// IPV6_FLOWINFO_SEND.
        const FLOWINFO_SEND = 1 << 17;
        /// IPV6_RECVHOPOPTS.
        const RECVHOPOPTS = 1 << 18;
        /// IPV6_RECVRTHDR.
        const RECVRTHDR = 1 << 19;
        /// IPV6_RECVDSTOPTS.
        const RECVDSTOPTS = 1 << 20;
        /// IPV6_RECVPATHMTU.
        const RECVPATHMTU = 1 << 21;
        /// IPV6_AUTOFLOWLABEL.
        const AUTOFLOWLABEL = 1 << 22;
        /// IP_NODEFRAG.
        const NODEFRAG = 1 << 23;
    }
}

/// The options of one socket. Each call of a method takes a short lock.
pub struct InetOptions {
    values: SpinLock<Values>,
}

/// All of them at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Values {
    /// Those that are a truth.
    pub truths: Truths,
    /// IP_TTL, if set.
    pub ttl: Option<u8>,
    /// IP_TOS.
    pub tos: u8,
    /// IPV6_UNICAST_HOPS, if set.
    pub hop_limit: Option<u8>,
    /// IPV6_TCLASS.
    pub traffic_class: u8,
    /// IP_MTU_DISCOVER.
    pub mtu_discover: u8,
    /// IPV6_MTU_DISCOVER.
    pub mtu_discover_v6: u8,
    /// IP_MINTTL and IPV6_MINHOPCOUNT.
    pub least_ttl: [u8; 2],
    /// Index of the interface that the socket is bound to (SO_BINDTODEVICE); 0 for any.
    pub device: u32,
}

/// The hop limit where nothing else was said (`net.ipv4.ip_default_ttl`).
pub const DEFAULT_TTL: u8 = 64;

impl Values {
    /// Hop limit of what is sent to an address of `family`.
    pub fn hop_limit_for(&self, family: Family) -> u8 {
        let chosen = match family {
            Family::V4 => self.ttl,
            Family::V6 => self.hop_limit,
        };
        chosen.unwrap_or(DEFAULT_TTL)
    }

    /// Traffic class of what is sent to an address of `family`.
    pub fn traffic_class_for(&self, family: Family) -> u8 {
        match family {
            Family::V4 => self.tos,
            Family::V6 => self.traffic_class,
        }
    }
}

/// The bits of a traffic class that are not the application's to set on a stream.
const ECN_MASK: u8 = 3;

/// What setsockopt(2) and getsockopt(2) know of a socket besides its options.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Its family.
    pub family: Family,
    /// Whether it is a stream.
    pub is_stream: bool,
    /// Whether it has a name.
    pub is_bound: bool,
}

impl Context {
    /// `class` as a socket may have it (IP_TOS, IPV6_TCLASS): the two lowest bits of a stream's packets tell
    /// of congestion, and are its protocol's (`INET_ECN_MASK` in net/ipv4/ip_sockglue.c).
    fn settable_class(self, class: u8) -> u8 {
        if self.is_stream {
            class & !ECN_MASK
        } else {
            class
        }
    }
}

impl InetOptions {
    /// Those of a new socket.
    pub const fn new() -> Self {
        Self {
            values: SpinLock::new(Values {
                truths: Truths::empty(),
                ttl: None,
                tos: 0,
                hop_limit: None,
                traffic_class: 0,
                mtu_discover: MTU_DISCOVER_WANT,
                mtu_discover_v6: MTU_DISCOVER_WANT,
                least_ttl: [0; 2],
                device: 0,
            }),
        }
    }

    /// The same, for a socket that is accepted from this one.
    #[must_use]
    pub fn inherited(&self) -> Self {
        Self {
            values: SpinLock::new(self.values()),
        }
    }

    /// All of them now.
    pub fn values(&self) -> Values {
        *self.values.lock()
    }

    /// Whether all of `truths` are set.
    pub fn has(&self, truths: Truths) -> bool {
        self.values.lock().truths.contains(truths)
    }

    /// Index of the interface that the socket is bound to; 0 for any.
    pub fn device(&self) -> u32 {
        self.values.lock().device
    }

    /// Binds the socket to the interface of that name, or to none if it is empty (SO_BINDTODEVICE).
    ///
    /// # Errors
    /// ENODEV for an unknown name.
    pub fn set_device(&self, name: &[u8]) -> Result<()> {
        let name = &name[..name.len().min(NAME_SIZE - 1)];
        let end = name.iter().position(|&byte| byte == 0);
        let name = &name[..end.unwrap_or(name.len())];
        let device = if name.is_empty() {
            0
        } else {
            interfaces::by_name(name).ok_or(Errno::ENODEV)?.index
        };
        self.values.lock().device = device;
        Ok(())
    }

    /// Binds the socket to the interface of that index, or to none if it is 0 (SO_BINDTOIFINDEX).
    ///
    /// # Errors
    /// EINVAL for a negative index, ENODEV for an unknown one.
    pub fn set_device_index(&self, index: i32) -> Result<()> {
        let index = u32::try_from(index).map_err(|_| Errno::EINVAL)?;
        if index != 0 && interfaces::by_index(index).is_none() {
            return Err(Errno::ENODEV);
        }
        self.values.lock().device = index;
        Ok(())
    }

    /// The name of the interface that the socket is bound to, as SO_BINDTODEVICE tells it.
    pub fn device_name(&self) -> OptionValue {
        let Some(interface) = interfaces::by_index(self.device()) else {
            return OptionValue::words(&[]);
        };
        let mut bytes = interface.name.into_bytes();
        bytes.push(0);
        OptionValue::of_bytes(bytes)
    }

    /// Sets an option of `level`, SOL_IP or SOL_IPV6.
    ///
    /// # Errors
    /// ENOPROTOOPT for an unknown one, EINVAL for a bad value, EPERM.
    pub fn set(&self, context: Context, level: u32, name: u32, bytes: &[u8]) -> Result<()> {
        match level {
            SOL_IP => self.set_v4(context, name, bytes),
            SOL_IPV6 if context.family == Family::V6 => self.set_v6(context, name, bytes),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    /// The value of an option of `level`.
    ///
    /// # Errors
    /// ENOPROTOOPT for an unknown one, EOPNOTSUPP for IPv6's of an IPv4 socket.
    pub fn get(&self, context: Context, level: u32, name: u32) -> Result<OptionValue> {
        let values = self.values();
        let value = match level {
            SOL_IP => values.get_v4(name)?,
            SOL_IPV6 if context.family == Family::V6 => values.get_v6(name)?,
            _ => return Err(Errno::EOPNOTSUPP),
        };
        Ok(OptionValue::words(&[value]))
    }

    fn set_v4(&self, context: Context, name: u32, bytes: &[u8]) -> Result<()> {
        // net/ipv4/ip_sockglue.c takes a single byte where a whole word is missing.
        let value = match bytes {
            [] => return Err(Errno::EINVAL),
            [one] | [one, _] | [one, _, _] => i32::from(*one),
            _ => word(bytes, 0)?,
        };
        let mut values = self.values.lock();
        if let Some(truth) = truth_v4(name) {
            values.truths.set(truth, value != 0);
            return Ok(());
        }
        match name {
            IP_TTL => {
                values.ttl = match value {
                    -1 => None,
                    1..=255 => u8::try_from(value).ok(),
                    _ => return Err(Errno::EINVAL),
                }
            }
            IP_TOS => values.tos = context.settable_class(value.to_le_bytes()[0]),
            IP_MTU_DISCOVER => values.mtu_discover = mtu_discover(value)?,
            IP_MINTTL => values.least_ttl[0] = u8::try_from(value).map_err(|_| Errno::EINVAL)?,
            IP_TRANSPARENT if value == 0 => {}
            IP_TRANSPARENT => return Err(Errno::EPERM),
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    fn set_v6(&self, context: Context, name: u32, bytes: &[u8]) -> Result<()> {
        let value = match bytes {
            [] | [_] | [_, _] | [_, _, _] => return Err(Errno::EINVAL),
            _ => word(bytes, 0)?,
        };
        let mut values = self.values.lock();
        if name == IPV6_V6ONLY {
            if context.is_bound {
                return Err(Errno::EINVAL.because("IPV6_V6ONLY comes before bind"));
            }
            values.truths.set(Truths::V6ONLY, value != 0);
            return Ok(());
        }
        if let Some(truth) = truth_v6(name) {
            values.truths.set(truth, value != 0);
            return Ok(());
        }
        let byte_or_default = || match value {
            -1 => Ok(None),
            _ => u8::try_from(value).map(Some).map_err(|_| Errno::EINVAL),
        };
        match name {
            IPV6_UNICAST_HOPS => values.hop_limit = byte_or_default()?,
            IPV6_TCLASS => {
                let class = byte_or_default()?.unwrap_or(0);
                values.traffic_class = context.settable_class(class);
            }
            IPV6_MTU_DISCOVER => values.mtu_discover_v6 = mtu_discover(value)?,
            IPV6_MTU if value == 0 || value >= 1280 => {}
            IPV6_MTU => return Err(Errno::EINVAL),
            IPV6_MINHOPCOUNT => {
                values.least_ttl[1] = u8::try_from(value).map_err(|_| Errno::EINVAL)?;
            }
            IPV6_ADDR_PREFERENCES => {}
            IPV6_TRANSPARENT if value == 0 => {}
            IPV6_TRANSPARENT => return Err(Errno::EPERM),
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }
}

impl Default for InetOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl Values {
    fn get_v4(&self, name: u32) -> Result<i32> {
        if let Some(truth) = truth_v4(name) {
            return Ok(i32::from(self.truths.contains(truth)));
        }
        Ok(match name {
            IP_TTL => self.ttl.unwrap_or(DEFAULT_TTL).into(),
            IP_TOS => self.tos.into(),
            IP_MTU_DISCOVER => self.mtu_discover.into(),
            IP_MINTTL => self.least_ttl[0].into(),
            IP_TRANSPARENT | IP_LOCAL_PORT_RANGE => 0,
            _ => return Err(Errno::ENOPROTOOPT),
        })
    }

    fn get_v6(&self, name: u32) -> Result<i32> {
        if name == IPV6_V6ONLY {
            return Ok(i32::from(self.truths.contains(Truths::V6ONLY)));
        }
        if let Some(truth) = truth_v6(name) {
            return Ok(i32::from(self.truths.contains(truth)));
        }
        Ok(match name {
            IPV6_UNICAST_HOPS => self.hop_limit.unwrap_or(DEFAULT_TTL).into(),
            IPV6_TCLASS => self.traffic_class.into(),
            IPV6_MTU_DISCOVER => self.mtu_discover_v6.into(),
            IPV6_MINHOPCOUNT => self.least_ttl[1].into(),
            IPV6_ADDR_PREFERENCES | IPV6_TRANSPARENT => 0,
            _ => return Err(Errno::ENOPROTOOPT),
        })
    }
}

fn mtu_discover(value: i32) -> Result<u8> {
    let value = u8::try_from(value).map_err(|_| Errno::EINVAL)?;
    if value < MTU_DISCOVER_LIMIT {
        Ok(value)
    } else {
        Err(Errno::EINVAL)
    }
}

fn truth_v4(name: u32) -> Option<Truths> {
    Some(match name {
        IP_PKTINFO => Truths::PKTINFO,
        IP_RECVTTL => Truths::RECVTTL,
        IP_RECVTOS => Truths::RECVTOS,
        IP_RECVERR => Truths::RECVERR,
        IP_FREEBIND => Truths::FREEBIND,
        IP_BIND_ADDRESS_NO_PORT => Truths::NO_PORT,
        IP_RECVORIGDSTADDR => Truths::RECVORIGDSTADDR,
        IP_RECVOPTS => Truths::RECVOPTS,
        IP_RETOPTS => Truths::RETOPTS,
        IP_PASSSEC => Truths::PASSSEC,
        IP_NODEFRAG => Truths::NODEFRAG,
        _ => return None,
    })
}

fn truth_v6(name: u32) -> Option<Truths> {
    Some(match name {
        IPV6_RECVPKTINFO => Truths::PKTINFO6,
        IPV6_RECVHOPLIMIT => Truths::RECVHOPLIMIT,
        IPV6_RECVTCLASS => Truths::RECVTCLASS,
        IPV6_RECVERR => Truths::RECVERR6,
        IPV6_DONTFRAG => Truths::DONTFRAG6,
        IPV6_FREEBIND => Truths::FREEBIND,
        IPV6_FLOWINFO => Truths::FLOWINFO,
        IPV6_FLOWINFO_SEND => Truths::FLOWINFO_SEND,
        IPV6_RECVHOPOPTS => Truths::RECVHOPOPTS,
        IPV6_RECVRTHDR => Truths::RECVRTHDR,
        IPV6_RECVDSTOPTS => Truths::RECVDSTOPTS,
        IPV6_RECVPATHMTU => Truths::RECVPATHMTU,
        IPV6_AUTOFLOWLABEL => Truths::AUTOFLOWLABEL,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V6: Context = Context {
        family: Family::V6,
        is_stream: true,
        is_bound: false,
    };

    fn set(
        options: &InetOptions,
        context: Context,
        level: u32,
        name: u32,
        value: i32,
    ) -> Result<()> {
        options.set(context, level, name, &value.to_ne_bytes())
    }

    #[test]
    fn values_are_checked_and_read_back() {
        let options = InetOptions::new();
        for (level, name, value, expected) in [
            (SOL_IP, IP_TTL, 7, Ok(7)),
            (SOL_IP, IP_TTL, 0, Err(Errno::EINVAL)),
            (SOL_IP, IP_TTL, 256, Err(Errno::EINVAL)),
            (SOL_IP, IP_TTL, -1, Ok(64)),
            (SOL_IP, IP_TOS, 0x10, Ok(0x10)),
            (SOL_IP, IP_PKTINFO, 5, Ok(1)),
            (SOL_IP, IP_MTU_DISCOVER, 6, Err(Errno::EINVAL)),
            (SOL_IP, IP_TRANSPARENT, 1, Err(Errno::EPERM)),
            (SOL_IP, 250, 1, Err(Errno::ENOPROTOOPT)),
            (SOL_IPV6, IPV6_V6ONLY, 1, Ok(1)),
            (SOL_IPV6, IPV6_UNICAST_HOPS, 256, Err(Errno::EINVAL)),
            (SOL_IPV6, IPV6_TCLASS, 5, Ok(4)),
            (SOL_IP, IP_TOS, 255, Ok(252)),
            (SOL_IPV6, IPV6_TCLASS, -1, Ok(0)),
            (SOL_IPV6, 250, 1, Err(Errno::ENOPROTOOPT)),
        ] {
            let result = set(&options, V6, level, name, value);
            let expected = expected.map(|value: i32| OptionValue::words(&[value]));
            let found = result.and_then(|()| options.get(V6, level, name));
            assert_eq!(found, expected, "level {level} option {name} = {value}");
        }
    }

    #[test]
    fn ipv6_only_is_decided_before_the_bind() {
        let options = InetOptions::new();
        let bound = Context {
            is_bound: true,
            ..V6
        };
        let result = set(&options, bound, SOL_IPV6, IPV6_V6ONLY, 1);
        assert_eq!(result, Err(Errno::EINVAL));
    }

    #[test]
    fn a_datagrams_class_is_all_the_applications() {
        let options = InetOptions::new();
        let datagram = Context {
            is_stream: false,
            ..V6
        };
        for (level, name) in [(SOL_IP, IP_TOS), (SOL_IPV6, IPV6_TCLASS)] {
            assert_eq!(set(&options, datagram, level, name, 255), Ok(()));
            let found = options.get(datagram, level, name);
            assert_eq!(found, Ok(OptionValue::words(&[255])), "level {level}");
        }
    }

    #[test]
    fn an_ipv4_socket_has_no_ipv6_options() {
        let options = InetOptions::new();
        let v4 = Context {
            family: Family::V4,
            ..V6
        };
        let result = set(&options, v4, SOL_IPV6, IPV6_V6ONLY, 1);
        assert_eq!(result, Err(Errno::ENOPROTOOPT));
        assert_eq!(
            options.get(v4, SOL_IPV6, IPV6_V6ONLY),
            Err(Errno::EOPNOTSUPP)
        );
    }

    #[test]
    fn a_single_byte_is_enough_for_ipv4() {
        let options = InetOptions::new();
        assert_eq!(options.set(V6, SOL_IP, IP_TTL, &[9]), Ok(()));
        assert_eq!(options.values().hop_limit_for(Family::V4), 9);
        assert_eq!(options.set(V6, SOL_IP, IP_TTL, &[]), Err(Errno::EINVAL));
        assert_eq!(options.values().hop_limit_for(Family::V6), 64);
    }

    #[test]
    fn devices_are_named() {
        let options = InetOptions::new();
        assert_eq!(options.set_device(b"lo\0"), Ok(()));
        assert_eq!(options.device(), interfaces::LOOPBACK);
        assert_eq!(options.device_name().bytes(), b"lo\0");
        assert_eq!(options.set_device(b"nowhere"), Err(Errno::ENODEV));
        assert_eq!(options.set_device(b""), Ok(()));
        assert_eq!(options.device(), 0);
    }
}
