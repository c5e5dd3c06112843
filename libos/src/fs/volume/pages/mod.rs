//! The pages of a volume's file that are in memory.
//!
//! A file is cached in [`segment::Segment`]s of [`SEGMENT_LEN`] bytes, which come and go by themselves; what was
//! written lies in them until [`Pages::write_back`]. A shared mapping needs all pages of a file side by side for
//! as long as it lasts: [`Pages::map`] makes them one segment. The host does not tell which pages a mapping
//! changed, so their sums are compared before they are written back.
//!
//! Main types: [`Pages`]; [`Store`], what is behind it. Neighbours: `mm::PageRun` (memory), `volume::node`
//! (owner). It neither knows times and names nor decides when something is written or dropped.

mod segment;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use libos_abi::PAGE_SIZE;

use crate::errno::{Errno, Result};
use crate::fs::file::FilePages;
use crate::user::{Dest, Source};
use crate::word_map::WordMap;

use segment::Segment;
pub use segment::cached;

const PAGE: u64 = PAGE_SIZE as u64;

/// Length of a segment in bytes.
pub const SEGMENT_LEN: usize = 2 << 20;

/// The same, as a distance in a file.
const SEGMENT: u64 = SEGMENT_LEN as u64;

/// Most that is read ahead, in bytes.
const WINDOW: usize = 1 << 20;

/// Least that is read ahead once reading turns out to be sequential, in bytes.
const FIRST_WINDOW: usize = 64 << 10;

/// Where pages come from and go to: one file of a volume.
pub trait Store {
    /// Reads; 0 at the end.
    ///
    /// # Errors
    /// Those of the volume.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// Those of the volume.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;
}

/// The pages of a file.
#[derive(Default)]
pub struct Pages {
    size: u64,
    /// Up to where the volume has bytes: beyond nothing need be read.
    stored: u64,
    segments: WordMap<u64, Box<Segment>>,
    /// All pages side by side, once the file was mapped; then there are no other segments.
    whole: Option<Box<Whole>>,
    /// Where the last read ended, to know sequential reading.
    read_end: u64,
    window: usize,
}

struct Whole {
    segment: Segment,
    /// Of each page, as the volume has it.
    sums: Vec<u64>,
}

/// Notes how far the volume has bytes.
struct Counting<'a> {
    store: &'a mut dyn Store,
    end: u64,
}

impl Store for Counting<'_> {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.store.read(offset, buffer)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.store.write(offset, bytes)?;
        self.end = self.end.max(offset + bytes.len() as u64);
        Ok(())
    }
}

/// A part of a request: the segment's first byte in the file, and the bytes in the segment.
struct Part {
    base: u64,
    range: Range<usize>,
}

impl Pages {
    /// Those of a file of `size` bytes.
    pub fn of_size(size: u64) -> Self {
        Self {
            size,
            stored: size,
            ..Self::default()
        }
    }

    /// Size of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many pages the volume does not have yet.
    pub fn dirty(&self) -> u64 {
        let whole = self.whole.as_ref().map_or(0, |whole| whole.segment.dirty());
        let parts = self.segments.iter().map(|(_, segment)| segment.dirty());
        whole + parts.sum::<u64>()
    }

    /// Whether a mapping shows them.
    pub fn is_mapped(&self) -> bool {
        let whole = self.whole.as_ref();
        whole.is_some_and(|whole| whole.segment.run().is_pinned())
    }

    /// Copies bytes from `offset` on; returns how many, 0 at the end. `now` is the cache's clock.
    ///
    /// # Errors
    /// EFAULT; those of the volume; ENOMEM.
    pub fn read(
        &mut self,
        offset: u64,
        dest: &mut Dest<'_>,
        now: u64,
        store: &mut dyn Store,
    ) -> Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = left.min(dest.room());
        let mut done = 0;
        while done < count {
            let step = self.read_part(offset + done as u64, count - done, dest, now, store);
            match step {
                Ok(0) => break,
                Ok(put) => done += put,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        self.read_end = offset + done as u64;
        Ok(done)
    }

    fn read_part(
        &mut self,
        offset: u64,
        count: usize,
        dest: &mut Dest<'_>,
        now: u64,
        store: &mut dyn Store,
    ) -> Result<usize> {
        let Part { base, range } = self.part(offset, count);
        if !self.segment(base, range.end)?.has(&range) {
            self.load(base, &range, store)?;
        }
        let segment = self.segment(base, range.end)?;
        segment.used = now;
        dest.put(segment.bytes(range))
    }

    /// Reads `range` of a segment, and what is likely to be asked for next.
    fn load(&mut self, base: u64, range: &Range<usize>, store: &mut dyn Store) -> Result<()> {
        let ahead = self.read_ahead(base + range.start as u64);
        let last = usize::try_from(self.size.saturating_sub(base)).unwrap_or(usize::MAX);
        let last = match self.whole {
            Some(_) => last,
            None => last.min(SEGMENT_LEN),
        };
        let stored = self.stored;
        let segment = self.segment(base, range.end)?;
        let end = range.end.saturating_add(ahead).min(last).max(range.end);
        segment.load(&(range.start..end), base, stored, store)
    }

    /// How far to read beyond what is asked for at `offset`.
    fn read_ahead(&mut self, offset: u64) -> usize {
        self.window = match offset == self.read_end {
            true => (self.window * 4).clamp(FIRST_WINDOW, WINDOW),
            false => 0,
        };
        self.window
    }

    /// Stores bytes at `offset`, making the file longer if need be; returns how many.
    ///
    /// # Errors
    /// EFAULT; those of the volume, for pages that are changed in part; ENOMEM.
    pub fn write(
        &mut self,
        offset: u64,
        source: &mut Source<'_>,
        now: u64,
        store: &mut dyn Store,
    ) -> Result<usize> {
        let mut done = 0;
        while source.left() > 0 {
            match self.write_part(offset + done as u64, source, now, store) {
                Ok(0) => break,
                Ok(taken) => done += taken,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_part(
        &mut self,
        offset: u64,
        source: &mut Source<'_>,
        now: u64,
        store: &mut dyn Store,
    ) -> Result<usize> {
        let Part { base, range } = self.part(offset, source.left());
        let stored = self.stored;
        let segment = self.segment(base, range.end)?;
        segment.used = now;
        // Pages that are changed in part must be known first; all of them if the program's buffer may end early.
        for edge in [range.start, range.end] {
            if edge % PAGE_SIZE != 0 {
                segment.load(&(edge..edge + 1), base, stored, store)?;
            }
        }
        let len = range.len();
        let had_all = segment.has(&range);
        let taken = source.take(segment.bytes_mut(range.clone())?)?;
        let written = range.start..range.start + taken;
        if taken < len && !had_all {
            return self.keep_part(base, &written, stored, store);
        }
        segment.soil(&written);
        self.size = self.size.max(base + written.end as u64);
        Ok(taken)
    }

    /// The program's buffer ended early, in a page that is not known: what was taken of it is not kept.
    fn keep_part(
        &mut self,
        base: u64,
        written: &Range<usize>,
        stored: u64,
        store: &mut dyn Store,
    ) -> Result<usize> {
        let segment = self.segment(base, written.end)?;
        let whole = written.end - written.end % PAGE_SIZE;
        let last = whole..written.end;
        if last.is_empty() || segment.has(&last) {
            segment.soil(written);
        } else {
            let kept: Vec<u8> = segment.bytes(last.clone()).into();
            segment.load(&last, base, stored, store)?;
            segment.bytes_mut(last)?.copy_from_slice(&kept);
            segment.soil(written);
        }
        self.size = self.size.max(base + written.end as u64);
        Ok(written.len())
    }

    /// Writes what the volume lacks of `range`, a range of the file's bytes.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn write_back(&mut self, range: &Range<u64>, store: &mut dyn Store) -> Result<()> {
        let (size, mut written) = (self.size, Ok(()));
        self.soil_mapped();
        let mut counting = Counting { store, end: 0 };
        self.each_in(range, |base, segment, part| {
            if written.is_ok() {
                written = segment.write_back(&part, base, size, &mut counting);
            }
        });
        self.stored = self.stored.max(counting.end);
        self.sum_whole();
        written
    }

    /// Up to where the volume has bytes of the file.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// The volume changed it: it has `size` bytes now.
    pub fn became(&mut self, size: u64) {
        self.resize(size);
        self.stored = size;
    }

    /// Changes the size. The volume has been told, or will be by what is written.
    pub fn resize(&mut self, size: u64) {
        if size < self.size {
            let gone = size..u64::MAX;
            self.each_in(&gone, |_, segment, part| segment.cut(part.start));
            self.stored = self.stored.min(size);
        }
        self.size = size;
    }

    /// Forgets the pages that `range` touches.
    ///
    /// # Errors
    /// Those of the volume: pages that a mapping shows are read again.
    pub fn forget(&mut self, range: &Range<u64>, store: &mut dyn Store) -> Result<()> {
        let mapped = self.is_mapped();
        let stored = self.stored;
        let mut done = Ok(());
        self.each_in(range, |base, segment, part| {
            segment.forget(&part);
            if mapped && done.is_ok() {
                let end = part.end.min(segment.run().len());
                done = segment.load(&(part.start.min(end)..end), base, stored, store);
            }
        });
        done
    }

    /// Drops segments that were not used since `before` and that nothing needs; returns how many bytes.
    pub fn shrink(&mut self, before: u64) -> usize {
        let was = cached();
        let old = |segment: &Segment| segment.used < before && segment.is_idle();
        if self.whole.as_ref().is_some_and(|whole| old(&whole.segment)) {
            self.soil_mapped();
            self.whole.take_if(|whole| whole.segment.is_idle());
        }
        let idle: Vec<u64> = self
            .segments
            .iter()
            .filter(|(_, segment)| old(segment))
            .map(|(base, _)| base)
            .collect();
        for base in idle {
            self.segments.remove(&base);
        }
        was.saturating_sub(cached())
    }

    /// When the segments were used that could be dropped.
    pub fn idle_since(&self, visit: &mut dyn FnMut(u64)) {
        let whole = self.whole.iter().map(|whole| &whole.segment);
        let parts = self.segments.iter().map(|(_, segment)| &**segment);
        for segment in whole.chain(parts).filter(|segment| segment.is_idle()) {
            visit(segment.used);
        }
    }

    /// The pages that hold `len` bytes from `offset` on, for a shared mapping.
    ///
    /// # Errors
    /// Those of the volume; ENOMEM; EOVERFLOW.
    pub fn map(
        &mut self,
        offset: u64,
        len: usize,
        now: u64,
        store: &mut dyn Store,
    ) -> Result<FilePages> {
        let start = usize::try_from(offset).map_err(|_| Errno::EOVERFLOW)?;
        let end = start.checked_add(len).ok_or(Errno::EOVERFLOW)?;
        let (size, stored) = (self.size, self.stored);
        self.gather(end)?;
        self.soil_mapped();
        let whole = self.whole.as_mut().ok_or(Errno::ENOMEM)?;
        let segment = &mut whole.segment;
        segment.used = now;
        segment.grow(end)?;
        let shown = end.min(usize::try_from(size).unwrap_or(usize::MAX));
        segment.load(&(start.min(shown)..shown), 0, stored, store)?;
        let pages = FilePages {
            address: segment.run().address() + start,
            pin: segment.run().pin(),
        };
        self.sum_whole();
        Ok(pages)
    }

    /// Puts all pages side by side, with room for `end` bytes.
    fn gather(&mut self, end: usize) -> Result<()> {
        if self.whole.is_some() {
            return Ok(());
        }
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let wanted = end.max(size);
        let mut segment = Segment::with_room(wanted.saturating_mul(8).max(64 << 20))
            .or_else(|_| Segment::with_room(wanted))?;
        for (base, part) in self.segments.iter() {
            let at = usize::try_from(base).map_err(|_| Errno::EOVERFLOW)?;
            segment.absorb(part, at)?;
        }
        self.segments = WordMap::default();
        let sums = Vec::new();
        self.whole = Some(Box::new(Whole { segment, sums }));
        Ok(())
    }

    /// Notes pages that a mapping changed.
    fn soil_mapped(&mut self) {
        let Some(whole) = &mut self.whole else {
            return;
        };
        let sums = &whole.sums;
        whole.segment.each_clean(&mut |page, memory| {
            let known = usize::try_from(page).ok().and_then(|page| sums.get(page));
            known.is_some_and(|&known| known != sum(memory))
        });
    }

    /// Takes the sums of all pages that the volume has.
    fn sum_whole(&mut self) {
        let Some(whole) = &mut self.whole else {
            return;
        };
        let Whole { segment, sums } = &mut **whole;
        sums.resize(segment.run().len().div_ceil(PAGE_SIZE), 0);
        segment.each_clean(&mut |page, memory| {
            let place = usize::try_from(page)
                .ok()
                .and_then(|page| sums.get_mut(page));
            if let Some(place) = place {
                *place = sum(memory);
            }
            false
        });
    }

    /// The part of a request that lies in one segment.
    fn part(&self, offset: u64, count: usize) -> Part {
        let base = match self.whole {
            Some(_) => 0,
            None => offset - offset % SEGMENT,
        };
        let start = usize::try_from(offset - base).unwrap_or(usize::MAX);
        let room = match self.whole {
            Some(_) => count,
            None => count.min(SEGMENT_LEN - start),
        };
        Part {
            base,
            range: start..start.saturating_add(room),
        }
    }

    fn segment(&mut self, base: u64, len: usize) -> Result<&mut Segment> {
        if let Some(whole) = &mut self.whole {
            return Ok(&mut whole.segment);
        }
        if !self.segments.contains_key(&base) {
            let left = usize::try_from(self.size.saturating_sub(base)).unwrap_or(usize::MAX);
            let room = left.max(len).min(SEGMENT_LEN);
            self.segments
                .insert(base, Box::new(Segment::with_room(room)?));
        }
        let segment = self.segments.get_mut(&base).ok_or(Errno::ENOMEM)?;
        Ok(segment)
    }

    fn each_in(
        &mut self,
        range: &Range<u64>,
        mut visit: impl FnMut(u64, &mut Segment, Range<usize>),
    ) {
        let index = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
        if let Some(whole) = &mut self.whole {
            visit(0, &mut whole.segment, index(range.start)..index(range.end));
        }
        let first = range.start - range.start % SEGMENT;
        let bases: Vec<u64> = self
            .segments
            .iter()
            .map(|(base, _)| base)
            .filter(|&base| base >= first && base < range.end)
            .collect();
        for base in bases {
            let start = index(range.start.saturating_sub(base));
            let end = index(range.end - base).min(SEGMENT_LEN);
            if let Some(segment) = self.segments.get_mut(&base) {
                visit(base, segment, start..end);
            }
        }
    }
}

/// A number that changes with the bytes of a page.
fn sum(memory: &[u8]) -> u64 {
    /// An odd number without a pattern (the fraction of the golden ratio).
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut lanes = [1_u64, 2, 3, 4];
    let (chunks, _) = memory.as_chunks::<32>();
    for chunk in chunks {
        let (words, _) = chunk.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = (*lane ^ u64::from_le_bytes(*word))
                .wrapping_mul(FACTOR)
                .rotate_left(29);
        }
    }
    let mix = |all: u64, lane: u64| (all ^ lane).wrapping_mul(FACTOR).rotate_left(31);
    lanes.into_iter().fold(0, mix)
}
