//! Addresses of named places in the libOS's ELF file.

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, Sym};

/// The values of `names` in the file's symbol table, in their order.
///
/// # Errors
/// The first name that is not defined there, or why the table cannot be read.
pub fn find<const N: usize>(file: &[u8], names: [&str; N]) -> Result<[u64; N], String> {
    let table = read(file).map_err(|error| format!("its symbol table is malformed: {error}"))?;
    let mut values = [0; N];
    for (value, name) in values.iter_mut().zip(names) {
        let found = table.iter().find(|(symbol, _)| *symbol == name.as_bytes());
        *value = found.ok_or_else(|| format!("it has no symbol `{name}`"))?.1;
    }
    Ok(values)
}

fn read(file: &[u8]) -> Result<Vec<(&[u8], u64)>, object::read::Error> {
    let header = FileHeader64::<Endianness>::parse(file)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, file)?;
    let symbols = sections.symbols(endian, file, object::elf::SHT_SYMTAB)?;
    symbols
        .iter()
        .filter(|symbol| !symbol.is_undefined(endian))
        .map(|symbol| {
            Ok((
                symbol.name(endian, symbols.strings())?,
                symbol.st_value(endian),
            ))
        })
        .collect()
}
