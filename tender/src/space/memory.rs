//! The one large region that the libOS hands out as heap and as the application's memory.
//!
//! It is address space, not memory: nothing is committed until touched, and the memory limit is kept
//! by the libOS. It is far larger than the limit because runtimes reserve addresses generously.

use super::region;
use crate::error::Error;
use crate::image::{Image, PAGE};
use libos_abi::boot::{LEAST_MEMORY, Span};
use rustix::mm::ProtFlags;

/// Length that is tried first, in bytes.
const WANTED: u64 = 1 << 40;

/// What the libOS needs beside the image's own writable segments, in bytes.
const MINIMUM: u64 = 4 << 20;

/// The memory limit of a run: `asked` or the manifest's, rounded up to a page.
///
/// # Errors
/// [`Error::Memory`] if it is less than the image needs or more than the host has.
pub fn limit(image: &Image, asked: Option<u64>, host: u64) -> Result<u64, Error> {
    let writable = image
        .segments
        .iter()
        .filter(|segment| segment.permissions.write);
    let least = writable
        .map(|segment| segment.end_page() - segment.first_page())
        .sum::<u64>()
        + MINIMUM;
    let found = asked.unwrap_or(image.manifest.memory);
    if (least..=host).contains(&found) {
        return Ok(found.next_multiple_of(PAGE));
    }
    Err(Error::Memory {
        expected: format!("{least} (what this image needs) to {host} bytes (what this host has)"),
        found,
    })
}

/// Reserves as much as the host admits, at least `limit` bytes and what the libOS needs to divide.
///
/// # Errors
/// [`Error::System`] if not even that is admitted.
pub fn reserve(limit: u64) -> Result<Span, Error> {
    let least = limit.max(LEAST_MEMORY);
    let mut len = WANTED;
    loop {
        match region::anywhere(len, ProtFlags::READ | ProtFlags::WRITE) {
            Ok(span) => return Ok(span),
            Err(rustix::io::Errno::NOMEM) if len / 2 >= least => len /= 2,
            Err(rustix::io::Errno::NOMEM) if len > least => len = least,
            Err(source) => {
                return Err(region::failed(
                    "mmap(2) of the memory limit, or at least 1 GiB of addresses,",
                    source,
                ));
            }
        }
    }
}
