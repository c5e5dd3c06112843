//! An inode's own bytes: fields and extended attributes.

use crate::format::{FLAT_INLINE, LONG_INODE, XATTR_HEADER, XATTR_PREFIXES};
use std::io;

/// What an inode's fields hold beyond what its node says.
pub struct Fields {
    /// How its data lie.
    pub layout: u32,
    /// Length of its data in bytes.
    pub size: u64,
    /// Block, device number or chunk format.
    pub word: u32,
    /// A number for the old `st_ino`.
    pub ordinal: u32,
    /// Number of names.
    pub links: u32,
}

impl Fields {
    /// The inode in its long form, without extended attributes.
    pub fn bytes(&self, node: &super::Node, xattrs_len: u64) -> Vec<u8> {
        let xattr_count = match xattrs_len {
            0 => 0,
            len => (len - XATTR_HEADER) / 4 + 1,
        };
        let mut bytes = Vec::new();
        bytes.extend(short(u64::from(self.layout << 1 | 1)));
        bytes.extend(short(xattr_count));
        bytes.extend(short(u64::from(node.mode)));
        bytes.extend([0; 2]);
        bytes.extend(self.size.to_le_bytes());
        for word in [self.word, self.ordinal, node.uid, node.gid] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(node.mtime.0.to_le_bytes());
        bytes.extend(node.mtime.1.to_le_bytes());
        bytes.extend(self.links.to_le_bytes());
        bytes.extend([0; 16]);
        debug_assert_eq!(bytes.len() as u64, LONG_INODE);
        bytes
    }

    /// Whether the data follow the inode.
    pub fn is_inline(&self) -> bool {
        self.layout == FLAT_INLINE
    }
}

/// A number of which all values were checked to fit.
fn short(value: u64) -> [u8; 2] {
    u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes()
}

/// Most bytes of extended attributes that an inode can count.
const MOST_XATTRS: usize = 12 + (u16::MAX as usize - 1) * 4;

/// The extended attributes as they follow the inode; nothing if there are none.
///
/// # Errors
/// One has a name that the format cannot hold, or they are too long.
pub fn xattrs(node: &super::Node) -> io::Result<Vec<u8>> {
    let mut sorted: Vec<_> = node.xattrs.iter().collect();
    sorted.sort();
    let mut bytes = vec![0; if sorted.is_empty() { 0 } else { 12 }];
    for (name, value) in sorted {
        let shown = || String::from_utf8_lossy(name);
        let refused = |why: &str| {
            let message = format!("the extended attribute {}: {why}", shown());
            io::Error::new(io::ErrorKind::InvalidInput, message)
        };
        let prefix = XATTR_PREFIXES
            .iter()
            .find(|(_, prefix)| name.starts_with(prefix));
        let (index, prefix) = prefix.ok_or_else(|| {
            refused("expected user., trusted., security. or an access list (system.posix_acl_…)")
        })?;
        let rest = &name[prefix.len()..];
        let name_len = u8::try_from(rest.len()).map_err(|_| refused("expected a shorter name"))?;
        let value_len =
            u16::try_from(value.len()).map_err(|_| refused("expected a value below 64 KiB"))?;
        bytes.extend([name_len, *index]);
        bytes.extend(value_len.to_le_bytes());
        bytes.extend(rest);
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        if bytes.len() > MOST_XATTRS {
            return Err(refused("expected fewer than 256 KiB of them"));
        }
    }
    Ok(bytes)
}
