//! The internet layer: addresses, routes, neighbours, fragments, ICMP, configuration.
//!
//! - [`Internet`]: all interfaces and the routing table; the transports' way out.
//! - [`input`]: what becomes of a frame that came; [`send`]: of a packet that goes.
//! - [`ipv4`], [`ipv6`], [`header`]: the headers; [`reassembly`], [`fragment`]: packets in pieces.
//! - [`icmp`]: echoes and errors; [`ndp`]: neighbour discovery's messages.
//! - [`addresses`], [`route`], [`path`]: what decides on source, way and length.
//! - [`dhcp`], [`slaac`], [`routers`], [`learning`]: configuration from outside; [`multicast`]: groups.
//!
//! The host model is the weak one, as Linux's: a packet to any address of ours is ours on every
//! interface, and ARP requests for it are answered there; IPv6 neighbours hear only of the interface's
//! own addresses. Packets are not forwarded. Redirects are ignored: the routes are those that were
//! configured, leased or advertised.

pub(crate) mod addresses;
pub(crate) mod complete;
pub(crate) mod dhcp;
pub(crate) mod discovery;
pub(crate) mod fragment;
pub(crate) mod header;
pub(crate) mod icmp;
pub(crate) mod input;
pub(crate) mod interface;
pub(crate) mod ipv4;
pub(crate) mod ipv6;
pub(crate) mod learning;
pub(crate) mod multicast;
pub(crate) mod ndp;
pub(crate) mod path;
pub(crate) mod reassembly;
pub(crate) mod route;
pub(crate) mod routers;
pub(crate) mod send;
pub(crate) mod slaac;
pub(crate) mod tending;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::address::Network;
use crate::config::{InterfaceConfig, InterfaceId, Mac, Route};
use crate::device::Device;
use crate::link::neighbour::earlier;
use crate::random::{KeyedHash, Random};
use crate::time::Instant;
use crate::traffic::{Ip, Traffic};
use addresses::Address;
use icmp::limit::Limits;
use interface::Interface;
use path::PathMtus;
use reassembly::Reassembly;
use route::RouteTable;
use slaac::Slaac;

/// The internet layer over all interfaces: the way out for the transports.
pub struct Internet {
    /// The present, as of the call into the stack.
    pub(crate) now: Instant,
    pub(crate) random: Random,
    hash: KeyedHash,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) routes: RouteTable,
    pub(crate) paths: PathMtus,
    pub(crate) limits: Limits,
    pub(crate) reassembly: Reassembly,
    /// When an interface's configuration or groups have something due.
    pub(crate) next: Option<Instant>,
    /// What is of no interface: packets that had no route, or no room to wait.
    pub(crate) traffic: Traffic,
    /// TCP segments that went out.
    pub(crate) segments: u64,
    /// Where packets are built: [`interface::HEADROOM`], then the packet.
    frame: Vec<u8>,
    /// Where fragments are built.
    piece: Vec<u8>,
    /// Where segments are built.
    pub(crate) scratch: Vec<u8>,
}

impl Internet {
    /// Without interfaces.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let [front, back] = [0, 16].map(|at| {
            let mut key = [0; 16];
            key.copy_from_slice(&seed[at..at + 16]);
            key
        });
        let hash = KeyedHash::new(front);
        Self {
            now: Instant::ZERO,
            random: Random::new(back),
            interfaces: Vec::new(),
            routes: RouteTable::default(),
            paths: PathMtus::new(hash.clone()),
            limits: Limits::new(hash.clone()),
            reassembly: Reassembly::new(hash.clone()),
            next: None,
            traffic: Traffic::default(),
            segments: 0,
            frame: Vec::new(),
            piece: Vec::new(),
            scratch: Vec::new(),
            hash,
        }
    }

    /// A key that nobody else has.
    pub(crate) fn key(&mut self) -> [u8; 16] {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.random.next().to_le_bytes());
        key[8..].copy_from_slice(&self.random.next().to_le_bytes());
        key
    }

    /// Adds an interface, and begins its configuration.
    pub(crate) fn add_interface(
        &mut self,
        config: InterfaceConfig,
        device: Box<dyn Device>,
    ) -> InterfaceId {
        let id = InterfaceId(u16::try_from(self.interfaces.len()).unwrap_or(u16::MAX));
        let addresses = config.addresses.clone();
        let routes = config.routes.clone();
        let (mac, dhcp, slaac) = (config.mac, config.dhcp, config.slaac);
        let mut interface = Interface::new(id, config, device, self.hash.clone());
        interface.list_addresses();
        interface.dhcp = dhcp.then(|| dhcp::Client::new(self.now, mac, &mut self.random));
        interface.slaac = slaac.then(|| Slaac::new(self.now));
        self.interfaces.push(interface);
        let is_local =
            |own: &Network| matches!(own.address, IpAddr::V6(own) if own.is_unicast_link_local());
        let has_ipv6 = slaac || addresses.iter().any(|own| own.address.is_ipv6());
        if has_ipv6 && !addresses.iter().any(is_local) {
            self.add_address(id, self.link_local(mac));
        }
        for network in addresses {
            self.add_address(
                id,
                Address::permanent(network, addresses::Origin::Configured),
            );
        }
        for route in routes {
            self.routes.add(route::Entry {
                interface: id,
                route,
                origin: route::Origin::Configured,
                expires: None,
            });
        }
        self.rearm();
        id
    }

    /// The link-local address of a station, on probation.
    fn link_local(&self, mac: Mac) -> Address {
        let address = slaac::address(slaac::LINK_LOCAL, mac, None);
        let network = Network {
            address: address.into(),
            prefix: 64,
        };
        Address {
            tentative: Some(self.now + routers::PROBATION),
            ..Address::permanent(network, addresses::Origin::LinkLocal)
        }
    }

    /// Gives an interface an address, and a route to its network; tells the neighbours.
    pub(crate) fn add_address(&mut self, id: InterfaceId, address: Address) {
        let (network, now) = (address.network, self.now);
        let Some(interface) = self.interface_mut(id) else {
            return;
        };
        let is_new = !interface.addresses.contains(network.address);
        if !interface.addresses.add(address) {
            return;
        }
        interface.list_addresses();
        if is_new {
            if let IpAddr::V6(own) = network.address {
                interface.groups.join(now, ndp::solicited_node(own).into());
            }
            interface.announce(&address);
        }
        let whole = if network.address.is_ipv4() { 32 } else { 128 };
        // Which prefixes are on the link a router says apart from which to make addresses of (RFC 5942).
        if network.prefix < whole && address.origin != addresses::Origin::Router {
            self.routes.add(connected(id, network));
        }
        self.rearm();
    }

    /// Takes addresses that `keep` does not want from an interface, and their networks' routes.
    pub(crate) fn remove_addresses(
        &mut self,
        id: InterfaceId,
        keep: impl Fn(&Address) -> bool,
    ) -> Vec<Network> {
        let now = self.now;
        let Some(interface) = self.interface_mut(id) else {
            return Vec::new();
        };
        let gone = interface.addresses.retain(keep);
        if gone.is_empty() {
            return gone;
        }
        interface.list_addresses();
        let reporter = interface.reporter();
        for network in &gone {
            if let IpAddr::V6(own) = network.address {
                let group = ndp::solicited_node(own).into();
                if let Some(report) = interface.groups.leave(now, group, reporter) {
                    interface.send_report(&report);
                }
            }
        }
        let orphaned = learning::orphaned(&gone, &interface.config.addresses);
        self.routes.retain(|entry| {
            let destination = entry.route.destination;
            let is_of = |network: &Network| {
                network.prefix == destination.prefix && network.contains(destination.address)
            };
            entry.interface != id
                || entry.origin != route::Origin::Connected
                || !orphaned.iter().any(is_of)
        });
        gone
    }

    /// The interface with an identity.
    pub(crate) fn interface(&self, id: InterfaceId) -> Option<&Interface> {
        self.interfaces.get(usize::from(id.0))
    }

    /// The interface with an identity.
    pub(crate) fn interface_mut(&mut self, id: InterfaceId) -> Option<&mut Interface> {
        self.interfaces.get_mut(usize::from(id.0))
    }

    /// A packet to `destination` has no way.
    pub(crate) fn no_route(&mut self, destination: IpAddr) {
        self.traffic.of(destination).count(Ip::OutNoRoutes);
    }

    /// Whether `address` is an address of ours.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.interfaces
            .iter()
            .any(|interface| interface.addresses.contains(address))
    }

    /// Whether `address` means all stations of a network of ours, or of all.
    pub(crate) fn is_broadcast(&self, address: IpAddr) -> bool {
        let of_all = matches!(address, IpAddr::V4(address) if address.is_broadcast());
        of_all
            || self
                .interfaces
                .iter()
                .any(|interface| interface.addresses.is_broadcast(address))
    }

    /// When something is to be done without being asked.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        self.interfaces
            .iter()
            .map(|interface| interface.neighbours.poll_at())
            .chain([self.reassembly.poll_at(), self.next])
            .fold(None, earlier)
    }
}

/// The route to a network on the link.
fn connected(interface: InterfaceId, network: Network) -> route::Entry {
    route::Entry {
        interface,
        route: Route {
            destination: Network {
                address: first_of(network),
                prefix: network.prefix,
            },
            gateway: None,
            metric: 0,
        },
        origin: route::Origin::Connected,
        expires: None,
    }
}

/// The first address of a network.
fn first_of(network: Network) -> IpAddr {
    match network.address {
        IpAddr::V4(address) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(network.prefix.into()))
                .unwrap_or(0);
            core::net::Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(network.prefix.into()))
                .unwrap_or(0);
            core::net::Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}
