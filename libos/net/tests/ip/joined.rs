//! Two stacks joined back to back.

use libos_net::owner::Unreachable;
use libos_net::tcp::{Refusal, TcpOptions};
use libos_net::time::Duration;

use crate::network::{ALL_OFFLOADS, Host, config, exchange, ip, outgoing, pass, route, socket};

/// Two hosts on a network, IPv4 and IPv6.
fn pair() -> (Host, Host) {
    (
        Host::new(config(1, &["10.0.0.1/24", "fd00::1/64"])),
        Host::new(config(2, &["10.0.0.2/24", "fd00::2/64"])),
    )
}

fn offloaded() -> (Host, Host) {
    let mut one = config(1, &["10.0.0.1/24", "fd00::1/64"]);
    let mut other = config(2, &["10.0.0.2/24", "fd00::2/64"]);
    one.offloads = ALL_OFFLOADS;
    other.offloads = ALL_OFFLOADS;
    (Host::new(one), Host::new(other))
}

#[test]
fn datagrams_go_there_and_back() {
    for (mut one, mut other) in [pair(), offloaded()] {
        one.notes.ports.push(1000);
        other.notes.ports.push(53);
        for (from, to, back) in [
            ("10.0.0.1:1000", "10.0.0.2:53", "0.0.0.0:53"),
            ("[fd00::1]:1000", "[fd00::2]:53", "[::]:53"),
        ] {
            one.send(from, to, b"question");
            exchange(&mut one, &mut other);
            let came = other.notes.datagrams.pop().expect("a datagram");
            assert_eq!(came.flow.local, socket(to));
            assert_eq!(came.flow.remote, socket(from));
            assert_eq!(came.payload, b"question");
            other.send(back, from, b"answer");
            exchange(&mut one, &mut other);
            let came = one.notes.datagrams.pop().expect("an answer");
            assert_eq!(came.flow.remote, socket(to));
            assert_eq!(came.payload, b"answer");
        }
    }
}

#[test]
fn a_datagram_of_sixty_kilobytes_goes_in_fragments() {
    for (mut one, mut other) in [pair(), offloaded()] {
        other.notes.ports.push(53);
        let payload: Vec<u8> = (0..60_000_u32).map(|at| at.to_le_bytes()[0]).collect();
        for (from, to) in [
            ("10.0.0.1:1000", "10.0.0.2:53"),
            ("[fd00::1]:1000", "[fd00::2]:53"),
        ] {
            one.send(from, to, &payload);
            let frames = exchange(&mut one, &mut other);
            assert!(frames > 40, "{frames} frames");
            let came = other.notes.datagrams.pop().expect("a datagram");
            assert!(came.payload == payload, "{to}");
        }
    }
}

#[test]
fn nobody_at_a_port_is_told_to_the_sender() {
    let (mut one, mut other) = pair();
    for (from, to) in [
        ("10.0.0.1:1000", "10.0.0.2:53"),
        ("[fd00::1]:1000", "[fd00::2]:53"),
    ] {
        one.send(from, to, b"question");
        exchange(&mut one, &mut other);
        let error = one.notes.errors.pop().expect("an error");
        assert_eq!(error.what, Unreachable::Port);
        assert_eq!(
            (error.flow.local, error.flow.remote),
            (socket(from), socket(to))
        );
        assert_eq!((error.protocol, error.by), (17, socket(to).ip()));
    }
}

#[test]
fn echoes_are_answered() {
    let (mut one, mut other) = pair();
    one.notes.takes_echoes = true;
    for (from, to, kind) in [
        ("10.0.0.1:0", "10.0.0.2:0", 8),
        ("[fd00::1]:0", "[fd00::2]:0", 128),
    ] {
        let message = [&[kind, 0, 0, 0, 0x12, 0x34, 0, 1][..], b"payload"].concat();
        let request = outgoing(from, to, &message);
        one.stack.send_icmp(one.now, &request).expect("it is sent");
        exchange(&mut one, &mut other);
        let echo = one.notes.echoes.pop().expect("an answer");
        assert_eq!(
            (echo.from, echo.is_request, echo.identifier),
            (socket(to).ip(), false, 0x1234)
        );
        assert_eq!(echo.message[8..], *b"payload");
    }
}

#[test]
fn a_neighbour_that_does_not_answer_is_reported() {
    let mut one = Host::new(config(1, &["10.0.0.1/24", "fd00::1/64"]));
    for (from, to) in [
        ("10.0.0.1:1000", "10.0.0.9:53"),
        ("[fd00::1]:1000", "[fd00::9]:53"),
    ] {
        one.send(from, to, b"question");
        one.pass(Duration::from_millis(2900));
        assert!(one.notes.errors.is_empty());
        one.pass(Duration::from_millis(200));
        let error = one.notes.errors.pop().expect("an error");
        assert_eq!(error.what, Unreachable::Host);
        assert_eq!(
            (error.flow.local, error.flow.remote),
            (socket(from), socket(to))
        );
        assert_eq!(one.sent().len(), 3, "three questions");
    }
}

#[test]
fn connections_carry_bytes() {
    for (mut one, mut other) in [pair(), offloaded()] {
        for (from, to) in [
            ("10.0.0.1:1000", "10.0.0.2:80"),
            ("[fd00::1]:1000", "[fd00::2]:80"),
        ] {
            carry(&mut one, &mut other, from, to);
        }
    }
}

/// Connects, sends a megabyte, and compares.
fn carry(one: &mut Host, other: &mut Host, from: &str, to: &str) {
    other.notes.accepts = true;
    other.notes.events.clear();
    let flow = libos_net::address::Flow {
        local: socket(from),
        remote: socket(to),
    };
    let options = TcpOptions::default();
    let (tcp, internet) = one.stack.tcp(one.now);
    let token = libos_net::owner::Token(7);
    let client = tcp
        .connect(one.now, flow, token, options, internet)
        .expect("a connection");
    pass(one, other, Duration::from_millis(100));
    let server = other.notes.events.first().expect("a connection").0;
    let data: Vec<u8> = (0..1_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    let (mut sent, mut received) = (0, Vec::new());
    for _ in 0..10_000 {
        let (tcp, internet) = one.stack.tcp(one.now);
        let put = tcp.send(client, &mut |room| {
            let count = room.len().min(data.len() - sent);
            room[..count].copy_from_slice(&data[sent..sent + count]);
            sent += count;
            count
        });
        assert!(matches!(put, Ok(_) | Err(Refusal::WouldBlock)), "{put:?}");
        tcp.flush(one.now, client, internet, &mut one.notes);
        pass(one, other, Duration::from_millis(1));
        let (tcp, internet) = other.stack.tcp(other.now);
        let _ = tcp.receive_bytes(server, &mut |bytes| {
            received.extend_from_slice(bytes);
            bytes.len()
        });
        tcp.flush(other.now, server, internet, &mut other.notes);
        if received.len() == data.len() {
            break;
        }
    }
    assert!(
        received == data,
        "{} of {} bytes",
        received.len(),
        data.len()
    );
    let (tcp, internet) = one.stack.tcp(one.now);
    tcp.abort(one.now, client, internet);
    pass(one, other, Duration::from_millis(100));
}

#[test]
fn an_off_link_gateway_is_asked_for_on_the_link() {
    let mut guest = config(1, &["192.0.2.5/32"]);
    guest.routes.push(route("0.0.0.0/0", "169.254.1.1"));
    let mut one = Host::new(guest);
    let mut other = Host::new(config(2, &["169.254.1.1/32", "8.8.8.8/32"]));
    other.notes.ports.push(53);
    one.send("0.0.0.0:1000", "8.8.8.8:53", b"question");
    exchange(&mut one, &mut other);
    let came = other.notes.datagrams.pop().expect("a datagram");
    assert_eq!(came.flow.remote, socket("192.0.2.5:1000"));
    assert_eq!(
        one.stack.source_for(ip("1.1.1.1")).map(|found| found.1),
        Some(ip("192.0.2.5"))
    );
}
