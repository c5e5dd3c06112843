//! One writer, or any number of readers, of a disk.
//!
//! The lock is one of the open file description (fcntl(2), F_OFD_SETLK): it holds for as long as the guest has its
//! handle, whatever number that has, and goes with the process, however that ends. It is advisory: programs that do not
//! lock are not kept out.

use super::error::DiskError;
use super::spec::Spec;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Locks all of the disk, or says who is in the way.
///
/// # Errors
/// [`DiskError::InUse`], [`DiskError::System`].
pub fn lock(file: &File, spec: &Spec) -> Result<(), DiskError> {
    let kind = match spec.read_only {
        true => libc::F_RDLCK,
        false => libc::F_WRLCK,
    };
    let whole = libc::flock {
        l_type: i16::try_from(kind).unwrap_or_default(),
        l_whence: 0,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: F_OFD_SETLK reads one `struct flock`, of the length that it takes on x86-64.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const whole) } == 0 {
        return Ok(());
    }
    let source = io::Error::last_os_error();
    let option = spec.typed.clone();
    Err(match source.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => DiskError::InUse {
            option,
            read_only: spec.read_only,
        },
        _ => DiskError::System {
            option,
            call: "fcntl(F_OFD_SETLK)",
            source,
        },
    })
}
