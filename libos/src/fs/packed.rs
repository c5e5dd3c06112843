//! Bytes of a file in the image, which may not lie in one piece.
//!
//! Main types: [`FileBytes`], [`Rest`], [`Packed`]. The program's own file is such: what its segments
//! show lies in memory as it is; the rest, symbols above all, is only read for a backtrace, and unpacked
//! when it first is. So are files of the root image with a tail or with holes. Neighbours:
//! [`crate::fs::tmpfs`] and the crash report read it; the build tool writes it ([`PackedFile`]).

use alloc::boxed::Box;
use alloc::vec::Vec;

use libos_abi::boot::Span;
use libos_abi::image::PackedFile;
use libos_erofs::{Chunks, Run};
use object::read::ReadRef;

use crate::fs::inflate::inflate;
use crate::sync::SpinLock;

/// A file's bytes, in one part or two.
#[derive(Clone, Copy, Default)]
pub struct FileBytes {
    /// The beginning, or all.
    pub plain: &'static [u8],
    /// What follows.
    pub rest: Rest,
}

/// What follows the beginning of a file.
#[derive(Clone, Copy, Default)]
pub enum Rest {
    /// Nothing.
    #[default]
    None,
    /// These bytes.
    Plain(&'static [u8]),
    /// Bytes that are unpacked first.
    Packed(&'static Packed),
    /// Chunks of the root image.
    Chunks(&'static Chunks<'static>),
}

impl Rest {
    /// How many bytes there are.
    pub fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Plain(bytes) => bytes.len(),
            Self::Packed(packed) => packed.len(),
            Self::Chunks(chunks) => usize::try_from(chunks.size()).unwrap_or(usize::MAX),
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The bytes from `offset` on as far as they lie together; none at the end.
    fn run_from(self, offset: usize) -> &'static [u8] {
        /// What holes show.
        static ZEROES: [u8; 512] = [0; 512];
        let bytes = match self {
            Self::None => &[],
            Self::Plain(bytes) => bytes,
            Self::Packed(packed) => packed.unpacked(),
            Self::Chunks(chunks) => {
                return match chunks.run(offset as u64) {
                    Run::Bytes(bytes) => bytes,
                    Run::Hole(len) => {
                        &ZEROES[..usize::try_from(len).map_or(512, |len| len.min(512))]
                    }
                };
            }
        };
        bytes.get(offset..).unwrap_or(&[])
    }

    /// The bytes, if they lie together.
    fn whole(self) -> &'static [u8] {
        match self {
            Self::Chunks(_) => &[],
            other => other.run_from(0),
        }
    }
}

impl FileBytes {
    /// The program's file, which the image's part `part` holds.
    pub fn of_part(part: &'static [u8]) -> Self {
        let Some((record, bytes)) = PackedFile::of_part(part) else {
            return part.into();
        };
        let split = part.len() - bytes.len() - PackedFile::SIZE;
        let rest = Packed {
            bytes,
            len: usize::try_from(record.len - record.loaded).unwrap_or(0),
            unpacked: SpinLock::new(None),
        };
        Self {
            plain: &part[..split],
            rest: Rest::Packed(Box::leak(Box::new(rest))),
        }
    }
}

/// The bytes of a span of the image.
pub fn span_bytes(span: Span) -> &'static [u8] {
    let (Ok(start), Ok(len)) = (usize::try_from(span.start), usize::try_from(span.len)) else {
        return &[];
    };
    if len == 0 {
        return &[];
    }
    // SAFETY: the boot information's spans of the image stay mapped, readable and unchanged.
    unsafe { core::slice::from_raw_parts(start as *const u8, len) }
}

impl From<&'static [u8]> for FileBytes {
    fn from(plain: &'static [u8]) -> Self {
        Self {
            plain,
            rest: Rest::None,
        }
    }
}

/// Bytes that are unpacked when they are first wanted.
pub struct Packed {
    bytes: &'static [u8],
    len: usize,
    unpacked: SpinLock<Option<&'static [u8]>>,
}

impl Packed {
    /// How many bytes it holds.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The bytes; none if they are damaged or there is no memory for them.
    pub fn unpacked(&self) -> &'static [u8] {
        let mut unpacked = self.unpacked.lock();
        unpacked.get_or_insert_with(|| Vec::leak(inflate(self.bytes, self.len).unwrap_or_default()))
    }
}

/// For parsers of ELF files. No structure lies in both parts: one ends with the last segment.
impl<'a> ReadRef<'a> for FileBytes {
    fn len(self) -> Result<u64, ()> {
        Ok(self.size() as u64)
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        let (part, offset) = self.part(offset)?;
        part.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(
        self,
        range: core::ops::Range<u64>,
        delimiter: u8,
    ) -> Result<&'a [u8], ()> {
        let (part, start) = self.part(range.start)?;
        let end =
            (part.len() as u64).min(start.saturating_add(range.end.saturating_sub(range.start)));
        part.read_bytes_at_until(start..end, delimiter)
    }
}

impl FileBytes {
    /// How many bytes there are.
    pub fn size(self) -> usize {
        self.plain.len().saturating_add(self.rest.len())
    }

    /// The bytes from `offset` on as far as they lie together; none at the end.
    pub fn run_from(self, offset: usize) -> &'static [u8] {
        match offset.checked_sub(self.plain.len()) {
            None => &self.plain[offset..],
            Some(behind) => self.rest.run_from(behind),
        }
    }

    /// The part that holds the byte at `offset`, and where in it.
    fn part(self, offset: u64) -> Result<(&'static [u8], u64), ()> {
        match offset.checked_sub(self.plain.len() as u64) {
            Some(behind) if !self.rest.is_empty() => Ok((self.rest.whole(), behind)),
            _ => Ok((self.plain, offset)),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use miniz_oxide::deflate::compress_to_vec;

    /// A file in two parts, the first of `loaded` bytes.
    pub fn packed(bytes: &[u8], loaded: usize) -> FileBytes {
        let record = PackedFile {
            loaded: loaded as u64,
            len: bytes.len() as u64,
        };
        let rest = compress_to_vec(&bytes[loaded..], 9);
        let part = [&bytes[..loaded], &rest, &record.to_bytes()].concat();
        FileBytes::of_part(Vec::leak(part))
    }

    #[test]
    fn both_parts_are_read() {
        let file = packed(b"segments;symbols\0sections", 9);
        assert_eq!(file.len(), Ok(25));
        assert_eq!(file.plain, b"segments;");
        assert_eq!(file.read_bytes_at(0, 8), Ok(&b"segments"[..]));
        assert_eq!(file.read_bytes_at(9, 7), Ok(&b"symbols"[..]));
        assert_eq!(file.read_bytes_at_until(11..25, 0), Ok(&b"mbols"[..]));
        assert_eq!(file.read_bytes_at(9, 17), Err(()));
        assert_eq!(file.read_bytes_at(4, 8), Err(()), "not across the parts");
    }

    #[test]
    fn a_damaged_rest_is_empty() {
        let mut part = b"ELFELFELF".to_vec();
        part.extend(PackedFile { loaded: 3, len: 99 }.to_bytes());
        let file = FileBytes::of_part(Vec::leak(part));
        assert_eq!(file.rest.whole(), b"");
        assert_eq!(file.read_bytes_at(3, 1), Err(()));
    }

    #[test]
    fn a_plain_file_has_one_part() {
        let file = FileBytes::of_part(b"ELF file");
        assert!(matches!(file.rest, Rest::None));
        assert_eq!(file.read_bytes_at(4, 4), Ok(&b"file"[..]));
    }
}
