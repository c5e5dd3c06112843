//! Reading directories: getdents(2), getdents64(2).

use alloc::vec::Vec;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::caller;
use crate::fs::file::{OpenFile, OpenFlags};
use crate::fs::inode::{DirEntry, FileType, cookie};
use crate::fs::vfs::Path;
use crate::task::with_current;
use crate::user::UserPtr;

/// How an entry is laid out for getdents(2) or getdents64(2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Old,
    New,
}

/// See getdents(2).
pub fn getdents(fd: i32, buffer: UserPtr<u8>, size: usize) -> SysResult {
    list(fd, buffer, size, Layout::Old)
}

/// See getdents64(2).
pub fn getdents64(fd: i32, buffer: UserPtr<u8>, size: usize) -> SysResult {
    list(fd, buffer, size, Layout::New)
}

/// The most that one call lists, in bytes.
const LIST_MAX: usize = 1 << 20;

fn list(fd: i32, buffer: UserPtr<u8>, size: usize, layout: Layout) -> SysResult {
    let file = with_current(|thread| thread.process().files.get(fd))?;
    if file.flags().contains(OpenFlags::PATH) {
        return Err(Errno::EBADF);
    }
    let size = size.min(u32::MAX as usize).min(LIST_MAX);
    let mut listing = Listing {
        bytes: Vec::new(),
        size,
        layout,
        refused: false,
    };
    let from = *file.offset().lock();
    let next = listing.fill(&file, from)?;
    if listing.bytes.is_empty() && listing.refused {
        return Err(Errno::EINVAL.because("the buffer is too small for one entry"));
    }
    buffer.write_slice(&listing.bytes)?;
    *file.offset().lock() = next;
    Ok(listing.bytes.len())
}

struct Listing {
    bytes: Vec<u8>,
    size: usize,
    layout: Layout,
    /// Whether an entry did not fit.
    refused: bool,
}

impl Listing {
    /// Takes entries from position `from` on; returns the position behind the last taken.
    fn fill(&mut self, file: &OpenFile, from: u64) -> Result<u64> {
        let directory = file.path().filter(|path| path.inode().is_directory());
        let directory = directory.ok_or(Errno::ENOTDIR)?;
        let mut next = from;
        let dots: [(&[u8], Path, u64); 2] = [
            (b".", directory.clone(), cookie::DOT),
            (b"..", self.above(directory), cookie::DOT_DOT),
        ];
        for (name, place, behind) in dots {
            if from >= behind {
                continue;
            }
            let entry = DirEntry {
                name,
                ino: place.inode().metadata().ino,
                file_type: FileType::Directory,
                next: behind,
            };
            if !self.push(entry) {
                return Ok(next);
            }
            next = behind;
        }
        let io = crate::fs::file::Io {
            offset: next,
            flags: file.flags(),
        };
        file.file().read_dir(io, &mut |entry| {
            let taken = self.push(entry);
            if taken {
                next = entry.next;
            }
            taken
        })?;
        Ok(next)
    }

    fn above(&self, directory: &Path) -> Path {
        match directory.is(&caller::root()) {
            true => directory.clone(),
            false => directory.above(),
        }
    }

    fn push(&mut self, entry: DirEntry<'_>) -> bool {
        const HEAD: usize = 18;
        // The old layout has the type behind the name's NUL, the new one before the name.
        let len = match self.layout {
            Layout::New => HEAD + 1 + entry.name.len() + 1,
            Layout::Old => HEAD + entry.name.len() + 2,
        };
        let padded = len.next_multiple_of(8);
        if self.bytes.len() + padded > self.size {
            self.refused = true;
            return false;
        }
        let end = self.bytes.len() + padded;
        let record_len = u16::try_from(padded).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&entry.ino.to_le_bytes());
        self.bytes.extend_from_slice(&entry.next.to_le_bytes());
        self.bytes.extend_from_slice(&record_len.to_le_bytes());
        if self.layout == Layout::New {
            self.bytes.push(entry.file_type.dirent_type());
        }
        self.bytes.extend_from_slice(entry.name);
        self.bytes.resize(end, 0);
        if self.layout == Layout::Old
            && let Some(last) = self.bytes.last_mut()
        {
            *last = entry.file_type.dirent_type();
        }
        true
    }
}
