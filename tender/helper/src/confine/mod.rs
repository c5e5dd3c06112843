//! What helpers give up: the parts, from which each helper puts its own fence together.
//!
//! - [`root`]: an empty root directory, in a mount namespace of its own.
//! - [`limits`]: resource limits.
//! - [`profile`], [`filter`]: a seccomp filter, from a file of `seccomp-profiles/`.
//!
//! Namespaces, the empty root and Landlock hold where the host allows them: [`Confinement`] tells which.
//! Capabilities, no_new_privs and the filter are not optional: without them a helper does not run.

pub mod filter;
pub mod limits;
pub mod profile;
pub mod root;

use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::io;
use std::os::fd::OwnedFd;

/// Which of the optional fences stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// Mount, PID, IPC, UTS and cgroup namespaces of its own, and of users where that helps.
    pub namespaces: bool,
    /// Its root directory is empty.
    pub empty_root: bool,
    /// Landlock denies every file that is not what the helper is for.
    pub landlock: bool,
}

impl Confinement {
    /// For the helper's answer.
    pub(crate) fn to_byte(self) -> u8 {
        u8::from(self.namespaces) | u8::from(self.empty_root) << 1 | u8::from(self.landlock) << 2
    }

    /// From the helper's answer.
    pub(crate) fn from_byte(byte: u8) -> Self {
        Self {
            namespaces: byte & 1 != 0,
            empty_root: byte & 2 != 0,
            landlock: byte & 4 != 0,
        }
    }
}

/// No new privileges, no capability but those in `kept`, and no look into this process for others.
///
/// # Errors
/// That of prctl(2), capget(2) or capset(2).
pub fn drop_privileges(kept: CapabilitySet) -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    let _ = rustix::thread::clear_ambient_capability_set();
    let kept = match kept.is_empty() {
        true => kept,
        false => kept & rustix::thread::capabilities(None)?.permitted,
    };
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    Ok(rustix::process::set_dumpable_behavior(
        DumpableBehavior::NotDumpable,
    )?)
}

/// The parent may have died already.
///
/// # Errors
/// That it has.
pub fn refuse_orphan(parent: Option<&OwnedFd>) -> io::Result<()> {
    let Some(parent) = parent else {
        return Ok(());
    };
    let mut polled = [rustix::event::PollFd::new(
        parent,
        rustix::event::PollFlags::IN,
    )];
    let now = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    if rustix::event::poll(&mut polled, Some(&now))? != 0 {
        return Err(io::Error::other("a parent that is gone"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fences_survive_the_answer() {
        for byte in 0..8 {
            assert_eq!(Confinement::from_byte(byte).to_byte(), byte);
        }
    }
}
