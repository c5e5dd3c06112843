//! What comes from the stack: datagrams, echo replies, ICMP errors.
//!
//! It comes while the stack is locked, so the sockets take it in, and are announced afterwards
//! ([`settle`]): whoever wakes may ask the stack.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use libos_net::owner::{Datagram, DatagramError, Delivery, Echo};

use super::counters::{self, Count};
use super::errors::{QueuedError, meaning};
use super::queue::Parcel;
use super::send::{origin, receiver, receivers_of_many};
use super::table::Ends;
use super::{DatagramSocket, Transport, icmp};
use crate::net::inet::interfaces;
use crate::sync::SpinLock;

/// What a socket is to be told of.
enum Note {
    Arrival,
    Error,
}

static NOTES: SpinLock<Vec<(Arc<DatagramSocket>, Note)>> = SpinLock::new(Vec::new());

/// Announces what was taken in; called with the stack unlocked.
pub fn settle() {
    let notes = core::mem::take(&mut *NOTES.lock());
    for (socket, note) in notes {
        match note {
            Note::Arrival => socket.announce_arrival(),
            Note::Error => socket.announce_error(),
        }
    }
}

/// A UDP datagram came.
pub fn udp(datagram: &Datagram<'_>) -> Delivery {
    let to = datagram.flow.local;
    let parcel = Parcel {
        from: datagram.flow.remote,
        to,
        interface: interfaces::index_of(datagram.interface),
        hop_limit: datagram.hop_limit,
        traffic_class: datagram.traffic_class,
        payload: datagram.payload.to_vec(),
        segment: 0,
        arrived_ns: 0,
    };
    if datagram.is_to_many {
        for socket in receivers_of_many(&parcel) {
            take(socket, parcel.clone());
        }
        // Nobody is told that nobody listens to a group.
        return Delivery::Taken;
    }
    match receiver(&parcel) {
        Some(socket) => {
            take(socket, parcel);
            Delivery::Taken
        }
        None => {
            counters::add(Count::NoPort, parcel.to.ip());
            Delivery::NoPort
        }
    }
}

fn take(socket: Arc<DatagramSocket>, parcel: Parcel) {
    if socket.admit(parcel) {
        NOTES.lock().push((socket, Note::Arrival));
    }
}

/// An echo reply came.
pub fn echo(echo: &Echo<'_>) -> Delivery {
    let parcel = Parcel {
        from: SocketAddr::new(echo.from, 0),
        to: SocketAddr::new(echo.to, 0),
        interface: interfaces::index_of(echo.interface),
        hop_limit: echo.hop_limit,
        traffic_class: 0,
        payload: echo.message.to_vec(),
        segment: 0,
        arrived_ns: 0,
    };
    let mut takers = icmp::give_to_raw(&parcel);
    if !echo.is_request && parcel.payload.len() >= 8 {
        takers.extend(icmp::give_to_echo(parcel));
    }
    let delivery = if takers.is_empty() {
        Delivery::NoPort
    } else {
        Delivery::Taken
    };
    let notes = takers.into_iter().map(|socket| (socket, Note::Arrival));
    NOTES.lock().extend(notes);
    delivery
}

/// An ICMP error came about a datagram of ours.
pub fn datagram_error(error: &DatagramError) {
    const UDP: u8 = 17;
    let transport = if error.protocol == UDP {
        Transport::Udp
    } else {
        Transport::Echo
    };
    let (local, mut remote) = (error.flow.local, error.flow.remote);
    if transport == Transport::Echo {
        remote.set_port(0);
    }
    let ends = Ends {
        from: remote,
        to: local,
        interface: 0,
    };
    let found = {
        let table = transport.table().lock();
        table.find(local.port(), &ends, || 0)
    };
    let what = meaning(error.what, remote.is_ipv4());
    let takers = icmp::give_to_raw(&icmp::error_message(error, what));
    let notes = takers.into_iter().map(|socket| (socket, Note::Arrival));
    NOTES.lock().extend(notes);
    let Some(socket) = found else {
        return;
    };
    let queued = QueuedError {
        error: what.error,
        origin: origin(remote.ip()),
        icmp: what.icmp,
        info: what.info,
        offender: Some(error.by),
        to: remote,
        payload: Vec::new(),
    };
    if socket.absorb_error(queued, what.is_hard) {
        NOTES.lock().push((socket, Note::Error));
    }
}
