//! Neighbours that ask and tell: ARP and neighbour discovery as they arrive.

use core::net::{IpAddr, Ipv6Addr};

use super::input::{Input, Packet};
use super::ndp::{self, Message};
use crate::config::Mac;
use crate::link::arp::Arp;
use crate::link::ethernet::{EtherType, Frame};
use crate::link::neighbour::Waiting;
use crate::time::Duration;

/// How long an address is not defended again (RFC 5227, section 1.1).
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

impl Input<'_> {
    /// An ARP packet came (RFC 826, "Packet Reception").
    pub(crate) fn arp(&mut self, frame: &Frame<'_>) {
        let Some(arp) = Arp::parse(frame.payload) else {
            return self.malformed();
        };
        let sender = IpAddr::V4(arp.sender);
        if sender.is_multicast() || sender.is_loopback() || self.internet.is_broadcast(sender) {
            return self.malformed();
        }
        if self.internet.is_own(sender) && !arp.is_probe() {
            self.not_ours();
            return self.defend(sender, arp.sender_mac);
        }
        let is_asked = arp.is_request && self.answers_for(&arp);
        let now = self.internet.now;
        let Some(interface) = self.interface() else {
            return;
        };
        let waiting = if arp.is_probe() {
            alloc::vec::Vec::new()
        } else if is_asked && !arp.is_gratuitous() {
            interface.neighbours.meet(now, sender, arp.sender_mac)
        } else if !arp.is_request && frame.is_unicast {
            interface.neighbours.answered(now, sender, arp.sender_mac)
        } else {
            interface.neighbours.hear(now, sender, arp.sender_mac)
        };
        if is_asked {
            let answer = Arp {
                is_request: false,
                sender_mac: interface.config.mac,
                sender: arp.target,
                target: arp.sender,
            };
            let bytes = answer.emit(arp.sender_mac);
            interface.send_control(arp.sender_mac, EtherType::Arp, &bytes);
        }
        self.release(waiting, arp.sender_mac);
    }

    /// The station at `mac` claims an address of ours. It stays ours (RFC 5227, section 2.4, (c)): the neighbours are told so, but
    /// seldom, since the other side may do the same.
    fn defend(&mut self, address: IpAddr, mac: Mac) {
        let now = self.internet.now;
        let Some(interface) = self
            .interface()
            .filter(|interface| interface.config.mac != mac)
        else {
            return;
        };
        let Some(own) = interface.addresses.get_mut(address) else {
            return;
        };
        if own
            .defended
            .is_some_and(|then| now < then + DEFEND_INTERVAL)
        {
            return;
        }
        own.defended = Some(now);
        let own = *own;
        interface.announce(&own);
    }

    /// Whether we answer a request: for our addresses, and for everybody's but the other side's own if
    /// the interface is everybody.
    fn answers_for(&mut self, arp: &Arp) -> bool {
        let target = IpAddr::V4(arp.target);
        if self.internet.is_own(target) {
            return true;
        }
        let is_theirs = arp.is_probe() || arp.is_gratuitous();
        !is_theirs && self.is_everybody_but(target)
    }

    /// Whether the interface stands for `address`, which is not one of ours.
    fn is_everybody_but(&mut self, address: IpAddr) -> bool {
        if address.is_multicast() || address.is_unspecified() || address.is_loopback() {
            return false;
        }
        if self.internet.is_broadcast(address) {
            return false;
        }
        self.interface().is_some_and(|interface| {
            interface.config.any_address && interface.neighbours.peek(address).is_none()
        })
    }

    /// A neighbour discovery message came, with a good checksum.
    pub(crate) fn discovery(&mut self, packet: &Packet<'_>) {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (packet.source, packet.destination)
        else {
            return;
        };
        // RFC 4861, section 7.1: only from the link itself.
        if packet.hop_limit != 255 {
            return self.malformed();
        }
        match packet.payload.first() {
            // We are no router. Who is one for others on this interface does it by itself.
            Some(&ndp::ROUTER_SOLICITATION) => return,
            Some(&ndp::ROUTER_ADVERTISEMENT) => {
                return self.advertised_by_router(source, packet.payload);
            }
            _ => {}
        }
        match Message::parse(packet.payload) {
            Some(Message::Solicitation { target, mac }) => {
                self.solicited(source, destination, target, mac);
            }
            Some(Message::Advertisement {
                target,
                mac,
                is_solicited,
                is_override,
            }) => {
                if is_solicited && destination.is_multicast() {
                    return self.malformed();
                }
                self.advertised(target, mac, is_solicited, is_override);
            }
            None => self.malformed(),
        }
    }

    fn solicited(
        &mut self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        target: Ipv6Addr,
        mac: Option<Mac>,
    ) {
        let is_probe = source.is_unspecified();
        if is_probe && (mac.is_some() || destination != ndp::solicited_node(target)) {
            return self.malformed();
        }
        let address = IpAddr::V6(target);
        let is_own = self
            .interface()
            .is_some_and(|interface| interface.addresses.contains(address));
        if !is_own && (is_probe || !self.is_everybody_but(address)) {
            return self.not_ours();
        }
        let now = self.internet.now;
        let Some(interface) = self.interface() else {
            return;
        };
        let own = interface.config.mac;
        let tentative = interface.addresses.get_mut(address);
        let tentative = tentative.and_then(|own| own.tentative);
        if is_probe && tentative.is_some_and(|until| now < until) {
            // Both of us have begun to use it.
            return self.conflict(target);
        }
        if is_probe {
            let packet = ndp::advertisement(target, ndp::ALL_NODES, target, own);
            let group = Mac::of_group(ndp::ALL_NODES.into());
            return interface.send_control(group, EtherType::Ipv6, &packet);
        }
        let known = mac.or_else(|| interface.neighbours.peek(source.into()));
        let Some(to) = known else {
            return;
        };
        let waiting = interface.neighbours.meet(now, source.into(), to);
        let packet = ndp::advertisement(target, source, target, own);
        interface.send_control(to, EtherType::Ipv6, &packet);
        self.release(waiting, to);
    }

    /// RFC 4861, section 7.2.5, without the difference between an address that changes silently and one
    /// that is confirmed.
    fn advertised(
        &mut self,
        target: Ipv6Addr,
        mac: Option<Mac>,
        is_solicited: bool,
        is_override: bool,
    ) {
        let now = self.internet.now;
        let address = IpAddr::V6(target);
        let Some(interface) = self.interface() else {
            return;
        };
        if interface.addresses.contains(address) {
            return self.conflict(target);
        }
        let known = interface.neighbours.peek(address);
        let Some(mac) = mac.or(known) else {
            return;
        };
        let may_change = is_override || known.is_none_or(|known| known == mac);
        let waiting = match (is_solicited, may_change) {
            (_, false) => return,
            (true, true) => interface.neighbours.answered(now, address, mac),
            (false, true) => interface.neighbours.hear(now, address, mac),
        };
        self.release(waiting, mac);
    }

    /// Sends what waited for a neighbour.
    pub(crate) fn release(&mut self, waiting: alloc::vec::Vec<Waiting>, mac: Mac) {
        let internet = &mut *self.internet;
        let index = usize::from(self.id.0);
        if let Some(interface) = internet.interfaces.get_mut(index) {
            interface.release(waiting, mac, &mut internet.scratch);
        }
    }
}
