//! Options by which a socket joins and leaves groups: their structures, and what they do to a socket's
//! [`super::multicast::Multicast`] and to the stack.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::DatagramSocket;
use super::multicast::{Group, Joined, SourceChange, default_interface, tell_joined, tell_left};
use super::settings::{interface_with, v4_at};
use crate::errno::{Errno, Result};
use crate::net::inet::interfaces;
use crate::net::inet::options::{SOL_IP, SOL_IPV6};
use crate::net::options::word;

const IP_ADD_MEMBERSHIP: u32 = 35;
const IP_DROP_MEMBERSHIP: u32 = 36;
const IP_UNBLOCK_SOURCE: u32 = 37;
const IP_BLOCK_SOURCE: u32 = 38;
const IP_ADD_SOURCE_MEMBERSHIP: u32 = 39;
const IP_DROP_SOURCE_MEMBERSHIP: u32 = 40;
const IPV6_ADD_MEMBERSHIP: u32 = 20;
const IPV6_DROP_MEMBERSHIP: u32 = 21;
const MCAST_JOIN_GROUP: u32 = 42;
const MCAST_BLOCK_SOURCE: u32 = 43;
const MCAST_UNBLOCK_SOURCE: u32 = 44;
const MCAST_LEAVE_GROUP: u32 = 45;
const MCAST_JOIN_SOURCE_GROUP: u32 = 46;
const MCAST_LEAVE_SOURCE_GROUP: u32 = 47;

/// Offsets in `struct group_source_req`, whose head is a `struct group_req`.
const GROUP_AT: usize = 8;
const SOURCE_AT: usize = GROUP_AT + 128;

/// What an option asks for.
enum Change {
    Join(Group),
    Leave(Group),
    Source(Group, IpAddr, SourceChange),
}

/// Does what the option asks for; `false` if it is none of these.
pub(super) fn change(socket: &DatagramSocket, level: u32, name: u32, bytes: &[u8]) -> Result<bool> {
    let Some(change) = decode(level, name, bytes)? else {
        return Ok(false);
    };
    match change {
        Change::Join(group) => {
            let group = on_interface(group)?;
            socket.state.lock().multicast.join(group)?;
            tell_joined(group);
        }
        Change::Leave(group) => {
            let left = socket.state.lock().multicast.leave(group)?;
            tell_left(left);
        }
        Change::Source(group, source, change) => {
            let group = on_interface(group)?;
            let result = {
                let mut state = socket.state.lock();
                state.multicast.change_source(group, source, change)?
            };
            match result {
                Some(Joined::Now) => tell_joined(group),
                Some(Joined::NoLonger) => tell_left(group),
                None => {}
            }
        }
    }
    Ok(true)
}

/// The group on the interface that is meant if none is named.
fn on_interface(group: Group) -> Result<Group> {
    let interface = match group.interface {
        0 => default_interface(group.address)?,
        index => {
            interfaces::by_index(index).ok_or(Errno::ENODEV)?;
            index
        }
    };
    Ok(Group { interface, ..group })
}

fn decode(level: u32, name: u32, bytes: &[u8]) -> Result<Option<Change>> {
    Ok(Some(match (level, name) {
        (SOL_IP, IP_ADD_MEMBERSHIP) => Change::Join(group_v4(bytes)?),
        (SOL_IP, IP_DROP_MEMBERSHIP) => Change::Leave(group_v4(bytes)?),
        (SOL_IP, IP_UNBLOCK_SOURCE) => source_v4(bytes, SourceChange::Unblock)?,
        (SOL_IP, IP_BLOCK_SOURCE) => source_v4(bytes, SourceChange::Block)?,
        (SOL_IP, IP_ADD_SOURCE_MEMBERSHIP) => source_v4(bytes, SourceChange::Join)?,
        (SOL_IP, IP_DROP_SOURCE_MEMBERSHIP) => source_v4(bytes, SourceChange::Leave)?,
        (SOL_IPV6, IPV6_ADD_MEMBERSHIP) => Change::Join(group_v6(bytes)?),
        (SOL_IPV6, IPV6_DROP_MEMBERSHIP) => Change::Leave(group_v6(bytes)?),
        (_, MCAST_JOIN_GROUP) => Change::Join(group(level, bytes)?),
        (_, MCAST_LEAVE_GROUP) => Change::Leave(group(level, bytes)?),
        (_, MCAST_BLOCK_SOURCE) => source(level, bytes, SourceChange::Block)?,
        (_, MCAST_UNBLOCK_SOURCE) => source(level, bytes, SourceChange::Unblock)?,
        (_, MCAST_JOIN_SOURCE_GROUP) => source(level, bytes, SourceChange::Join)?,
        (_, MCAST_LEAVE_SOURCE_GROUP) => source(level, bytes, SourceChange::Leave)?,
        _ => return Ok(None),
    }))
}

fn checked(address: IpAddr, interface: u32) -> Result<Group> {
    if address.is_multicast() {
        Ok(Group { address, interface })
    } else {
        Err(Errno::EINVAL.because("not a multicast address"))
    }
}

fn index(value: i32) -> Result<u32> {
    u32::try_from(value).map_err(|_| Errno::ENODEV)
}

/// The interface with an address of ours; 0 if none is named.
fn interface_at(address: Ipv4Addr) -> Result<u32> {
    match address {
        Ipv4Addr::UNSPECIFIED => Ok(0),
        address => interface_with(address).ok_or(Errno::ENODEV),
    }
}

/// `struct ip_mreq` or `struct ip_mreqn`.
fn group_v4(bytes: &[u8]) -> Result<Group> {
    let address = v4_at(bytes, 0)?;
    let own = v4_at(bytes, 4)?;
    let interface = match bytes.len() {
        12.. => index(word(bytes, 8)?)?,
        _ => 0,
    };
    let interface = match interface {
        0 => interface_at(own)?,
        index => index,
    };
    checked(address.into(), interface)
}

/// `struct ip_mreq_source`.
fn source_v4(bytes: &[u8], change: SourceChange) -> Result<Change> {
    let group = checked(v4_at(bytes, 0)?.into(), interface_at(v4_at(bytes, 4)?)?)?;
    Ok(Change::Source(group, v4_at(bytes, 8)?.into(), change))
}

/// `struct ipv6_mreq`.
fn group_v6(bytes: &[u8]) -> Result<Group> {
    let octets: &[u8; 16] = bytes.first_chunk().ok_or(Errno::EINVAL)?;
    let interface = index(word(bytes, 16)?)?;
    checked(Ipv6Addr::from(*octets).into(), interface)
}

/// `struct group_req`.
fn group(level: u32, bytes: &[u8]) -> Result<Group> {
    let address = address_at(level, bytes, GROUP_AT)?;
    checked(address, index(word(bytes, 0)?)?)
}

/// `struct group_source_req`.
fn source(level: u32, bytes: &[u8], change: SourceChange) -> Result<Change> {
    let group = group(level, bytes)?;
    let source = address_at(level, bytes, SOURCE_AT)?;
    Ok(Change::Source(group, source, change))
}

/// The address in a `struct sockaddr_storage`, of the level's family.
fn address_at(level: u32, bytes: &[u8], at: usize) -> Result<IpAddr> {
    const INET: u16 = 2;
    const INET6: u16 = 10;
    let address = bytes.get(at..at + 128).ok_or(Errno::EINVAL)?;
    let family = u16::from_ne_bytes([address[0], address[1]]);
    match (level, family) {
        (SOL_IP, INET) => Ok(v4_at(address, 4)?.into()),
        (SOL_IPV6, INET6) => {
            let octets: &[u8; 16] = address[8..].first_chunk().ok_or(Errno::EINVAL)?;
            Ok(Ipv6Addr::from(*octets).into())
        }
        _ => Err(Errno::EADDRNOTAVAIL),
    }
}
