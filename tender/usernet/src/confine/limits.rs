//! Resource limits, and what follows from them for the helper's tables.

use libos_helper::confine::limits::lower;
use rustix::process::Resource;
use std::io;

/// Most descriptors, if the hard limit admits them: one for each flow, and some.
const MOST_DESCRIPTORS: u64 = 20_000;

/// Descriptors that are not flows: channel, epoll, published ports, what is being accepted.
const RESERVED_DESCRIPTORS: u64 = 128;

/// Address space, in bytes. Buffers of idle connections are address space without memory, so that it is
/// far above what is ever resident.
const ADDRESS_SPACE: u64 = 16 << 30;

/// What the limits leave room for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sockets for flows of all kinds together.
    pub flows: usize,
}

/// Sets them, for good: the hard limits too.
///
/// # Errors
/// That of setrlimit(2).
pub fn set() -> io::Result<Limits> {
    let hard = rustix::process::getrlimit(Resource::Nofile).maximum;
    let descriptors = hard.unwrap_or(MOST_DESCRIPTORS).min(MOST_DESCRIPTORS);
    for (resource, most) in [
        (Resource::Nofile, descriptors),
        (Resource::As, ADDRESS_SPACE),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nproc, 0),
        (Resource::Memlock, 0),
    ] {
        lower(resource, most)?;
    }
    let flows = descriptors.saturating_sub(RESERVED_DESCRIPTORS).max(16);
    Ok(Limits {
        flows: usize::try_from(flows).unwrap_or(usize::MAX),
    })
}
