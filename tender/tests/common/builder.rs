//! Images made by hand, field by field, so that each test can break one of them.

use libos_abi::ABI_VERSION;
use libos_abi::manifest::{App, Layout, Manifest, Range};

/// `PF_*` flags.
pub const R: u32 = 4;
pub const W: u32 = 2;
pub const X: u32 = 1;

pub const PAGE: u64 = 4096;

/// `e_type` values.
pub const ET_EXEC: u16 = 2;
pub const ET_DYN: u16 = 3;

pub const PT_LOAD: u32 = 1;
pub const PT_INTERP: u32 = 3;
pub const PT_NOTE: u32 = 4;

/// One program header, as it will stand in the file.
#[derive(Clone, Debug)]
pub struct ProgramHeader {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub vaddr: u64,
    pub filesz: u64,
    pub memsz: u64,
    pub align: u64,
}

/// An image: change any field, then [`ImageBuilder::build`].
#[derive(Clone, Debug)]
pub struct ImageBuilder {
    pub ident: [u8; 16],
    pub kind: u16,
    pub machine: u16,
    pub entry: u64,
    pub header_size: u16,
    pub headers: Vec<ProgramHeader>,
    /// Contents, by file offset.
    pub contents: Vec<(u64, Vec<u8>)>,
    pub manifest: Manifest,
    /// The note's descriptor, if it is not to be the manifest.
    pub note: Option<Vec<u8>>,
    pub note_name: &'static str,
    /// The file is cut, or filled up, to this length.
    pub len: Option<usize>,
}

impl ImageBuilder {
    /// An empty image without segments.
    pub fn new(kind: u16) -> Self {
        let mut ident = [0; 16];
        ident[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
        Self {
            ident,
            kind,
            machine: 62,
            entry: 0,
            header_size: 56,
            headers: Vec::new(),
            contents: Vec::new(),
            manifest: Manifest {
                abi_version: ABI_VERSION,
                name: "test".into(),
                exe_path: "/test".into(),
                cwd: "/".into(),
                hostname: "test".into(),
                memory: 64 << 20,
                ..Manifest::default()
            },
            note: None,
            note_name: "libos",
            len: None,
        }
    }

    /// A small image that passes every check: an application (text, data with BSS), a libOS (text),
    /// stubs, a site table, the application's file and a root file system.
    pub fn valid() -> Self {
        let mut image = Self::new(ET_DYN);
        let app_text = image.load(0x1_0000, R | X, vec![0xc3; 64], 64);
        let app_data = image.load(0x1_1000, R | W, vec![1; 100], 3 * PAGE);
        let libos = image.load(0x2_0000, R | X, vec![0xcc; 0x200], 0x200);
        let stubs = image.load(0x2_2000, R | X, vec![0xcc; 64], 64);
        let tables = image.load(0x2_3000, R, vec![0; 0x300], 0x300);
        image.entry = libos;
        image.manifest.layout = Layout {
            app: Range {
                start: app_text,
                len: app_data + 3 * PAGE - app_text,
            },
            libos: Range {
                start: libos,
                len: 0x200,
            },
            hypercall: Range {
                start: libos + 0x100,
                len: 0x40,
            },
            signal_entry: libos + 0x40,
            gate: libos + 0x80,
            stubs: Range {
                start: stubs,
                len: 64,
            },
            sites: Range {
                start: tables,
                len: 64,
            },
            app_file: Range {
                start: tables + 0x40,
                len: 0x100,
            },
            rootfs: Range {
                start: tables + 0x140,
                len: 0x100,
            },
        };
        image.manifest.app = App {
            relocatable: true,
            entry: app_text + 8,
            phdr: 0,
            phnum: 0,
        };
        image
    }

    /// Adds a `PT_LOAD` at the next free place of the file; answers with its address.
    pub fn load(&mut self, vaddr: u64, flags: u32, data: Vec<u8>, memsz: u64) -> u64 {
        let end = self
            .contents
            .iter()
            .map(|(offset, data)| offset + data.len() as u64)
            .max();
        let offset = end.unwrap_or(PAGE).next_multiple_of(PAGE) + vaddr % PAGE;
        self.headers.push(ProgramHeader {
            kind: PT_LOAD,
            flags,
            offset,
            vaddr,
            filesz: data.len() as u64,
            memsz,
            align: PAGE,
        });
        self.contents.push((offset, data));
        vaddr
    }

    /// The file.
    pub fn build(&self) -> Vec<u8> {
        let mut image = self.clone();
        let note = image.note_bytes();
        let end = image
            .contents
            .iter()
            .map(|(offset, data)| offset + data.len() as u64)
            .max();
        let offset = end.unwrap_or(PAGE).next_multiple_of(8);
        image.headers.push(ProgramHeader {
            kind: PT_NOTE,
            flags: R,
            offset,
            vaddr: 0,
            filesz: note.len() as u64,
            memsz: note.len() as u64,
            align: 4,
        });
        image.contents.push((offset, note));
        let mut file = vec![
            0;
            image
                .contents
                .iter()
                .map(|(at, data)| index(*at) + data.len())
                .max()
                .unwrap_or(0)
        ];
        for (offset, data) in &image.contents {
            file[index(*offset)..][..data.len()].copy_from_slice(data);
        }
        file[..64].copy_from_slice(&image.elf_header());
        for (index, header) in image.headers.iter().enumerate() {
            file[64 + 56 * index..][..56].copy_from_slice(&header.bytes());
        }
        if let Some(len) = self.len {
            file.resize(len, 0);
        }
        file
    }

    fn note_bytes(&self) -> Vec<u8> {
        let json = self.manifest.to_json().expect("plain data");
        let desc = self.note.clone().unwrap_or(json);
        let mut note = Vec::new();
        let name = [self.note_name.as_bytes(), b"\0"].concat();
        for word in [name.len(), desc.len(), 1] {
            note.extend(u32::try_from(word).expect("small").to_le_bytes());
        }
        for mut part in [name, desc] {
            part.resize(part.len().next_multiple_of(4), 0);
            note.extend(part);
        }
        note
    }

    fn elf_header(&self) -> [u8; 64] {
        let mut header = Vec::new();
        header.extend(self.ident);
        header.extend(self.kind.to_le_bytes());
        header.extend(self.machine.to_le_bytes());
        header.extend(1u32.to_le_bytes());
        header.extend(self.entry.to_le_bytes());
        header.extend(64u64.to_le_bytes());
        header.extend(0u64.to_le_bytes());
        header.extend(0u32.to_le_bytes());
        let count = u16::try_from(self.headers.len()).expect("few");
        for half in [64, self.header_size, count, 64, 0, 0] {
            header.extend(half.to_le_bytes());
        }
        header.try_into().expect("64 bytes")
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a small file")
}

impl ProgramHeader {
    fn bytes(&self) -> [u8; 56] {
        let mut bytes = Vec::new();
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(self.flags.to_le_bytes());
        for word in [
            self.offset,
            self.vaddr,
            self.vaddr,
            self.filesz,
            self.memsz,
            self.align,
        ] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.try_into().expect("56 bytes")
    }
}
