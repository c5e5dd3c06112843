//! Runs of pages for file data: contiguous, at a stable address, growing in place.
//!
//! A [`PageRun`] reserves addresses, which are plentiful, and claims memory as it grows. Costs: a
//! reservation is two map entries (about 100 bytes), whatever its length; growing costs nothing but
//! the pages that are written, plus a question to the host for addresses that an earlier run used.
//! Bytes between what was written and the length read as zero and are not resident, so a sparse
//! file is free. Memory of a dropped run is used again, but not given back to the host.
//!
//! A shared mapping of a file maps the run's own pages: it [pins](PageRun::pin) the run, which then
//! neither moves nor goes away.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use libos_abi::PAGE_SIZE;

use crate::errno::{Errno, Result};
use crate::mm::budget::BUDGET;
use crate::mm::extent::{Extent, page_ceil};
use crate::mm::range_set::RangeSet;
use crate::mm::va::FreeSpace;
use crate::mm::zero;
use crate::sync::SpinLock;

/// The addresses from which runs are reserved.
struct PageArea {
    all: Extent,
    free: FreeSpace,
    /// What was ever claimed, and so may not be zero.
    used: RangeSet,
}

static AREA: SpinLock<PageArea> = SpinLock::new(PageArea {
    all: Extent::new(0, 0),
    free: FreeSpace::new(),
    used: RangeSet::new(),
});

/// Gives the runs their addresses. Called once.
///
/// # Safety
/// The memory is mapped, writable, zero, and belongs to the runs for ever.
pub unsafe fn init(extent: Extent) {
    let mut area = AREA.lock();
    area.all = extent;
    area.free.free(extent);
}

/// All addresses that runs can have.
pub fn area() -> Extent {
    AREA.lock().all
}

#[cfg(test)]
fn ensure_initialised() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let region = crate::mm::testing::Region::new(4 << 30);
        let extent = Extent::new(region.start, region.start + region.len);
        core::mem::forget(region);
        // SAFETY: fresh memory, leaked.
        unsafe { init(extent) };
    });
}

#[cfg(not(test))]
fn ensure_initialised() {}

/// Reserved addresses; given back when the run and all pins are gone.
struct Reservation {
    start: usize,
    end: AtomicUsize,
}

impl Reservation {
    fn new(len: usize) -> Result<Self> {
        ensure_initialised();
        let len = page_ceil(len.max(1)).ok_or(Errno::ENOMEM)?;
        let extent = AREA.lock().free.take(len, PAGE_SIZE);
        let extent =
            extent.ok_or_else(|| Errno::ENOMEM.because("no addresses left for file pages"))?;
        Ok(Self {
            start: extent.start,
            end: AtomicUsize::new(extent.end),
        })
    }

    fn extent(&self) -> Extent {
        Extent::new(self.start, self.end.load(Ordering::Relaxed))
    }

    /// Takes the addresses behind, up to `len` bytes in all, if they are free.
    fn extend(&self, len: usize) -> bool {
        let Some(wanted) = page_ceil(len).and_then(|len| Extent::sized(self.start, len)) else {
            return false;
        };
        let old = self.extent();
        if wanted.end <= old.end {
            return true;
        }
        let more = Extent::new(old.end, wanted.end);
        let extended = AREA.lock().free.take_exact(more);
        if extended {
            self.end.store(wanted.end, Ordering::Relaxed);
        }
        extended
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        AREA.lock().free.free(self.extent());
    }
}

/// A run of pages. See the module's description.
pub struct PageRun {
    reservation: Arc<Reservation>,
    /// Bytes in use, from the start.
    len: usize,
    /// Bytes that were claimed: entered as used and known to have been zero then.
    claimed: usize,
    /// Bytes that may not be zero; above `len` only after shrinking.
    dirty: usize,
}

/// Keeps a run's pages in place. See [`PageRun::pin`].
pub struct Pin {
    _reservation: Arc<Reservation>,
}

/// How much is claimed at least at once, in bytes.
const CLAIM: usize = 64 << 10;

impl PageRun {
    /// A run of length 0 that can grow to `max_len` bytes in place.
    ///
    /// # Errors
    /// ENOMEM if no addresses are left.
    pub fn reserve(max_len: usize) -> Result<Self> {
        Ok(Self {
            reservation: Arc::new(Reservation::new(max_len)?),
            len: 0,
            claimed: 0,
            dirty: 0,
        })
    }

    /// Address of the first byte; page-aligned.
    pub fn address(&self) -> usize {
        self.reservation.start
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the length is 0.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How long it can grow in place, in bytes.
    pub fn reserved(&self) -> usize {
        self.reservation.extent().len()
    }

    /// Makes it `len` bytes long, to be written soon; new bytes are zero. Does nothing if it is that
    /// long already.
    ///
    /// # Errors
    /// ENOMEM beyond the reservation ([`Self::make_room`]) or the memory limit.
    pub fn grow(&mut self, len: usize) -> Result<()> {
        if len <= self.len {
            return Ok(());
        }
        // Only pages that it did not have yet are new to the budget.
        let new = page_ceil(len)
            .unwrap_or(len)
            .saturating_sub(page_ceil(self.len.max(self.dirty)).unwrap_or(0));
        if len <= self.reserved() {
            BUDGET.admit(new)?;
        }
        self.extend_sparse(len)
    }

    /// As [`Self::grow`], but the new bytes stay a hole until they are written, and are not counted
    /// against the memory limit.
    ///
    /// # Errors
    /// ENOMEM beyond the reservation.
    pub fn extend_sparse(&mut self, len: usize) -> Result<()> {
        if len <= self.len {
            return Ok(());
        }
        if len > self.reserved() {
            return Err(Errno::ENOMEM.because("longer than the run's reservation"));
        }
        let start = self.address();
        if self.dirty > self.len {
            let stale = Extent::new(start + self.len, start + self.dirty.min(len));
            // SAFETY: inside the run's own claimed memory.
            unsafe { zero::clear(stale) };
        }
        self.claim(len);
        self.len = len;
        self.dirty = self.dirty.max(len);
        Ok(())
    }

    /// Makes sure that `len` bytes are claimed: zero, and entered as used.
    fn claim(&mut self, len: usize) {
        if len <= self.claimed {
            return;
        }
        let target = len.max(self.claimed * 2).max(CLAIM).min(self.reserved());
        let start = self.address();
        let fresh = Extent::new(start + self.claimed, start + target);
        let mut area = AREA.lock();
        // SAFETY: reserved for this run, and nobody else's.
        unsafe { zero::clear_used(fresh, &area.used) };
        area.used.insert(fresh);
        self.claimed = target;
    }

    /// Cuts it to `len` bytes. What was behind reads as zero if it grows again.
    pub fn shrink(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        // A shared mapping shows the rest of the last page, which must read as zero at once.
        let page_end = page_ceil(len).unwrap_or(self.len).min(self.len);
        let start = self.address();
        // SAFETY: inside the run's own claimed memory.
        unsafe { zero::clear(Extent::new(start + len, start + page_end)) };
        self.len = len;
    }

    /// Makes `range` read as zero again without touching pages that never were. The range is cut to
    /// the length.
    pub fn clear(&mut self, start: usize, end: usize) {
        let end = end.min(self.len);
        if start < end {
            let base = self.address();
            // SAFETY: inside the run's own claimed memory.
            unsafe { zero::clear(Extent::new(base + start, base + end)) };
        }
    }

    /// Makes sure that it can grow to `max_len` bytes, by taking the addresses behind it or by
    /// moving.
    ///
    /// # Errors
    /// ENOMEM if no addresses are left, or if it would have to move but is pinned.
    pub fn make_room(&mut self, max_len: usize) -> Result<()> {
        if self.reservation.extend(max_len) {
            return Ok(());
        }
        if self.is_pinned() {
            return Err(Errno::ENOMEM.because("a mapped file cannot grow further in place"));
        }
        let mut moved = Self::reserve(max_len)?;
        moved.extend_sparse(self.len)?;
        let (from, to) = (self.address(), moved.address());
        // SAFETY: both runs have `self.len` claimed bytes and are different memory; the new one is
        // zero.
        unsafe { zero::copy_touched(Extent::new(from, from + self.len), to) };
        *self = moved;
        Ok(())
    }

    /// Keeps the pages where they are, and alive after the run itself is dropped, for as long as the
    /// pin lives.
    pub fn pin(&self) -> Pin {
        Pin {
            _reservation: Arc::clone(&self.reservation),
        }
    }

    /// Whether there are pins.
    pub fn is_pinned(&self) -> bool {
        Arc::strong_count(&self.reservation) > 1
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes are claimed and initialised (zero or written). An application that
        // maps them shared does not run while the libOS does.
        unsafe { core::slice::from_raw_parts(self.address() as *const u8, self.len) }
    }

    /// The bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`; the run is borrowed exclusively.
        unsafe { core::slice::from_raw_parts_mut(self.address() as *mut u8, self.len) }
    }
}

impl core::fmt::Debug for PageRun {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PageRun({:#x}, {} bytes)", self.address(), self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::testing::Random;

    /// Takes the page behind a run for good, if nobody has it.
    fn block_growth(run: &PageRun) {
        let end = run.reservation.extent().end;
        AREA.lock().free.remove(Extent::new(end, end + PAGE_SIZE));
    }

    #[test]
    fn it_grows_in_place_and_new_bytes_are_zero() {
        let mut run = PageRun::reserve(1 << 20).expect("addresses");
        let address = run.address();
        assert!(run.is_empty());
        run.grow(10).expect("room");
        run.bytes_mut().fill(7);
        run.grow(300_000).expect("room");
        assert_eq!(run.address(), address);
        assert_eq!(&run.bytes()[..12], [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0]);
        assert_eq!(run.grow((1 << 20) + 1), Err(Errno::ENOMEM));
        assert_eq!(run.len(), 300_000, "unchanged by the refusal");
    }

    #[test]
    fn what_was_cut_off_reads_as_zero_later() {
        let mut run = PageRun::reserve(1 << 20).expect("addresses");
        run.grow(20_000).expect("room");
        run.bytes_mut().fill(9);
        run.shrink(5000);
        run.grow(20_000).expect("room");
        assert!(run.bytes()[..5000].iter().all(|&byte| byte == 9));
        assert!(run.bytes()[5000..].iter().all(|&byte| byte == 0));
        run.clear(100, 200);
        assert_eq!(run.bytes()[99..101], [9, 0]);
        assert_eq!(run.bytes()[199..201], [0, 9]);
    }

    #[test]
    fn memory_of_a_dropped_run_comes_back_zero() {
        let mut random = Random::new(77);
        for _ in 0..200 {
            let len = 1 + random.below(200_000);
            let mut run = PageRun::reserve(len).expect("addresses");
            run.grow(len).expect("room");
            assert!(run.bytes().iter().all(|&byte| byte == 0));
            run.bytes_mut().fill(0xee);
        }
    }

    #[test]
    fn making_room_keeps_the_bytes() {
        let mut run = PageRun::reserve(PAGE_SIZE).expect("addresses");
        block_growth(&run);
        run.grow(PAGE_SIZE).expect("room");
        run.bytes_mut().fill(3);
        run.make_room(10 * PAGE_SIZE).expect("addresses");
        run.grow(10 * PAGE_SIZE).expect("room");
        assert!(run.bytes()[..PAGE_SIZE].iter().all(|&byte| byte == 3));
        assert!(run.bytes()[PAGE_SIZE..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn a_pinned_run_stays_and_outlives_its_owner() {
        let mut run = PageRun::reserve(PAGE_SIZE).expect("addresses");
        run.grow(PAGE_SIZE).expect("room");
        block_growth(&run);
        let pin = run.pin();
        assert!(run.is_pinned());
        assert_eq!(run.make_room(2 * PAGE_SIZE), Err(Errno::ENOMEM));
        let extent = run.reservation.extent();
        drop(run);
        assert!(!AREA.lock().free.is_free(extent));
        drop(pin);
    }
}
