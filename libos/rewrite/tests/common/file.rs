//! Writes small ELF files from nothing.

/// Where [`program`] loads its code.
pub const CODE_VADDR: u64 = 0x40_1000;

/// A program header with the bytes that it describes.
#[derive(Clone)]
pub struct Segment {
    pub kind: u32,
    pub flags: u32,
    pub vaddr: u64,
    pub bytes: Vec<u8>,
    pub memory: u64,
}

/// A PT_LOAD segment, readable and executable.
pub fn segments(code: &[u8]) -> Vec<Segment> {
    let memory = u64::try_from(code.len()).unwrap();
    vec![Segment {
        kind: 1,
        flags: 5,
        vaddr: CODE_VADDR,
        bytes: code.to_vec(),
        memory,
    }]
}

/// A fixed-address program whose entry is the first byte of its code. Without sections.
pub fn program(code: &[u8]) -> Vec<u8> {
    elf(&segments(code))
}

/// A file with these segments, their bytes one after another behind the headers.
pub fn elf(segments: &[Segment]) -> Vec<u8> {
    let mut file = Vec::from(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file.extend_from_slice(&[2, 0, 62, 0, 1, 0, 0, 0]); // ET_EXEC, x86-64, version
    file.extend_from_slice(&CODE_VADDR.to_le_bytes());
    file.extend_from_slice(&64u64.to_le_bytes()); // program headers
    file.extend_from_slice(&0u64.to_le_bytes()); // section headers
    file.extend_from_slice(&[0, 0, 0, 0, 64, 0, 56, 0]);
    file.extend_from_slice(&u16::try_from(segments.len()).unwrap().to_le_bytes());
    file.extend_from_slice(&[64, 0, 0, 0, 0, 0]);
    let mut offset = u64::try_from(64 + 56 * segments.len()).unwrap();
    for segment in segments {
        let len = u64::try_from(segment.bytes.len()).unwrap();
        file.extend_from_slice(&segment.kind.to_le_bytes());
        file.extend_from_slice(&segment.flags.to_le_bytes());
        for value in [
            offset,
            segment.vaddr,
            segment.vaddr,
            len,
            segment.memory,
            4096,
        ] {
            file.extend_from_slice(&value.to_le_bytes());
        }
        offset += len;
    }
    segments
        .iter()
        .for_each(|segment| file.extend_from_slice(&segment.bytes));
    file
}
