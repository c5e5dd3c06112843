//! Directories: blocks of entries, all sorted by name.

use core::cmp::Ordering;

use crate::format::{DIRENT, Fields};
use crate::inode::{Data, Inode};
use crate::{Damaged, Result};

/// A name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The inode's number.
    pub nid: u64,
}

/// The entries of one block.
struct Block<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Inode<'a> {
    /// The inode behind `name` in this directory, if there is one.
    ///
    /// # Errors
    /// The directory is malformed where it was looked at.
    pub fn lookup(&self, name: &[u8]) -> Result<Option<u64>> {
        let (mut low, mut high) = (0, self.block_count());
        while low < high {
            let middle = low + (high - low) / 2;
            let block = self.block(middle)?;
            match block.search(name)? {
                Found::At(entry) => return Ok(Some(entry.nid)),
                Found::Absent => return Ok(None),
                Found::Before => high = middle,
                Found::Behind => low = middle + 1,
            }
        }
        Ok(None)
    }

    /// Calls `visit` for each entry but `.` and `..`, by name.
    ///
    /// # Errors
    /// The directory is malformed, or `visit` failed.
    pub fn for_each<E: From<Damaged>>(
        &self,
        visit: &mut dyn FnMut(Entry<'a>) -> core::result::Result<(), E>,
    ) -> core::result::Result<(), E> {
        for number in 0..self.block_count() {
            let block = self.block(number)?;
            for at in 0..block.count {
                let entry = block.entry(at)?;
                if !matches!(entry.name, b"." | b"..") {
                    visit(entry)?;
                }
            }
        }
        Ok(())
    }

    /// How many entries it has, without `.` and `..`; only the first of each block is looked at.
    ///
    /// # Errors
    /// The directory is malformed where it was looked at.
    pub fn entry_count(&self) -> Result<u64> {
        let mut count: u64 = 0;
        for number in 0..self.block_count() {
            count += self.block(number)?.count as u64;
        }
        Ok(count.saturating_sub(2))
    }

    fn block_count(&self) -> u64 {
        self.size.div_ceil(self.image.block_len())
    }

    fn block(&self, number: u64) -> Result<Block<'a>> {
        let start = number * self.image.block_len();
        let len = self.image.block_len().min(self.size - start);
        let len = usize::try_from(len).unwrap_or(0);
        let run = match self.data()? {
            Data::Pieces(head, tail) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                // A block lies in one piece.
                match start.checked_sub(head.len()) {
                    Some(behind) => tail.get(behind..),
                    None => head.get(start..),
                }
            }
            // No writer makes these.
            Data::Chunks(_) => None,
        };
        let bytes = run.and_then(|run| run.get(..len));
        Block::new(bytes.ok_or(Damaged("erofs: expected a block of a directory"))?)
    }
}

/// Where a name is, as one block says.
enum Found<'a> {
    At(Entry<'a>),
    Absent,
    Before,
    Behind,
}

impl<'a> Block<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self> {
        let names = usize::from(bytes.u16(8));
        if names < DIRENT || names > bytes.len() || !names.is_multiple_of(DIRENT) {
            return Err(Damaged(
                "erofs: expected names behind a directory's entries",
            ));
        }
        Ok(Self {
            bytes,
            count: names / DIRENT,
        })
    }

    fn entry(&self, at: usize) -> Result<Entry<'a>> {
        let fields = &self.bytes[at * DIRENT..(at + 1) * DIRENT];
        let start = usize::from(fields.u16(8));
        let end = match at + 1 < self.count {
            true => usize::from(self.bytes.u16((at + 1) * DIRENT + 8)),
            false => self.bytes.len(),
        };
        let name = self.bytes.get(start..end).unwrap_or(&[]);
        // The last name of a block may be followed by zeroes.
        let len = name
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(name.len());
        let name = &name[..len];
        if name.is_empty() || name.len() > 255 || name.contains(&b'/') {
            return Err(Damaged("erofs: expected a name that a file can have"));
        }
        Ok(Entry {
            name,
            nid: fields.u64(0),
        })
    }

    fn search(&self, name: &[u8]) -> Result<Found<'a>> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = self.entry(middle)?;
            match name.cmp(entry.name) {
                Ordering::Equal => return Ok(Found::At(entry)),
                Ordering::Less => high = middle,
                Ordering::Greater => low = middle + 1,
            }
        }
        Ok(match low {
            0 => Found::Before,
            low if low == self.count => Found::Behind,
            _ => Found::Absent,
        })
    }
}
