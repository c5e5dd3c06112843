//! The helper on other hosts than this one: in a network namespace with an address that is not loopback's and with ping
//! sockets, without namespaces of its own, and as a user without privileges.
//!
//! Each test runs itself again in a user namespace made by unshare(1); where that is not allowed it is skipped.

mod common;

use common::{Guest, Starter};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;

/// Tells the test that it runs inside.
const INSIDE: &str = "USERNET_TEST_INSIDE";

/// An address of the namespace's that is not loopback's (RFC 5737).
const ADDRESS: &str = "192.0.2.1";

/// Whether this is the inner run; if not, the inner run was made, after `setup`, in new namespaces by `flags`.
fn is_inside(test: &str, flags: &str, setup: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let probe = Command::new("unshare")
        .args([flags, "sh", "-c", setup])
        .output();
    if !probe.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {test} needs unshare {flags} and `{setup}`: {probe:?}");
        return false;
    }
    let program = std::env::current_exe().expect("this program");
    let script = format!("{setup} && exec \"$0\" --exact {test} --nocapture");
    let output = Command::new("unshare")
        .args([flags, "sh", "-c", &script])
        .arg(program)
        .env(INSIDE, "1")
        .output()
        .expect("unshare");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("1 passed"), "{text}");
    false
}

const NETWORK: &str = "ip link set lo up && ip address add 192.0.2.1/32 dev lo && \
                       ip address add 2001:db8::1/128 dev lo && \
                       echo 0 0 >/proc/sys/net/ipv4/ping_group_range";

fn guest_of(options: &[&str]) -> (Starter, Guest) {
    let mut starter = Starter::new(options);
    let channel = starter.channel.take().expect("a channel");
    (starter, Guest::new(channel))
}

#[test]
fn hosts_are_reached_under_their_own_addresses() {
    if !is_inside(
        "hosts_are_reached_under_their_own_addresses",
        "-rn",
        NETWORK,
    ) {
        return;
    }
    let (_starter, mut guest) = guest_of(&[]);
    for address in [format!("{ADDRESS}:0"), "[2001:db8::1]:0".into()] {
        let listener = TcpListener::bind(&address).expect("an address");
        let named = listener.local_addr().expect("an address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).expect("bytes");
            stream.write_all(&bytes).expect("room");
        });
        let connection = guest.connect(&named.to_string());
        guest.send(connection, b"hello");
        assert_eq!(guest.receive(connection, 5), b"hello", "{named}");
        server.join().expect("a server");
        let socket = UdpSocket::bind(&address).expect("an address");
        let named = socket.local_addr().expect("an address").to_string();
        guest.send_udp(5000, &named, b"question");
        socket.set_nonblocking(true).expect("an option");
        let mut bytes = [0; 100];
        let (len, from) = guest.until("a datagram", |_| socket.recv_from(&mut bytes).ok());
        socket.send_to(&bytes[..len], from).expect("room");
        let (flow, bytes) = guest.receive_udp();
        assert_eq!(
            (flow.remote.to_string(), &bytes[..]),
            (named, &b"question"[..])
        );
    }
}

#[test]
fn pings_reach_hosts() {
    if !is_inside("pings_reach_hosts", "-rn", NETWORK) {
        return;
    }
    let (_starter, mut guest) = guest_of(&[]);
    for (to, kinds) in [(ADDRESS, (8, 0)), ("2001:db8::1", (128, 129))] {
        let message = [&[kinds.0, 0, 0, 0, 0x12, 0x34, 0, 1], &b"payload"[..]].concat();
        guest.ping(to, &message);
        let (from, reply) = guest.until(&format!("an echo of {to}"), |guest| {
            guest.notes.echoes.pop()
        });
        assert_eq!((from.to_string().as_str(), reply[0]), (to, kinds.1));
        assert_eq!(
            reply[4..],
            message[4..],
            "{to}: identifier, number and bytes"
        );
    }
}

#[test]
fn peers_are_shown_by_their_own_address() {
    if !is_inside("peers_are_shown_by_their_own_address", "-rn", NETWORK) {
        return;
    }
    let (starter, mut guest) = guest_of(&["publish=tcp|*|0|8080"]);
    guest.notes.listening.insert(8080);
    for address in [ADDRESS, "2001:db8::1"] {
        let port = starter.published[0].port();
        let client = std::thread::spawn(move || {
            let mut stream = TcpStream::connect((address, port)).expect("a port");
            let mut answer = [0; 2];
            stream.read_exact(&mut answer).expect("an answer");
            stream.local_addr().expect("an address")
        });
        let (connection, flow) = guest.accept();
        guest.send(connection, b"ok");
        guest.until("the client's end", |_| client.is_finished().then_some(()));
        assert_eq!(client.join().expect("a client"), flow.remote);
    }
}

#[test]
fn hosts_without_a_route_are_unreachable() {
    if !is_inside("hosts_without_a_route_are_unreachable", "-rn", NETWORK) {
        return;
    }
    let (_starter, mut guest) = guest_of(&[]);
    for address in ["198.51.100.1:80", "[2001:db8:1::1]:80"] {
        let connection = guest.begin(address);
        let error = guest
            .established(connection)
            .expect_err("no route")
            .expect("an error");
        assert_eq!(
            error,
            libos_net::tcp::TcpError::NetworkUnreachable,
            "{address}"
        );
    }
}

#[test]
fn where_there_are_no_namespaces_landlock_and_the_filter_remain() {
    let test = "where_there_are_no_namespaces_landlock_and_the_filter_remain";
    if !is_inside(
        test,
        "-rn",
        "ip link set lo up && echo 0 >/proc/sys/user/max_user_namespaces",
    ) {
        return;
    }
    let (starter, mut guest) = guest_of(&["loopback"]);
    assert!(!starter.namespaces && !starter.empty_root);
    assert!(starter.landlock || !std::path::Path::new("/sys/kernel/security/landlock").exists());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    guest.connect(&format!("10.0.2.2:{port}"));
}
