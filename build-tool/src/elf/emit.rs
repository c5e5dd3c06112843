//! Writes an image's ELF file: headers, the manifest's note, then each blob from a page of its own.
//!
//! A blob lies in the file once, however many segments show parts of it: the program's file holds
//! both the program's segments and what `/proc/self/exe` reads.

use super::parse::{Access, Kind};
use super::{PAGE, to_u64};
use object::elf::{EM_X86_64, ET_DYN, ET_EXEC, PF_R, PF_W, PT_GNU_STACK, PT_LOAD, PT_NOTE};

const EHDR: u64 = 64;
const PHDR: u64 = 56;

/// Most program headers that the tender accepts.
const MAX_PROGRAM_HEADERS: usize = 128;

/// What is to be written.
pub struct Image {
    /// Whether it may be moved.
    pub kind: Kind,
    /// Entry point.
    pub entry: u64,
    /// Contents, each placed at a page of the file.
    pub blobs: Vec<Vec<u8>>,
    /// Segments by address.
    pub parts: Vec<Part>,
    /// The note segment.
    pub note: Vec<u8>,
}

/// One `PT_LOAD` of the image.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Address of its first byte.
    pub vaddr: u64,
    /// Length in memory, in bytes.
    pub memsz: u64,
    /// Its permissions.
    pub access: Access,
    /// What it shows.
    pub content: Content,
}

/// A part of a blob.
#[derive(Clone, Copy, Debug)]
pub struct Content {
    /// Index of the blob.
    pub blob: usize,
    /// Offset in the blob; equal to the segment's address modulo the page size.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
}

/// Why an image cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// Too many segments.
    #[error(
        "expected at most {MAX_PROGRAM_HEADERS} program headers, found {found}; link the program with fewer segments"
    )]
    TooManySegments {
        /// Their number.
        found: usize,
    },
    /// Segments share a page or are out of order: a mistake in the layout.
    #[error("the image's parts at {first:#x} and {second:#x} overlap: please report this as a bug")]
    Overlap {
        /// End of the first.
        first: u64,
        /// Start of the second.
        second: u64,
    },
}

/// The bytes of the file.
///
/// # Errors
/// [`EmitError`].
pub fn write(image: &Image) -> Result<Vec<u8>, EmitError> {
    let count = image.parts.len() + 2;
    if count > MAX_PROGRAM_HEADERS {
        return Err(EmitError::TooManySegments { found: count });
    }
    refuse_overlap(&image.parts)?;
    let note_offset = EHDR + PHDR * to_u64(count);
    let offsets = blob_offsets(image, note_offset + to_u64(image.note.len()));
    let mut file = file_header(image, count);
    for part in &image.parts {
        let offset = offsets[part.content.blob] + part.content.offset;
        let lengths = [part.content.len, part.memsz];
        program_header(
            &mut file,
            PT_LOAD.0,
            part.access.flags(),
            [offset, part.vaddr],
            lengths,
            PAGE,
        );
    }
    let note_len = to_u64(image.note.len());
    program_header(
        &mut file,
        PT_NOTE.0,
        PF_R.0,
        [note_offset, 0],
        [note_len, note_len],
        4,
    );
    program_header(
        &mut file,
        PT_GNU_STACK.0,
        PF_R.0 | PF_W.0,
        [0, 0],
        [0, 0],
        16,
    );
    file.extend(&image.note);
    for (blob, offset) in image.blobs.iter().zip(offsets) {
        file.resize(usize::try_from(offset).unwrap_or(usize::MAX), 0);
        file.extend(blob);
    }
    Ok(file)
}

fn refuse_overlap(parts: &[Part]) -> Result<(), EmitError> {
    for pair in parts.windows(2) {
        let first = (pair[0].vaddr + pair[0].memsz).next_multiple_of(PAGE);
        let second = pair[1].vaddr & !(PAGE - 1);
        if second < first {
            return Err(EmitError::Overlap { first, second });
        }
    }
    Ok(())
}

fn blob_offsets(image: &Image, headers_len: u64) -> Vec<u64> {
    let mut free = headers_len;
    let place = |blob: &Vec<u8>| {
        let offset = free.next_multiple_of(PAGE);
        free = offset + to_u64(blob.len());
        offset
    };
    image.blobs.iter().map(place).collect()
}

fn file_header(image: &Image, program_headers: usize) -> Vec<u8> {
    let len = image.blobs.iter().map(Vec::len).sum::<usize>() + image.note.len();
    let mut file = Vec::with_capacity(len + 0x4000);
    // Class 64, little endian, version 1, System V ABI.
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let kind = match image.kind {
        Kind::Relocatable => ET_DYN,
        Kind::Fixed => ET_EXEC,
    };
    file.extend(kind.0.to_le_bytes());
    file.extend(EM_X86_64.0.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    for word in [image.entry, EHDR, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    let count = u16::try_from(program_headers).unwrap_or(u16::MAX);
    // Sizes of header and program header, their number; no section headers.
    for half in [64_u16, 56, count, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    file
}

fn program_header(
    file: &mut Vec<u8>,
    kind: u32,
    flags: u32,
    [offset, vaddr]: [u64; 2],
    [filesz, memsz]: [u64; 2],
    align: u64,
) {
    file.extend(kind.to_le_bytes());
    file.extend(flags.to_le_bytes());
    for word in [offset, vaddr, vaddr, filesz, memsz, align] {
        file.extend(word.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::parse;

    fn part(vaddr: u64, memsz: u64, blob: usize, offset: u64, len: u64) -> Part {
        Part {
            vaddr,
            memsz,
            access: Access::ReadWrite,
            content: Content { blob, offset, len },
        }
    }

    fn image(parts: Vec<Part>) -> Image {
        Image {
            kind: Kind::Fixed,
            entry: 0x40_0010,
            blobs: vec![vec![1; 0x1234], vec![2; 5]],
            parts,
            note: crate::elf::note::write(b"{}"),
        }
    }

    #[test]
    fn parts_show_their_blobs() {
        let parts = vec![
            part(0x40_0010, 0x3000, 0, 0x10, 0x1224),
            part(0x50_0000, 5, 1, 0, 5),
        ];
        let file = write(&image(parts)).expect("valid");
        let program = parse::parse(&file).expect("its own output");
        assert_eq!(program.kind, Kind::Fixed);
        let shown = |segment: &parse::Segment| {
            let start = usize::try_from(segment.offset).expect("small");
            file[start..start + usize::try_from(segment.filesz).expect("small")].to_vec()
        };
        assert_eq!(shown(&program.segments[0]), vec![1; 0x1224]);
        assert_eq!(program.segments[0].memsz, 0x3000);
        assert_eq!(shown(&program.segments[1]), vec![2; 5]);
        let note = &file[program.notes[0].clone()];
        assert_eq!(crate::elf::note::find(note), Some(&b"{}"[..]));
    }

    #[test]
    fn parts_on_one_page_are_refused() {
        let parts = vec![part(0x1000, 0x1001, 0, 0, 1), part(0x2800, 5, 1, 0x800, 5)];
        assert!(matches!(
            write(&image(parts)),
            Err(EmitError::Overlap { .. })
        ));
    }

    #[test]
    fn too_many_parts_are_refused() {
        let parts = (1..200).map(|n| part(n * 0x2000, 1, 0, 0, 1)).collect();
        assert!(matches!(
            write(&image(parts)),
            Err(EmitError::TooManySegments { found: 201 })
        ));
    }
}
