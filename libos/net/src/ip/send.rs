//! Packets on their way out: route, source, fragments; and the way out for TCP.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::Internet;
use super::complete;
use super::fragment::fragment;
use super::header::{Header, header_len};
use super::interface::{HEADROOM, Next, count_transmitted};
use crate::checksum;
use crate::config::{InterfaceId, Mac};
use crate::output::{Completion, Output};
use crate::owner::SendError;
use crate::tcp::TCP_HEADER_LEN;
use crate::traffic::Ip;

/// Longest IP packet, in bytes: an IPv6 header and the longest payload.
const LONGEST_PACKET: usize = 40 + 65_535;

/// The way to a destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    /// Index of the interface.
    pub(crate) interface: usize,
    /// To whom there.
    pub(crate) next: Next,
    /// The address of the gateway, or of the destination itself.
    pub(crate) by: IpAddr,
    /// Longest packet all the way, as far as is known.
    pub(crate) mtu: usize,
}

/// The checksum of what is behind the IP header.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TransportSum {
    /// Of these bytes alone: at this offset.
    Alone(usize),
    /// With the pseudo header: at this offset.
    Pseudo(usize),
}

/// A packet to be made.
pub(crate) struct Outgoing<'a> {
    pub(crate) hop: Hop,
    pub(crate) header: Header,
    pub(crate) may_fragment: bool,
    pub(crate) sum: TransportSum,
    /// Transport header and payload.
    pub(crate) parts: [&'a [u8]; 2],
}

impl Internet {
    /// The way to `destination`, by `forced` if it is given.
    pub(crate) fn hop(&self, destination: IpAddr, forced: Option<InterfaceId>) -> Option<Hop> {
        if destination.is_unspecified() || destination.is_loopback() {
            return None;
        }
        let admits = |id: InterfaceId| {
            forced.is_none_or(|forced| forced == id)
                && self.interface(id).is_some_and(|interface| interface.is_up)
        };
        let found = self
            .routes
            .lookup(destination, |entry| admits(entry.interface));
        let (id, by) = match (found, forced) {
            (Some(entry), _) => (entry.interface, entry.route.gateway.unwrap_or(destination)),
            // As Linux: who names an interface knows that the destination is there.
            (None, Some(id)) if admits(id) => (id, destination),
            (None, None) if is_group(destination) => {
                (self.any_interface(destination)?, destination)
            }
            _ => return None,
        };
        let interface = usize::from(id.0);
        let own = self.interfaces.get(interface)?;
        let next = if is_group(destination) {
            Next::Station(Mac::of_group(destination))
        } else if own.addresses.is_broadcast(destination) {
            Next::Station(crate::link::ethernet::BROADCAST)
        } else {
            Next::Neighbour(by)
        };
        let mtu = self.paths.mtu(self.now, destination, own.mtu(destination));
        Some(Hop {
            interface,
            next,
            by,
            mtu,
        })
    }

    /// The address that a packet to `destination` leaves with.
    pub(crate) fn source(&self, hop: &Hop, destination: IpAddr) -> Option<IpAddr> {
        let near = self.interfaces.get(hop.interface)?;
        near.addresses
            .source(self.now, destination, hop.by)
            .or_else(|| {
                // The weak host model: any address of ours will do.
                let mut others = self.interfaces.iter().filter(|other| other.is_up);
                others.find_map(|other| other.addresses.source(self.now, destination, hop.by))
            })
    }

    /// Makes a packet, cuts it where it must and may be, and sends it.
    pub(crate) fn send_packet(&mut self, outgoing: &Outgoing<'_>) -> Result<(), SendError> {
        let Outgoing { hop, header, .. } = outgoing;
        let [first, second] = outgoing.parts;
        let payload = first.len() + second.len();
        let len = header.len() + payload;
        let longest = match header.destination {
            IpAddr::V4(_) => 65_535,
            IpAddr::V6(_) => LONGEST_PACKET,
        };
        if len > longest || (len > hop.mtu && !outgoing.may_fragment) {
            self.count(hop, header.destination, Ip::FragFails);
            return Err(SendError::TooLong);
        }
        self.count(hop, header.destination, Ip::OutRequests);
        if let (TransportSum::Alone(_), Some(&kind)) | (TransportSum::Pseudo(2), Some(&kind)) =
            (outgoing.sum, first.first())
            && let Some(interface) = self.interfaces.get_mut(hop.interface)
        {
            interface
                .traffic
                .of(header.destination)
                .icmp_out
                .add(kind, 1);
        }
        let mut frame = self.take_frame(HEADROOM + len);
        if let Some(packet) = frame.get_mut(HEADROOM..HEADROOM + len) {
            header.emit(packet);
            let (front, back) = packet[header.len()..].split_at_mut(first.len());
            front.copy_from_slice(first);
            back.copy_from_slice(second);
            let is_whole = len <= hop.mtu;
            let completion = self.sum(packet, outgoing, is_whole);
            if is_whole {
                self.send_frame(hop, &mut frame[..HEADROOM + len], completion);
            } else {
                self.send_fragments(hop, packet);
            }
        }
        self.frame = frame;
        Ok(())
    }

    /// Fills in the transport checksum, or leaves it to the device.
    fn sum(&self, packet: &mut [u8], outgoing: &Outgoing<'_>, is_whole: bool) -> Completion {
        let header = &outgoing.header;
        let Some(segment) = packet.get_mut(header.len()..) else {
            return Completion::Whole;
        };
        match outgoing.sum {
            TransportSum::Alone(at) => checksum::fill(segment, at, 0),
            TransportSum::Pseudo(_) if is_whole => return Completion::Checksum,
            TransportSum::Pseudo(at) => {
                let (source, destination) = (header.source, header.destination);
                let sum =
                    checksum::pseudo_header(source, destination, header.protocol, segment.len());
                checksum::fill_udp(segment, at, sum);
            }
        }
        Completion::Whole
    }

    fn send_fragments(&mut self, hop: &Hop, packet: &[u8]) {
        let identification = self.random.next_u32();
        let mut piece = core::mem::take(&mut self.piece);
        fragment(packet, hop.mtu, identification, &mut piece, &mut |frame| {
            self.count(hop, hop.by, Ip::FragCreates);
            self.send_frame(hop, frame, Completion::Whole);
        });
        self.count(hop, hop.by, Ip::FragOks);
        self.piece = piece;
    }

    fn count(&mut self, hop: &Hop, destination: IpAddr, what: Ip) {
        if let Some(interface) = self.interfaces.get_mut(hop.interface) {
            interface.traffic.of(destination).count(what);
        }
    }

    /// Sends the packet behind the headroom of `frame`, whose length fits.
    fn send_frame(&mut self, hop: &Hop, frame: &mut [u8], completion: Completion) {
        let Some(interface) = self.interfaces.get_mut(hop.interface) else {
            return;
        };
        let len = frame.len() - HEADROOM;
        count_transmitted(interface.traffic.of(hop.by), hop.next, len);
        interface.send(self.now, hop.next, frame, completion, &mut self.scratch);
    }

    /// The frame buffer, at least `len` bytes long.
    fn take_frame(&mut self, len: usize) -> Vec<u8> {
        let mut frame = core::mem::take(&mut self.frame);
        if frame.len() < len {
            frame.resize(len, 0);
        }
        frame
    }

    /// An interface for a group or broadcast that no route leads to.
    fn any_interface(&self, destination: IpAddr) -> Option<InterfaceId> {
        let mut up = self.interfaces.iter().filter(|interface| interface.is_up);
        let has = |interface: &&super::interface::Interface| {
            let mut own = interface.addresses.iter();
            own.any(|own| own.network.address.is_ipv4() == destination.is_ipv4())
        };
        let found = up.clone().find(has).or_else(|| up.next());
        found.map(|interface| interface.id)
    }
}

impl Output for Internet {
    fn ready(&self, destination: IpAddr) -> bool {
        // What has no way is dropped at once: nobody is to wait for it.
        self.hop(destination, None)
            .and_then(|hop| self.interfaces.get(hop.interface))
            .is_none_or(super::interface::Interface::is_free)
    }

    fn mtu(&self, destination: IpAddr) -> u16 {
        let mtu = self.hop(destination, None).map_or(1500, |hop| hop.mtu);
        u16::try_from(mtu).unwrap_or(u16::MAX)
    }

    fn segmentation(&self, destination: IpAddr) -> Option<usize> {
        let hop = self.hop(destination, None)?;
        let offloads = self.interfaces.get(hop.interface)?.config.offloads;
        (offloads.vnet_header && offloads.segmentation).then_some(65_535)
    }

    fn completes_checksums(&self, destination: IpAddr) -> bool {
        self.hop(destination, None)
            .and_then(|hop| self.interfaces.get(hop.interface))
            .is_some_and(|interface| {
                let offloads = interface.config.offloads;
                offloads.vnet_header && offloads.checksum
            })
    }

    fn send(
        &mut self,
        destination: IpAddr,
        len: usize,
        completion: Completion,
        fill: &mut dyn FnMut(&mut [u8]),
    ) {
        self.segments += segments(destination, len, completion);
        let Some(hop) = self.hop(destination, None) else {
            return self.no_route(destination);
        };
        if len < header_len(destination) || len > LONGEST_PACKET {
            return;
        }
        let mut frame = self.take_frame(HEADROOM + len);
        if let Some(packet) = frame.get_mut(HEADROOM..HEADROOM + len) {
            fill(packet);
            if let Some(completion) = complete::fit(packet, completion, hop.mtu) {
                self.count(&hop, destination, Ip::OutRequests);
                self.send_frame(&hop, &mut frame[..HEADROOM + len], completion);
            } else if let Some(interface) = self.interfaces.get_mut(hop.interface) {
                interface.counters.sent_dropped += 1;
            }
        }
        self.frame = frame;
    }
}

/// How many TCP segments a packet of `len` bytes becomes.
fn segments(destination: IpAddr, len: usize, completion: Completion) -> u64 {
    let Completion::Segments(size) = completion else {
        return 1;
    };
    let payload = len.saturating_sub(header_len(destination) + TCP_HEADER_LEN);
    u64::try_from(payload.div_ceil(usize::from(size).max(1))).unwrap_or(1)
}

/// Whether an address stands for several stations whatever the networks are.
pub(crate) fn is_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_multicast() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_multicast(),
    }
}
