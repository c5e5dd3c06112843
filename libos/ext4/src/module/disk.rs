//! The libOS's disk.

use crate::device::Device;
use crate::error::{Errno, Result};

/// A disk of the libOS, by its number there.
pub struct HostDisk {
    /// The libOS's number.
    pub number: u64,
    /// Length in bytes.
    pub len: u64,
}

fn check(result: i32) -> Result<()> {
    match result {
        0 => Ok(()),
        error => Err(Errno(error.wrapping_neg())),
    }
}

impl Device for HostDisk {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let (start, len) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: the libOS writes `len` bytes to the buffer.
        check(unsafe { (super::host().read)(self.number, offset, start, len) })
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        // SAFETY: the libOS reads the bytes during the call.
        check(unsafe { (super::host().write)(self.number, offset, bytes.as_ptr(), bytes.len()) })
    }

    fn flush(&mut self) -> Result<()> {
        // SAFETY: no memory is involved.
        check(unsafe { (super::host().flush)(self.number) })
    }
}
