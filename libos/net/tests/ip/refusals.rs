//! Frames that are refused: each is counted, none is delivered, none is answered.

use crate::frames::{
    ALL, HOST, PEER, arp_frame, ethernet, icmp_frame, icmp6_frame, ipv4, ipv4_piece, ipv6, summed,
    udp, udp_frame,
};
use crate::network::{Host, config};
use libos_net::config::Mac;

const OWN: &str = "10.0.0.1";
const PEER4: &str = "10.0.0.9";
const OWN6: &str = "fd00::1";
const PEER6: &str = "fd00::9";

fn host() -> Host {
    let mut host = Host::new(config(1, &["10.0.0.1/24", "fd00::1/64"]));
    host.notes.ports.push(53);
    host.notes.takes_echoes = true;
    host
}

/// The counters of refusals: errors and drops.
fn refused(host: &Host) -> u64 {
    let (_, state) = host.stack.interfaces().next().expect("an interface");
    state.counters.received_errors + state.counters.received_dropped
}

fn refuses(what: &str, frame: &[u8]) {
    let mut host = host();
    let before = refused(&host);
    host.receive(frame);
    assert_eq!(refused(&host), before + 1, "{what} is not counted");
    assert!(host.notes.datagrams.is_empty(), "{what} is delivered");
    assert!(host.notes.echoes.is_empty(), "{what} is passed on");
    assert!(host.sent().is_empty(), "{what} is answered");
}

#[test]
fn a_good_datagram_is_delivered() {
    for (from, to) in [(PEER4, OWN), (PEER6, OWN6)] {
        let mut host = host();
        host.receive(&udp_frame(from, to, (1, 53), b"x"));
        assert_eq!(host.notes.datagrams.len(), 1, "{from}");
        assert_eq!(refused(&host), 0);
    }
}

#[test]
fn a_datagram_for_a_network_is_for_everybody() {
    for (to, is_to_many) in [
        (OWN, false),
        ("10.0.0.255", true),
        ("255.255.255.255", true),
    ] {
        let mut host = host();
        host.receive(&udp_frame(PEER4, to, (1, 53), b"x"));
        let told: Vec<_> = host
            .notes
            .datagrams
            .iter()
            .map(|came| came.is_to_many)
            .collect();
        assert_eq!(told, [is_to_many], "{to}");
    }
}

#[test]
fn frames_that_are_cut_anywhere() {
    for (from, to) in [(PEER4, OWN), (PEER6, OWN6)] {
        let frame = udp_frame(from, to, (1, 53), b"payload");
        for len in 0..frame.len() {
            refuses(&format!("{len} bytes"), &frame[..len]);
        }
    }
    let arp = arp_frame(ALL, 1, PEER, [10, 0, 0, 9], [10, 0, 0, 1]);
    for len in 0..arp.len() {
        refuses(&format!("{len} bytes of ARP"), &arp[..len]);
    }
}

#[test]
fn link_layers_that_are_not_ours() {
    let packet = ipv4(PEER4, OWN, 17, &udp(PEER4, OWN, (1, 53), b"x"));
    let other = Mac([2, 0, 0, 0, 0, 8]);
    refuses("another station's", &ethernet(other, PEER, 0x0800, &packet));
    refuses("our own", &ethernet(HOST, HOST, 0x0800, &packet));
    refuses(
        "from a group",
        &ethernet(HOST, Mac([3; 6]), 0x0800, &packet),
    );
    refuses("a VLAN's", &ethernet(HOST, PEER, 0x8100, &packet));
    refuses("IPv4 as IPv6", &ethernet(HOST, PEER, 0x86dd, &packet));
}

#[test]
fn addresses_that_cannot_be() {
    for (what, from, to) in [
        ("to nobody of us", PEER4, "10.0.0.77"),
        ("to loopback", PEER4, "127.0.0.1"),
        ("to nobody", PEER4, "0.0.0.0"),
        ("to a group that we are not in", PEER4, "239.1.1.1"),
        ("from ourselves", OWN, OWN),
        ("from a group", "224.0.0.1", OWN),
        ("from everybody", "255.255.255.255", OWN),
        ("from our network's everybody", "10.0.0.255", OWN),
        ("from loopback", "127.0.0.1", OWN),
        ("from nobody", "0.0.0.0", OWN),
        ("IPv6 to nobody of us", PEER6, "fd00::77"),
        ("IPv6 to loopback", PEER6, "::1"),
        ("IPv6 to a group that we are not in", PEER6, "ff02::fb"),
        ("IPv6 from ourselves", OWN6, OWN6),
        ("IPv6 from a group", "ff02::1", OWN6),
        ("IPv6 from nobody", "::", OWN6),
    ] {
        refuses(what, &udp_frame(from, to, (1, 53), b"x"));
    }
}

#[test]
fn transports_that_are_malformed() {
    let good = udp_frame(PEER4, OWN, (1, 53), b"x");
    let good6 = udp_frame(PEER6, OWN6, (1, 53), b"x");
    for (what, at, value) in [
        ("a wrong checksum", 42, b'y'),
        ("a length below the header's", 39, 7),
        ("a length above the packet's", 39, 10),
    ] {
        let mut frame = good.clone();
        frame[at] = value;
        refuses(what, &frame);
        let mut frame = good6.clone();
        frame[at + 20] = value;
        refuses(what, &frame);
    }
    let mut frame = good6;
    frame[60..62].fill(0);
    refuses("no checksum over IPv6", &frame);
    let mut frame = good;
    frame[40..42].fill(0);
    let mut host = host();
    host.receive(&frame);
    assert_eq!(host.notes.datagrams.len(), 1, "no checksum over IPv4");
    let mut echo = icmp_frame(PEER4, OWN, vec![0, 0, 0, 0, 0, 1, 0, 1]);
    echo[38] = 9;
    refuses("a wrong ICMP checksum", &echo);
    refuses(
        "a short ICMP message",
        &icmp_frame(PEER4, OWN, vec![0, 0, 0, 0]),
    );
}

#[test]
fn errors_about_what_we_did_not_send() {
    let quoted = ipv4(PEER4, "10.0.0.8", 17, &udp(PEER4, "10.0.0.8", (1, 2), b"x"));
    let message = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quoted].concat();
    let mut host = host();
    host.receive(&icmp_frame(PEER4, OWN, message));
    assert!(host.notes.errors.is_empty(), "another's packet");
    let cut = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quoted[..19]].concat();
    refuses("a packet that is cut", &icmp_frame(PEER4, OWN, cut));
    let quoted = ipv4_piece(OWN, PEER4, 17, 100, 7, b"12345678");
    let message = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quoted].concat();
    host.receive(&icmp_frame(PEER4, OWN, message));
    assert!(host.notes.errors.is_empty(), "a later fragment");
}

#[test]
fn neighbours_from_afar_and_groups_as_neighbours() {
    let target: [u8; 16] = "fd00::1"
        .parse::<std::net::Ipv6Addr>()
        .expect("one")
        .octets();
    let group = Mac([0x33, 0x33, 0xff, 0, 0, 1]);
    let ask = |first: u8, target: [u8; 16]| [&[first, 0, 0, 0, 0, 0, 0, 0][..], &target].concat();
    let to = "ff02::1:ff00:1";
    refuses(
        "from afar",
        &icmp6_frame(group, PEER6, to, 64, ask(135, target)),
    );
    let mut many = target;
    many[0] = 0xff;
    refuses(
        "for a group",
        &icmp6_frame(group, PEER6, to, 255, ask(135, many)),
    );
    refuses(
        "a router without SLAAC",
        &icmp6_frame(group, "fe80::9", "ff02::1", 255, vec![134; 16]),
    );
    let mut solicited = ask(
        136,
        "fd00::9"
            .parse::<std::net::Ipv6Addr>()
            .expect("one")
            .octets(),
    );
    solicited[4] = 0x40;
    refuses(
        "solicited by all",
        &icmp6_frame(group, PEER6, "ff02::1", 255, solicited),
    );
}

#[test]
fn extension_headers_that_forbid() {
    let segment = udp(PEER6, OWN6, (1, 53), b"x");
    let forbidden = [&[17, 0, 0x80, 4, 0, 0, 0, 0][..], &segment].concat();
    refuses(
        "an option",
        &ethernet(HOST, PEER, 0x86dd, &ipv6(PEER6, OWN6, 60, 64, &forbidden)),
    );
    let routed = [&[17, 0, 4, 1, 0, 0, 0, 0][..], &segment].concat();
    refuses(
        "a route",
        &ethernet(HOST, PEER, 0x86dd, &ipv6(PEER6, OWN6, 43, 64, &routed)),
    );
    let nested = [
        &[44, 0, 0, 0, 0, 0, 0, 1][..],
        &[17, 0, 0, 0, 0, 0, 0, 2],
        &segment,
    ]
    .concat();
    refuses(
        "fragments of fragments",
        &ethernet(HOST, PEER, 0x86dd, &ipv6(PEER6, OWN6, 44, 64, &nested)),
    );
    let fine = [&[17, 0, 1, 4, 0, 0, 0, 0][..], &segment].concat();
    let mut host = host();
    host.receive(&ethernet(
        HOST,
        PEER,
        0x86dd,
        &ipv6(PEER6, OWN6, 60, 64, &fine),
    ));
    assert_eq!(host.notes.datagrams.len(), 1, "padding");
    let alone = [&[17, 0, 0, 0, 0, 0, 0, 1][..], &segment].concat();
    host.receive(&ethernet(
        HOST,
        PEER,
        0x86dd,
        &ipv6(PEER6, OWN6, 44, 64, &alone),
    ));
    assert_eq!(host.notes.datagrams.len(), 2, "a fragment that is all");
}

#[test]
fn fragments_that_overlap() {
    let mut host = host();
    let segment = udp(PEER4, OWN, (1, 53), &[7; 100]);
    let piece = |place: u16, data: &[u8]| {
        ethernet(
            HOST,
            PEER,
            0x0800,
            &ipv4_piece(PEER4, OWN, 17, place, 5, data),
        )
    };
    host.receive(&piece(0x2000, &segment[..56]));
    host.receive(&piece(0x2000 | 6, &segment[48..64]));
    host.receive(&piece(7, &segment[56..]));
    assert!(host.notes.datagrams.is_empty());
    assert_eq!(refused(&host), 1);
    host.receive(&piece(0x2000, &segment[..56]));
    assert_eq!(host.notes.datagrams.len(), 1, "the rest came anew");
}

#[test]
fn headers_of_the_device_that_cannot_be() {
    let mut config = config(1, &["10.0.0.1/24"]);
    config.offloads = crate::network::ALL_OFFLOADS;
    let mut host = Host::new(config);
    host.notes.ports.push(53);
    let frame = udp_frame(PEER4, OWN, (1, 53), b"x");
    let with = |header: [u8; 10]| [&header[..], &frame].concat();
    for header in [
        [1, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0],
        [0, 9, 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        host.receive(&with(header));
    }
    host.receive(&[0; 9]);
    assert_eq!((host.notes.datagrams.len(), refused(&host)), (0, 3));
    host.receive(&with([0; 10]));
    assert_eq!(host.notes.datagrams.len(), 1);
    // A partial checksum is the device's affair.
    let mut partial = with([1, 0, 0, 0, 0, 0, 34, 0, 6, 0]);
    partial[50..52].fill(0x55);
    host.receive(&partial);
    assert_eq!(host.notes.datagrams.len(), 2);
    // Datagrams that were not cut are several.
    let frame = udp_frame(PEER4, OWN, (1, 53), b"aabbc");
    host.receive(&[&[2, 5, 42, 0, 2, 0, 0, 0, 0, 0][..], &frame].concat());
    let payloads = host.notes.datagrams[2..]
        .iter()
        .map(|came| &came.payload[..]);
    assert_eq!(payloads.collect::<Vec<_>>(), [b"aa", &b"bb"[..], b"c"]);
}

#[test]
fn a_segment_with_a_wrong_checksum_makes_no_connection() {
    let mut host = host();
    host.notes.accepts = true;
    let mut syn = vec![
        0, 1, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x20, 0, 0, 0, 0, 0,
    ];
    let frame = |segment: &[u8]| ethernet(HOST, PEER, 0x0800, &ipv4(PEER4, OWN, 6, segment));
    host.receive(&frame(&syn));
    assert!(host.sent().is_empty());
    syn = summed(PEER4, OWN, 6, 16, syn);
    host.receive(&ethernet(ALL, PEER, 0x0800, &ipv4(PEER4, OWN, 6, &syn)));
    assert!(host.sent().is_empty(), "by a broadcast");
    host.receive(&frame(&syn));
    assert_eq!(host.sent().len(), 1, "the neighbour is asked for");
}
