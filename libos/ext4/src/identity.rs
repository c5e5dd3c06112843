//! The name and the UUID of a file system that was just made, which the crate cannot choose: all of its file
//! systems would have the same UUID, and no name.
//!
//! Checksums of metadata begin with the UUID. `EXT4_FEATURE_INCOMPAT_CSUM_SEED` lets them keep that beginning
//! while the UUID changes (ext4's documentation, "Checksums"); mkfs.ext4 sets it too.

use alloc::vec::Vec;

use crate::device::Device;
use crate::error::{Errno, Result};

/// Where the first superblock lies, in bytes.
const SUPERBLOCK: u64 = 1024;

/// Length of a superblock, in bytes; its checksum is the last field.
const LEN: usize = 1024;

/// `EXT4_FEATURE_INCOMPAT_CSUM_SEED`.
const FEATURE_CHECKSUM_SEED: u32 = 0x2000;

/// `EXT4_FEATURE_RO_COMPAT_LARGE_FILE`: files may be longer than 2 GiB. The crate makes such files and does not set
/// it, which e2fsck calls an error.
const FEATURE_LARGE_FILE: u32 = 2;

/// Places in the superblock.
mod field {
    pub const BLOCKS: usize = 0x04;
    pub const BLOCK_SIZE: usize = 0x18;
    pub const BLOCKS_PER_GROUP: usize = 0x20;
    pub const MAGIC: usize = 0x38;
    pub const INCOMPATIBLE: usize = 0x60;
    pub const READ_ONLY_COMPATIBLE: usize = 0x64;
    pub const UUID: usize = 0x68;
    pub const LABEL: usize = 0x78;
    pub const HASH_SEED: usize = 0xec;
    pub const BLOCKS_HIGH: usize = 0x150;
    pub const CHECKSUM_SEED: usize = 0x270;
    pub const CHECKSUM: usize = 0x3fc;
}

/// Longest name, in bytes.
pub const LABEL_MAX: usize = 16;

/// What tells a file system from others.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its UUID.
    pub uuid: [u8; 16],
    /// Its name (`LABEL=` of mount(8)), of at most [`LABEL_MAX`] bytes.
    pub label: Vec<u8>,
}

impl Identity {
    /// Writes name and UUID into all superblocks of a file system that is not mounted and has no files yet:
    /// the hashes of names in directories depend on the UUID from then on, too.
    ///
    /// # Errors
    /// EINVAL for a name that is too long, EUCLEAN for what is no file system of this crate; EIO.
    pub fn write(&self, device: &mut impl Device) -> Result<()> {
        if self.label.len() > LABEL_MAX {
            return Err(Errno::EINVAL);
        }
        let mut first = [0; LEN];
        device.read(SUPERBLOCK, &mut first)?;
        let word = |at: usize| u64::from(u32_at(&first, at));
        let shift = u32_at(&first, field::BLOCK_SIZE);
        let block = 1024_u64.checked_shl(shift).filter(|_| shift <= 6);
        let group = word(field::BLOCKS_PER_GROUP);
        if first[field::MAGIC..field::MAGIC + 2] != [0x53, 0xef] || group == 0 {
            return Err(Errno::EUCLEAN);
        }
        let block = block.ok_or(Errno::EUCLEAN)?;
        let blocks = word(field::BLOCKS_HIGH) << 32 | word(field::BLOCKS);
        if blocks > device.len() / block {
            return Err(Errno::EUCLEAN);
        }
        self.replace(&mut first);
        device.write(SUPERBLOCK, &first)?;
        for number in (1..blocks.div_ceil(group)).filter(|&number| has_backup(number)) {
            let place = number * group * block;
            let mut backup = [0; LEN];
            device.read(place, &mut backup)?;
            self.replace(&mut backup);
            device.write(place, &backup)?;
        }
        Ok(())
    }

    fn replace(&self, superblock: &mut [u8; LEN]) {
        let seed = crc32c(&superblock[field::UUID..field::UUID + 16]);
        let features = u32_at(superblock, field::INCOMPATIBLE) | FEATURE_CHECKSUM_SEED;
        let large = u32_at(superblock, field::READ_ONLY_COMPATIBLE) | FEATURE_LARGE_FILE;
        let mut put =
            |at: usize, bytes: &[u8]| superblock[at..at + bytes.len()].copy_from_slice(bytes);
        put(field::CHECKSUM_SEED, &seed.to_le_bytes());
        put(field::INCOMPATIBLE, &features.to_le_bytes());
        put(field::READ_ONLY_COMPATIBLE, &large.to_le_bytes());
        put(field::UUID, &self.uuid);
        put(field::HASH_SEED, &self.uuid);
        put(field::LABEL, &[0; LABEL_MAX]);
        put(field::LABEL, &self.label);
        let checksum = crc32c(&superblock[..field::CHECKSUM]);
        superblock[field::CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Whether a group has a copy of the superblock: 1, and the powers of 3, 5 and 7 (`sparse_super`).
fn has_backup(group: u64) -> bool {
    let power_of = |base: u64| {
        let mut power = 1;
        while power < group {
            power *= base;
        }
        power == group
    };
    power_of(3) || power_of(5) || power_of(7)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes
        .get(at..at + 4)
        .and_then(|field| field.try_into().ok());
    field.map_or(0, u32::from_le_bytes)
}

/// CRC-32C as ext4 has it: without the last inversion.
fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ ((crc & 1) * 0x82f6_3b78)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_castagnoli() {
        assert_eq!(!crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn backups_lie_in_few_groups() {
        let groups: Vec<u64> = (1..130).filter(|&group| has_backup(group)).collect();
        assert_eq!(groups, [1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }
}
