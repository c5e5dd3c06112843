//! A process's descriptors.
//!
//! [`FdTable`] maps numbers to open file descriptions. Looking one up is an index; the lowest free
//! number is found through a hint, since most programs close what they opened last.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::file::OpenFile;
use crate::sync::SpinLock;

/// One entry.
#[derive(Clone)]
pub struct FdEntry {
    /// The open file description.
    pub file: Arc<OpenFile>,
    /// FD_CLOEXEC.
    pub close_on_exec: bool,
}

/// The table: index = descriptor.
#[derive(Default)]
pub struct FdTable {
    inner: SpinLock<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: Vec<Option<FdEntry>>,
    /// No descriptor below is free.
    lowest_free: usize,
}

impl FdTable {
    /// The open file description of `fd`.
    ///
    /// # Errors
    /// EBADF if it is not open.
    pub fn get(&self, fd: i32) -> Result<Arc<OpenFile>> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        match self.inner.lock().entries.get(index) {
            Some(Some(entry)) => Ok(Arc::clone(&entry.file)),
            _ => Err(Errno::EBADF),
        }
    }

    /// The entry of `fd`.
    ///
    /// # Errors
    /// EBADF if it is not open.
    pub fn entry(&self, fd: i32) -> Result<FdEntry> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        let inner = self.inner.lock();
        let entry = inner.entries.get(index).cloned().flatten();
        entry.ok_or(Errno::EBADF)
    }

    /// Puts `file` at the lowest free descriptor that is at least `from`.
    ///
    /// # Errors
    /// EMFILE at the limit (RLIMIT_NOFILE).
    pub fn insert(&self, file: Arc<OpenFile>, close_on_exec: bool, from: usize) -> Result<i32> {
        let limit = crate::fs::caller::descriptor_limit();
        self.insert_below(limit, file, close_on_exec, from)
    }

    fn insert_below(
        &self,
        limit: usize,
        file: Arc<OpenFile>,
        close_on_exec: bool,
        from: usize,
    ) -> Result<i32> {
        let mut inner = self.inner.lock();
        let start = from.max(inner.lowest_free);
        let entries = &mut inner.entries;
        let free = (start..entries.len()).find(|&index| entries[index].is_none());
        let index = free.unwrap_or(entries.len().max(start));
        let fd = i32::try_from(index).map_err(|_| Errno::EMFILE)?;
        if index >= limit {
            return Err(Errno::EMFILE.because("RLIMIT_NOFILE is reached"));
        }
        if entries.len() <= index {
            entries.resize(index + 1, None);
        }
        entries[index] = Some(FdEntry {
            file,
            close_on_exec,
        });
        if start == inner.lowest_free {
            inner.lowest_free = index + 1;
        }
        Ok(fd)
    }

    /// Puts `file` at `fd`; returns what was there.
    ///
    /// # Errors
    /// EBADF if `fd` is beyond the limit.
    pub fn replace(
        &self,
        fd: i32,
        file: Arc<OpenFile>,
        close_on_exec: bool,
    ) -> Result<Option<FdEntry>> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        if index >= crate::fs::caller::descriptor_limit() {
            return Err(Errno::EBADF.because("beyond RLIMIT_NOFILE"));
        }
        let mut inner = self.inner.lock();
        if inner.entries.len() <= index {
            inner.entries.resize(index + 1, None);
        }
        Ok(inner.entries[index].replace(FdEntry {
            file,
            close_on_exec,
        }))
    }

    /// Removes `fd`; returns what was there, to be dropped once no lock is held.
    ///
    /// # Errors
    /// EBADF if it is not open.
    pub fn remove(&self, fd: i32) -> Result<FdEntry> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        let mut inner = self.inner.lock();
        let entry = inner.entries.get_mut(index).and_then(Option::take);
        let entry = entry.ok_or(Errno::EBADF)?;
        inner.lowest_free = inner.lowest_free.min(index);
        Ok(entry)
    }

    /// Removes all descriptors in `first..=last`; returns what was there.
    pub fn remove_range(&self, first: usize, last: usize) -> Vec<FdEntry> {
        let mut inner = self.inner.lock();
        let end = last.saturating_add(1).min(inner.entries.len());
        if first >= end {
            return Vec::new();
        }
        inner.lowest_free = inner.lowest_free.min(first);
        inner.entries[first..end]
            .iter_mut()
            .filter_map(Option::take)
            .collect()
    }

    /// Sets FD_CLOEXEC of `fd`.
    ///
    /// # Errors
    /// EBADF if it is not open.
    pub fn set_close_on_exec(&self, fd: i32, close_on_exec: bool) -> Result<()> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        let mut inner = self.inner.lock();
        let entry = inner.entries.get_mut(index).and_then(Option::as_mut);
        entry.ok_or(Errno::EBADF)?.close_on_exec = close_on_exec;
        Ok(())
    }

    /// Sets FD_CLOEXEC of all descriptors in `first..=last`.
    pub fn set_range_close_on_exec(&self, first: usize, last: usize) {
        let mut inner = self.inner.lock();
        let end = last.saturating_add(1).min(inner.entries.len());
        if first < end {
            for entry in inner.entries[first..end].iter_mut().flatten() {
                entry.close_on_exec = true;
            }
        }
    }

    /// The open descriptors from `from` on, ascending.
    pub fn open_from(&self, from: usize) -> Vec<i32> {
        let inner = self.inner.lock();
        let open = |index: &usize| inner.entries[*index].is_some();
        (from..inner.entries.len())
            .filter(open)
            .filter_map(|index| i32::try_from(index).ok())
            .collect()
    }

    /// How many places the table has (`FDSize` in `/proc/self/status`).
    pub fn capacity(&self) -> usize {
        self.inner.lock().entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::devfs::MemoryDevice;
    use crate::fs::file::OpenFlags;

    fn file() -> Arc<OpenFile> {
        OpenFile::new(Arc::new(MemoryDevice::Null), OpenFlags::RDWR)
    }

    #[test]
    fn the_lowest_free_descriptor_is_given() {
        let table = FdTable::default();
        for expected in 0..4 {
            assert_eq!(table.insert(file(), false, 0), Ok(expected));
        }
        assert_eq!(table.insert(file(), false, 10), Ok(10));
        assert!(table.remove(2).is_ok());
        assert!(table.remove(1).is_ok());
        assert_eq!(table.insert(file(), false, 2), Ok(2));
        assert_eq!(table.insert(file(), false, 0), Ok(1));
        assert_eq!(table.insert(file(), false, 0), Ok(4));
        assert_eq!(table.insert(file(), false, 10), Ok(11));
        assert_eq!(table.open_from(3), [3, 4, 10, 11]);
    }

    #[test]
    fn the_limit_and_bad_numbers() {
        let table = FdTable::default();
        assert_eq!(table.insert_below(1, file(), false, 0), Ok(0));
        let full = table.insert_below(1, file(), false, 0);
        assert_eq!(full, Err(Errno::EMFILE));
        for fd in [-1, 1, i32::MAX, i32::MIN] {
            assert_eq!(table.get(fd).map(drop), Err(Errno::EBADF));
            assert_eq!(table.remove(fd).map(drop), Err(Errno::EBADF));
        }
        let far = table.replace(i32::MAX, file(), false);
        assert_eq!(far.map(drop), Err(Errno::EBADF));
    }

    #[test]
    fn ranges_are_closed_or_marked() {
        let table = FdTable::default();
        for _ in 0..6 {
            table.insert(file(), false, 0).expect("below the limit");
        }
        table.set_range_close_on_exec(4, usize::MAX);
        assert!(table.entry(4).expect("open").close_on_exec);
        assert!(!table.entry(3).expect("open").close_on_exec);
        assert_eq!(table.remove_range(1, 3).len(), 3);
        assert_eq!(table.open_from(0), [0, 4, 5]);
        assert_eq!(table.insert(file(), false, 0), Ok(1));
        assert!(table.remove_range(9, 20).is_empty());
    }
}
