//! Receiving: taking in what arrives, and handing it to the application.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use super::control::{self, Interest};
use super::counters::{self, Count};
use super::queue::Parcel;
use super::reach::address_on;
use super::{DatagramSocket, Transport, icmp};
use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::net::inet::address::Family;
use crate::net::message::{Ancillary, MessageFlags, Received};
use crate::net::socket::Halves;
use crate::user::Dest;

impl DatagramSocket {
    /// Takes `parcel` into the queue, in as many pieces as the socket wants; says whether anything
    /// was taken. The caller announces it.
    pub(super) fn admit(&self, parcel: Parcel) -> bool {
        let (is_udp, to) = (self.transport == Transport::Udp, parcel.to.ip());
        let taken = self.admit_uncounted(parcel);
        if is_udp {
            let count = if taken {
                Count::Received
            } else {
                Count::Dropped
            };
            counters::add(count, to);
        }
        taken
    }

    fn admit_uncounted(&self, mut parcel: Parcel) -> bool {
        let limit = self.options.receive_buffer();
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        if state.own.stamp.is_some() {
            parcel.arrived_ns = crate::time::realtime_ns();
        }
        if state.own.joins_trains {
            return if parcel.segment == 0 {
                state.queue.push_joining(parcel, limit)
            } else {
                state.queue.push(parcel, limit)
            };
        }
        if parcel.segment == 0 {
            return state.queue.push(parcel, limit);
        }
        let payload = core::mem::take(&mut parcel.payload);
        let mut taken = false;
        for piece in payload.chunks(parcel.segment) {
            let one = Parcel {
                payload: piece.to_vec(),
                segment: 0,
                ..parcel
            };
            taken |= state.queue.push(one, limit);
        }
        taken
    }

    pub(super) fn receive_message(
        &self,
        dest: &mut Dest<'_>,
        flags: MessageFlags,
        patience: Patience,
    ) -> Result<Received> {
        let peek = flags.contains(MessageFlags::PEEK);
        if flags.contains(MessageFlags::ERRQUEUE) {
            return self.receive_error(dest, peek);
        }
        let waits = patience != Patience::None;
        blocking::attempt(&self.arrivals, patience, || {
            self.try_receive(dest, peek, waits)
        })
    }

    fn try_receive(
        &self,
        dest: &mut Dest<'_>,
        peek: bool,
        waits: bool,
    ) -> Option<Result<Received>> {
        let mut state = self.state.lock();
        if let Some(error) = state.errors.take_pending() {
            return Some(Err(error));
        }
        if state.queue.is_empty() {
            // Linux tells the end to those only who would wait.
            let ended = state.shut.contains(Halves::RECEIVE) && waits;
            return ended.then(|| Ok(Received::default()));
        }
        let own = state.own;
        let dropped = state.queue.dropped();
        if peek {
            let parcel = state.queue.first()?.clone();
            drop(state);
            return Some(self.hand_over(dest, &parcel, own.interest(self, dropped)));
        }
        let parcel = state.queue.pop()?;
        drop(state);
        Some(self.hand_over(dest, &parcel, own.interest(self, dropped)))
    }

    /// Copies a parcel out.
    fn hand_over(
        &self,
        dest: &mut Dest<'_>,
        parcel: &Parcel,
        interest: Option<Interest>,
    ) -> Result<Received> {
        let header = match (self.transport, self.family) {
            (Transport::Raw, Family::V4) => icmp::ip_header(parcel).to_vec(),
            _ => Vec::new(),
        };
        let mut count = put(dest, &header)?;
        count += put(dest, &parcel.payload)?;
        let own = || {
            let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            address_on(parcel.interface, parcel.to.ip()).unwrap_or(unspecified)
        };
        let mut from = parcel.from;
        if let (std_scope, core::net::SocketAddr::V6(v6)) = (parcel.interface, &mut from)
            && crate::net::inet::address::is_link_local((*v6.ip()).into())
        {
            v6.set_scope_id(std_scope);
        }
        Ok(Received {
            count,
            full_len: header.len() + parcel.payload.len(),
            from: Some(self.encode(from)),
            ancillary: Ancillary {
                network: interest
                    .map(|interest| control::tell(&interest, parcel, own))
                    .unwrap_or_default(),
                ..Ancillary::default()
            },
            ..Received::default()
        })
    }

    /// MSG_ERRQUEUE: the oldest queued error with its datagram. Never blocks.
    fn receive_error(&self, dest: &mut Dest<'_>, peek: bool) -> Result<Received> {
        let error = {
            let mut state = self.state.lock();
            if peek {
                state.errors.first_queued().cloned()
            } else {
                state.errors.take_queued()
            }
        };
        let error = error.ok_or(Errno::EAGAIN)?;
        Ok(Received {
            count: put(dest, &error.payload)?,
            full_len: error.payload.len(),
            is_error: true,
            from: Some(self.encode(error.to)),
            ancillary: Ancillary {
                network: alloc::vec![control::tell_error(self.family, &error)],
                ..Ancillary::default()
            },
            ..Received::default()
        })
    }

    /// Length of what the next receive gives; 0 if there is nothing (FIONREAD).
    pub(super) fn next_len(&self) -> usize {
        let header = match (self.transport, self.family) {
            (Transport::Raw, Family::V4) => icmp::IP_HEADER,
            _ => 0,
        };
        let state = self.state.lock();
        state
            .queue
            .first()
            .map_or(0, |parcel| header + parcel.payload.len())
    }
}

/// Puts what fits; nothing into no room.
fn put(dest: &mut Dest<'_>, bytes: &[u8]) -> Result<usize> {
    if bytes.is_empty() || dest.room() == 0 {
        return Ok(0);
    }
    dest.put(bytes)
}
