//! Who gets a datagram: sockets by port, chosen as Linux does (net/ipv4/udp.c, `compute_score`).
//!
//! - [`Table`]: pure data: the sockets of one protocol, each with the [`Key`] that says what it wants.
//! - [`Table::find`]: the one receiver of a unicast datagram; [`Table::find_all`]: those of a broadcast
//!   or multicast.
//!
//! Sockets are held weakly: one that is gone is skipped, and removed when its port changes next.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::net::inet::address::Family;
use crate::word_map::WordMap;

/// What a socket wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its family.
    pub family: Family,
    /// Whether an IPv6 socket refuses IPv4 (IPV6_V6ONLY).
    pub v6_only: bool,
    /// Its own address; unspecified for all.
    pub local: IpAddr,
    /// Its only partner, if it is connected.
    pub remote: Option<SocketAddr>,
    /// Index of its only interface (SO_BINDTODEVICE); 0 for all.
    pub device: u32,
    /// Whether it shares its load with others of its kind (SO_REUSEPORT).
    pub shares: bool,
}

/// A datagram's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Index of the interface it came by.
    pub interface: u32,
}

impl Key {
    /// How well the socket fits; none if it does not.
    fn score(&self, ends: &Ends) -> Option<u32> {
        /// Weight of each thing that the socket is particular about; above the family's.
        const PARTICULAR: u32 = 4;
        let mut score = match (self.family, ends.to.ip()) {
            (Family::V4, IpAddr::V6(_)) => return None,
            (Family::V6, IpAddr::V4(_)) if self.v6_only => return None,
            (Family::V6, IpAddr::V4(_)) => 1,
            _ => 2,
        };
        match self.local {
            IpAddr::V6(all) if all.is_unspecified() => {}
            IpAddr::V4(all) if all.is_unspecified() => {
                if ends.to.is_ipv6() {
                    return None;
                }
            }
            local if local == ends.to.ip() => score += PARTICULAR,
            _ => return None,
        }
        if let Some(remote) = self.remote {
            if (remote.ip(), remote.port()) != (ends.from.ip(), ends.from.port()) {
                return None;
            }
            score += 2 * PARTICULAR;
        }
        if self.device != 0 {
            if self.device != ends.interface {
                return None;
            }
            score += PARTICULAR;
        }
        Some(score)
    }

    /// Whether it takes its part of what comes for its group.
    fn is_in_group(&self) -> bool {
        self.shares && self.remote.is_none()
    }
}

struct Entry<S> {
    key: Key,
    socket: Weak<S>,
}

/// The sockets of one protocol, by port.
pub struct Table<S> {
    #[expect(
        clippy::box_collection,
        reason = "a value of a `WordMap` is one pointer"
    )]
    ports: WordMap<u16, Box<Vec<Entry<S>>>>,
}

impl<S> Table<S> {
    /// Without sockets.
    pub const fn new() -> Self {
        Self {
            ports: WordMap::new(),
        }
    }

    /// Adds a socket at `port`, or changes what it wants there.
    pub fn put(&mut self, port: u16, key: Key, socket: &Weak<S>) {
        let entries = self.ports.get_or_default(port);
        if let Some(entry) = entries.iter_mut().find(|entry| entry.socket.ptr_eq(socket)) {
            entry.key = key;
            return;
        }
        entries.push(Entry {
            key,
            socket: Weak::clone(socket),
        });
    }

    /// Removes a socket from `port`.
    pub fn remove(&mut self, port: u16, socket: &Weak<S>) {
        if let Some(entries) = self.ports.get_mut(&port) {
            entries.retain(|entry| !entry.socket.ptr_eq(socket) && entry.socket.strong_count() > 0);
            if entries.is_empty() {
                self.ports.remove(&port);
            }
        }
    }

    /// The socket that fits best; the youngest of several, or by `hash` one of a group that shares.
    pub fn find(&self, port: u16, ends: &Ends, hash: impl FnOnce() -> u32) -> Option<Arc<S>> {
        let entries = self.ports.get(&port)?;
        let mut best: Option<(u32, &Entry<S>)> = None;
        for entry in entries.iter().rev() {
            if let Some(score) = entry.key.score(ends)
                && best.is_none_or(|(other, _)| score > other)
                && entry.socket.strong_count() > 0
            {
                best = Some((score, entry));
            }
        }
        let (score, found) = best?;
        if !found.key.is_in_group() {
            return found.socket.upgrade();
        }
        let is_member = |entry: &&Entry<S>| {
            entry.key.is_in_group()
                && entry.key.score(ends) == Some(score)
                && entry.socket.strong_count() > 0
        };
        let members: Vec<_> = entries.iter().filter(is_member).collect();
        let chosen = usize::try_from(hash()).unwrap_or(0) % members.len();
        members[chosen].socket.upgrade()
    }

    /// All sockets that fit.
    pub fn find_all(&self, port: u16, ends: &Ends) -> Vec<Arc<S>> {
        let entries = self
            .ports
            .get(&port)
            .map_or(&[][..], |entries| &entries[..]);
        entries
            .iter()
            .filter(|entry| entry.key.score(ends).is_some())
            .filter_map(|entry| entry.socket.upgrade())
            .collect()
    }

    /// Visits all sockets there are.
    pub fn each(&self, mut visit: impl FnMut(&S)) {
        for entry in self.ports.values().flat_map(|entries| entries.iter()) {
            if let Some(socket) = entry.socket.upgrade() {
                visit(&socket);
            }
        }
    }

    /// All sockets there are, with their ports.
    pub fn all(&self) -> Vec<(u16, Arc<S>)> {
        let one = |port: u16, entries: &[Entry<S>]| {
            let open = entries.iter().filter_map(|entry| entry.socket.upgrade());
            open.map(move |socket| (port, socket)).collect::<Vec<_>>()
        };
        self.ports
            .iter()
            .flat_map(|(port, entries)| one(port, entries))
            .collect()
    }
}

impl<S> Default for Table<S> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY4: Key = Key {
        family: Family::V4,
        v6_only: false,
        local: IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED),
        remote: None,
        device: 0,
        shares: false,
    };
    const ANY6: Key = Key {
        family: Family::V6,
        local: IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED),
        ..ANY4
    };

    fn ends(from: &str, to: &str) -> Ends {
        Ends {
            from: from.parse().expect("an address"),
            to: to.parse().expect("an address"),
            interface: 1,
        }
    }

    fn at(key: Key, local: &str) -> Key {
        Key {
            local: local.parse().expect("an address"),
            ..key
        }
    }

    fn to(key: Key, remote: &str) -> Key {
        Key {
            remote: Some(remote.parse().expect("an address")),
            ..key
        }
    }

    /// The index in `keys` of who gets what goes from `from` to `destination`.
    fn receiver(keys: &[Key], from: &str, destination: &str) -> Option<usize> {
        let mut table = Table::new();
        let sockets: Vec<Arc<usize>> = (0..keys.len()).map(Arc::new).collect();
        for (key, socket) in keys.iter().zip(&sockets) {
            table.put(9, *key, &Arc::downgrade(socket));
        }
        let found = table.find(9, &ends(from, destination), || 0);
        found.map(|found| *found)
    }

    #[test]
    fn the_most_particular_socket_wins() {
        let keys = [
            ANY6,
            ANY4,
            at(ANY4, "127.0.0.1"),
            to(at(ANY4, "127.0.0.1"), "127.0.0.1:5"),
        ];
        for (from, expected) in [("127.0.0.1:5", 3), ("127.0.0.1:6", 2)] {
            let found = receiver(&keys, from, "127.0.0.1:9");
            assert_eq!(found, Some(expected), "{from}");
        }
        assert_eq!(receiver(&keys, "127.0.0.1:6", "127.0.0.2:9"), Some(1));
        assert_eq!(receiver(&keys, "[::1]:6", "[::1]:9"), Some(0));
        assert_eq!(receiver(&keys[2..], "127.0.0.1:6", "127.0.0.2:9"), None);
    }

    #[test]
    fn ipv6_sockets_take_ipv4_unless_told_not_to() {
        let v6_only = Key {
            v6_only: true,
            ..ANY6
        };
        let mapped_all = at(ANY6, "0.0.0.0");
        assert_eq!(receiver(&[ANY6], "127.0.0.1:6", "127.0.0.1:9"), Some(0));
        assert_eq!(receiver(&[v6_only], "127.0.0.1:6", "127.0.0.1:9"), None);
        assert_eq!(
            receiver(&[mapped_all], "127.0.0.1:6", "127.0.0.1:9"),
            Some(0)
        );
        assert_eq!(receiver(&[mapped_all], "[::1]:6", "[::1]:9"), None);
        assert_eq!(receiver(&[ANY4], "[::1]:6", "[::1]:9"), None);
    }

    #[test]
    fn of_equals_the_youngest_wins_and_groups_share() {
        assert_eq!(
            receiver(&[ANY4, ANY4], "127.0.0.1:6", "127.0.0.1:9"),
            Some(1)
        );
        let mut table = Table::new();
        let sockets: Vec<Arc<u32>> = (0..3).map(Arc::new).collect();
        let shared = Key {
            shares: true,
            ..ANY4
        };
        for socket in &sockets {
            table.put(9, shared, &Arc::downgrade(socket));
        }
        let ends = ends("127.0.0.1:6", "127.0.0.1:9");
        for hash in 0..6 {
            assert_eq!(table.find(9, &ends, || hash).as_deref(), Some(&(hash % 3)));
        }
        assert_eq!(table.find_all(9, &ends).len(), 3);
    }

    #[test]
    fn sockets_on_other_devices_and_those_that_are_gone_get_nothing() {
        let other = Key { device: 2, ..ANY4 };
        assert_eq!(receiver(&[other], "127.0.0.1:6", "127.0.0.1:9"), None);
        let mut table = Table::new();
        let socket = Arc::new(1);
        table.put(9, ANY4, &Arc::downgrade(&socket));
        let ends = ends("127.0.0.1:6", "127.0.0.1:9");
        assert!(table.find(9, &ends, || 0).is_some());
        let weak = Arc::downgrade(&socket);
        drop(socket);
        assert!(table.find(9, &ends, || 0).is_none());
        table.remove(9, &weak);
        assert!(table.ports.is_empty());
    }
}
