//! A process's descriptors.

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
    entries: SpinLock<Vec<Option<FdEntry>>>,
}

impl FdTable {
    /// The open file description of `fd`.
    ///
    /// # Errors
    /// EBADF if it is not open.
    pub fn get(&self, fd: i32) -> Result<Arc<OpenFile>> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        match self.entries.lock().get(index) {
            Some(Some(entry)) => Ok(Arc::clone(&entry.file)),
            _ => Err(Errno::EBADF),
        }
    }

    /// Puts `file` at the lowest free descriptor that is at least `from`.
    ///
    /// # Errors
    /// EMFILE at the limit (RLIMIT_NOFILE).
    pub fn insert(&self, file: Arc<OpenFile>, close_on_exec: bool, from: usize) -> Result<i32> {
        let mut entries = self.entries.lock();
        let free = (from..entries.len()).find(|&index| entries[index].is_none());
        let index = free.unwrap_or(entries.len().max(from));
        if entries.len() <= index {
            entries.resize(index + 1, None);
        }
        entries[index] = Some(FdEntry {
            file,
            close_on_exec,
        });
        i32::try_from(index).map_err(|_| Errno::EMFILE)
    }

    /// Takes `fd` out of the table.
    ///
    /// # Errors
    /// EBADF if it is not open.
    pub fn remove(&self, fd: i32) -> Result<Arc<OpenFile>> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        let mut entries = self.entries.lock();
        let entry = entries.get_mut(index).and_then(Option::take);
        entry.map(|entry| entry.file).ok_or(Errno::EBADF)
    }
}
