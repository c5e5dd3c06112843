//! The bytes of a regular file.
//!
//! At first a file may borrow bytes of a lower tree; the first change copies them up. Own bytes are
//! one run of pages at a stable address, of which [`PageSet`] says which have storage; the rest of
//! the size is holes, which cost nothing.

use libos_abi::PAGE_SIZE;
use libos_erofs::{Chunks, Run};

use crate::errno::{Errno, Result};
use crate::fs::inode::SeekTo;
use crate::fs::packed::{FileBytes, Rest};
use crate::fs::pageset::PageSet;
use crate::mm::PageRun;
use crate::user::{Dest, Source};

const PAGE: u64 = PAGE_SIZE as u64;

/// Addresses reserved for a file at first, in bytes. Little, so that small files lie close together
/// and share the host's page tables.
const FIRST_RESERVATION: u64 = 16 << 10;

/// How many times its size is reserved when a file outgrows its reservation, which may move it:
/// copying then costs an eighth of what was written.
const GROWTH: usize = 8;

/// The bytes of a regular file, with holes.
#[derive(Default)]
pub struct Contents {
    /// Bytes of a lower tree; those beyond `size` or behind `run` don't count.
    lower: FileBytes,
    /// Own bytes, once there are any; from then on `lower` is empty.
    run: Option<PageRun>,
    size: u64,
    /// Pages with storage.
    present: PageSet,
}

impl Contents {
    /// Borrowed bytes.
    pub fn over(lower: FileBytes) -> Self {
        let mut contents = Self {
            lower,
            size: lower.size() as u64,
            ..Self::default()
        };
        contents.present.insert(0..pages(contents.size));
        if let Rest::Chunks(chunks) = lower.rest {
            contents.forget_holes(lower.plain.len() as u64, chunks);
        }
        contents
    }

    fn forget_holes(&mut self, start: u64, chunks: &Chunks<'_>) {
        let mut at = 0;
        while at < chunks.size() {
            at += match chunks.run(at) {
                Run::Bytes([]) => return,
                Run::Bytes(bytes) => bytes.len() as u64,
                Run::Hole(len) => {
                    let hole = pages(start + at)..pages(start + at + len);
                    self.present.remove(&hole);
                    len
                }
            };
        }
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Number of pages with storage, borrowed ones too.
    pub fn pages(&self) -> u64 {
        self.present.count()
    }

    /// Number of pages of its own.
    pub fn own_pages(&self) -> u64 {
        match self.run {
            Some(_) => self.present.count(),
            None => 0,
        }
    }

    /// How many own pages it will have once `[offset, end)` has storage.
    pub fn own_pages_with(&self, offset: u64, end: u64) -> u64 {
        let range = offset / PAGE..pages(end);
        let new = (range.end.saturating_sub(range.start)) - self.present.count_in(&range);
        self.present.count() + new
    }

    /// Whether `[offset, end)` is storage of its own already.
    pub fn owns(&self, offset: u64, end: u64) -> bool {
        self.run.is_some() && self.present.next_absent(offset / PAGE) >= pages(end)
    }

    /// Copies bytes from `offset` on; returns how many, 0 at the end.
    ///
    /// # Errors
    /// EFAULT.
    pub fn read(&self, offset: u64, dest: &mut Dest<'_>) -> Result<usize> {
        let left = self.size.saturating_sub(offset);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(dest.room());
        if count == 0 {
            return Ok(0);
        }
        let mut done = 0;
        loop {
            let stored = self.stored(offset + done as u64, count - done);
            if stored.is_empty() {
                break;
            }
            let put = match dest.put(stored) {
                Err(_) if done > 0 => return Ok(done),
                result => result?,
            };
            done += put;
            if put < stored.len() || done == count {
                return Ok(done);
            }
        }
        match dest.put_zeroes(count - done) {
            Ok(zeroes) => Ok(done + zeroes),
            Err(_) if done > 0 => Ok(done),
            Err(error) => Err(error),
        }
    }

    /// Stores bytes at `offset`, making the file longer if need be; returns how many.
    ///
    /// # Errors
    /// EFAULT; ENOSPC if there is no memory.
    pub fn write(&mut self, offset: u64, source: &mut Source<'_>) -> Result<usize> {
        let end = offset.saturating_add(source.left() as u64);
        if !self.owns(offset, end) || self.run_len() < end {
            self.provide(offset, end)?;
        }
        let Some(run) = &mut self.run else {
            return Ok(0);
        };
        let (start, stop) = (index(offset), index(end));
        let result = source.take(&mut run.bytes_mut()[start..stop]);
        let done = *result.as_ref().unwrap_or(&0);
        let new_size = self.size.max(offset + done as u64);
        if stop > index(new_size) {
            // A copy that faulted may have left bytes that don't count.
            run.clear(index(new_size), stop);
        }
        self.size = new_size;
        result
    }

    /// Sets the size.
    ///
    /// # Errors
    /// ENOSPC if there is no memory for a copy-up.
    pub fn truncate(&mut self, size: u64) -> Result<()> {
        if size > self.size {
            return self.extend(size);
        }
        self.present.remove(&(pages(size)..u64::MAX));
        if !self.lower.rest.is_empty() {
            self.copy_up(size)?;
        }
        match &mut self.run {
            None => {
                let len = self.lower.plain.len().min(index(size));
                self.lower.plain = &self.lower.plain[..len];
            }
            Some(run) if size == 0 && !run.is_pinned() => self.run = None,
            Some(run) => run.shrink(index(size)),
        }
        self.size = size;
        Ok(())
    }

    /// A longer file; the new bytes are a hole.
    fn extend(&mut self, size: u64) -> Result<()> {
        let mapped = self.run.as_ref().is_some_and(PageRun::is_pinned);
        if mapped {
            // A mapping may already show the pages behind the old end.
            self.reserve(size)?;
        }
        self.size = size;
        Ok(())
    }

    /// Gives `[offset, end)` storage, without changing the size.
    ///
    /// # Errors
    /// ENOSPC if there is no memory.
    pub fn provide(&mut self, offset: u64, end: u64) -> Result<()> {
        self.copy_up(end)?;
        self.reserve(offset)?;
        let run = self.run.as_mut().ok_or(Errno::ENOSPC)?;
        make_room(run, end)?;
        run.grow(index(end)).map_err(|_| NO_MEMORY)?;
        self.present.insert(offset / PAGE..pages(end));
        Ok(())
    }

    /// Takes the storage of `[offset, end)` away: it reads as zero.
    ///
    /// # Errors
    /// ENOSPC if there is no memory for a copy-up.
    pub fn punch(&mut self, offset: u64, end: u64) -> Result<()> {
        let end = end.min(self.size);
        if offset >= end {
            return Ok(());
        }
        self.copy_up(end)?;
        self.clear(offset, end);
        let last = if end == self.size {
            pages(end)
        } else {
            end / PAGE
        };
        self.present.remove(&(pages(offset)..last));
        Ok(())
    }

    /// Makes `[offset, end)` zero, as far as there are bytes.
    pub fn clear(&mut self, offset: u64, end: u64) {
        if let Some(run) = &mut self.run {
            let len = run.len() as u64;
            run.clear(index(offset.min(len)), index(end.min(len)));
        }
    }

    /// The next byte with or without storage.
    ///
    /// # Errors
    /// ENXIO at or beyond the end, or if only a hole is left.
    pub fn seek(&self, offset: u64, to: SeekTo) -> Result<u64> {
        if offset >= self.size {
            return Err(Errno::ENXIO);
        }
        let page = offset / PAGE;
        let found = match to {
            SeekTo::Data => self.present.next_present(page).ok_or(Errno::ENXIO)?,
            SeekTo::Hole => self.present.next_absent(page),
        };
        let found = (found * PAGE).max(offset);
        match to {
            SeekTo::Data if found >= self.size => Err(Errno::ENXIO),
            _ => Ok(found.min(self.size)),
        }
    }

    /// The run, holding pages for `[offset, end)` at least, for a shared mapping.
    ///
    /// # Errors
    /// ENOSPC if there is no memory or no addresses.
    pub fn mapped(&mut self, end: u64) -> Result<&PageRun> {
        self.copy_up(end)?;
        self.reserve(end)?;
        let shown = pages(end.min(self.size));
        self.present.insert(0..shown);
        self.run.as_ref().ok_or(Errno::ENOSPC)
    }

    /// Whether a mapping shows its pages.
    pub fn is_mapped(&self) -> bool {
        self.run.as_ref().is_some_and(PageRun::is_pinned)
    }

    /// At most `count` bytes from `offset` on that are in memory, and lie together.
    fn stored(&self, offset: u64, count: usize) -> &[u8] {
        let offset = index(offset);
        let bytes = match &self.run {
            Some(run) => run.bytes().get(offset..).unwrap_or(&[]),
            None => self.lower.run_from(offset),
        };
        &bytes[..bytes.len().min(count)]
    }

    fn run_len(&self) -> u64 {
        self.run.as_ref().map_or(0, |run| run.len() as u64)
    }

    /// Own bytes instead of borrowed ones, with room for `end`.
    fn copy_up(&mut self, end: u64) -> Result<()> {
        if self.run.is_some() {
            return Ok(());
        }
        let lower = self.lower;
        let wanted = end.max(lower.size() as u64);
        let mut run = PageRun::reserve(index(wanted.max(FIRST_RESERVATION)))
            .or_else(|_| PageRun::reserve(index(wanted)))
            .map_err(|_| NO_MEMORY)?;
        let mut page = 0;
        while let Some(first) = self.present.next_present(page) {
            // Holes get no storage.
            page = self.present.next_absent(first);
            run.extend_sparse(index(first * PAGE))
                .map_err(|_| NO_MEMORY)?;
            let end = index(page * PAGE).min(lower.size());
            run.grow(end).map_err(|_| NO_MEMORY)?;
            let mut at = index(first * PAGE);
            while at < end {
                let bytes = lower.run_from(at);
                let len = bytes.len().min(end - at);
                if len == 0 {
                    // What is damaged reads as zeroes.
                    break;
                }
                run.bytes_mut()[at..at + len].copy_from_slice(&bytes[..len]);
                at += len;
            }
        }
        self.lower = FileBytes::default();
        self.run = Some(run);
        Ok(())
    }

    /// Extends the run by a hole up to `end`, if it is shorter.
    fn reserve(&mut self, end: u64) -> Result<()> {
        let Some(run) = &mut self.run else {
            return Ok(());
        };
        make_room(run, end)?;
        run.extend_sparse(index(end)).map_err(|_| NO_MEMORY)
    }
}

const NO_MEMORY: Errno = Errno::ENOSPC;

fn make_room(run: &mut PageRun, end: u64) -> Result<()> {
    let wanted = usize::try_from(end).map_err(|_| Errno::EFBIG)?;
    if wanted <= run.reserved() {
        return Ok(());
    }
    run.make_room(wanted.saturating_mul(GROWTH))
        .or_else(|_| run.make_room(wanted))
        .map_err(|_| NO_MEMORY)
}

/// Number of pages that hold `bytes` bytes.
fn pages(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE)
}

/// A position as an index. Sizes are limited to what fits (see [`make_room`]); a saturated index
/// only ever shortens a range.
fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::testing::Random;
    use std::vec;
    use std::vec::Vec;

    fn all(contents: &Contents) -> Vec<u8> {
        let mut bytes = vec![0xaa; index(contents.size()) + 8];
        let mut dest = Dest::kernel(&mut bytes);
        let count = contents.read(0, &mut dest).expect("our own buffer");
        bytes.truncate(count);
        bytes
    }

    fn write(contents: &mut Contents, offset: u64, bytes: &[u8]) {
        let mut source = Source::kernel(bytes);
        assert_eq!(contents.write(offset, &mut source), Ok(bytes.len()));
    }

    #[test]
    fn packed_bytes_are_read_and_copied_like_others() {
        let whole: Vec<u8> = (0..20_000_u32)
            .map(|at| at.to_le_bytes()[at as usize % 2])
            .collect();
        let packed = || Contents::over(crate::fs::packed::tests::packed(&whole, 7000));
        assert!(all(&packed()) == whole);
        let mut across = [0; 100];
        assert_eq!(packed().read(6950, &mut Dest::kernel(&mut across)), Ok(100));
        assert_eq!(across, whole[6950..7050]);
        let mut changed = packed();
        write(&mut changed, 9000, b"!");
        let mut expected = whole.clone();
        expected[9000] = b'!';
        assert!(all(&changed) == expected);
        for size in [0, 6999, 7001, 30_000] {
            let mut cut = packed();
            cut.truncate(size).expect("room");
            cut.truncate(30_000).expect("room");
            let mut expected = whole[..whole.len().min(index(size))].to_vec();
            expected.resize(30_000, 0);
            assert!(all(&cut) == expected, "{size}");
        }
    }

    #[test]
    fn borrowed_bytes_are_copied_at_the_first_change() {
        static LOWER: &[u8] = b"hello world";
        let mut contents = Contents::over(LOWER.into());
        assert_eq!((contents.size(), contents.own_pages()), (11, 0));
        contents.truncate(100).expect("a hole");
        contents.truncate(50).expect("a smaller hole");
        contents.truncate(5).expect("no memory needed");
        assert_eq!(all(&contents), b"hello");
        assert_eq!(contents.own_pages(), 0, "cutting borrows on");
        write(&mut contents, 4, b"!!");
        assert_eq!(all(&contents), b"hell!!");
        assert_eq!(LOWER, b"hello world");
    }

    #[test]
    fn holes_cost_nothing_and_are_found() {
        let mut contents = Contents::default();
        contents.truncate(1 << 40).expect("a hole");
        assert_eq!(contents.pages(), 0);
        write(&mut contents, 3 * PAGE + 5, b"x");
        assert_eq!(contents.pages(), 1);
        assert_eq!(contents.seek(0, SeekTo::Data), Ok(3 * PAGE));
        assert_eq!(contents.seek(0, SeekTo::Hole), Ok(0));
        assert_eq!(contents.seek(3 * PAGE + 1, SeekTo::Data), Ok(3 * PAGE + 1));
        assert_eq!(contents.seek(3 * PAGE, SeekTo::Hole), Ok(4 * PAGE));
        assert_eq!(contents.seek(4 * PAGE, SeekTo::Data), Err(Errno::ENXIO));
        assert_eq!(contents.seek(1 << 40, SeekTo::Hole), Err(Errno::ENXIO));
    }

    #[test]
    fn it_agrees_with_a_vector() {
        static LOWER: [u8; 9000] = [7; 9000];
        let mut random = Random::new(11);
        for round in 0..20 {
            let mut contents = Contents::over(LOWER.as_slice().into());
            let mut model = LOWER.to_vec();
            for step in 0..200 {
                let offset = random.below(30_000);
                let len = random.below(9000);
                let (from, to) = (index(offset), index(offset + len));
                match random.below(5) {
                    0 | 1 => {
                        let byte = u8::try_from(random.below(255)).expect("a byte") + 1;
                        let bytes = vec![byte; index(len)];
                        model.resize(model.len().max(if len > 0 { to } else { 0 }), 0);
                        if len > 0 {
                            model[from..to].copy_from_slice(&bytes);
                        }
                        write(&mut contents, offset, &bytes);
                    }
                    2 => {
                        model.resize(from, 0);
                        contents.truncate(offset).expect("memory");
                    }
                    3 => {
                        let (from, to) = (from.min(model.len()), to.min(model.len()));
                        model[from..to].fill(0);
                        contents.punch(offset, offset + len).expect("memory");
                    }
                    _ => contents
                        .provide(offset, offset + len.max(1))
                        .expect("memory"),
                }
                assert!(all(&contents) == model, "round {round}, step {step}");
            }
        }
    }
}
