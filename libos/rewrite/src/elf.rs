//! Reads an ELF program into what the rewriter works on, refusing what is not a static x86-64 one.
//!
//! Main type: [`Program`]: code regions, [`Facts`] about them, symbols, and where in the file an
//! address stands. Everything else in the crate speaks of addresses only. Every offset, size and
//! address is checked here; section headers are used where the file has them and never required.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};

use crate::error::Error;
use crate::find::Facts;
use crate::text::{Region, Text, to_u64};
use crate::{addresses, eh_frame, pclntab};

type Header = FileHeader64<LE>;

/// A static x86-64 program.
#[derive(Debug, Clone)]
pub struct Program<'a> {
    /// Its code.
    pub text: Text<'a>,
    /// What the file says about the code.
    pub facts: Facts<'a>,
    /// Parts of executable segments that are no code sections; also among the facts' data.
    pub(crate) unclaimed: Vec<Region<'a>>,
    segments: Vec<Segment>,
    symbols: Vec<Symbol<'a>>,
}

/// A PT_LOAD segment.
#[derive(Debug, Clone)]
struct Segment {
    memory: Range<u64>,
    file: Range<usize>,
    executable: bool,
}

#[derive(Debug, Clone, Copy)]
struct Symbol<'a> {
    vaddr: u64,
    size: u64,
    function: bool,
    name: &'a [u8],
}

impl<'a> Program<'a> {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Every variant of [`Error`] up to [`Error::NoCode`].
    pub fn parse(file: &'a [u8]) -> Result<Self, Error> {
        let header = header(file)?;
        let headers = header
            .program_headers(LE, file)
            .map_err(|_| malformed("program headers", OUTSIDE))?;
        refuse_dynamic(headers, file)?;
        let segments = segments(headers, file)?;
        let sections = header
            .sections(LE, file)
            .map_err(|_| malformed("section headers", OUTSIDE))?;
        let code = code_regions(header, &sections, &segments, file)?;
        if code.is_empty() {
            return Err(Error::NoCode);
        }
        let unclaimed = gaps(&segments, &code, file);
        let mut data = unclaimed.clone();
        data.extend(
            segments
                .iter()
                .filter(|segment| !segment.executable)
                .filter_map(|s| s.region(file)),
        );
        let memory = Text::new(
            segments
                .iter()
                .filter_map(|segment| segment.region(file))
                .collect(),
        )
        .map_err(overlap("segments"))?;
        let symbols = symbols(&sections, file)?;
        let position_dependent = header.e_type(LE) == elf::ET_EXEC;
        let mut program = Self {
            text: code,
            facts: Facts {
                addresses: if position_dependent {
                    data.clone()
                } else {
                    addresses::regions(headers, file, &memory, &data)
                },
                data,
                position_dependent,
                ..Facts::default()
            },
            unclaimed,
            segments,
            symbols,
        };
        program.collect_facts(header, headers, &sections, &memory);
        Ok(program)
    }

    fn collect_facts(
        &mut self,
        header: &Header,
        headers: &[ProgramHeader64<LE>],
        sections: &SectionTable<'a, Header>,
        memory: &Text<'a>,
    ) {
        let mut functions = self.symbol_ranges();
        let mut entries = Vec::from([header.e_entry(LE)]);
        if let Some(vaddr) = eh_frame_vaddr(headers, sections, memory) {
            let frames = eh_frame::parse(memory, vaddr);
            functions.extend(frames.functions);
            entries.extend(frames.landing_pads);
        }
        functions.extend(pclntab::functions(memory, &self.facts.data));
        let text = &self.text;
        functions.retain(|range| text.contains(range.start) && text.contains(range.end - 1));
        functions.sort_unstable_by_key(|range| (range.start, core::cmp::Reverse(range.end)));
        functions.dedup();
        entries.retain(|&entry| text.contains(entry));
        entries.sort_unstable();
        entries.dedup();
        self.facts.labels = self.symbols.iter().map(|symbol| symbol.vaddr).collect();
        self.facts.functions = functions;
        self.facts.entries = entries;
    }

    /// Ranges of function symbols. One without a size (hand-written assembly) goes on to the next name.
    fn symbol_ranges(&self) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        for (index, symbol) in self
            .symbols
            .iter()
            .enumerate()
            .filter(|(_, symbol)| symbol.function)
        {
            let end = if symbol.size > 0 {
                symbol.vaddr.checked_add(symbol.size)
            } else {
                let later = self.symbols[index..]
                    .iter()
                    .find(|other| other.vaddr > symbol.vaddr);
                let region = self.text.region(symbol.vaddr).map(Region::end);
                region.map(|end| later.map_or(end, |other| other.vaddr.min(end)))
            };
            ranges.extend(
                end.map(|end| symbol.vaddr..end)
                    .filter(|range| !range.is_empty()),
            );
        }
        ranges
    }

    /// Where in the file a range of executable addresses stands.
    #[must_use]
    pub fn file_range(&self, memory: &Range<u64>) -> Option<Range<usize>> {
        let segment = self.segments.iter().find(|segment| {
            segment.executable
                && segment.memory.start <= memory.start
                && memory.end <= segment.memory.end
        })?;
        let start = usize::try_from(memory.start - segment.memory.start).ok()?;
        let len = usize::try_from(memory.end.checked_sub(memory.start)?).ok()?;
        let start = segment.file.start.checked_add(start)?;
        let end = start.checked_add(len)?;
        (end <= segment.file.end).then_some(start..end)
    }

    /// The first segment that a range of addresses would overlap.
    #[must_use]
    pub fn overlapped(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let hit = |segment: &&Segment| {
            segment.memory.start < range.end && range.start < segment.memory.end
        };
        self.segments
            .iter()
            .find(hit)
            .map(|segment| segment.memory.clone())
    }

    /// The named symbol that holds an address, with the offset in it: `write+0x14`.
    #[must_use]
    pub fn symbol_at(&self, vaddr: u64) -> Option<String> {
        const FARTHEST_BACK: usize = 16;
        let behind = self.symbols.partition_point(|symbol| symbol.vaddr <= vaddr);
        let near = &self.symbols[behind.saturating_sub(FARTHEST_BACK)..behind];
        let holds =
            |symbol: &&Symbol<'_>| symbol.function && vaddr - symbol.vaddr < symbol.size.max(1);
        let symbol = near.iter().rev().find(holds).or_else(|| near.last())?;
        let name = String::from_utf8_lossy(symbol.name);
        Some(match vaddr - symbol.vaddr {
            0 => name.to_string(),
            offset => format!("{name}+{offset:#x}"),
        })
    }
}

impl Segment {
    fn region<'a>(&self, file: &'a [u8]) -> Option<Region<'a>> {
        Region::new(self.memory.start, file.get(self.file.clone())?)
    }
}

const OUTSIDE: &str = "expected inside the file, found (partly) behind its end; is it truncated?";

fn malformed(what: &'static str, detail: &'static str) -> Error {
    Error::Malformed { what, detail }
}

fn overlap(what: &'static str) -> impl Fn((u64, u64)) -> Error {
    move |(first, second)| Error::Overlap {
        what,
        first,
        second,
    }
}

fn header(file: &[u8]) -> Result<&Header, Error> {
    if !file.starts_with(b"\x7fELF") {
        return Err(Error::NotElf);
    }
    let ident = file.get(..16).ok_or(malformed("ELF header", OUTSIDE))?;
    if ident[4] != 2 {
        return Err(Error::Class(ident[4]));
    }
    if ident[5] != 1 {
        return Err(Error::Endianness(ident[5]));
    }
    let header = Header::parse(file).map_err(|_| malformed("ELF header", OUTSIDE))?;
    if header.e_machine(LE) != elf::EM_X86_64 {
        return Err(Error::Machine(header.e_machine(LE).0));
    }
    match header.e_type(LE) {
        elf::ET_EXEC | elf::ET_DYN => Ok(header),
        other => Err(Error::Type(other.0)),
    }
}

/// A program interpreter, or a shared library that is needed.
fn refuse_dynamic(headers: &[ProgramHeader64<LE>], file: &[u8]) -> Result<(), Error> {
    for header in headers {
        if header.p_type(LE) == elf::PT_INTERP {
            let path = header
                .data(LE, file)
                .map_err(|()| malformed("PT_INTERP", OUTSIDE))?;
            let path = path.split(|&byte| byte == 0).next().unwrap_or(&[]);
            let path = &path[..path.len().min(LONGEST_PATH)];
            let interpreter = Some(String::from_utf8_lossy(path).to_string());
            return Err(Error::Dynamic { interpreter });
        }
        let dynamic = header
            .dynamic(LE, file)
            .map_err(|_| malformed("PT_DYNAMIC", OUTSIDE))?;
        if dynamic
            .into_iter()
            .flatten()
            .any(|entry| entry.d_tag.get(LE) == elf::DT_NEEDED)
        {
            return Err(Error::Dynamic { interpreter: None });
        }
    }
    Ok(())
}

/// PATH_MAX.
const LONGEST_PATH: usize = 4096;

fn segments(headers: &[ProgramHeader64<LE>], file: &[u8]) -> Result<Vec<Segment>, Error> {
    let mut segments = Vec::new();
    for header in headers
        .iter()
        .filter(|header| header.p_type(LE) == elf::PT_LOAD)
    {
        segments.push(segment(header, file.len())?);
    }
    segments.retain(|segment| !segment.memory.is_empty());
    segments.sort_by_key(|segment| segment.memory.start);
    for pair in segments.windows(2) {
        if pair[0].memory.end > pair[1].memory.start {
            return Err(overlap("segments")((
                pair[0].memory.start,
                pair[1].memory.start,
            )));
        }
    }
    // A patch must change one place in memory only.
    let mut by_file: Vec<&Segment> = segments.iter().filter(|s| !s.file.is_empty()).collect();
    by_file.sort_by_key(|segment| segment.file.start);
    for pair in by_file.windows(2) {
        if pair[0].file.end > pair[1].file.start {
            let starts = (pair[0].memory.start, pair[1].memory.start);
            return Err(overlap("file contents of the segments")(starts));
        }
    }
    Ok(segments)
}

fn segment(header: &ProgramHeader64<LE>, file_len: usize) -> Result<Segment, Error> {
    let (start, size) = (header.p_vaddr(LE), header.p_memsz(LE));
    let end = start
        .checked_add(size)
        .ok_or(malformed("segment", "its addresses wrap around"))?;
    if header.p_filesz(LE) > size {
        return Err(malformed(
            "segment",
            "expected p_filesz up to p_memsz, found more",
        ));
    }
    let outside = || malformed("segment", OUTSIDE);
    let from = usize::try_from(header.p_offset(LE)).map_err(|_| outside())?;
    let len = usize::try_from(header.p_filesz(LE)).map_err(|_| outside())?;
    let to = from
        .checked_add(len)
        .filter(|&to| to <= file_len || len == 0)
        .ok_or_else(outside)?;
    let file = if len == 0 { 0..0 } else { from..to };
    Ok(Segment {
        memory: start..end,
        file,
        executable: header.p_flags(LE) & elf::PF_X == elf::PF_X,
    })
}

/// Executable sections as far as executable segments load them; without sections the segments.
fn code_regions<'a>(
    header: &Header,
    sections: &SectionTable<'a, Header>,
    segments: &[Segment],
    file: &'a [u8],
) -> Result<Text<'a>, Error> {
    let executable = || segments.iter().filter(|segment| segment.executable);
    let mut regions = Vec::new();
    for section in sections.iter() {
        let flags = section.sh_flags(LE);
        let code = elf::SHF_ALLOC | elf::SHF_EXECINSTR;
        if flags & code == code && section.sh_type(LE) != elf::SHT_NOBITS {
            let start = section.sh_addr(LE);
            let end = start.saturating_add(section.sh_size(LE));
            regions.extend(executable().filter_map(|segment| clip(segment, start..end, file)));
        }
    }
    if regions.is_empty() {
        let headers_end = header
            .e_phoff(LE)
            .saturating_add(u64::from(header.e_phnum(LE)) * u64::from(header.e_phentsize(LE)));
        regions.extend(executable().filter_map(|segment| {
            let from = to_u64(segment.file.start);
            let skip = if from == 0 { headers_end.max(64) } else { 0 };
            let start = segment.memory.start.saturating_add(skip);
            clip(segment, start..segment.memory.end, file)
        }));
    }
    Text::new(regions).map_err(overlap("code sections"))
}

/// The bytes that a segment loads from the file in a range of addresses.
fn clip<'a>(segment: &Segment, range: Range<u64>, file: &'a [u8]) -> Option<Region<'a>> {
    let region = segment.region(file)?;
    let start = range.start.max(region.start());
    let end = range.end.min(region.end());
    let len = usize::try_from(end.checked_sub(start).filter(|&len| len > 0)?).ok()?;
    Region::new(start, region.tail(start).get(..len)?)
}

/// What executable segments hold besides code regions.
fn gaps<'a>(segments: &[Segment], text: &Text<'_>, file: &'a [u8]) -> Vec<Region<'a>> {
    let mut found = Vec::new();
    for segment in segments.iter().filter(|segment| segment.executable) {
        let mut start = segment.memory.start;
        for region in text
            .regions()
            .iter()
            .filter(|region| segment.memory.contains(&region.start()))
        {
            found.extend(clip(segment, start..region.start(), file));
            start = region.end();
        }
        found.extend(clip(segment, start..segment.memory.end, file));
    }
    found
}

fn symbols<'a>(
    sections: &SectionTable<'a, Header>,
    file: &'a [u8],
) -> Result<Vec<Symbol<'a>>, Error> {
    let table = sections
        .symbols(LE, file, elf::SHT_SYMTAB)
        .map_err(|_| malformed("symbol table", OUTSIDE))?;
    let mut symbols: Vec<Symbol<'a>> = table
        .iter()
        .filter(|symbol| {
            symbol.st_shndx(LE) != elf::SHN_UNDEF && symbol.st_shndx(LE) != elf::SHN_ABS
        })
        .filter(|symbol| {
            !matches!(
                symbol.st_type(),
                elf::STT_SECTION | elf::STT_FILE | elf::STT_TLS
            )
        })
        .map(|symbol| Symbol {
            vaddr: symbol.st_value(LE),
            size: symbol.st_size(LE),
            function: matches!(symbol.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC),
            name: symbol.name(LE, table.strings()).unwrap_or(b"?"),
        })
        .collect();
    symbols.sort_by_key(|symbol| symbol.vaddr);
    Ok(symbols)
}

fn eh_frame_vaddr(
    headers: &[ProgramHeader64<LE>],
    sections: &SectionTable<'_, Header>,
    memory: &Text<'_>,
) -> Option<u64> {
    let header = headers
        .iter()
        .find(|header| header.p_type(LE) == elf::PT_GNU_EH_FRAME);
    header
        .and_then(|header| eh_frame::locate(memory, header.p_vaddr(LE)))
        .or_else(|| {
            let (_, section) = sections.section_by_name(LE, b".eh_frame")?;
            Some(section.sh_addr(LE))
        })
}
