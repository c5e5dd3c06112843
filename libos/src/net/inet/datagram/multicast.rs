//! Multicast: which groups a socket has joined, whom it hears there, and how it sends to groups
//! (ip(7), ipv6(7)).
//!
//! [`Multicast`] is one socket's state. Joining tells the stack, which reports it to routers; loopback
//! has no routers. Which datagrams a socket gets depends on its port and address first, then on
//! [`Multicast::admits`].

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use crate::errno::{Errno, Result};
use crate::net::inet::{host, interfaces};
use crate::sorted_map::SortedMap;
use crate::sync::SpinLock;

/// Most groups that one socket may join (`net.ipv4.igmp_max_memberships`).
const MOST_GROUPS: usize = 20;

/// Most sources that one membership names (`net.ipv4.igmp_max_msf`).
const MOST_SOURCES: usize = 10;

/// What a membership's sources mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    /// Only these are heard.
    Include,
    /// All but these are heard.
    Exclude,
}

#[derive(Clone, Debug)]
struct Membership {
    group: IpAddr,
    interface: u32,
    filter: Filter,
    sources: Vec<IpAddr>,
}

/// What a membership is about: a group on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its address.
    pub address: IpAddr,
    /// Index of the interface.
    pub interface: u32,
}

/// What is done about one source of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceChange {
    /// Do not hear it (IP_BLOCK_SOURCE).
    Block,
    /// Hear it again (IP_UNBLOCK_SOURCE).
    Unblock,
    /// Hear it (IP_ADD_SOURCE_MEMBERSHIP).
    Join,
    /// Hear it no longer (IP_DROP_SOURCE_MEMBERSHIP).
    Leave,
}

/// How a socket deals with groups.
#[derive(Clone, Debug)]
pub struct Multicast {
    memberships: Vec<Membership>,
    /// IP_MULTICAST_TTL and IPV6_MULTICAST_HOPS.
    pub hop_limit: [u8; 2],
    /// IP_MULTICAST_LOOP and IPV6_MULTICAST_LOOP: whether this system hears what it sends.
    pub loops: [bool; 2],
    /// IP_MULTICAST_ALL and IPV6_MULTICAST_ALL: whether the socket hears groups that others joined.
    pub hears_all: [bool; 2],
    /// IP_MULTICAST_IF and IPV6_MULTICAST_IF: index of the interface, 0 for the route's.
    pub interface: [u32; 2],
    /// The source address that IP_MULTICAST_IF named.
    pub source: Ipv4Addr,
}

impl Default for Multicast {
    fn default() -> Self {
        Self {
            memberships: Vec::new(),
            hop_limit: [1; 2],
            loops: [true; 2],
            hears_all: [true; 2],
            interface: [0; 2],
            source: Ipv4Addr::UNSPECIFIED,
        }
    }
}

/// 0 for IPv4, 1 for IPv6: the index of what is kept for both.
pub fn version(address: IpAddr) -> usize {
    usize::from(address.is_ipv6())
}

impl Multicast {
    fn position(&self, group: Group) -> Option<usize> {
        let same =
            |one: &Membership| (one.group, one.interface) == (group.address, group.interface);
        self.memberships.iter().position(same)
    }

    /// Joins `group`; the caller tells the stack.
    ///
    /// # Errors
    /// EADDRINUSE if it has joined, ENOBUFS for too many groups.
    pub fn join(&mut self, group: Group) -> Result<()> {
        if self.position(group).is_some() {
            return Err(Errno::EADDRINUSE);
        }
        self.add(group, Filter::Exclude)
    }

    fn add(&mut self, group: Group, filter: Filter) -> Result<()> {
        if self.memberships.len() >= MOST_GROUPS {
            return Err(Errno::ENOBUFS);
        }
        self.memberships.push(Membership {
            group: group.address,
            interface: group.interface,
            filter,
            sources: Vec::new(),
        });
        Ok(())
    }

    /// Leaves `group`, on the first interface where it is joined if none is named; says which.
    ///
    /// # Errors
    /// EADDRNOTAVAIL if it has not joined.
    pub fn leave(&mut self, group: Group) -> Result<Group> {
        let matches = |one: &Membership| {
            one.group == group.address && (group.interface == 0 || one.interface == group.interface)
        };
        let at = self.memberships.iter().position(matches);
        let left = self.memberships.remove(at.ok_or(Errno::EADDRNOTAVAIL)?);
        Ok(Group {
            address: left.group,
            interface: left.interface,
        })
    }

    /// Changes what is heard from `source`; says whether the group was joined or left by it
    /// (net/ipv4/igmp.c, `ip_mc_source`).
    ///
    /// # Errors
    /// EINVAL and EADDRNOTAVAIL for what does not fit the membership, ENOBUFS for too many.
    pub fn change_source(
        &mut self,
        group: Group,
        source: IpAddr,
        change: SourceChange,
    ) -> Result<Option<Joined>> {
        let Some(at) = self.position(group) else {
            if change != SourceChange::Join {
                return Err(match change {
                    SourceChange::Leave => Errno::EADDRNOTAVAIL,
                    _ => Errno::EINVAL,
                });
            }
            self.add(group, Filter::Include)?;
            if let Some(new) = self.memberships.last_mut() {
                new.sources.push(source);
            }
            return Ok(Some(Joined::Now));
        };
        let membership = &mut self.memberships[at];
        let wanted = match change {
            SourceChange::Block | SourceChange::Unblock => Filter::Exclude,
            SourceChange::Join | SourceChange::Leave => Filter::Include,
        };
        if membership.filter != wanted {
            return Err(Errno::EINVAL);
        }
        let known = membership.sources.iter().position(|one| *one == source);
        let adds = matches!(change, SourceChange::Block | SourceChange::Join);
        match (known, adds) {
            (None, true) if membership.sources.len() >= MOST_SOURCES => return Err(Errno::ENOBUFS),
            (None, true) => membership.sources.push(source),
            (Some(at), false) => drop(membership.sources.remove(at)),
            (Some(_), true) | (None, false) => return Err(Errno::EADDRNOTAVAIL),
        }
        if membership.filter == Filter::Include && membership.sources.is_empty() {
            self.memberships.remove(at);
            return Ok(Some(Joined::NoLonger));
        }
        Ok(None)
    }

    /// Whether the socket hears what `source` sent to `group` on `interface`.
    pub fn admits(&self, group: IpAddr, interface: u32, source: IpAddr) -> bool {
        let Some(at) = self.position(Group {
            address: group,
            interface,
        }) else {
            return self.hears_all[version(group)];
        };
        let membership = &self.memberships[at];
        let named = membership.sources.contains(&source);
        named == (membership.filter == Filter::Include)
    }

    /// Whether the group is joined.
    pub fn has_joined(&self, address: IpAddr, interface: u32) -> bool {
        self.position(Group { address, interface }).is_some()
    }

    /// All groups that are joined, which are no longer.
    pub fn take_groups(&mut self) -> Vec<Group> {
        let group = |one: Membership| Group {
            address: one.group,
            interface: one.interface,
        };
        core::mem::take(&mut self.memberships)
            .into_iter()
            .map(group)
            .collect()
    }
}

/// What became of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It began.
    Now,
    /// It ended.
    NoLonger,
}

/// How many sockets have joined each group. What is sent to one that nobody has joined stays unheard, also by
/// sockets that would hear all (`ip_check_mc_rcu` of Linux).
static JOINED: SpinLock<SortedMap<(IpAddr, u32), usize>> = SpinLock::new(SortedMap::new());

/// Whether any socket has joined `group`.
pub fn is_joined(group: Group) -> bool {
    let joined = JOINED.lock();
    joined.contains_key(&(group.address, group.interface))
}

/// Tells the stack that a socket joined `group`.
pub fn tell_joined(group: Group) {
    *JOINED
        .lock()
        .get_or_default((group.address, group.interface)) += 1;
    if let Some(id) = interfaces::id_of(group.interface) {
        host::with(|stack, now, _| stack.join(now, id, group.address));
    }
}

/// Tells the stack that a socket left `group`.
pub fn tell_left(group: Group) {
    {
        let mut joined = JOINED.lock();
        let key = (group.address, group.interface);
        if let Some(count) = joined.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                joined.remove(&key);
            }
        }
    }
    if let Some(id) = interfaces::id_of(group.interface) {
        host::with(|stack, now, _| stack.leave(now, id, group.address));
    }
}

/// The interface by which `group` is reached if a program names none.
///
/// # Errors
/// ENODEV if there is none.
pub fn default_interface(group: IpAddr) -> Result<u32> {
    if !host::has_interfaces() {
        return Err(Errno::ENODEV);
    }
    let found = host::with(|stack, _, _| stack.source_for(group));
    found
        .map(|(id, _)| interfaces::index_of(id))
        .ok_or(Errno::ENODEV)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: Group = Group {
        address: IpAddr::V4(Ipv4Addr::new(239, 1, 1, 1)),
        interface: 1,
    };
    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn groups_are_joined_once_and_left() {
        let mut state = Multicast::default();
        assert_eq!(state.join(GROUP), Ok(()));
        assert_eq!(state.join(GROUP), Err(Errno::EADDRINUSE));
        let any = Group {
            interface: 0,
            ..GROUP
        };
        assert_eq!(state.leave(any), Ok(GROUP));
        assert_eq!(state.leave(GROUP), Err(Errno::EADDRNOTAVAIL));
        for last in 0..20 {
            let group = Group {
                address: Ipv4Addr::new(239, 1, 1, last).into(),
                interface: 1,
            };
            assert_eq!(state.join(group), Ok(()));
        }
        let one_more = Group {
            interface: 2,
            ..GROUP
        };
        assert_eq!(state.join(one_more), Err(Errno::ENOBUFS));
        assert_eq!(state.take_groups().len(), 20);
    }

    #[test]
    fn sources_are_blocked() {
        let mut state = Multicast::default();
        let block = SourceChange::Block;
        assert_eq!(state.change_source(GROUP, A, block), Err(Errno::EINVAL));
        state.join(GROUP).expect("new");
        assert_eq!(state.change_source(GROUP, A, block), Ok(None));
        assert_eq!(
            state.change_source(GROUP, A, block),
            Err(Errno::EADDRNOTAVAIL)
        );
        assert!(!state.admits(GROUP.address, 1, A) && state.admits(GROUP.address, 1, B));
        assert_eq!(
            state.change_source(GROUP, A, SourceChange::Join),
            Err(Errno::EINVAL)
        );
        assert_eq!(
            state.change_source(GROUP, A, SourceChange::Unblock),
            Ok(None)
        );
        assert!(state.admits(GROUP.address, 1, A));
    }

    #[test]
    fn only_named_sources_are_heard() {
        let mut state = Multicast::default();
        let (join, leave) = (SourceChange::Join, SourceChange::Leave);
        assert_eq!(state.change_source(GROUP, A, join), Ok(Some(Joined::Now)));
        assert_eq!(state.change_source(GROUP, B, join), Ok(None));
        assert_eq!(state.change_source(GROUP, A, leave), Ok(None));
        assert!(!state.admits(GROUP.address, 1, A) && state.admits(GROUP.address, 1, B));
        assert_eq!(
            state.change_source(GROUP, B, leave),
            Ok(Some(Joined::NoLonger))
        );
        assert!(state.admits(GROUP.address, 1, A), "as a stranger's group");
        state.hears_all[0] = false;
        assert!(!state.admits(GROUP.address, 1, A));
    }
}
