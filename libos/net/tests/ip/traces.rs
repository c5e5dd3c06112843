//! What the stack does on each frame, and with time.

use std::net::{IpAddr, SocketAddr};

use libos_net::address::Flow;
use libos_net::config::Mac;
use libos_net::output::{Completion, Output};
use libos_net::owner::{SendError, Token, Unreachable};
use libos_net::tcp::{TcpError, TcpOptions};
use libos_net::time::Duration;

use crate::frames::{
    ALL, HOST, PEER, arp_frame, ethernet, icmp_frame, icmp6_frame, inside, ipv4, ipv4_piece, ipv6,
    kind, station, udp, udp_frame,
};
use crate::network::{ALL_OFFLOADS, Host, config, ip, network, outgoing, route, socket};

const OWN: &str = "10.0.0.1";
const PEER4: &str = "10.0.0.9";
const OWN6: &str = "fd00::1";
const PEER6: &str = "fd00::9";

fn host() -> Host {
    Host::new(config(1, &["10.0.0.1/24", "fd00::1/64"]))
}

/// The host, knowing where the peer is.
fn acquainted() -> Host {
    let mut host = host();
    host.receive(&arp_frame(ALL, 1, PEER, [10, 0, 0, 9], [10, 0, 0, 1]));
    let group = Mac([0x33, 0x33, 0xff, 0, 0, 1]);
    host.receive(&icmp6_frame(
        group,
        PEER6,
        "ff02::1:ff00:1",
        255,
        solicitation(OWN6),
    ));
    assert_eq!(host.sent().len(), 2);
    host
}

fn solicitation(target: &str) -> Vec<u8> {
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.parse::<std::net::Ipv6Addr>().expect("one").octets());
    message.extend([1, 1]);
    message.extend(PEER.0);
    message
}

/// An ICMP error that quotes `packet`.
fn error_about(head: [u8; 8], packet: &[u8]) -> Vec<u8> {
    [&head[..], packet].concat()
}

#[test]
fn a_request_for_our_address_is_answered() {
    let mut host = host();
    host.receive(&arp_frame(ALL, 1, PEER, [10, 0, 0, 9], [10, 0, 0, 1]));
    let [answer] = &host.sent()[..] else {
        panic!("one answer");
    };
    assert_eq!((station(answer), kind(answer)), (PEER, 0x0806));
    let expected = [
        &[0, 2][..],
        &HOST.0,
        &[10, 0, 0, 1],
        &PEER.0,
        &[10, 0, 0, 9],
    ];
    assert_eq!(answer[20..42], expected.concat());
    host.receive(&arp_frame(ALL, 1, PEER, [0; 4], [10, 0, 0, 1]));
    assert_eq!(host.sent().len(), 1, "a probe");
    host.receive(&arp_frame(ALL, 1, PEER, [10, 0, 0, 9], [10, 0, 0, 2]));
    assert!(host.sent().is_empty(), "another's");
}

/// RFC 5227, section 2.4, (c).
#[test]
fn an_address_is_defended_once_in_ten_seconds() {
    let mut host = Host::new(config(1, &["10.0.0.1/24", "10.0.0.2/24"]));
    let dropped = |host: &Host| {
        let (_, state) = host.stack.interfaces().next().expect("an interface");
        state.counters.received_dropped
    };
    let claim = |last: u8| arp_frame(ALL, 1, PEER, [10, 0, 0, last], [10, 0, 0, 9]);
    host.receive(&claim(1));
    let frames = host.sent();
    let [defence] = &frames[..] else {
        panic!("expected one announcement, found {frames:?}");
    };
    assert_eq!((station(defence), kind(defence)), (ALL, 0x0806));
    let own = [10, 0, 0, 1];
    let expected = [&[0, 1][..], &HOST.0, &own, &[0; 6], &own].concat();
    assert_eq!(defence[20..42], expected);
    host.pass(Duration::from_millis(9_999));
    host.receive(&claim(1));
    host.receive(&arp_frame(HOST, 2, PEER, own, [10, 0, 0, 9]));
    assert!(host.sent().is_empty(), "it was told a moment ago");
    host.receive(&claim(2));
    assert_eq!(host.sent().len(), 1, "another address of ours");
    host.pass(Duration::from_millis(1));
    host.receive(&claim(1));
    assert_eq!(host.sent().len(), 1, "it is told again");
    assert_eq!(dropped(&host), 5, "each claim is counted");
    host.receive(&arp_frame(ALL, 1, HOST, [10, 0, 0, 2], [10, 0, 0, 9]));
    host.pass(Duration::from_secs(20));
    host.receive(&arp_frame(ALL, 1, HOST, [10, 0, 0, 2], [10, 0, 0, 9]));
    assert!(
        host.sent().is_empty(),
        "our own words, as a bridge may repeat them"
    );
    host.receive(&arp_frame(ALL, 1, PEER, [0; 4], own));
    assert_eq!(host.sent().len(), 1, "who asks first is answered");
    assert!(
        host.stack.is_own("10.0.0.1".parse().expect("one")),
        "it stays ours"
    );
}

#[test]
fn a_solicitation_of_our_address_is_answered() {
    let mut host = host();
    let group = Mac([0x33, 0x33, 0xff, 0, 0, 1]);
    host.receive(&icmp6_frame(
        group,
        PEER6,
        "ff02::1:ff00:1",
        255,
        solicitation(OWN6),
    ));
    let [answer] = &host.sent()[..] else {
        panic!("one answer");
    };
    assert_eq!(station(answer), PEER);
    let message = &answer[54..];
    assert_eq!((message[0], message[4]), (136, 0x60));
    assert_eq!(message[24..32], [2, 1, 2, 0, 0, 0, 0, 1]);
    let mut probe = solicitation(OWN6);
    probe.truncate(24);
    host.receive(&icmp6_frame(group, "::", "ff02::1:ff00:1", 255, probe));
    let [answer] = &host.sent()[..] else {
        panic!("one answer");
    };
    assert_eq!(station(answer), Mac([0x33, 0x33, 0, 0, 0, 1]), "to all");
}

#[test]
fn a_neighbour_is_asked_itself_after_a_while() {
    let mut host = acquainted();
    host.send("10.0.0.1:1", "10.0.0.9:2", b"x");
    assert_eq!(station(&host.sent()[0]), PEER);
    host.pass(Duration::from_secs(4));
    assert!(host.sent().is_empty());
    host.pass(Duration::from_secs(1));
    let [question] = &host.sent()[..] else {
        panic!("one question");
    };
    assert_eq!((station(question), kind(question)), (PEER, 0x0806));
    host.receive(&arp_frame(HOST, 2, PEER, [10, 0, 0, 9], [10, 0, 0, 1]));
    host.pass(Duration::from_secs(29));
    assert!(host.sent().is_empty(), "reachable");
    host.send("[fd00::1]:1", "[fd00::9]:2", b"x");
    host.sent();
    host.pass(Duration::from_secs(5));
    assert_eq!(station(&host.sent()[0]), PEER, "IPv6 likewise");
}

#[test]
fn a_neighbour_that_moves_is_followed() {
    let mut host = acquainted();
    let moved = Mac([2, 0, 0, 0, 0, 8]);
    host.receive(&arp_frame(ALL, 1, moved, [10, 0, 0, 9], [10, 0, 0, 9]));
    host.send("10.0.0.1:1", "10.0.0.9:2", b"x");
    assert_eq!(station(&host.sent()[0]), moved);
}

#[test]
fn errors_reach_whom_they_concern() {
    let mut host = acquainted();
    let sent = ipv4(OWN, PEER4, 17, &udp(OWN, PEER4, (1000, 53), b"x"));
    for (kind, code, what) in [
        (3, 0, Unreachable::Network),
        (3, 1, Unreachable::Host),
        (3, 2, Unreachable::Protocol),
        (3, 3, Unreachable::Port),
        (3, 13, Unreachable::Host),
        (11, 0, Unreachable::HopLimit),
        (12, 0, Unreachable::Protocol),
    ] {
        let message = error_about([kind, code, 0, 0, 0, 0, 0, 0], &sent);
        host.receive(&icmp_frame("192.0.2.1", OWN, message));
        let error = host.notes.errors.pop().expect("an error");
        assert_eq!(
            (error.what, error.by),
            (what, ip("192.0.2.1")),
            "{kind} {code}"
        );
        assert_eq!(error.flow.remote, socket("10.0.0.9:53"));
    }
    let sent = ipv6(OWN6, PEER6, 17, 64, &udp(OWN6, PEER6, (1000, 53), b"x"));
    for (kind, code, what) in [
        (1, 0, Unreachable::Network),
        (1, 1, Unreachable::Prohibited),
        (1, 3, Unreachable::Host),
        (1, 4, Unreachable::Port),
        (3, 0, Unreachable::HopLimit),
        (4, 1, Unreachable::Protocol),
    ] {
        let message = error_about([kind, code, 0, 0, 0, 0, 0, 0], &sent);
        host.receive(&icmp6_frame(HOST, "fd00::5", OWN6, 64, message));
        let error = host.notes.errors.pop().expect("an error");
        assert_eq!(
            (error.what, error.by),
            (what, ip("fd00::5")),
            "IPv6 {kind} {code}"
        );
    }
    let echo = ipv4(OWN, PEER4, 1, &[8, 0, 0, 0, 0x12, 0x34, 0, 1]);
    host.receive(&icmp_frame(
        "192.0.2.1",
        OWN,
        error_about([3, 1, 0, 0, 0, 0, 0, 0], &echo),
    ));
    let error = host.notes.errors.pop().expect("an error");
    assert_eq!((error.protocol, error.flow.local.port()), (1, 0x1234));
}

#[test]
fn an_error_ends_a_connection_that_is_not_established() {
    let mut host = acquainted();
    let flow = Flow {
        local: socket("10.0.0.1:1000"),
        remote: socket("10.0.0.9:80"),
    };
    let (tcp, internet) = host.stack.tcp(host.now);
    let connection = tcp
        .connect(host.now, flow, Token(1), TcpOptions::default(), internet)
        .expect("a connection");
    let syn = host.sent().pop().expect("a segment");
    let message = error_about([3, 3, 0, 0, 0, 0, 0, 0], &syn[14..]);
    host.receive(&icmp_frame(PEER4, OWN, message));
    let (tcp, _) = host.stack.tcp(host.now);
    assert_eq!(tcp.error(connection), Some(TcpError::Refused));
}

#[test]
fn a_neighbour_in_silence_ends_a_connection_that_is_not_established() {
    let mut host = host();
    let flow = Flow {
        local: socket("10.0.0.1:1000"),
        remote: socket("10.0.0.7:80"),
    };
    let (tcp, internet) = host.stack.tcp(host.now);
    let connection = tcp
        .connect(host.now, flow, Token(1), TcpOptions::default(), internet)
        .expect("a connection");
    host.pass(Duration::from_secs(4));
    let (tcp, _) = host.stack.tcp(host.now);
    assert_eq!(tcp.error(connection), Some(TcpError::HostUnreachable));
}

#[test]
fn a_path_that_takes_less_is_remembered() {
    let mut host = acquainted();
    let sent = ipv4(OWN, PEER4, 17, &udp(OWN, PEER4, (1000, 53), b"x"));
    host.receive(&icmp_frame(
        "192.0.2.1",
        OWN,
        error_about([3, 4, 0, 0, 0, 0, 4, 0], &sent),
    ));
    let error = host.notes.errors.pop().expect("an error");
    assert_eq!(error.what, Unreachable::TooBig(1024));
    let payload = [0; 1200];
    let mut datagram = outgoing("10.0.0.1:1", "10.0.0.9:2", &payload);
    datagram.may_fragment = false;
    assert_eq!(
        host.stack.send_udp(host.now, &datagram),
        Err(SendError::TooLong)
    );
    datagram.may_fragment = true;
    host.stack
        .send_udp(host.now, &datagram)
        .expect("it is sent");
    let frames = host.sent();
    assert_eq!(frames.len(), 2);
    assert!(frames.iter().all(|frame| frame.len() <= 14 + 1024));
    let (_, internet) = host.stack.tcp(host.now);
    assert_eq!(
        (internet.mtu(ip(PEER4)), internet.mtu(ip("10.0.0.8"))),
        (1024, 1500)
    );
    // A segment that is too long for the path is cut, whatever the engine knows.
    let mut segment = vec![0; 40 + 1400];
    segment[..20].copy_from_slice(&ipv4(OWN, PEER4, 6, &[])[..20]);
    segment[32] = 0x50;
    internet.send(ip(PEER4), segment.len(), Completion::Whole, &mut |room| {
        room.copy_from_slice(&segment);
    });
    assert_eq!(host.sent().len(), 2);
    host.pass(Duration::from_secs(601));
    let (_, internet) = host.stack.tcp(host.now);
    assert_eq!(internet.mtu(ip(PEER4)), 1500, "forgotten");
}

#[test]
fn what_does_not_fit_is_told() {
    let mut host = acquainted();
    let long = vec![0; 65_508];
    let send = |host: &mut Host, to: &str, len: usize, may_fragment| {
        let mut datagram = outgoing("0.0.0.0:1", to, &long[..len]);
        if to.contains('[') {
            datagram.from = socket("[::]:1");
        }
        datagram.may_fragment = may_fragment;
        host.stack.send_udp(host.now, &datagram)
    };
    assert_eq!(
        send(&mut host, "10.0.0.9:2", 65_508, true),
        Err(SendError::TooLong)
    );
    assert_eq!(send(&mut host, "10.0.0.9:2", 65_507, true), Ok(()));
    assert_eq!(send(&mut host, "[fd00::9]:2", 65_508, true), Ok(()));
    assert_eq!(
        send(&mut host, "10.0.0.9:2", 1473, false),
        Err(SendError::TooLong)
    );
    assert_eq!(send(&mut host, "10.0.0.9:2", 1472, false), Ok(()));
    assert_eq!(
        send(&mut host, "192.0.2.1:2", 1, true),
        Err(SendError::NoRoute)
    );
    assert_eq!(
        send(&mut host, "[2001:db8::1]:2", 1, true),
        Err(SendError::NoRoute)
    );
    let strange = outgoing("10.0.0.5:1", "10.0.0.9:2", b"x");
    assert_eq!(
        host.stack.send_udp(host.now, &strange),
        Err(SendError::NotOurs)
    );
}

#[test]
fn complaints_are_limited() {
    let mut host = acquainted();
    for _ in 0..100 {
        host.receive(&udp_frame(PEER4, OWN, (1, 99), b"x"));
    }
    assert_eq!(host.sent().len(), 6);
    host.receive(&ethernet(HOST, PEER, 0x0800, &ipv4(PEER4, OWN, 200, b"x")));
    assert!(host.sent().is_empty());
    host.pass(Duration::from_secs(1));
    host.receive(&ethernet(HOST, PEER, 0x0800, &ipv4(PEER4, OWN, 200, b"x")));
    let frames = host.sent();
    let (protocol, message) = inside(&frames[0]);
    assert_eq!(
        (protocol, &message[..2]),
        (1, &[3, 2][..]),
        "nobody speaks 200"
    );
    assert_eq!(message[8..], ipv4(PEER4, OWN, 200, b"x"));
    host.receive(&udp_frame(PEER4, "10.0.0.255", (1, 99), b"x"));
    let packet = ipv4(PEER4, OWN, 17, &udp(PEER4, OWN, (1, 99), b"x"));
    host.pass(Duration::from_secs(1));
    host.receive(&ethernet(ALL, PEER, 0x0800, &packet));
    assert!(host.sent().is_empty(), "broadcasts");
    host.receive(&icmp_frame(
        PEER4,
        "10.0.0.255",
        vec![8, 0, 0, 0, 0, 1, 0, 1],
    ));
    assert!(host.sent().is_empty(), "a broadcast echo");
}

#[test]
fn fragments_that_do_not_come_are_told() {
    let mut host = acquainted();
    let segment = udp(PEER4, OWN, (1, 53), &[0; 100]);
    let first = ipv4_piece(PEER4, OWN, 17, 0x2000, 5, &segment[..56]);
    host.receive(&ethernet(HOST, PEER, 0x0800, &first));
    host.pass(Duration::from_secs(29));
    assert!(host.sent().is_empty());
    host.pass(Duration::from_secs(2));
    let frames = host.sent();
    let (protocol, message) = inside(frames.last().expect("a complaint"));
    assert_eq!((protocol, &message[..2]), (1, &[11, 1][..]));
}

#[test]
fn a_device_without_room_is_waited_for() {
    let mut host = acquainted();
    host.out.set_room(Some(1));
    host.send("10.0.0.1:1", "10.0.0.9:2", b"a");
    assert!(!host.stack.wants_writable(host.eth0));
    host.send("10.0.0.1:1", "10.0.0.9:2", b"b");
    assert!(host.stack.wants_writable(host.eth0));
    let datagram = outgoing("10.0.0.1:1", "10.0.0.9:2", b"c");
    assert_eq!(
        host.stack.send_udp(host.now, &datagram),
        Err(SendError::NoRoom)
    );
    let (_, internet) = host.stack.tcp(host.now);
    assert!(!internet.ready(ip(PEER4)));
    assert!(
        internet.ready(ip("192.0.2.1")),
        "without a way nobody waits"
    );
    host.out.set_room(None);
    host.stack.writable(host.now, host.eth0, &mut host.notes);
    assert_eq!(host.sent().len(), 2);
    assert!(!host.stack.wants_writable(host.eth0));
    let (_, state) = host.stack.interfaces().next().expect("an interface");
    assert_eq!(state.counters.sent_dropped, 0);
}

#[test]
fn a_link_that_is_down_takes_and_gives_nothing() {
    let mut host = acquainted();
    host.notes.ports.push(53);
    host.stack
        .set_link(host.now, host.eth0, false, &mut host.notes);
    host.receive(&udp_frame(PEER4, OWN, (1, 53), b"x"));
    assert!(host.notes.datagrams.is_empty());
    let datagram = outgoing("10.0.0.1:1", "10.0.0.9:2", b"c");
    assert_eq!(
        host.stack.send_udp(host.now, &datagram),
        Err(SendError::NoRoute)
    );
    assert_eq!(host.stack.source_for(ip(PEER4)), None);
    host.stack
        .set_link(host.now, host.eth0, true, &mut host.notes);
    host.send("10.0.0.1:1", "10.0.0.9:2", b"x");
    assert_eq!(
        kind(&host.sent()[0]),
        0x0806,
        "neighbours are asked for anew"
    );
}

#[test]
fn groups_are_joined_reported_and_left() {
    let mut host = host();
    host.notes.ports.push(53);
    let group = ip("239.1.2.3");
    let to_group = udp_frame(PEER4, "239.1.2.3", (1, 53), b"x");
    host.stack.join(host.now, host.eth0, group);
    host.pass(Duration::from_millis(0));
    let frames = host.sent();
    assert_eq!(station(&frames[0]), Mac([1, 0, 0x5e, 0, 0, 22]));
    assert_eq!(inside(&frames[0]).0, 2);
    host.receive(&to_group);
    assert_eq!(host.notes.datagrams.len(), 1);
    host.pass(Duration::from_secs(2));
    assert_eq!(host.sent().len(), 1, "once more");
    let mut query = vec![0x11, 10, 0, 0, 0, 0, 0, 0];
    libos_net::checksum::fill(&mut query, 2, 0);
    let all = Mac([1, 0, 0x5e, 0, 0, 1]);
    let query = ethernet(all, PEER, 0x0800, &ipv4(PEER4, "224.0.0.1", 2, &query));
    host.receive(&query);
    host.pass(Duration::from_secs(1));
    let frames = host.sent();
    assert_eq!(
        station(&frames[0]),
        Mac([1, 0, 0x5e, 1, 2, 3]),
        "to an old querier"
    );
    host.stack.leave(host.now, host.eth0, group);
    assert_eq!(host.sent().len(), 1);
    host.receive(&to_group);
    assert_eq!(host.notes.datagrams.len(), 1, "left");
    host.send("10.0.0.1:1", "239.9.9.9:2", b"x");
    assert_eq!(station(&host.sent()[0]), Mac([1, 0, 0x5e, 9, 9, 9]));
}

#[test]
fn broadcasts_go_to_all() {
    let mut host = host();
    for to in ["10.0.0.255:2", "255.255.255.255:2"] {
        host.send("0.0.0.0:1", to, b"x");
        assert_eq!(station(&host.sent()[0]), ALL, "{to}");
        assert!(host.stack.is_broadcast(socket(to).ip()));
    }
    host.notes.ports.push(53);
    host.receive(&udp_frame(PEER4, "255.255.255.255", (1, 53), b"x"));
    host.receive(&udp_frame("0.0.0.0", "10.0.0.255", (1, 53), b"x"));
    assert_eq!(host.notes.datagrams.len(), 2);
}

#[test]
fn everybody_answers_for_all_but_the_other_side() {
    let mut everybody = config(1, &["10.0.0.1/24", "fd00::1/64"]);
    everybody.any_address = true;
    let mut host = Host::new(everybody);
    host.notes.ports.push(53);
    host.notes.takes_echoes = true;
    let asks = |host: &mut Host, sender: [u8; 4], target: [u8; 4]| {
        host.receive(&arp_frame(ALL, 1, PEER, sender, target));
        host.sent().len()
    };
    let guest = [10, 0, 0, 9];
    assert_eq!(asks(&mut host, [0; 4], guest), 0, "its probe");
    assert_eq!(asks(&mut host, guest, guest), 0, "its announcement");
    assert_eq!(asks(&mut host, guest, [8, 8, 8, 8]), 1);
    assert_eq!(asks(&mut host, guest, guest), 0);
    assert_eq!(asks(&mut host, [0; 4], [10, 0, 0, 1]), 1, "our own is ours");
    host.receive(&udp_frame(PEER4, "8.8.8.8", (1, 53), b"x"));
    assert_eq!(host.notes.datagrams[0].flow.local, socket("8.8.8.8:53"));
    host.receive(&icmp_frame(PEER4, "8.8.8.8", vec![8, 0, 0, 0, 0, 1, 0, 1]));
    let echo = host.notes.echoes.pop().expect("a request");
    assert!(echo.is_request && echo.to == ip("8.8.8.8"));
    let answer = outgoing("8.8.8.8:53", "10.0.0.9:1", b"y");
    host.stack
        .send_udp(host.now, &answer)
        .expect("any source will do");
    assert_eq!(host.sent().len(), 1);
    host.notes.takes_echoes = false;
    host.receive(&icmp_frame(PEER4, OWN, vec![8, 0, 0, 0, 0, 1, 0, 1]));
    assert_eq!(
        host.sent().len(),
        1,
        "what the owner leaves of ours we answer"
    );
    host.receive(&icmp_frame(PEER4, "8.8.8.8", vec![8, 0, 0, 0, 0, 1, 0, 1]));
    assert!(host.sent().is_empty(), "and of others not");
    let group = Mac([0x33, 0x33, 0xff, 0, 0, 7]);
    host.receive(&icmp6_frame(
        group,
        PEER6,
        "ff02::1:ff00:7",
        255,
        solicitation("2001:db8::7"),
    ));
    assert_eq!(host.sent().len(), 1);
    let mut probe = solicitation("fd00::77");
    probe.truncate(24);
    host.receive(&icmp6_frame(group, "::", "ff02::1:ff00:77", 255, probe));
    assert!(host.sent().is_empty(), "its probe");
}

#[test]
fn the_interface_and_the_source_follow_the_route() {
    let mut first = config(1, &["10.0.0.1/24", "fd00::1/64"]);
    first.routes.push(route("0.0.0.0/0", "10.0.0.254"));
    let mut host = Host::new(first);
    let mut second = config(3, &["192.168.0.1/24"]);
    second.name = "eth1".into();
    second.routes.push(route("172.16.0.0/12", "192.168.0.254"));
    let (eth1, out) = host.add(second);
    out.take();
    let source = |host: &Host, to: &str| host.stack.source_for(ip(to));
    assert_eq!(source(&host, "8.8.8.8"), Some((host.eth0, ip(OWN))));
    assert_eq!(source(&host, "172.16.5.5"), Some((eth1, ip("192.168.0.1"))));
    assert_eq!(
        source(&host, "192.168.0.7"),
        Some((eth1, ip("192.168.0.1")))
    );
    let mut datagram = outgoing("0.0.0.0:1", "8.8.8.8:2", b"x");
    datagram.interface = Some(eth1);
    host.stack.send_udp(host.now, &datagram).expect("forced");
    assert_eq!(out.take().len(), 1, "the neighbour is asked for there");
    assert!(host.stack.is_own(ip("192.168.0.1")) && !host.stack.is_own(ip("192.168.0.2")));
    host.stack
        .add_address(host.now, eth1, network("10.9.0.1/16"));
    assert_eq!(source(&host, "10.9.5.5"), Some((eth1, ip("10.9.0.1"))));
    // The weak host model: our address on the other interface is ours here too.
    host.notes.ports.push(53);
    host.receive(&udp_frame(PEER4, "192.168.0.1", (1, 53), b"x"));
    assert_eq!(host.notes.datagrams.len(), 1);
    let routes: Vec<_> = host.stack.routes().collect();
    assert!(
        routes
            .iter()
            .any(|(id, route)| *id == eth1 && route.destination == network("10.9.0.0/16"))
    );
}

#[test]
fn frames_with_offloads_carry_the_devices_work() {
    let mut config = config(1, &["10.0.0.1/24"]);
    config.offloads = ALL_OFFLOADS;
    let mut host = Host::new(config);
    let arp = arp_frame(ALL, 1, PEER, [10, 0, 0, 9], [10, 0, 0, 1]);
    host.receive(&[&[0; 10][..], &arp].concat());
    assert_eq!(host.sent()[0][..10], [0; 10], "nothing to do on an answer");
    host.send("10.0.0.1:1", "10.0.0.9:2", b"x");
    assert_eq!(host.sent()[0][..10], [1, 0, 0, 0, 0, 0, 34, 0, 6, 0]);
    let (_, internet) = host.stack.tcp(host.now);
    assert_eq!(internet.segmentation(ip(PEER4)), Some(65_535));
    assert!(internet.completes_checksums(ip(PEER4)));
    let mut packet = vec![0; 5000];
    packet[..20].copy_from_slice(&ipv4(OWN, PEER4, 6, &[])[..20]);
    packet[32] = 0x50;
    internet.send(
        ip(PEER4),
        packet.len(),
        Completion::Segments(1460),
        &mut |room| {
            room.copy_from_slice(&packet);
        },
    );
    let frames = host.sent();
    assert_eq!((frames.len(), frames[0].len()), (1, 10 + 14 + 5000));
    assert_eq!(frames[0][..10], [1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0]);
}

#[test]
fn a_flood_of_strangers_is_bounded() {
    let mut host = Host::new(config(1, &["10.0.0.1/8"]));
    for number in 0..50_000_u32 {
        let [_, b, c, d] = number.to_be_bytes();
        let sender = [10, b.wrapping_add(1), c, d];
        host.receive(&arp_frame(ALL, 1, PEER, sender, [10, 0, 0, 1]));
        host.receive(&arp_frame(HOST, 2, PEER, sender, [10, 0, 0, 1]));
        host.sent();
    }
    // Whom we ask still finds room.
    host.send("10.0.0.1:1", "10.200.0.1:2", b"x");
    host.sent();
    host.receive(&arp_frame(HOST, 2, PEER, [10, 200, 0, 1], [10, 0, 0, 1]));
    assert_eq!(host.sent().len(), 1);
}

#[test]
fn sockets_of_the_other_family_do_not_meet() {
    let mut host = host();
    let mixed = outgoing("10.0.0.1:1", "[fd00::9]:2", b"x");
    assert_eq!(
        host.stack.send_udp(host.now, &mixed),
        Err(SendError::NotOurs)
    );
    let flow: SocketAddr = socket("[fd00::1]:1");
    assert!(matches!(flow.ip(), IpAddr::V6(_)));
}
