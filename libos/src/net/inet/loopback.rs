//! What goes over loopback, counted. It has no packets of TCP: connections within the process are socket to socket, so that only
//! their beginnings and sudden ends are counted, not their bytes.

use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, Ordering};

use libos_net::traffic::{Ip, Version};

/// One of the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// IPv4 packets, and next to it IPv6 packets.
    Packets,
    /// See `Packets`.
    PacketsV6,
    /// Bytes of IPv4 packets, and next to it of IPv6 packets.
    Bytes,
    /// See `Bytes`.
    BytesV6,
    /// TCP connections that were established.
    Opened,
    /// TCP connections that were refused.
    Refused,
    /// Established TCP connections that were reset; each has two ends.
    Reset,
}

static COUNTS: [AtomicU64; 7] = [const { AtomicU64::new(0) }; 7];

/// Counts `by` more.
#[inline]
pub fn add(count: Count, by: usize) {
    add_at(count as usize, by);
}

#[inline]
fn add_at(at: usize, by: usize) {
    // One vCPU: a plain load and store suffice.
    let sum = COUNTS[at].load(Ordering::Relaxed).wrapping_add(by as u64);
    COUNTS[at].store(sum, Ordering::Relaxed);
}

/// How much was counted.
pub fn get(count: Count) -> u64 {
    COUNTS[count as usize].load(Ordering::Relaxed)
}

/// Counts a packet of `bytes` bytes to `to`.
#[inline]
pub fn count_packet(to: IpAddr, bytes: usize) {
    let version = usize::from(to.is_ipv6());
    add_at(Count::Packets as usize + version, 1);
    add_at(Count::Bytes as usize + version, bytes);
}

/// Packets and bytes of both versions.
pub fn all() -> (u64, u64) {
    let packets = get(Count::Packets) + get(Count::PacketsV6);
    (packets, get(Count::Bytes) + get(Count::BytesV6))
}

/// Adds them to what went through the interfaces.
pub fn add_to(version: &mut Version, is_v6: bool) {
    let at = |count: Count| COUNTS[count as usize + usize::from(is_v6)].load(Ordering::Relaxed);
    let (packets, bytes) = (at(Count::Packets), at(Count::Bytes));
    for what in [
        Ip::OutRequests,
        Ip::OutTransmits,
        Ip::InReceives,
        Ip::InDelivers,
        Ip::InNoEctPkts,
    ] {
        version.ip[what as usize] += packets;
    }
    for what in [Ip::OutOctets, Ip::InOctets] {
        version.ip[what as usize] += bytes;
    }
}
