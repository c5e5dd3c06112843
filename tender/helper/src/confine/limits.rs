//! Resource limits.

use rustix::process::{Resource, Rlimit};
use std::io;

/// Never raises a limit that is lower already. The hard limit too, for good.
///
/// # Errors
/// That of setrlimit(2).
pub fn lower(resource: Resource, most: u64) -> io::Result<()> {
    let hard = rustix::process::getrlimit(resource).maximum;
    let limit = Some(hard.map_or(most, |hard| hard.min(most)));
    Ok(rustix::process::setrlimit(
        resource,
        Rlimit {
            current: limit,
            maximum: limit,
        },
    )?)
}
