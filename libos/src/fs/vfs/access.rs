//! Whose permissions count, and what they permit.

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::fs::inode::{FileType, Inode, Ownership};

bitflags::bitflags! {
    /// What somebody wants to do; the numbers of access(2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct AccessMode: u32 {
        /// Execute a file, search a directory.
        const EXECUTE = 1;
        /// Write.
        const WRITE = 2;
        /// Read.
        const READ = 4;
    }
}

/// The ids that count for file-system permissions (`fsuid`, `fsgid`, supplementary groups).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// User; 0 is privileged (CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_CHOWN, CAP_FSETID).
    pub uid: u32,
    /// Group, also of new files.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Arc<[u32]>,
}

impl Credentials {
    /// Whether permission checks are bypassed.
    pub fn is_privileged(&self) -> bool {
        self.uid == 0
    }

    /// Whether `gid` is among the groups.
    pub fn is_member(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }

    /// Whether it may act as the owner of something that `uid` owns.
    pub fn owns(&self, uid: u32) -> bool {
        self.is_privileged() || self.uid == uid
    }
}

/// Whether `credentials` permit `wanted` on `inode`.
///
/// # Errors
/// EACCES.
pub fn check_access(
    inode: &Arc<dyn Inode>,
    credentials: &Credentials,
    wanted: AccessMode,
) -> Result<()> {
    let searches_directory = || inode.is_directory() || !wanted.contains(AccessMode::EXECUTE);
    if credentials.is_privileged() && searches_directory() {
        return Ok(());
    }
    match permits(inode.ownership(), inode.file_type(), credentials, wanted) {
        true => Ok(()),
        false => Err(Errno::EACCES),
    }
}

/// The rule of path_resolution(7): the first of owner, group, others that applies decides; root may
/// do all but execute what nobody may.
pub fn permits(
    ownership: Ownership,
    file_type: FileType,
    credentials: &Credentials,
    wanted: AccessMode,
) -> bool {
    let mode = ownership.mode;
    if credentials.is_privileged() {
        let executable = file_type == FileType::Directory || mode & 0o111 != 0;
        return executable || !wanted.contains(AccessMode::EXECUTE);
    }
    let granted = if credentials.uid == ownership.uid {
        mode >> 6
    } else if credentials.is_member(ownership.gid) {
        mode >> 3
    } else {
        mode
    };
    wanted.bits() & !granted & 0o7 == 0
}

/// The mode that chmod(2) really sets, or why it may not.
///
/// # Errors
/// EPERM for anybody but the owner and root.
pub fn may_change_mode(ownership: Ownership, credentials: &Credentials, mode: u32) -> Result<u32> {
    const SET_GROUP_ID: u32 = 0o2000;
    if !credentials.owns(ownership.uid) {
        return Err(Errno::EPERM);
    }
    let mode = mode & 0o7777;
    // Directories too: see setattr_prepare in fs/attr.c.
    let keeps_sgid = credentials.is_privileged() || credentials.is_member(ownership.gid);
    Ok(if keeps_sgid {
        mode
    } else {
        mode & !SET_GROUP_ID
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: u32 = 1000;

    fn user(uid: u32, gid: u32, groups: &[u32]) -> Credentials {
        Credentials {
            uid,
            gid,
            groups: groups.into(),
        }
    }

    #[test]
    fn the_first_class_that_applies_decides() {
        // mode, owner, group, uid, gid, groups, wanted, permitted
        type Case = (u32, u32, u32, u32, u32, &'static [u32], u32, bool);
        let cases: &[Case] = &[
            (0o600, USER, USER, USER, USER, &[], 6, true),
            (0o077, USER, USER, USER, USER, &[], 4, false),
            (0o040, USER, 5, 7, 5, &[], 4, true),
            (0o040, USER, 5, 7, 6, &[5], 4, true),
            (0o704, USER, 5, 7, 5, &[], 4, false),
            (0o704, USER, 5, 7, 7, &[], 4, true),
            (0o705, USER, 5, 7, 7, &[], 2, false),
            (0o000, USER, 5, 0, 0, &[], 6, true),
            (0o644, USER, 5, 0, 0, &[], 1, false),
            (0o645, USER, 5, 0, 0, &[], 1, true),
        ];
        for &(mode, uid, gid, caller, group, groups, wanted, expected) in cases {
            let ownership = Ownership { mode, uid, gid };
            let verdict = permits(
                ownership,
                FileType::Regular,
                &user(caller, group, groups),
                AccessMode::from_bits_retain(wanted),
            );
            assert_eq!(
                verdict, expected,
                "{mode:o} for {caller}:{group} wants {wanted}"
            );
        }
    }

    #[test]
    fn only_members_keep_the_set_group_id_bit() {
        let file = Ownership {
            mode: 0o644,
            uid: USER,
            gid: 5,
        };
        let stranger = user(USER, USER, &[]);
        let member = user(USER, USER, &[5]);
        assert_eq!(may_change_mode(file, &stranger, 0o2755), Ok(0o755));
        assert_eq!(may_change_mode(file, &member, 0o2755), Ok(0o2755));
        assert_eq!(
            may_change_mode(file, &user(3, 3, &[]), 0o600),
            Err(Errno::EPERM)
        );
    }
}
