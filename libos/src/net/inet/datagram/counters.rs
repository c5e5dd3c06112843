//! How many UDP datagrams came and went, for `/proc/net/snmp`.

use core::sync::atomic::{AtomicU64, Ordering};

/// The counts, under the names that udp(7) programs know from `/proc/net/snmp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpCounts {
    /// `InDatagrams`: put into a socket's queue.
    pub received: u64,
    /// `NoPorts`: for a port where nobody was.
    pub no_port: u64,
    /// `RcvbufErrors`: dropped for want of room in a queue.
    pub dropped: u64,
    /// `OutDatagrams`.
    pub sent: u64,
    /// `SndbufErrors`: dropped for want of room in a device.
    pub send_dropped: u64,
}

/// One of the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// See [`UdpCounts::received`].
    Received,
    /// See [`UdpCounts::no_port`].
    NoPort,
    /// See [`UdpCounts::dropped`].
    Dropped,
    /// See [`UdpCounts::sent`].
    Sent,
    /// See [`UdpCounts::send_dropped`].
    SendDropped,
}

static COUNTS: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];

fn place(count: Count) -> &'static AtomicU64 {
    let [received, no_port, dropped, sent, send_dropped] = &COUNTS;
    match count {
        Count::Received => received,
        Count::NoPort => no_port,
        Count::Dropped => dropped,
        Count::Sent => sent,
        Count::SendDropped => send_dropped,
    }
}

/// Counts `by` more.
#[inline]
pub fn add(count: Count, by: usize) {
    let place = place(count);
    // One vCPU: a plain load and store suffice.
    let sum = place.load(Ordering::Relaxed).wrapping_add(by as u64);
    place.store(sum, Ordering::Relaxed);
}

/// The counts now.
pub fn udp() -> UdpCounts {
    let get = |count| place(count).load(Ordering::Relaxed);
    UdpCounts {
        received: get(Count::Received),
        no_port: get(Count::NoPort),
        dropped: get(Count::Dropped),
        sent: get(Count::Sent),
        send_dropped: get(Count::SendDropped),
    }
}
