//! A volume for tests: ext4 on a disk in memory.

use alloc::vec::Vec;
use std::sync::{Arc, Mutex};

use libos_abi::driver::{AttributeChange, Attributes, Time, VolumeStatistics, allocate};
use libos_ext4::{Device, Ext4Volume, NewNode, XattrSetMode};

use super::{Found, Listed, NewFile, Volume};
use crate::errno::{Errno, Result};
use crate::fs::inode::{Allocate, RenameMode, SeekTo, SetXattr};

/// The bytes of a disk, which outlive its file system.
#[derive(Clone)]
pub struct MemoryDisk(Arc<Mutex<Vec<u8>>>);

impl MemoryDisk {
    /// An empty file system of `len` bytes.
    pub fn formatted(len: usize) -> Self {
        let disk = Self(Arc::new(Mutex::new(std::vec![0; len])));
        Ext4Volume::format(disk.clone(), now).expect("a disk of this length");
        disk
    }

    /// Mounts it.
    pub fn volume(&self) -> Ext4 {
        Ext4(Ext4Volume::mount(self.clone(), false, now).expect("a file system"))
    }

    fn range<T>(&self, offset: u64, len: usize, act: impl FnOnce(&mut [u8]) -> T) -> T {
        let start = usize::try_from(offset).expect("a small disk");
        act(&mut self.0.lock().expect("a disk")[start..start + len])
    }
}

fn now() -> Time {
    Time {
        seconds: 1_700_000_000,
        nanoseconds: 5,
        reserved: 0,
    }
}

impl Device for MemoryDisk {
    fn len(&self) -> u64 {
        self.0.lock().expect("a disk").len() as u64
    }

    fn read(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
    ) -> core::result::Result<(), libos_ext4::Errno> {
        self.range(offset, buffer.len(), |bytes| buffer.copy_from_slice(bytes));
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> core::result::Result<(), libos_ext4::Errno> {
        self.range(offset, bytes.len(), |memory| memory.copy_from_slice(bytes));
        Ok(())
    }

    fn flush(&mut self) -> core::result::Result<(), libos_ext4::Errno> {
        Ok(())
    }
}

/// The driver's crate, called directly.
pub struct Ext4(Ext4Volume<MemoryDisk>);

// SAFETY: its reference counts are all inside, so it moves as a whole, and a lock lets one in at a time.
unsafe impl Send for Ext4 {}

fn told<T>(result: core::result::Result<T, libos_ext4::Errno>) -> Result<T> {
    result.map_err(|error| Errno::from_host(u16::try_from(error.0).expect("a small number")))
}

fn found(attributes: Attributes) -> Found {
    Found {
        number: attributes.ino,
        attributes,
    }
}

impl Volume for Ext4 {
    fn root(&mut self) -> Result<Found> {
        let root = self.0.root();
        told(self.0.attributes(root)).map(found)
    }

    fn lookup(&mut self, parent: u64, name: &[u8]) -> Result<Found> {
        told(self.0.lookup(parent, name)).map(found)
    }

    fn attributes(&mut self, ino: u64) -> Result<Attributes> {
        told(self.0.attributes(ino))
    }

    fn change(&mut self, ino: u64, change: &AttributeChange) -> Result<()> {
        told(self.0.change(ino, change))
    }

    fn create(&mut self, parent: u64, name: &[u8], new: &NewFile<'_>) -> Result<Found> {
        let new = NewNode {
            mode: new.mode,
            uid: new.uid,
            gid: new.gid,
            rdev: new.rdev,
            target: new.target,
        };
        told(self.0.create(parent, name, &new)).map(found)
    }

    fn link(&mut self, ino: u64, parent: u64, name: &[u8]) -> Result<()> {
        told(self.0.link(ino, parent, name))
    }

    fn unlink(&mut self, parent: u64, name: &[u8]) -> Result<()> {
        told(self.0.unlink(parent, name))
    }

    fn rmdir(&mut self, parent: u64, name: &[u8]) -> Result<()> {
        told(self.0.rmdir(parent, name))
    }

    fn rename(&mut self, from: (u64, &[u8]), to: (u64, &[u8]), mode: RenameMode) -> Result<()> {
        let exchange = mode == RenameMode::Exchange;
        told(self.0.rename(from.0, from.1, to.0, to.1, exchange))
    }

    fn forget(&mut self, ino: u64) -> Result<()> {
        match told(self.0.attributes(ino))?.nlink {
            0 => told(self.0.forget(ino)),
            _ => Ok(()),
        }
    }

    fn list(&mut self, ino: u64, emit: &mut Listed<'_>) -> Result<()> {
        told(self.0.list(ino, emit))
    }

    fn read(&mut self, ino: u64, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        told(self.0.read(ino, offset, buffer))
    }

    fn write(&mut self, ino: u64, offset: u64, bytes: &[u8]) -> Result<()> {
        told(self.0.write(ino, offset, bytes))
    }

    fn truncate(&mut self, ino: u64, size: u64) -> Result<()> {
        told(self.0.truncate(ino, size))
    }

    fn allocate(&mut self, ino: u64, what: Allocate, offset: u64, len: u64) -> Result<()> {
        let what = match what {
            Allocate::Grow => allocate::GROW,
            Allocate::KeepSize => allocate::KEEP_SIZE,
            Allocate::PunchHole => allocate::PUNCH_HOLE,
            Allocate::ZeroRange => allocate::ZERO_RANGE,
            Allocate::ZeroRangeKeepSize => allocate::ZERO_RANGE_KEEP_SIZE,
            Allocate::CollapseRange => allocate::COLLAPSE_RANGE,
            Allocate::InsertRange => allocate::INSERT_RANGE,
        };
        told(self.0.allocate(ino, what, offset, len))
    }

    fn seek(&mut self, ino: u64, offset: u64, to: SeekTo) -> Result<u64> {
        told(self.0.seek(ino, offset, to == SeekTo::Hole))
    }

    fn get_xattr(&mut self, ino: u64, name: &[u8]) -> Result<Vec<u8>> {
        told(self.0.get_xattr(ino, name))
    }

    fn set_xattr(&mut self, ino: u64, name: &[u8], value: &[u8], mode: SetXattr) -> Result<()> {
        let mode = match mode {
            SetXattr::Any => XattrSetMode::Upsert,
            SetXattr::Create => XattrSetMode::Create,
            SetXattr::Replace => XattrSetMode::Replace,
        };
        told(self.0.set_xattr(ino, name, value, mode))
    }

    fn remove_xattr(&mut self, ino: u64, name: &[u8]) -> Result<()> {
        told(self.0.remove_xattr(ino, name))
    }

    fn list_xattrs(&mut self, ino: u64) -> Result<Vec<u8>> {
        told(self.0.list_xattrs(ino))
    }

    fn sync(&mut self) -> Result<()> {
        told(self.0.sync())
    }

    fn statistics(&mut self) -> Result<VolumeStatistics> {
        Ok(self.0.statistics())
    }

    fn unmount(&mut self) -> Result<()> {
        told(self.0.unmount())
    }
}
