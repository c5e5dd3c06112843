//! The superblock.

use super::BLOCK_BITS;
use crate::format::{COMPAT_CHECKSUM, COMPAT_MTIME, INCOMPAT_CHUNKS, MAGIC};

const OFFSET: usize = 1024;
const LEN: usize = 128;

/// What the superblock says.
pub struct Superblock {
    /// The root's inode number.
    pub root: u16,
    /// Number of inodes.
    pub inodes: u64,
    /// Length of the image in blocks.
    pub blocks: u32,
    /// Whether there are files in chunks.
    pub chunks: bool,
}

impl Superblock {
    /// Writes it into the first block, whose other bytes are final.
    pub fn write(&self, first_block: &mut [u8]) {
        let mut fields = [0; LEN];
        let mut put = |at: usize, bytes: &[u8]| fields[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC.to_le_bytes());
        put(8, &(COMPAT_CHECKSUM | COMPAT_MTIME).to_le_bytes());
        put(12, &BLOCK_BITS.to_le_bytes()[..1]);
        put(14, &self.root.to_le_bytes());
        put(16, &self.inodes.to_le_bytes());
        put(36, &self.blocks.to_le_bytes());
        put(
            80,
            &(u32::from(self.chunks) * INCOMPAT_CHUNKS).to_le_bytes(),
        );
        let block = &mut first_block[OFFSET..];
        block[..fields.len()].copy_from_slice(&fields);
        let checksum = crc32c(block);
        block[4..8].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// CRC-32C as the kernel computes it here: begun with ones, not inverted at the end.
fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ ((crc & 1) * 0x82f6_3b78)
        })
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_crc_32c() {
        // The check value of the catalogue of parametrised CRC algorithms.
        assert_eq!(super::crc32c(b"123456789") ^ u32::MAX, 0xe306_9283);
    }
}
