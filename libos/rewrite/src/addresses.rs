//! Where absolute addresses may stand in a program's data.
//!
//! A program linked for a fixed address may hold them anywhere. In a position-independent one each is
//! made by a relocation: it stands as an addend in the RELA table, or in place in a segment that may be
//! written (RELR). A constant in its read-only data that looks like a code address is only a number.
//!
//! Main function: [`regions`]. What follows from the addresses is [`crate::flow`]'s business.

use alloc::vec::Vec;

use object::LittleEndian as LE;
use object::elf::{self, ProgramHeader64};
use object::read::elf::{Dyn, ProgramHeader};

use crate::text::{Region, Text};

/// The regions of `data` whose words may be absolute addresses. `headers` are those of a
/// position-independent program, `memory` is all that it loads.
pub(crate) fn regions<'a>(
    headers: &[ProgramHeader64<LE>],
    file: &[u8],
    memory: &Text<'a>,
    data: &[Region<'a>],
) -> Vec<Region<'a>> {
    let table = Relocations::read(headers, file);
    if table.read_only_too {
        return data.to_vec();
    }
    let writable = |region: &&Region<'_>| {
        headers
            .iter()
            .filter(|header| header.p_type(LE) == elf::PT_LOAD)
            .filter(|header| header.p_flags(LE) & elf::PF_W == elf::PF_W)
            .any(|header| header.p_vaddr(LE) == region.start())
    };
    let mut found: Vec<Region<'a>> = data.iter().filter(writable).cloned().collect();
    found.extend(table.region(memory));
    found
}

/// What the dynamic section says about relocations.
#[derive(Debug, Default)]
struct Relocations {
    start: u64,
    size: u64,
    /// Whether they write to segments that are mapped read-only (DT_TEXTREL).
    read_only_too: bool,
}

impl Relocations {
    fn read(headers: &[ProgramHeader64<LE>], file: &[u8]) -> Self {
        let mut found = Self::default();
        let entries = headers
            .iter()
            .filter_map(|header| header.dynamic(LE, file).ok().flatten())
            .flatten();
        for entry in entries {
            let value = entry.d_val(LE);
            match entry.d_tag(LE) {
                elf::DT_RELA => found.start = value,
                elf::DT_RELASZ => found.size = value,
                elf::DT_TEXTREL => found.read_only_too = true,
                elf::DT_FLAGS => found.read_only_too |= value & DF_TEXTREL != 0,
                _ => {}
            }
        }
        found
    }

    /// The RELA table; records of 24 bytes, so that each addend is an aligned word.
    fn region<'a>(&self, memory: &Text<'a>) -> Option<Region<'a>> {
        let tail = memory.region(self.start)?.tail(self.start);
        let len = usize::try_from(self.size).unwrap_or(usize::MAX);
        Region::new(self.start, &tail[..len.min(tail.len())])
    }
}

/// In DT_FLAGS: relocations may write to read-only segments.
const DF_TEXTREL: u64 = 4;
