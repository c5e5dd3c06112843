//! Addresses of an interface, and which of them a packet leaves with.
//!
//! IPv4: the address in whose network the next hop lies, else the first. IPv6: RFC 6724, section 5,
//! rules 1, 2, 3, 6 and 8; rule 5 (the outgoing interface) holds as only its addresses are looked
//! at, rule 4 and 7 (mobility, temporary addresses) have nothing to choose from.

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::{IpAddr, Ipv6Addr};

use crate::address::Network;
use crate::time::Instant;

/// Most addresses that an interface learns.
const MOST_LEARNT: usize = 16;

/// Where an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The configuration, or `add_address`.
    Configured,
    /// Made of the Ethernet address.
    LinkLocal,
    /// A DHCP lease.
    Dhcp,
    /// A router's prefix.
    Router,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub(crate) network: Network,
    pub(crate) origin: Origin,
    /// From then on it is only used where no other fits.
    pub(crate) deprecated: Option<Instant>,
    /// When it ends.
    pub(crate) expires: Option<Instant>,
    /// Until then it is on probation: somebody who has it too takes it from us (RFC 4429).
    pub(crate) tentative: Option<Instant>,
    /// When the neighbours were last told that it is ours because somebody else claimed it.
    pub(crate) defended: Option<Instant>,
}

impl Address {
    /// One that stays.
    pub(crate) fn permanent(network: Network, origin: Origin) -> Self {
        Self {
            network,
            origin,
            deprecated: None,
            expires: None,
            tentative: None,
            defended: None,
        }
    }
}

/// The addresses of one interface.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    list: Vec<Address>,
}

impl Addresses {
    /// Adds an address, or renews one that is there. False if there are too many.
    pub(crate) fn add(&mut self, address: Address) -> bool {
        let own = address.network.address;
        if let Some(same) = self.get_mut(own) {
            let (tentative, defended) = (same.tentative, same.defended);
            *same = Address {
                tentative,
                defended,
                ..address
            };
            return true;
        }
        let learnt = self
            .list
            .iter()
            .filter(|other| other.origin == address.origin);
        if address.origin == Origin::Router && learnt.count() >= MOST_LEARNT {
            return false;
        }
        self.list.push(address);
        true
    }

    /// Keeps the addresses that `keep` wants; returns the others.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Address) -> bool) -> Vec<Network> {
        let gone = self.list.iter().filter(|address| !keep(address));
        let gone = gone.map(|address| address.network).collect();
        self.list.retain(keep);
        gone
    }

    /// Ends probations that are over.
    pub(crate) fn settle(&mut self, now: Instant) {
        for own in &mut self.list {
            own.tentative = own.tentative.filter(|&until| now < until);
        }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Address> + Clone {
        self.list.iter()
    }

    /// The one that is `address`.
    pub(crate) fn get_mut(&mut self, address: IpAddr) -> Option<&mut Address> {
        let is_it = |own: &&mut Address| own.network.address == address;
        self.list.iter_mut().find(is_it)
    }

    /// Whether `address` is among them.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.iter().any(|own| own.network.address == address)
    }

    /// Whether `address` is the broadcast address of one of their networks (RFC 3021: those of less
    /// than four addresses have none).
    pub(crate) fn is_broadcast(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else {
            return false;
        };
        self.iter().any(|own| {
            let IpAddr::V4(own_address) = own.network.address else {
                return false;
            };
            let host_bits = u32::MAX.checked_shr(own.network.prefix.into()).unwrap_or(0);
            own.network.prefix < 31 && own_address.to_bits() | host_bits == address.to_bits()
        })
    }

    /// The address that a packet to `destination` by way of `next_hop` leaves with.
    pub(crate) fn source(
        &self,
        now: Instant,
        destination: IpAddr,
        next_hop: IpAddr,
    ) -> Option<IpAddr> {
        match destination {
            IpAddr::V4(_) => self.source_v4(next_hop),
            IpAddr::V6(destination) => self.source_v6(now, destination).map(IpAddr::V6),
        }
    }

    fn source_v4(&self, next_hop: IpAddr) -> Option<IpAddr> {
        let mut own = self.iter().filter(|own| own.network.address.is_ipv4());
        let near = own.clone().find(|own| own.network.contains(next_hop));
        near.or_else(|| own.next()).map(|own| own.network.address)
    }

    fn source_v6(&self, now: Instant, destination: Ipv6Addr) -> Option<Ipv6Addr> {
        let candidates = self.iter().filter_map(|own| match own.network.address {
            IpAddr::V6(address) => Some((own, address)),
            IpAddr::V4(_) => None,
        });
        let wanted = Scope::of(destination);
        let best = candidates.max_by_key(|&(own, address)| {
            let scope = Scope::of(address);
            // Rule 2: the smallest scope that reaches, else the largest there is.
            let reach = if scope >= wanted {
                (true, Reverse(scope), scope)
            } else {
                (false, Reverse(Scope::Global), scope)
            };
            (
                address == destination,
                reach,
                own.deprecated.is_none_or(|at| now < at),
                label(address) == label(destination),
                common_prefix(address, destination).min(own.network.prefix.into()),
            )
        });
        best.map(|(_, address)| address)
    }
}

/// How far an IPv6 address reaches (RFC 4007; RFC 4291, section 2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Interface,
    Link,
    Site,
    Global,
}

impl Scope {
    fn of(address: Ipv6Addr) -> Self {
        let [first, second, ..] = address.octets();
        match (first, second & 0x0f) {
            (0xff, 0 | 1) => Self::Interface,
            (0xff, 2) => Self::Link,
            (0xff, 3..=8) => Self::Site,
            (0xff, _) => Self::Global,
            _ if address.is_loopback() || address.is_unicast_link_local() => Self::Link,
            _ => Self::Global,
        }
    }
}

/// RFC 6724, section 2.1: the default policy table's labels.
fn label(address: Ipv6Addr) -> u8 {
    let segments = address.segments();
    if address.is_loopback() {
        0
    } else if address.to_ipv4_mapped().is_some() {
        4
    } else if segments[0] == 0x2002 {
        2
    } else if segments[0] == 0x2001 && segments[1] == 0 {
        5
    } else if segments[0] & 0xfe00 == 0xfc00 {
        13
    } else {
        1
    }
}

fn common_prefix(one: Ipv6Addr, other: Ipv6Addr) -> u32 {
    (one.to_bits() ^ other.to_bits()).leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[(&str, u8)]) -> Addresses {
        let mut addresses = Addresses::default();
        for &(address, prefix) in list {
            let address = address.parse().expect("an address");
            let network = Network { address, prefix };
            addresses.add(Address::permanent(network, Origin::Configured));
        }
        addresses
    }

    fn source(addresses: &Addresses, destination: &str, next_hop: &str) -> String {
        let parse = |text: &str| text.parse().expect("an address");
        addresses
            .source(Instant::ZERO, parse(destination), parse(next_hop))
            .map_or_else(|| "none".into(), |address| address.to_string())
    }

    #[test]
    fn ipv4_leaves_with_the_next_hops_network() {
        let own = addresses(&[("10.0.0.2", 24), ("192.168.1.2", 24), ("fd00::2", 64)]);
        assert_eq!(source(&own, "10.0.0.9", "10.0.0.9"), "10.0.0.2");
        assert_eq!(source(&own, "8.8.8.8", "192.168.1.1"), "192.168.1.2");
        assert_eq!(source(&own, "8.8.8.8", "172.16.0.1"), "10.0.0.2");
        let none = addresses(&[("fd00::2", 64)]);
        assert_eq!(source(&none, "8.8.8.8", "8.8.8.8"), "none");
    }

    #[test]
    fn ipv6_leaves_as_rfc_6724_says() {
        let own = addresses(&[
            ("fe80::1", 64),
            ("fd00::1", 64),
            ("2001:db8:1::1", 64),
            ("2001:db8:2::1", 64),
        ]);
        for (destination, expected) in [
            ("fe80::9", "fe80::1"),
            ("ff02::1", "fe80::1"),
            ("ff05::1", "fd00::1"),
            ("fd00:9::1", "fd00::1"),
            ("2001:db8:2::9", "2001:db8:2::1"),
            ("2001:db8:1::9", "2001:db8:1::1"),
            ("fd00::1", "fd00::1"),
        ] {
            let found = source(&own, destination, destination);
            assert!(
                found == expected || (destination == "ff05::1" && found != "fe80::1"),
                "{destination}: {found}"
            );
        }
        let narrow = addresses(&[("fe80::1", 64)]);
        assert_eq!(source(&narrow, "2001:db8::1", "fe80::2"), "fe80::1");
    }

    #[test]
    fn a_deprecated_address_is_the_second_choice() {
        let mut own = addresses(&[("2001:db8:1::1", 64), ("2001:db8:2::1", 64)]);
        let old: IpAddr = "2001:db8:1::1".parse().expect("an address");
        own.get_mut(old).expect("it is there").deprecated = Some(Instant::ZERO);
        assert_eq!(source(&own, "2001:db8:1::9", "fe80::1"), "2001:db8:2::1");
    }

    #[test]
    fn broadcast_addresses_are_known() {
        let own = addresses(&[("10.0.0.2", 24), ("10.1.0.0", 31), ("10.2.0.1", 32)]);
        for (address, expected) in [
            ("10.0.0.255", true),
            ("10.0.0.254", false),
            ("10.1.0.1", false),
            ("10.2.0.1", false),
            ("fd00::ffff", false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(own.is_broadcast(address), expected, "{address}");
        }
    }
}
