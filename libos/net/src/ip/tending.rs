//! What an interface does by itself: neighbours that age, links that come and go.

use super::complete::Shape;
use super::icmp::error::Problem;
use super::icmp::receive::flow_of;
use super::input::{Cast, Input, Packet};
use super::interface::HEADROOM;
use crate::link::neighbour::Waiting;
use crate::owner::Unreachable;
use crate::vnet::VnetHeader;

impl Input<'_> {
    /// Does what is due on the interface.
    pub(crate) fn poll(&mut self) {
        self.poll_neighbours();
        self.poll_reassembly();
    }

    /// The link went down or up.
    pub(crate) fn set_link(&mut self, is_up: bool) {
        let Some(interface) = self.interface() else {
            return;
        };
        if interface.is_up == is_up {
            return;
        }
        interface.is_up = is_up;
        interface.forget();
        if is_up {
            self.relearn();
        } else {
            // Who waited for room need not wait any more: what is sent now is lost.
            let now = self.internet.now;
            self.tcp.writable(now, self.internet, self.owner);
        }
    }

    fn poll_neighbours(&mut self) {
        let now = self.internet.now;
        let Some(interface) = self.interface() else {
            return;
        };
        let due = interface.neighbours.poll(now);
        for question in due.questions {
            interface.ask(question);
        }
        for packet in due.failed {
            self.unresolved(&packet);
        }
    }

    /// Tells the senders of packets that stayed incomplete. Whichever interface is polled first does it for
    /// all.
    fn poll_reassembly(&mut self) {
        let now = self.internet.now;
        for incomplete in self.internet.reassembly.poll(now) {
            let key = incomplete.key;
            if !self.internet.is_own(key.destination) {
                continue;
            }
            let packet = Packet {
                source: key.source,
                destination: key.destination,
                hop_limit: 0,
                traffic_class: 0,
                cast: Cast::Unicast,
                was_unicast: true,
                vnet: VnetHeader::default(),
                whole: &incomplete.beginning,
                payload: &[],
            };
            self.internet
                .complain(key.interface, &packet, Problem::Reassembly);
        }
    }

    /// The neighbour that a packet waited for does not answer.
    fn unresolved(&mut self, packet: &Waiting) {
        if let Some(interface) = self.interface() {
            interface.counters.sent_dropped += 1;
        }
        let bytes = packet.frame.get(HEADROOM..).unwrap_or(&[]);
        let Some(shape) = Shape::of(bytes) else {
            return;
        };
        let segment = bytes.get(shape.header_len..).unwrap_or(&[]);
        let (source, destination) = (shape.source, shape.destination);
        if let Some(flow) = flow_of(source, destination, shape.protocol, segment) {
            self.report(shape.protocol, flow, source, Unreachable::Host);
        }
    }
}
