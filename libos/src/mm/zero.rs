//! Making memory read as zero again without touching what was never touched.
//!
//! Fresh pages of the region are zero and cost nothing until they are written. Pages that were used
//! before must be cleared before they are handed out again, but a memset over the whole range would
//! make every page of it resident; so for all but short ranges the host is asked which pages were
//! written ([`crate::mm::host::page_entries`]).

use libos_abi::PAGE_SIZE;

use crate::mm::extent::{Extent, page_ceil, page_floor};
use crate::mm::host::{self, PageEntry, Touched};
use crate::mm::range_set::RangeSet;
use crate::sync::SpinLock;

/// Up to this length a memset is cheaper than asking the host.
const ASK_ABOVE: usize = 2 * PAGE_SIZE;

/// Pages asked about at once: one page of entries, 2 MiB of memory.
const BATCH: usize = 512;

/// Entries of one batch. A buffer of its own, because the libOS's stacks are small.
static ENTRIES: SpinLock<[PageEntry; BATCH]> = SpinLock::new([PageEntry::UNKNOWN; BATCH]);

/// Clears `extent`; returns how many of its bytes are resident now.
///
/// # Safety
/// The memory is mapped, private, writable, and nobody else's.
pub unsafe fn clear(extent: Extent) -> usize {
    if extent.len() <= ASK_ABOVE {
        // SAFETY: the caller's duty.
        unsafe { set_zero(extent) };
        return extent.len();
    }
    let mut resident = 0;
    for_each_touched(extent, |run, touched| {
        // SAFETY: the caller's duty; the run lies in the extent.
        if touched == Touched::Written || !unsafe { is_zero(run) } {
            // SAFETY: as above.
            unsafe { set_zero(run) };
            resident += run.len();
        }
    });
    resident
}

/// Clears those parts of `extent` that are in `used`; returns how many bytes of it are resident.
///
/// # Safety
/// As [`clear`].
pub unsafe fn clear_used(extent: Extent, used: &RangeSet) -> usize {
    used.overlapping(extent)
        // SAFETY: the caller's duty; each part lies in the extent.
        .map(|part| unsafe { clear(part) })
        .sum()
}

/// Copies `from` to the zeroed memory at `to`, leaving out pages that were never written.
///
/// # Safety
/// Both are mapped and readable, `to` is writable and zero, and they don't overlap.
pub unsafe fn copy_touched(from: Extent, to: usize) {
    for_each_touched(from, |run, touched| {
        // SAFETY: the caller's duty; the run lies in the extent.
        if touched == Touched::Read && unsafe { is_zero(run) } {
            return;
        }
        let target = to + (run.start - from.start);
        // SAFETY: the caller's duty.
        unsafe {
            core::ptr::copy_nonoverlapping(run.start as *const u8, target as *mut u8, run.len());
        }
    });
}

/// Calls `visit` for each run of pages of `extent` that were touched, cut to the extent. Without an
/// answer from the host every page counts as written.
pub fn for_each_touched(extent: Extent, mut visit: impl FnMut(Extent, Touched)) {
    let mut entries = ENTRIES.lock();
    let mut at = page_floor(extent.start);
    while at < extent.end {
        let last = page_ceil(extent.end).unwrap_or(usize::MAX & !(PAGE_SIZE - 1));
        let count = ((last - at) / PAGE_SIZE).min(BATCH);
        let Some(count) = host::page_entries(at, &mut entries[..count]) else {
            let rest = Extent::new(at, extent.end).intersection(extent);
            return visit(rest, Touched::Written);
        };
        visit_runs(at, &entries[..count], |run, touched| {
            visit(run.intersection(extent), touched);
        });
        at += count * PAGE_SIZE;
    }
}

/// Calls `visit` for each run of equal entries from `base` on, untouched ones left out.
fn visit_runs(base: usize, entries: &[PageEntry], mut visit: impl FnMut(Extent, Touched)) {
    let mut at = base;
    for run in entries.chunk_by(|a, b| a.touched() == b.touched()) {
        let end = at + run.len() * PAGE_SIZE;
        let touched = run[0].touched();
        if touched != Touched::No {
            visit(Extent::new(at, end), touched);
        }
        at = end;
    }
}

/// # Safety
/// As [`clear`].
unsafe fn set_zero(extent: Extent) {
    // SAFETY: the caller's duty.
    unsafe { core::ptr::write_bytes(extent.start as *mut u8, 0, extent.len()) };
}

/// # Safety
/// As [`clear`].
unsafe fn is_zero(extent: Extent) -> bool {
    // SAFETY: the caller's duty; bytes have no invalid value.
    let bytes = unsafe { core::slice::from_raw_parts(extent.start as *const u8, extent.len()) };
    // SAFETY: every pattern is a valid u64.
    let (head, words, tail) = unsafe { bytes.align_to::<u64>() };
    words.iter().all(|&word| word == 0) && head.iter().chain(tail).all(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::testing::Region;

    fn fill(extent: Extent, value: u8) {
        // SAFETY: the tests' own region.
        unsafe { core::ptr::write_bytes(extent.start as *mut u8, value, extent.len()) };
    }

    #[test]
    fn written_pages_are_cleared_and_others_stay_untouched() {
        let region = Region::new(3 * BATCH * PAGE_SIZE);
        let all = Extent::new(region.start, region.start + region.len);
        for page in [0, 1, BATCH - 1, BATCH, 2 * BATCH + 7] {
            let start = region.start + page * PAGE_SIZE;
            fill(Extent::new(start, start + PAGE_SIZE), 0xff);
        }
        // SAFETY: the test's own region.
        let resident = unsafe { clear(all) };
        assert_eq!(resident, 5 * PAGE_SIZE);
        let mut touched = 0;
        for_each_touched(all, |run, state| {
            assert_eq!(state, Touched::Written);
            touched += run.len();
        });
        assert_eq!(touched, 5 * PAGE_SIZE, "clearing touched no other page");
        // SAFETY: as above.
        assert!(unsafe { is_zero(all) });
    }

    #[test]
    fn bytes_outside_an_unaligned_extent_stay() {
        let region = Region::new(8 * PAGE_SIZE);
        let all = Extent::new(region.start, region.start + 8 * PAGE_SIZE);
        fill(all, 0xff);
        let part = Extent::new(all.start + 100, all.end - 100);
        // SAFETY: the test's own region.
        unsafe {
            clear(part);
            assert!(is_zero(part));
            assert_eq!(*((part.start - 1) as *const u8), 0xff);
            assert_eq!(*(part.end as *const u8), 0xff);
        }
    }

    #[test]
    fn a_page_that_was_only_read_stays_untouched() {
        let region = Region::new(16 * PAGE_SIZE);
        let all = Extent::new(region.start, region.start + 16 * PAGE_SIZE);
        // SAFETY: the test's own region; the read maps the zero page.
        unsafe {
            assert!(is_zero(all));
            assert_eq!(clear(all), 0);
        }
    }

    #[test]
    fn only_what_was_used_is_cleared() {
        let region = Region::new(16 * PAGE_SIZE);
        let all = Extent::new(region.start, region.start + 16 * PAGE_SIZE);
        fill(all, 0xff);
        let used = Extent::new(all.start + 4 * PAGE_SIZE, all.start + 8 * PAGE_SIZE);
        let mut set = RangeSet::new();
        set.insert(used);
        // SAFETY: the test's own region.
        unsafe {
            assert_eq!(clear_used(all, &set), 4 * PAGE_SIZE);
            assert!(is_zero(used));
            assert_eq!(*((used.start - 1) as *const u8), 0xff);
        }
    }
}
