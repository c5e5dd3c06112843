//! What went through the protocols, and what the sockets hold.

use alloc::vec::Vec;
use core::fmt::Write;

use linux_raw_sys::net::{AF_INET, AF_INET6};

use super::sockets::{sockets, sockets_of};
use super::{DGRAM, ICMP, ICMPV6, RAW, STREAM, TCP, UDP};
use crate::fs::pseudo::text;
use crate::net::inet::datagram::counters;
use crate::task::Tid;

/// Counters, those that are kept.
pub(super) fn snmp(_: Tid) -> Vec<u8> {
    let udp = counters::udp();
    text(|out| {
        writeln!(out, "Ip: Forwarding DefaultTTL\nIp: 2 64")?;
        writeln!(
            out,
            "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\n\
             Udp: {} {} {} {} {} {}",
            udp.received, udp.no_port, udp.dropped, udp.sent, udp.dropped, udp.send_dropped
        )
    })
}

fn count(domain: u32, socket_type: u32, protocol: u32) -> usize {
    sockets_of(domain, socket_type, protocol).len()
}

pub(super) fn sockstat(_: Tid) -> Vec<u8> {
    let tcp = count(AF_INET, STREAM, TCP);
    text(|out| {
        writeln!(out, "sockets: used {}", sockets().len())?;
        writeln!(out, "TCP: inuse {tcp} orphan 0 tw 0 alloc {tcp} mem 0")?;
        writeln!(out, "UDP: inuse {} mem 0", count(AF_INET, DGRAM, UDP))?;
        writeln!(out, "UDPLITE: inuse 0")?;
        writeln!(out, "RAW: inuse {}", count(AF_INET, RAW, ICMP))?;
        writeln!(out, "FRAG: inuse 0 memory 0")
    })
}

pub(super) fn sockstat6(_: Tid) -> Vec<u8> {
    text(|out| {
        writeln!(out, "TCP6: inuse {}", count(AF_INET6, STREAM, TCP))?;
        writeln!(out, "UDP6: inuse {}", count(AF_INET6, DGRAM, UDP))?;
        writeln!(out, "UDPLITE6: inuse 0")?;
        writeln!(out, "RAW6: inuse {}", count(AF_INET6, RAW, ICMPV6))?;
        writeln!(out, "FRAG6: inuse 0 memory 0")
    })
}
