//! Times of inodes in nanoseconds, which the crate writes but does not show.
//!
//! They stand in the inode on the disk (ext4's documentation, "Inode Timestamps"). The crate's journal may
//! hold a newer inode than its place on the disk: where the seconds differ, only those are certain.

use libos_abi::driver::Time;
use rsext4::InodeInfo;

use crate::device::Device;
use crate::error::{Errno, Result};

/// Where the superblock lies, in bytes.
const SUPERBLOCK: u64 = 1024;

/// `EXT4_FEATURE_INCOMPAT_64BIT`: group descriptors have the size that the superblock says.
const FEATURE_64BIT: u32 = 0x80;

/// As much of an inode as has times, in bytes.
const INODE_BYTES: usize = 0x98;

/// Where inodes lie.
#[derive(Clone, Copy)]
pub struct Geometry {
    block_size: u64,
    inodes_per_group: u64,
    inode_size: u64,
    descriptor_size: u64,
    descriptors: u64,
}

/// Access, modification, change, creation.
#[derive(Clone, Copy, Default)]
pub struct Times {
    /// Last read.
    pub atime: Time,
    /// Last change of the content.
    pub mtime: Time,
    /// Last change of content or metadata.
    pub ctime: Time,
    /// Creation.
    pub btime: Time,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let field = bytes
        .get(at..at + 2)
        .and_then(|field| field.try_into().ok());
    field.map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes
        .get(at..at + 4)
        .and_then(|field| field.try_into().ok());
    field.map_or(0, u32::from_le_bytes)
}

impl Geometry {
    /// From the superblock.
    ///
    /// # Errors
    /// EIO; EUCLEAN if it makes no sense.
    pub fn read(device: &mut impl Device) -> Result<Self> {
        let mut bytes = [0; 256];
        device.read(SUPERBLOCK, &mut bytes)?;
        let shift = u32_at(&bytes, 0x18);
        let block_size = 1024_u64.checked_shl(shift).filter(|_| shift <= 6);
        let block_size = block_size.ok_or(Errno::EUCLEAN)?;
        let descriptor_size = match u32_at(&bytes, 0x60) & FEATURE_64BIT {
            0 => 32,
            _ => u16_at(&bytes, 0xfe).into(),
        };
        let geometry = Self {
            block_size,
            inodes_per_group: u32_at(&bytes, 0x28).into(),
            inode_size: match u32_at(&bytes, 0x4c) {
                0 => 128,
                _ => u16_at(&bytes, 0x58).into(),
            },
            descriptor_size,
            descriptors: (u64::from(u32_at(&bytes, 0x14)) + 1) * block_size,
        };
        match geometry.inodes_per_group {
            0 => Err(Errno::EUCLEAN),
            _ => Ok(geometry),
        }
    }

    /// The times of an inode, as exact as they can be told.
    pub fn times(&self, device: &mut impl Device, info: &InodeInfo) -> Times {
        let mut raw = [0; INODE_BYTES];
        let found = self.inode(device, info.number.raw(), &mut raw);
        let extra_end = match found {
            Ok(()) if self.inode_size > 128 => 0x80 + usize::from(u16_at(&raw, 0x80)),
            _ => 0,
        };
        let time = |seconds: u32, at: usize, extra_at: usize| {
            let known = extra_end >= extra_at + 4 && u32_at(&raw, at) == seconds;
            let extra = if known { u32_at(&raw, extra_at) } else { 0 };
            decode(seconds, extra)
        };
        Times {
            atime: time(info.atime, 0x08, 0x8c),
            mtime: time(info.mtime, 0x10, 0x88),
            ctime: time(info.ctime, 0x0c, 0x84),
            btime: time(info.btime, 0x90, 0x94),
        }
    }

    fn inode(&self, device: &mut impl Device, number: u32, raw: &mut [u8]) -> Result<()> {
        let index = u64::from(number).checked_sub(1).ok_or(Errno::EUCLEAN)?;
        let (group, index) = (index / self.inodes_per_group, index % self.inodes_per_group);
        let mut descriptor = [0; 64];
        let len = usize::try_from(self.descriptor_size.min(64)).unwrap_or(32);
        let at = self.descriptors + group * self.descriptor_size;
        device.read(at, &mut descriptor[..len])?;
        let high = if len >= 0x2c {
            u32_at(&descriptor, 0x28)
        } else {
            0
        };
        let table = u64::from(high) << 32 | u64::from(u32_at(&descriptor, 8));
        let place = table
            .checked_mul(self.block_size)
            .and_then(|table| table.checked_add(index * self.inode_size))
            .ok_or(Errno::EUCLEAN)?;
        let len = usize::try_from(self.inode_size).map_or(raw.len(), |size| size.min(raw.len()));
        device.read(place, &mut raw[..len])
    }
}

/// Seconds since 1970 are signed; the low two bits of the extra word continue them, the others count
/// nanoseconds.
fn decode(seconds: u32, extra: u32) -> Time {
    let epoch = i64::from(extra & 3) << 32;
    Time {
        seconds: i64::from(seconds.cast_signed()) + epoch,
        nanoseconds: (extra >> 2).min(999_999_999),
        reserved: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_and_after_2038_are_understood() {
        let seconds = |seconds, extra| decode(seconds, extra).seconds;
        assert_eq!(seconds(0xffff_ffff, 0), -1);
        assert_eq!(seconds(0x7fff_ffff, 0), 0x7fff_ffff);
        assert_eq!(seconds(0x8000_0000, 1), 0x8000_0000);
        assert_eq!(decode(5, 7 << 2).nanoseconds, 7);
    }
}
