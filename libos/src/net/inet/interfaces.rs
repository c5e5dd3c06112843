//! Interfaces and routes, as netdevice(7), rtnetlink(7), `/proc/net` and `/sys/class/net` tell of
//! them: loopback first, then those of the stack.
//!
//! - [`all`]: a picture of the present; [`by_index`], [`by_name`] find one in it.
//! - [`index_of`] and [`id_of`] translate between Linux's numbers and the stack's.
//! - [`routes`]: the routing tables, with what Linux keeps in its `local` table.
//!
//! Loopback has no frames: it exists here only, and [`loopback`] keeps its counters.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libos_net::address::Network;
use libos_net::config::{InterfaceId, Route};
use libos_net::stack::Counters;

use super::{host, loopback};

/// Index of `lo`.
pub const LOOPBACK: u32 = 1;

/// MTU of `lo`, in bytes.
pub const LOOPBACK_MTU: u32 = 65_536;

/// Linux's number of the stack's first interface.
const FIRST: u32 = LOOPBACK + 1;

/// `IFF_*` of netdevice(7).
pub mod flags {
    #![expect(missing_docs, reason = "named as netdevice(7) has them")]
    pub const UP: u32 = 0x1;
    pub const BROADCAST: u32 = 0x2;
    pub const LOOPBACK: u32 = 0x8;
    pub const RUNNING: u32 = 0x40;
    pub const MULTICAST: u32 = 0x1000;
    pub const LOWER_UP: u32 = 0x1_0000;
}

/// One interface at one moment.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its number, from 1.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address; zeroes for loopback.
    pub mac: [u8; 6],
    /// Longest IP packet, in bytes.
    pub mtu: u32,
    /// Whether its link is up.
    pub is_up: bool,
    /// Addresses with the lengths of their prefixes.
    pub addresses: Vec<Network>,
    /// What went through it.
    pub counters: Counters,
}

impl Interface {
    /// Whether it is loopback.
    pub fn is_loopback(&self) -> bool {
        self.index == LOOPBACK
    }

    /// Its `IFF_*` flags.
    pub fn flags(&self) -> u32 {
        let running = flags::RUNNING | flags::LOWER_UP;
        if self.is_loopback() {
            return flags::UP | flags::LOOPBACK | running;
        }
        let link = if self.is_up { running } else { 0 };
        flags::UP | flags::BROADCAST | flags::MULTICAST | link
    }

    /// `ARPHRD_*`: the type of its hardware addresses.
    pub fn hardware_type(&self) -> u16 {
        const ETHER: u16 = 1;
        const LOOPBACK: u16 = 772;
        if self.is_loopback() { LOOPBACK } else { ETHER }
    }

    /// Its hardware broadcast address.
    pub fn hardware_broadcast(&self) -> [u8; 6] {
        if self.is_loopback() {
            [0; 6]
        } else {
            [0xff; 6]
        }
    }

    /// Its IPv4 addresses.
    pub fn ipv4(&self) -> impl Iterator<Item = (Ipv4Addr, u8)> {
        self.addresses
            .iter()
            .filter_map(|network| match network.address {
                IpAddr::V4(address) => Some((address, network.prefix)),
                IpAddr::V6(_) => None,
            })
    }

    /// Its IPv6 addresses.
    pub fn ipv6(&self) -> impl Iterator<Item = (Ipv6Addr, u8)> {
        self.addresses
            .iter()
            .filter_map(|network| match network.address {
                IpAddr::V6(address) => Some((address, network.prefix)),
                IpAddr::V4(_) => None,
            })
    }
}

/// The netmask of an IPv4 prefix of `prefix` bits.
pub fn netmask(prefix: u8) -> Ipv4Addr {
    let host_bits = 32_u32.saturating_sub(prefix.into());
    Ipv4Addr::from_bits(u32::MAX.checked_shl(host_bits).unwrap_or(0))
}

/// The broadcast address of an IPv4 network; none for one without room for it (RFC 3021).
pub fn broadcast(address: Ipv4Addr, prefix: u8) -> Option<Ipv4Addr> {
    (prefix < 31).then(|| Ipv4Addr::from_bits(address.to_bits() | !netmask(prefix).to_bits()))
}

/// The first address of the network of `prefix` bits that holds `address`.
pub fn network_of(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & netmask(prefix).to_bits()).into(),
        IpAddr::V6(v6) => {
            let host_bits = 128_u32.saturating_sub(prefix.into());
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

fn loopback() -> Interface {
    let (frames, bytes) = loopback::all();
    Interface {
        index: LOOPBACK,
        name: String::from("lo"),
        mac: [0; 6],
        mtu: LOOPBACK_MTU,
        is_up: true,
        addresses: alloc::vec![
            Network {
                address: Ipv4Addr::LOCALHOST.into(),
                prefix: 8,
            },
            Network {
                address: Ipv6Addr::LOCALHOST.into(),
                prefix: 128,
            },
        ],
        counters: Counters {
            received_frames: frames,
            received_bytes: bytes,
            sent_frames: frames,
            sent_bytes: bytes,
            ..Counters::default()
        },
    }
}

/// Linux's number of an interface of the stack.
pub fn index_of(id: InterfaceId) -> u32 {
    FIRST + u32::from(id.0)
}

/// The stack's interface with Linux's number `index`; none for loopback and for numbers out of range.
pub fn id_of(index: u32) -> Option<InterfaceId> {
    let id = index.checked_sub(FIRST)?;
    u16::try_from(id).ok().map(InterfaceId)
}

/// All interfaces.
pub fn all() -> Vec<Interface> {
    let mut found = alloc::vec![loopback()];
    host::with(|stack, _, _| {
        found.extend(stack.interfaces().map(|(id, state)| Interface {
            index: index_of(id),
            name: state.config.name.clone(),
            mac: state.config.mac.0,
            mtu: state.config.mtu.into(),
            is_up: state.is_up,
            addresses: state.config.addresses.clone(),
            counters: state.counters,
        }));
    });
    found
}

/// The interface with number `index`.
pub fn by_index(index: u32) -> Option<Interface> {
    all().into_iter().find(|interface| interface.index == index)
}

/// The interface called `name`; an alias (`eth0:1`) means the interface itself.
pub fn by_name(name: &[u8]) -> Option<Interface> {
    let name = name.split(|&byte| byte == b':').next()?;
    all()
        .into_iter()
        .find(|interface| interface.name.as_bytes() == name)
}

/// Which of Linux's routing tables a route stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Table `main`: a way out.
    Unicast,
    /// Table `local`: addresses of this system.
    Local,
    /// Table `local`: broadcast addresses of its networks.
    Broadcast,
}

/// A route as Linux shows it.
#[derive(Clone, Copy, Debug)]
pub struct ShownRoute {
    /// Which table.
    pub kind: RouteKind,
    /// By which interface.
    pub index: u32,
    /// The route.
    pub route: Route,
    /// The address that packets by it come from, where it is said.
    pub source: Option<IpAddr>,
    /// Whether an address brought it along.
    pub is_implied: bool,
}

/// All routes: what the interfaces' addresses imply for table `local`, then table `main`.
pub fn routes() -> Vec<ShownRoute> {
    let interfaces = all();
    let mut found = Vec::new();
    for interface in &interfaces {
        local_routes(interface, &mut found);
    }
    host::with(|stack, _, _| {
        for (id, route) in stack.routes() {
            found.push(main_route(index_of(id), route, &interfaces));
        }
    });
    found
}

fn local_routes(interface: &Interface, found: &mut Vec<ShownRoute>) {
    let mut add = |kind, address: IpAddr, prefix, source| {
        let destination = Network { address, prefix };
        found.push(ShownRoute {
            kind,
            index: interface.index,
            route: Route {
                destination,
                gateway: None,
                metric: 0,
            },
            source: Some(source),
            is_implied: true,
        });
    };
    for network in &interface.addresses {
        let own = network.address;
        let IpAddr::V4(v4) = own else {
            add(RouteKind::Local, own, 128, own);
            continue;
        };
        if interface.is_loopback() {
            add(RouteKind::Local, network_of(own, 8), 8, own);
        }
        add(RouteKind::Local, own, 32, own);
        if let Some(all) = broadcast(v4, network.prefix) {
            add(RouteKind::Broadcast, all.into(), 32, own);
        }
    }
}

fn main_route(index: u32, route: Route, interfaces: &[Interface]) -> ShownRoute {
    let interface = interfaces.iter().find(|one| one.index == index);
    let own = interface.and_then(|interface| {
        interface.addresses.iter().find(|own| {
            own.prefix == route.destination.prefix && own.contains(route.destination.address)
        })
    });
    let implied = own.filter(|_| route.gateway.is_none());
    ShownRoute {
        kind: RouteKind::Unicast,
        index,
        route,
        source: implied.map(|own| own.address).filter(|own| own.is_ipv4()),
        is_implied: implied.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_the_first_interface() {
        let lo = by_name(b"lo").expect("always there");
        assert_eq!((lo.index, lo.flags()), (1, 0x1_0049));
        assert_eq!(by_name(b"lo:1").map(|found| found.index), Some(1));
        assert!(by_name(b"l").is_none());
        assert_eq!(lo.ipv4().next(), Some((Ipv4Addr::LOCALHOST, 8)));
        assert_eq!(lo.ipv6().next(), Some((Ipv6Addr::LOCALHOST, 128)));
        let routes = routes();
        let shown = |kind, text: &str, prefix| {
            routes.iter().any(|one| {
                one.kind == kind
                    && one.route.destination.address.to_string() == text
                    && one.route.destination.prefix == prefix
            })
        };
        assert!(shown(RouteKind::Local, "127.0.0.0", 8));
        assert!(shown(RouteKind::Local, "127.0.0.1", 32));
        assert!(shown(RouteKind::Broadcast, "127.255.255.255", 32));
        assert!(shown(RouteKind::Local, "::1", 128));
    }

    #[test]
    fn masks_and_networks() {
        for (prefix, mask) in [(0, "0.0.0.0"), (8, "255.0.0.0"), (32, "255.255.255.255")] {
            assert_eq!(netmask(prefix).to_string(), mask);
        }
        let address = Ipv4Addr::new(10, 1, 2, 3);
        assert_eq!(broadcast(address, 24), Some(Ipv4Addr::new(10, 1, 2, 255)));
        assert_eq!(broadcast(address, 31), None);
        assert_eq!(network_of(address.into(), 0).to_string(), "0.0.0.0");
        let v6: IpAddr = "fd00::1:2".parse().expect("an address");
        assert_eq!(network_of(v6, 64).to_string(), "fd00::");
        assert_eq!(network_of(v6, 0).to_string(), "::");
    }
}
