//! A set of addresses, kept as merged runs.

use alloc::collections::BTreeMap;

use crate::mm::extent::Extent;

/// Disjoint runs that don't touch each other, by their start.
#[derive(Default)]
pub struct RangeSet {
    /// Start to end.
    runs: BTreeMap<usize, usize>,
}

impl RangeSet {
    /// No address.
    pub const fn new() -> Self {
        Self {
            runs: BTreeMap::new(),
        }
    }

    /// Adds `extent`.
    pub fn insert(&mut self, extent: Extent) {
        if extent.is_empty() {
            return;
        }
        let mut merged = extent;
        // The run that starts at or before `extent` may cover it, or grow in place.
        if let Some((&start, end)) = self.runs.range_mut(..=extent.start).next_back()
            && *end >= extent.start
        {
            if *end >= extent.end {
                return;
            }
            *end = extent.end;
            merged.start = start;
        } else {
            self.runs.insert(extent.start, extent.end);
        }
        self.absorb_behind(merged);
    }

    /// Merges the runs that start inside `merged` or at its end into it.
    fn absorb_behind(&mut self, merged: Extent) {
        while let Some((&start, &end)) = self.runs.range(merged.start + 1..=merged.end).next() {
            self.runs.remove(&start);
            if end > merged.end {
                self.runs.insert(merged.start, end);
                return;
            }
        }
    }

    /// The runs that overlap `extent`, cut to it, in order.
    pub fn overlapping(&self, extent: Extent) -> impl Iterator<Item = Extent> + '_ {
        let first = self
            .runs
            .range(..=extent.start)
            .next_back()
            .map_or(extent.start, |(&start, _)| start);
        self.runs
            .range(first..extent.end.max(first))
            .map(move |(&start, &end)| Extent::new(start, end).intersection(extent))
            .filter(|part| !part.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::testing::Random;

    fn runs(set: &RangeSet) -> Vec<(usize, usize)> {
        set.runs.iter().map(|(&start, &end)| (start, end)).collect()
    }

    #[test]
    fn neighbours_merge_and_strangers_do_not() {
        let mut set = RangeSet::new();
        set.insert(Extent::new(10, 20));
        set.insert(Extent::new(30, 40));
        assert_eq!(runs(&set), [(10, 20), (30, 40)]);
        set.insert(Extent::new(20, 25));
        assert_eq!(runs(&set), [(10, 25), (30, 40)]);
        set.insert(Extent::new(25, 30));
        assert_eq!(runs(&set), [(10, 40)]);
        set.insert(Extent::new(5, 5));
        set.insert(Extent::new(12, 30));
        assert_eq!(runs(&set), [(10, 40)]);
    }

    #[test]
    fn it_agrees_with_a_set_of_single_addresses() {
        const SPACE: usize = 200;
        let mut random = Random::new(42);
        for _ in 0..300 {
            let (mut set, mut model) = (RangeSet::new(), [false; SPACE]);
            for _ in 0..random.below(30) {
                let start = random.below(SPACE);
                let end = start + random.below(SPACE - start) / 4;
                set.insert(Extent::new(start, end));
                model[start..end].fill(true);
            }
            let start = random.below(SPACE);
            let query = Extent::new(start, start + random.below(SPACE - start));
            let mut found = [false; SPACE];
            for part in set.overlapping(query) {
                assert!(query.covers(part));
                found[part.start..part.end].fill(true);
            }
            for at in 0..SPACE {
                assert_eq!(found[at], model[at] && query.contains(at), "{at}");
            }
            let gaps_exist = runs(&set).windows(2).all(|pair| pair[0].1 < pair[1].0);
            assert!(gaps_exist, "unmerged: {:?}", runs(&set));
        }
    }
}
