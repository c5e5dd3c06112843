//! Where the parts of an image are found.
//!
//! An image is an ELF file (`ET_DYN`, or `ET_EXEC` for a fixed-address program) whose `PT_LOAD`s
//! are the application's (rewritten in place), the libOS's, the stubs, the site table, the
//! application's file and the root file system; a `PT_NOTE` holds the manifest.

/// Owner of the image's ELF note.
pub const NOTE_NAME: &str = "libos";

/// Type of the note whose descriptor is the manifest, as UTF-8 JSON.
pub const NOTE_MANIFEST: u32 = 1;

/// Names of symbols in the libOS's ELF file that the build tool puts into the manifest.
pub mod symbols {
    /// Entry point: `fn(&'static BootInfo) -> !`.
    pub const ENTRY: &str = "_start";
    /// The handler of every host signal: `fn(signo, *siginfo, *ucontext) -> !`.
    pub const SIGNAL_ENTRY: &str = "libos_signal_entry";
    /// Where the stubs jump to.
    pub const GATE: &str = "libos_gate";
    /// First byte of the only code that executes host system calls.
    pub const HYPERCALL_START: &str = "libos_hypercall_start";
    /// Just behind the last byte of that code.
    pub const HYPERCALL_END: &str = "libos_hypercall_end";
}

/// Ends the application's file part if what lies behind the file's segments (symbols, section headers)
/// is compressed there: the part is then [`loaded`](Self::loaded) bytes of the file as they are,
/// DEFLATE data (RFC 1951) that holds the rest, and this record. Otherwise the part is the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedFile {
    /// How many bytes are as they are.
    pub loaded: u64,
    /// Length of the whole file, in bytes.
    pub len: u64,
}

impl PackedFile {
    /// Length of the record, in bytes.
    pub const SIZE: usize = 24;

    const MAGIC: [u8; 8] = *b"\x7fpacked\n";

    /// As it stands in the image.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..8].copy_from_slice(&Self::MAGIC);
        bytes[8..16].copy_from_slice(&self.loaded.to_le_bytes());
        bytes[16..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }

    /// The record at the end of `part`, and the compressed bytes before it; `None` if the part is the
    /// file as it is.
    pub fn of_part(part: &[u8]) -> Option<(Self, &[u8])> {
        let (rest, record) = part.split_last_chunk::<{ Self::SIZE }>()?;
        let (magic, words) = record.split_first_chunk()?;
        let (loaded, len) = words.split_first_chunk()?;
        let packed = Self {
            loaded: u64::from_le_bytes(*loaded),
            len: u64::from_le_bytes(*len.first_chunk()?),
        };
        let start = usize::try_from(packed.loaded).ok()?;
        let is_one = *magic == Self::MAGIC && packed.loaded <= packed.len;
        is_one.then_some((packed, rest.get(start..)?))
    }
}

/// One redirected site. Sorted by `syscall` in the image's table, so that an address in a stub can
/// be shown as the address in the application that it stands for, and back.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Link-time address of the 2-byte `syscall` instruction.
    pub syscall: u64,
    /// Link-time address of the stub's first byte.
    pub stub: u64,
    /// Link-time address of the instruction in the stub that stands for the `syscall`.
    pub call: u64,
    /// Link-time address where the application goes on; `syscall + 2`, or inside the stub if
    /// instructions behind the `syscall` were displaced.
    pub resume: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_file_is_told_from_a_plain_one() {
        let record = PackedFile { loaded: 3, len: 10 };
        let part = [b"ELFpacked bytes".as_slice(), &record.to_bytes()].concat();
        assert_eq!(
            PackedFile::of_part(&part),
            Some((record, &b"packed bytes"[..]))
        );
        assert_eq!(PackedFile::of_part(&part[..part.len() - 1]), None);
        assert_eq!(PackedFile::of_part(b"ELF"), None);
    }

    #[test]
    fn a_record_that_contradicts_itself_is_none() {
        for (loaded, len) in [(4, 3), (99, 100)] {
            let record = PackedFile { loaded, len };
            let part = [b"ELF".as_slice(), &record.to_bytes()].concat();
            assert_eq!(PackedFile::of_part(&part), None, "{record:?}");
        }
    }
}
