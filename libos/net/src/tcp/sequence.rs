//! Sequence numbers: positions in a stream, modulo 2³² (RFC 9293, section 3.4).

use core::cmp::Ordering;

/// A sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequence(pub u32);

impl Sequence {
    /// The number `len` further on.
    pub fn plus(self, len: usize) -> Self {
        // A position is modulo 2³²: what does not fit is meant to be lost.
        let low = u32::try_from(len & 0xffff_ffff).unwrap_or(0);
        Self(self.0.wrapping_add(low))
    }

    /// The number one back.
    pub fn previous(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }

    /// How far this lies behind `other`; none if it does not.
    pub fn distance_from(self, other: Self) -> Option<usize> {
        let distance = self.0.wrapping_sub(other.0).cast_signed();
        usize::try_from(distance).ok()
    }

    /// Whether this lies in the `len` numbers from `start`.
    pub fn is_in(self, start: Self, len: usize) -> bool {
        self.distance_from(start).is_some_and(|at| at < len)
    }
}

impl PartialOrd for Sequence {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.0.wrapping_sub(other.0).cast_signed().partial_cmp(&0)
    }
}

impl From<smoltcp::wire::TcpSeqNumber> for Sequence {
    fn from(number: smoltcp::wire::TcpSeqNumber) -> Self {
        Self(number.0.cast_unsigned())
    }
}

impl From<Sequence> for smoltcp::wire::TcpSeqNumber {
    fn from(number: Sequence) -> Self {
        Self(number.0.cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_across_the_wrap() {
        let last = Sequence(u32::MAX);
        assert!(last < last.plus(1));
        assert_eq!(last.plus(1), Sequence(0));
        assert_eq!(Sequence(5).distance_from(last), Some(6));
        assert_eq!(last.distance_from(Sequence(5)), None);
        assert!(Sequence(0).is_in(last, 2));
        assert!(!Sequence(1).is_in(last, 2));
        assert!(!Sequence(1).is_in(Sequence(2), 100));
    }
}
