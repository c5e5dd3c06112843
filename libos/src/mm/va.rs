//! Which addresses of an area are free: best fit, in logarithmic time.
//!
//! Addresses are plentiful and memory is not, so the smallest free run that fits is taken: it was
//! used before, most likely, and its pages are already resident. The untouched rest of the area is
//! the largest run and comes last.
//!
//! This keeps the books on addresses only; it neither touches memory nor knows what it holds.

use alloc::collections::{BTreeMap, BTreeSet};

use libos_abi::PAGE_SIZE;

use crate::mm::extent::Extent;

/// The free runs of an area. All lengths and addresses are multiples of the page size.
#[derive(Default)]
pub struct FreeSpace {
    /// Start to end; runs don't touch each other.
    by_start: BTreeMap<usize, usize>,
    /// (length, start) of the same runs.
    by_len: BTreeSet<(usize, usize)>,
}

/// How many runs are tried for an alignment before only a run long enough for any is taken.
const ALIGNED_TRIES: usize = 8;

impl FreeSpace {
    /// Nothing free.
    pub const fn new() -> Self {
        Self {
            by_start: BTreeMap::new(),
            by_len: BTreeSet::new(),
        }
    }

    /// Takes `len` bytes (not 0) at a multiple of `align` (a power of two); `None` if no run is
    /// long enough.
    pub fn take(&mut self, len: usize, align: usize) -> Option<Extent> {
        let found = self.find(len, align)?;
        self.remove(found);
        Some(found)
    }

    fn find(&self, len: usize, align: usize) -> Option<Extent> {
        let fitting = self.by_len.range((len, 0)..);
        if align <= PAGE_SIZE {
            return fitting
                .map(|&(_, start)| Extent::new(start, start + len))
                .next();
        }
        let padded = len.checked_add(align)?;
        fitting
            .take(ALIGNED_TRIES)
            .chain(self.by_len.range((padded, 0)..).take(1))
            .find_map(|&(run_len, start)| {
                let aligned = start.checked_next_multiple_of(align)?;
                let fits = aligned.checked_add(len)? <= start + run_len;
                fits.then(|| Extent::new(aligned, aligned + len))
            })
    }

    /// Takes `len` bytes from the upper end of the longest run, leaving `room` bytes free behind
    /// them; `None` if that run is too short. For what is going to grow.
    pub fn take_with_room(&mut self, len: usize, room: usize) -> Option<Extent> {
        let &(run_len, start) = self.by_len.last()?;
        let end = (start + run_len).checked_sub(room)?;
        let found = Extent::new(end.checked_sub(len)?, end);
        if found.start < start {
            return None;
        }
        self.remove(found);
        Some(found)
    }

    /// Takes just `extent`, if all of it is free.
    pub fn take_exact(&mut self, extent: Extent) -> bool {
        let free = self.is_free(extent);
        if free {
            self.remove(extent);
        }
        free
    }

    /// Whether all of `extent` is free.
    pub fn is_free(&self, extent: Extent) -> bool {
        extent.is_empty()
            || self
                .run_at(extent.start)
                .is_some_and(|run| run.end >= extent.end)
    }

    /// Takes what is free of `extent`.
    pub fn remove(&mut self, extent: Extent) {
        while let Some(run) = self.first_overlapping(extent) {
            self.drop_run(run);
            if run.start < extent.start {
                self.add_run(Extent::new(run.start, extent.start));
            }
            if run.end > extent.end {
                self.add_run(Extent::new(extent.end, run.end));
                return;
            }
        }
    }

    /// Gives `extent` back; none of it is free.
    pub fn free(&mut self, extent: Extent) {
        if extent.is_empty() {
            return;
        }
        debug_assert!(self.first_overlapping(extent).is_none(), "freed twice");
        let mut merged = extent;
        if let Some((&start, &end)) = self.by_start.range(..extent.start).next_back()
            && end == extent.start
        {
            self.drop_run(Extent::new(start, end));
            merged.start = start;
        }
        if let Some(&end) = self.by_start.get(&extent.end) {
            self.drop_run(Extent::new(extent.end, end));
            merged.end = end;
        }
        self.add_run(merged);
    }

    fn run_at(&self, address: usize) -> Option<Extent> {
        let (&start, &end) = self.by_start.range(..=address).next_back()?;
        (end > address).then(|| Extent::new(start, end))
    }

    fn first_overlapping(&self, extent: Extent) -> Option<Extent> {
        if extent.is_empty() {
            return None;
        }
        self.run_at(extent.start).or_else(|| {
            let (&start, &end) = self.by_start.range(extent.start..extent.end).next()?;
            Some(Extent::new(start, end))
        })
    }

    fn add_run(&mut self, run: Extent) {
        self.by_start.insert(run.start, run.end);
        self.by_len.insert((run.len(), run.start));
    }

    fn drop_run(&mut self, run: Extent) {
        self.by_start.remove(&run.start);
        self.by_len.remove(&(run.len(), run.start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::testing::Random;

    const P: usize = PAGE_SIZE;

    fn area(pages: usize) -> FreeSpace {
        let mut free = FreeSpace::new();
        free.free(Extent::new(P, P * (pages + 1)));
        free
    }

    #[test]
    fn the_smallest_run_that_fits_is_taken() {
        let mut free = area(100);
        free.remove(Extent::new(4 * P, 5 * P));
        free.remove(Extent::new(7 * P, 8 * P));
        // Runs of 3, 2 and 93 pages.
        assert_eq!(free.take(2 * P, P), Some(Extent::new(5 * P, 7 * P)));
        assert_eq!(free.take(2 * P, P), Some(Extent::new(P, 3 * P)));
        assert_eq!(free.take(2 * P, P), Some(Extent::new(8 * P, 10 * P)));
    }

    #[test]
    fn an_alignment_is_kept_and_too_much_is_refused() {
        let mut free = area(100);
        assert_eq!(free.take(P, 16 * P), Some(Extent::new(16 * P, 17 * P)));
        assert_eq!(free.take(200 * P, P), None);
        assert_eq!(free.take(usize::MAX - P + 1, 2 * P), None);
    }

    #[test]
    fn room_is_left_behind_what_will_grow() {
        let mut free = area(100);
        let first = free.take_with_room(4 * P, 10 * P).expect("fits");
        assert_eq!(first, Extent::new(87 * P, 91 * P));
        assert!(free.is_free(Extent::new(91 * P, 101 * P)));
        assert_eq!(free.take_with_room(90 * P, 90 * P), None);
    }

    #[test]
    fn it_agrees_with_a_map_of_pages() {
        const PAGES: usize = 120;
        let mut random = Random::new(9);
        let mut free = area(PAGES);
        let mut model = [true; PAGES + 2];
        (model[0], model[PAGES + 1]) = (false, false);
        let mut taken: Vec<Extent> = Vec::new();
        for _ in 0..20_000 {
            match random.below(4) {
                0 | 1 => {
                    let len = 1 + random.below(12);
                    let align = 1 << random.below(4);
                    let got = free.take(len * P, align * P);
                    let fits = |start: usize| {
                        start.is_multiple_of(align)
                            && start + len <= PAGES + 1
                            && model[start..start + len].iter().all(|&free| free)
                    };
                    if let Some(extent) = got {
                        assert!(fits(extent.start / P), "{extent:?}");
                        model[extent.start / P..extent.end / P].fill(false);
                        taken.push(extent);
                    } else if align == 1 {
                        assert!(!(1..=PAGES).any(fits), "refused though it fits");
                    }
                }
                2 if !taken.is_empty() => {
                    let extent = taken.swap_remove(random.below(taken.len()));
                    free.free(extent);
                    model[extent.start / P..extent.end / P].fill(true);
                }
                _ => {
                    let start = 1 + random.below(PAGES - 10);
                    let extent = Extent::new(start * P, (start + 1 + random.below(9)) * P);
                    let all = model[start..extent.end / P].iter().all(|&free| free);
                    assert_eq!(free.take_exact(extent), all);
                    if all {
                        model[start..extent.end / P].fill(false);
                        taken.push(extent);
                    }
                }
            }
            assert_eq!(free.by_len.len(), free.by_start.len());
        }
    }
}
