//! Peers of published UDP ports: whose datagrams the guest sees under which address.
//!
//! Main types: [`Peers`], [`Peer`]. Pure book-keeping: the sockets are those of the published ports.

use super::table::{Key, Table};
use libos_net::time::{Duration, Instant};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// How long a peer is remembered without a datagram in either direction.
const IDLE: Duration = Duration::from_secs(180);

/// Ports tried for a peer whose own is taken by another: the dynamic ones (RFC 6335).
const DYNAMIC_PORTS: std::ops::RangeInclusive<u16> = 49_152..=u16::MAX;

/// Someone who talks to a published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// To which published port, by its place in the list.
    pub port: u32,
    /// Its address.
    pub address: SocketAddr,
    /// To which of the host's addresses it sends: answers come from there.
    pub host: Option<IpAddr>,
    /// What the guest sees.
    pub shown: SocketAddr,
    /// The guest's port.
    pub guest_port: u16,
    last_used: Instant,
}

/// Everyone who talks to published ports.
#[derive(Debug)]
pub struct Peers {
    table: Table<Peer>,
    by_address: HashMap<(u32, SocketAddr), Key>,
    by_shown: HashMap<(SocketAddr, u16), Key>,
}

impl Peers {
    /// At most so many.
    pub fn new(most: usize) -> Self {
        Self {
            table: Table::new(most.max(1)),
            by_address: HashMap::new(),
            by_shown: HashMap::new(),
        }
    }

    /// The peer of the published port `port` at `address`; a new one is shown as `wish`, or on
    /// another port of that address if another peer is.
    pub fn meet(
        &mut self,
        now: Instant,
        (port, guest_port): (u32, u16),
        address: SocketAddr,
        host: Option<IpAddr>,
        wish: SocketAddr,
    ) -> Option<Peer> {
        if let Some(peer) = self
            .by_address
            .get(&(port, address))
            .and_then(|key| self.table.get_mut(*key))
        {
            (peer.last_used, peer.host) = (now, host);
            return Some(*peer);
        }
        if self.table.is_full() {
            self.remove_oldest();
        }
        let shown = self.free_to_show(wish, guest_port)?;
        let peer = Peer {
            port,
            address,
            host,
            shown,
            guest_port,
            last_used: now,
        };
        let key = self.table.insert(peer).ok()?;
        self.by_address.insert((port, address), key);
        self.by_shown.insert((shown, guest_port), key);
        Some(peer)
    }

    fn free_to_show(&self, wish: SocketAddr, guest_port: u16) -> Option<SocketAddr> {
        let others = DYNAMIC_PORTS.map(|port| SocketAddr::new(wish.ip(), port));
        std::iter::once(wish)
            .chain(others)
            .find(|shown| !self.by_shown.contains_key(&(*shown, guest_port)))
    }

    /// Whom the guest means by the address that it was shown.
    pub fn behind(&mut self, now: Instant, shown: SocketAddr, guest_port: u16) -> Option<Peer> {
        let key = self.by_shown.get(&(shown, guest_port))?;
        let peer = self.table.get_mut(*key)?;
        peer.last_used = now;
        Some(*peer)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    fn remove(&mut self, key: Key) {
        if let Some(peer) = self.table.remove(key) {
            self.by_address.remove(&(peer.port, peer.address));
            self.by_shown.remove(&(peer.shown, peer.guest_port));
        }
    }

    fn remove_oldest(&mut self) {
        let oldest = self.table.iter().min_by_key(|(_, peer)| peer.last_used);
        if let Some(key) = oldest.map(|(key, _)| key) {
            self.remove(key);
        }
    }

    /// Forgets those of whom nothing was heard for long.
    pub fn expire(&mut self, now: Instant) {
        let idle = self
            .table
            .iter()
            .filter(|(_, peer)| now - peer.last_used > IDLE);
        let idle: Vec<_> = idle.map(|(key, _)| key).collect();
        idle.into_iter().for_each(|key| self.remove(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn two_peers_with_one_port_are_shown_apart() {
        let mut peers = Peers::new(8);
        let wish = at("10.0.2.2:4000");
        let mut meet = |address| peers.meet(Instant::ZERO, (0, 53), at(address), None, wish);
        let first = meet("127.0.0.1:4000").expect("room");
        let second = meet("127.0.0.2:4000").expect("room");
        assert_eq!((first.shown, second.shown), (wish, at("10.0.2.2:49152")));
        assert_eq!(
            meet("127.0.0.1:4000").map(|peer| peer.shown),
            Some(wish),
            "known again"
        );
        let behind = |peers: &mut Peers, shown| peers.behind(Instant::ZERO, shown, 53);
        assert_eq!(
            behind(&mut peers, second.shown).map(|peer| peer.address),
            Some(second.address)
        );
        assert_eq!(
            peers.behind(Instant::ZERO, wish, 54),
            None,
            "another port of the guest"
        );
    }

    #[test]
    fn the_oldest_makes_room_and_idle_ones_are_forgotten() {
        let mut peers = Peers::new(2);
        for (second, port) in [(0, 1), (1, 2), (2, 3)] {
            let address = SocketAddr::from(([192, 0, 2, 1], port));
            let now = Instant::from_secs(second);
            peers
                .meet(now, (0, 53), address, None, address)
                .expect("room");
        }
        assert_eq!(
            peers.behind(Instant::from_secs(2), at("192.0.2.1:1"), 53),
            None
        );
        peers.expire(Instant::from_secs(182));
        assert_eq!(
            (
                peers.table.len(),
                peers.by_address.len(),
                peers.by_shown.len()
            ),
            (1, 1, 1)
        );
        peers.expire(Instant::from_secs(183));
        assert!(peers.is_empty());
    }
}
