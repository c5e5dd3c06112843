//! What an interface does by itself: neighbours that age, links that come and go.

use super::complete::Shape;
use super::icmp::receive::flow_of;
use super::input::Input;
use super::interface::HEADROOM;
use crate::link::neighbour::Waiting;
use crate::owner::Unreachable;

impl Input<'_> {
    /// Does what is due on the interface.
    pub(crate) fn poll(&mut self) {
        self.poll_neighbours();
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
