//! What the helper gives up before it looks at the first frame.
//!
//! - [`root`]: an empty root directory, in its own mount namespace.
//! - [`limits`]: memory, descriptors, processes, files.
//! - [`profile`], [`filter`]: its seccomp filter, from `seccomp-profiles/usernet.json`.
//!
//! Namespaces, the empty root and Landlock hold where the host allows them: [`Confinement`] tells which.
//! Capabilities, no_new_privs and the filter are not optional: without them the helper does not run.

pub mod filter;
pub mod limits;
pub mod profile;
mod root;

use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::io;
use std::os::fd::OwnedFd;

/// Which of the optional fences stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// User, mount, PID, IPC, UTS and cgroup namespaces of its own.
    pub namespaces: bool,
    /// Its root directory is empty.
    pub empty_root: bool,
    /// Landlock denies every file.
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

/// Confines this process, in an order in which each step still may do the next.
///
/// # Errors
/// That of a step which must be possible for everyone; or that the parent is gone.
pub fn confine(namespaces: bool, parent: Option<&OwnedFd>) -> io::Result<Confinement> {
    let program = filter::program(&profile::Profile::built_in()?)?;
    let empty_root = namespaces && root::empty().is_ok();
    rustix::thread::set_no_new_privs(true)?;
    let _ = rustix::thread::set_thread_groups(&[]);
    drop_capabilities()?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let landlock = deny_files();
    refuse_orphan(parent)?;
    filter::apply(&program)?;
    Ok(Confinement {
        namespaces,
        empty_root,
        landlock,
    })
}

fn drop_capabilities() -> io::Result<()> {
    let _ = rustix::thread::clear_ambient_capability_set();
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    Ok(rustix::thread::set_capabilities(None, none)?)
}

/// Every access to files, and signals and abstract UNIX sockets to others. Whether it holds.
fn deny_files() -> bool {
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    restricted.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// The parent may have died already.
fn refuse_orphan(parent: Option<&OwnedFd>) -> io::Result<()> {
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
