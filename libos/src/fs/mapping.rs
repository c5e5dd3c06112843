//! Mappings of files.
//!
//! A private mapping is a copy made when it is mapped: later writes to the file don't show in it
//! (Linux leaves that unspecified). A shared mapping is the file's own pages, at the only address
//! that they have, so all shared mappings of a page are one. Beyond the file's end a mapping reads
//! as zero; there is no SIGBUS.

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::fs::file::{Io, OpenFile, OpenFlags};
use crate::mm::extent::Extent;
use crate::mm::space::advise::Reread;
use crate::mm::space::map::{MapRequest, Placement};
use crate::mm::vma::{Backing, FileMapping, Prot, Vma, VmaFlags};
use crate::mm::with_space;
use crate::user::Dest;

/// The file of a mapping that was made here.
///
/// # Panics
/// Never: only this module makes file mappings, and it puts an [`OpenFile`] there.
pub fn file_of(mapping: &FileMapping) -> &OpenFile {
    let file = mapping.file.downcast_ref();
    file.expect("only fs::mapping makes file mappings")
}

/// Maps a private copy of `file` from `offset` on. The request's backing is filled in here.
///
/// # Errors
/// As [`crate::mm::space::AddressSpace::map`]; ENODEV for what has no bytes at positions.
pub fn map_private(file: Arc<OpenFile>, offset: u64, mut request: MapRequest) -> Result<Extent> {
    if !file.file().is_seekable() {
        return Err(Errno::ENODEV);
    }
    let mapping = Arc::new(FileMapping { file, pin: None });
    request.backing = Backing::File(Arc::clone(&mapping), offset);
    let (extent, removed) = with_space(|space| space.map(&request))?;
    drop(removed);
    let filled = fill(extent, file_of(&mapping), offset);
    if filled.is_err() {
        drop(with_space(|space| space.unmap(extent)));
    }
    filled.map(|()| extent)
}

/// Maps the own pages of `file` from `offset` on.
///
/// # Errors
/// ENODEV for a file without pages of its own, and for a fixed address that is not the pages' own;
/// EPERM for a writable mapping of a file that is sealed against writing.
pub fn map_shared(
    file: Arc<OpenFile>,
    offset: u64,
    len: usize,
    prot: Prot,
    placement: Placement,
) -> Result<Extent> {
    if prot.contains(Prot::EXEC) {
        return Err(Errno::EACCES.because("a shared mapping can't be executable"));
    }
    let sealed = file.is_sealed_against_writing();
    if sealed && prot.contains(Prot::WRITE) {
        return Err(Errno::EPERM.because("the file is sealed against writing"));
    }
    let pages = file.file().pages(offset, len)?;
    let extent = Extent::sized(pages.address, len).ok_or(Errno::ENOMEM)?;
    let elsewhere = match placement {
        Placement::Hint(_) => false,
        Placement::Fixed(address) | Placement::FixedNoReplace(address) => address != extent.start,
    };
    if elsewhere {
        return Err(
            Errno::ENODEV.because("a shared mapping can lie only where the file's pages are")
        );
    }
    let mut flags = VmaFlags::SHARED;
    flags.set(VmaFlags::NO_WRITE, sealed || !file.flags().writable());
    let pin = Some(pages.pin);
    let vma = Vma {
        end: extent.end,
        prot,
        flags,
        backing: Backing::File(Arc::new(FileMapping { file, pin }), offset),
        count: 1,
    };
    with_space(|space| space.map_pages(extent, &vma))?;
    Ok(extent)
}

/// Reads the parts of private mappings again that MADV_DONTNEED dropped.
///
/// # Errors
/// Those of reading the file.
pub fn read_again(parts: alloc::vec::Vec<Reread>) -> Result<()> {
    for part in parts {
        // SAFETY: a private mapping of the application, whose contents it gave up.
        unsafe { crate::mm::zero::clear(part.extent) };
        fill(part.extent, file_of(&part.file), part.offset)?;
    }
    Ok(())
}

/// Reads the file into a private mapping, which is zero, up to the file's end.
///
/// # Errors
/// Those of reading the file; EISDIR becomes ENODEV.
pub fn fill(extent: Extent, file: &OpenFile, offset: u64) -> Result<()> {
    // SAFETY: memory of the application that was just mapped for this; no thread of it runs now.
    let bytes = unsafe { core::slice::from_raw_parts_mut(extent.start as *mut u8, extent.len()) };
    let mut dest = Dest::kernel(bytes);
    while dest.room() > 0 {
        let io = Io {
            offset: offset + dest.written() as u64,
            flags: OpenFlags::empty(),
        };
        match file.file().read(io, &mut dest) {
            Ok(0) => break,
            Ok(_) => {}
            Err(Errno::EISDIR) => return Err(Errno::ENODEV),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads what mremap added to a private mapping of a file; nothing for other mappings.
///
/// # Errors
/// Those of reading the file.
pub fn fill_grown(grown: Extent) -> Result<()> {
    if grown.is_empty() {
        return Ok(());
    }
    let source = with_space(|space| {
        let (found, vma) = space.vmas().find(grown.start)?;
        match &vma.backing {
            Backing::File(mapping, offset) => {
                let offset = offset + (grown.start - found.start) as u64;
                Some((Arc::clone(mapping), offset))
            }
            _ => None,
        }
    });
    source.map_or(Ok(()), |(mapping, offset)| {
        fill(grown, file_of(&mapping), offset)
    })
}
