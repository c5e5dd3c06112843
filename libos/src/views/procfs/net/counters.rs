//! What went through the protocols, and what the sockets hold: `snmp`, `snmp6`, `netstat`, `sockstat`, `sockstat6`.
//!
//! The columns and their order are the kernel's. Those that nothing counts are 0, as they are in Linux without what they count:
//! forwarding, redirects, timestamps and masks asked for by ICMP, routes for what came, UDP-Lite, datagrams dropped for want of
//! memory. `netstat` has the columns of Linux that mean something here, and no others. Data of TCP over loopback is no segment,
//! so that only what [`loopback`] counts is in.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use libos_net::traffic::{IP_NAMES, Version};
use linux_raw_sys::net::{AF_INET, AF_INET6};

use super::sockets::{sockets, sockets_of};
use super::{ICMP, ICMPV6, RAW};
use crate::fs::pseudo::text;
use crate::net::inet::address::Family;
use crate::net::inet::datagram::counters::{self, Count};
use crate::net::inet::loopback;
use crate::net::inet::tcp::{self, TcpState};
use crate::net::inet::{datagram, host};
use crate::task::Tid;

const PAGE: usize = 4096;

const IP: &str = "Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards \
    InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates \
    OutTransmits";
const IP6: &str = "InReceives InHdrErrors InTooBigErrors InNoRoutes InAddrErrors InUnknownProtos InTruncatedPkts InDiscards \
    InDelivers OutForwDatagrams OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs \
    FragFails FragCreates InMcastPkts OutMcastPkts InOctets OutOctets InMcastOctets OutMcastOctets InBcastOctets \
    OutBcastOctets InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts OutTransmits";
const IP_EXT: &str = "InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts OutBcastPkts InOctets OutOctets \
    InMcastOctets OutMcastOctets InBcastOctets OutBcastOctets InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts";
const TCP: &str = "RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs \
    RetransSegs InErrs OutRsts InCsumErrors";
const TCP_EXT: &str = "SyncookiesSent SyncookiesRecv SyncookiesFailed TW ListenOverflows ListenDrops TCPAbortOnMemory";
const TCP_COLUMNS: usize = 15;
const UDP: &str = "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors";

/// Types of ICMP, and their names in columns.
type Named = (&'static [u8], &'static str);
const ICMP_TYPES: Named = (
    &[3, 11, 12, 4, 5, 8, 0, 13, 14, 17, 18],
    "DestUnreachs TimeExcds ParmProbs SrcQuenchs Redirects Echos EchoReps Timestamps TimestampReps AddrMasks AddrMaskReps",
);
const ICMP6_TYPES: Named = (
    &[
        1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 143,
    ],
    "DestUnreachs PktTooBigs TimeExcds ParmProblems Echos EchoReplies GroupMembQueries GroupMembResponses \
    GroupMembReductions RouterSolicits RouterAdvertisements NeighborSolicits NeighborAdvertisements Redirects MLDv2Reports",
);

/// What stands in a column, by its place and its name.
type Value<'a> = &'a dyn Fn(usize, &str) -> u64;

/// A line of names, and one of what was counted.
fn lines(out: &mut String, of: &str, names: &str, value: Value<'_>) -> core::fmt::Result {
    write!(out, "{of}: {names}\n{of}:")?;
    for (at, name) in names.split(' ').enumerate() {
        // One of them may be -1.
        write!(out, " {}", value(at, name).cast_signed())?;
    }
    out.write_char('\n')
}

/// A line for each of the names.
fn rows(out: &mut String, of: &str, names: &str, value: Value<'_>) -> core::fmt::Result {
    for (at, name) in names.split(' ').enumerate() {
        let width = 32_usize.saturating_sub(of.len());
        writeln!(out, "{of}{name:<width$}\t{}", value(at, name))?;
    }
    Ok(())
}

fn ip_value(version: &Version, name: &str) -> u64 {
    const DOES_NOT_FORWARD: u64 = 2;
    match name {
        "Forwarding" => DOES_NOT_FORWARD,
        "DefaultTTL" => 64,
        _ => {
            let at = IP_NAMES.split(' ').position(|one| one == name);
            at.map_or(0, |at| version.ip[at])
        }
    }
}

/// Adds the columns of ICMP that are by type, of one direction.
fn add_type_columns(columns: &mut String, named: Named, direction: &str) {
    for name in named.1.split(' ') {
        // A string takes everything.
        let _ = write!(columns, " {direction}{name}");
    }
}

/// A column of ICMP: of a type by its name, or (`InType8`) by its number.
fn icmp_value(version: &Version, named: Named, name: &str) -> u64 {
    let (types, of) = match name.strip_prefix("In") {
        Some(of) => (&version.icmp_in, of),
        None => (&version.icmp_out, name.trim_start_matches("Out")),
    };
    let sum: u64 = types.iter().map(|one| one.1).sum();
    match name {
        "InMsgs" => return sum + version.icmp_errors,
        "OutMsgs" => return sum,
        "InErrors" => return version.icmp_errors,
        "InCsumErrors" => return version.icmp_bad_sums,
        _ => {}
    }
    let kind = match of.strip_prefix("Type") {
        Some(number) => number.parse().ok(),
        None => named
            .1
            .split(' ')
            .position(|one| one == of)
            .map(|at| named.0[at]),
    };
    kind.map_or(0, |kind| types.of(kind))
}

/// Columns of all types that there were, by their numbers; before each is a space.
fn numbers(version: &Version) -> String {
    let mut names = String::new();
    for (direction, types) in [("In", &version.icmp_in), ("Out", &version.icmp_out)] {
        for (kind, _) in types.iter() {
            // A string takes everything.
            let _ = write!(names, " {direction}Type{kind}");
        }
    }
    names
}

fn traffic(is_v6: bool) -> Version {
    let all = host::look(|stack| Some(stack.traffic(is_v6)));
    let mut version = all.unwrap_or_default();
    loopback::add_to(&mut version, is_v6);
    counters::add_looped_to(&mut version, is_v6);
    version
}

/// `snmp`.
pub(super) fn snmp(_: Tid) -> Vec<u8> {
    let version = traffic(false);
    let icmp = |_, name: &str| icmp_value(&version, ICMP_TYPES, name);
    let mut columns = String::from("InMsgs InErrors InCsumErrors");
    add_type_columns(&mut columns, ICMP_TYPES, "In");
    columns.push_str(" OutMsgs OutErrors");
    add_type_columns(&mut columns, ICMP_TYPES, "Out");
    let numbers = numbers(&version);
    let (tcp, udp) = (tcp_values(), udp_values(&version, false));
    text(|out| {
        lines(out, "Ip", IP, &|_, name| ip_value(&version, name))?;
        lines(out, "Icmp", &columns, &icmp)?;
        if let Some(numbers) = numbers.strip_prefix(' ') {
            lines(out, "IcmpMsg", numbers, &icmp)?;
        }
        lines(out, "Tcp", TCP, &|at, _| tcp[at])?;
        lines(out, "Udp", UDP, &|at, _| udp[at])?;
        lines(out, "UdpLite", UDP, &|_, _| 0)
    })
}

/// `snmp6`.
pub(super) fn snmp6(_: Tid) -> Vec<u8> {
    let version = traffic(true);
    let icmp = |_, name: &str| icmp_value(&version, ICMP6_TYPES, name);
    let mut columns = String::from("InMsgs InErrors OutMsgs OutErrors InCsumErrors");
    for direction in ["In", "Out"] {
        add_type_columns(&mut columns, ICMP6_TYPES, direction);
    }
    columns.push_str(&numbers(&version));
    let udp = udp_values(&version, true);
    text(|out| {
        rows(out, "Ip6", IP6, &|_, name| ip_value(&version, name))?;
        rows(out, "Icmp6", &columns, &icmp)?;
        rows(out, "Udp6", UDP, &|at, _| udp[at])?;
        rows(out, "UdpLite6", UDP, &|_, _| 0)
    })
}

/// `netstat`.
pub(super) fn netstat(_: Tid) -> Vec<u8> {
    let version = traffic(false);
    let tcp = tcp_values();
    text(|out| {
        lines(out, "TcpExt", TCP_EXT, &|at, _| tcp[TCP_COLUMNS + at])?;
        lines(out, "IpExt", IP_EXT, &|_, name| ip_value(&version, name))
    })
}

/// The columns of `UDP`.
fn udp_values(version: &Version, is_v6: bool) -> [u64; 9] {
    let get = |count| counters::get(count, is_v6);
    let dropped = get(Count::Dropped);
    [
        get(Count::Received),
        get(Count::NoPort),
        dropped + version.udp_errors,
        get(Count::Sent),
        dropped,
        get(Count::SendDropped),
        version.udp_bad_sums,
        0,
        0,
    ]
}

/// The columns of `TCP`, [`TCP_COLUMNS`] of them, and behind them those of `TCP_EXT`.
fn tcp_values() -> [u64; TCP_COLUMNS + 7] {
    let (stack, sent) = host::look(|stack| {
        let counts = stack.connections().counters();
        Some((counts, stack.segments_sent()))
    })
    .unwrap_or_default();
    let opened = loopback::get(loopback::Count::Opened);
    let refused = loopback::get(loopback::Count::Refused);
    let reset = loopback::get(loopback::Count::Reset);
    [
        1,
        200,
        120_000,
        // -1: there is no limit.
        u64::MAX,
        stack.active_opens + opened + refused,
        stack.passive_opens + opened,
        stack.attempt_fails + refused,
        stack.established_resets + 2 * reset,
        TcpLoad::now().established as u64,
        stack.received,
        sent,
        stack.retransmitted,
        stack.malformed,
        stack.resets_sent,
        stack.bad_sums,
        // Cookies: there are none.
        0,
        0,
        0,
        stack.time_waits,
        stack.requests_dropped,
        stack.requests_dropped,
        stack.no_memory,
    ]
}

/// The TCP sockets and connections of this moment.
#[derive(Default)]
struct TcpLoad {
    established: usize,
    waiting: usize,
    orphans: usize,
    /// Of IPv4, and of IPv6.
    in_use: [usize; 2],
}

impl TcpLoad {
    fn now() -> Self {
        let mut load = Self::default();
        tcp::table::each(|one| {
            let is_live = !matches!(one.state, TcpState::Closed | TcpState::TimeWait);
            let is_open = matches!(one.state, TcpState::Established | TcpState::CloseWait);
            load.established += usize::from(is_open);
            load.waiting += usize::from(one.state == TcpState::TimeWait);
            load.orphans += usize::from(is_live && one.socket.is_none());
            load.in_use[usize::from(one.family == Family::V6)] += usize::from(is_live);
        });
        load
    }
}

/// `sockstat`.
pub(super) fn sockstat(_: Tid) -> Vec<u8> {
    standing(0)
}

/// `sockstat6`.
pub(super) fn sockstat6(_: Tid) -> Vec<u8> {
    standing(1)
}

/// What the sockets of a version of IP hold: 0 for IPv4, which tells of all memory as well, and 1 for IPv6.
fn standing(version: usize) -> Vec<u8> {
    let (six, domain, icmp) = [("", AF_INET, ICMP), ("6", AF_INET6, ICMPV6)][version];
    let tcp = TcpLoad::now();
    let (udp, udp_bytes) = datagram::counters::udp_load();
    let (buffers, (incomplete, bytes)) = host::look(|stack| {
        let buffers = stack.connections().memory();
        Some((buffers, stack.incomplete()))
    })
    .unwrap_or_default();
    let (mut tcp_more, mut udp_more) = (String::new(), String::new());
    if version == 0 {
        let alloc = tcp::table::all().len() + tcp.orphans;
        let pages = buffers.div_ceil(PAGE);
        tcp_more = alloc::format!(
            " orphan {} tw {} alloc {alloc} mem {pages}",
            tcp.orphans,
            tcp.waiting
        );
        udp_more = alloc::format!(" mem {}", udp_bytes.div_ceil(PAGE));
    }
    let (tcp, udp, incomplete) = (tcp.in_use[version], udp[version], incomplete[version]);
    let raw = sockets_of(domain, RAW, icmp).len();
    // The bytes are of both versions together.
    let bytes = if incomplete == 0 { 0 } else { bytes };
    text(|out| {
        if version == 0 {
            writeln!(out, "sockets: used {}", sockets().len())?;
        }
        writeln!(
            out,
            "TCP{six}: inuse {tcp}{tcp_more}\nUDP{six}: inuse {udp}{udp_more}\nUDPLITE{six}: inuse 0\n\
             RAW{six}: inuse {raw}\nFRAG{six}: inuse {incomplete} memory {bytes}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use libos_net::traffic::Ip;

    fn shown(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn each_name_has_its_value() {
        for file in [snmp(0), netstat(0)].map(shown) {
            let lines: Vec<&str> = file.lines().collect();
            for pair in lines.chunks(2) {
                let words = |line: &str| line.split(' ').count();
                let of = |line: &str| String::from(line.split(':').next().expect("a name"));
                assert_eq!(of(pair[0]), of(pair[1]));
                assert_eq!(words(pair[0]), words(pair[1]), "{pair:?}");
            }
        }
        assert!(shown(snmp(0)).contains("\nTcp: 1 200 120000 -1 "));
        for row in shown(snmp6(0)).lines() {
            let (name, value) = row.split_once('\t').expect("two columns");
            assert_eq!(name.len(), 32, "{row}");
            assert!(value.parse::<u64>().is_ok(), "{row}");
        }
    }

    #[test]
    fn all_that_is_counted_is_shown() {
        let named = |name: &str, columns: &[&str]| {
            columns
                .iter()
                .any(|all| all.split(' ').any(|one| one == name))
        };
        for name in IP_NAMES.split(' ') {
            assert!(named(name, &[IP, IP_EXT]), "{name} in snmp or netstat");
            // As in Linux: IPv6 has no broadcasts.
            let is_packets = name.contains("BcastPkts");
            assert!(named(name, &[IP6]) || is_packets, "{name} in snmp6");
        }
        let tcp = [TCP, TCP_EXT].map(|all| all.split(' ').count());
        assert_eq!(tcp, [TCP_COLUMNS, tcp_values().len() - TCP_COLUMNS]);
        let mut version = Version::default();
        version.count(Ip::ReasmOks);
        assert_eq!(ip_value(&version, "ReasmOKs"), 1);
        assert_eq!(udp_values(&version, false).len(), UDP.split(' ').count());
    }

    #[test]
    fn messages_are_shown_by_name_and_number() {
        let mut version = Version::default();
        version.icmp_in.add(8, 3);
        version.icmp_in.add(200, 1);
        version.icmp_out.add(0, 2);
        version.icmp_errors = 5;
        assert_eq!(numbers(&version), " InType8 InType200 OutType0");
        for (name, expected) in [
            ("InMsgs", 9),
            ("OutMsgs", 2),
            ("InErrors", 5),
            ("OutErrors", 0),
            ("InEchos", 3),
            ("OutEchos", 0),
            ("OutEchoReps", 2),
            ("InType200", 1),
            ("OutType0", 2),
        ] {
            assert_eq!(icmp_value(&version, ICMP_TYPES, name), expected, "{name}");
        }
        let mut columns = String::from("InMsgs");
        add_type_columns(&mut columns, ICMP_TYPES, "In");
        assert!(
            columns.starts_with("InMsgs InDestUnreachs InTimeExcds "),
            "{columns}"
        );
        for (kinds, names) in [ICMP_TYPES, ICMP6_TYPES] {
            assert_eq!(kinds.len(), names.split(' ').count());
        }
    }
}
