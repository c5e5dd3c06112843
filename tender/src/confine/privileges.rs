//! Privileges: given up for good, in an order in which each step still may do the next.
//!
//! The filter leaves no call with which any of this could be used; it is dropped all the same, because
//! each of the seven calls is judged by the kernel with the credentials of the process, and because a
//! second fence should not lean on the first. User and group stay the caller's: they decide what the
//! handles, which are open already, could reach.

use crate::error::{Error, Step};
use rustix::thread::{CapabilitiesSecureBits as SecureBits, CapabilitySet, CapabilitySets};

/// no_new_privs, supplementary groups, capabilities.
///
/// # Errors
/// [`Error::System`] if a step fails that must be possible for everyone.
pub fn drop_all() -> Result<(), Error> {
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| failed("prctl(PR_SET_NO_NEW_PRIVS)", error))?;
    drop_groups();
    let sets = rustix::thread::capabilities(None).map_err(|error| failed("capget(2)", error))?;
    if sets.permitted.contains(CapabilitySet::SETPCAP) {
        lock_root_out()?;
    }
    if !(sets.permitted | sets.effective | sets.inheritable).is_empty() {
        drop_capabilities()?;
    }
    Ok(())
}

/// Only root, or CAP_SETGID, may; in a user namespace without setgroups(2) nobody may. The groups that
/// then remain are the caller's own.
fn drop_groups() {
    let _ = rustix::thread::set_thread_groups(&[]);
}

/// So that being user 0 gives no capability back, ever: one call, where emptying the bounding set takes
/// 41 (55 µs), and with no_new_privs to the same effect: execve(2) of whatever file gains nothing.
fn lock_root_out() -> Result<(), Error> {
    let bits = SecureBits::NO_ROOT
        | SecureBits::NO_ROOT_LOCKED
        | SecureBits::NO_SETUID_FIXUP
        | SecureBits::NO_SETUID_FIXUP_LOCKED
        | SecureBits::KEEP_CAPS_LOCKED
        | SecureBits::NO_CAP_AMBIENT_RAISE
        | SecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    rustix::thread::set_capabilities_secure_bits(bits)
        .map_err(|error| failed("prctl(PR_SET_SECUREBITS)", error))
}

fn drop_capabilities() -> Result<(), Error> {
    let _ = rustix::thread::clear_ambient_capability_set();
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).map_err(|error| failed("capset(2)", error))
}

fn failed(call: &'static str, source: rustix::io::Errno) -> Error {
    Error::System {
        step: Step::Privileges,
        call,
        source: source.into(),
    }
}
