//! Path MTUs that routers told of (RFC 1191, RFC 8201), for a while.

use core::net::IpAddr;

use hashbrown::HashMap;

use crate::random::KeyedHash;
use crate::time::{Duration, Instant};

/// How long one is believed (`net.ipv4.route.mtu_expires`).
const BELIEVED: Duration = Duration::from_secs(600);

/// Most that are remembered.
const MOST: usize = 256;

/// Least that is believed (`net.ipv4.route.min_pmtu`; RFC 8200, section 5): smaller ones would be an
/// attack on our speed.
const LEAST_IPV4: u16 = 552;
const LEAST_IPV6: u16 = 1280;

/// The paths whose MTU is less than the link's.
#[derive(Debug)]
pub(crate) struct PathMtus {
    known: HashMap<IpAddr, (u16, Instant), KeyedHash>,
}

impl PathMtus {
    /// None known.
    pub(crate) fn new(hash: KeyedHash) -> Self {
        Self {
            known: HashMap::with_hasher(hash),
        }
    }

    /// The MTU towards `destination` in bytes, of at most `link`.
    pub(crate) fn mtu(&self, now: Instant, destination: IpAddr, link: usize) -> usize {
        if self.known.is_empty() {
            return link;
        }
        match self.known.get(&destination) {
            Some(&(mtu, until)) if now < until => link.min(mtu.into()),
            _ => link,
        }
    }

    /// A router says that packets to `destination` may be `mtu` bytes long; returns what is believed of it:
    /// not less than the least, which also those get who say zero (routers before RFC 1191).
    pub(crate) fn learn(&mut self, now: Instant, destination: IpAddr, mtu: u16) -> u16 {
        let least = match destination {
            IpAddr::V4(_) => LEAST_IPV4,
            IpAddr::V6(_) => LEAST_IPV6,
        };
        let mtu = mtu.max(least);
        if self.known.len() >= MOST && !self.known.contains_key(&destination) {
            self.known.retain(|_, (_, until)| now < *until);
        }
        if self.known.len() >= MOST && !self.known.contains_key(&destination) {
            self.evict();
        }
        self.known.insert(destination, (mtu, now + BELIEVED));
        mtu
    }

    fn evict(&mut self) {
        let oldest = self.known.iter().min_by_key(|(_, (_, until))| *until);
        if let Some(address) = oldest.map(|(&address, _)| address) {
            self.known.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    #[test]
    fn paths_are_remembered_for_a_while_and_within_bounds() {
        let mut paths = PathMtus::new(KeyedHash::new([0; 16]));
        let now = Instant::from_secs(1);
        let to: IpAddr = "10.0.0.1".parse().expect("an address");
        assert_eq!(paths.mtu(now, to, 1500), 1500);
        assert_eq!(paths.learn(now, to, 1400), 1400);
        assert_eq!(paths.mtu(now, to, 1500), 1400);
        assert_eq!(paths.mtu(now, to, 1300), 1300);
        assert_eq!(paths.mtu(now + BELIEVED, to, 1500), 1500);
        assert_eq!(paths.learn(now, to, 0), LEAST_IPV4);
        let v6 = "fd00::1".parse().expect("an address");
        assert_eq!(paths.learn(now, v6, 100), LEAST_IPV6);
        for number in 0..1000 {
            paths.learn(now, Ipv4Addr::from_bits(number).into(), 1000);
        }
        assert_eq!(paths.known.len(), MOST);
    }
}
