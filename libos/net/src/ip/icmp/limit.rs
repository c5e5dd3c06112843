//! How many ICMP messages we send unasked: as Linux, a thousand a second to all together
//! (`icmp_msgs_per_sec`, `icmp_msgs_burst`) and one a second to each, with a burst of six
//! (`icmp_ratelimit`). Who is "each" falls on places by a keyed hash, so that the table is bounded.

use core::net::IpAddr;

use crate::random::KeyedHash;
use crate::time::{Duration, Instant};

const PLACES: usize = 256;

/// Tokens that refill with time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: u32,
    filled: Instant,
    burst: u32,
    interval: Duration,
}

impl Bucket {
    fn new(burst: u32, interval: Duration) -> Self {
        Self {
            tokens: burst,
            filled: Instant::ZERO,
            burst,
            interval,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = (now - self.filled).total_micros();
        let fresh = passed
            .checked_div(self.interval.total_micros())
            .unwrap_or(u64::MAX);
        if fresh > 0 {
            let fresh = u32::try_from(fresh).unwrap_or(u32::MAX);
            self.tokens = self.tokens.saturating_add(fresh).min(self.burst);
            self.filled = now;
        }
        let has_one = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        has_one
    }
}

/// The limits.
#[derive(Debug)]
pub(crate) struct Limits {
    hash: KeyedHash,
    errors: Bucket,
    echoes: Bucket,
    peers: [Bucket; PLACES],
}

impl Limits {
    /// All buckets full.
    pub(crate) fn new(hash: KeyedHash) -> Self {
        Self {
            hash,
            errors: Bucket::new(50, Duration::from_millis(1)),
            echoes: Bucket::new(1000, Duration::from_micros(20)),
            peers: [Bucket::new(6, Duration::from_secs(1)); PLACES],
        }
    }

    /// Whether an error may go to `peer` now.
    pub(crate) fn admit_error(&mut self, now: Instant, peer: IpAddr) -> bool {
        let place = self.hash.place(&peer, PLACES);
        let admitted = self.peers.get_mut(place).is_some_and(|peer| peer.take(now));
        admitted && self.errors.take(now)
    }

    /// Whether an echo may be answered now: at most fifty thousand a second.
    pub(crate) fn admit_echo(&mut self, now: Instant) -> bool {
        self.echoes.take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn each_peer_and_all_together_are_limited() {
        let mut limits = Limits::new(KeyedHash::new([3; 16]));
        let mut now = Instant::from_secs(10);
        let admitted = (0..100).filter(|_| limits.admit_error(now, address(1)));
        assert_eq!(admitted.count(), 6);
        now += Duration::from_secs(1);
        let admitted = (0..100).filter(|_| limits.admit_error(now, address(1)));
        assert_eq!(admitted.count(), 1, "one more after a second");
        let admitted = (100..10_000).filter(|&peer| limits.admit_error(now, address(peer)));
        assert_eq!(admitted.count(), 49, "all together");
        let admitted = (0..2000).filter(|_| limits.admit_echo(now));
        assert_eq!(admitted.count(), 1000);
    }
}
