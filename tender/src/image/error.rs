//! Every reason to refuse an image, with both values: what was expected and what was found.

/// Why an image is refused.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Shorter than its headers say.
    #[error("expected {what} at bytes {start:#x}..{end:#x}, found a file of {len:#x} bytes")]
    Truncated {
        /// What should be there.
        what: &'static str,
        /// Offset of its first byte.
        start: u64,
        /// Offset behind its last byte.
        end: u64,
        /// Length of the file.
        len: u64,
    },
    /// Not an ELF file.
    #[error("expected an ELF file, found the first bytes {found:02x?}")]
    NotElf {
        /// The first bytes.
        found: Vec<u8>,
    },
    /// Another machine's ELF file.
    #[error("expected a 64-bit little-endian x86-64 file (e_machine 62), found {found}")]
    WrongMachine {
        /// Class, byte order and machine of the file.
        found: String,
    },
    /// Neither `ET_DYN` nor `ET_EXEC`.
    #[error("expected an executable (e_type 2 or 3), found e_type {found}")]
    WrongType {
        /// `e_type`.
        found: u16,
    },
    /// A header field that goblin refuses, or that has only one legal value.
    #[error("expected {expected}, found {found}")]
    Header {
        /// The field and its legal value.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A dynamically linked program.
    #[error("expected a static program, found one that asks for the dynamic linker {interpreter}")]
    Dynamic {
        /// `PT_INTERP`.
        interpreter: String,
    },
    /// No `PT_LOAD`.
    #[error("expected at least one PT_LOAD segment, found none")]
    NoSegments,
    /// A segment field out of its bounds.
    #[error("segment at {vaddr:#x}: expected {expected}, found {found:#x}")]
    Segment {
        /// The segment's `p_vaddr`.
        vaddr: u64,
        /// The rule.
        expected: &'static str,
        /// The value that breaks it.
        found: u64,
    },
    /// A segment that is writable and executable.
    #[error("segment at {vaddr:#x}: expected writable or executable memory, found both")]
    WritableAndExecutable {
        /// The segment's `p_vaddr`.
        vaddr: u64,
    },
    /// Two segments that share a page or are out of order.
    #[error(
        "segment at {second:#x}: expected an address behind the last page of the one before, \
         found one before {first_end:#x}"
    )]
    Overlap {
        /// End of the segment before, rounded up to a page.
        first_end: u64,
        /// `p_vaddr` of the later one.
        second: u64,
    },
    /// An ordinary program.
    #[error("expected the note of a libOS image, found none: not a libOS image")]
    NoManifest,
    /// A note section that is malformed, or two manifests.
    #[error("note: expected {expected}, found {found}")]
    Note {
        /// The rule.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A manifest that cannot be read.
    #[error("manifest: expected what this tender knows, found: {0}")]
    Manifest(#[source] serde_json::Error),
    /// An image for another tender.
    #[error("expected an image of ABI version {expected}, found version {found}")]
    AbiVersion {
        /// This tender's.
        expected: u32,
        /// The image's.
        found: u64,
    },
    /// A manifest field with an impossible value.
    #[error("manifest: {field}: expected {expected}, found {found}")]
    Field {
        /// Its name.
        field: &'static str,
        /// The rule.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A range of the manifest that does not lie where its use needs it.
    #[error(
        "manifest: layout.{field}: expected addresses in one segment that is {expected}, \
         found {start:#x} and {len:#x} bytes on"
    )]
    Layout {
        /// Its name.
        field: &'static str,
        /// Permissions of the segment.
        expected: &'static str,
        /// First address.
        start: u64,
        /// Length in bytes.
        len: u64,
    },
}

impl ImageError {
    /// What the user can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Dynamic { .. } => {
                "link it statically (Rust: -C target-feature=+crt-static; C: -static or -static-pie), \
                 then `cargo libos image ELF -o OUT`"
            }
            Self::NoManifest => "make an image of it: `cargo libos image ELF -o OUT`",
            Self::AbiVersion { .. } => {
                "build the image again with the `cargo libos` of the same version as this tender"
            }
            Self::WrongMachine { .. } | Self::NotElf { .. } => {
                "an image made on x86-64 Linux by `cargo libos build`"
            }
            Self::Truncated { .. } => "copy or build the image again: part of the file is missing",
            _ => "build the image again; if it stays so, report it together with the image",
        }
    }
}
