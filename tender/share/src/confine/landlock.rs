//! Landlock: files below the folder may be opened, changed and made, and none elsewhere, whichever descriptor leads there.

use landlock::{
    ABI, Access, AccessFs, BitFlags, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope,
};
use std::os::fd::OwnedFd;

/// The newest version that the rules are written for; an older kernel enforces what it knows of them.
const KNOWN: ABI = ABI::V5;

/// Denies every file but those below `root`. Whether that holds.
pub fn restrict(root: &OwnedFd, is_directory: bool, read_only: bool) -> bool {
    let allowed = rights(is_directory, read_only);
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rule(PathBeneath::new(root, allowed)))
        .and_then(landlock::RulesetCreated::restrict_self);
    restricted.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// What the server may do below the root: neither run programs nor make devices nor speak to them.
fn rights(is_directory: bool, read_only: bool) -> BitFlags<AccessFs> {
    let never = AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev;
    let all = match read_only {
        true => AccessFs::from_read(KNOWN),
        false => AccessFs::from_all(KNOWN),
    };
    let all = match is_directory {
        true => all,
        false => all & AccessFs::from_file(KNOWN),
    };
    all & !never
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_no_rights_of_directories() {
        let file = rights(false, false);
        assert!(file.contains(AccessFs::WriteFile | AccessFs::Truncate));
        assert!(!file.intersects(AccessFs::ReadDir | AccessFs::MakeReg | AccessFs::Execute));
        assert_eq!(rights(false, true), BitFlags::from(AccessFs::ReadFile));
        assert!(!rights(true, true).contains(AccessFs::WriteFile));
        assert!(rights(true, false).contains(AccessFs::Refer | AccessFs::MakeSym));
    }
}
