//! The files that the guest has open.

use rustix::io::{Errno, Result};
use std::collections::HashMap;
use std::os::fd::OwnedFd;

/// An open file or directory.
pub struct Handle {
    /// Open for good.
    pub file: OwnedFd,
    /// Its number in the table of inodes.
    pub inode: u64,
}

/// All of them, by numbers that are never used twice.
pub struct Handles {
    open: HashMap<u64, Handle>,
    next: u64,
    most: usize,
}

impl Handles {
    /// None, with room for `most`.
    pub fn new(most: usize) -> Self {
        Self {
            open: HashMap::new(),
            next: 1,
            most,
        }
    }

    /// Whether there is room for one more.
    ///
    /// # Errors
    /// ENFILE.
    pub fn check_room(&self) -> Result<()> {
        if self.open.len() >= self.most {
            return Err(Errno::NFILE);
        }
        Ok(())
    }

    /// Takes an open file. Its number.
    ///
    /// # Errors
    /// ENFILE if there are too many.
    pub fn insert(&mut self, handle: Handle) -> Result<u64> {
        self.check_room()?;
        let number = self.next;
        self.next += 1;
        self.open.insert(number, handle);
        Ok(number)
    }

    /// An open file.
    ///
    /// # Errors
    /// EBADF.
    pub fn get(&self, number: u64) -> Result<&Handle> {
        self.open.get(&number).ok_or(Errno::BADF)
    }

    /// Closes one.
    ///
    /// # Errors
    /// EBADF.
    pub fn remove(&mut self, number: u64) -> Result<()> {
        self.open.remove(&number).map(drop).ok_or(Errno::BADF)
    }
}
