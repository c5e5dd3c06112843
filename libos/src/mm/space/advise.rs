//! madvise: what changes memory's contents.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::mm::extent::Extent;
use crate::mm::space::AddressSpace;
use crate::mm::vma::{Backing, FileMapping, Vma, VmaFlags};
use crate::mm::zero;

/// Part of a private file mapping whose contents must be read from the file again.
pub struct Reread {
    /// Where.
    pub extent: Extent,
    /// From which file.
    pub file: Arc<FileMapping>,
    /// From which offset, in bytes.
    pub offset: u64,
}

impl AddressSpace {
    /// MADV_DONTNEED: private memory reads as zero or as the file again. Shared memory keeps its
    /// contents, and so does the application's own image, whose file differs from it.
    ///
    /// # Errors
    /// EINVAL for locked memory; ENOMEM for a gap, after everything else was done.
    pub fn discard(&mut self, extent: Extent) -> Result<Vec<Reread>> {
        let mut reread = Vec::new();
        self.for_each_mapped(extent, |part, offset, vma| {
            if vma.flags.contains(VmaFlags::LOCKED) {
                return Err(Errno::EINVAL);
            }
            if vma.flags.contains(VmaFlags::SHARED) {
                return Ok(());
            }
            match &vma.backing {
                Backing::Image(_) => {}
                Backing::File(file, _) => reread.push(Reread {
                    extent: part,
                    file: Arc::clone(file),
                    offset,
                }),
                // SAFETY: mapped, writable memory of the application.
                _ => unsafe {
                    zero::clear(self.without_guard(part));
                },
            }
            Ok(())
        })?;
        Ok(reread)
    }

    /// MADV_REMOVE: shared memory reads as zero.
    ///
    /// # Errors
    /// EINVAL for private or locked memory; EACCES for memory that may not be written; ENOMEM for a
    /// gap.
    pub fn punch(&mut self, extent: Extent) -> Result<()> {
        self.for_each_mapped(extent, |part, _, vma| {
            if !vma.flags.contains(VmaFlags::SHARED) || vma.flags.contains(VmaFlags::LOCKED) {
                return Err(Errno::EINVAL);
            }
            if vma.flags.contains(VmaFlags::NO_WRITE) {
                return Err(Errno::EACCES);
            }
            // SAFETY: mapped memory of the application, or its file's pages.
            unsafe { zero::clear(part) };
            Ok(())
        })
    }

    /// Whether all of `extent` is mapped by what `accept` likes.
    ///
    /// # Errors
    /// ENOMEM for a gap, `error` for what is not liked.
    pub fn require(
        &self,
        extent: Extent,
        error: Errno,
        accept: impl Fn(&Vma) -> bool,
    ) -> Result<()> {
        if !self.vmas().is_mapped(extent) {
            return Err(Errno::ENOMEM);
        }
        match self.vmas().covered_until(extent, accept) == extent.end {
            true => Ok(()),
            false => Err(error),
        }
    }

    /// Calls `visit` with each mapped part of `extent`, the file offset of its start, and its
    /// mapping. ENOMEM at the end if there was a gap.
    fn for_each_mapped(
        &self,
        extent: Extent,
        mut visit: impl FnMut(Extent, u64, &Vma) -> Result<()>,
    ) -> Result<()> {
        let mut at = extent.start;
        let mut gap = false;
        for (found, vma) in self.vmas().overlapping(extent) {
            let part = found.intersection(extent);
            gap |= part.start > at;
            let offset = vma.backing.offset() + (part.start - found.start) as u64;
            visit(part, offset, vma)?;
            at = part.end;
        }
        if gap || at < extent.end {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }
}
