//! Initial sequence numbers as RFC 6528 has them: a clock, plus a keyed hash of the addresses.
//!
//! Nobody who has not the key can tell one connection's numbers from another's; and for the
//! same addresses they rise, so that segments of an earlier connection are told apart.

use core::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::sequence::Sequence;
use super::table::Key;
use crate::time::Instant;

/// The key.
#[derive(Debug, Default)]
pub(crate) struct Initial {
    key: [u8; 16],
}

impl Initial {
    pub fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// The number at which a connection begins at `now`; it rises by one each 4 microseconds.
    pub fn number(&self, now: Instant, key: &Key) -> Sequence {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        // Another use of the same key as the table's: the first byte tells them apart.
        hasher.write_u8(b'i');
        hasher.write(key.as_bytes());
        let clock = now.total_micros().cast_unsigned() >> 2;
        Sequence(low(hasher.finish()).wrapping_add(low(clock)))
    }
}

fn low(word: u64) -> u32 {
    u32::try_from(word & 0xffff_ffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Flow;

    #[test]
    fn numbers_rise_for_one_flow_and_differ_between_flows() {
        let flow = |port| {
            Key::new(&Flow {
                local: ([10, 0, 0, 1], 80).into(),
                remote: ([10, 0, 0, 2], port).into(),
            })
        };
        let initial = Initial::new([7; 16]);
        let at = Instant::from_secs;
        let first = initial.number(at(0), &flow(1));
        let later = initial.number(at(1), &flow(1));
        assert_eq!(later.distance_from(first), Some(250_000));
        assert_ne!(first, initial.number(at(0), &flow(2)));
        assert_ne!(first, Initial::new([8; 16]).number(at(0), &flow(1)));
    }
}
