//! Interfaces, their addresses, neighbours and routes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::net::IpAddr;

use linux_raw_sys::net::AF_INET;

use super::padded;
use super::sockets::hexadecimal;
use crate::fs::pseudo::text;
use crate::net::inet::interfaces::{self, Interface, RouteKind, ShownRoute};
use crate::net::inet::neighbours::{self, ShownNeighbour};
use crate::task::Tid;

/// `arp`: neighbours of IPv4.
pub(super) fn arp(_: Tid) -> Vec<u8> {
    text(|out| {
        writeln!(
            out,
            "IP address       HW type     Flags       HW address            Mask     Device"
        )?;
        let all = interfaces::all();
        neighbours::each(&mut |one| {
            if one.neighbour.address.is_ipv4() {
                arp_line(out, &one, &name_of(one.index, &all));
            }
        });
        Ok(())
    })
}

fn arp_line(out: &mut String, one: &ShownNeighbour, interface: &str) {
    let [a, b, c, d, e, f] = one.hardware_address();
    let flags = one.arp_flags();
    // A string takes everything.
    let _ = writeln!(
        out,
        "{:<16} 0x1         0x{flags:<10x}{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}     *        {interface}",
        one.neighbour.address,
    );
}

pub(super) fn dev(_: Tid) -> Vec<u8> {
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

pub(super) fn route(_: Tid) -> Vec<u8> {
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

pub(super) fn if_inet6(_: Tid) -> Vec<u8> {
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

pub(super) fn ipv6_route(_: Tid) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn neighbours_have_linuxs_columns() {
        let mut out = String::new();
        let mut one = neighbours::example();
        arp_line(&mut out, &one, "eth0");
        one.neighbour.mac = None;
        arp_line(&mut out, &one, "eth0");
        let expected = "\
            10.0.2.2         0x1         0x2         02:00:00:00:00:a9     *        eth0\n\
            10.0.2.2         0x1         0x0         00:00:00:00:00:00     *        eth0\n";
        assert_eq!(out, expected);
    }
}
