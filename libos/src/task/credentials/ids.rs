//! The ids of a user or of a group, and how calls may change them (credentials(7)).
//!
//! [`Ids`] has the rules of setuid(2), setreuid(2), setresuid(2) and setfsuid(2), which are those of
//! groups too. Who is privileged, and what a change does to capabilities, is up to
//! [`super::Credentials`].

use crate::errno::{Errno, Result};

/// A user or group id.
pub type Id = u32;

/// The id that stands for "unchanged" in a call (-1).
pub const UNCHANGED: Id = Id::MAX;

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

    pub(super) fn is_one_of(self, id: Id) -> bool {
        id == self.real || id == self.effective || id == self.saved
    }

    /// setuid(2), setgid(2).
    pub(super) fn set(self, id: Id, privileged: bool) -> Result<Self> {
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
    pub(super) fn set_re(self, real: Id, effective: Id, privileged: bool) -> Result<Self> {
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
    pub(super) fn set_res(
        self,
        real: Id,
        effective: Id,
        saved: Id,
        privileged: bool,
    ) -> Result<Self> {
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
    pub(super) fn set_fs(self, id: Id, privileged: bool) -> Self {
        if id != UNCHANGED && (privileged || self.is_one_of(id) || id == self.filesystem) {
            return Self {
                filesystem: id,
                ..self
            };
        }
        self
    }
}
