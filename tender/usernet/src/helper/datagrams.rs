//! Datagrams and echoes on their way back to the guest, and what the helper itself has to say.

use super::side::Answer;
use super::table::Key;
use super::{Helper, host, icmp, router};
use crate::pktinfo;
use libos_net::address::Flow;
use libos_net::owner::{OutgoingDatagram, Unreachable};
use rustix::io::Errno;
use std::net::SocketAddr;

/// Datagrams taken from one socket before others have their turn.
const TAKEN_A_TURN: usize = 32;

/// Hop limit of what the helper sends; to the guest it is one hop.
const HOP_LIMIT: u8 = 64;

impl Helper {
    /// A host answered the guest by UDP.
    pub(super) fn host_datagrams(&mut self, key: Key) {
        for _ in 0..TAKEN_A_TURN {
            let Some(entry) = self.side.udp.get_mut(key) else {
                return;
            };
            let flow = entry.flow;
            match host::receive(&entry.socket, &mut self.datagram) {
                Ok(len) => {
                    entry.answered(self.side.now);
                    self.send_datagram(flow, len);
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::CONNREFUSED) => {
                    self.side.udp.refused(key, &mut self.side.resolvers);
                    self.side
                        .tell_unreachable(flow, icmp::UDP, Unreachable::Port);
                }
                Err(Errno::HOSTUNREACH | Errno::NETUNREACH) => {
                    self.side
                        .tell_unreachable(flow, icmp::UDP, Unreachable::Host);
                }
                // An error is taken by being told: the next call finds the socket without it.
                Err(_) => {}
            }
        }
    }

    /// Someone sends to a published UDP port.
    pub(super) fn peer_datagrams(&mut self, index: u32) {
        for _ in 0..TAKEN_A_TURN {
            let Some(port) = self.side.published.get(index as usize) else {
                return;
            };
            let guest_port = port.published.guest_port;
            match pktinfo::receive(&port.socket, &mut self.datagram) {
                Ok((len, peer, host)) => {
                    let Some((wish, guest)) = self.side.way_to_guest(peer, guest_port) else {
                        continue;
                    };
                    let (now, names) = (self.side.now, (index, guest_port));
                    if let Some(peer) = self.side.peers.meet(now, names, peer, host, wish) {
                        self.send_datagram(
                            Flow {
                                local: peer.shown,
                                remote: guest,
                            },
                            len,
                        );
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(_) => {}
            }
        }
    }

    /// The first `len` bytes of the buffer, from a host to the guest.
    fn send_datagram(&mut self, flow: Flow, len: usize) {
        let payload = self.datagram.get(..len).unwrap_or(&self.datagram);
        let datagram = outgoing(flow.local, flow.remote, payload);
        match self.stack.send_udp(self.side.now, &datagram) {
            Ok(()) => self.side.counters.datagrams_in += 1,
            Err(_) => self.side.counters.datagrams_lost += 1,
        }
    }

    /// A host answered the guest's ping.
    pub(super) fn host_echoes(&mut self, key: Key) {
        for _ in 0..TAKEN_A_TURN {
            let Some(ping) = self.side.pings.get_mut(key) else {
                return;
            };
            let (guest, host, identifier) = ping.names;
            match host::receive(&ping.socket, &mut self.datagram) {
                Ok(len) => {
                    let message = self.datagram.get_mut(..len).unwrap_or_default();
                    if icmp::rename_reply(message, host.is_ipv6(), identifier) {
                        let (from, to) = (SocketAddr::new(host, 0), SocketAddr::new(guest, 0));
                        let datagram = outgoing(from, to, message);
                        let _ = self.stack.send_icmp(self.side.now, &datagram);
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(_) => {}
            }
        }
    }

    /// Sends what was noted while the stack was at work.
    pub(super) fn send_answers(&mut self) {
        if self.side.answers.is_empty() {
            return;
        }
        let now = self.side.now;
        for answer in std::mem::take(&mut self.side.answers) {
            let sent = match &answer {
                Answer::Datagram { from, to, payload } => {
                    let mut datagram = outgoing(*from, *to, payload);
                    datagram.interface = Some(self.interface);
                    self.stack.send_udp(now, &datagram)
                }
                Answer::Icmp { from, to, message } => {
                    let (from, to) = (SocketAddr::new(*from, 0), SocketAddr::new(*to, 0));
                    self.stack.send_icmp(now, &outgoing(from, to, message))
                }
            };
            if sent.is_err() {
                self.side.counters.datagrams_lost += 1;
            }
        }
    }

    /// Answers a router solicitation.
    pub(super) fn advertise(&mut self) {
        let Some(message) = &self.advertisement else {
            return;
        };
        let from = SocketAddr::new(self.side.config.router.into(), 0);
        let to = SocketAddr::new(router::ALL_NODES.into(), 0);
        let mut datagram = outgoing(from, to, message);
        datagram.interface = Some(self.interface);
        datagram.hop_limit = router::HOP_LIMIT;
        let _ = self.stack.send_icmp(self.side.now, &datagram);
    }
}

fn outgoing(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> OutgoingDatagram<'_> {
    OutgoingDatagram {
        from,
        to,
        interface: None,
        hop_limit: HOP_LIMIT,
        traffic_class: 0,
        may_fragment: true,
        payload,
    }
}
