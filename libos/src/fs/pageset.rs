//! Which pages of a file have storage: a sorted list of ranges of page numbers.

use alloc::vec::Vec;
use core::ops::Range;

/// A set of page numbers. Files are mostly written from the start on, so one range is the rule.
#[derive(Default)]
pub struct PageSet {
    /// Sorted, not empty, not touching each other.
    ranges: Vec<Range<u64>>,
    count: u64,
}

impl PageSet {
    /// How many pages are in it.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many pages of `range` are in it.
    pub fn count_in(&self, range: &Range<u64>) -> u64 {
        let first = self.first_ending_behind(range.start);
        self.ranges[first..]
            .iter()
            .take_while(|known| known.start < range.end)
            .map(|known| known.end.min(range.end) - known.start.max(range.start))
            .sum()
    }

    /// Adds all pages of `range`.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // Ranges that overlap or touch the new one melt into it.
        let first = self.ranges.partition_point(|known| known.end < range.start);
        let last = first
            + self.ranges[first..]
                .iter()
                .take_while(|known| known.start <= range.end)
                .count();
        let mut merged = range;
        for known in self.ranges.drain(first..last) {
            self.count -= known.end - known.start;
            merged = merged.start.min(known.start)..merged.end.max(known.end);
        }
        self.count += merged.end - merged.start;
        self.ranges.insert(first, merged);
    }

    /// Removes all pages of `range`.
    pub fn remove(&mut self, range: &Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.first_ending_behind(range.start);
        let last = first
            + self.ranges[first..]
                .iter()
                .take_while(|known| known.start < range.end)
                .count();
        let mut kept = Vec::new();
        for known in self.ranges.drain(first..last) {
            self.count -= known.end - known.start;
            kept.extend([
                known.start..range.start.max(known.start).min(known.end),
                range.end.min(known.end).max(known.start)..known.end,
            ]);
        }
        kept.retain(|part| !part.is_empty());
        self.count += kept.iter().map(|part| part.end - part.start).sum::<u64>();
        self.ranges.splice(first..first, kept);
    }

    /// The first page from `page` on that is in the set.
    pub fn next_present(&self, page: u64) -> Option<u64> {
        let range = self.ranges.get(self.first_ending_behind(page))?;
        Some(range.start.max(page))
    }

    /// The first page from `page` on that is not in the set.
    pub fn next_absent(&self, page: u64) -> u64 {
        match self.ranges.get(self.first_ending_behind(page)) {
            Some(range) if range.start <= page => range.end,
            _ => page,
        }
    }

    fn first_ending_behind(&self, page: u64) -> usize {
        self.ranges.partition_point(|known| known.end <= page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_agrees_with_a_set_of_numbers() {
        let mut random = crate::fs::testing::Random::new(5);
        let mut set = PageSet::default();
        let mut model = BTreeSet::new();
        for step in 0..4000 {
            let start = random.below(60);
            let range = start..start + random.below(12);
            if random.below(2) == 0 {
                model.extend(range.clone());
                set.insert(range.clone());
            } else {
                model.retain(|page| !range.contains(page));
                set.remove(&range);
            }
            let probe = random.below(70);
            assert_eq!(set.count(), model.len() as u64, "step {step}");
            assert_eq!(
                set.count_in(&range),
                model.range(range.clone()).count() as u64
            );
            assert_eq!(
                set.next_present(probe),
                model.range(probe..).next().copied()
            );
            let absent = (probe..).find(|page| !model.contains(page));
            assert_eq!(Some(set.next_absent(probe)), absent);
            assert!(
                set.ranges
                    .windows(2)
                    .all(|pair| pair[0].end < pair[1].start)
            );
        }
    }
}
