//! A regular file in memory: contents under a lock, seals, and the file system's limits.

use crate::errno::{Errno, Result};
use crate::fs::file::{FilePages, Io, OpenFlags, Written};
use crate::fs::inode::{Allocate, SeekTo};
use crate::fs::packed::FileBytes;
use crate::fs::tmpfs::TmpFs;
use crate::fs::tmpfs::contents::Contents;
use crate::sync::SpinLock;
use crate::user::{Dest, Source};

bitflags::bitflags! {
    /// `F_SEAL_*` of fcntl(2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Seals: u32 {
        /// No further seals.
        const SEAL = 1;
        /// The file cannot shrink.
        const SHRINK = 2;
        /// The file cannot grow.
        const GROW = 4;
        /// The content cannot change.
        const WRITE = 8;
        /// The content cannot change but through mappings that exist.
        const FUTURE_WRITE = 16;
        /// The execute bits cannot change.
        const EXEC = 32;
    }
}

/// The largest file, in bytes: positions are signed.
const MAX_SIZE: u64 = i64::MAX as u64;

/// Contents and seals of a regular file.
pub struct Regular {
    inner: SpinLock<Inner>,
}

struct Inner {
    contents: Contents,
    seals: Seals,
}

impl Default for Regular {
    /// An empty file that cannot be sealed.
    fn default() -> Self {
        Self::with(Contents::default())
    }
}

impl Regular {
    /// A file that borrows `bytes` until it is changed.
    pub fn over(bytes: FileBytes) -> Self {
        Self::with(Contents::over(bytes))
    }

    fn with(contents: Contents) -> Self {
        // Linux lets only memfd files be sealed; to all others, F_SEAL_SEAL is applied.
        let seals = Seals::SEAL;
        Self {
            inner: SpinLock::new(Inner { contents, seals }),
        }
    }

    /// Lifts the seal against sealing (MFD_ALLOW_SEALING).
    pub fn make_sealable(&self) {
        self.inner.lock().seals = Seals::empty();
    }

    /// F_GET_SEALS.
    pub fn seals(&self) -> Seals {
        self.inner.lock().seals
    }

    /// F_ADD_SEALS.
    ///
    /// # Errors
    /// EPERM if sealed against sealing; EBUSY for WRITE while the file is mapped shared.
    pub fn add_seals(&self, seals: Seals) -> Result<()> {
        let mut inner = self.inner.lock();
        if inner.seals.contains(Seals::SEAL) {
            return Err(Errno::EPERM);
        }
        let seals_writing = seals.contains(Seals::WRITE) && !inner.seals.contains(Seals::WRITE);
        if seals_writing && inner.contents.is_mapped() {
            return Err(Errno::EBUSY);
        }
        inner.seals |= seals;
        Ok(())
    }

    /// Size in bytes and pages with storage.
    pub fn usage(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.contents.size(), inner.contents.pages())
    }

    /// Reads from `offset` on.
    ///
    /// # Errors
    /// EFAULT.
    pub fn read(&self, offset: u64, dest: &mut Dest<'_>) -> Result<usize> {
        self.inner.lock().contents.read(offset, dest)
    }

    /// Writes at `io.offset`, or at the end with O_APPEND.
    ///
    /// # Errors
    /// EFAULT, EFBIG, ENOSPC; EPERM if sealed.
    pub fn write(&self, fs: &TmpFs, io: Io, source: &mut Source<'_>) -> Result<Written> {
        let mut inner = self.inner.lock();
        let append = io.flags.contains(OpenFlags::APPEND);
        let offset = if append {
            inner.contents.size()
        } else {
            io.offset
        };
        if source.left() == 0 {
            return Ok(Written {
                count: 0,
                end: offset,
            });
        }
        let end = offset
            .checked_add(source.left() as u64)
            .filter(|&end| end <= MAX_SIZE)
            .ok_or(Errno::EFBIG)?;
        inner.check_write(end)?;
        let count =
            inner.with_booking(fs, offset, end, |contents| contents.write(offset, source))?;
        Ok(Written {
            count,
            end: offset + count as u64,
        })
    }

    /// Sets the size.
    ///
    /// # Errors
    /// EFBIG, ENOSPC; EPERM if sealed.
    pub fn truncate(&self, fs: &TmpFs, size: u64) -> Result<()> {
        let mut inner = self.inner.lock();
        let old = inner.contents.size();
        let sealed = (size < old && inner.seals.contains(Seals::SHRINK))
            || (size > old && inner.seals.contains(Seals::GROW));
        if sealed {
            return Err(Errno::EPERM);
        }
        if size > MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let before = inner.contents.own_pages();
        inner.contents.truncate(size)?;
        fs.book(before, inner.contents.own_pages())
    }

    /// See fallocate(2).
    ///
    /// # Errors
    /// EOPNOTSUPP for ranges that move; EFBIG, ENOSPC; EPERM if sealed.
    pub fn allocate(&self, fs: &TmpFs, what: Allocate, offset: u64, len: u64) -> Result<()> {
        let mut inner = self.inner.lock();
        let end = offset
            .checked_add(len)
            .filter(|&end| end <= MAX_SIZE)
            .ok_or(Errno::EFBIG)?;
        match what {
            Allocate::CollapseRange | Allocate::InsertRange => {
                return Err(Errno::EOPNOTSUPP.because("tmpfs cannot move ranges"));
            }
            Allocate::PunchHole => {
                inner.check_change()?;
                return inner.punch(fs, offset, end);
            }
            Allocate::ZeroRange | Allocate::ZeroRangeKeepSize => inner.check_change()?,
            Allocate::Grow | Allocate::KeepSize => {}
        }
        let grows = matches!(what, Allocate::Grow | Allocate::ZeroRange);
        if grows && end > inner.contents.size() && inner.seals.contains(Seals::GROW) {
            return Err(Errno::EPERM);
        }
        let zeroes = matches!(what, Allocate::ZeroRange | Allocate::ZeroRangeKeepSize);
        inner.with_booking(fs, offset, end, |contents| {
            contents.provide(offset, end)?;
            if zeroes {
                contents.clear(offset, end);
            }
            if grows && end > contents.size() {
                contents.truncate(end)?;
            }
            Ok(())
        })
    }

    /// SEEK_DATA and SEEK_HOLE of lseek(2).
    ///
    /// # Errors
    /// ENXIO.
    pub fn seek(&self, offset: u64, to: SeekTo) -> Result<u64> {
        self.inner.lock().contents.seek(offset, to)
    }

    /// Its pages, for a shared mapping.
    ///
    /// # Errors
    /// ENOMEM if there is no memory or no addresses.
    pub fn pages(&self, fs: &TmpFs, offset: u64, len: usize) -> Result<FilePages> {
        let mut inner = self.inner.lock();
        let end = offset.checked_add(len as u64).ok_or(Errno::EOVERFLOW)?;
        let before = inner.contents.own_pages();
        let run = inner.contents.mapped(end).map_err(|_| Errno::ENOMEM)?;
        let start = usize::try_from(offset).map_err(|_| Errno::EOVERFLOW)?;
        let pages = FilePages {
            address: run.address() + start,
            pin: run.pin(),
        };
        fs.book(before, inner.contents.own_pages())?;
        Ok(pages)
    }

    /// Returns the storage to the file system's books when the inode goes.
    pub fn give_back(&self, fs: &TmpFs) {
        let pages = self.inner.lock().contents.own_pages();
        // Less than before is never refused.
        let _ = fs.book(pages, 0);
    }
}

impl Inner {
    fn check_change(&self) -> Result<()> {
        match self.seals.intersects(Seals::WRITE | Seals::FUTURE_WRITE) {
            true => Err(Errno::EPERM),
            false => Ok(()),
        }
    }

    fn check_write(&self, end: u64) -> Result<()> {
        self.check_change()?;
        let grows = end > self.contents.size();
        match grows && self.seals.contains(Seals::GROW) {
            true => Err(Errno::EPERM),
            false => Ok(()),
        }
    }

    fn punch(&mut self, fs: &TmpFs, offset: u64, end: u64) -> Result<()> {
        let before = self.contents.own_pages();
        self.contents.punch(offset, end)?;
        fs.book(before, self.contents.own_pages())
    }

    /// Runs `act`, which gives `[offset, end)` storage, if the file system has room for it.
    fn with_booking<T>(
        &mut self,
        fs: &TmpFs,
        offset: u64,
        end: u64,
        act: impl FnOnce(&mut Contents) -> Result<T>,
    ) -> Result<T> {
        if self.contents.owns(offset, end) {
            return act(&mut self.contents);
        }
        let before = self.contents.own_pages();
        let planned = self.contents.own_pages_with(offset, end);
        fs.book(before, planned)?;
        let result = act(&mut self.contents);
        // What was really taken; less than planned after a fault, so never refused.
        let _ = fs.book(planned, self.contents.own_pages());
        result
    }
}
