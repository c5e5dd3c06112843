//! The routing table: longest prefix first, then lowest metric, then age.

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::address::Network;
use crate::config::{InterfaceId, Route};
use crate::time::Instant;

/// Most routes that come from outside; configured ones are not counted.
const MOST_LEARNT: usize = 64;

/// Where a route comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An address brought it along.
    Connected,
    /// The interface's configuration.
    Configured,
    /// A DHCP lease.
    Dhcp,
    /// A router advertisement.
    Router,
}

/// A route by an interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) interface: InterfaceId,
    pub(crate) route: Route,
    pub(crate) origin: Origin,
    /// When it ends by itself.
    pub(crate) expires: Option<Instant>,
}

/// All routes.
#[derive(Debug, Default)]
pub(crate) struct RouteTable {
    entries: Vec<Entry>,
}

impl RouteTable {
    /// Adds a route, or renews one that is there from the same origin.
    pub(crate) fn add(&mut self, entry: Entry) {
        let same = self.entries.iter().position(|other| {
            other.interface == entry.interface
                && other.origin == entry.origin
                && other.route.gateway == entry.route.gateway
                && is_same(other.route.destination, entry.route.destination)
        });
        let is_wanted = same.is_some()
            || matches!(entry.origin, Origin::Connected | Origin::Configured)
            || self.learnt() < MOST_LEARNT;
        if !is_wanted {
            return;
        }
        let order = |entry: &Entry| {
            let prefix = entry.route.destination.prefix;
            (core::cmp::Reverse(prefix), entry.route.metric)
        };
        if let Some(same) = same {
            if order(&self.entries[same]) == order(&entry) {
                // Equals keep their order, so that renewing one does not change which is used.
                self.entries[same] = entry;
                return;
            }
            self.entries.remove(same);
        }
        let place = self
            .entries
            .partition_point(|other| order(other) <= order(&entry));
        self.entries.insert(place, entry);
    }

    /// Keeps the entries that `keep` wants; says whether any went.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) -> bool {
        let before = self.entries.len();
        self.entries.retain(keep);
        self.entries.len() != before
    }

    /// All routes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The best route to `destination` of those that `usable` admits.
    pub(crate) fn lookup(
        &self,
        destination: IpAddr,
        mut usable: impl FnMut(&Entry) -> bool,
    ) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.route.destination.contains(destination) && usable(entry))
    }

    fn learnt(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| matches!(entry.origin, Origin::Dhcp | Origin::Router))
            .count()
    }
}

fn is_same(one: Network, other: Network) -> bool {
    one.prefix == other.prefix && one.contains(other.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(interface: u16, to: &str, prefix: u8, metric: u32) -> Entry {
        let address = to.parse().expect("an address");
        Entry {
            interface: InterfaceId(interface),
            route: Route {
                destination: Network { address, prefix },
                gateway: None,
                metric,
            },
            origin: Origin::Configured,
            expires: None,
        }
    }

    fn table() -> RouteTable {
        let mut table = RouteTable::default();
        for entry in [
            entry(0, "0.0.0.0", 0, 100),
            entry(1, "10.0.0.0", 8, 0),
            entry(2, "10.1.0.0", 16, 20),
            entry(3, "10.1.0.0", 16, 10),
            entry(4, "10.1.2.3", 32, 0),
            entry(5, "::", 0, 0),
        ] {
            table.add(entry);
        }
        table
    }

    #[test]
    fn the_longest_prefix_wins_then_the_lowest_metric() {
        let table = table();
        for (to, expected) in [
            ("192.0.2.1", 0),
            ("10.2.0.1", 1),
            ("10.1.0.1", 3),
            ("10.1.2.3", 4),
            ("2001:db8::1", 5),
        ] {
            let found = table.lookup(to.parse().expect("an address"), |_| true);
            let found = found.map(|entry| entry.interface.0);
            assert_eq!(found, Some(expected), "{to}");
        }
    }

    #[test]
    fn unusable_routes_are_passed_over() {
        let table = table();
        let to = "10.1.2.3".parse().expect("an address");
        let found = table.lookup(to, |entry| entry.interface.0 < 3);
        assert_eq!(found.map(|entry| entry.interface.0), Some(2));
        assert!(table.lookup(to, |_| false).is_none());
    }

    #[test]
    fn a_route_is_renewed_and_what_is_learnt_is_bounded() {
        let mut table = table();
        let mut renewed = entry(1, "10.0.0.0", 8, 7);
        renewed.route.destination.address = "10.9.9.9".parse().expect("an address");
        table.add(renewed);
        assert_eq!(table.iter().count(), 6);
        for number in 0..200 {
            let mut learnt = entry(0, "172.16.0.0", 32, 0);
            learnt.origin = Origin::Router;
            learnt.route.destination.address = core::net::Ipv4Addr::from_bits(number).into();
            table.add(learnt);
        }
        assert_eq!(table.iter().count(), 6 + MOST_LEARNT);
        assert!(table.retain(|entry| entry.origin != Origin::Router));
        assert!(!table.retain(|entry| entry.origin != Origin::Router));
    }
}
