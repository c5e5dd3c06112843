//! The superblock, and with it the image.

use crate::format::{
    Fields, INCOMPAT_CHUNKS, INCOMPAT_PADDING, MAGIC, SLOT_BITS, SUPER_LEN, SUPER_OFFSET, part,
};
use crate::inode::Inode;
use crate::{Damaged, Result};

/// An image in memory.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    bytes: &'a [u8],
    block_bits: u32,
    /// Where inode number 0 would lie, in bytes.
    inodes: u64,
    /// Where shared extended attributes lie, in bytes.
    shared_xattrs: u64,
    root: u64,
    /// Time of inodes that have none: seconds and nanoseconds.
    time: (i64, u32),
}

impl<'a> Image<'a> {
    /// The image in `bytes`. Only the superblock is looked at.
    ///
    /// # Errors
    /// There is none, or it needs features that are not understood.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let fields = part(bytes, SUPER_OFFSET, SUPER_LEN)
            .map_err(|_| Damaged("erofs: expected a superblock, found the end of the image"))?;
        if fields.u32(0) != MAGIC {
            return Err(Damaged("erofs: expected the magic of a superblock"));
        }
        let block_bits = u32::from(fields[12]);
        if !(9..=16).contains(&block_bits) {
            return Err(Damaged("erofs: expected blocks of 512 bytes to 64 KiB"));
        }
        if fields.u32(80) & !(INCOMPAT_PADDING | INCOMPAT_CHUNKS) != 0 {
            return Err(Damaged(
                "erofs: expected no compression, fragments and further devices",
            ));
        }
        if fields.u16(84) != 0 {
            return Err(Damaged("erofs: expected no compression, found LZ4"));
        }
        if fields[90] != 0 {
            return Err(Damaged("erofs: expected directory blocks as other blocks"));
        }
        Ok(Self {
            bytes,
            block_bits,
            inodes: u64::from(fields.u32(40)) << block_bits,
            shared_xattrs: u64::from(fields.u32(44)) << block_bits,
            root: u64::from(fields.u16(14)),
            time: (fields.u64(24).cast_signed(), fields.u32(32)),
        })
    }

    /// The root directory.
    ///
    /// # Errors
    /// As [`Image::inode`]; it is not a directory.
    pub fn root(&'a self) -> Result<Inode<'a>> {
        let root = self.inode(self.root)?;
        if !root.is_directory() {
            return Err(Damaged("erofs: expected a directory as the root"));
        }
        Ok(root)
    }

    /// The inode of number `nid`.
    ///
    /// # Errors
    /// It lies outside of the image, or is malformed.
    pub fn inode(&'a self, nid: u64) -> Result<Inode<'a>> {
        Inode::parse(self, nid)
    }

    /// No inode's number is as great.
    pub fn end_of_numbers(&self) -> u64 {
        self.bytes.len() as u64 >> SLOT_BITS
    }

    /// Length of a block in bytes.
    pub(crate) fn block_len(&self) -> u64 {
        1 << self.block_bits
    }

    pub(crate) fn block_bits(&self) -> u32 {
        self.block_bits
    }

    pub(crate) fn time(&self) -> (i64, u32) {
        self.time
    }

    /// Where the inode of number `nid` lies, in bytes.
    pub(crate) fn inode_offset(&self, nid: u64) -> Result<u64> {
        let offset = nid.checked_mul(1 << SLOT_BITS);
        let offset = offset.and_then(|offset| offset.checked_add(self.inodes));
        offset.ok_or(Damaged(
            "erofs: expected an inode's number, found too great a one",
        ))
    }

    pub(crate) fn part(&self, start: u64, len: u64) -> Result<&'a [u8]> {
        part(self.bytes, start, len)
    }

    /// `len` bytes from the block of number `block` on.
    pub(crate) fn blocks(&self, block: u32, len: u64) -> Result<&'a [u8]> {
        self.part(u64::from(block) << self.block_bits, len)
    }

    /// All from the shared extended attribute `id` on.
    pub(crate) fn shared_xattr(&self, id: u32) -> Result<&'a [u8]> {
        let start = self.shared_xattrs + u64::from(id) * 4;
        let len = (self.bytes.len() as u64).saturating_sub(start);
        self.part(start, len)
    }
}
