//! Internet socket addresses: `struct sockaddr_in` and `struct sockaddr_in6` (ip(7), ipv6(7)).
//!
//! Inside the libOS an address of either family is a [`SocketAddr`]; an IPv4 address that came mapped
//! into IPv6 (`::ffff:a.b.c.d`) is an IPv4 one, and becomes mapped again when a socket of AF_INET6
//! tells it ([`encode`]). Flow labels are not kept; the scope of a link-local address is.
//!
//! Which addresses are whose is not known here: see [`super::route`].

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::errno::{Errno, Result};
use crate::net::address::RawAddress;

/// Size of `struct sockaddr_in`, in bytes.
pub const V4_LEN: usize = 16;

/// The least that passes for a `struct sockaddr_in6`: it once had no scope (`SIN6_LEN_RFC2133`).
pub const V6_LEAST_LEN: usize = 24;

/// AF_UNSPEC, as it stands in an address.
pub const UNSPEC: u16 = 0;

/// The address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// AF_INET.
    V4,
    /// AF_INET6, which speaks IPv4 too unless told otherwise.
    V6,
}

impl Family {
    /// `AF_*`, as it stands in an address.
    pub const fn number(self) -> u16 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    /// The family of a number from the application.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            2 => Some(Self::V4),
            10 => Some(Self::V6),
            _ => None,
        }
    }

    /// Its unspecified address, port 0: what a socket without a name tells.
    pub const fn unspecified(self) -> SocketAddr {
        match self {
            Self::V4 => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            Self::V6 => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
        }
    }
}

/// An address of `family`.
///
/// # Errors
/// EINVAL if it is too short, EAFNOSUPPORT if it is of another family.
pub fn decode(family: Family, raw: &RawAddress) -> Result<SocketAddr> {
    let least = match family {
        Family::V4 => V4_LEN,
        Family::V6 => V6_LEAST_LEN,
    };
    if raw.bytes().len() < least {
        return Err(Errno::EINVAL);
    }
    if raw.family() != family.number() {
        return Err(Errno::EAFNOSUPPORT);
    }
    Ok(match family {
        Family::V4 => decode_v4(raw),
        Family::V6 => decode_v6(raw),
    })
}

/// An address for bind(2): AF_INET sockets also take AF_UNSPEC with the unspecified address, for
/// old programs' sake.
///
/// # Errors
/// As [`decode`].
pub fn decode_for_bind(family: Family, raw: &RawAddress) -> Result<SocketAddr> {
    let long_enough = raw.bytes().len() >= V4_LEN;
    if family == Family::V4 && long_enough && raw.family() == UNSPEC {
        let address = decode_v4(raw);
        return if address.ip().is_unspecified() {
            Ok(address)
        } else {
            Err(Errno::EAFNOSUPPORT)
        };
    }
    decode(family, raw)
}

/// `address` as a socket of `family` tells it.
pub fn encode(family: Family, address: SocketAddr) -> RawAddress {
    match (family, address) {
        (Family::V4, SocketAddr::V4(address)) => {
            let mut rest = [0; V4_LEN - 2];
            rest[..2].copy_from_slice(&address.port().to_be_bytes());
            rest[2..6].copy_from_slice(&address.ip().octets());
            RawAddress::new(Family::V4.number(), &rest)
        }
        (_, SocketAddr::V4(address)) => encode_v6(address.ip().to_ipv6_mapped(), address.port(), 0),
        (_, SocketAddr::V6(address)) => {
            encode_v6(*address.ip(), address.port(), address.scope_id())
        }
    }
}

/// `address` without its scope: as the stack knows it.
pub fn without_scope(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

/// Whether an IPv6 address means something on one link only, so that it needs a scope.
pub fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => {
            let head = address.segments()[0];
            // fe80::/10, and multicast of link or interface scope.
            head & 0xffc0 == 0xfe80 || (head & 0xff0f == 0xff02) || (head & 0xff0f == 0xff01)
        }
    }
}

fn decode_v4(raw: &RawAddress) -> SocketAddr {
    let rest = raw.rest();
    let address = Ipv4Addr::new(rest[2], rest[3], rest[4], rest[5]);
    SocketAddr::V4(SocketAddrV4::new(address, port(rest)))
}

fn decode_v6(raw: &RawAddress) -> SocketAddr {
    let rest = raw.rest();
    let mut octets = [0; 16];
    octets.copy_from_slice(&rest[6..22]);
    let address = Ipv6Addr::from(octets);
    if let Some(mapped) = address.to_ipv4_mapped() {
        return SocketAddr::V4(SocketAddrV4::new(mapped, port(rest)));
    }
    let scope = rest.get(22..26).and_then(|bytes| bytes.try_into().ok());
    let scope = scope.map_or(0, u32::from_ne_bytes);
    let scope = if is_link_local(IpAddr::V6(address)) {
        scope
    } else {
        0
    };
    SocketAddr::V6(SocketAddrV6::new(address, port(rest), 0, scope))
}

fn port(rest: &[u8]) -> u16 {
    u16::from_be_bytes([rest[0], rest[1]])
}

fn encode_v6(address: Ipv6Addr, port: u16, scope: u32) -> RawAddress {
    let mut rest = [0; 26];
    rest[..2].copy_from_slice(&port.to_be_bytes());
    rest[6..22].copy_from_slice(&address.octets());
    rest[22..].copy_from_slice(&scope.to_ne_bytes());
    RawAddress::new(Family::V6.number(), &rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn addresses_travel_both_ways() {
        for (family, text, told_as) in [
            (Family::V4, "127.0.0.1:80", "127.0.0.1:80"),
            (Family::V6, "[::1]:80", "[::1]:80"),
            (Family::V6, "[::]:0", "[::]:0"),
            (Family::V6, "10.0.0.1:443", "10.0.0.1:443"),
            (Family::V6, "[fe80::1%3]:9", "[fe80::1%3]:9"),
            (Family::V6, "[2001:db8::1%3]:9", "[2001:db8::1]:9"),
        ] {
            let raw = encode(family, parse(text));
            assert_eq!(decode(family, &raw), Ok(parse(told_as)), "{text}");
        }
    }

    #[test]
    fn an_ipv4_address_is_mapped_for_an_ipv6_socket() {
        let raw = encode(Family::V6, parse("1.2.3.4:258"));
        assert_eq!(raw.bytes().len(), 28);
        assert_eq!(&raw.rest()[..2], &[1, 2]);
        assert_eq!(
            &raw.rest()[6..22],
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4]
        );
    }

    #[test]
    fn lengths_and_families_are_checked_in_linuxs_order() {
        for (family, number, rest_len, expected) in [
            (Family::V4, 2, 13, Err(Errno::EINVAL)),
            (Family::V4, 10, 13, Err(Errno::EINVAL)),
            (Family::V4, 10, 14, Err(Errno::EAFNOSUPPORT)),
            (Family::V4, 2, 14, Ok(())),
            (Family::V6, 10, 21, Err(Errno::EINVAL)),
            (Family::V6, 10, 22, Ok(())),
            (Family::V6, 2, 26, Err(Errno::EAFNOSUPPORT)),
        ] {
            let raw = RawAddress::new(number, &[0; 26][..rest_len]);
            let result = decode(family, &raw).map(|_| ());
            assert_eq!(result, expected, "{family:?} {number} {rest_len}");
        }
    }

    #[test]
    fn bind_takes_an_unspecified_family_with_the_unspecified_address() {
        let any = RawAddress::new(UNSPEC, &[0; 14]);
        assert!(decode_for_bind(Family::V4, &any).is_ok());
        assert_eq!(
            decode_for_bind(Family::V6, &any),
            Err(Errno::EINVAL),
            "too short"
        );
        let mut rest = [0; 14];
        rest[2] = 127;
        let other = RawAddress::new(UNSPEC, &rest);
        assert_eq!(
            decode_for_bind(Family::V4, &other),
            Err(Errno::EAFNOSUPPORT)
        );
    }
}
