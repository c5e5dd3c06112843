//! Finds free places near gates that have no window of their own.
//!
//! A gate is two bytes: room for a short jump, which reaches ±127 bytes. Free are the padding between
//! functions that nothing enters, and the bytes that other windows leave behind their jump. A place of
//! five bytes takes the long jump to the stub; a place of two bytes can relay to one farther away.

use alloc::vec::Vec;
use core::ops::Range;

use crate::action::{Action, Planned};
use crate::encoding::{JUMP_LEN, SHORT_LEN};
use crate::error::Reason;
use crate::find::Listing;
use crate::text::{AddressSet, Text};

/// Short jumps in a row at most. Each costs a taken branch on every call.
const MOST_HOPS: usize = 4;

/// Gives islands to the gates that are marked [`Reason::NoRoom`], as far as places suffice.
pub(crate) fn place(text: &Text<'_>, listing: &Listing, planned: &mut [Planned]) {
    let needed = |action: &Action| *action == Action::Trap(Reason::NoRoom);
    if !planned.iter().any(|site| needed(&site.action)) {
        return;
    }
    let mut free = Free::new(text, listing, planned);
    for site in planned.iter_mut().filter(|site| needed(&site.action)) {
        let inside = site.gate.start + 1..site.gate.after;
        if listing.targets.first_in(text, inside).is_some() {
            continue;
        }
        let mut hops = Vec::new();
        if free.route(site.gate.start, MOST_HOPS, &mut hops) {
            site.action = Action::Island(hops);
        }
    }
}

/// Free byte ranges, sorted, disjoint.
struct Free {
    ranges: Vec<Range<u64>>,
}

impl Free {
    fn new(text: &Text<'_>, listing: &Listing, planned: &[Planned]) -> Self {
        let windows: Vec<Range<u64>> = planned
            .iter()
            .filter_map(|site| match &site.action {
                Action::Window(window) => Some(window.clone()),
                _ => None,
            })
            .collect();
        let mut ranges = Vec::new();
        for run in &listing.padding {
            let end = first_entry(text, &listing.targets, run);
            // A window may have taken the beginning of the padding behind it.
            let before = windows.partition_point(|window| window.start < end);
            let taken = before.checked_sub(1).map_or(0, |index| windows[index].end);
            ranges.push(run.start.max(taken)..end);
        }
        ranges.extend(
            windows
                .iter()
                .map(|window| window.start + JUMP_LEN..window.end),
        );
        ranges.retain(|range| range.end.saturating_sub(range.start) >= SHORT_LEN);
        ranges.sort_unstable_by_key(|range| range.start);
        Self { ranges }
    }

    /// Takes places for a way from a short jump at `from` to a long one.
    fn route(&mut self, from: u64, hops_left: usize, hops: &mut Vec<Range<u64>>) -> bool {
        if let Some(place) = self.take(from, JUMP_LEN) {
            hops.push(place);
            return true;
        }
        if hops_left == 0 {
            return false;
        }
        // The farthest relays on both sides bring most; nearer ones are not worth a search.
        for forward in [Direction::Up, Direction::Down] {
            let Some(place) = self.relay(from, forward) else {
                continue;
            };
            self.remove(&place);
            hops.push(place.clone());
            if self.route(place.start, hops_left - 1, hops) {
                return true;
            }
            hops.pop();
            self.give_back(&place);
        }
        false
    }

    fn take(&mut self, from: u64, len: u64) -> Option<Range<u64>> {
        let reach = reach(from);
        let place = self
            .near(&reach)
            .iter()
            .find_map(|range| fit(range, &reach, len))?;
        self.remove(&place);
        Some(place)
    }

    fn relay(&self, from: u64, direction: Direction) -> Option<Range<u64>> {
        let reach = reach(from);
        let mut fits = self
            .near(&reach)
            .iter()
            .filter_map(|range| fit(range, &reach, SHORT_LEN))
            .filter(|place| (place.start > from) == (direction == Direction::Up));
        match direction {
            Direction::Up => fits.next_back(),
            Direction::Down => fits.next(),
        }
    }

    fn near(&self, reach: &Range<u64>) -> &[Range<u64>] {
        let first = self
            .ranges
            .partition_point(|range| range.end <= reach.start);
        let last = self.ranges.partition_point(|range| range.start < reach.end);
        self.ranges.get(first..last).unwrap_or(&[])
    }

    fn remove(&mut self, place: &Range<u64>) {
        let behind = self
            .ranges
            .partition_point(|range| range.start <= place.start);
        let Some(index) = behind.checked_sub(1) else {
            return;
        };
        let range = self.ranges[index].clone();
        let left = [range.start..place.start, place.end..range.end];
        self.ranges.splice(
            index..=index,
            left.into_iter().filter(|part| !part.is_empty()),
        );
    }

    /// Undoes [`Self::remove`], with the neighbours that it split off.
    fn give_back(&mut self, place: &Range<u64>) {
        let index = self
            .ranges
            .partition_point(|range| range.start < place.start);
        let mut whole = place.clone();
        let mut replaced = index..index;
        if index > 0 && self.ranges[index - 1].end == place.start {
            whole.start = self.ranges[index - 1].start;
            replaced.start -= 1;
        }
        if self
            .ranges
            .get(index)
            .is_some_and(|next| next.start == place.end)
        {
            whole.end = self.ranges[index].end;
            replaced.end += 1;
        }
        self.ranges.splice(replaced, [whole]);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// Where a short jump at `from` can lead.
fn reach(from: u64) -> Range<u64> {
    let end = from.saturating_add(SHORT_LEN);
    end.saturating_sub(128)..end.saturating_add(128)
}

/// The first place of `len` bytes in a free range that begins within reach.
fn fit(range: &Range<u64>, reach: &Range<u64>, len: u64) -> Option<Range<u64>> {
    let start = range.start.max(reach.start);
    let end = start.checked_add(len)?;
    (start < reach.end && end <= range.end).then_some(start..end)
}

/// The padding up to the first address in it that something leads to.
fn first_entry(text: &Text<'_>, targets: &AddressSet, run: &Range<u64>) -> u64 {
    targets.first_in(text, run.clone()).unwrap_or(run.end)
}
