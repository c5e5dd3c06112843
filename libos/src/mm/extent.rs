//! A half-open run of addresses, and rounding to pages.

use libos_abi::PAGE_SIZE;
use libos_abi::boot::Span;

/// Addresses `start..end`; `start <= end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// First address.
    pub start: usize,
    /// Address behind the last.
    pub end: usize,
}

impl Extent {
    /// `start..end`.
    pub const fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end);
        Self { start, end }
    }

    /// `len` bytes from `start` on; `None` if that wraps.
    pub const fn sized(start: usize, len: usize) -> Option<Self> {
        match start.checked_add(len) {
            Some(end) => Some(Self { start, end }),
            None => None,
        }
    }

    /// Length in bytes.
    pub const fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether it has no byte.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether `address` lies inside.
    pub const fn contains(self, address: usize) -> bool {
        self.start <= address && address < self.end
    }

    /// Whether all of `other` lies inside.
    pub const fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// What both have; empty if nothing.
    pub fn intersection(self, other: Self) -> Self {
        let start = self.start.max(other.start);
        Self {
            start,
            end: self.end.min(other.end).max(start),
        }
    }

    /// Whether they share a byte.
    pub fn overlaps(self, other: Self) -> bool {
        !self.intersection(other).is_empty()
    }
}

impl From<Span> for Extent {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "usize is 64 bits on this architecture"
    )]
    fn from(span: Span) -> Self {
        Self::new(span.start as usize, span.end() as usize)
    }
}

/// Rounds down to a page.
pub const fn page_floor(address: usize) -> usize {
    address & !(PAGE_SIZE - 1)
}

/// Rounds up to a page; `None` if that wraps.
pub const fn page_ceil(address: usize) -> Option<usize> {
    address.checked_next_multiple_of(PAGE_SIZE)
}
