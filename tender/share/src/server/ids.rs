//! Whose files they are: users and groups of host and guest.

use crate::config::{Ids, NOBODY};
use rustix::fs::{Gid, Uid};
use rustix::io::{Errno, Result};

/// No change, in chown(2).
const UNCHANGED: u32 = u32::MAX;

/// The correspondence, with the caller's own ids.
#[derive(Clone, Copy, Debug)]
pub struct IdMap {
    ids: Ids,
    user: u32,
    group: u32,
}

impl IdMap {
    /// For this process, which is the caller.
    pub fn new(ids: Ids) -> Self {
        Self {
            ids,
            user: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
        }
    }

    /// A user of the host, as the guest sees it.
    pub fn user_to_guest(self, host: u32) -> u32 {
        match self.ids {
            Ids::Same => host,
            Ids::Caller { user, .. } if host == self.user => user,
            Ids::Caller { .. } => NOBODY,
        }
    }

    /// A group of the host, as the guest sees it.
    pub fn group_to_guest(self, host: u32) -> u32 {
        match self.ids {
            Ids::Same => host,
            Ids::Caller { group, .. } if host == self.group => group,
            Ids::Caller { .. } => NOBODY,
        }
    }

    /// A user for chown(2).
    ///
    /// # Errors
    /// EINVAL for one who has no counterpart, as in a user namespace.
    pub fn user_to_host(self, guest: u32) -> Result<Option<Uid>> {
        let host = match self.ids {
            _ if guest == UNCHANGED => return Ok(None),
            Ids::Same => guest,
            Ids::Caller { user, .. } if guest == user => self.user,
            Ids::Caller { .. } => return Err(Errno::INVAL),
        };
        Ok(Some(Uid::from_raw(host)))
    }

    /// A group for chown(2).
    ///
    /// # Errors
    /// EINVAL.
    pub fn group_to_host(self, guest: u32) -> Result<Option<Gid>> {
        let host = match self.ids {
            _ if guest == UNCHANGED => return Ok(None),
            Ids::Same => guest,
            Ids::Caller { group, .. } if guest == group => self.group,
            Ids::Caller { .. } => return Err(Errno::INVAL),
        };
        Ok(Some(Gid::from_raw(host)))
    }

    /// To whom a new file is to be given, if it is not the one who it belongs to anyway.
    pub fn owner_of_new(self, user: u32, group: u32) -> (Option<Uid>, Option<Gid>) {
        if self.ids != Ids::Same {
            return (None, None);
        }
        let user = (user != self.user && user != UNCHANGED).then(|| Uid::from_raw(user));
        let group = (group != self.group && group != UNCHANGED).then(|| Gid::from_raw(group));
        (user, group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(ids: Ids) -> IdMap {
        IdMap {
            ids,
            user: 1000,
            group: 100,
        }
    }

    #[test]
    fn the_caller_is_the_guest_s_one_user() {
        let map = map(Ids::Caller { user: 0, group: 5 });
        assert_eq!((map.user_to_guest(1000), map.group_to_guest(100)), (0, 5));
        assert_eq!(
            (map.user_to_guest(0), map.group_to_guest(0)),
            (NOBODY, NOBODY)
        );
        assert_eq!(map.user_to_host(0), Ok(Some(Uid::from_raw(1000))));
        assert_eq!(map.user_to_host(u32::MAX), Ok(None));
        assert_eq!(map.user_to_host(1000), Err(Errno::INVAL));
        assert_eq!(map.group_to_host(5), Ok(Some(Gid::from_raw(100))));
        assert_eq!(map.group_to_host(NOBODY), Err(Errno::INVAL));
        assert_eq!(map.owner_of_new(3, 3), (None, None));
    }

    #[test]
    fn root_passes_ids_on() {
        let map = map(Ids::Same);
        assert_eq!((map.user_to_guest(7), map.group_to_guest(8)), (7, 8));
        assert_eq!(map.user_to_host(7), Ok(Some(Uid::from_raw(7))));
        assert_eq!(map.owner_of_new(1000, 100), (None, None));
        let given = (Some(Uid::from_raw(7)), Some(Gid::from_raw(8)));
        assert_eq!(map.owner_of_new(7, 8), given);
    }
}
