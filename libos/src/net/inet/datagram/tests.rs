use super::*;
use crate::net::message::{Ancillary, ControlMessage};
use crate::user::Source;
use linux_raw_sys::net::{SO_BROADCAST, SO_ERROR, SO_REUSEPORT, SOL_SOCKET};
use std::vec::Vec;

const SOL_IP: u32 = 0;
const SOL_IPV6: u32 = 41;

fn udp(family: Family) -> Arc<DatagramSocket> {
    create(family, DGRAM, 0).expect("a socket")
}

fn raw(text: &str) -> RawAddress {
    let address: SocketAddr = text.parse().expect("an address");
    let family = if address.is_ipv4() {
        Family::V4
    } else {
        Family::V6
    };
    encode(family, address)
}

/// A socket of the address's family, bound to it, and its address with the port.
fn bound(text: &str) -> (Arc<DatagramSocket>, SocketAddr) {
    let address: SocketAddr = text.parse().expect("an address");
    let socket = udp(if address.is_ipv4() {
        Family::V4
    } else {
        Family::V6
    });
    socket.bind(&raw(text)).expect("free");
    let own = own_address(&socket);
    (socket, own)
}

fn own_address(socket: &DatagramSocket) -> SocketAddr {
    let address = socket.local_address().expect("an address");
    crate::net::inet::address::decode(socket.family, &address).expect("well formed")
}

fn send_with(
    socket: &DatagramSocket,
    bytes: &[u8],
    to: Option<RawAddress>,
    network: Vec<ControlMessage>,
) -> Result<usize> {
    socket.send(Outgoing {
        source: &mut Source::kernel(bytes),
        address: to,
        ancillary: Ancillary {
            network,
            ..Ancillary::default()
        },
        flags: MessageFlags::empty(),
        patience: Patience::None,
    })
}

fn send_to(socket: &DatagramSocket, bytes: &[u8], to: SocketAddr) -> Result<usize> {
    send_with(socket, bytes, Some(encode(socket.family, to)), Vec::new())
}

fn send(socket: &DatagramSocket, bytes: &[u8]) -> Result<usize> {
    send_with(socket, bytes, None, Vec::new())
}

fn receive_with(
    socket: &DatagramSocket,
    max: usize,
    flags: MessageFlags,
) -> Result<(Vec<u8>, Received)> {
    let mut buffer = std::vec![0; max];
    let received = socket.receive(&mut Dest::kernel(&mut buffer), flags, Patience::None)?;
    buffer.truncate(received.count);
    Ok((buffer, received))
}

fn receive(socket: &DatagramSocket) -> Result<Vec<u8>> {
    receive_with(socket, 70_000, MessageFlags::empty()).map(|(bytes, _)| bytes)
}

fn set(socket: &DatagramSocket, level: u32, name: u32, value: i32) {
    socket
        .set_option(level, name, &value.to_ne_bytes())
        .expect("known");
}

fn int(socket: &DatagramSocket, level: u32, name: u32) -> Result<i32> {
    let value = socket.option(level, name)?;
    Ok(i32::from_ne_bytes(
        value.bytes()[..4].try_into().expect("four"),
    ))
}

#[test]
fn datagrams_go_from_socket_to_socket() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let (a, from) = bound(any);
        let (b, to) = bound(any);
        assert_eq!(send_to(&a, b"hello", to), Ok(5));
        assert_eq!(send_to(&a, b"", to), Ok(0));
        assert!(b.poll().contains(PollEvents::IN) && !a.poll().contains(PollEvents::IN));
        assert_eq!(b.readable_bytes(), Ok(5));
        let (bytes, received) = receive_with(&b, 3, MessageFlags::PEEK).expect("there");
        assert_eq!((&bytes[..], received.full_len), (&b"hel"[..], 5));
        let (bytes, received) = receive_with(&b, 9, MessageFlags::empty()).expect("there");
        assert_eq!(bytes, b"hello");
        assert_eq!(received.from, Some(encode(b.family, from)));
        assert_eq!(receive(&b).as_deref(), Ok(&b""[..]), "an empty datagram");
        assert_eq!(receive(&b), Err(Errno::EAGAIN));
    }
}

#[test]
fn names_are_checked() {
    let socket = udp(Family::V4);
    assert_eq!(own_address(&socket).to_string(), "0.0.0.0:0");
    assert_eq!(socket.bind(&raw("192.0.2.1:0")), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(socket.bind(&raw("[::1]:0")), Err(Errno::EAFNOSUPPORT));
    assert_eq!(socket.bind(&raw("127.0.0.1:0")), Ok(()));
    assert_eq!(socket.bind(&raw("127.0.0.1:0")), Err(Errno::EINVAL));
    let own = own_address(&socket);
    let other = udp(Family::V4);
    assert_eq!(other.bind(&raw(&own.to_string())), Err(Errno::EADDRINUSE));
    socket.close();
    assert_eq!(other.bind(&raw(&own.to_string())), Ok(()));
    assert_eq!(
        udp(Family::V6).bind(&raw("[fe80::1]:0")),
        Err(Errno::EADDRNOTAVAIL)
    );
    assert_eq!(other.listen(1), Err(Errno::EOPNOTSUPP));
    assert!(matches!(
        other.accept(Patience::None),
        Err(Errno::EOPNOTSUPP)
    ));
}

#[test]
fn destinations_are_checked() {
    let socket = udp(Family::V4);
    let port = |number| SocketAddr::from(([127, 0, 0, 1], number));
    assert_eq!(send(&socket, b"x"), Err(Errno::EDESTADDRREQ));
    assert_eq!(send_to(&socket, b"x", port(0)), Err(Errno::EINVAL));
    assert_eq!(
        send_to(&socket, &[0; 65_508], port(9)),
        Err(Errno::EMSGSIZE)
    );
    assert_eq!(
        send_to(&socket, &[0; 70_000], port(9)),
        Err(Errno::EMSGSIZE)
    );
    let to_v6 = send_with(&socket, b"x", Some(raw("[::1]:9")), Vec::new());
    assert_eq!(to_v6, Err(Errno::EAFNOSUPPORT));
    let away = send_to(&socket, b"x", "192.0.2.1:9".parse().expect("an address"));
    assert_eq!(away, Err(Errno::ENETUNREACH));
    let everybody = "127.255.255.255:9".parse().expect("an address");
    assert_eq!(send_to(&socket, b"x", everybody), Err(Errno::EACCES));
    set(&socket, SOL_SOCKET, SO_BROADCAST, 1);
    assert_eq!(send_to(&socket, b"x", everybody), Ok(1));
    assert_ne!(own_address(&socket).port(), 0, "sending chose a port");
}

#[test]
fn a_connected_socket_hears_its_partner_only_and_of_refusals() {
    let (server, to) = bound("127.0.0.1:0");
    let (stranger, _) = bound("127.0.0.1:0");
    let client = udp(Family::V4);
    assert_eq!(client.peer_address(), Err(Errno::ENOTCONN));
    client
        .connect(&encode(Family::V4, to), Patience::None)
        .expect("there");
    let own = own_address(&client);
    assert_eq!(own.ip().to_string(), "127.0.0.1");
    assert_eq!(send_to(&stranger, b"no", own), Ok(2), "taken and refused");
    assert_eq!(send(&client, b"ping"), Ok(4));
    assert_eq!(receive(&server).as_deref(), Ok(&b"ping"[..]));
    assert_eq!(send_to(&server, b"pong", own), Ok(4));
    assert_eq!(receive(&client).as_deref(), Ok(&b"pong"[..]));
    server.close();
    assert_eq!(send(&client, b"ping"), Ok(4), "the error comes later");
    assert!(client.poll().contains(PollEvents::ERR));
    assert_eq!(receive(&client), Err(Errno::ECONNREFUSED));
    assert_eq!(receive(&client), Err(Errno::EAGAIN), "it is told once");
    assert_eq!(send(&client, b"ping"), Ok(4));
    assert_eq!(send(&client, b"ping"), Err(Errno::ECONNREFUSED));
    send(&client, b"ping").expect("taken");
    assert_eq!(int(&client, SOL_SOCKET, SO_ERROR), Ok(111));
    assert_eq!(int(&client, SOL_SOCKET, SO_ERROR), Ok(0));
    let unspec = RawAddress::new(0, &[0; 14]);
    client.connect(&unspec, Patience::None).expect("always");
    assert_eq!(own_address(&client).to_string(), "0.0.0.0:0");
    assert_eq!(client.peer_address(), Err(Errno::ENOTCONN));
}

#[test]
fn unconnected_sockets_hear_of_errors_only_if_they_ask() {
    let (gone, to) = bound("127.0.0.1:0");
    gone.close();
    let (socket, _) = bound("127.0.0.1:0");
    assert_eq!(send_to(&socket, b"x", to), Ok(1));
    assert_eq!(receive(&socket), Err(Errno::EAGAIN));
    set(&socket, SOL_IP, 11, 1);
    assert_eq!(send_to(&socket, b"lost", to), Ok(4));
    assert!(socket.poll().contains(PollEvents::ERR));
    let (bytes, received) = receive_with(&socket, 99, MessageFlags::ERRQUEUE).expect("an error");
    assert_eq!(bytes, b"lost");
    assert!(received.is_error);
    assert_eq!(received.from, Some(encode(Family::V4, to)));
    let message = &received.ancillary.network[0];
    assert_eq!(
        (message.level, message.kind, message.data.len()),
        (0, 11, 32)
    );
    assert_eq!(&message.data[..8], [111, 0, 0, 0, 2, 3, 3, 0]);
    assert_eq!(&message.data[20..24], [127, 0, 0, 1]);
    assert_eq!(socket.poll() & PollEvents::ERR, PollEvents::empty());
    let none = receive_with(&socket, 99, MessageFlags::ERRQUEUE);
    assert_eq!(none.err(), Some(Errno::EAGAIN));
}

#[test]
fn ipv6_sockets_speak_ipv4_unless_told_not_to() {
    let (server, own) = bound("[::]:0");
    let to = SocketAddr::from(([127, 0, 0, 1], own.port()));
    let (client, from) = bound("127.0.0.1:0");
    assert_eq!(send_to(&client, b"4", to), Ok(1));
    let (_, received) = receive_with(&server, 9, MessageFlags::empty()).expect("there");
    let mapped = encode(Family::V6, from);
    assert_eq!(received.from.as_ref(), Some(&mapped));
    assert_eq!(send_with(&server, b"6", Some(mapped), Vec::new()), Ok(1));
    assert_eq!(receive(&client).as_deref(), Ok(&b"6"[..]));
    let only = udp(Family::V6);
    set(&only, SOL_IPV6, 26, 1);
    only.bind(&raw("[::]:0")).expect("free");
    let result = send_to(&only, b"x", from);
    assert_eq!(result, Err(Errno::ENETUNREACH));
    let beside = udp(Family::V4);
    let port = own_address(&only).port();
    let same = SocketAddr::from(([0, 0, 0, 0], port)).to_string();
    assert_eq!(
        beside.bind(&raw(&same)),
        Ok(()),
        "the port is free for IPv4"
    );
}

#[test]
fn control_messages_tell_of_a_datagram() {
    let (server, to) = bound("127.0.0.1:0");
    for name in [8, 12, 13] {
        set(&server, SOL_IP, name, 1);
    }
    let (client, _) = bound("127.0.0.1:0");
    let wish = |kind: u32, value: i32| ControlMessage {
        level: SOL_IP,
        kind,
        data: value.to_ne_bytes().to_vec(),
    };
    let wishes = std::vec![wish(2, 9), wish(1, 0x2)];
    let sent = send_with(&client, b"x", Some(encode(Family::V4, to)), wishes);
    assert_eq!(sent, Ok(1));
    let (_, received) = receive_with(&server, 9, MessageFlags::empty()).expect("there");
    let found: Vec<_> = received
        .ancillary
        .network
        .iter()
        .map(|message| (message.kind, message.data.clone()))
        .collect();
    assert_eq!(
        found,
        [
            (8, std::vec![1, 0, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]),
            (2, std::vec![9, 0, 0, 0]),
            (1, std::vec![2]),
        ]
    );
}

#[test]
fn long_sends_are_cut_and_joined() {
    let (server, to) = bound("127.0.0.1:0");
    let (client, _) = bound("127.0.0.1:0");
    set(&client, 17, 103, 1000);
    assert_eq!(send_to(&client, &[1; 2500], to), Ok(2500));
    let lens: Vec<_> = core::iter::from_fn(|| receive(&server).ok())
        .map(|bytes| bytes.len())
        .collect();
    assert_eq!(lens, [1000, 1000, 500]);
    set(&server, 17, 104, 1);
    assert_eq!(send_to(&client, &[1; 2500], to), Ok(2500));
    let (bytes, received) = receive_with(&server, 9000, MessageFlags::empty()).expect("a train");
    assert_eq!(bytes.len(), 2500);
    let message = &received.ancillary.network[0];
    assert_eq!((message.level, message.kind), (17, 104));
    assert_eq!(message.data, 1000_i32.to_ne_bytes());
    set(&client, 17, 103, 1);
    assert_eq!(send_to(&client, &[1; 129], to), Err(Errno::EINVAL));
}

#[test]
fn sockets_share_a_port_and_its_load() {
    let group: Vec<_> = (0..3).map(|_| udp(Family::V4)).collect();
    for socket in &group {
        set(socket, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    group[0].bind(&raw("127.0.0.1:0")).expect("free");
    let to = own_address(&group[0]);
    for socket in &group[1..] {
        socket.bind(&raw(&to.to_string())).expect("shared");
    }
    for _ in 0..64 {
        let (client, _) = bound("127.0.0.1:0");
        send_to(&client, b"x", to).expect("taken");
    }
    let counts = group
        .iter()
        .map(|socket| core::iter::from_fn(|| receive(socket).ok()).count());
    let counts: Vec<_> = counts.collect();
    assert_eq!(counts.iter().sum::<usize>(), 64);
    assert!(counts.iter().all(|&count| count > 5), "{counts:?}");
}

#[test]
fn groups_are_heard_on_loopback() {
    let group: SocketAddr = "239.1.2.3:0".parse().expect("an address");
    let sockets: Vec<_> = (0..2).map(|_| udp(Family::V4)).collect();
    for socket in &sockets {
        set(socket, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    sockets[0].bind(&raw("0.0.0.0:0")).expect("free");
    let port = own_address(&sockets[0]).port();
    let same = SocketAddr::from(([0, 0, 0, 0], port)).to_string();
    sockets[1].bind(&raw(&same)).expect("shared");
    let request = [239, 1, 2, 3, 127, 0, 0, 1];
    for socket in &sockets {
        socket
            .set_option(SOL_IP, 35, &request)
            .expect("on loopback");
        let twice = socket.set_option(SOL_IP, 35, &request);
        assert_eq!(twice, Err(Errno::EADDRINUSE));
    }
    let anywhere = [239, 1, 2, 3, 0, 0, 0, 0];
    let result = sockets[0].set_option(SOL_IP, 35, &anywhere);
    assert_eq!(result, Err(Errno::ENODEV), "no interface leads there");
    let unicast = sockets[0].set_option(SOL_IP, 35, &[10, 1, 2, 3, 0, 0, 0, 0]);
    assert_eq!(unicast, Err(Errno::EINVAL));
    let (client, _) = bound("127.0.0.1:0");
    let to = SocketAddr::new(group.ip(), port);
    assert_eq!(send_to(&client, b"all", to), Ok(3));
    for socket in &sockets {
        assert_eq!(receive(socket).as_deref(), Ok(&b"all"[..]));
    }
    sockets[0].set_option(SOL_IP, 36, &request).expect("joined");
    set(&sockets[0], SOL_IP, 49, 0);
    send_to(&client, b"one", to).expect("taken");
    assert_eq!(receive(&sockets[0]), Err(Errno::EAGAIN));
    assert_eq!(receive(&sockets[1]).as_deref(), Ok(&b"one"[..]));
}

#[test]
fn shutting_down_ends_what_it_says() {
    let (server, to) = bound("127.0.0.1:0");
    assert_eq!(server.shutdown(Halves::RECEIVE), Err(Errno::ENOTCONN));
    let client = udp(Family::V4);
    client
        .connect(&encode(Family::V4, to), Patience::None)
        .expect("there");
    assert_eq!(client.shutdown(Halves::all()), Ok(()));
    assert_eq!(send(&client, b"x"), Err(Errno::EPIPE));
    assert_eq!(receive(&client), Err(Errno::EAGAIN));
    let soon = Patience::Until(crate::time::Instant::now());
    let end = client.receive(&mut Dest::kernel(&mut [0; 9]), MessageFlags::empty(), soon);
    assert_eq!(end.map(|received| received.count), Ok(0));
    let events = client.poll();
    assert!(events.contains(PollEvents::HUP | PollEvents::RDHUP | PollEvents::IN));
}

#[test]
fn a_full_queue_drops_and_tells() {
    let (server, to) = bound("127.0.0.1:0");
    set(&server, SOL_SOCKET, 40, 1);
    let (client, _) = bound("127.0.0.1:0");
    for _ in 0..300 {
        assert_eq!(send_to(&client, b"x", to), Ok(1), "the sender is not told");
    }
    let mut last = None;
    while let Ok((_, received)) = receive_with(&server, 9, MessageFlags::empty()) {
        last = received.ancillary.network.first().cloned();
    }
    let told = last.expect("the drops are told");
    assert_eq!((told.level, told.kind), (SOL_SOCKET, 40));
    assert_eq!(told.data, 23_u32.to_ne_bytes());
}

#[test]
fn loopback_answers_echo_requests() {
    for (family, protocol, address, request, reply) in [
        (Family::V4, IPPROTO_ICMP, "127.0.0.1:0", 8, 0),
        (Family::V6, IPPROTO_ICMPV6, "[::1]:0", 128, 129),
    ] {
        let socket = create(family, DGRAM, protocol).expect("a socket");
        let listener = create(family, RAW, protocol).expect("root's");
        let message = [request, 0, 0, 0, 0, 0, 0, 7, b'h', b'i'];
        let to = address.parse().expect("an address");
        assert_eq!(send_to(&socket, &message, to), Ok(10));
        let (bytes, received) = receive_with(&socket, 99, MessageFlags::empty()).expect("a reply");
        let identifier = own_address(&socket).port().to_be_bytes();
        assert_eq!((bytes[0], &bytes[6..]), (reply, &[0, 7, b'h', b'i'][..]));
        assert_eq!(bytes[4..6], identifier);
        assert_eq!(received.from, Some(raw(address)));
        let seen: Vec<_> = core::iter::from_fn(|| receive(&listener).ok()).collect();
        let header = if family == Family::V4 { 20 } else { 0 };
        let kinds: Vec<_> = seen.iter().map(|bytes| bytes[header]).collect();
        assert_eq!(kinds, [request, reply]);
        assert_eq!(send_to(&socket, b"no echo", to), Err(Errno::EINVAL));
        let pinger = create(family, RAW, protocol).expect("root's");
        assert_eq!(receive(&pinger), Err(Errno::EAGAIN));
    }
}

#[test]
fn types_and_protocols_are_checked() {
    for (family, socket_type, protocol, expected) in [
        (Family::V4, DGRAM, 6, Errno::EPROTONOSUPPORT),
        (Family::V4, DGRAM, IPPROTO_ICMPV6, Errno::EPROTONOSUPPORT),
        (Family::V4, RAW, 0, Errno::EPROTONOSUPPORT),
        (Family::V4, RAW, 255, Errno::EPROTONOSUPPORT),
        (Family::V4, 4, 0, Errno::ESOCKTNOSUPPORT),
    ] {
        let result = create(family, socket_type, protocol).err();
        assert_eq!(result, Some(expected), "{socket_type} {protocol}");
    }
}
