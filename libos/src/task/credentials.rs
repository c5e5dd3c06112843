//! User and group ids, groups and capabilities: plain data with Linux's rules (credentials(7), capabilities(7)).
//!
//! A program that runs as user 0 holds the capabilities in [`Capabilities::GUEST`]: those whose
//! objects exist inside the image. What reaches beyond it (modules, clocks, reboot, raw I/O …) is
//! missing, as in a container, and the calls that need it answer EPERM.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};

/// A user or group id.
pub type Id = u32;

/// The id that stands for "unchanged" in a call (-1).
pub const UNCHANGED: Id = Id::MAX;

/// The most supplementary groups (`NGROUPS_MAX`).
pub const GROUPS_MAX: usize = 65_536;

bitflags::bitflags! {
    /// Capability sets; bit n is capability number n of capabilities(7).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Capabilities: u64 {
        /// Change file owners.
        const CHOWN = 1 << 0;
        /// Pass by permission bits.
        const DAC_OVERRIDE = 1 << 1;
        /// Pass by permission bits for reading and searching.
        const DAC_READ_SEARCH = 1 << 2;
        /// Act as the owner of any file.
        const FOWNER = 1 << 3;
        /// Keep set-id bits.
        const FSETID = 1 << 4;
        /// Send signals to anyone.
        const KILL = 1 << 5;
        /// Change group ids.
        const SETGID = 1 << 6;
        /// Change user ids.
        const SETUID = 1 << 7;
        /// Change capability sets.
        const SETPCAP = 1 << 8;
        /// Bind ports below 1024.
        const NET_BIND_SERVICE = 1 << 10;
        /// Raw sockets.
        const NET_RAW = 1 << 13;
        /// Lock memory.
        const IPC_LOCK = 1 << 14;
        /// Change the root directory.
        const SYS_CHROOT = 1 << 18;
        /// Raise priorities.
        const SYS_NICE = 1 << 23;
        /// Raise resource limits.
        const SYS_RESOURCE = 1 << 24;
        /// Make device nodes.
        const MKNOD = 1 << 27;
        /// Take leases.
        const LEASE = 1 << 28;
        /// Set file capabilities.
        const SETFCAP = 1 << 31;
        /// All that Linux 6.12 knows (`CAP_LAST_CAP` is 40).
        const KNOWN = (1 << 41) - 1;
    }
}

impl Capabilities {
    /// What user 0 holds inside an image.
    pub const GUEST: Self = Self::from_bits_truncate(
        0b1_1111_1111
            | Self::NET_BIND_SERVICE.bits()
            | Self::NET_RAW.bits()
            | Self::IPC_LOCK.bits()
            | Self::SYS_CHROOT.bits()
            | Self::SYS_NICE.bits()
            | Self::SYS_RESOURCE.bits()
            | Self::MKNOD.bits()
            | Self::LEASE.bits()
            | Self::SETFCAP.bits(),
    );

    /// The set with only capability `number`; `None` if there is no such capability.
    pub fn single(number: u64) -> Option<Self> {
        let bit = 1_u64.checked_shl(u32::try_from(number).ok()?)?;
        Some(Self::from_bits_retain(bit)).filter(|set| Self::KNOWN.contains(*set))
    }
}

/// Real, effective, saved and file-system id of a user or of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Who started the program.
    pub real: Id,
    /// Who it acts as.
    pub effective: Id,
    /// Whom it may act as again.
    pub saved: Id,
    /// Who it acts as towards files; follows the effective id.
    pub filesystem: Id,
}

impl Ids {
    /// All four the same, but for the effective one and its followers.
    pub const fn new(real: Id, effective: Id) -> Self {
        Self {
            real,
            effective,
            saved: effective,
            filesystem: effective,
        }
    }

    fn is_one_of(self, id: Id) -> bool {
        id == self.real || id == self.effective || id == self.saved
    }

    /// setuid(2), setgid(2).
    fn set(self, id: Id, privileged: bool) -> Result<Self> {
        if id == UNCHANGED {
            return Err(Errno::EINVAL);
        }
        if privileged {
            return Ok(Self::new(id, id));
        }
        if id != self.real && id != self.saved {
            return Err(Errno::EPERM);
        }
        Ok(Self {
            effective: id,
            filesystem: id,
            ..self
        })
    }

    /// setreuid(2), setregid(2). For groups the effective id may be set to real, effective or
    /// saved, as for users.
    fn set_re(self, real: Id, effective: Id, privileged: bool) -> Result<Self> {
        let mut new = self;
        if real != UNCHANGED {
            if !privileged && real != self.real && real != self.effective {
                return Err(Errno::EPERM);
            }
            new.real = real;
        }
        if effective != UNCHANGED {
            if !privileged && !self.is_one_of(effective) {
                return Err(Errno::EPERM);
            }
            new.effective = effective;
        }
        if real != UNCHANGED || (effective != UNCHANGED && effective != self.real) {
            new.saved = new.effective;
        }
        new.filesystem = new.effective;
        Ok(new)
    }

    /// setresuid(2), setresgid(2).
    fn set_res(self, real: Id, effective: Id, saved: Id, privileged: bool) -> Result<Self> {
        let wanted = [real, effective, saved];
        let allowed = |id: Id| id == UNCHANGED || self.is_one_of(id);
        if !privileged && !wanted.into_iter().all(allowed) {
            return Err(Errno::EPERM);
        }
        let or = |id: Id, old: Id| if id == UNCHANGED { old } else { id };
        let effective = or(effective, self.effective);
        Ok(Self {
            real: or(real, self.real),
            effective,
            saved: or(saved, self.saved),
            filesystem: effective,
        })
    }

    /// setfsuid(2), setfsgid(2): the new ids; unchanged if not allowed.
    fn set_fs(self, id: Id, privileged: bool) -> Self {
        if id != UNCHANGED && (privileged || self.is_one_of(id) || id == self.filesystem) {
            return Self {
                filesystem: id,
                ..self
            };
        }
        self
    }
}

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
