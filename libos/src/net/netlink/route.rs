//! rtnetlink(7): what getifaddrs(3), ip(8) and language runtimes ask of interfaces, addresses,
//! routes and neighbours. Nothing can be changed: that needs CAP_NET_ADMIN, which nobody has here.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use linux_raw_sys::net::{AF_INET, AF_INET6, AF_UNSPEC};

use super::message::{Message, Reply, Request, attributes, flag};
use super::neighbour;
use crate::errno::{Errno, Result};
use crate::net::inet::host;
use crate::net::inet::interfaces::{self, Interface, RouteKind, ShownRoute};

/// Message types come in groups of four: new, delete, get, set.
const GROUP: u16 = 4;
const NEWLINK: u16 = 16;
const GETLINK: u16 = 18;
const NEWADDR: u16 = 20;
const GETADDR: u16 = 22;
const NEWROUTE: u16 = 24;
const GETROUTE: u16 = 26;
const GETNEIGH: u16 = 30;
const NEWRULE: u16 = 32;
const GETRULE: u16 = 34;
/// `RTM_MAX` of Linux 6.12.
const MAX_TYPE: u16 = 123;

/// `struct ifinfomsg` has 16 bytes, `struct ifaddrmsg` 8, `struct rtmsg` 12.
const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const ROUTE_HEADER: usize = 12;

/// `IFLA_*`.
mod link {
    pub const ADDRESS: u16 = 1;
    pub const BROADCAST: u16 = 2;
    pub const IFNAME: u16 = 3;
    pub const MTU: u16 = 4;
    pub const QDISC: u16 = 6;
    pub const STATS: u16 = 7;
    pub const TXQLEN: u16 = 13;
    pub const OPERSTATE: u16 = 16;
    pub const LINKMODE: u16 = 17;
    pub const STATS64: u16 = 23;
    pub const GROUP: u16 = 27;
    pub const PROMISCUITY: u16 = 30;
    pub const NUM_TX_QUEUES: u16 = 31;
    pub const NUM_RX_QUEUES: u16 = 32;
    pub const CARRIER: u16 = 33;
}

/// `IFA_*`.
mod address {
    pub const ADDRESS: u16 = 1;
    pub const LOCAL: u16 = 2;
    pub const LABEL: u16 = 3;
    pub const BROADCAST: u16 = 4;
    pub const CACHEINFO: u16 = 6;
    pub const FLAGS: u16 = 8;
    /// `IFA_F_PERMANENT`.
    pub const PERMANENT: u8 = 0x80;
}

/// `RTA_*` and, with the same numbers, `FRA_*`.
mod attribute {
    pub const DST: u16 = 1;
    pub const OIF: u16 = 4;
    pub const GATEWAY: u16 = 5;
    pub const PRIORITY: u16 = 6;
    pub const PREFSRC: u16 = 7;
    pub const TABLE: u16 = 15;
    pub const MAIN: u8 = 254;
    pub const LOCAL: u8 = 255;
    pub const DEFAULT: u8 = 253;
    pub const PROTO_KERNEL: u8 = 2;
    pub const PROTO_BOOT: u8 = 3;
}

/// `RT_SCOPE_*`.
mod scope {
    pub const UNIVERSE: u8 = 0;
    pub const LINK: u8 = 253;
    pub const HOST: u8 = 254;
}

/// Answers one request.
///
/// # Errors
/// EOPNOTSUPP for a type that there isn't, EPERM for a change, EINVAL for a header that is too
/// short, ENODEV for an interface that there isn't, ENETUNREACH.
pub fn answer(request: &Request<'_>, reply: &mut Reply) -> Result<()> {
    if request.kind > MAX_TYPE {
        return Err(Errno::EOPNOTSUPP);
    }
    // Linux ignores messages without a family.
    let Some(&family) = request.payload.first() else {
        return Ok(());
    };
    const GET: u16 = 2;
    if request.kind % GROUP != GET {
        return Err(Errno::EPERM.because("the network is configured by the tender"));
    }
    let family = u32::from(family);
    if request.flags & flag::DUMP == 0 {
        return one(request, family, reply);
    }
    dump(request, family, reply)?;
    reply.done();
    Ok(())
}

fn dump(request: &Request<'_>, family: u32, reply: &mut Reply) -> Result<()> {
    let wanted = |candidate: u32| family == AF_UNSPEC || family == candidate;
    match request.kind {
        GETLINK => {
            for interface in interfaces::all() {
                reply.part(link_message(&interface));
            }
        }
        GETADDR => {
            for message in address_messages(wanted) {
                reply.part(message);
            }
        }
        GETROUTE => {
            for shown in interfaces::routes() {
                let version = family_of(shown.route.destination.address);
                if wanted(version.into()) {
                    reply.part(route_message(&shown, None));
                }
            }
        }
        GETNEIGH => neighbour::all(request, wanted, |message| reply.part(message)),
        GETRULE => rules(wanted, reply),
        _ => return Err(Errno::EOPNOTSUPP),
    }
    Ok(())
}

fn one(request: &Request<'_>, family: u32, reply: &mut Reply) -> Result<()> {
    match request.kind {
        GETLINK => reply.one(link_message(&asked_link(request)?)),
        GETROUTE => reply.one(asked_route(request, family)?),
        GETNEIGH => reply.one(neighbour::one(request)?),
        _ => return Err(Errno::EOPNOTSUPP),
    }
    Ok(())
}

/// The interface that a request for one names by its number or its name.
fn asked_link(request: &Request<'_>) -> Result<Interface> {
    let header = request.payload.get(..LINK_HEADER).ok_or(Errno::EINVAL)?;
    let index = header[4..8].try_into().map_or(0, u32::from_ne_bytes);
    if index != 0 {
        return interfaces::by_index(index).ok_or(Errno::ENODEV);
    }
    let name = attributes(&request.payload[LINK_HEADER..]).find(|(kind, _)| *kind == link::IFNAME);
    let (_, name) = name.ok_or(Errno::EINVAL)?;
    let name = name.split(|&byte| byte == 0).next().unwrap_or(name);
    interfaces::by_name(name).ok_or(Errno::ENODEV)
}

fn link_message(interface: &Interface) -> Message {
    let mut header = [0_u8; LINK_HEADER];
    header[2..4].copy_from_slice(&interface.hardware_type().to_ne_bytes());
    header[4..8].copy_from_slice(&interface.index.to_ne_bytes());
    header[8..12].copy_from_slice(&interface.flags().to_ne_bytes());
    let loopback = interface.is_loopback();
    // `IF_OPER_UNKNOWN` is what loopback says, `IF_OPER_DOWN` and `IF_OPER_UP` are the others.
    let state = match (loopback, interface.is_up) {
        (true, _) => 0,
        (_, false) => 2,
        (_, true) => 6,
    };
    let mut message = Message::new(NEWLINK, &header);
    message
        .put_string(link::IFNAME, &interface.name)
        .put_word(link::TXQLEN, 1000)
        .put(link::OPERSTATE, &[state])
        .put(link::LINKMODE, &[0])
        .put_word(link::MTU, interface.mtu)
        .put_word(link::GROUP, 0)
        .put_word(link::PROMISCUITY, 0)
        .put_word(link::NUM_TX_QUEUES, 1)
        .put_word(link::NUM_RX_QUEUES, 1)
        .put(link::CARRIER, &[u8::from(interface.is_up)])
        .put_string(link::QDISC, if loopback { "noqueue" } else { "pfifo_fast" })
        .put(link::ADDRESS, &interface.mac)
        .put(link::BROADCAST, &interface.hardware_broadcast())
        .put(
            link::STATS64,
            &statistics(interface).map(u64::to_ne_bytes).concat(),
        )
        .put(
            link::STATS,
            &statistics(interface)
                .map(|value| {
                    u32::try_from(value & u64::from(u32::MAX))
                        .unwrap_or(0)
                        .to_ne_bytes()
                })
                .concat(),
        );
    message
}

/// `struct rtnl_link_stats64` up to `rx_nohandler`.
fn statistics(interface: &Interface) -> [u64; 24] {
    let counters = &interface.counters;
    let mut all = [0; 24];
    all[..8].copy_from_slice(&[
        counters.received_frames,
        counters.sent_frames,
        counters.received_bytes,
        counters.sent_bytes,
        counters.received_errors,
        0,
        counters.received_dropped,
        counters.sent_dropped,
    ]);
    all
}

fn address_messages(wanted: impl Fn(u32) -> bool) -> Vec<Message> {
    let interfaces = interfaces::all();
    let mut found = Vec::new();
    if wanted(AF_INET) {
        for interface in &interfaces {
            found.extend(interface.ipv4().map(|own| ipv4_message(interface, own)));
        }
    }
    if wanted(AF_INET6) {
        for interface in &interfaces {
            found.extend(interface.ipv6().map(|own| ipv6_message(interface, own)));
        }
    }
    found
}

fn address_message(
    interface: &Interface,
    address: IpAddr,
    prefix: u8,
    address_scope: u8,
) -> Message {
    let mut header = [0_u8; ADDRESS_HEADER];
    header[0] = family_of(address);
    header[1] = prefix;
    header[2] = address::PERMANENT;
    header[3] = address_scope;
    header[4..8].copy_from_slice(&interface.index.to_ne_bytes());
    Message::new(NEWADDR, &header)
}

fn ipv4_message(interface: &Interface, (own, prefix): (Ipv4Addr, u8)) -> Message {
    let address_scope = if interface.is_loopback() {
        scope::HOST
    } else if own.is_link_local() {
        scope::LINK
    } else {
        scope::UNIVERSE
    };
    let mut message = address_message(interface, own.into(), prefix, address_scope);
    message.put(address::ADDRESS, &own.octets());
    message.put(address::LOCAL, &own.octets());
    if let Some(all) = interfaces::broadcast(own, prefix).filter(|_| !interface.is_loopback()) {
        message.put(address::BROADCAST, &all.octets());
    }
    message.put_string(address::LABEL, &interface.name);
    finish_address(message)
}

fn ipv6_message(interface: &Interface, (own, prefix): (Ipv6Addr, u8)) -> Message {
    let address_scope = if own.is_loopback() {
        scope::HOST
    } else if own.is_unicast_link_local() {
        scope::LINK
    } else {
        scope::UNIVERSE
    };
    let mut message = address_message(interface, own.into(), prefix, address_scope);
    message.put(address::ADDRESS, &own.octets());
    finish_address(message)
}

/// Flags, and `struct ifa_cacheinfo`: an address that stays.
fn finish_address(mut message: Message) -> Message {
    message.put_word(address::FLAGS, address::PERMANENT.into());
    let forever = [u32::MAX, u32::MAX, 0, 0];
    message.put(address::CACHEINFO, &forever.map(u32::to_ne_bytes).concat());
    message
}

#[expect(clippy::cast_possible_truncation, reason = "AF_INET is 2, AF_INET6 10")]
pub(super) fn family_of(address: IpAddr) -> u8 {
    if address.is_ipv4() {
        AF_INET as u8
    } else {
        AF_INET6 as u8
    }
}

pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// A route; with `asked`, the answer to which way that address is reached.
fn route_message(shown: &ShownRoute, asked: Option<IpAddr>) -> Message {
    /// `RTN_*`.
    const UNICAST: u8 = 1;
    const LOCAL: u8 = 2;
    const BROADCAST: u8 = 3;
    let destination = shown.route.destination;
    let v4 = destination.address.is_ipv4();
    let (table, kind, route_scope) = match shown.kind {
        RouteKind::Local => (attribute::LOCAL, LOCAL, scope::HOST),
        RouteKind::Broadcast => (attribute::LOCAL, BROADCAST, scope::LINK),
        RouteKind::Unicast if shown.route.gateway.is_some() => {
            (attribute::MAIN, UNICAST, scope::UNIVERSE)
        }
        RouteKind::Unicast => (attribute::MAIN, UNICAST, scope::LINK),
    };
    let prefix = match asked {
        Some(address) if address.is_ipv4() => 32,
        Some(_) => 128,
        None => destination.prefix,
    };
    let protocol = if shown.is_implied {
        attribute::PROTO_KERNEL
    } else {
        attribute::PROTO_BOOT
    };
    let mut header = [0_u8; ROUTE_HEADER];
    header[0] = family_of(destination.address);
    header[1] = prefix;
    header[4] = table;
    header[5] = protocol;
    header[6] = if v4 { route_scope } else { scope::UNIVERSE };
    header[7] = kind;
    let mut message = Message::new(NEWROUTE, &header);
    message.put_word(attribute::TABLE, table.into());
    if prefix > 0 {
        let address = asked.unwrap_or(destination.address);
        message.put(attribute::DST, &octets(address));
    }
    let metric = match shown.kind {
        RouteKind::Unicast if !v4 && shown.route.metric == 0 => 256,
        _ => shown.route.metric,
    };
    if metric > 0 {
        message.put_word(attribute::PRIORITY, metric);
    }
    if let Some(source) = shown.source.filter(|_| v4 || asked.is_some()) {
        message.put(attribute::PREFSRC, &octets(source));
    }
    if let Some(gateway) = shown.route.gateway {
        message.put(attribute::GATEWAY, &octets(gateway));
    }
    message.put_word(attribute::OIF, shown.index);
    message
}

/// Which way the address in a request is reached (`ip route get`).
fn asked_route(request: &Request<'_>, family: u32) -> Result<Message> {
    let rest = request.payload.get(ROUTE_HEADER..).ok_or(Errno::EINVAL)?;
    let asked = attributes(rest).find(|(kind, _)| *kind == attribute::DST);
    let address: IpAddr = match (family, asked) {
        (AF_INET, Some((_, bytes))) => <[u8; 4]>::try_from(bytes)
            .map_err(|_| Errno::EINVAL)?
            .into(),
        (AF_INET6, Some((_, bytes))) => <[u8; 16]>::try_from(bytes)
            .map_err(|_| Errno::EINVAL)?
            .into(),
        (AF_INET, None) => Ipv4Addr::UNSPECIFIED.into(),
        (AF_INET6, None) => return Err(Errno::EINVAL),
        _ => return Err(Errno::EOPNOTSUPP),
    };
    let unreachable = if address.is_unspecified() || address.is_ipv6() {
        Errno::ENETUNREACH
    } else {
        Errno::ENETUNREACH.because("no route leads there")
    };
    let routes = interfaces::routes();
    let local = |shown: &&ShownRoute| shown.kind != RouteKind::Unicast;
    let reaches = |shown: &&ShownRoute| shown.route.destination.contains(address);
    let mut found = match routes.iter().filter(local).find(reaches) {
        Some(shown) => *shown,
        None => {
            let unicast = routes.iter().filter(|shown| !local(shown)).filter(reaches);
            let prefix = |shown: &&ShownRoute| shown.route.destination.prefix;
            *unicast.max_by_key(prefix).ok_or(unreachable)?
        }
    };
    if found.kind == RouteKind::Unicast {
        let chosen = host::with(|stack, _, _| stack.source_for(address));
        found.source = chosen.map(|(_, source)| source);
    }
    Ok(route_message(&found, Some(address)))
}

/// The rules that every system has: tables local, main and, for IPv4, default.
fn rules(wanted: impl Fn(u32) -> bool, reply: &mut Reply) {
    /// `FR_ACT_TO_TBL`.
    const TO_TABLE: u8 = 1;
    let tables = [
        (0, attribute::LOCAL),
        (32_766, attribute::MAIN),
        (32_767, attribute::DEFAULT),
    ];
    for (family, count) in [(AF_INET, 3), (AF_INET6, 2)] {
        if !wanted(family) {
            continue;
        }
        for &(priority, table) in tables.iter().take(count) {
            let mut header = [0_u8; ROUTE_HEADER];
            header[0] = u8::try_from(family).unwrap_or(0);
            header[4] = table;
            header[7] = TO_TABLE;
            let mut message = Message::new(NEWRULE, &header);
            message.put_word(attribute::TABLE, table.into());
            if priority > 0 {
                message.put_word(attribute::PRIORITY, priority);
            }
            reply.part(message);
        }
    }
}
