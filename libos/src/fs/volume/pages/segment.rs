//! A part of a file in memory: some of its pages, side by side.

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

use libos_abi::PAGE_SIZE;

use super::{PAGE, Store};
use crate::errno::{Errno, Result};
use crate::fs::pageset::PageSet;
use crate::mm::PageRun;

/// Bytes of all segments' pages.
static CACHED: AtomicUsize = AtomicUsize::new(0);

/// How many bytes of files are in memory.
pub fn cached() -> usize {
    CACHED.load(Ordering::Relaxed)
}

/// Addresses reserved for a segment at first, in bytes, if it is not known to need more.
const FIRST_RESERVATION: usize = 16 << 10;

/// Consecutive pages of a file, of which some are known. Positions are those in the segment.
pub struct Segment {
    run: PageRun,
    /// Pages that hold what the file has there.
    present: PageSet,
    /// Pages that the volume does not have yet.
    dirty: PageSet,
    /// When it was last used, in turns of the cache's clock.
    pub used: u64,
    /// How much of [`CACHED`] is its.
    charged: usize,
}

impl Segment {
    /// An empty one that can hold `len` bytes in place.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn with_room(len: usize) -> Result<Self> {
        Ok(Self {
            run: PageRun::reserve(len.max(FIRST_RESERVATION))?,
            present: PageSet::default(),
            dirty: PageSet::default(),
            used: 0,
            charged: 0,
        })
    }

    /// Its pages.
    pub fn run(&self) -> &PageRun {
        &self.run
    }

    /// How many of its pages the volume does not have yet.
    pub fn dirty(&self) -> u64 {
        self.dirty.count()
    }

    /// Whether it can be dropped without loss.
    pub fn is_idle(&self) -> bool {
        self.dirty.count() == 0 && !self.run.is_pinned()
    }

    /// Whether all of `range` is present.
    #[inline]
    pub fn has(&self, range: &Range<usize>) -> bool {
        self.present.next_absent(page(range.start)) >= pages(range.end)
    }

    /// The bytes of `range`, which is present.
    #[inline]
    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.run.bytes().get(range).unwrap_or(&[])
    }

    /// Memory for `range`, to be overwritten.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn bytes_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        self.grow(range.end)?;
        self.run.bytes_mut().get_mut(range).ok_or(Errno::ENOMEM)
    }

    /// The pages of `range` hold what the file has.
    pub fn fill(&mut self, range: &Range<usize>) {
        self.present.insert(page(range.start)..pages(range.end));
    }

    /// The pages of `range` hold what the volume does not have.
    pub fn soil(&mut self, range: &Range<usize>) {
        self.fill(range);
        self.dirty.insert(page(range.start)..pages(range.end));
    }

    /// Reads what of the pages `range` is absent, from a volume in which it begins at `base` and whose bytes end
    /// at `end`, both in bytes of the file.
    ///
    /// # Errors
    /// Those of the volume; ENOMEM.
    pub fn load(
        &mut self,
        range: &Range<usize>,
        base: u64,
        end: u64,
        store: &mut dyn Store,
    ) -> Result<()> {
        let last = pages(range.end);
        let mut at = self.present.next_absent(page(range.start));
        while at < last {
            let until = self.present.next_present(at).unwrap_or(last).min(last);
            let (start, stop) = (bytes(at), bytes(until));
            self.grow(stop)?;
            let known = end.saturating_sub(base + start as u64);
            let known = usize::try_from(known).unwrap_or(usize::MAX);
            let memory = &mut self.run.bytes_mut()[start..stop];
            let (wanted, rest) = memory.split_at_mut(known.min(memory.len()));
            let read = read_all(store, base + start as u64, wanted);
            // What the volume lacks is a hole, whatever was in this memory.
            let count = *read.as_ref().unwrap_or(&0);
            wanted[count..].fill(0);
            rest.fill(0);
            read?;
            self.present.insert(at..until);
            at = self.present.next_absent(until);
        }
        Ok(())
    }

    /// Writes what the volume lacks of the pages `range`; bytes from `end` of the file on are not the file's.
    ///
    /// # Errors
    /// Those of the volume; what it did not take stays to be written.
    pub fn write_back(
        &mut self,
        range: &Range<usize>,
        base: u64,
        end: u64,
        store: &mut dyn Store,
    ) -> Result<()> {
        let last = pages(range.end);
        let mut at = page(range.start);
        while let Some(start) = self.dirty.next_present(at).filter(|&start| start < last) {
            let until = self.dirty.next_absent(start).min(last);
            let valid = usize::try_from(end.saturating_sub(base)).unwrap_or(usize::MAX);
            let stop = bytes(until).min(valid).min(self.run.len());
            if bytes(start) < stop {
                let memory = &self.run.bytes()[bytes(start)..stop];
                store.write(base + bytes(start) as u64, memory)?;
            }
            self.dirty.remove(&(start..until));
            at = until;
        }
        Ok(())
    }

    /// Forgets what is behind `len`: it reads as zero.
    pub fn cut(&mut self, len: usize) {
        self.run.shrink(len);
        let gone = pages(len)..u64::MAX;
        self.present.remove(&gone);
        self.dirty.remove(&gone);
    }

    /// Forgets the pages that `range` touches, which the volume has, or which nobody wants.
    pub fn forget(&mut self, range: &Range<usize>) {
        let gone = page(range.start)..pages(range.end);
        self.run.clear(
            bytes(gone.start),
            bytes(gone.end.min(page(self.run.len()) + 1)),
        );
        self.present.remove(&gone);
        self.dirty.remove(&gone);
    }

    /// Takes over the pages of `other`, which begins at `at` of this one.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn absorb(&mut self, other: &Self, at: usize) -> Result<()> {
        let mut page = 0;
        while let Some(start) = other.present.next_present(page) {
            page = other.present.next_absent(start);
            let range = bytes(start)..bytes(page).min(other.run.len());
            let to = at + range.start..at + range.end;
            self.bytes_mut(to.clone())?
                .copy_from_slice(other.bytes(range));
            self.fill(&to);
        }
        let mut page = 0;
        while let Some(start) = other.dirty.next_present(page) {
            page = other.dirty.next_absent(start);
            self.soil(&(at + bytes(start)..at + bytes(page)));
        }
        Ok(())
    }

    /// Visits each page that is present and that the volume is said to have.
    pub fn each_clean(&mut self, visit: &mut dyn FnMut(u64, &[u8]) -> bool) {
        let mut at = 0;
        let mut changed = PageSet::default();
        while let Some(page) = self.present.next_present(at) {
            at = page + 1;
            let memory = self.run.bytes().get(bytes(page)..bytes(at));
            let clean = self.dirty.next_present(page) != Some(page);
            if clean && memory.is_some_and(|memory| visit(page, memory)) {
                changed.insert(page..at);
            }
        }
        let mut at = 0;
        while let Some(start) = changed.next_present(at) {
            at = changed.next_absent(start);
            self.dirty.insert(start..at);
        }
    }

    /// Lets the run be `len` bytes long at least.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn grow(&mut self, len: usize) -> Result<()> {
        if len <= self.run.len() {
            return Ok(());
        }
        // Whole pages: what is behind the file's end in its last page is zero, and can be mapped.
        let len = len.next_multiple_of(PAGE_SIZE);
        if len > self.run.reserved() {
            let generous = len.saturating_mul(4).min(super::SEGMENT_LEN.max(len));
            let room = self.run.make_room(generous);
            room.or_else(|_| self.run.make_room(len))?;
        }
        self.run.grow(len)?;
        CACHED.fetch_add(len.saturating_sub(self.charged), Ordering::Relaxed);
        self.charged = self.charged.max(len);
        Ok(())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        CACHED.fetch_sub(self.charged, Ordering::Relaxed);
    }
}

fn read_all(store: &mut dyn Store, offset: u64, buffer: &mut [u8]) -> Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match store.read(offset + done as u64, &mut buffer[done..])? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done.min(buffer.len()))
}

fn page(position: usize) -> u64 {
    position as u64 / PAGE
}

fn pages(position: usize) -> u64 {
    (position as u64).div_ceil(PAGE)
}

fn bytes(page: u64) -> usize {
    usize::try_from(page.saturating_mul(PAGE)).unwrap_or(usize::MAX)
}
