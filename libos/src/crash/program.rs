//! The application's ELF file, for symbols and unwind tables.

use object::elf::{FileHeader64, STT_FUNC};
use object::read::elf::{FileHeader, SectionHeader, Sym};
use object::{LittleEndian, SectionIndex};

use crate::fs::packed::FileBytes;

type Header = FileHeader64<LittleEndian>;

/// The file, and where it was loaded.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    file: FileBytes,
    bias: u64,
    extent: (u64, u64),
    name: &'a str,
}

/// A function's name and first address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// As in the symbol table.
    pub name: &'a str,
    /// Where it was loaded.
    pub address: u64,
}

/// A section's bytes and where it was loaded.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// As in the file.
    pub bytes: &'a [u8],
    /// Where it was loaded.
    pub address: u64,
}

impl<'a> Program<'a> {
    /// The program `file`, loaded with `bias` to `[start, end)`.
    pub fn new(file: FileBytes, bias: u64, (start, end): (u64, u64), name: &'a str) -> Self {
        Self {
            file,
            bias,
            extent: (start, end),
            name,
        }
    }

    /// The file's name without directories.
    pub fn name(&self) -> &'a str {
        self.name.rsplit('/').next().unwrap_or(self.name)
    }

    /// What was added to link-time addresses.
    pub fn bias(&self) -> u64 {
        self.bias
    }

    /// Whether `address` lies in its segments.
    pub fn contains(&self, address: u64) -> bool {
        (self.extent.0..self.extent.1).contains(&address)
    }

    /// The function that holds `address`; `None` if it was stripped.
    pub fn symbol(&self, address: u64) -> Option<Symbol<'a>> {
        let endian = LittleEndian;
        let linked = address.checked_sub(self.bias)?;
        let header = Header::parse(self.file).ok()?;
        let sections = header.sections(endian, self.file).ok()?;
        let symbols = sections
            .symbols(endian, self.file, object::elf::SHT_SYMTAB)
            .ok()?;
        let best = symbols
            .iter()
            .filter(|symbol| symbol.st_type() == STT_FUNC && symbol.st_value(endian) <= linked)
            .max_by_key(|symbol| symbol.st_value(endian))?;
        let start = best.st_value(endian);
        // A symbol without a size (assembly) reaches to the next.
        if best.st_size(endian) != 0 && linked - start >= best.st_size(endian) {
            return None;
        }
        let name = best.name(endian, symbols.strings()).ok()?;
        Some(Symbol {
            name: core::str::from_utf8(name).ok()?,
            address: start + self.bias,
        })
    }

    /// The section `name`.
    pub fn section(&self, name: &str) -> Option<Section<'a>> {
        let endian = LittleEndian;
        let header = Header::parse(self.file).ok()?;
        let sections = header.sections(endian, self.file).ok()?;
        let (_, section): (SectionIndex, _) = sections.section_by_name(endian, name.as_bytes())?;
        let bytes = section.data(endian, self.file).ok()?;
        Some(Section {
            bytes,
            address: section.sh_addr(endian).checked_add(self.bias)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_finds_itself() {
        let file = std::fs::read("/proc/self/exe")
            .expect("own executable")
            .leak();
        let here = this_test_finds_itself as fn() as usize as u64;
        // Where the dynamic loader put this program: the lowest mapping of the file.
        let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
        let exe = std::fs::read_link("/proc/self/exe").expect("link");
        let base = maps
            .lines()
            .find(|line| line.ends_with(exe.to_str().expect("UTF-8")))
            .and_then(|line| u64::from_str_radix(line.split('-').next()?, 16).ok())
            .expect("own mapping");
        let program = Program::new(FileBytes::from(&*file), base, (base, u64::MAX), "bin/me");
        let symbol = program.symbol(here + 1).expect("a symbol");
        assert!(symbol.name.contains("this_test_finds_itself"), "{symbol:?}");
        assert_eq!(symbol.address, here);
        assert_eq!(program.name(), "me");
        assert!(
            program
                .section(".eh_frame")
                .is_some_and(|section| !section.bytes.is_empty())
        );
        assert!(program.section(".nothing").is_none());
    }

    #[test]
    fn what_is_not_an_elf_file_has_no_symbols() {
        for file in [&b""[..], b"\x7fELF", &[0; 4096]] {
            assert!(
                Program::new(file.into(), 0, (0, 1), "x")
                    .symbol(0)
                    .is_none()
            );
        }
    }
}
