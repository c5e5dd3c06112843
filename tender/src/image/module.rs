//! A driver's ELF file, parsed and validated as an image's is, without a manifest.

use super::error::ImageError;
use super::header;
use super::segment::{self, Segment};
use super::{PAGE, Placement};

/// A validated driver.
#[derive(Clone, Debug)]
pub struct Driver {
    /// Link-time address of its entry point, in an executable segment.
    pub entry: u64,
    /// The segments, ascending, no two on one page, none writable and executable.
    pub segments: Vec<Segment>,
}

impl Driver {
    /// Parses and validates a driver's file.
    ///
    /// # Errors
    /// The first rule that the file breaks.
    pub fn parse(file: &[u8]) -> Result<Self, ImageError> {
        let header = header::parse(file)?;
        let segments = segment::load_segments(&header, file)?;
        let refuse = |vaddr, expected, found| ImageError::Segment {
            vaddr,
            expected,
            found,
        };
        let first = segments.first().map_or(0, Segment::first_page);
        if header.placement == Placement::Fixed || first != 0 {
            // It relocates itself, on the assumption that it was linked at address 0.
            return Err(refuse(first, "a driver linked at address 0", first));
        }
        let is_code =
            |segment: &&Segment| segment.permissions.execute && segment.holds(header.entry, 1);
        if !segments.iter().any(|segment| is_code(&segment)) {
            return Err(refuse(
                first,
                "an entry point in executable code",
                header.entry,
            ));
        }
        Ok(Self {
            entry: header.entry,
            segments,
        })
    }

    /// Length from address 0 to behind its last page, in bytes.
    pub fn extent(&self) -> u64 {
        self.segments.last().map_or(PAGE, Segment::end_page)
    }
}
