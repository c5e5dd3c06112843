//! What the helper gives up before it looks at the first request.
//!
//! - [`alone`]: the folder as a mount of its own, to which nothing is attached.
//! - [`limits`]: descriptors, memory.
//! - [`landlock`]: the kernel's own fence around the folder.
//! - Its seccomp filter is `seccomp-profiles/share.json`; the other parts are every helper's.

pub mod landlock;
pub mod limits;

use crate::config::{Config, Ids};
use crate::raw::{self, attribute};
use libos_helper::Confinement;
use libos_helper::confine::{self, filter, profile::Profile, root};
use rustix::process::Signal;
use rustix::thread::CapabilitySet;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

/// The policy.
const PROFILE: &str = include_str!("../../../../seccomp-profiles/share.json");

/// Begins the message that the namespace's ids could not be set.
pub(crate) const NO_IDS: &str = "ids of the user namespace";

/// The ids with which the helper serves: those that opened what it is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    user: u32,
    group: u32,
}

impl Caller {
    pub(crate) fn of_this_process() -> Self {
        Self {
            user: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
        }
    }

    /// Lets the caller's ids stand for themselves in this process's user namespace; all others are nobody's.
    pub(crate) fn keep_ids(self) -> io::Result<()> {
        let Self { user, group } = self;
        for (file, text) in [
            ("/proc/self/setgroups", "deny".into()),
            ("/proc/self/uid_map", format!("{user} {user} 1")),
            ("/proc/self/gid_map", format!("{group} {group} 1")),
        ] {
            std::fs::write(file, text)
                .map_err(|error| io::Error::other(format!("{NO_IDS}: {file}: {error}")))?;
        }
        Ok(())
    }
}

/// The folder as a mount that is attached nowhere and leads nowhere: its links are not followed, its devices
/// have no effect, and if it is to be read only, the kernel sees to that. Where that is not to be had, the
/// folder as it is.
///
/// # Errors
/// That something else is at the path by now.
pub(crate) fn alone(config: &Config, folder: OwnedFd) -> io::Result<OwnedFd> {
    let path = CString::new(config.path.as_os_str().as_bytes())?;
    let Ok(tree) = raw::detached_tree(&path) else {
        return Ok(folder);
    };
    let (wanted, found) = (rustix::fs::fstat(&folder)?, rustix::fs::fstat(&tree)?);
    if (wanted.st_dev, wanted.st_ino) != (found.st_dev, found.st_ino) {
        return Err(io::Error::other("another folder than a moment ago"));
    }
    // Not NOEXEC: with it access(2) would deny what the guest may well run in its own memory.
    let mut attributes = attribute::NOSUID | attribute::NODEV | attribute::NOSYMFOLLOW;
    if config.read_only {
        attributes |= attribute::RDONLY;
    }
    match raw::set_mount_attributes(std::os::fd::AsFd::as_fd(&tree), attributes) {
        Ok(()) => Ok(tree),
        Err(_) => Ok(folder),
    }
}

/// What [`confine`] puts around, and from whom.
pub(crate) struct Fences<'a> {
    /// Whether this process has namespaces of its own.
    pub namespaces: bool,
    /// What is shared.
    pub root: &'a OwnedFd,
    /// Whether that is a directory.
    pub is_directory: bool,
    /// `/proc/self/fd`.
    pub own_files: &'a OwnedFd,
    /// The parent.
    pub parent: Option<&'a OwnedFd>,
}

/// Confines this process, in an order in which each step still may do the next.
///
/// # Errors
/// That of a step which must be possible for everyone; or that the parent is gone.
pub(crate) fn confine(config: &Config, fences: &Fences<'_>) -> io::Result<Confinement> {
    let program = filter::program(&Profile::parse(PROFILE)?)?;
    let empty_root = fences.namespaces && root::empty().is_ok();
    rustix::process::fchdir(fences.own_files)?;
    let kept = match config.ids {
        Ids::Same => serving_root(),
        Ids::Caller { .. } => CapabilitySet::empty(),
    };
    confine::drop_privileges(kept)?;
    let landlock = landlock::restrict(fences.root, fences.is_directory, config.read_only);
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    confine::refuse_orphan(fences.parent)?;
    filter::apply(&program)?;
    Ok(Confinement {
        namespaces: fences.namespaces,
        empty_root,
        landlock,
    })
}

/// What root needs to do on files what root can, and no more: no device, no capability of programs, no other process.
fn serving_root() -> CapabilitySet {
    CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::FOWNER
        | CapabilitySet::FSETID
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_compiles() {
        let profile = Profile::parse(PROFILE).expect("valid JSON");
        assert_eq!(profile.role, "share");
        let program = filter::program(&profile).expect("valid rules");
        assert!(program.len() > profile.rules.len(), "{}", program.len());
    }
}
