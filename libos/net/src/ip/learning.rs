//! Configuration that is learnt: a lease becomes address and routes, whatever is learnt ends in time, and
//! the owner hears of it. What routers say is in `routers`.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::Internet;
use super::addresses::{Address, Origin};
use super::dhcp::message::Lease;
use super::dhcp::{self, Change};
use super::header::{Header, protocol};
use super::input::{Input, Packet};
use super::interface::Next;
use super::route;
use super::send::{Hop, Outgoing, TransportSum};
use super::slaac;
use crate::address::Network;
use crate::bytes::u16_at;
use crate::config::InterfaceId;
use crate::link::ethernet;
use crate::link::neighbour::earlier;
use crate::owner::Learnt;
use crate::time::Instant;
use crate::udp;

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
        let (from, to) = (u16_at(packet.payload, 0), u16_at(packet.payload, 2));
        let is_answer = (from, to) == (Some(dhcp::SERVER_PORT), Some(dhcp::CLIENT_PORT));
        if !has_client || !is_answer {
            return false;
        }
        let Some((_, message)) = udp::parse(packet) else {
            return false;
        };
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
    pub(crate) fn remove_addresses(&mut self, keep: impl Fn(&Address) -> bool) -> bool {
        let gone = self.internet.remove_addresses(self.id, keep);
        for network in &gone {
            self.tcp.address_gone(network.address, self.owner);
        }
        !gone.is_empty()
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

    /// Tells the owner what is learnt now.
    pub(crate) fn tell(&mut self) {
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
