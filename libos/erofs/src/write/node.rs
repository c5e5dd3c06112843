//! What a tree consists of.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;

/// An inode to be written.
pub struct Node {
    /// Type and permission bits, as `st_mode`; the type must fit the content.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// When it was last changed: seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
    /// Extended attributes: full name and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// What it is.
    pub content: Content,
}

/// What a node is.
pub enum Content {
    /// A directory with these names, each of a node by its index.
    Directory(BTreeMap<Vec<u8>, usize>),
    /// A regular file.
    File(File),
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// A device with these numbers, major and minor; a fifo or a socket (zero).
    Special(u32, u32),
}

/// A regular file.
pub struct File {
    /// Its length in bytes.
    pub len: u64,
    /// Where there are data, in order; elsewhere it reads as zeroes.
    pub data: Vec<Range<u64>>,
    /// Where they come from.
    pub source: Box<dyn Source>,
}

/// Where the bytes of a file come from.
pub trait Source {
    /// Writes exactly the bytes of `range` to `out`.
    ///
    /// # Errors
    /// They cannot be read, or `out` fails.
    fn copy(&self, range: Range<u64>, out: &mut dyn Write) -> io::Result<()>;
}

impl Source for Vec<u8> {
    fn copy(&self, range: Range<u64>, out: &mut dyn Write) -> io::Result<()> {
        let start = usize::try_from(range.start).unwrap_or(usize::MAX);
        let end = usize::try_from(range.end).unwrap_or(usize::MAX);
        let bytes = self.get(start..end);
        out.write_all(bytes.ok_or(io::ErrorKind::UnexpectedEof)?)
    }
}

impl File {
    /// A file with these bytes.
    pub fn of(bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        Self {
            len,
            data: Vec::from_iter((len != 0).then_some(0..len)),
            source: Box::new(bytes),
        }
    }

    pub(super) fn is_sparse(&self) -> bool {
        self.len != 0 && self.data.first() != Some(&(0..self.len))
    }

    pub(super) fn has_data(&self, range: &Range<u64>) -> bool {
        let data = self.data.iter();
        data.into_iter()
            .any(|known| known.start < range.end && range.start < known.end)
    }
}
