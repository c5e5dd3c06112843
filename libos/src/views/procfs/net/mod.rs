//! `/proc/net`: interfaces, routes and sockets, in the kernel's formats (proc_pid_net(5)).
//!
//! - [`sockets`]: `tcp`, `udp`, `unix` and their like; [`tables`]: what the network consists of; [`counters`]: what went
//!   through it.

mod counters;
mod sockets;
mod tables;

use alloc::string::String;
use core::fmt::Write;

use linux_raw_sys::net::{AF_INET, AF_INET6};

use crate::fs::pseudo::{Item, Row};
use counters::{netstat, snmp, snmp6, sockstat, sockstat6};
use sockets::{datagrams, netlink_sockets, streams, unix};
use tables::{arp, dev, if_inet6, ipv6_route, route};

/// What `/proc/net` holds.
pub const NET: &[Row] = &[
    ("arp", |_| Item::Text(arp)),
    ("dev", |_| Item::Text(dev)),
    ("icmp", |_| Item::Text(|_| datagrams(AF_INET, DGRAM, ICMP))),
    ("icmp6", |_| {
        Item::Text(|_| datagrams(AF_INET6, DGRAM, ICMPV6))
    }),
    ("if_inet6", |_| Item::Text(if_inet6)),
    ("ipv6_route", |_| Item::Text(ipv6_route)),
    ("netlink", |_| Item::Text(netlink_sockets)),
    ("netstat", |_| Item::Text(netstat)),
    ("raw", |_| Item::Text(|_| datagrams(AF_INET, RAW, ICMP))),
    ("raw6", |_| Item::Text(|_| datagrams(AF_INET6, RAW, ICMPV6))),
    ("route", |_| Item::Text(route)),
    ("snmp", |_| Item::Text(snmp)),
    ("snmp6", |_| Item::Text(snmp6)),
    ("sockstat", |_| Item::Text(sockstat)),
    ("sockstat6", |_| Item::Text(sockstat6)),
    ("tcp", |_| Item::Text(|_| streams(AF_INET))),
    ("tcp6", |_| Item::Text(|_| streams(AF_INET6))),
    ("udp", |_| Item::Text(|_| datagrams(AF_INET, DGRAM, UDP))),
    ("udp6", |_| Item::Text(|_| datagrams(AF_INET6, DGRAM, UDP))),
    ("unix", |_| Item::Text(unix)),
];

const STREAM: u32 = 1;
const DGRAM: u32 = 2;
const RAW: u32 = 3;
const TCP: u32 = 6;
const UDP: u32 = 17;
const ICMP: u32 = 1;
const ICMPV6: u32 = 58;

/// A line of these tables is padded, so that each has the same length.
fn padded(out: &mut String, line: &str, width: usize) -> core::fmt::Result {
    writeln!(out, "{line:<width$}")
}
