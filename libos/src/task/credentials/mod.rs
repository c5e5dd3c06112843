//! What permission checks look at: user and group ids, groups and capabilities, as plain data.
//!
//! [`Credentials`] has Linux's rules for the calls that change it (credentials(7), capabilities(7)), over [`Ids`] and
//! [`Capabilities`]. The process's own, behind a lock, are in [`super::identity`].

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};

mod capabilities;
mod ids;

pub use capabilities::Capabilities;
pub use ids::{Id, Ids, UNCHANGED};

/// The most supplementary groups (`NGROUPS_MAX`).
pub const GROUPS_MAX: usize = 65_536;

/// Everything that permission checks look at.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// User ids.
    pub user: Ids,
    /// Group ids.
    pub group: Ids,
    /// Supplementary groups, in the order given.
    pub groups: Arc<[Id]>,
    /// Capabilities that count now.
    pub effective: Capabilities,
    /// Capabilities that may be made effective.
    pub permitted: Capabilities,
    /// Capabilities that execve(2) would keep.
    pub inheritable: Capabilities,
    /// The bounding set.
    pub bounding: Capabilities,
    /// The ambient set.
    pub ambient: Capabilities,
    /// prctl(PR_SET_KEEPCAPS).
    pub keep_capabilities: bool,
    /// prctl(PR_SET_NO_NEW_PRIVS).
    pub no_new_privileges: bool,
}

impl Credentials {
    /// Of a program that starts with these ids.
    pub fn new(user: Ids, group: Ids) -> Self {
        let permitted = if user.effective == 0 {
            Capabilities::GUEST
        } else {
            Capabilities::empty()
        };
        Self {
            user,
            group,
            groups: Arc::from([]),
            effective: permitted,
            permitted,
            inheritable: Capabilities::empty(),
            bounding: Capabilities::GUEST,
            ambient: Capabilities::empty(),
            keep_capabilities: false,
            no_new_privileges: false,
        }
    }

    /// Whether all of `needed` count now.
    pub fn capable(&self, needed: Capabilities) -> bool {
        self.effective.contains(needed)
    }

    /// Whether files of group `group` are of one of the process's groups.
    pub fn in_group(&self, group: Id) -> bool {
        self.group.filesystem == group || self.groups.contains(&group)
    }

    fn change_user(&mut self, new: Ids) {
        let old = core::mem::replace(&mut self.user, new);
        self.adapt_capabilities(old);
    }

    /// What a change of user ids does to capabilities (kernel: `cap_emulate_setxuid`).
    fn adapt_capabilities(&mut self, old: Ids) {
        let any_root = |ids: Ids| ids.real == 0 || ids.effective == 0 || ids.saved == 0;
        let new = self.user;
        if any_root(old) && !any_root(new) {
            if !self.keep_capabilities {
                self.permitted = Capabilities::empty();
                self.effective = Capabilities::empty();
            }
            self.ambient = Capabilities::empty();
        }
        if old.effective == 0 && new.effective != 0 {
            self.effective = Capabilities::empty();
        }
        if old.effective != 0 && new.effective == 0 {
            self.effective = self.permitted;
        }
    }

    /// setuid(2).
    ///
    /// # Errors
    /// EINVAL for id -1; EPERM if it is neither the real nor the saved id, without CAP_SETUID.
    pub fn set_user(&mut self, id: Id) -> Result<()> {
        let new = self.user.set(id, self.capable(Capabilities::SETUID))?;
        self.change_user(new);
        Ok(())
    }

    /// setreuid(2).
    ///
    /// # Errors
    /// EPERM for ids that are not the process's own, without CAP_SETUID.
    pub fn set_user_re(&mut self, real: Id, effective: Id) -> Result<()> {
        let privileged = self.capable(Capabilities::SETUID);
        let new = self.user.set_re(real, effective, privileged)?;
        self.change_user(new);
        Ok(())
    }

    /// setresuid(2).
    ///
    /// # Errors
    /// As [`Self::set_user_re`].
    pub fn set_user_res(&mut self, real: Id, effective: Id, saved: Id) -> Result<()> {
        let privileged = self.capable(Capabilities::SETUID);
        let new = self.user.set_res(real, effective, saved, privileged)?;
        self.change_user(new);
        Ok(())
    }

    /// setfsuid(2); returns the old id.
    pub fn set_user_fs(&mut self, id: Id) -> Id {
        let old = self.user;
        self.user = old.set_fs(id, self.capable(Capabilities::SETUID));
        self.adapt_file_capabilities(old);
        old.filesystem
    }

    /// What a change of the file-system user does to capabilities (kernel: `cap_task_fix_setuid`).
    fn adapt_file_capabilities(&mut self, old: Ids) {
        let of_files = Capabilities::CHOWN
            | Capabilities::DAC_OVERRIDE
            | Capabilities::DAC_READ_SEARCH
            | Capabilities::FOWNER
            | Capabilities::FSETID
            | Capabilities::MKNOD;
        if old.filesystem == 0 && self.user.filesystem != 0 {
            self.effective -= of_files;
        }
        if old.filesystem != 0 && self.user.filesystem == 0 {
            self.effective |= self.permitted & of_files;
        }
    }

    /// setgid(2).
    ///
    /// # Errors
    /// As [`Self::set_user`], with CAP_SETGID.
    pub fn set_group(&mut self, id: Id) -> Result<()> {
        self.group = self.group.set(id, self.capable(Capabilities::SETGID))?;
        Ok(())
    }

    /// setregid(2).
    ///
    /// # Errors
    /// As [`Self::set_user_re`], with CAP_SETGID.
    pub fn set_group_re(&mut self, real: Id, effective: Id) -> Result<()> {
        let privileged = self.capable(Capabilities::SETGID);
        self.group = self.group.set_re(real, effective, privileged)?;
        Ok(())
    }

    /// setresgid(2).
    ///
    /// # Errors
    /// As [`Self::set_user_re`], with CAP_SETGID.
    pub fn set_group_res(&mut self, real: Id, effective: Id, saved: Id) -> Result<()> {
        let privileged = self.capable(Capabilities::SETGID);
        self.group = self.group.set_res(real, effective, saved, privileged)?;
        Ok(())
    }

    /// setfsgid(2); returns the old id.
    pub fn set_group_fs(&mut self, id: Id) -> Id {
        let old = self.group;
        self.group = old.set_fs(id, self.capable(Capabilities::SETGID));
        old.filesystem
    }

    /// setgroups(2).
    ///
    /// # Errors
    /// EPERM without CAP_SETGID.
    pub fn set_groups(&mut self, groups: Vec<Id>) -> Result<()> {
        if !self.capable(Capabilities::SETGID) {
            return Err(Errno::EPERM);
        }
        self.groups = groups.into();
        Ok(())
    }

    /// capset(2).
    ///
    /// # Errors
    /// EPERM for a set that grows beyond what capabilities(7) allows.
    pub fn set_capabilities(
        &mut self,
        effective: Capabilities,
        permitted: Capabilities,
        inheritable: Capabilities,
    ) -> Result<()> {
        let known = Capabilities::KNOWN;
        let (effective, permitted, inheritable) =
            (effective & known, permitted & known, inheritable & known);
        let may_add = self.capable(Capabilities::SETPCAP);
        let inheritable_fits = (may_add
            || (self.inheritable | self.permitted).contains(inheritable))
            && (self.inheritable | self.bounding).contains(inheritable);
        let fits = self.permitted.contains(permitted) && permitted.contains(effective);
        if !inheritable_fits || !fits {
            return Err(Errno::EPERM);
        }
        self.effective = effective;
        self.permitted = permitted;
        self.inheritable = inheritable;
        self.ambient &= permitted & inheritable;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Id = UNCHANGED;

    fn user(real: Id, effective: Id, saved: Id) -> Credentials {
        let mut credentials = Credentials::new(Ids::new(real, effective), Ids::new(0, 0));
        credentials.user.saved = saved;
        credentials
    }

    fn ids(credentials: &Credentials) -> (Id, Id, Id, Id) {
        let Ids {
            real,
            effective,
            saved,
            filesystem,
        } = credentials.user;
        (real, effective, saved, filesystem)
    }

    #[test]
    fn a_privileged_setuid_sets_all_and_drops_privilege() {
        let mut root = user(0, 0, 0);
        assert!(root.capable(Capabilities::CHOWN));
        assert_eq!(root.set_user(1000), Ok(()));
        assert_eq!(ids(&root), (1000, 1000, 1000, 1000));
        assert_eq!(root.permitted, Capabilities::empty());
        assert_eq!(root.set_user(0), Err(Errno::EPERM));
        assert_eq!(root.set_user(1000), Ok(()), "a second thread's copy");
    }

    #[test]
    fn an_unprivileged_setuid_moves_between_real_and_saved() {
        let mut plain = user(1000, 1001, 1002);
        assert_eq!(plain.set_user(1002), Ok(()));
        assert_eq!(ids(&plain), (1000, 1002, 1002, 1002));
        assert_eq!(plain.set_user(1000), Ok(()));
        assert_eq!(plain.set_user(7), Err(Errno::EPERM));
        assert_eq!(plain.set_user(KEEP), Err(Errno::EINVAL));
    }

    #[test]
    fn a_temporary_drop_can_be_undone() {
        let mut root = user(0, 0, 0);
        assert_eq!(root.set_user_res(KEEP, 1000, KEEP), Ok(()));
        assert_eq!(ids(&root), (0, 1000, 0, 1000));
        assert_eq!(root.effective, Capabilities::empty());
        assert_eq!(root.permitted, Capabilities::GUEST);
        assert_eq!(root.set_user_res(KEEP, 0, KEEP), Ok(()));
        assert_eq!(root.effective, Capabilities::GUEST);
    }

    #[test]
    fn keepcaps_keeps_the_permitted_set() {
        let mut root = user(0, 0, 0);
        root.keep_capabilities = true;
        assert_eq!(root.set_user(1000), Ok(()));
        assert_eq!(root.permitted, Capabilities::GUEST);
        assert_eq!(root.effective, Capabilities::empty());
    }

    #[test]
    fn setreuid_follows_the_saved_id_rule() {
        let cases = [
            // (real, effective, saved) + call → (real, effective, saved)
            ((1000, 1001, 1001), (1001, 1000), Ok((1001, 1000, 1000))),
            ((1000, 1001, 1002), (KEEP, 1000), Ok((1000, 1000, 1002))),
            ((1000, 1001, 1002), (KEEP, 1002), Ok((1000, 1002, 1002))),
            ((1000, 1001, 1002), (1002, KEEP), Err(Errno::EPERM)),
            ((1000, 1001, 1002), (KEEP, 7), Err(Errno::EPERM)),
            ((1000, 1001, 1002), (KEEP, KEEP), Ok((1000, 1001, 1002))),
        ];
        for ((real, effective, saved), (new_real, new_effective), expected) in cases {
            let mut plain = user(real, effective, saved);
            let result = plain.set_user_re(new_real, new_effective).map(|()| {
                let (real, effective, saved, _) = ids(&plain);
                (real, effective, saved)
            });
            assert_eq!(result, expected, "{new_real} {new_effective}");
        }
    }

    #[test]
    fn setfsuid_answers_the_old_id_and_ignores_a_refusal() {
        let mut plain = user(1000, 1000, 1000);
        assert_eq!(plain.set_user_fs(7), 1000);
        assert_eq!(plain.set_user_fs(KEEP), 1000);
        let mut root = user(0, 0, 0);
        assert_eq!(root.set_user_fs(7), 0);
        assert!(!root.capable(Capabilities::DAC_OVERRIDE));
        assert!(root.capable(Capabilities::SETUID));
        assert_eq!(root.set_user_fs(0), 7);
        assert!(root.capable(Capabilities::DAC_OVERRIDE));
    }

    #[test]
    fn groups_need_privilege_to_change() {
        let mut root = user(0, 0, 0);
        assert_eq!(root.set_groups(vec![5, 3]), Ok(()));
        assert!(root.in_group(3) && root.in_group(0) && !root.in_group(4));
        let mut plain = user(1000, 1000, 1000);
        assert_eq!(plain.set_groups(vec![]), Err(Errno::EPERM));
        assert_eq!(plain.set_group(7), Err(Errno::EPERM));
        assert_eq!(plain.set_group(0), Ok(()));
    }

    #[test]
    fn capset_only_shrinks_the_permitted_set() {
        let mut root = user(0, 0, 0);
        let chown = Capabilities::CHOWN;
        let none = Capabilities::empty();
        assert_eq!(root.set_capabilities(none, chown, none), Ok(()));
        assert_eq!(root.set_capabilities(chown, chown, none), Ok(()));
        let more = chown | Capabilities::KILL;
        assert_eq!(root.set_capabilities(none, more, none), Err(Errno::EPERM));
        assert_eq!(root.set_capabilities(chown, none, none), Err(Errno::EPERM));
    }

    #[test]
    fn a_capability_has_a_number() {
        assert_eq!(Capabilities::single(0), Some(Capabilities::CHOWN));
        assert_eq!(
            Capabilities::single(40).map(|set| set.bits()),
            Some(1 << 40)
        );
        assert_eq!(Capabilities::single(41), None);
        assert_eq!(Capabilities::single(u64::MAX), None);
        assert!(!Capabilities::GUEST.contains(Capabilities::from_bits_retain(1 << 21)));
    }
}
