//! Resource limits, and how many files the server may hold.

use libos_helper::confine::limits::lower;
use rustix::process::Resource;
use std::io;

/// Most descriptors, if the hard limit admits them: one for each file that the guest remembers, one for each that it has
/// open.
const MOST_DESCRIPTORS: u64 = 262_144;

/// Descriptors that are neither: channel, folder, what is open within one request.
const RESERVED_DESCRIPTORS: u64 = 16;

/// Address space, in bytes: what the caller has mapped, and tables for as many files.
const ADDRESS_SPACE: u64 = 4 << 30;

/// Sets them, for good. For how many files there is room.
///
/// # Errors
/// That of setrlimit(2).
pub fn set() -> io::Result<usize> {
    let hard = rustix::process::getrlimit(Resource::Nofile).maximum;
    let descriptors = hard.unwrap_or(MOST_DESCRIPTORS).min(MOST_DESCRIPTORS);
    for (resource, most) in [
        (Resource::Nofile, descriptors),
        (Resource::As, ADDRESS_SPACE),
        (Resource::Core, 0),
        (Resource::Nproc, 0),
        (Resource::Memlock, 0),
    ] {
        lower(resource, most)?;
    }
    let files = descriptors.saturating_sub(RESERVED_DESCRIPTORS).max(16);
    Ok(usize::try_from(files).unwrap_or(usize::MAX))
}
