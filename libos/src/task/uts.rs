//! The names that uname(2) tells.
//!
//! The kernel release is a fixed one: programs choose features by it, and it must not depend on the
//! host. 6.12 is the long-term kernel whose system-call table this libOS follows most closely.

use crate::sync::SpinLock;
use crate::user::Plain;

/// Length of each field of `struct utsname`, its NUL included.
pub const FIELD: usize = 65;

/// `sysname`.
pub const SYSNAME: &str = "Linux";
/// `release`.
pub const RELEASE: &str = "6.12.0-libos";
/// `version`.
pub const VERSION: &str = concat!("#1 SMP PREEMPT_DYNAMIC libOS ", env!("CARGO_PKG_VERSION"));
/// `machine`.
pub const MACHINE: &str = "x86_64";

/// `struct new_utsname`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct UtsName {
    /// Operating system.
    pub sysname: [u8; FIELD],
    /// Host name.
    pub nodename: [u8; FIELD],
    /// Kernel release.
    pub release: [u8; FIELD],
    /// Kernel version.
    pub version: [u8; FIELD],
    /// Hardware name.
    pub machine: [u8; FIELD],
    /// NIS domain name.
    pub domainname: [u8; FIELD],
}

// SAFETY: arrays of bytes: every pattern is valid, nothing is owned.
unsafe impl Plain for UtsName {}

#[derive(Clone, Copy)]
struct Names {
    host: [u8; FIELD],
    domain: [u8; FIELD],
}

static NAMES: SpinLock<Names> = SpinLock::new(Names {
    host: field(b"localhost"),
    domain: field(b"(none)"),
});

/// `text`, cut to what fits before the NUL.
const fn field(text: &[u8]) -> [u8; FIELD] {
    let mut bytes = [0; FIELD];
    let mut at = 0;
    while at < text.len() && at < FIELD - 1 {
        bytes[at] = text[at];
        at += 1;
    }
    bytes
}

/// Sets the host name; an empty one leaves `localhost`.
pub fn set_hostname(name: &[u8]) {
    if !name.is_empty() {
        NAMES.lock().host = field(name);
    }
}

/// The host name, NUL-padded.
pub fn hostname() -> [u8; FIELD] {
    NAMES.lock().host
}

/// What uname(2) answers.
pub fn uname() -> UtsName {
    let names = *NAMES.lock();
    UtsName {
        sysname: field(SYSNAME.as_bytes()),
        nodename: names.host,
        release: field(RELEASE.as_bytes()),
        version: field(VERSION.as_bytes()),
        machine: field(MACHINE.as_bytes()),
        domainname: names.domain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_and_still_ends_in_nul() {
        let cut = field(&[b'x'; 100]);
        assert_eq!(cut[FIELD - 2], b'x');
        assert_eq!(cut[FIELD - 1], 0);
        assert_eq!(size_of::<UtsName>(), 390);
    }

    #[test]
    fn uname_tells_a_linux_of_a_fixed_release() {
        let names = uname();
        assert!(names.sysname.starts_with(b"Linux\0"));
        assert!(names.release.starts_with(b"6."));
        assert!(names.machine.starts_with(b"x86_64\0"));
    }
}
