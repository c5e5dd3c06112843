//! Code as the rewriter sees it: byte ranges at virtual addresses, and sets of addresses over them.
//!
//! Main types: [`Region`] (bytes at an address), [`Text`] (sorted, disjoint regions) and
//! [`AddressSet`] (one bit for each byte of a [`Text`]). Everything above this module speaks of
//! virtual addresses only, so it serves an ELF file and a range of live memory alike. It knows
//! neither ELF nor instructions.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Bytes that stand at a virtual address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region<'a> {
    vaddr: u64,
    bytes: &'a [u8],
}

impl<'a> Region<'a> {
    /// Makes a region, or `None` where its end would not fit in the address space.
    #[must_use]
    pub fn new(vaddr: u64, bytes: &'a [u8]) -> Option<Self> {
        vaddr.checked_add(to_u64(bytes.len()))?;
        Some(Self { vaddr, bytes })
    }

    /// Address of the first byte.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.vaddr
    }

    /// Address behind the last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.vaddr + to_u64(self.bytes.len())
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Index into [`Self::bytes`] of an address inside the region.
    #[must_use]
    pub fn offset_of(&self, vaddr: u64) -> Option<usize> {
        let offset = usize::try_from(vaddr.checked_sub(self.vaddr)?).ok()?;
        (offset < self.bytes.len()).then_some(offset)
    }

    /// The bytes from an address to the end of the region; empty outside it.
    #[must_use]
    pub fn tail(&self, vaddr: u64) -> &'a [u8] {
        self.offset_of(vaddr)
            .map_or(&[], |offset| &self.bytes[offset..])
    }
}

/// Code: regions sorted by address that do not overlap.
#[derive(Debug, Clone, Default)]
pub struct Text<'a> {
    regions: Vec<Region<'a>>,
    /// Bit number in an [`AddressSet`] of each region's first byte.
    first_bit: Vec<usize>,
    bits: usize,
}

impl<'a> Text<'a> {
    /// Sorts the regions; `Err` holds the addresses of two that overlap.
    ///
    /// # Errors
    /// The start addresses of the first two overlapping regions.
    pub fn new(mut regions: Vec<Region<'a>>) -> Result<Self, (u64, u64)> {
        regions.retain(|region| !region.bytes.is_empty());
        regions.sort_by_key(Region::start);
        for pair in regions.windows(2) {
            if pair[0].end() > pair[1].start() {
                return Err((pair[0].start(), pair[1].start()));
            }
        }
        let mut bits = 0;
        let mut first_bit = Vec::with_capacity(regions.len());
        for region in &regions {
            first_bit.push(bits);
            bits += region.bytes.len();
        }
        Ok(Self {
            regions,
            first_bit,
            bits,
        })
    }

    /// The regions in the order of their addresses.
    #[must_use]
    pub fn regions(&self) -> &[Region<'a>] {
        &self.regions
    }

    /// Bytes of code in all regions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bits
    }

    /// Whether there is no code at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// Number of the region that holds an address.
    #[must_use]
    pub fn region_index(&self, vaddr: u64) -> Option<usize> {
        let index = self
            .regions
            .partition_point(|region| region.start() <= vaddr)
            .checked_sub(1)?;
        (vaddr < self.regions[index].end()).then_some(index)
    }

    /// The region that holds an address.
    #[must_use]
    pub fn region(&self, vaddr: u64) -> Option<&Region<'a>> {
        self.region_index(vaddr).map(|index| &self.regions[index])
    }

    /// Whether an address lies in the code.
    #[must_use]
    pub fn contains(&self, vaddr: u64) -> bool {
        self.region_index(vaddr).is_some()
    }

    /// The bytes of an address range, where one region holds all of it.
    #[must_use]
    pub fn slice(&self, range: &Range<u64>) -> Option<&'a [u8]> {
        let region = self.region(range.start)?;
        let start = region.offset_of(range.start)?;
        let len = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        region.bytes.get(start..start.checked_add(len)?)
    }

    fn bit(&self, vaddr: u64) -> Option<usize> {
        let index = self.region_index(vaddr)?;
        Some(self.first_bit[index] + self.regions[index].offset_of(vaddr)?)
    }

    fn address(&self, bit: usize) -> u64 {
        let index = self
            .first_bit
            .partition_point(|&first| first <= bit)
            .saturating_sub(1);
        self.regions[index].start() + to_u64(bit - self.first_bit[index])
    }
}

/// A set of addresses of one [`Text`]: a bit a byte.
///
/// The text is passed to each method instead of being borrowed, so that a set can be stored beside
/// it; a set is only meaningful with the text that it was made for.
#[derive(Debug, Clone, Default)]
pub struct AddressSet {
    words: Vec<u64>,
}

impl AddressSet {
    /// An empty set over a text.
    #[must_use]
    pub fn new(text: &Text<'_>) -> Self {
        Self {
            words: vec![0; text.bits.div_ceil(64)],
        }
    }

    /// Adds an address; one outside the text is ignored. Tells whether it lies in the text.
    pub fn insert(&mut self, text: &Text<'_>, vaddr: u64) -> bool {
        let Some(bit) = text.bit(vaddr) else {
            return false;
        };
        self.words[bit / 64] |= 1 << (bit % 64);
        true
    }

    /// Adds the byte `offset` of region number `region`: [`Self::insert`] without the search.
    pub(crate) fn insert_at(&mut self, text: &Text<'_>, region: usize, offset: usize) {
        let bit = text.first_bit[region] + offset;
        self.words[bit / 64] |= 1 << (bit % 64);
    }

    /// Whether an address is in the set.
    #[must_use]
    pub fn contains(&self, text: &Text<'_>, vaddr: u64) -> bool {
        text.bit(vaddr)
            .is_some_and(|bit| self.words[bit / 64] >> (bit % 64) & 1 == 1)
    }

    /// The first member in a range of addresses (at most a few bytes long).
    #[must_use]
    pub fn first_in(&self, text: &Text<'_>, mut range: Range<u64>) -> Option<u64> {
        range.find(|&vaddr| self.contains(text, vaddr))
    }

    /// Adds every member of another set over the same text.
    pub fn union(&mut self, other: &Self) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
    }

    /// Members of `self` that are not in `other`, in order.
    #[must_use]
    pub fn difference(&self, other: &Self, text: &Text<'_>) -> Vec<u64> {
        let mut found = Vec::new();
        for (index, (mine, theirs)) in self.words.iter().zip(&other.words).enumerate() {
            let mut left = mine & !theirs;
            while left != 0 {
                let bit = index * 64 + usize::try_from(left.trailing_zeros()).unwrap_or(0);
                found.push(text.address(bit));
                left &= left - 1;
            }
        }
        found
    }
}

/// A length as an address difference. Lossless: `usize` has at most 64 bits on every target of Rust.
pub(crate) fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_regions_are_refused() {
        let bytes = [0x90; 16];
        let a = Region::new(0x1000, &bytes).unwrap();
        let b = Region::new(0x100f, &bytes).unwrap();
        assert_eq!(Text::new(vec![b, a]).unwrap_err(), (0x1000, 0x100f));
    }

    #[test]
    fn a_region_that_wraps_is_refused() {
        assert!(Region::new(u64::MAX - 3, &[0; 8]).is_none());
    }

    #[test]
    fn sets_hold_addresses_of_all_regions() {
        let bytes = [0x90; 100];
        let text = Text::new(vec![
            Region::new(0x2000, &bytes).unwrap(),
            Region::new(0x1000, &bytes).unwrap(),
        ])
        .unwrap();
        let mut set = AddressSet::new(&text);
        assert!(set.insert(&text, 0x1000) && set.insert(&text, 0x2063));
        assert!(!set.insert(&text, 0x2064), "behind the end");
        assert!(set.contains(&text, 0x2063) && !set.contains(&text, 0x2062));
        assert_eq!(
            set.difference(&AddressSet::new(&text), &text),
            [0x1000, 0x2063]
        );
        assert_eq!(set.first_in(&text, 0x0ff8..0x1008), Some(0x1000));
    }
}
