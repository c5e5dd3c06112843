//! Image files: parsed and validated as a whole before anything is mapped.
//!
//! - [`Image::parse`] takes the bytes of the file and answers with a value that the rest of the
//!   tender trusts: every offset lies in the file, every address in user space, no two segments
//!   share a page, nothing is writable and executable, and each range of the manifest lies in a
//!   segment with the permissions that its use needs.
//! - [`header`]: the ELF header and program headers (read with `goblin`).
//! - [`segment`]: the `PT_LOAD` segments.
//! - [`note`]: the manifest in its note.
//! - [`layout`]: the manifest against the segments.
//! - [`module`]: a driver's file, by the same rules.
//!
//! Pure: bytes in, value or [`ImageError`] out. It maps nothing; [`crate::space`] does.

mod error;
mod header;
mod layout;
mod module;
mod note;
mod segment;

pub use error::ImageError;
pub use module::Driver;
pub use segment::{Permissions, Segment, USER_END};

use libos_abi::PAGE_SIZE;
use libos_abi::manifest::{Manifest, Mode};

/// Size of a page, for address arithmetic.
pub const PAGE: u64 = PAGE_SIZE as u64;

/// Whether the image may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// `ET_DYN`: any page-aligned base.
    Anywhere,
    /// `ET_EXEC`: at its link-time addresses.
    Fixed,
}

/// A validated image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Where it may be placed.
    pub placement: Placement,
    /// Link-time address of the libOS's entry point.
    pub entry: u64,
    /// The segments, ascending, no two on one page.
    pub segments: Vec<Segment>,
    /// What it asks for.
    pub manifest: Manifest,
}

impl Image {
    /// Parses and validates a whole image file.
    ///
    /// # Errors
    /// The first rule that the file breaks.
    pub fn parse(file: &[u8]) -> Result<Self, ImageError> {
        let header = header::parse(file)?;
        let segments = segment::load_segments(&header, file)?;
        let manifest = note::manifest(&header, file)?;
        let image = Self {
            placement: header.placement,
            entry: header.entry,
            segments,
            manifest,
        };
        layout::check(&image)?;
        Ok(image)
    }

    /// Link-time addresses from the first to behind the last page of all segments.
    pub fn extent(&self) -> std::ops::Range<u64> {
        let first = self.segments.first().map_or(0, Segment::first_page);
        let end = self.segments.last().map_or(0, Segment::end_page);
        first..end
    }

    /// Whether stray calls trap to the libOS instead of ending the process.
    pub fn is_compat(&self) -> bool {
        self.manifest.mode == Mode::Compat
    }
}
