//! How a destination is reached: inside this system, by the stack, or both.
//!
//! [`find`] decides for one datagram, from what the socket said and what the destination is. Nothing
//! is sent here.

use core::net::{IpAddr, Ipv4Addr};

use libos_net::config::InterfaceId;

use super::multicast::{self, Multicast, version};
use crate::errno::{Errno, Result};
use crate::net::inet::interfaces;
use crate::net::inet::{host, route};

/// What the sender said that bears on the way.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The address it is bound to, or asks for; unspecified for none.
    pub source: IpAddr,
    /// Index of the interface it is bound to, or asks for; 0 for none.
    pub interface: u32,
    /// Whether it may send to everybody (SO_BROADCAST).
    pub may_broadcast: bool,
    /// What it said about groups.
    pub multicast: &'a Multicast,
}

/// The way to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The source address.
    pub source: IpAddr,
    /// Index of the interface.
    pub interface: u32,
    /// Whether sockets of this system get it.
    pub stays: bool,
    /// Whether the stack sends it.
    pub leaves: bool,
    /// Whether several may get it, so that nobody is told if nobody does.
    pub is_to_many: bool,
}

impl Way {
    /// The stack's name for the interface.
    pub fn interface_id(&self) -> Option<InterfaceId> {
        interfaces::id_of(self.interface)
    }
}

/// The way to `destination`, which is not unspecified.
///
/// # Errors
/// ENETUNREACH; EACCES for a broadcast without SO_BROADCAST; EINVAL for a source that is not ours.
pub fn find(sender: &Sender<'_>, destination: IpAddr) -> Result<Way> {
    let source = Some(sender.source).filter(|source| {
        !source.is_unspecified() && !source.is_multicast() && !is_broadcast(*source)
    });
    if source.is_some_and(|source| source.is_ipv4() != destination.is_ipv4()) {
        // A socket with an IPv6 address does not reach IPv4, nor the other way round.
        return Err(Errno::ENETUNREACH);
    }
    if destination.is_multicast() {
        return to_group(sender, source, destination);
    }
    if is_broadcast(destination) {
        return to_everybody(sender, source, destination);
    }
    if route::is_local(destination) {
        return Ok(Way {
            source: match source {
                Some(source) => source,
                None => route::source_for(destination)?,
            },
            interface: interfaces::LOOPBACK,
            stays: true,
            leaves: false,
            is_to_many: false,
        });
    }
    let (interface, chosen) = way_out(destination, sender.interface)?;
    let source = source.unwrap_or(chosen);
    if source.is_loopback() {
        return Err(match source {
            IpAddr::V4(_) => Errno::EINVAL.because("a loopback address does not leave"),
            IpAddr::V6(_) => Errno::ENETUNREACH,
        });
    }
    Ok(Way {
        source,
        interface,
        stays: false,
        leaves: true,
        is_to_many: false,
    })
}

/// Whether `address` is everybody on some network, loopback's too.
pub fn is_broadcast(address: IpAddr) -> bool {
    const LOOPBACK_ALL: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);
    match address {
        IpAddr::V6(_) => false,
        IpAddr::V4(v4) if v4.is_broadcast() || v4 == LOOPBACK_ALL => true,
        IpAddr::V4(v4) if v4.is_loopback() || !host::has_interfaces() => false,
        IpAddr::V4(_) => host::with(|stack, _, _| stack.is_broadcast(address)),
    }
}

/// By which interface and from which address `destination` is reached; by `interface` if it is not 0.
fn way_out(destination: IpAddr, interface: u32) -> Result<(u32, IpAddr)> {
    if !host::has_interfaces() || interface == interfaces::LOOPBACK {
        return Err(Errno::ENETUNREACH);
    }
    if interface != 0 {
        let source = address_on(interface, destination).ok_or(Errno::ENETUNREACH)?;
        return Ok((interface, source));
    }
    let found = host::with(|stack, _, _| stack.source_for(destination));
    let (id, source) = found.ok_or(Errno::ENETUNREACH)?;
    Ok((interfaces::index_of(id), source))
}

/// The address that packets to `destination` bear when they leave by `interface`.
pub fn address_on(interface: u32, destination: IpAddr) -> Option<IpAddr> {
    let interface = interfaces::by_index(interface)?;
    let same_version = |own: &IpAddr| own.is_ipv4() == destination.is_ipv4();
    let scope = crate::net::inet::address::is_link_local(destination);
    let own = interface.addresses.iter().map(|network| network.address);
    let candidates = own.filter(same_version);
    let fits = |own: &IpAddr| crate::net::inet::address::is_link_local(*own) == scope;
    candidates.clone().find(fits).or(candidates.clone().next())
}

fn to_group(sender: &Sender<'_>, source: Option<IpAddr>, group: IpAddr) -> Result<Way> {
    let at = version(group);
    let chosen = match (sender.interface, sender.multicast.interface[at]) {
        (0, 0) => match source {
            // A socket on a loopback address speaks to its own kind.
            Some(source) if source.is_loopback() => interfaces::LOOPBACK,
            _ => multicast::default_interface(group).map_err(|_| Errno::ENETUNREACH)?,
        },
        (0, chosen) | (chosen, _) => chosen,
    };
    let named = sender.multicast.source;
    let named = (group.is_ipv4() && !named.is_unspecified()).then_some(named.into());
    let source = match source.or(named) {
        Some(source) => source,
        None => address_on(chosen, group).ok_or(Errno::ENETUNREACH)?,
    };
    let is_loopback = chosen == interfaces::LOOPBACK;
    Ok(Way {
        source,
        interface: chosen,
        stays: is_loopback || sender.multicast.loops[at],
        leaves: !is_loopback,
        is_to_many: true,
    })
}

fn to_everybody(sender: &Sender<'_>, source: Option<IpAddr>, destination: IpAddr) -> Result<Way> {
    if !sender.may_broadcast {
        return Err(Errno::EACCES.because("a broadcast needs SO_BROADCAST"));
    }
    let on_loopback = destination.is_loopback() || sender.interface == interfaces::LOOPBACK;
    let (interface, chosen) = if on_loopback {
        (interfaces::LOOPBACK, Ipv4Addr::LOCALHOST.into())
    } else {
        way_out(destination, sender.interface)?
    };
    Ok(Way {
        source: source.unwrap_or(chosen),
        interface,
        stays: true,
        leaves: !on_loopback,
        is_to_many: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_interfaces_only_this_system_is_reached() {
        let mut multicast = Multicast::default();
        multicast.interface[0] = interfaces::LOOPBACK;
        let way = |source: &str, to: &str, may_broadcast| {
            let sender = Sender {
                source: source.parse().expect("an address"),
                interface: 0,
                may_broadcast,
                multicast: &multicast,
            };
            let way = find(&sender, to.parse().expect("an address"))?;
            Ok((way.source.to_string(), way.stays, way.leaves))
        };
        let stays = |source: &str| Ok((String::from(source), true, false));
        use alloc::string::{String, ToString};
        for (source, to, expected) in [
            ("0.0.0.0", "127.0.0.9", stays("127.0.0.1")),
            ("127.0.0.5", "127.0.0.9", stays("127.0.0.5")),
            ("::", "::1", stays("::1")),
            ("0.0.0.0", "10.0.0.1", Err(Errno::ENETUNREACH)),
            ("::", "fd00::1", Err(Errno::ENETUNREACH)),
            ("::1", "127.0.0.1", Err(Errno::ENETUNREACH)),
            ("0.0.0.0", "127.255.255.255", Err(Errno::EACCES)),
            ("0.0.0.0", "239.1.1.1", stays("127.0.0.1")),
            ("::", "ff02::1", Err(Errno::ENETUNREACH)),
        ] {
            assert_eq!(way(source, to, false), expected, "{source} to {to}");
        }
        assert_eq!(way("0.0.0.0", "127.255.255.255", true), stays("127.0.0.1"));
    }
}
