//! A static program's ELF file: its loadable segments and what its start needs.
//!
//! Main types: [`Program`], [`Segment`], [`ParseError`]. Also reads images, which are such programs.
//! Reads headers only; finding and changing code is the rewriter's part.

use super::{PAGE, to_u64};
use object::Endianness;
use object::elf::{
    DT_NEEDED, EM_X86_64, ET_CORE, ET_DYN, ET_EXEC, ET_REL, FileHeader64, PF_R, PF_W, PF_X,
    PT_DYNAMIC, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_NOTE, PT_PHDR,
};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use std::ops::Range;

type Header = FileHeader64<Endianness>;

/// Whether a program may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ET_DYN`, a static-pie: any base.
    Relocatable,
    /// `ET_EXEC`: at its link-time addresses.
    Fixed,
}

/// One `PT_LOAD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Link-time address of its first byte.
    pub vaddr: u64,
    /// Length in memory, in bytes; above 0.
    pub memsz: u64,
    /// Where it starts in the file.
    pub offset: u64,
    /// Length in the file, in bytes; at most `memsz`.
    pub filesz: u64,
    /// Its permissions.
    pub access: Access,
}

/// What a segment permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
    /// Reading and executing (or executing only).
    ReadExecute,
}

impl Access {
    /// As `p_flags`.
    pub fn flags(self) -> u32 {
        let flags = match self {
            Self::Read => PF_R,
            Self::ReadWrite => PF_R | PF_W,
            Self::ReadExecute => PF_R | PF_X,
        };
        flags.0
    }

    /// As in `/proc/PID/maps`.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Read => "r--",
            Self::ReadWrite => "rw-",
            Self::ReadExecute => "r-x",
        }
    }
}

impl Segment {
    /// Address of its first page.
    pub fn first_page(&self) -> u64 {
        self.vaddr & !(PAGE - 1)
    }

    /// Address behind its last page.
    pub fn end_page(&self) -> u64 {
        (self.vaddr + self.memsz).next_multiple_of(PAGE)
    }
}

/// A static program.
#[derive(Clone, Debug)]
pub struct Program {
    /// Whether it may be moved.
    pub kind: Kind,
    /// Entry point.
    pub entry: u64,
    /// Link-time address of the program headers; 0 if no segment holds them.
    pub phdr: u64,
    /// Number of program headers.
    pub phnum: u64,
    /// The segments by address; no two share a page.
    pub segments: Vec<Segment>,
    /// File ranges of the notes.
    pub notes: Vec<Range<usize>>,
    /// Whether the program asks for an executable stack.
    pub executable_stack: bool,
}

impl Program {
    /// From the first segment's first page to behind the last segment's last page.
    pub fn extent(&self) -> Range<u64> {
        let first = self.segments.first().map_or(0, Segment::first_page);
        let end = self.segments.last().map_or(0, Segment::end_page);
        first..end
    }
}

/// Why a file is not a program that can become an image.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// No ELF magic.
    #[error(
        "expected an ELF program, found a file that starts with {found:02x?}; give the compiled program itself, not a script or an archive"
    )]
    NotElf {
        /// The first bytes.
        found: Vec<u8>,
    },
    /// A 32-bit, big-endian or foreign program.
    #[error(
        "expected a 64-bit little-endian program for x86-64, found {found}; build for x86_64-unknown-linux-gnu"
    )]
    WrongMachine {
        /// What it is.
        found: String,
    },
    /// Not an executable.
    #[error("expected an executable program, found {found}; link it into a program first")]
    WrongType {
        /// What it is.
        found: String,
    },
    /// Needs a dynamic linker.
    #[error(
        "expected a static program, found a dynamically linked one ({found}); link it statically: \
             Rust: `cargo libos build`, or RUSTFLAGS='-C target-feature=+crt-static' with --target x86_64-unknown-linux-gnu; \
             C: -static or -static-pie; Go: CGO_ENABLED=0"
    )]
    Dynamic {
        /// What tells so.
        found: String,
    },
    /// A segment that is writable and executable.
    #[error(
        "expected segments that are writable or executable, found one that is both, at {vaddr:#x}; \
             link without -z execstack, -N or --omagic, and without sections flagged \"awx\""
    )]
    WritableAndExecutable {
        /// Its address.
        vaddr: u64,
    },
    /// A segment breaks a rule of the ELF format.
    #[error(
        "segment at {vaddr:#x}: expected {expected}, found {found}; the file is damaged or was made by an unusual linker"
    )]
    Segment {
        /// Its address.
        vaddr: u64,
        /// The rule.
        expected: &'static str,
        /// The value that breaks it.
        found: String,
    },
    /// Nothing to load.
    #[error("expected loadable segments (PT_LOAD), found none; give a linked program")]
    NoSegments,
    /// The headers are malformed.
    #[error("malformed ELF headers: {detail}; the file is damaged or truncated")]
    Malformed {
        /// What the reader says.
        detail: String,
    },
}

impl From<object::read::Error> for ParseError {
    fn from(error: object::read::Error) -> Self {
        Self::Malformed {
            detail: error.to_string(),
        }
    }
}

/// Reads and checks a static x86-64 program.
///
/// # Errors
/// The first reason why it cannot become an image.
pub fn parse(file: &[u8]) -> Result<Program, ParseError> {
    let header = header(file)?;
    let endian = header.endian()?;
    let kind = kind(header, endian)?;
    let program_headers = header.program_headers(endian, file)?;
    refuse_dynamic(program_headers, endian, file)?;
    if header.e_entry(endian) == 0 {
        return Err(ParseError::WrongType {
            found: "a shared library (no entry point)".into(),
        });
    }
    Ok(Program {
        kind,
        entry: header.e_entry(endian),
        phdr: program_header_address(header, program_headers, endian),
        phnum: to_u64(program_headers.len()),
        segments: segments(program_headers, endian, file)?,
        notes: notes(program_headers, endian, file)?,
        executable_stack: program_headers
            .iter()
            .any(|ph| ph.p_type(endian) == PT_GNU_STACK && ph.p_flags(endian).0 & PF_X.0 != 0),
    })
}

fn header(file: &[u8]) -> Result<&Header, ParseError> {
    if !file.starts_with(b"\x7fELF") {
        let found = file.iter().copied().take(4).collect();
        return Err(ParseError::NotElf { found });
    }
    let foreign = match (file.get(4), file.get(5)) {
        (Some(2), Some(1)) => None,
        (Some(1), _) => Some("a 32-bit ELF file"),
        (_, Some(2)) => Some("a big-endian ELF file"),
        _ => Some("an ELF file of no known class"),
    };
    if let Some(found) = foreign {
        return Err(ParseError::WrongMachine {
            found: found.into(),
        });
    }
    Ok(Header::parse(file)?)
}

fn kind(header: &Header, endian: Endianness) -> Result<Kind, ParseError> {
    let machine = header.e_machine(endian);
    if machine != EM_X86_64 {
        return Err(ParseError::WrongMachine {
            found: format!("machine {}", machine.0),
        });
    }
    let found = match header.e_type(endian) {
        ET_DYN => return Ok(Kind::Relocatable),
        ET_EXEC => return Ok(Kind::Fixed),
        ET_REL => "an object file (ET_REL)".into(),
        ET_CORE => "a core dump (ET_CORE)".into(),
        other => format!("e_type {}", other.0),
    };
    Err(ParseError::WrongType { found })
}

type ProgramHeaders<'a> = &'a [object::elf::ProgramHeader64<Endianness>];

fn refuse_dynamic(
    headers: ProgramHeaders<'_>,
    endian: Endianness,
    file: &[u8],
) -> Result<(), ParseError> {
    for header in headers {
        if header.p_type(endian) == PT_INTERP {
            let path = header.data(endian, file).unwrap_or_default();
            let path = path.strip_suffix(b"\0").unwrap_or(path);
            return Err(ParseError::Dynamic {
                found: format!("it asks for {}", String::from_utf8_lossy(path)),
            });
        }
        if header.p_type(endian) != PT_DYNAMIC {
            continue;
        }
        let entries = header.dynamic(endian, file)?.unwrap_or_default();
        if entries.iter().any(|entry| entry.d_tag(endian) == DT_NEEDED) {
            return Err(ParseError::Dynamic {
                found: "it needs shared libraries".into(),
            });
        }
    }
    Ok(())
}

/// `AT_PHDR` as the kernel computes it: the segment that holds the table in the file, at its address.
fn program_header_address(header: &Header, headers: ProgramHeaders<'_>, endian: Endianness) -> u64 {
    if let Some(own) = headers.iter().find(|ph| ph.p_type(endian) == PT_PHDR) {
        return own.p_vaddr(endian);
    }
    let table = header.e_phoff(endian);
    headers
        .iter()
        .filter(|ph| ph.p_type(endian) == PT_LOAD)
        .find_map(|ph| {
            let inside = table.checked_sub(ph.p_offset(endian))?;
            (inside < ph.p_filesz(endian)).then(|| ph.p_vaddr(endian).wrapping_add(inside))
        })
        .unwrap_or(0)
}

fn segments(
    headers: ProgramHeaders<'_>,
    endian: Endianness,
    file: &[u8],
) -> Result<Vec<Segment>, ParseError> {
    let loads = headers
        .iter()
        .filter(|ph| ph.p_type(endian) == PT_LOAD && ph.p_memsz(endian) != 0);
    let mut segments: Vec<Segment> = loads
        .map(|load| segment(load, endian, to_u64(file.len())))
        .collect::<Result<_, _>>()?;
    segments.sort_by_key(|segment| segment.vaddr);
    if segments.is_empty() {
        return Err(ParseError::NoSegments);
    }
    for pair in segments.windows(2) {
        if pair[1].first_page() < pair[0].end_page() {
            return Err(ParseError::Segment {
                vaddr: pair[1].vaddr,
                expected: "pages of its own",
                found: format!(
                    "a neighbour that ends at {:#x}",
                    pair[0].vaddr + pair[0].memsz
                ),
            });
        }
    }
    Ok(segments)
}

fn segment(
    load: &object::elf::ProgramHeader64<Endianness>,
    endian: Endianness,
    file_len: u64,
) -> Result<Segment, ParseError> {
    let segment = Segment {
        vaddr: load.p_vaddr(endian),
        memsz: load.p_memsz(endian),
        offset: load.p_offset(endian),
        filesz: load.p_filesz(endian),
        access: access(load.p_flags(endian).0, load.p_vaddr(endian))?,
    };
    let refuse = |expected, found: u64| {
        Err(ParseError::Segment {
            vaddr: segment.vaddr,
            expected,
            found: format!("{found:#x}"),
        })
    };
    let file_end = segment.offset.checked_add(segment.filesz);
    if file_end.is_none_or(|end| end > file_len) {
        return refuse("its bytes inside the file", segment.offset);
    }
    if segment.filesz > segment.memsz {
        return refuse("p_filesz of at most p_memsz", segment.filesz);
    }
    if segment.filesz != 0 && segment.offset % PAGE != segment.vaddr % PAGE {
        return refuse(
            "p_offset equal to p_vaddr modulo the page size",
            segment.offset,
        );
    }
    // Half of the 47-bit user address space is left for what is put behind the program.
    let memory_end = segment.vaddr.checked_add(segment.memsz);
    if memory_end.is_none_or(|end| end > 1 << 46) {
        return refuse("an end inside the user address space", segment.memsz);
    }
    if segment.memsz > segment.filesz && segment.access != Access::ReadWrite {
        return refuse("zero-filled memory to be writable", segment.memsz);
    }
    Ok(segment)
}

fn access(flags: u32, vaddr: u64) -> Result<Access, ParseError> {
    match (flags & PF_W.0 != 0, flags & PF_X.0 != 0) {
        (true, true) => Err(ParseError::WritableAndExecutable { vaddr }),
        (true, false) => Ok(Access::ReadWrite),
        (false, true) => Ok(Access::ReadExecute),
        (false, false) => Ok(Access::Read),
    }
}

fn notes(
    headers: ProgramHeaders<'_>,
    endian: Endianness,
    file: &[u8],
) -> Result<Vec<Range<usize>>, ParseError> {
    let malformed = || ParseError::Malformed {
        detail: "a note (PT_NOTE) lies outside the file".into(),
    };
    headers
        .iter()
        .filter(|ph| ph.p_type(endian) == PT_NOTE)
        .map(|ph| {
            let start = usize::try_from(ph.p_offset(endian)).map_err(|_| malformed())?;
            let len = usize::try_from(ph.p_filesz(endian)).map_err(|_| malformed())?;
            let end = start.checked_add(len).filter(|&end| end <= file.len());
            Ok(start..end.ok_or_else(malformed)?)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::emit::{self, Content, Part};

    fn program(access: Access, memsz: u64) -> Vec<u8> {
        emit::write(&emit::Image {
            kind: Kind::Relocatable,
            entry: 0x1000,
            blobs: vec![vec![0xc3; 0x100]],
            parts: vec![Part {
                vaddr: 0x1000,
                memsz,
                access,
                content: Content {
                    blob: 0,
                    offset: 0,
                    len: 0x100,
                },
            }],
            note: Vec::new(),
        })
        .expect("valid")
    }

    /// Sets the little-endian bytes at `at`.
    fn patched(mut file: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    }

    /// Offset of the first program header.
    const LOAD: usize = 64;

    #[test]
    fn a_static_program_is_read_as_it_was_written() {
        let program = parse(&program(Access::ReadExecute, 0x100)).expect("valid");
        assert_eq!(program.kind, Kind::Relocatable);
        assert_eq!(program.entry, 0x1000);
        assert_eq!(program.extent(), 0x1000..0x2000);
        assert_eq!(program.segments[0].access, Access::ReadExecute);
    }

    #[test]
    fn what_is_no_program_is_named() {
        assert!(matches!(
            parse(b"#!/bin/sh\n"),
            Err(ParseError::NotElf { .. })
        ));
        assert!(matches!(parse(b""), Err(ParseError::NotElf { .. })));
        assert!(matches!(
            parse(b"\x7fELF"),
            Err(ParseError::WrongMachine { .. })
        ));
        let good = program(Access::ReadExecute, 0x100);
        let object = patched(good.clone(), 16, &[1, 0]);
        assert!(parse(&object).unwrap_err().to_string().contains("ET_REL"));
        let arm = patched(good.clone(), 18, &[183, 0]);
        assert!(parse(&arm).unwrap_err().to_string().contains("machine 183"));
        let library = patched(good, 24, &[0; 8]);
        assert!(
            parse(&library)
                .unwrap_err()
                .to_string()
                .contains("shared library")
        );
    }

    #[test]
    fn a_writable_and_executable_segment_is_refused() {
        let file = patched(program(Access::ReadExecute, 0x100), LOAD + 4, &[7]);
        assert_eq!(
            parse(&file).unwrap_err(),
            ParseError::WritableAndExecutable { vaddr: 0x1000 }
        );
    }

    #[test]
    fn segments_beyond_the_file_or_the_address_space_are_refused() {
        let good = program(Access::ReadWrite, 0x100);
        for (at, value) in [
            (LOAD + 8, 0x7fff_0000_u64),   // p_offset
            (LOAD + 16, u64::MAX - 0xfff), // p_vaddr
            (LOAD + 32, u64::MAX),         // p_filesz
            (LOAD + 40, u64::MAX),         // p_memsz
        ] {
            let file = patched(good.clone(), at, &value.to_le_bytes());
            assert!(
                matches!(parse(&file), Err(ParseError::Segment { .. })),
                "{at}"
            );
        }
        let text = patched(
            program(Access::ReadExecute, 0x100),
            LOAD + 40,
            &0x200_u64.to_le_bytes(),
        );
        assert!(
            parse(&text)
                .unwrap_err()
                .to_string()
                .contains("zero-filled")
        );
    }

    #[test]
    fn no_truncation_makes_the_reader_panic() {
        let good = program(Access::ReadWrite, 0x2000);
        for len in 0..good.len().min(512) {
            assert!(parse(&good[..len]).is_err(), "{len}");
        }
    }
}
