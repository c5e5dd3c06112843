//! Inodes, and where their data lie.

use crate::format::{
    CHUNK_BASED, CHUNK_INDEXES, DIRECTORY, FLAT_INLINE, FLAT_PLAIN, Fields, HOLE, LONG_INODE,
    SHORT_INODE, TYPE, XATTR_HEADER,
};
use crate::superblock::Image;
use crate::{Damaged, Result};

/// An inode.
#[derive(Clone, Copy, Debug)]
pub struct Inode<'a> {
    pub(crate) image: &'a Image<'a>,
    /// Its number, which tells it apart from all others of the image.
    pub nid: u64,
    /// Type and permission bits, as `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of names.
    pub links: u32,
    /// Length of its data in bytes.
    pub size: u64,
    /// When it was last changed: seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
    layout: u32,
    /// Block, device number or chunk format.
    word: u32,
    /// Where its extended attributes lie, in bytes.
    pub(crate) xattrs: u64,
    /// How long they are.
    pub(crate) xattrs_len: u64,
}

/// The bytes of a file.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// They lie in two pieces, of which each may be empty.
    Pieces(&'a [u8], &'a [u8]),
    /// They lie in chunks.
    Chunks(Chunks<'a>),
}

/// The chunks of a file, all of which were found to lie inside of the image.
#[derive(Clone, Copy, Debug)]
pub struct Chunks<'a> {
    image: &'a Image<'a>,
    table: &'a [u8],
    entry_len: usize,
    bits: u32,
    size: u64,
}

/// What lies at an offset of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// Zeroes for which nothing is stored, so many bytes.
    Hole(u64),
}

impl<'a> Inode<'a> {
    pub(crate) fn parse(image: &'a Image<'a>, nid: u64) -> Result<Self> {
        let offset = image.inode_offset(nid)?;
        let format = u32::from(image.part(offset, SHORT_INODE)?.u16(0));
        let long = format & 1 != 0;
        let len = if long { LONG_INODE } else { SHORT_INODE };
        let fields = image.part(offset, len)?;
        if format >> 4 != 0 {
            return Err(Damaged(
                "erofs: expected an inode's format, found unknown bits",
            ));
        }
        let xattrs_len = match u64::from(fields.u16(2)) {
            0 => 0,
            count => XATTR_HEADER + (count - 1) * 4,
        };
        let inode = Self {
            image,
            nid,
            mode: u32::from(fields.u16(4)),
            uid: u32::from(fields.u16(24)),
            gid: u32::from(fields.u16(26)),
            links: u32::from(fields.u16(6)),
            size: u64::from(fields.u32(8)),
            mtime: image.time(),
            layout: format >> 1,
            word: fields.u32(16),
            xattrs: offset + len,
            xattrs_len,
        };
        let inode = if long { inode.widened(fields) } else { inode };
        if i64::try_from(inode.size).is_err() {
            return Err(Damaged("erofs: expected a file below 8 EiB"));
        }
        Ok(inode)
    }

    /// With what the long form holds.
    fn widened(self, fields: &[u8]) -> Self {
        Self {
            uid: fields.u32(24),
            gid: fields.u32(28),
            links: fields.u32(44),
            size: fields.u64(8),
            mtime: (
                fields.u64(32).cast_signed(),
                fields.u32(40).min(999_999_999),
            ),
            ..self
        }
    }

    /// The image that it is in.
    pub fn image(&self) -> &'a Image<'a> {
        self.image
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & TYPE == DIRECTORY
    }

    /// Device number, of devices: major and minor.
    pub fn device(&self) -> (u32, u32) {
        let word = self.word;
        (word >> 8 & 0xfff, word & 0xff | word >> 12 & 0xf_ff00)
    }

    /// Its data.
    ///
    /// # Errors
    /// They lie outside of the image, or are compressed.
    pub fn data(&self) -> Result<Data<'a>> {
        match self.layout {
            FLAT_PLAIN if self.size == 0 => Ok(Data::Pieces(&[], &[])),
            FLAT_PLAIN => Ok(Data::Pieces(self.image.blocks(self.word, self.size)?, &[])),
            FLAT_INLINE => self.inline(),
            CHUNK_BASED => self.chunks().map(Data::Chunks),
            _ => Err(Damaged("erofs: expected a file that is not compressed")),
        }
    }

    fn inline(&self) -> Result<Data<'a>> {
        let tail = match self.size % self.image.block_len() {
            0 => self.size.min(self.image.block_len()),
            part => part,
        };
        let head = match self.size - tail {
            0 => &[],
            len => self.image.blocks(self.word, len)?,
        };
        let tail = self.image.part(self.xattrs + self.xattrs_len, tail)?;
        Ok(Data::Pieces(head, tail))
    }

    fn chunks(&self) -> Result<Chunks<'a>> {
        let wide = self.word & CHUNK_INDEXES != 0;
        if self.word & !(CHUNK_INDEXES | 0x1f) != 0 {
            return Err(Damaged(
                "erofs: expected a format of chunks, found unknown bits",
            ));
        }
        let entry_len: usize = if wide { 8 } else { 4 };
        let bits = self.image.block_bits() + (self.word & 0x1f);
        let count = self.size.div_ceil(1 << bits);
        let start = (self.xattrs + self.xattrs_len).next_multiple_of(entry_len as u64);
        let len = count.checked_mul(entry_len as u64);
        let len = len.ok_or(Damaged("erofs: expected a table of chunks, found too many"))?;
        let chunks = Chunks {
            image: self.image,
            table: self.image.part(start, len)?,
            entry_len,
            bits,
            size: self.size,
        };
        chunks.check()?;
        Ok(chunks)
    }
}

impl<'a> Chunks<'a> {
    /// Length of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What lies at `offset`, to the end of its chunk at most; no bytes at the end of the file.
    pub fn run(&self, offset: u64) -> Run<'a> {
        // All were checked; should one be wrong nevertheless, it reads as the end.
        self.try_run(offset).unwrap_or(Run::Bytes(&[]))
    }

    fn check(&self) -> Result<()> {
        let mut offset = 0;
        while offset < self.size {
            offset += match self.try_run(offset)? {
                Run::Bytes(bytes) => bytes.len() as u64,
                Run::Hole(len) => len,
            };
        }
        Ok(())
    }

    fn try_run(&self, offset: u64) -> Result<Run<'a>> {
        if offset >= self.size {
            return Ok(Run::Bytes(&[]));
        }
        let len = 1 << self.bits;
        let inside = offset & (len - 1);
        let left = (len - inside).min(self.size - offset);
        let block = self.block(offset >> self.bits)?;
        if block == HOLE {
            return Ok(Run::Hole(left));
        }
        let start = (u64::from(block) << self.image.block_bits()) + inside;
        self.image.part(start, left).map(Run::Bytes)
    }

    fn block(&self, number: u64) -> Result<u32> {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let entry = self.table.chunks_exact(self.entry_len).nth(at);
        let entry = entry.ok_or(Damaged("erofs: expected a chunk's address"))?;
        if entry.len() == 4 {
            return Ok(entry.u32(0));
        }
        if entry.u32(4) != HOLE && entry.u16(2) != 0 {
            return Err(Damaged("erofs: expected a chunk of the image itself"));
        }
        Ok(entry.u32(4))
    }
}
