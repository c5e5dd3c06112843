//! UDP, names, pings and automatic configuration through the helper.

mod common;

use common::{Guest, Starter};
use libos_net::owner::Unreachable;
use std::net::{IpAddr, SocketAddr, UdpSocket};

fn guest_of(options: &[&str]) -> (Starter, Guest) {
    let mut starter = Starter::new(options);
    let channel = starter.channel.take().expect("a channel");
    (starter, Guest::new(channel))
}

fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket
        .set_read_timeout(Some(common::WAIT))
        .expect("an option");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

/// What a socket of the host gets of the guest.
fn receive(guest: &mut Guest, socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    socket.set_nonblocking(true).expect("an option");
    let mut bytes = vec![0; 65_536];
    let (len, from) = guest.until("a datagram", |_| socket.recv_from(&mut bytes).ok());
    (bytes[..len].to_vec(), from)
}

#[test]
fn datagrams_go_there_and_back_whatever_their_length() {
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let (server, address) = socket();
    let named = format!("10.0.2.2:{}", address.port());
    for len in [0, 1, 1472, 1473, 9000] {
        let payload = vec![7; len];
        guest.send_udp(5000, &named, &payload);
        let (bytes, from) = receive(&mut guest, &server);
        assert_eq!(bytes, payload, "{len}");
        server.send_to(&bytes, from).expect("room");
        let (flow, bytes) = guest.receive_udp();
        assert_eq!(bytes, payload, "{len}");
        assert_eq!(
            (flow.remote.to_string(), flow.local.port()),
            (named.clone(), 5000)
        );
    }
}

#[test]
fn nonsense_from_the_guest_is_passed_over() {
    let (starter, mut guest) = guest_of(&["loopback", "publish=udp|127.0.0.1|0|53"]);
    let (server, address) = socket();
    let named = format!("10.0.2.2:{}", address.port());
    guest.send_udp(5000, &named, b"before");
    receive(&mut guest, &server);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..20_000 {
        let len = usize::try_from(random() % 200).expect("short");
        let mut frame: Vec<u8> = (0..len).map(|_| random().to_le_bytes()[0]).collect();
        // Half of them get past the Ethernet header, and half of these past the next one.
        if frame.len() > 40 && random() % 2 == 0 {
            frame[..10].fill(0);
            frame[10..16].copy_from_slice(&[2, 0, 10, 0, 2, 2]);
            let kinds = [[0x08, 0x00], [0x08, 0x06], [0x86, 0xdd]];
            frame[22..24]
                .copy_from_slice(&kinds[usize::try_from(random() % 3).expect("one of three")]);
            frame[24] = if frame[22] == 8 { 0x45 } else { 0x60 };
        }
        guest.send_raw(&frame);
    }
    guest.notes.datagrams.clear();
    guest.send_udp(5000, &named, b"after");
    assert_eq!(receive(&mut guest, &server).0, b"after");
    drop(starter);
}

#[test]
fn nobody_but_the_destination_can_answer() {
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let ((server, address), (stranger, _)) = (socket(), socket());
    guest.send_udp(5000, &format!("10.0.2.2:{}", address.port()), b"question");
    let (_, from) = receive(&mut guest, &server);
    stranger.send_to(b"forged", from).expect("room");
    server.send_to(b"answer", from).expect("room");
    assert_eq!(guest.receive_udp().1, b"answer");
}

#[test]
fn a_port_without_a_server_is_told() {
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let port = socket().1.port();
    let named = format!("10.0.2.2:{port}");
    guest.send_udp(5000, &named, b"anyone?");
    let error = guest.until("an ICMP error", |guest| guest.notes.errors.pop());
    assert_eq!((error.protocol, error.what), (17, Unreachable::Port));
    assert_eq!(error.flow.remote.to_string(), named);
    guest.send_udp(5000, "10.0.2.2:9", b"anyone?");
    let error = guest.until("an ICMP error", |guest| guest.notes.errors.pop());
    assert_eq!(error.what, Unreachable::Port);
    guest.send_udp(5000, "10.0.2.77:9", b"anyone?");
    let error = guest.until("an ICMP error", |guest| guest.notes.errors.pop());
    assert_eq!(error.what, Unreachable::Host);
}

#[test]
fn names_are_asked_of_the_host_s_resolver() {
    let (resolver, address) = socket();
    let (_starter, mut guest) = guest_of(&[&format!("resolver={address}")]);
    for named in ["10.0.2.3:53", "[fd00::3]:53"] {
        guest.send_udp(5353, named, b"query");
        let (bytes, from) = receive(&mut guest, &resolver);
        assert_eq!(bytes, b"query");
        resolver.send_to(b"response", from).expect("room");
        let (flow, bytes) = guest.receive_udp();
        assert_eq!(
            (flow.remote.to_string().as_str(), &bytes[..]),
            (named, &b"response"[..])
        );
    }
}

#[test]
fn names_are_asked_by_tcp_too() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).expect("bytes");
        stream.write_all(b"response").expect("room");
        bytes
    });
    let (_starter, mut guest) = guest_of(&[&format!("resolver={address}")]);
    let connection = guest.connect("10.0.2.3:53");
    guest.send(connection, b"query");
    assert_eq!(guest.receive(connection, 8), b"response");
    assert_eq!(&server.join().expect("a server"), b"query");
}

#[test]
fn a_resolver_that_refuses_is_left_for_the_next() {
    let refusing = socket().1;
    let (resolver, address) = socket();
    let options = [
        format!("resolver={refusing}"),
        format!("resolver={address}"),
    ];
    let (_starter, mut guest) = guest_of(&[&options[0], &options[1]]);
    guest.send_udp(5353, "10.0.2.3:53", b"first");
    guest.until("an ICMP error", |guest| guest.notes.errors.pop());
    guest.send_udp(5353, "10.0.2.3:53", b"second");
    assert_eq!(receive(&mut guest, &resolver).0, b"second");
}

#[test]
fn a_resolver_that_cannot_be_reached_is_left_for_the_next_at_once() {
    // A broadcast address is none to connect to.
    let unreachable = "resolver=255.255.255.255:53";
    let (resolver, address) = socket();
    let (_starter, mut guest) = guest_of(&[unreachable, &format!("resolver={address}")]);
    guest.send_udp(5353, "10.0.2.3:53", b"first");
    assert_eq!(receive(&mut guest, &resolver).0, b"first");
    // Where there is no other, the program is told at once that nobody answers.
    let (_starter, mut guest) = guest_of(&[unreachable]);
    guest.send_udp(5353, "10.0.2.3:53", b"first");
    let error = guest.until("an ICMP error", |guest| guest.notes.errors.pop());
    assert_eq!(error.what, Unreachable::Port);
}

#[test]
fn a_published_port_leads_to_the_guest_and_each_peer_has_its_own_answer() {
    let (starter, mut guest) = guest_of(&["publish=udp|*|0|53"]);
    let port = starter.published[0].port();
    let clients = [socket().0, socket().0];
    for (number, client) in clients.iter().enumerate() {
        // Another address than the one a route would choose: the answer must come from there.
        let address = SocketAddr::from(([127, 0, 0, 9], port));
        client.connect(address).expect("a route");
        client
            .send(format!("question {number}").as_bytes())
            .expect("room");
    }
    for _ in &clients {
        let (flow, question) = guest.receive_udp();
        assert_eq!(flow.local.to_string(), "10.0.2.15:53");
        assert_eq!(flow.remote.ip().to_string(), "10.0.2.2");
        let answer = [b"re: ", &question[..]].concat();
        guest.send_udp(53, &flow.remote.to_string(), &answer);
    }
    for (number, client) in clients.iter().enumerate() {
        let mut bytes = [0; 100];
        let len = client.recv(&mut bytes).expect("an answer");
        assert_eq!(bytes[..len], *format!("re: question {number}").as_bytes());
    }
}

#[test]
fn the_gateway_answers_pings() {
    let (_starter, mut guest) = guest_of(&[]);
    for (to, kinds) in [
        ("10.0.2.2", (8, 0)),
        ("10.0.2.3", (8, 0)),
        ("fd00::2", (128, 129)),
    ] {
        let message = [&[kinds.0, 0, 0, 0, 0x12, 0x34, 0, 1], &b"payload"[..]].concat();
        guest.ping(to, &message);
        let (from, reply) = guest.until(&format!("an echo of {to}"), |guest| {
            guest.notes.echoes.pop()
        });
        assert_eq!(
            (from, reply[0]),
            (to.parse::<IpAddr>().expect("an address"), kinds.1)
        );
        assert_eq!(reply[4..], message[4..], "{to}");
    }
}

#[test]
fn the_guest_configures_itself() {
    let mut starter = Starter::new(&[]);
    let channel = starter.channel.take().expect("a channel");
    let mut guest = Guest::with(channel, |config| (config.dhcp, config.slaac) = (true, true));
    let has = |guest: &Guest, wanted: &dyn Fn(IpAddr) -> bool| {
        let mut interfaces = guest.stack.interfaces();
        interfaces.any(|(_, state)| {
            state
                .config
                .addresses
                .iter()
                .any(|network| wanted(network.address))
        })
    };
    guest.until("a lease", |guest| {
        has(guest, &|address| address.to_string() == "10.0.2.15").then_some(())
    });
    guest.until("an IPv6 address", |guest| {
        has(guest, &|address| address.to_string().starts_with("fd00::")).then_some(())
    });
    let routes: Vec<_> = guest.stack.routes().map(|(_, route)| route).collect();
    let gateways: Vec<_> = routes
        .iter()
        .filter(|route| route.destination.prefix == 0)
        .filter_map(|route| route.gateway.map(|gateway| gateway.to_string()))
        .collect();
    for expected in ["10.0.2.2", "fe80::2"] {
        assert!(
            gateways.iter().any(|gateway| gateway == expected),
            "{expected} in {routes:?}"
        );
    }
}
