//! `/proc/net`: interfaces, routes and sockets, in the kernel's formats (proc_pid_net(5)).
//!
//! Sockets are those that the process has descriptors of; a connection that waits to be accepted is
//! not among them.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::net::{IpAddr, SocketAddr};

use linux_raw_sys::net::{AF_INET, AF_INET6, AF_UNIX, SO_ACCEPTCONN, SOL_SOCKET};

use crate::fs::file::OpenFile;
use crate::fs::pseudo::{Item, Row, text};
use crate::net::address::RawAddress;
use crate::net::inet::address::{Family, decode};
use crate::net::inet::datagram::counters;
use crate::net::inet::interfaces::{self, Interface, RouteKind, ShownRoute};
use crate::net::inet::tcp::TcpSocket;
use crate::net::netlink;
use crate::net::socket::{Socket, SocketFile};
use crate::task::{Tid, with_current};

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
    ("raw", |_| Item::Text(|_| datagrams(AF_INET, RAW, ICMP))),
    ("raw6", |_| Item::Text(|_| datagrams(AF_INET6, RAW, ICMPV6))),
    ("route", |_| Item::Text(route)),
    ("snmp", |_| Item::Text(snmp)),
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

/// States as the kernel numbers them.
const ESTABLISHED: u8 = 1;
const CLOSE: u8 = 7;

/// A socket that the process has a descriptor of.
struct Held {
    file: Arc<OpenFile>,
}

impl Held {
    fn socket(&self) -> Option<&dyn Socket> {
        let file = self.file.downcast::<SocketFile>()?;
        Some(&**file.socket())
    }

    fn inode(&self) -> u64 {
        self.file.file().anonymous().ino
    }

    /// What tells a TCP socket from others.
    fn identity(&self) -> Option<usize> {
        let socket = self.socket()?.as_any().downcast_ref::<TcpSocket>()?;
        Some(core::ptr::from_ref(socket) as usize)
    }
}

/// All sockets, each once.
fn sockets() -> Vec<Held> {
    let mut found: Vec<Held> = Vec::new();
    let mut known = hashbrown::HashSet::new();
    with_current(|thread| {
        let files = &thread.process().files;
        for fd in files.open_from(0) {
            let Ok(file) = files.get(fd) else {
                continue;
            };
            let is_socket = file.downcast::<SocketFile>().is_some();
            if is_socket && known.insert(Arc::as_ptr(&file) as usize) {
                found.push(Held { file });
            }
        }
    });
    found
}

/// Those of one family, type and protocol.
fn sockets_of(domain: u32, socket_type: u32, protocol: u32) -> Vec<Held> {
    let mut all = sockets();
    all.retain(|held| {
        held.socket().is_some_and(|socket| {
            let kind = socket.kind();
            let protocol = kind.protocol == protocol || kind.protocol == 0;
            kind.domain == domain && kind.socket_type == socket_type && protocol
        })
    });
    all
}

fn user() -> u32 {
    with_current(|thread| {
        let process = thread.process();
        process.identity.with(|own| own.user.effective)
    })
}

/// An address as these tables show it: words of the machine's byte order, in hexadecimal.
fn hexadecimal(address: IpAddr, domain: u32) -> String {
    let mut out = String::new();
    let mut words = |octets: &[u8]| {
        for word in octets.chunks_exact(4) {
            let word = word.try_into().map_or(0, u32::from_ne_bytes);
            let _ = write!(out, "{word:08X}");
        }
    };
    match address {
        IpAddr::V4(v4) if domain == AF_INET => words(&v4.octets()),
        IpAddr::V4(v4) => words(&v4.to_ipv6_mapped().octets()),
        IpAddr::V6(v6) => words(&v6.octets()),
    }
    out
}

/// The columns that all internet sockets have, from the addresses to the inode.
fn columns(held: &Held, domain: u32, state: u8) -> String {
    let family = Family::from_number(domain).unwrap_or(Family::V4);
    let socket = held.socket();
    let address = |raw: Option<RawAddress>| -> SocketAddr {
        let found = raw.and_then(|raw| decode(family, &raw).ok());
        found.unwrap_or_else(|| family.unspecified())
    };
    let local = address(socket.and_then(|socket| socket.local_address().ok()));
    let remote = address(socket.and_then(|socket| socket.peer_address().ok()));
    let waiting = socket.and_then(|socket| socket.readable_bytes().ok());
    let unsent = socket.and_then(|socket| socket.unsent_bytes().ok());
    let queues = (unsent.unwrap_or(0), waiting.unwrap_or(0));
    columns_of((local, remote), queues, domain, state, held.inode())
}

/// As [`columns`], of a socket whether it has a descriptor or not; `queues` are bytes to send and to
/// read.
fn columns_of(
    (local, remote): (SocketAddr, SocketAddr),
    (unsent, waiting): (usize, usize),
    domain: u32,
    state: u8,
    inode: u64,
) -> String {
    alloc::format!(
        "{}:{:04X} {}:{:04X} {state:02X} {:08X}:{:08X} 00:00000000 00000000 {:5} {:8} {}",
        hexadecimal(local.ip(), domain),
        local.port(),
        hexadecimal(remote.ip(), domain),
        remote.port(),
        unsent,
        waiting,
        user(),
        0,
        inode,
    )
}

/// A line of these tables is padded, so that each has the same length.
fn padded(out: &mut String, line: &str, width: usize) -> core::fmt::Result {
    writeln!(out, "{line:<width$}")
}

const HEAD_V6: &str = "  sl  local_address                         remote_address                        \
                       st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";

/// `tcp` and `tcp6`.
fn streams(domain: u32) -> Vec<u8> {
    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                        uid  timeout inode";
    const WIDTH: usize = 149;
    let held = sockets_of(domain, STREAM, TCP);
    text(|out| {
        match domain {
            AF_INET => padded(out, HEAD, WIDTH)?,
            _ => writeln!(out, "{HEAD_V6}")?,
        }
        for (number, one) in held.iter().enumerate() {
            let columns = columns(one, domain, tcp_state(one));
            let line = alloc::format!("{number:4}: {columns} 1 0000000000000000 20 4 0 10 -1");
            padded(out, &line, if domain == AF_INET { WIDTH } else { 0 })?;
        }
        for (number, columns) in (held.len()..).zip(streams_without_descriptor(&held, domain)) {
            let line = alloc::format!("{number:4}: {columns} 1 0000000000000000 20 4 0 10 -1");
            padded(out, &line, if domain == AF_INET { WIDTH } else { 0 })?;
        }
        Ok(())
    })
}

/// Connections that no descriptor stands for: those that wait to be accepted, and what the stack
/// still has of closed ones.
fn streams_without_descriptor(held: &[Held], domain: u32) -> Vec<String> {
    let shown: hashbrown::HashSet<usize> = held.iter().filter_map(Held::identity).collect();
    let mut found = Vec::new();
    crate::net::inet::tcp::table::each(|one| {
        let is_held = one.socket.is_some_and(|socket| shown.contains(&socket));
        if !is_held && u32::from(one.family.number()) == domain {
            let ends = (one.local, one.peer);
            let queues = (one.send_queue, one.receive_queue);
            found.push(columns_of(ends, queues, domain, one.state as u8, 0));
        }
    });
    found
}

/// The state that TCP_INFO tells first.
fn tcp_state(held: &Held) -> u8 {
    const TCP_INFO: u32 = 11;
    let value = held
        .socket()
        .and_then(|socket| socket.option(TCP, TCP_INFO).ok());
    let state = value.and_then(|value| value.bytes().first().copied());
    state.unwrap_or(CLOSE)
}

/// `udp`, `udp6`, `icmp`, `icmp6`, `raw`, `raw6`.
fn datagrams(domain: u32, socket_type: u32, protocol: u32) -> Vec<u8> {
    const HEAD: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                        uid  timeout inode ref pointer drops";
    const WIDTH: usize = 127;
    let held = sockets_of(domain, socket_type, protocol);
    text(|out| {
        match domain {
            AF_INET => padded(out, HEAD, WIDTH)?,
            _ => writeln!(out, "{HEAD_V6} ref pointer drops")?,
        }
        for (number, one) in held.iter().enumerate() {
            let partner = one.socket().map(Socket::peer_address);
            let state = match partner {
                Some(Ok(_)) => ESTABLISHED,
                _ => CLOSE,
            };
            let columns = columns(one, domain, state);
            let line = alloc::format!("{number:5}: {columns} 2 0000000000000000 0");
            padded(out, &line, if domain == AF_INET { WIDTH } else { 0 })?;
        }
        Ok(())
    })
}

/// `unix`.
fn unix(_: Tid) -> Vec<u8> {
    /// `__SO_ACCEPTCON`, and the states SS_UNCONNECTED and SS_CONNECTED.
    const ACCEPTS: u32 = 0x1_0000;
    const UNCONNECTED: u8 = 1;
    const CONNECTED: u8 = 3;
    text(|out| {
        writeln!(
            out,
            "Num       RefCount Protocol Flags    Type St Inode Path"
        )?;
        for held in sockets() {
            let Some(socket) = held
                .socket()
                .filter(|socket| socket.kind().domain == AF_UNIX)
            else {
                continue;
            };
            let listens = socket.option(SOL_SOCKET, SO_ACCEPTCONN);
            let listens = listens.is_ok_and(|value| value.bytes()[0] != 0);
            let state = match socket.peer_address() {
                Ok(_) => CONNECTED,
                Err(_) => UNCONNECTED,
            };
            write!(
                out,
                "0000000000000000: {:08X} 00000000 {:08X} {:04X} {state:02X} {:5}",
                2,
                if listens { ACCEPTS } else { 0 },
                socket.kind().socket_type,
                held.inode(),
            )?;
            write_path(out, socket)?;
            writeln!(out)?;
        }
        Ok(())
    })
}

/// The name of an AF_UNIX socket; NULs are shown as `@`.
fn write_path(out: &mut String, socket: &dyn Socket) -> core::fmt::Result {
    let Ok(name) = socket.local_address() else {
        return Ok(());
    };
    let path = match name.rest() {
        [] => return Ok(()),
        [0, ..] => name.rest(),
        path => path.strip_suffix(b"\0").unwrap_or(path),
    };
    let shown = String::from_utf8_lossy(path).replace('\0', "@");
    write!(out, " {shown}")
}

fn netlink_sockets(_: Tid) -> Vec<u8> {
    text(|out| {
        writeln!(
            out,
            "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode"
        )?;
        for (port, groups) in netlink::bound_ports() {
            writeln!(
                out,
                "0000000000000000 0   {port:<10} {groups:08x} {:<8} {:<8} 0     2        {:<8} {:<8}",
                0, 0, 0, 0
            )?;
        }
        Ok(())
    })
}

/// `arp`: the neighbours are the stack's own affair, so the table is empty.
fn arp(_: Tid) -> Vec<u8> {
    b"IP address       HW type     Flags       HW address            Mask     Device\n".to_vec()
}

fn dev(_: Tid) -> Vec<u8> {
    text(|out| {
        writeln!(
            out,
            "Inter-|   Receive                                                |  Transmit"
        )?;
        writeln!(
            out,
            " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs \
             drop fifo colls carrier compressed"
        )?;
        for interface in interfaces::all() {
            let counters = &interface.counters;
            writeln!(
                out,
                "{:>6}: {:7} {:7} {:4} {:4} {:4} {:5} {:10} {:9} {:8} {:7} {:4} {:4} {:4} {:5} {:7} {:10}",
                interface.name,
                counters.received_bytes,
                counters.received_frames,
                counters.received_errors,
                counters.received_dropped,
                0,
                0,
                0,
                0,
                counters.sent_bytes,
                counters.sent_frames,
                0,
                counters.sent_dropped,
                0,
                0,
                0,
                0,
            )?;
        }
        Ok(())
    })
}

fn name_of(index: u32, all: &[Interface]) -> String {
    let found = all.iter().find(|one| one.index == index);
    found.map(|one| one.name.clone()).unwrap_or_default()
}

/// The flags of a route: RTF_UP, RTF_GATEWAY, RTF_HOST.
fn route_flags(shown: &ShownRoute, host_prefix: u8) -> u32 {
    let gateway = if shown.route.gateway.is_some() { 2 } else { 0 };
    let host = shown.route.destination.prefix == host_prefix;
    1 | gateway | if host { 4 } else { 0 }
}

fn route(_: Tid) -> Vec<u8> {
    const WIDTH: usize = 127;
    let all = interfaces::all();
    text(|out| {
        let head =
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
        padded(out, head, WIDTH)?;
        for shown in interfaces::routes() {
            let destination = shown.route.destination;
            if shown.kind != RouteKind::Unicast || destination.address.is_ipv6() {
                continue;
            }
            let unspecified = IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED);
            let network = interfaces::network_of(destination.address, destination.prefix);
            let mask = IpAddr::V4(interfaces::netmask(destination.prefix));
            let line = alloc::format!(
                "{}\t{}\t{}\t{:04X}\t0\t0\t{}\t{}\t0\t0\t0",
                name_of(shown.index, &all),
                hexadecimal(network, AF_INET),
                hexadecimal(shown.route.gateway.unwrap_or(unspecified), AF_INET),
                route_flags(&shown, 32),
                shown.route.metric,
                hexadecimal(mask, AF_INET),
            );
            padded(out, &line, WIDTH)?;
        }
        Ok(())
    })
}

/// An IPv6 address without colons.
fn digits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(_) => String::from("00000000000000000000000000000000"),
        IpAddr::V6(v6) => alloc::format!("{:032x}", v6.to_bits()),
    }
}

fn if_inet6(_: Tid) -> Vec<u8> {
    /// `IPV6_ADDR_LOOPBACK`, `IPV6_ADDR_LINKLOCAL`, and the flag of addresses that stay.
    const HOST: u8 = 0x10;
    const LINK: u8 = 0x20;
    const PERMANENT: u8 = 0x80;
    text(|out| {
        for interface in interfaces::all() {
            for (address, prefix) in interface.ipv6() {
                let scope = match address {
                    own if own.is_loopback() => HOST,
                    own if own.is_unicast_link_local() => LINK,
                    _ => 0,
                };
                writeln!(
                    out,
                    "{} {:02x} {prefix:02x} {scope:02x} {PERMANENT:02x} {:>8}",
                    digits(address.into()),
                    interface.index,
                    interface.name
                )?;
            }
        }
        Ok(())
    })
}

fn ipv6_route(_: Tid) -> Vec<u8> {
    /// RTF_LOCAL and RTF_NONEXTHOP.
    const LOCAL: u32 = 0x8020_0000;
    const METRIC: u32 = 256;
    let all = interfaces::all();
    let none = digits(core::net::Ipv6Addr::UNSPECIFIED.into());
    text(|out| {
        for shown in interfaces::routes() {
            let destination = shown.route.destination;
            if destination.address.is_ipv4() {
                continue;
            }
            let local = shown.kind == RouteKind::Local;
            let metric = match shown.route.metric {
                0 if !local => METRIC,
                metric => metric,
            };
            let gateway = shown.route.gateway.map_or_else(|| none.clone(), digits);
            let flags = route_flags(&shown, u8::MAX) | if local { LOCAL } else { 0 };
            writeln!(
                out,
                "{} {:02x} {none} 00 {gateway} {metric:08x} {:08x} {:08x} {flags:08x} {:>8}",
                digits(interfaces::network_of(
                    destination.address,
                    destination.prefix
                )),
                destination.prefix,
                1,
                0,
                name_of(shown.index, &all),
            )?;
        }
        Ok(())
    })
}

/// Counters, those that are kept.
fn snmp(_: Tid) -> Vec<u8> {
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

fn sockstat(_: Tid) -> Vec<u8> {
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

fn sockstat6(_: Tid) -> Vec<u8> {
    text(|out| {
        writeln!(out, "TCP6: inuse {}", count(AF_INET6, STREAM, TCP))?;
        writeln!(out, "UDP6: inuse {}", count(AF_INET6, DGRAM, UDP))?;
        writeln!(out, "UDPLITE6: inuse 0")?;
        writeln!(out, "RAW6: inuse {}", count(AF_INET6, RAW, ICMPV6))?;
        writeln!(out, "FRAG6: inuse 0 memory 0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_in_the_machines_order() {
        let v4 = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);
        assert_eq!(hexadecimal(v4, AF_INET), "0100007F");
        assert_eq!(
            hexadecimal(v4, AF_INET6),
            "0000000000000000FFFF00000100007F"
        );
        let v6 = IpAddr::V6(core::net::Ipv6Addr::LOCALHOST);
        assert_eq!(
            hexadecimal(v6, AF_INET6),
            "00000000000000000000000001000000"
        );
        assert_eq!(digits(v6), "00000000000000000000000000000001");
    }

    #[test]
    fn tables_have_linuxs_lines() {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let addresses = text(if_inet6(0));
        assert_eq!(
            addresses.lines().next(),
            Some("00000000000000000000000000000001 01 80 10 80       lo")
        );
        let devices = text(dev(0));
        let lo = devices.lines().nth(2).expect("loopback");
        assert!(lo.starts_with("    lo: "), "{lo}");
        assert_eq!(lo.split_whitespace().count(), 17);
        assert!(text(route(0)).starts_with("Iface\tDestination"));
        let local = text(ipv6_route(0));
        assert!(local.contains(" 80200001       lo"), "{local}");
    }
}
