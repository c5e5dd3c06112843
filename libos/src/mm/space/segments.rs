//! Which memory the application's own segments occupy, from its ELF program headers.

use alloc::vec::Vec;

use object::LittleEndian;
use object::elf::{FileHeader64, PF_R, PF_W, PF_X, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::mm::extent::{Extent, page_ceil, page_floor};
use crate::mm::vma::Prot;

/// One loaded segment, widened to whole pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it lies.
    pub extent: Extent,
    /// Its protection.
    pub prot: Prot,
    /// Offset in the file of its first byte.
    pub offset: u64,
}

impl Segment {
    /// The loaded segments of the ELF file `bytes`, moved by `bias`. A file that can't be parsed has
    /// none.
    pub fn of_file(bytes: &[u8], bias: usize) -> Vec<Self> {
        parse(bytes, bias).unwrap_or_default()
    }
}

fn parse(bytes: &[u8], bias: usize) -> Option<Vec<Segment>> {
    let header = FileHeader64::<LittleEndian>::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let headers = header.program_headers(endian, bytes).ok()?;
    Some(
        headers
            .iter()
            .filter(|header| header.p_type(endian) == PT_LOAD)
            .filter_map(|header| segment(header, endian, bias))
            .collect(),
    )
}

fn segment(
    header: &impl ProgramHeader<Endian = LittleEndian, Word = u64>,
    endian: LittleEndian,
    bias: usize,
) -> Option<Segment> {
    let address = usize::try_from(header.p_vaddr(endian)).ok()?;
    let start = bias.checked_add(address)?;
    let end = start.checked_add(usize::try_from(header.p_memsz(endian)).ok()?)?;
    let flags = header.p_flags(endian);
    let mut prot = Prot::empty();
    prot.set(Prot::READ, flags.contains(PF_R));
    prot.set(Prot::WRITE, flags.contains(PF_W));
    prot.set(Prot::EXEC, flags.contains(PF_X));
    let slack = (start - page_floor(start)) as u64;
    Some(Segment {
        extent: Extent::new(page_floor(start), page_ceil(end)?),
        prot,
        offset: header.p_offset(endian).saturating_sub(slack),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_binary_has_text_and_data() {
        let bytes = std::fs::read("/proc/self/exe").expect("our own file");
        let segments = Segment::of_file(&bytes, 0x10_0000);
        let has = |prot| segments.iter().any(|segment| segment.prot == prot);
        assert!(has(Prot::READ | Prot::EXEC), "{segments:?}");
        assert!(has(Prot::RW), "{segments:?}");
        assert!(segments[0].extent.start >= 0x10_0000);
    }

    #[test]
    fn rubbish_has_no_segments() {
        assert_eq!(Segment::of_file(b"\x7fELF", 0), []);
        assert_eq!(Segment::of_file(&[], 0), []);
    }
}
