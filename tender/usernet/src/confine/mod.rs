//! What the helper gives up before it looks at the first frame.
//!
//! - [`limits`]: memory, descriptors, processes, files.
//! - Its seccomp filter is `seccomp-profiles/usernet.json`; the other parts are every helper's.

pub mod limits;

use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetStatus, Scope};
use libos_helper::Confinement;
use libos_helper::confine::{self, filter, profile::Profile, root};
use rustix::thread::CapabilitySet;
use std::io;
use std::os::fd::OwnedFd;

const PROFILE: &str = include_str!("../../../../seccomp-profiles/usernet.json");

/// Confines this process, in an order in which each step still may do the next.
///
/// # Errors
/// That of a step which must be possible for everyone; or that the parent is gone.
pub fn confine(namespaces: bool, parent: Option<&OwnedFd>) -> io::Result<Confinement> {
    let program = filter::program(&Profile::parse(PROFILE)?)?;
    let empty_root = namespaces && root::empty().is_ok();
    let _ = rustix::thread::set_thread_groups(&[]);
    confine::drop_privileges(CapabilitySet::empty())?;
    let landlock = deny_files();
    confine::refuse_orphan(parent)?;
    filter::apply(&program)?;
    Ok(Confinement {
        namespaces,
        empty_root,
        landlock,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_compiles() {
        let profile = Profile::parse(PROFILE).expect("valid JSON");
        assert_eq!(profile.role, "usernet");
        let program = filter::program(&profile).expect("valid rules");
        assert!(program.len() > profile.rules.len(), "{}", program.len());
    }
}
