//! One interface: its device, neighbours and addresses; packets become frames here.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::addresses::{Address, Addresses};
use super::complete;
use super::dhcp;
use super::dhcp::message::Lease;
use super::header::protocol;
use super::multicast::{Groups, Own, Report};
use super::ndp;
use super::slaac::Slaac;
use crate::config::{InterfaceConfig, InterfaceId, Mac};
use crate::device::{Device, VNET_HEADER_LEN};
use crate::link::arp::Arp;
use crate::link::ethernet::{self, EtherType};
use crate::link::neighbour::{Lookup, Neighbours, Question, Waiting};
use crate::link::queue::{Sent, TransmitQueue};
use crate::output::Completion;
use crate::random::KeyedHash;
use crate::stack::Counters;
use crate::time::Instant;
use crate::traffic::{Ip, Traffic, Version};

/// What precedes an IP packet in a frame buffer: the `virtio_net_hdr` and the Ethernet header.
pub(crate) const HEADROOM: usize = VNET_HEADER_LEN + ethernet::HEADER_LEN;

/// Whom a packet goes to on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The neighbour with this address.
    Neighbour(IpAddr),
    /// This station, or group.
    Station(Mac),
}

/// An interface.
pub(crate) struct Interface {
    pub(crate) id: InterfaceId,
    /// As configured; its addresses are those of `addresses`.
    pub(crate) config: InterfaceConfig,
    device: Box<dyn Device>,
    pub(crate) is_up: bool,
    pub(crate) counters: Counters,
    /// What went through IP here.
    pub(crate) traffic: Traffic,
    pub(crate) neighbours: Neighbours,
    queue: TransmitQueue,
    pub(crate) addresses: Addresses,
    pub(crate) groups: Groups,
    /// The DHCP client, if an address is to be leased.
    pub(crate) dhcp: Option<dhcp::Client>,
    /// What it leased.
    pub(crate) lease: Option<Lease>,
    /// What routers said, if they are to be heard.
    pub(crate) slaac: Option<Slaac>,
    /// Longest packet that the link takes, whatever servers say.
    pub(crate) link_mtu: u16,
}

impl Interface {
    /// Without addresses.
    pub(crate) fn new(
        id: InterfaceId,
        config: InterfaceConfig,
        device: Box<dyn Device>,
        hash: KeyedHash,
    ) -> Self {
        Self {
            id,
            link_mtu: config.mtu,
            config,
            device,
            is_up: true,
            counters: Counters::default(),
            traffic: Traffic::default(),
            neighbours: Neighbours::new(hash.clone()),
            groups: Groups::new(hash),
            dhcp: None,
            lease: None,
            slaac: None,
            queue: TransmitQueue::default(),
            addresses: Addresses::default(),
        }
    }

    /// Makes the configuration list the addresses that there are.
    pub(crate) fn list_addresses(&mut self) {
        self.config.addresses = self.addresses.iter().map(|own| own.network).collect();
    }

    /// Longest packet on the link to `destination`, in bytes.
    pub(crate) fn mtu(&self, destination: IpAddr) -> usize {
        let advertised = self.slaac.as_ref().and_then(|slaac| slaac.mtu);
        match (destination, advertised) {
            (IpAddr::V6(_), Some(mtu)) => self.config.mtu.min(mtu).into(),
            _ => self.config.mtu.into(),
        }
    }

    /// Whether packets to `group` are ours: we, or our addresses, joined it.
    pub(crate) fn is_member(&self, group: IpAddr) -> bool {
        let is_all = match group {
            IpAddr::V4(group) => group == Ipv4Addr::new(224, 0, 0, 1),
            IpAddr::V6(group) => group == ndp::ALL_NODES,
        };
        is_all || self.groups.contains(group)
    }

    /// Whether a frame would go at once.
    pub(crate) fn is_free(&self) -> bool {
        self.queue.is_empty()
    }

    /// Sends an IP packet, which lies behind [`HEADROOM`] bytes in `frame`, or lets it wait for the
    /// neighbour's answer.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        next: Next,
        frame: &mut [u8],
        completion: Completion,
        scratch: &mut Vec<u8>,
    ) {
        let address = match next {
            Next::Station(mac) => return self.emit(mac, frame, completion, scratch),
            Next::Neighbour(address) => address,
        };
        let lookup = self.neighbours.lookup(now, address);
        if let Lookup::Known(mac) = lookup {
            return self.emit(mac, frame, completion, scratch);
        }
        let packet = Waiting {
            frame: frame.to_vec(),
            completion,
        };
        if lookup == Lookup::Full || !self.neighbours.wait(address, packet) {
            self.counters.sent_dropped += 1;
        }
        if lookup == Lookup::Ask {
            self.ask(Question { address, at: None });
        }
    }

    /// Sends what waited for a neighbour that is now known to be at `mac`.
    pub(crate) fn release(&mut self, waiting: Vec<Waiting>, mac: Mac, scratch: &mut Vec<u8>) {
        for mut packet in waiting {
            self.emit(mac, &mut packet.frame, packet.completion, scratch);
        }
    }

    /// Sends a packet of the stack's own, which is complete.
    pub(crate) fn send_control(&mut self, to: Mac, kind: EtherType, packet: &[u8]) {
        if kind != EtherType::Arp {
            self.count_control(to, packet);
        }
        let mut frame = Vec::with_capacity(HEADROOM + packet.len());
        frame.resize(HEADROOM, 0);
        frame.extend_from_slice(packet);
        self.put_headers(to, kind, &mut frame);
        self.transmit(&frame);
    }

    fn count_control(&mut self, to: Mac, packet: &[u8]) {
        const FIRST_BYTE: usize = 40;
        const BEHIND_HOP_BY_HOP: usize = 48;
        let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
        let version = if is_v4 {
            &mut self.traffic.v4
        } else {
            &mut self.traffic.v6
        };
        version.count(Ip::OutRequests);
        if !is_v4 {
            let is_first = packet.get(6) == Some(&protocol::ICMPV6);
            let at = if is_first {
                FIRST_BYTE
            } else {
                BEHIND_HOP_BY_HOP
            };
            packet
                .get(at)
                .inspect(|&&kind| version.icmp_out.add(kind, 1));
        }
        count_transmitted(version, Next::Station(to), packet.len());
    }

    /// Asks who has an address, or whether a neighbour still has it.
    pub(crate) fn ask(&mut self, question: Question) {
        match question.address {
            IpAddr::V4(target) => {
                let to = question.at.unwrap_or(ethernet::BROADCAST);
                let arp = Arp {
                    is_request: true,
                    sender_mac: self.config.mac,
                    sender: self.ipv4_towards(target).unwrap_or(Ipv4Addr::UNSPECIFIED),
                    target,
                };
                self.send_control(to, EtherType::Arp, &arp.emit(to));
            }
            IpAddr::V6(target) => {
                let group = ndp::solicited_node(target);
                let to = question.at.unwrap_or_else(|| Mac::of_group(group.into()));
                let destination = if question.at.is_some() { target } else { group };
                let Some(source) = self.ipv6_towards(target) else {
                    return;
                };
                let packet = ndp::solicitation(source, destination, target, self.config.mac);
                self.send_control(to, EtherType::Ipv6, &packet);
            }
        }
    }

    /// Sends a membership report.
    pub(crate) fn send_report(&mut self, report: &Report) {
        let to = Mac::of_group(report.destination);
        self.send_control(to, EtherType::of(report.destination), &report.packet);
    }

    /// Whom membership reports come from.
    pub(crate) fn reporter(&self) -> Own {
        let v4 = self.ipv4_towards(Ipv4Addr::UNSPECIFIED);
        Own {
            v4: v4.unwrap_or(Ipv4Addr::UNSPECIFIED),
            v6: self.link_local(),
        }
    }

    /// Tells all neighbours where an address of ours is; asks them if they have it while it is on
    /// probation.
    pub(crate) fn announce(&mut self, own: &Address) {
        let mac = self.config.mac;
        match own.network.address {
            IpAddr::V4(address) => {
                let arp = Arp {
                    is_request: true,
                    sender_mac: mac,
                    sender: address,
                    target: address,
                };
                let bytes = arp.emit(ethernet::BROADCAST);
                self.send_control(ethernet::BROADCAST, EtherType::Arp, &bytes);
            }
            IpAddr::V6(address) if own.tentative.is_some() => {
                let group = ndp::solicited_node(address);
                let nobody = Ipv6Addr::UNSPECIFIED;
                let packet = ndp::solicitation(nobody, group, address, mac);
                self.send_control(Mac::of_group(group.into()), EtherType::Ipv6, &packet);
            }
            IpAddr::V6(address) => {
                let packet = ndp::advertisement(address, ndp::ALL_NODES, address, mac);
                let group = Mac::of_group(ndp::ALL_NODES.into());
                self.send_control(group, EtherType::Ipv6, &packet);
            }
        }
    }

    /// Our link-local address.
    pub(crate) fn link_local(&self) -> Option<Ipv6Addr> {
        self.addresses
            .iter()
            .find_map(|own| match own.network.address {
                IpAddr::V6(own) if own.is_unicast_link_local() => Some(own),
                _ => None,
            })
    }

    /// Hands the device what waits for it.
    pub(crate) fn flush(&mut self) {
        let counters = &mut self.counters;
        self.queue.flush(&mut *self.device, &mut |frame| {
            counters.sent_frames += 1;
            counters.sent_bytes += u64::try_from(frame.len()).unwrap_or(0);
        });
    }

    /// The link is gone: so are neighbours, and what waits for them or the device.
    pub(crate) fn forget(&mut self) {
        let dropped = self.queue.clear();
        self.counters.sent_dropped += u64::try_from(dropped).unwrap_or(0);
        self.neighbours.clear();
    }

    /// Makes an IP packet a frame to `mac`, and sends it.
    pub(crate) fn emit(
        &mut self,
        mac: Mac,
        frame: &mut [u8],
        completion: Completion,
        scratch: &mut Vec<u8>,
    ) {
        let offloads = self.config.offloads;
        let Some(packet) = frame.get_mut(HEADROOM..) else {
            return;
        };
        let kind = match packet.first().map(|first| first >> 4) {
            Some(4) => EtherType::Ipv4,
            _ => EtherType::Ipv6,
        };
        let Some(header) = complete::finish(packet, completion, offloads) else {
            let Completion::Segments(size) = completion else {
                self.counters.sent_dropped += 1;
                return;
            };
            return complete::cut(packet, size, scratch, &mut |piece| {
                self.put_headers(mac, kind, piece);
                self.transmit(piece);
            });
        };
        self.put_headers(mac, kind, frame);
        if let Some(front) = frame.first_chunk_mut() {
            *front = header.emit();
        }
        self.transmit(frame);
    }

    /// Writes the link's headers before a packet that is complete.
    fn put_headers(&self, to: Mac, kind: EtherType, frame: &mut [u8]) {
        let header = ethernet::header(to, self.config.mac, kind);
        if let Some(front) = frame.get_mut(..HEADROOM) {
            let (vnet, link) = front.split_at_mut(VNET_HEADER_LEN);
            vnet.fill(0);
            link.copy_from_slice(&header);
        }
    }

    fn transmit(&mut self, frame: &[u8]) {
        let skip = if self.config.offloads.vnet_header {
            0
        } else {
            VNET_HEADER_LEN
        };
        if !self.is_up {
            self.counters.sent_dropped += 1;
            return;
        }
        let frame = frame.get(skip..).unwrap_or(&[]);
        match self.queue.send(&mut *self.device, frame) {
            Sent::Now => {
                self.counters.sent_frames += 1;
                self.counters.sent_bytes += u64::try_from(frame.len()).unwrap_or(0);
            }
            Sent::Later => {}
            Sent::Dropped => self.counters.sent_dropped += 1,
        }
    }

    /// Our IPv4 address as a neighbour at `target` is to see it.
    fn ipv4_towards(&self, target: Ipv4Addr) -> Option<Ipv4Addr> {
        match self
            .addresses
            .source(Instant::ZERO, target.into(), target.into())
        {
            Some(IpAddr::V4(own)) => Some(own),
            _ => None,
        }
    }

    /// Our IPv6 address as a neighbour at `target` is to see it: the link-local one where there is one.
    fn ipv6_towards(&self, target: Ipv6Addr) -> Option<Ipv6Addr> {
        let other = || {
            let source = self
                .addresses
                .source(Instant::ZERO, target.into(), target.into());
            match source {
                Some(IpAddr::V6(own)) => Some(own),
                _ => None,
            }
        };
        self.link_local().or_else(other)
    }
}

/// Counts a packet of `len` bytes that goes to `next`, whole or a fragment.
pub(crate) fn count_transmitted(version: &mut Version, next: Next, len: usize) {
    version.count(Ip::OutTransmits);
    version.count_bytes(Ip::OutOctets, len);
    match next {
        Next::Station(ethernet::BROADCAST) => version.count_packet(Ip::OutBcastPkts, len),
        Next::Station(mac) if mac.is_multicast() => version.count_packet(Ip::OutMcastPkts, len),
        _ => {}
    }
}
