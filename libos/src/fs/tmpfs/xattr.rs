//! Extended attributes in memory.

use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::inode::SetXattr;
use crate::sorted_map::SortedMap;

/// All attributes of one inode together, in bytes (Linux's XATTR_LIST_MAX).
const LIMIT: usize = 65_536;

/// The attributes of one inode, by name.
#[derive(Default)]
pub struct Xattrs {
    values: SortedMap<Vec<u8>, Vec<u8>>,
}

impl Xattrs {
    /// A value.
    ///
    /// # Errors
    /// ENODATA.
    pub fn get(&self, name: &[u8]) -> Result<Vec<u8>> {
        self.values.get(name).cloned().ok_or(Errno::ENODATA)
    }

    /// Sets a value.
    ///
    /// # Errors
    /// EEXIST, ENODATA as `mode` says; ENOSPC.
    pub fn set(&mut self, name: &[u8], value: &[u8], mode: SetXattr) -> Result<()> {
        match (mode, self.values.contains_key(name)) {
            (SetXattr::Create, true) => return Err(Errno::EEXIST),
            (SetXattr::Replace, false) => return Err(Errno::ENODATA),
            _ => {}
        }
        let used: usize = self.values.iter().map(|(k, v)| k.len() + v.len()).sum();
        if used + name.len() + value.len() > LIMIT {
            return Err(Errno::ENOSPC);
        }
        self.values.insert(name.to_vec(), value.to_vec());
        Ok(())
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// ENODATA.
    pub fn remove(&mut self, name: &[u8]) -> Result<()> {
        self.values.remove(name).map(drop).ok_or(Errno::ENODATA)
    }

    /// All names, each with a NUL behind it.
    pub fn names(&self) -> Vec<u8> {
        self.values
            .keys()
            .flat_map(|name| name.iter().copied().chain([0]))
            .collect()
    }
}
