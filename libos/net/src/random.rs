//! Numbers and hashes that nobody else can guess, from the stack's seed.

use core::hash::{BuildHasher, Hash, Hasher};

use siphasher::sip::SipHasher13;

/// A keyed hash for tables whose keys come from the network.
#[derive(Clone, Debug)]
pub(crate) struct KeyedHash {
    key: [u8; 16],
}

impl KeyedHash {
    /// With its key.
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// Which of `count` places `value` falls on.
    pub(crate) fn place<T: Hash>(&self, value: &T, count: usize) -> usize {
        let hash = usize::try_from(self.hash_one(value) >> 32).unwrap_or(0);
        hash.checked_rem(count).unwrap_or(0)
    }
}

impl BuildHasher for KeyedHash {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.key)
    }
}

/// A stream of numbers: SipHash of a counter under a secret key.
#[derive(Debug)]
pub(crate) struct Random {
    hash: KeyedHash,
    count: u64,
}

impl Random {
    /// Of a key.
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Self {
            hash: KeyedHash::new(key),
            count: 0,
        }
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.count = self.count.wrapping_add(1);
        let mut hasher = self.hash.build_hasher();
        hasher.write_u64(self.count);
        hasher.finish()
    }

    /// The next number of 32 bits.
    pub(crate) fn next_u32(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.next().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// The next number of 16 bits.
    pub(crate) fn next_u16(&mut self) -> u16 {
        let [a, b, ..] = self.next().to_le_bytes();
        u16::from_le_bytes([a, b])
    }

    /// A number below `bound`, or zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_key_and_stay_in_bounds() {
        let mut one = Random::new([1; 16]);
        let mut other = Random::new([2; 16]);
        assert_ne!(one.next(), other.next());
        assert_ne!(one.next(), one.next());
        assert!((0..100).all(|_| one.below(7) < 7));
        assert_eq!(one.below(0), 0);
        assert!(KeyedHash::new([0; 16]).place(&17, 5) < 5);
    }
}
