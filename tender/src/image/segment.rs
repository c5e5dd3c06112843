//! `PT_LOAD` segments: bounds, alignment, permissions, order.

use super::error::ImageError;
use super::header::{Header, slice};
use super::{PAGE, Placement};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_LOAD, ProgramHeader};

/// First address behind what a user process can map (47 bits, less the last page).
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// Lowest address that an unprivileged process may map where `vm.mmap_min_addr` is at its usual value.
const LOWEST: u64 = 0x1_0000;

/// Longest extent of an image in memory: far beyond any real one, and small enough to be placed.
const MAX_EXTENT: u64 = 64 << 30;

/// Access permissions of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Readable.
    pub read: bool,
    /// Writable.
    pub write: bool,
    /// Executable.
    pub execute: bool,
}

/// One validated `PT_LOAD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Link-time address.
    pub vaddr: u64,
    /// Length in memory, in bytes; not 0.
    pub memsz: u64,
    /// Offset in the file; equal to `vaddr` modulo the page size.
    pub offset: u64,
    /// Length in the file, in bytes; at most `memsz`.
    pub filesz: u64,
    /// Its permissions; never both writable and executable.
    pub permissions: Permissions,
}

impl Segment {
    /// Link-time address of its first page.
    pub fn first_page(&self) -> u64 {
        self.vaddr & !(PAGE - 1)
    }

    /// Link-time address behind its last page.
    pub fn end_page(&self) -> u64 {
        (self.vaddr + self.memsz).next_multiple_of(PAGE)
    }

    /// Whether `[start, start + len)` lies inside.
    pub fn holds(&self, start: u64, len: u64) -> bool {
        start >= self.vaddr
            && start
                .checked_add(len)
                .is_some_and(|end| end <= self.vaddr + self.memsz)
    }

    /// Whether `[start, start + len)` lies in the part that comes from the file.
    pub fn holds_in_file(&self, start: u64, len: u64) -> bool {
        self.holds(start, len) && start + len <= self.vaddr + self.filesz
    }
}

/// All `PT_LOAD`s, each checked by itself, then against its neighbour.
pub fn load_segments(header: &Header, file: &[u8]) -> Result<Vec<Segment>, ImageError> {
    let loads = header
        .program_headers
        .iter()
        .filter(|program_header| program_header.p_type == PT_LOAD);
    let segments: Vec<Segment> = loads
        .map(|load| check_one(load, header.placement, file))
        .collect::<Result<_, _>>()?;
    check_order(&segments)?;
    check_extent(&segments)?;
    Ok(segments)
}

fn check_one(
    load: &ProgramHeader,
    placement: Placement,
    file: &[u8],
) -> Result<Segment, ImageError> {
    let refuse = |expected, found| ImageError::Segment {
        vaddr: load.p_vaddr,
        expected,
        found,
    };
    slice(file, "a segment", load.p_offset, load.p_filesz)?;
    if load.p_memsz == 0 {
        return Err(refuse("a length in memory (p_memsz) above 0", 0));
    }
    if load.p_filesz > load.p_memsz {
        return Err(refuse("p_filesz of at most p_memsz", load.p_filesz));
    }
    if !load.p_align.is_power_of_two() || load.p_align < PAGE {
        return Err(refuse(
            "p_align of a power of two from 0x1000",
            load.p_align,
        ));
    }
    if load.p_vaddr % PAGE != load.p_offset % PAGE {
        return Err(refuse(
            "p_offset equal to p_vaddr modulo the page size",
            load.p_offset,
        ));
    }
    let end = load.p_vaddr.checked_add(load.p_memsz);
    if end.is_none_or(|end| end > USER_END) {
        return Err(refuse(
            "an end inside the 47-bit user address space",
            load.p_memsz,
        ));
    }
    if placement == Placement::Fixed && load.p_vaddr < LOWEST {
        return Err(refuse("a fixed address from 0x10000", load.p_vaddr));
    }
    let permissions = permissions(load)?;
    if load.p_memsz > load.p_filesz && !permissions.write {
        return Err(refuse(
            "zero-filled memory (p_memsz above p_filesz) to be writable",
            load.p_memsz,
        ));
    }
    Ok(Segment {
        vaddr: load.p_vaddr,
        memsz: load.p_memsz,
        offset: load.p_offset,
        filesz: load.p_filesz,
        permissions,
    })
}

fn permissions(load: &ProgramHeader) -> Result<Permissions, ImageError> {
    if load.p_flags & !(PF_R | PF_W | PF_X) != 0 {
        return Err(ImageError::Segment {
            vaddr: load.p_vaddr,
            expected: "no p_flags but R, W and X",
            found: u64::from(load.p_flags),
        });
    }
    let permissions = Permissions {
        read: load.p_flags & PF_R != 0,
        write: load.p_flags & PF_W != 0,
        execute: load.p_flags & PF_X != 0,
    };
    if permissions.write && permissions.execute {
        return Err(ImageError::WritableAndExecutable {
            vaddr: load.p_vaddr,
        });
    }
    Ok(permissions)
}

fn check_order(segments: &[Segment]) -> Result<(), ImageError> {
    for pair in segments.windows(2) {
        let first_end = pair[0].end_page();
        if pair[1].first_page() < first_end {
            return Err(ImageError::Overlap {
                first_end,
                second: pair[1].vaddr,
            });
        }
    }
    Ok(())
}

fn check_extent(segments: &[Segment]) -> Result<(), ImageError> {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return Err(ImageError::NoSegments);
    };
    let extent = last.end_page() - first.first_page();
    if extent > MAX_EXTENT {
        return Err(ImageError::Segment {
            vaddr: last.vaddr,
            expected: "all segments within 64 GiB",
            found: extent,
        });
    }
    Ok(())
}
