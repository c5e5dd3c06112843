//! Mappings: what is at which address, with which protection.
//!
//! [`VmaMap`] is the pure bookkeeping: disjoint mappings in order of address, split where a call
//! cuts them and merged again where neighbours are alike, as Linux does. It knows nothing of free
//! addresses or of memory's contents.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use crate::mm::extent::Extent;

bitflags::bitflags! {
    /// `PROT_*` of mmap(2).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Prot: u8 {
        /// May be read.
        const READ = 1;
        /// May be written.
        const WRITE = 2;
        /// May be executed.
        const EXEC = 4;
    }
}

impl Prot {
    /// Readable and writable.
    pub const RW: Self = Self::READ.union(Self::WRITE);

    /// Whether the CPU would let it be read: x86-64 can't forbid it where anything is allowed.
    pub fn readable(self) -> bool {
        !self.is_empty()
    }
}

bitflags::bitflags! {
    /// Properties of a mapping beside its protection.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct VmaFlags: u8 {
        /// MAP_SHARED.
        const SHARED = 1;
        /// MAP_NORESERVE: not counted against the memory limit.
        const NORESERVE = 2;
        /// mlock(2).
        const LOCKED = 4;
        /// The file was not open for writing, so that a shared mapping never becomes writable.
        const NO_WRITE = 8;
        /// MAP_STACK: a thread's stack.
        const STACK = 16;
    }
}

/// What is behind a mapping.
#[derive(Clone, Debug)]
pub enum Backing {
    /// Zero-filled memory.
    Anonymous,
    /// The break area.
    Heap,
    /// The initial thread's stack.
    Stack,
    /// A segment of the application itself; the field is its offset in the application's file.
    Image(u64),
    /// A file.
    File(Arc<FileMapping>, u64),
}

/// The file behind a mapping.
pub struct FileMapping {
    /// The open file; kept until the mapping is gone, as Linux does. What it is, `fs::mapping` knows.
    pub file: Arc<dyn Any + Send + Sync>,
    /// For a shared mapping, keeps the file's pages in place.
    pub pin: Option<crate::mm::pages::Pin>,
}

impl core::fmt::Debug for FileMapping {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("FileMapping")
    }
}

impl Backing {
    /// The backing of the part that begins `bytes` further on.
    #[must_use]
    pub fn advanced(&self, bytes: usize) -> Self {
        let bytes = bytes as u64;
        match self {
            Self::Image(offset) => Self::Image(offset + bytes),
            Self::File(file, offset) => Self::File(Arc::clone(file), offset + bytes),
            other => other.clone(),
        }
    }

    /// Whether `next`, `bytes` further on, continues this backing.
    fn continues(&self, bytes: usize, next: &Self) -> bool {
        let bytes = bytes as u64;
        match (self, next) {
            (Self::Anonymous, Self::Anonymous)
            | (Self::Heap, Self::Heap)
            | (Self::Stack, Self::Stack) => true,
            (Self::Image(first), Self::Image(second)) => first + bytes == *second,
            (Self::File(a, first), Self::File(b, second)) => {
                Arc::ptr_eq(a, b) && first + bytes == *second
            }
            _ => false,
        }
    }

    /// The file's offset at the mapping's start; 0 without a file.
    pub fn offset(&self) -> u64 {
        match self {
            Self::Image(offset) | Self::File(_, offset) => *offset,
            _ => 0,
        }
    }
}

/// One mapping; its start is its key in the map.
#[derive(Clone, Debug)]
pub struct Vma {
    /// Address behind the last byte.
    pub end: usize,
    /// What the application asked for.
    pub prot: Prot,
    /// See [`VmaFlags`].
    pub flags: VmaFlags,
    /// See [`Backing`].
    pub backing: Backing,
    /// How many mmap calls returned this address: more than one only for shared mappings of the
    /// same pages of a file, which have only one address.
    pub count: u32,
}

impl Vma {
    /// An anonymous private mapping up to `end`.
    pub fn anonymous(end: usize, prot: Prot) -> Self {
        Self {
            end,
            prot,
            flags: VmaFlags::empty(),
            backing: Backing::Anonymous,
            count: 1,
        }
    }

    fn same_kind(&self, len: usize, next: &Self) -> bool {
        self.prot == next.prot
            && self.flags == next.flags
            && self.count == next.count
            && self.backing.continues(len, &next.backing)
    }
}

/// All mappings.
#[derive(Default)]
pub struct VmaMap {
    map: BTreeMap<usize, Vma>,
    /// Sum of their lengths, in bytes.
    mapped: usize,
}

impl VmaMap {
    /// No mapping.
    pub const fn new() -> Self {
        Self {
            map: BTreeMap::new(),
            mapped: 0,
        }
    }

    /// Number of mappings.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Sum of all lengths, in bytes.
    pub fn mapped(&self) -> usize {
        self.mapped
    }

    /// All mappings in order.
    pub fn iter(&self) -> impl Iterator<Item = (Extent, &Vma)> {
        self.map
            .iter()
            .map(|(&start, vma)| (Extent::new(start, vma.end), vma))
    }

    /// The mapping that contains `address`.
    pub fn find(&self, address: usize) -> Option<(Extent, &Vma)> {
        let (&start, vma) = self.map.range(..=address).next_back()?;
        (vma.end > address).then(|| (Extent::new(start, vma.end), vma))
    }

    /// The mappings that overlap `extent`, uncut, in order.
    pub fn overlapping(&self, extent: Extent) -> impl Iterator<Item = (Extent, &Vma)> {
        let first = self
            .find(extent.start)
            .map_or(extent.start, |(found, _)| found.start);
        self.map
            .range(first..extent.end.max(first))
            .map(|(&start, vma)| (Extent::new(start, vma.end), vma))
    }

    /// How much of `extent`, from its start, is mapped without a gap by mappings that `accept`
    /// likes; the address where that ends.
    pub fn covered_until(&self, extent: Extent, accept: impl Fn(&Vma) -> bool) -> usize {
        let mut at = extent.start;
        for (found, vma) in self.overlapping(extent) {
            if found.start > at || !accept(vma) {
                return at;
            }
            at = found.end.min(extent.end);
        }
        at
    }

    /// Whether every address of `extent` is mapped.
    pub fn is_mapped(&self, extent: Extent) -> bool {
        self.covered_until(extent, |_| true) == extent.end
    }

    /// Adds a mapping where there is none, merging it with neighbours of its kind.
    pub fn insert(&mut self, start: usize, vma: Vma) {
        let extent = Extent::new(start, vma.end);
        debug_assert!(self.overlapping(extent).next().is_none(), "mapped twice");
        self.mapped += extent.len();
        self.map.insert(start, vma);
        self.merge_at(start);
        self.merge_at(extent.end);
    }

    /// Removes what is mapped in `extent`; returns the parts removed.
    pub fn remove(&mut self, extent: Extent) -> Vec<(Extent, Vma)> {
        self.split_at(extent.start);
        self.split_at(extent.end);
        let mut removed = Vec::new();
        while let Some((&start, _)) = self.map.range(extent.start..extent.end).next() {
            if let Some(vma) = self.map.remove(&start) {
                self.mapped -= vma.end - start;
                removed.push((Extent::new(start, vma.end), vma));
            }
        }
        removed
    }

    /// Changes what is mapped in `extent`, which cuts mappings at its ends.
    pub fn update(&mut self, extent: Extent, mut change: impl FnMut(&mut Vma)) {
        self.split_at(extent.start);
        self.split_at(extent.end);
        for (_, vma) in self.map.range_mut(extent.start..extent.end) {
            change(vma);
        }
        self.merge_within(extent);
    }

    fn split_at(&mut self, address: usize) {
        let Some((&start, vma)) = self.map.range_mut(..address).next_back() else {
            return;
        };
        if vma.end <= address {
            return;
        }
        let mut upper = vma.clone();
        upper.backing = vma.backing.advanced(address - start);
        vma.end = address;
        self.map.insert(address, upper);
    }

    /// Merges the mapping that starts at `address` into the one that ends there, if alike.
    fn merge_at(&mut self, address: usize) {
        let Some(upper) = self.map.get(&address) else {
            return;
        };
        let upper_end = upper.end;
        let Some((&start, lower)) = self.map.range(..address).next_back() else {
            return;
        };
        if lower.end != address || !lower.same_kind(address - start, upper) {
            return;
        }
        self.map.remove(&address);
        if let Some(lower) = self.map.get_mut(&start) {
            lower.end = upper_end;
        }
    }

    /// Merges at every boundary inside `extent` and at its ends.
    fn merge_within(&mut self, extent: Extent) {
        let mut at = extent.start;
        self.merge_at(at);
        while at < extent.end
            && let Some((&next, _)) = self.map.range(at + 1..=extent.end).next()
        {
            self.merge_at(next);
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(parts: &[(usize, usize, Prot)]) -> VmaMap {
        let mut map = VmaMap::new();
        for &(start, end, prot) in parts {
            map.insert(start, Vma::anonymous(end, prot));
        }
        map
    }

    fn shape(map: &VmaMap) -> Vec<(usize, usize, Prot)> {
        map.iter()
            .map(|(extent, vma)| (extent.start, extent.end, vma.prot))
            .collect()
    }

    #[test]
    fn neighbours_of_a_kind_merge() {
        let all = map(&[(0, 10, Prot::RW), (20, 30, Prot::RW), (10, 20, Prot::RW)]);
        assert_eq!(shape(&all), [(0, 30, Prot::RW)]);
        let two = map(&[(0, 10, Prot::RW), (10, 20, Prot::READ)]);
        assert_eq!(two.len(), 2);
        assert_eq!(two.mapped(), 20);
    }

    #[test]
    fn an_update_cuts_and_merges_again() {
        let mut all = map(&[(0, 30, Prot::RW)]);
        all.update(Extent::new(10, 20), |vma| vma.prot = Prot::READ);
        let parts = [(0, 10, Prot::RW), (10, 20, Prot::READ), (20, 30, Prot::RW)];
        assert_eq!(shape(&all), parts);
        all.update(Extent::new(5, 25), |vma| vma.prot = Prot::RW);
        assert_eq!(shape(&all), [(0, 30, Prot::RW)]);
    }

    #[test]
    fn a_removal_returns_the_parts() {
        let mut all = map(&[(0, 10, Prot::RW), (15, 30, Prot::READ)]);
        let removed: Vec<_> = all
            .remove(Extent::new(5, 20))
            .into_iter()
            .map(|(extent, _)| (extent.start, extent.end))
            .collect();
        assert_eq!(removed, [(5, 10), (15, 20)]);
        assert_eq!(shape(&all), [(0, 5, Prot::RW), (20, 30, Prot::READ)]);
        assert_eq!(all.mapped(), 15);
    }

    #[test]
    fn offsets_follow_a_split() {
        let mut all = VmaMap::new();
        let mut vma = Vma::anonymous(30, Prot::READ);
        vma.backing = Backing::Image(1000);
        all.insert(10, vma);
        all.update(Extent::new(15, 20), |vma| vma.prot = Prot::RW);
        let offsets: Vec<u64> = all.iter().map(|(_, vma)| vma.backing.offset()).collect();
        assert_eq!(offsets, [1000, 1005, 1010]);
        all.update(Extent::new(15, 20), |vma| vma.prot = Prot::READ);
        assert_eq!(all.len(), 1, "the pieces continue each other");
    }

    #[test]
    fn coverage_ends_at_a_gap_or_an_unwanted_mapping() {
        let all = map(&[(0, 10, Prot::RW), (10, 20, Prot::READ), (30, 40, Prot::RW)]);
        assert!(all.is_mapped(Extent::new(2, 20)));
        assert!(!all.is_mapped(Extent::new(2, 21)));
        let writable = |vma: &Vma| vma.prot.contains(Prot::WRITE);
        assert_eq!(all.covered_until(Extent::new(2, 25), writable), 10);
        assert_eq!(all.covered_until(Extent::new(25, 35), writable), 25);
    }
}
