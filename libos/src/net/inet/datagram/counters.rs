//! How many UDP datagrams came and went, and how many ICMP messages over loopback; how much the sockets hold. For
//! `/proc/net/snmp` and its like.

use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, Ordering};

use libos_net::traffic::{Types, Version};
use linux_raw_sys::net::AF_INET6;

use super::Transport;
use crate::net::socket::Socket;
use crate::sync::SpinLock;

/// One of the counts of UDP. The names are those of `/proc/net/snmp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// `InDatagrams`: put into a socket's queue.
    Received,
    /// `NoPorts`: for a port where nobody was.
    NoPort,
    /// `RcvbufErrors`: dropped for want of room in a queue.
    Dropped,
    /// `OutDatagrams`.
    Sent,
    /// `SndbufErrors`: dropped for want of room in a device.
    SendDropped,
}

const COUNT: usize = 5;

/// Of IPv4, then of IPv6.
static COUNTS: [[AtomicU64; COUNT]; 2] = [const { [const { AtomicU64::new(0) }; COUNT] }; 2];

/// Counts one more, of the version of `address`.
#[inline]
pub fn add(count: Count, address: IpAddr) {
    let place = &COUNTS[usize::from(address.is_ipv6())][count as usize];
    // One vCPU: a plain load and store suffice.
    place.store(
        place.load(Ordering::Relaxed).wrapping_add(1),
        Ordering::Relaxed,
    );
}

/// How often something happened, by IPv6 or IPv4.
pub fn get(count: Count, is_v6: bool) -> u64 {
    COUNTS[usize::from(is_v6)][count as usize].load(Ordering::Relaxed)
}

/// Messages over loopback, of ICMP and of ICMPv6.
static LOOPED: SpinLock<Option<[Types; 2]>> = SpinLock::new(None);

/// Counts an ICMP message over loopback.
pub fn add_looped_icmp(to: IpAddr, kind: u8) {
    LOOPED.lock().get_or_insert_default()[usize::from(to.is_ipv6())].add(kind, 1);
}

/// Adds the messages over loopback to those of the interfaces.
pub fn add_looped_to(version: &mut Version, is_v6: bool) {
    if let Some(looped) = LOOPED.lock().as_ref() {
        for (kind, count) in looped[usize::from(is_v6)].iter() {
            version.icmp_in.add(kind, count);
            version.icmp_out.add(kind, count);
        }
    }
}

/// How many UDP sockets of IPv4 and of IPv6 have a port, and how many bytes wait in their queues.
pub fn udp_load() -> ([usize; 2], usize) {
    let mut load = ([0; 2], 0);
    let table = Transport::Udp.table().lock();
    table.each(|socket| {
        load.0[usize::from(socket.kind().domain == AF_INET6)] += 1;
        load.1 += socket.state.lock().queue.charged();
    });
    load
}
