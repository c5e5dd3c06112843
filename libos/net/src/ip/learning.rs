//! Configuration that is learnt: what DHCP and routers say becomes addresses and routes, and ends in
//! time; the owner hears of it.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Internet;
use super::addresses::{Address, Origin};
use super::dhcp::message::Lease;
use super::dhcp::{self, Change};
use super::header::{Header, protocol};
use super::input::{Input, Packet};
use super::interface::Next;
use super::ndp;
use super::route;
use super::send::{Hop, Outgoing, TransportSum};
use super::slaac::{self, Advertisement, Prefix};
use crate::address::Network;
use crate::config::{InterfaceId, Route};
use crate::link::ethernet::{self, EtherType};
use crate::link::neighbour::earlier;
use crate::owner::Learnt;
use crate::time::{Duration, Instant};
use crate::udp;

/// How long others have to object to a new address (RFC 4862: one question, RetransTimer).
pub(crate) const PROBATION: Duration = Duration::from_secs(1);

/// How often an address is made anew when somebody has it (`idgen_retries`).
const MOST_CONFLICTS: u8 = 3;

/// RFC 4862, section 5.5.3, (e): nobody can shorten a lifetime below this, in seconds.
const LEAST_LIFETIME: u32 = 2 * 60 * 60;

impl Internet {
    /// When [`Input::poll_learning`] wants to be called for the interface.
    pub(crate) fn learning_at(&self, id: InterfaceId) -> Option<Instant> {
        let interface = self.interface(id)?;
        let addresses = interface.addresses.iter();
        let routes = self.routes.iter().filter(|entry| entry.interface == id);
        [
            interface.dhcp.as_ref().and_then(dhcp::Client::poll_at),
            interface.slaac.as_ref().and_then(slaac::Slaac::poll_at),
            interface.groups.poll_at(),
        ]
        .into_iter()
        .chain(addresses.map(|own| earlier(own.expires, own.tentative)))
        .chain(routes.map(|entry| entry.expires))
        .fold(None, earlier)
    }

    /// Notes anew when something is to be done.
    pub(crate) fn rearm(&mut self) {
        let ids = self.interfaces.iter().map(|interface| interface.id);
        self.next = ids.map(|id| self.learning_at(id)).fold(None, earlier);
    }

    /// Sends a client's message to a server, or to all.
    fn send_dhcp(&mut self, id: InterfaceId, outgoing: &dhcp::Outgoing) {
        let everybody = Ipv4Addr::BROADCAST;
        let (destination, source, hop) = match outgoing.to {
            Some((server, own)) => (server, own, self.hop(server.into(), Some(id))),
            None => {
                let hop = Hop {
                    interface: usize::from(id.0),
                    next: Next::Station(ethernet::BROADCAST),
                    by: everybody.into(),
                    mtu: 1500,
                };
                (everybody, Ipv4Addr::UNSPECIFIED, Some(hop))
            }
        };
        let Some(hop) = hop else {
            return;
        };
        let (from, to) = (dhcp::CLIENT_PORT, dhcp::SERVER_PORT);
        let Some(head) = udp::header(from, to, outgoing.message.len()) else {
            return;
        };
        let packet = Outgoing {
            hop,
            header: Header {
                source: source.into(),
                destination: destination.into(),
                protocol: protocol::UDP,
                hop_limit: 64,
                traffic_class: 0,
                dont_fragment: false,
                identification: self.random.next_u16(),
            },
            may_fragment: true,
            sum: TransportSum::Pseudo(udp::CHECKSUM_AT),
            parts: [&head, &outgoing.message],
        };
        // If it is lost the client asks again.
        let _ = self.send_packet(&packet);
    }
}

impl Input<'_> {
    /// Does what the interface's configuration has due.
    pub(crate) fn poll_learning(&mut self) {
        let now = self.internet.now;
        let is_up = self.interface().is_some_and(|interface| interface.is_up);
        if is_up {
            self.poll_dhcp(now);
            self.ask_routers(now);
            self.report_groups(now);
        }
        self.expire(now);
    }

    /// A packet that may be a DHCP server's answer; says whether it was for the client.
    pub(crate) fn dhcp(&mut self, packet: &Packet<'_>) -> bool {
        let has_client = self
            .interface()
            .is_some_and(|interface| interface.dhcp.is_some());
        if !has_client {
            return false;
        }
        let Some((flow, message)) = udp::parse(packet) else {
            return false;
        };
        if flow.local.port() != dhcp::CLIENT_PORT || flow.remote.port() != dhcp::SERVER_PORT {
            return false;
        }
        let internet = &mut *self.internet;
        let now = internet.now;
        let interface = internet.interfaces.get_mut(usize::from(self.id.0));
        let client = interface.and_then(|interface| interface.dhcp.as_mut());
        let change = client.and_then(|client| client.receive(now, message, &mut internet.random));
        self.apply(change);
        self.poll_dhcp(now);
        self.internet.rearm();
        true
    }

    fn poll_dhcp(&mut self, now: Instant) {
        let internet = &mut *self.internet;
        let interface = internet.interfaces.get_mut(usize::from(self.id.0));
        let Some(client) = interface.and_then(|interface| interface.dhcp.as_mut()) else {
            return;
        };
        let (outgoing, change) = client.poll(now, &mut internet.random);
        if let Some(outgoing) = outgoing {
            internet.send_dhcp(self.id, &outgoing);
        }
        self.apply(change);
    }

    /// The link came back: leases and routers are asked for again.
    pub(crate) fn relearn(&mut self) {
        let internet = &mut *self.internet;
        let now = internet.now;
        let Some(interface) = internet.interfaces.get_mut(usize::from(self.id.0)) else {
            return;
        };
        if let Some(slaac) = &mut interface.slaac {
            slaac.restart(now);
        }
        let client = interface.dhcp.as_mut();
        let change = client.and_then(|client| client.restart(now, &mut internet.random));
        self.apply(change);
        self.internet.rearm();
    }

    fn apply(&mut self, change: Option<Change>) {
        match change {
            Some(Change::Bound(lease)) => self.bind(lease),
            Some(Change::Lost(_)) => self.unbind(),
            None => {}
        }
    }

    fn bind(&mut self, lease: Lease) {
        let id = self.id;
        let Some(interface) = self.interface() else {
            return;
        };
        let before = interface.lease.take();
        if before.as_ref().is_some_and(|old| is_same(old, &lease)) {
            interface.lease = before;
            return;
        }
        interface.lease = Some(lease.clone());
        let limit = lease.mtu.unwrap_or(u16::MAX);
        interface.config.mtu = interface.link_mtu.min(limit);
        self.remove_addresses(|own| {
            own.origin != Origin::Dhcp || own.network.address == lease.network.address
        });
        let leased = Address::permanent(lease.network, Origin::Dhcp);
        self.internet.add_address(id, leased);
        self.internet
            .routes
            .retain(|entry| entry.interface != id || entry.origin != route::Origin::Dhcp);
        for &route in &lease.routes {
            self.internet.routes.add(route::Entry {
                interface: id,
                route,
                origin: route::Origin::Dhcp,
                expires: None,
            });
        }
        self.tell();
    }

    fn unbind(&mut self) {
        let id = self.id;
        if let Some(interface) = self.interface() {
            interface.lease = None;
            interface.config.mtu = interface.link_mtu;
        }
        self.internet
            .routes
            .retain(|entry| entry.interface != id || entry.origin != route::Origin::Dhcp);
        self.remove_addresses(|own| own.origin != Origin::Dhcp);
        self.tell();
    }

    /// Takes addresses that `keep` does not want from the interface, with the connections that they have.
    /// Says whether there were any.
    fn remove_addresses(&mut self, keep: impl Fn(&Address) -> bool) -> bool {
        let gone = self.internet.remove_addresses(self.id, keep);
        for network in &gone {
            self.tcp.address_gone(network.address, self.owner);
        }
        !gone.is_empty()
    }

    fn ask_routers(&mut self, now: Instant) {
        let Some(interface) = self.interface() else {
            return;
        };
        let asks = interface
            .slaac
            .as_mut()
            .is_some_and(|slaac| slaac.asks(now));
        if !asks {
            return;
        }
        let source = interface.link_local().unwrap_or(Ipv6Addr::UNSPECIFIED);
        let packet = ndp::router_solicitation(source, interface.config.mac);
        let group = crate::config::Mac::of_group(ndp::ALL_ROUTERS.into());
        interface.send_control(group, EtherType::Ipv6, &packet);
    }

    fn report_groups(&mut self, now: Instant) {
        let internet = &mut *self.internet;
        let Some(interface) = internet.interfaces.get_mut(usize::from(self.id.0)) else {
            return;
        };
        let own = interface.reporter();
        for report in interface.groups.poll(now, own, &mut internet.random) {
            interface.send_report(&report);
        }
    }

    fn expire(&mut self, now: Instant) {
        let lasts = |at: Option<Instant>| at.is_none_or(|at| now < at);
        let mut changed = self.remove_addresses(|own| lasts(own.expires));
        changed |= self.internet.routes.retain(|entry| lasts(entry.expires));
        if let Some(interface) = self.interface() {
            interface.addresses.settle(now);
            if let Some(slaac) = &mut interface.slaac {
                changed |= slaac.expire(now);
            }
        }
        if changed {
            self.tell();
        }
    }

    /// A router's advertisement came, with a good checksum, from the link.
    pub(crate) fn advertised_by_router(&mut self, router: Ipv6Addr, message: &[u8]) {
        let takes = self
            .interface()
            .is_some_and(|interface| interface.slaac.is_some());
        if !takes {
            return self.not_ours();
        }
        let Some(said) = Advertisement::parse(message) else {
            return self.malformed();
        };
        if !router.is_unicast_link_local() {
            return self.malformed();
        }
        let now = self.internet.now;
        let mut changed = false;
        if let Some(mac) = said.mac
            && let Some(interface) = self.interface()
        {
            let waiting = interface.neighbours.meet(now, router.into(), mac);
            self.release(waiting, mac);
        }
        let anywhere = Network {
            address: Ipv6Addr::UNSPECIFIED.into(),
            prefix: 0,
        };
        let mut routes = alloc::vec![(anywhere, u32::from(said.lifetime), said.metric)];
        routes.extend_from_slice(&said.routes);
        for (destination, seconds, metric) in routes {
            changed |= self.route_by_router(destination, Some(router.into()), seconds, metric);
        }
        for prefix in &said.prefixes {
            if prefix.is_on_link {
                changed |= self.route_by_router(prefix.network, None, prefix.valid, 256);
            }
            if prefix.is_for_addresses {
                changed |= self.address_by_router(prefix);
            }
        }
        if let Some(slaac) = self.interface().and_then(|found| found.slaac.as_mut()) {
            changed |= slaac.hear(now, &said);
        }
        self.internet.rearm();
        if changed {
            self.tell();
        }
    }

    /// Adds, renews or removes a way that a router names; says whether it is another one than before.
    fn route_by_router(
        &mut self,
        destination: Network,
        gateway: Option<IpAddr>,
        seconds: u32,
        metric: u32,
    ) -> bool {
        let (id, now) = (self.id, self.internet.now);
        let is_it = |entry: &route::Entry| {
            entry.interface == id
                && entry.origin == route::Origin::Router
                && entry.route.gateway == gateway
                && entry.route.destination == destination
        };
        let routes = &mut self.internet.routes;
        if seconds == 0 {
            return routes.retain(|entry| !is_it(entry));
        }
        let is_new = !routes.iter().any(is_it);
        routes.add(route::Entry {
            interface: id,
            route: Route {
                destination,
                gateway,
                metric,
            },
            origin: route::Origin::Router,
            expires: slaac::end(now, seconds),
        });
        is_new
    }

    /// RFC 4862, section 5.5.3; says whether there is an address more.
    fn address_by_router(&mut self, prefix: &Prefix) -> bool {
        let (id, now) = (self.id, self.internet.now);
        let IpAddr::V6(first) = prefix.network.address else {
            return false;
        };
        let Some(interface) = self.interface() else {
            return false;
        };
        let Some(slaac) = &interface.slaac else {
            return false;
        };
        let is_usable = prefix.network.prefix == 64 && prefix.preferred <= prefix.valid;
        if !is_usable || slaac.conflicts > MOST_CONFLICTS {
            return false;
        }
        let own = slaac::address(first, interface.config.mac, slaac.identifier);
        let old = interface.addresses.get_mut(own.into()).copied();
        let valid = match old {
            Some(old) if old.origin != Origin::Router => return false,
            Some(old) => lifetime(now, old.expires, prefix.valid),
            None => prefix.valid,
        };
        if valid == 0 {
            return false;
        }
        let address = Address {
            network: Network {
                address: own.into(),
                prefix: 64,
            },
            origin: Origin::Router,
            deprecated: slaac::end(now, prefix.preferred),
            expires: slaac::end(now, valid),
            tentative: Some(now + PROBATION),
        };
        self.internet.add_address(id, address);
        old.is_none()
    }

    /// Somebody else has an address of ours. One that we made is given up, and another made; one that was
    /// given to us stays.
    pub(crate) fn conflict(&mut self, address: Ipv6Addr) {
        let (id, now) = (self.id, self.internet.now);
        let chosen = self.internet.random.next();
        let Some(interface) = self.interface() else {
            return;
        };
        interface.counters.received_dropped += 1;
        let Some(own) = interface.addresses.get_mut(address.into()).copied() else {
            return;
        };
        let is_made = matches!(own.origin, Origin::LinkLocal | Origin::Router);
        if !is_made || own.tentative.is_none_or(|until| until <= now) {
            return;
        }
        let mac = interface.config.mac;
        let mut again = None;
        if let Some(slaac) = &mut interface.slaac {
            slaac.conflicts = slaac.conflicts.saturating_add(1);
            slaac.identifier = Some(chosen);
            again = (slaac.conflicts <= MOST_CONFLICTS).then_some(chosen);
        }
        self.remove_addresses(|own| own.network.address != address);
        if again.is_some() {
            let made = slaac::address(address, mac, again);
            let network = Network {
                address: made.into(),
                prefix: 64,
            };
            let tentative = Some(now + PROBATION);
            self.internet.add_address(
                id,
                Address {
                    network,
                    tentative,
                    ..own
                },
            );
        }
        self.internet.rearm();
        self.tell();
    }

    /// Tells the owner what is learnt now.
    fn tell(&mut self) {
        let Some(interface) = self.interface() else {
            return;
        };
        let mut learnt = Learnt::default();
        if let Some(lease) = &interface.lease {
            learnt.dns.extend_from_slice(&lease.dns);
            learnt.search.extend_from_slice(&lease.search);
        }
        if let Some(slaac) = &interface.slaac {
            learnt.dns.extend(slaac.dns());
            learnt.search.extend(slaac.search().cloned());
        }
        self.owner.configured(self.id, &learnt);
    }
}

/// Whether a lease says the same as the one before, but for its time.
fn is_same(old: &Lease, new: &Lease) -> bool {
    let essence = |lease: &Lease| Lease {
        seconds: None,
        renewal: None,
        rebinding: None,
        server: Ipv4Addr::UNSPECIFIED,
        ..lease.clone()
    };
    essence(old) == essence(new)
}

/// RFC 4862, section 5.5.3, (e): the seconds that an address has after a router said `told`.
fn lifetime(now: Instant, expires: Option<Instant>, told: u32) -> u32 {
    let left = match expires {
        Some(end) if end > now => u32::try_from((end - now).secs()).unwrap_or(u32::MAX),
        Some(_) => 0,
        None => u32::MAX,
    };
    if told > LEAST_LIFETIME || told > left {
        told
    } else {
        left.min(LEAST_LIFETIME)
    }
}

/// Networks of addresses that went, and are no others'.
pub(crate) fn orphaned(gone: &[Network], left: &[Network]) -> Vec<Network> {
    let is_left = |network: &&Network| {
        left.iter()
            .any(|other| other.prefix == network.prefix && other.contains(network.address))
    };
    gone.iter()
        .filter(|network| !is_left(network))
        .copied()
        .collect()
}
