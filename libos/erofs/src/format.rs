//! Numbers of the format that reader and writer share.
#![cfg_attr(
    not(feature = "write"),
    expect(dead_code, reason = "some only the writer uses")
)]

use crate::{Damaged, Result};

/// Where the superblock lies, in bytes.
pub const SUPER_OFFSET: u64 = 1024;
/// Its length.
pub const SUPER_LEN: u64 = 128;
/// Its first four bytes.
pub const MAGIC: u32 = 0xe0f5_e1e2;
/// Inodes begin at multiples of this; their number counts these.
pub const SLOT_BITS: u32 = 5;
/// Length of an inode in the long form.
pub const LONG_INODE: u64 = 64;
/// Length of an inode in the short form.
pub const SHORT_INODE: u64 = 32;
/// Length of what precedes the extended attributes of an inode.
pub const XATTR_HEADER: u64 = 12;
/// Length of a directory entry without its name.
pub const DIRENT: usize = 12;
/// Compatible feature: the superblock has a checksum.
pub const COMPAT_CHECKSUM: u32 = 1;
/// Compatible feature: inodes have times.
pub const COMPAT_MTIME: u32 = 2;
/// Incompatible feature: how compressed data are padded; without them, nothing.
pub const INCOMPAT_PADDING: u32 = 1;
/// Incompatible feature: files in chunks.
pub const INCOMPAT_CHUNKS: u32 = 4;
/// Layouts of data.
pub const FLAT_PLAIN: u32 = 0;
/// All blocks but the last lie together; the last lies behind the inode.
pub const FLAT_INLINE: u32 = 2;
/// Addresses of chunks lie behind the inode.
pub const CHUNK_BASED: u32 = 4;
/// In a chunk format: addresses are of eight bytes, with a device.
pub const CHUNK_INDEXES: u32 = 0x20;
/// The address of a hole.
pub const HOLE: u32 = u32::MAX;
/// `S_IFMT`.
pub const TYPE: u32 = 0o170_000;
/// `S_IFDIR`.
pub const DIRECTORY: u32 = 0o040_000;

/// Prefixes of names of extended attributes, by number.
pub const XATTR_PREFIXES: [(u8, &[u8]); 5] = [
    (1, b"user."),
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (4, b"trusted."),
    (6, b"security."),
];

/// Bytes `start .. start + len`.
pub fn part(bytes: &[u8], start: u64, len: u64) -> Result<&[u8]> {
    let outside = Damaged("erofs: expected an address inside of the image");
    let start = usize::try_from(start).map_err(|_| outside)?;
    let len = usize::try_from(len).map_err(|_| outside)?;
    let end = start.checked_add(len).ok_or(outside)?;
    bytes.get(start..end).ok_or(outside)
}

/// Numbers in a record; zero where it is too short, which callers exclude by its length.
pub trait Fields {
    /// Two bytes at `at`.
    fn u16(&self, at: usize) -> u16;
    /// Four bytes at `at`.
    fn u32(&self, at: usize) -> u32;
    /// Eight bytes at `at`.
    fn u64(&self, at: usize) -> u64;
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.copied().unwrap_or([0; N])
}

impl Fields for [u8] {
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(array(self, at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(array(self, at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(array(self, at))
    }
}
