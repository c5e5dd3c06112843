//! What `/proc/net/snmp` is made of: each packet is counted once, as what it was.

use libos_net::tcp::TcpOptions;
use libos_net::time::Duration;
use libos_net::traffic::{IP_NAMES, Version};
use libos_net::{address::Flow, owner::Token};

use crate::frames::{HOST, PEER, arp_frame, ethernet, icmp_frame, ipv4, ipv4_piece, udp_frame};
use crate::network::{Host, config, pass, socket};

const OWN: &str = "10.0.0.1";
const PEER4: &str = "10.0.0.9";

/// A host that knows its peer, and has told its neighbours of itself.
fn host() -> Host {
    let mut host = Host::new(config(1, &["10.0.0.1/24", "fd00::1/64"]));
    host.notes.ports.push(53);
    host.receive(&arp_frame(HOST, 1, PEER, [10, 0, 0, 9], [10, 0, 0, 1]));
    host
}

/// What `work` adds to the counts of IPv4, by their names.
fn counted(host: &mut Host, work: impl FnOnce(&mut Host)) -> Vec<(&'static str, u64)> {
    let before = host.stack.traffic(false);
    work(host);
    let after = host.stack.traffic(false);
    let changes = |(at, name): (usize, &'static str)| (name, after.ip[at] - before.ip[at]);
    let all = IP_NAMES.split(' ').enumerate().map(changes);
    all.filter(|one| one.1 > 0).collect()
}

#[test]
fn packets_that_come() {
    let datagram = |to: &str| udp_frame(PEER4, to, (1, 53), b"x");
    let in_one = [("InReceives", 1), ("InOctets", 29), ("InNoECTPkts", 1)];
    let with = |more: &[(&'static str, u64)]| {
        let mut all: Vec<_> = in_one.iter().chain(more).copied().collect();
        all.sort_by_key(|one| IP_NAMES.split(' ').position(|name| name == one.0));
        all
    };
    for (frame, more) in [
        (datagram(OWN), &[("InDelivers", 1)][..]),
        (datagram("10.0.0.77"), &[("InAddrErrors", 1)]),
        (
            datagram("10.0.0.255"),
            &[("InDelivers", 1), ("InBcastPkts", 1), ("InBcastOctets", 29)],
        ),
        (
            datagram("224.0.0.1"),
            &[("InDelivers", 1), ("InMcastPkts", 1), ("InMcastOctets", 29)],
        ),
        (datagram("239.1.1.1"), &[]),
    ] {
        let found = counted(&mut host(), |host| host.receive(&frame));
        assert_eq!(found, with(more));
    }
    let mut cut = ipv4(PEER4, OWN, 17, b"12345678");
    cut[10] ^= 1;
    let found = counted(&mut host(), |host| {
        host.receive(&ethernet(HOST, PEER, 0x0800, &cut));
    });
    assert_eq!(found, [("InHdrErrors", 1)]);
    let unknown = ethernet(HOST, PEER, 0x0800, &ipv4(PEER4, OWN, 200, b"123456789"));
    let mut host = host();
    let found = counted(&mut host, |host| host.receive(&unknown));
    let answered = [("OutRequests", 1), ("OutTransmits", 1), ("OutOctets", 57)];
    assert_eq!(
        found,
        with(&[&[("InUnknownProtos", 1)][..], &answered].concat())
    );
    assert_eq!(host.stack.traffic(false).icmp_out.of(3), 1);
}

#[test]
fn fragments_both_ways() {
    let mut host = host();
    let piece = |place, data: &[u8]| {
        let packet = ipv4_piece(PEER4, OWN, 17, place, 7, data);
        ethernet(HOST, PEER, 0x0800, &packet)
    };
    let found = counted(&mut host, |host| {
        host.receive(&piece(0x2000, &[0, 1, 0, 53, 0, 24, 0, 0]));
        host.receive(&piece(0x0001, &[7; 16]));
    });
    let of = |found: &[(&str, u64)], name: &str| {
        let found = found.iter().find(|one| one.0 == name);
        found.map_or(0, |one| one.1)
    };
    for (name, count) in [
        ("InReceives", 2),
        ("ReasmReqds", 2),
        ("ReasmOKs", 1),
        ("InDelivers", 1),
        ("InOctets", 64),
    ] {
        assert_eq!(of(&found, name), count, "{name} in {found:?}");
    }
    let found = counted(&mut host, |host| {
        host.receive(&piece(0x2000, &[0, 1, 0, 53, 0, 24, 0, 0]));
        host.pass(Duration::from_secs(31));
    });
    assert_eq!(
        (of(&found, "ReasmTimeout"), of(&found, "ReasmFails")),
        (1, 1)
    );
    let found = counted(&mut host, |host| {
        host.send("10.0.0.1:53", "10.0.0.9:1", &[0; 3000])
    });
    for (name, count) in [
        ("OutRequests", 1),
        ("FragOKs", 1),
        ("FragCreates", 3),
        ("OutTransmits", 3),
        ("OutOctets", 3008 + 60),
    ] {
        assert_eq!(of(&found, name), count, "{name} in {found:?}");
    }
    let found = counted(&mut host, |host| {
        let datagram = crate::network::outgoing("10.0.0.1:53", "192.0.2.1:1", b"x");
        host.stack
            .send_udp(host.now, &datagram)
            .expect_err("no way");
    });
    assert_eq!(found, [("OutNoRoutes", 1)]);
}

#[test]
fn messages_and_bad_sums() {
    let mut host = host();
    let echo = icmp_frame(PEER4, OWN, vec![8, 0, 0, 0, 0, 7, 0, 1]);
    host.receive(&echo);
    let mut bad = echo;
    bad[41] ^= 1;
    host.receive(&bad);
    let mut datagram = udp_frame(PEER4, OWN, (1, 53), b"x");
    datagram[42] ^= 1;
    host.receive(&datagram);
    let version = host.stack.traffic(false);
    assert_eq!((version.icmp_in.of(8), version.icmp_out.of(0)), (1, 1));
    assert_eq!((version.icmp_errors, version.icmp_bad_sums), (1, 1));
    assert_eq!((version.udp_errors, version.udp_bad_sums), (1, 1));
    // Who began asked for its neighbours' groups, and whether its address is free.
    let Version { icmp_out, .. } = host.stack.traffic(true);
    assert!(
        icmp_out.of(135) >= 1 && icmp_out.of(143) >= 1,
        "{icmp_out:?}"
    );
}

#[test]
fn connections() {
    let mut client = Host::new(config(1, &["10.0.0.1/24"]));
    let mut server = Host::new(config(9, &["10.0.0.9/24"]));
    server.notes.accepts = true;
    let begin = |client: &mut Host, port: u16| {
        let flow = Flow {
            local: socket(&format!("10.0.0.1:{port}")),
            remote: socket("10.0.0.9:80"),
        };
        let (tcp, out) = client.stack.tcp(client.now);
        let options = TcpOptions::default();
        tcp.connect(client.now, flow, Token(1), options, out)
            .expect("begun")
    };
    let one = begin(&mut client, 4000);
    pass(&mut client, &mut server, Duration::from_millis(10));
    server.notes.accepts = false;
    begin(&mut client, 4001);
    pass(&mut client, &mut server, Duration::from_millis(10));
    let found = client.stack.connections().counters();
    assert_eq!((found.active_opens, found.passive_opens), (2, 0));
    assert_eq!((found.attempt_fails, found.established_resets), (1, 0));
    assert_eq!(
        client.stack.segments_sent(),
        3,
        "two SYNs and an acknowledgement"
    );
    assert_eq!((found.received, found.retransmitted), (2, 0));
    let (tcp, out) = client.stack.tcp(client.now);
    tcp.abort(client.now, one, out);
    pass(&mut client, &mut server, Duration::from_millis(10));
    for host in [&client, &server] {
        assert_eq!(host.stack.connections().counters().established_resets, 1);
    }
    assert_eq!(server.stack.connections().counters().passive_opens, 1);
    assert_eq!(server.stack.connections().counters().resets_sent, 1);
    begin(&mut client, 4002);
    // Nobody hears it.
    client.pass(Duration::from_millis(3_500));
    client.sent();
    assert_eq!(client.stack.connections().counters().retransmitted, 2);
    assert_eq!(
        client.stack.segments_sent(),
        5,
        "those sent again are not in it"
    );
}
