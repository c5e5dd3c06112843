//! Compresses what the program's file has behind its segments: symbols, mostly.
//!
//! The segments are mapped from the image as they are. The rest serves `/proc/self/exe` and crash
//! reports alone, which unpack it when they want it ([`PackedFile`]).

use super::parse::Program;
use super::to_u64;
use libos_abi::image::PackedFile;
use miniz_oxide::deflate::compress_to_vec;

/// A longer rest, debug information as a rule, stays as it is: to unpack it would take the program
/// noticeable time and memory.
const MOST: usize = 2 << 20;

/// What is worth the work, in bytes.
const LEAST_SAVED: usize = 4096;

/// The compressor's slowest level but one; 2 MiB take a tenth of a second.
const LEVEL: u8 = 9;

/// Offset of `e_phoff` in a 64-bit ELF header.
const E_PHOFF: usize = 32;

/// Size of a program header.
const PHDR: u64 = 56;

/// The program's part of the image: `file`, or its beginning and the packed rest.
pub fn pack(program: &Program, file: Vec<u8>) -> Vec<u8> {
    let split = usize::try_from(shown(program, &file)).unwrap_or(usize::MAX);
    let Some(rest) = file.get(split..).filter(|rest| rest.len() <= MOST) else {
        return file;
    };
    let packed = compress_to_vec(rest, LEVEL);
    if packed.len() + PackedFile::SIZE + LEAST_SAVED > rest.len() {
        return file;
    }
    let record = PackedFile {
        loaded: to_u64(split),
        len: to_u64(file.len()),
    };
    let mut part = file;
    part.truncate(split);
    part.extend(packed);
    part.extend(record.to_bytes());
    part
}

/// The end of what segments show and of the program headers, whichever is later.
fn shown(program: &Program, file: &[u8]) -> u64 {
    let word = file.get(E_PHOFF..).and_then(<[u8]>::first_chunk);
    let headers = u64::from_le_bytes(*word.unwrap_or(&[0xff; 8]));
    let segments = program.segments.iter();
    segments
        .map(|segment| segment.offset + segment.filesz)
        .fold(headers.saturating_add(PHDR * program.phnum), u64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::parse::{Access, Kind, Segment};

    fn program(filesz: u64) -> Program {
        Program {
            kind: Kind::Relocatable,
            entry: 0,
            phdr: 64,
            phnum: 2,
            segments: vec![Segment {
                vaddr: 0,
                memsz: filesz,
                offset: 0,
                filesz,
                access: Access::Read,
            }],
            notes: Vec::new(),
            executable_stack: false,
        }
    }

    fn file(len: usize) -> Vec<u8> {
        let mut file: Vec<u8> = (0..len).map(|at| (at % 61).to_le_bytes()[0]).collect();
        file[E_PHOFF..E_PHOFF + 8].copy_from_slice(&64_u64.to_le_bytes());
        file
    }

    #[test]
    fn symbols_are_packed_and_segments_are_not() {
        let whole = file(100_000);
        let part = pack(&program(30_000), whole.clone());
        let (record, rest) = PackedFile::of_part(&part).expect("packed");
        assert_eq!((record.loaded, record.len), (30_000, 100_000));
        assert_eq!(part[..30_000], whole[..30_000]);
        let rest = miniz_oxide::inflate::decompress_to_vec(rest).expect("DEFLATE");
        assert_eq!(rest, whole[30_000..]);
    }

    #[test]
    fn program_headers_behind_the_segments_are_not_packed() {
        let mut whole = file(100_000);
        whole[E_PHOFF..E_PHOFF + 8].copy_from_slice(&50_000_u64.to_le_bytes());
        let part = pack(&program(30_000), whole);
        let (record, _) = PackedFile::of_part(&part).expect("packed");
        assert_eq!(record.loaded, 50_000 + 2 * 56);
    }

    #[test]
    fn what_is_short_long_or_odd_stays() {
        for (loaded, len) in [
            (30_000, 30_000),
            (30_000, 33_000),
            (100, 3 << 20),
            (99_000, 98_000),
        ] {
            let whole = file(len);
            assert_eq!(
                pack(&program(loaded), whole.clone()),
                whole,
                "{loaded} {len}"
            );
        }
    }
}
