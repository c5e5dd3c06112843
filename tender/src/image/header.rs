//! The ELF header and the program headers, read with `goblin`, bounded by the file.

use super::Placement;
use super::error::ImageError;
use goblin::container::{Container, Ctx, Endian};
use goblin::elf::Elf;
use goblin::elf::header::header64::SIZEOF_EHDR;
use goblin::elf::header::{
    ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_X86_64, ET_DYN, ET_EXEC, Header as ElfHeader,
};
use goblin::elf::program_header::program_header64::SIZEOF_PHDR;
use goblin::elf::program_header::{PT_INTERP, ProgramHeader};

/// Byte order and word size of every image.
pub const CONTEXT: Ctx = Ctx {
    container: Container::Big,
    le: Endian::Little,
};

/// More program headers than any image needs; a bound on the work that a file can cause.
const MAX_PROGRAM_HEADERS: u16 = 128;

/// What later steps need of the headers.
pub struct Header {
    /// From `e_type`.
    pub placement: Placement,
    /// `e_entry`.
    pub entry: u64,
    /// All program headers, in file order.
    pub program_headers: Vec<ProgramHeader>,
}

/// Reads the headers of a static x86-64 executable.
pub fn parse(file: &[u8]) -> Result<Header, ImageError> {
    let elf = elf_header(file)?;
    let program_headers = program_headers(&elf, file)?;
    refuse_dynamic(&program_headers, file)?;
    Ok(Header {
        placement: placement(&elf)?,
        entry: elf.e_entry,
        program_headers,
    })
}

fn elf_header(file: &[u8]) -> Result<ElfHeader, ImageError> {
    if !file.starts_with(ELFMAG) {
        let found = file.iter().copied().take(4).collect();
        return Err(ImageError::NotElf { found });
    }
    slice(file, "the ELF header", 0, SIZEOF_EHDR as u64)?;
    let (class, order) = (file[4], file[5]);
    if class != ELFCLASS64 || order != ELFDATA2LSB {
        let found = format!("class {class}, byte order {order}");
        return Err(ImageError::WrongMachine { found });
    }
    let elf = Elf::parse_header(file).map_err(|error| ImageError::Header {
        expected: "a well-formed ELF header",
        found: error.to_string(),
    })?;
    if elf.e_machine != EM_X86_64 {
        let found = format!("e_machine {}", elf.e_machine);
        return Err(ImageError::WrongMachine { found });
    }
    Ok(elf)
}

fn placement(elf: &ElfHeader) -> Result<Placement, ImageError> {
    match elf.e_type {
        ET_DYN => Ok(Placement::Anywhere),
        ET_EXEC => Ok(Placement::Fixed),
        found => Err(ImageError::WrongType { found }),
    }
}

fn program_headers(elf: &ElfHeader, file: &[u8]) -> Result<Vec<ProgramHeader>, ImageError> {
    if usize::from(elf.e_phentsize) != SIZEOF_PHDR {
        return Err(ImageError::Header {
            expected: "program headers of 56 bytes (e_phentsize)",
            found: elf.e_phentsize.to_string(),
        });
    }
    if elf.e_phnum == 0 || elf.e_phnum > MAX_PROGRAM_HEADERS {
        return Err(ImageError::Header {
            expected: "1 to 128 program headers (e_phnum)",
            found: elf.e_phnum.to_string(),
        });
    }
    let len = u64::from(elf.e_phentsize) * u64::from(elf.e_phnum);
    let table = slice(file, "the program headers", elf.e_phoff, len)?;
    ProgramHeader::parse(table, 0, usize::from(elf.e_phnum), CONTEXT).map_err(|error| {
        ImageError::Header {
            expected: "well-formed program headers",
            found: error.to_string(),
        }
    })
}

fn refuse_dynamic(headers: &[ProgramHeader], file: &[u8]) -> Result<(), ImageError> {
    let Some(interp) = headers.iter().find(|header| header.p_type == PT_INTERP) else {
        return Ok(());
    };
    let path = slice(
        file,
        "the interpreter's path",
        interp.p_offset,
        interp.p_filesz,
    )?;
    let shown: Vec<u8> = path
        .iter()
        .copied()
        .take_while(|&byte| byte != 0)
        .take(256)
        .collect();
    Err(ImageError::Dynamic {
        interpreter: String::from_utf8_lossy(&shown).into_owned(),
    })
}

/// `len` bytes of the file from `offset`.
pub fn slice<'a>(
    file: &'a [u8],
    what: &'static str,
    offset: u64,
    len: u64,
) -> Result<&'a [u8], ImageError> {
    let end = offset.saturating_add(len);
    let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
    range
        .and_then(|(start, end)| file.get(start..end))
        .ok_or(ImageError::Truncated {
            what,
            start: offset,
            end,
            len: file.len() as u64,
        })
}
