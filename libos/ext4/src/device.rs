//! The disk below: bytes at offsets, and a flush.

use alloc::rc::Rc;
use core::cell::RefCell;

use rsext4::{BlockIo, DeviceCapabilities, DeviceGeometry, Ext4Error, Ext4Result, SectorId};

use crate::error::Result;

/// The unit of the device that the file system is told, in bytes.
pub const SECTOR: u64 = 512;

/// A disk.
pub trait Device {
    /// Its length in bytes.
    fn len(&self) -> u64;

    /// Whether it holds nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// EIO.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// EIO, ENOSPC, EROFS.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// What was written before survives a power cut from now on.
    ///
    /// # Errors
    /// EIO.
    fn flush(&mut self) -> Result<()>;
}

/// A device that the crate and this one both use, in turn.
pub(crate) struct Shared<D> {
    device: Rc<RefCell<D>>,
    read_only: bool,
}

impl<D: Device> Shared<D> {
    pub(crate) fn new(device: D, read_only: bool) -> Self {
        Self {
            device: Rc::new(RefCell::new(device)),
            read_only,
        }
    }

    pub(crate) fn handle(&self) -> Rc<RefCell<D>> {
        Rc::clone(&self.device)
    }
}

fn byte_offset(sector: SectorId) -> Ext4Result<u64> {
    let offset = sector.raw().checked_mul(SECTOR);
    offset.ok_or_else(Ext4Error::overflow)
}

impl<D: Device> BlockIo for Shared<D> {
    fn write(&mut self, buffer: &[u8], sector: SectorId, _count: u32) -> Ext4Result<()> {
        if self.read_only {
            return Err(Ext4Error::read_only());
        }
        let result = self.device.borrow_mut().write(byte_offset(sector)?, buffer);
        result.map_err(|_| Ext4Error::io())
    }

    fn read(&mut self, buffer: &mut [u8], sector: SectorId, _count: u32) -> Ext4Result<()> {
        let result = self.device.borrow_mut().read(byte_offset(sector)?, buffer);
        result.map_err(|_| Ext4Error::io())
    }

    fn geometry(&self) -> DeviceGeometry {
        let sector = u32::try_from(SECTOR).unwrap_or(512);
        DeviceGeometry::new(sector, self.device.borrow().len() / SECTOR)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities {
            read_only: self.read_only,
            flush: true,
            ..DeviceCapabilities::default()
        }
    }

    fn flush(&mut self) -> Ext4Result<()> {
        let result = self.device.borrow_mut().flush();
        result.map_err(|_| Ext4Error::io())
    }
}
