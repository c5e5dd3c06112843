//! Connections within the process, and what each call answers in each state.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use linux_raw_sys::net::{SO_ERROR, SO_LINGER, SO_RCVBUF, SO_REUSEADDR, SO_SNDBUF, SOL_SOCKET};

use super::*;
use crate::fs::blocking::Patience;
use crate::net::address::RawAddress;
use crate::net::inet::address;
use crate::net::message::{Ancillary, MessageFlags, Outgoing};
use crate::net::socket::Socket;
use crate::time::Instant;
use crate::user::{Dest, Source};

const NOW: Patience = Patience::None;
const NONE: MessageFlags = MessageFlags::empty();

fn raw(text: &str) -> RawAddress {
    let address: SocketAddr = text.parse().expect("an address");
    let family = if address.is_ipv4() {
        Family::V4
    } else {
        Family::V6
    };
    address::encode(family, address)
}

fn local(socket: &TcpSocket) -> RawAddress {
    socket.local_address().expect("always there")
}

fn listener(at: &str, backlog: i32) -> Arc<TcpSocket> {
    let socket = TcpSocket::new(if at.starts_with('[') {
        Family::V6
    } else {
        Family::V4
    });
    socket.bind(&raw(at)).expect("free");
    socket.listen(backlog).expect("bound");
    socket
}

fn accept(listener: &TcpSocket) -> Result<Arc<TcpSocket>> {
    listener.take_pending(NOW)
}

fn soon() -> Patience {
    Patience::Until(Instant::now().after(Duration::from_millis(500)))
}

/// A client and the server's end.
fn pair() -> (Arc<TcpSocket>, Arc<TcpSocket>) {
    let listener = listener("127.0.0.1:0", 1);
    let client = TcpSocket::new(Family::V4);
    client
        .connect(&local(&listener), soon())
        .expect("listening");
    let server = accept(&listener).expect("pending");
    (client, server)
}

fn send_with(socket: &TcpSocket, bytes: &[u8], flags: MessageFlags) -> Result<usize> {
    socket.send(Outgoing {
        source: &mut Source::kernel(bytes),
        address: None,
        ancillary: Ancillary::default(),
        flags: flags | MessageFlags::NOSIGNAL,
        patience: NOW,
    })
}

fn send(socket: &TcpSocket, bytes: &[u8]) -> Result<usize> {
    send_with(socket, bytes, NONE)
}

fn receive_with(socket: &TcpSocket, max: usize, flags: MessageFlags) -> Result<Vec<u8>> {
    let mut buffer = std::vec![0; max];
    let received = socket.receive(&mut Dest::kernel(&mut buffer), flags, NOW)?;
    buffer.truncate(received.count);
    Ok(buffer)
}

fn receive(socket: &TcpSocket, max: usize) -> Result<Vec<u8>> {
    receive_with(socket, max, NONE)
}

fn set(socket: &TcpSocket, name: u32, value: i32) {
    socket
        .set_option(SOL_SOCKET, name, &value.to_ne_bytes())
        .expect("settable");
}

fn pending_error(socket: &TcpSocket) -> i32 {
    let value = socket.option(SOL_SOCKET, SO_ERROR).expect("known");
    i32::from_ne_bytes(value.bytes().try_into().expect("a word"))
}

const IN: PollEvents = READABLE;
const OUT: PollEvents = WRITABLE;

#[test]
fn bytes_travel_both_ways_and_ends_arrive() {
    let (client, server) = pair();
    assert_eq!(client.poll(), OUT);
    assert_eq!(receive(&client, 9), Err(Errno::EAGAIN));
    assert_eq!(send(&client, b"ping"), Ok(4));
    assert_eq!(server.poll(), IN | OUT);
    assert_eq!(receive(&server, 9).as_deref(), Ok(&b"ping"[..]));
    assert_eq!(send(&server, b"pong"), Ok(4));
    assert_eq!(receive(&client, 2).as_deref(), Ok(&b"po"[..]));
    assert_eq!(client.shutdown(Halves::SEND), Ok(()));
    assert_eq!(server.poll(), IN | OUT | PollEvents::RDHUP);
    assert_eq!(receive(&server, 9).as_deref(), Ok(&b""[..]));
    assert_eq!(send(&server, b"!"), Ok(1));
    assert_eq!(receive(&client, 9).as_deref(), Ok(&b"ng!"[..]));
    server.close();
    assert_eq!(receive(&client, 9).as_deref(), Ok(&b""[..]));
    let over = IN | OUT | PollEvents::RDHUP | PollEvents::HUP;
    assert_eq!(client.poll(), over);
    assert_eq!(client.peer_address(), Err(Errno::ENOTCONN));
}

#[test]
fn a_fresh_socket_answers_as_linuxs() {
    let socket = TcpSocket::new(Family::V4);
    assert_eq!(socket.poll(), OUT | PollEvents::HUP);
    assert_eq!(send(&socket, b"x"), Err(Errno::EPIPE));
    assert_eq!(receive(&socket, 1), Err(Errno::ENOTCONN));
    assert_eq!(socket.shutdown(Halves::all()), Err(Errno::ENOTCONN));
    assert_eq!(socket.peer_address(), Err(Errno::ENOTCONN));
    assert_eq!(accept(&socket).err(), Some(Errno::EINVAL));
    assert_eq!(local(&socket), raw("0.0.0.0:0"));
    assert_eq!(socket.bind(&raw("192.0.2.1:0")), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(socket.bind(&raw("[::1]:0")), Err(Errno::EAFNOSUPPORT));
    assert_eq!(
        socket.connect(&raw("192.0.2.1:9"), NOW),
        Err(Errno::ENETUNREACH)
    );
    assert_eq!(
        socket.connect(&raw("224.0.0.1:9"), NOW),
        Err(Errno::ENETUNREACH)
    );
}

#[test]
fn a_listener_answers_as_linuxs() {
    let listener = listener("127.0.0.1:0", 0);
    assert_eq!(listener.poll(), PollEvents::empty());
    assert_eq!(accept(&listener).err(), Some(Errno::EAGAIN));
    assert_eq!(listener.bind(&raw("127.0.0.1:0")), Err(Errno::EINVAL));
    assert_eq!(
        listener.connect(&raw("127.0.0.1:9"), NOW),
        Err(Errno::EISCONN)
    );
    assert_eq!(receive(&listener, 1), Err(Errno::ENOTCONN));
    assert_eq!(send(&listener, b"x"), Err(Errno::EPIPE));
    assert_eq!(listener.readable_bytes(), Err(Errno::EINVAL));
    assert_eq!(listener.shutdown(Halves::SEND), Ok(()));
    assert_eq!(listener.listen(5), Ok(()));
    assert_eq!(listener.shutdown(Halves::RECEIVE), Ok(()));
    assert_eq!(accept(&listener).err(), Some(Errno::EINVAL));
    assert_eq!(listener.listen(5), Ok(()), "it may listen again");
}

#[test]
fn a_refused_connection_is_told_at_once_or_later() {
    let closed = raw("127.0.0.1:1");
    let patient = TcpSocket::new(Family::V4);
    assert_eq!(patient.connect(&closed, soon()), Err(Errno::ECONNREFUSED));
    let hasty = TcpSocket::new(Family::V4);
    assert_eq!(hasty.connect(&closed, NOW), Err(Errno::EINPROGRESS));
    let broken = IN | OUT | PollEvents::RDHUP | PollEvents::HUP | PollEvents::ERR;
    assert_eq!(hasty.poll(), broken);
    assert_eq!(pending_error(&hasty), 111);
    assert_eq!(pending_error(&hasty), 0);
    assert_eq!(hasty.connect(&closed, NOW), Err(Errno::ECONNABORTED));
    assert_eq!(hasty.connect(&closed, NOW), Err(Errno::EINPROGRESS));
    assert_eq!(hasty.connect(&closed, NOW), Err(Errno::ECONNREFUSED));
}

#[test]
fn a_hasty_connection_succeeds_at_the_second_asking() {
    let listener = listener("127.0.0.1:0", 1);
    let client = TcpSocket::new(Family::V4);
    let to = local(&listener);
    assert_eq!(client.connect(&to, NOW), Err(Errno::EINPROGRESS));
    assert_eq!(client.poll(), OUT);
    assert_eq!(client.connect(&to, NOW), Ok(()));
    assert_eq!(client.connect(&to, NOW), Err(Errno::EISCONN));
    assert_eq!(client.peer_address(), Ok(to));
}

#[test]
fn requests_beyond_the_backlog_wait_for_room() {
    let listener = listener("127.0.0.1:0", 0);
    let to = local(&listener);
    let clients: Vec<_> = (0..3).map(|_| TcpSocket::new(Family::V4)).collect();
    for client in &clients {
        assert_eq!(client.connect(&to, NOW), Err(Errno::EINPROGRESS));
    }
    assert_eq!(clients[0].poll(), OUT);
    assert_eq!(clients[1].poll(), PollEvents::empty());
    assert_eq!(send(&clients[1], b"x"), Err(Errno::EAGAIN));
    assert_eq!(clients[1].connect(&to, NOW), Err(Errno::EALREADY));
    accept(&listener).expect("the first");
    assert_eq!(clients[1].poll(), OUT);
    listener.close();
    assert_eq!(clients[1].connect(&to, NOW), Err(Errno::ECONNRESET));
    assert_eq!(clients[2].connect(&to, NOW), Err(Errno::ECONNREFUSED));
}

#[test]
fn closing_with_unread_bytes_resets() {
    let (client, server) = pair();
    send(&client, b"unread").expect("room");
    send(&server, b"kept").expect("room");
    server.close();
    let broken = IN | OUT | PollEvents::RDHUP | PollEvents::HUP | PollEvents::ERR;
    assert_eq!(client.poll(), broken);
    assert_eq!(receive(&client, 9).as_deref(), Ok(&b"kept"[..]));
    assert_eq!(receive(&client, 9), Err(Errno::ECONNRESET));
    assert_eq!(receive(&client, 9).as_deref(), Ok(&b""[..]));
    assert_eq!(send(&client, b"x"), Err(Errno::EPIPE));
}

#[test]
fn lingering_for_no_time_resets() {
    let (client, server) = pair();
    let linger = [1_i32.to_ne_bytes(), 0_i32.to_ne_bytes()].concat();
    server
        .set_option(SOL_SOCKET, SO_LINGER, &linger)
        .expect("settable");
    server.close();
    assert_eq!(pending_error(&client), 104);
    assert_eq!(send(&client, b"x"), Err(Errno::EPIPE));
}

#[test]
fn data_for_a_closed_peer_are_answered_by_a_reset() {
    let (client, server) = pair();
    server.close();
    assert_eq!(client.poll(), IN | OUT | PollEvents::RDHUP);
    assert_eq!(send(&client, b"lost"), Ok(4));
    assert!(client.poll().contains(PollEvents::ERR | PollEvents::HUP));
    assert_eq!(receive(&client, 1).as_deref(), Ok(&b""[..]));
    assert_eq!(send(&client, b"x"), Err(Errno::EPIPE));
    assert_eq!(pending_error(&client), 0, "the send has told it");
}

#[test]
fn a_window_fills_and_opens() {
    let (client, server) = pair();
    set(&client, SO_SNDBUF, 10_000);
    set(&server, SO_RCVBUF, 10_000);
    let data = std::vec![7; 100_000];
    let sent = send(&client, &data).expect("room");
    assert_eq!(sent, 40_000, "both buffers, doubled");
    assert_eq!(send(&client, b"x"), Err(Errno::EAGAIN));
    assert_eq!(client.poll(), PollEvents::empty());
    assert_eq!(client.unsent_bytes(), Ok(20_000));
    receive(&server, 1000).expect("sent");
    assert_eq!(client.poll(), PollEvents::empty());
    receive(&server, 20_000).expect("sent");
    assert_eq!(client.poll(), OUT);
    assert_eq!(receive(&server, 100_000).map(|all| all.len()), Ok(19_000));
}

#[test]
fn looking_waiting_and_dropping() {
    let (client, server) = pair();
    send(&client, b"abcdef").expect("room");
    let peeked = receive_with(&server, 3, MessageFlags::PEEK);
    assert_eq!(peeked.as_deref(), Ok(&b"abc"[..]));
    assert_eq!(server.readable_bytes(), Ok(6));
    let dropped = receive_with(&server, 2, MessageFlags::TRUNC).expect("sent");
    assert_eq!(dropped.len(), 2);
    let all = receive_with(&server, 9, MessageFlags::WAITALL);
    assert_eq!(all.as_deref(), Ok(&b"cdef"[..]), "what there is");
    let urgent = receive_with(&server, 9, MessageFlags::OOB);
    assert_eq!(urgent, Err(Errno::EINVAL));
}

#[test]
fn more_than_a_buffer_is_not_sent_to_who_has_left() {
    let (client, server) = pair();
    server.close();
    let sent = send(&client, &vec![0; 4 * super::GROWN_BUFFER]).expect("before the reset comes");
    assert!(sent <= super::GROWN_BUFFER, "sent {sent}");
    assert_eq!(send(&client, b"x"), Err(Errno::EPIPE), "kept for this call");
}

#[test]
fn both_families_reach_a_dual_listener_and_specific_ones_win() {
    let dual = listener("[::]:0", 9);
    let port = dual.state.lock().local.port();
    for (family, to, from) in [
        (
            Family::V4,
            std::format!("127.0.0.1:{port}"),
            "[::ffff:127.0.0.1]",
        ),
        (Family::V6, std::format!("[::1]:{port}"), "[::1]"),
        (
            Family::V6,
            std::format!("[::ffff:127.0.0.1]:{port}"),
            "[::ffff:127.0.0.1]",
        ),
    ] {
        let client = TcpSocket::new(family);
        client.connect(&raw(&to), soon()).expect("listening");
        let server = accept(&dual).expect("pending");
        let mut expected: SocketAddr = std::format!("{from}:1").parse().expect("valid");
        expected.set_port(client.state.lock().local.port());
        let expected = address::encode(Family::V6, expected);
        assert_eq!(server.peer_address(), Ok(expected));
    }
    let only = TcpSocket::new(Family::V6);
    only.set_option(41, 26, &1_i32.to_ne_bytes())
        .expect("settable");
    assert_eq!(
        only.connect(&raw(&std::format!("[::ffff:127.0.0.1]:{port}")), NOW),
        Err(Errno::ENETUNREACH)
    );
}

#[test]
fn a_specific_listener_wins_over_a_wildcard() {
    let one = TcpSocket::new(Family::V4);
    let all = TcpSocket::new(Family::V4);
    set(&one, SO_REUSEADDR, 1);
    set(&all, SO_REUSEADDR, 1);
    one.bind(&raw("127.0.0.2:0")).expect("free");
    let port = one.state.lock().local.port();
    all.bind(&raw(&std::format!("127.0.0.3:{port}")))
        .expect("another address");
    one.listen(9).expect("bound");
    all.listen(9).expect("bound");
    let client = TcpSocket::new(Family::V4);
    client
        .connect(&raw(&std::format!("127.0.0.3:{port}")), soon())
        .expect("listening");
    assert!(accept(&one).is_err());
    assert!(accept(&all).is_ok());
}

#[test]
fn a_socket_connects_to_itself() {
    let socket = TcpSocket::new(Family::V4);
    socket.bind(&raw("127.0.0.1:0")).expect("free");
    socket.connect(&local(&socket), soon()).expect("itself");
    assert_eq!(send(&socket, b"echo"), Ok(4));
    assert_eq!(receive(&socket, 9).as_deref(), Ok(&b"echo"[..]));
    assert_eq!(socket.shutdown(Halves::SEND), Ok(()));
    assert_eq!(receive(&socket, 9).as_deref(), Ok(&b""[..]));
}

#[test]
fn a_connection_is_dissolved_and_made_anew() {
    let (client, server) = pair();
    let unspecified = RawAddress::new(0, &[0; 14]);
    assert_eq!(client.connect(&unspecified, NOW), Ok(()));
    assert_eq!(pending_error(&server), 104);
    assert_eq!(local(&client), raw("0.0.0.0:0"));
    let listener = listener("127.0.0.1:0", 1);
    assert_eq!(client.connect(&local(&listener), soon()), Ok(()));
}

#[test]
fn names_are_taken_once_and_free_after_use() {
    let first = listener("127.0.0.1:0", 1);
    let name = local(&first);
    let second = TcpSocket::new(Family::V4);
    assert_eq!(second.bind(&name), Err(Errno::EADDRINUSE));
    first.close();
    assert_eq!(second.bind(&name), Ok(()));
}

#[test]
fn the_side_that_closes_first_keeps_its_port_for_a_while() {
    let listener = listener("127.0.0.1:0", 1);
    let name = local(&listener);
    let client = TcpSocket::new(Family::V4);
    client.connect(&name, soon()).expect("listening");
    let server = accept(&listener).expect("pending");
    listener.close();
    server.close();
    client.close();
    let next = TcpSocket::new(Family::V4);
    assert_eq!(next.bind(&name), Err(Errno::EADDRINUSE));
}

#[test]
fn two_connections_never_have_the_same_ends() {
    let listener = listener("127.0.0.1:0", 9);
    let to = local(&listener);
    let first = TcpSocket::new(Family::V4);
    set(&first, SO_REUSEADDR, 1);
    first.bind(&raw("127.0.0.1:0")).expect("free");
    first.connect(&to, soon()).expect("listening");
    let second = TcpSocket::new(Family::V4);
    set(&second, SO_REUSEADDR, 1);
    second.bind(&local(&first)).expect("shared");
    assert_eq!(second.connect(&to, NOW), Err(Errno::EADDRNOTAVAIL));
}

#[test]
fn many_connections_are_listed_and_forgotten() {
    let listener = listener("127.0.0.1:0", 4096);
    let to = local(&listener);
    let port = listener.state.lock().local.port();
    let mut held = Vec::new();
    for _ in 0..2000 {
        let client = TcpSocket::new(Family::V4);
        client.connect(&to, soon()).expect("listening");
        held.push((client, accept(&listener).expect("pending")));
    }
    let count = |state| {
        let mut count = 0;
        table::each(|shown| {
            let ours = shown.local.port() == port || shown.peer.port() == port;
            count += usize::from(ours && shown.state == state);
        });
        count
    };
    assert_eq!(count(TcpState::Established), 4000);
    assert_eq!(count(TcpState::Listen), 1);
    drop(held);
    assert_eq!(count(TcpState::Established), 0);
}

#[test]
fn what_is_corked_goes_out_with_the_rest() {
    const CORK: u32 = 3;
    let (client, server) = pair();
    let cork = |on: i32| client.set_option(IPPROTO_TCP, CORK, &on.to_ne_bytes());
    cork(1).expect("settable");
    assert_eq!(send(&client, b"one"), Ok(3));
    assert_eq!(send(&client, b"two"), Ok(3));
    assert_eq!(receive(&server, 9), Err(Errno::EAGAIN));
    cork(0).expect("settable");
    assert_eq!(receive(&server, 9).as_deref(), Ok(&b"onetwo"[..]));
    let more = MessageFlags::from_bits_retain(0x8000);
    assert_eq!(send_with(&client, b"a", more), Ok(1));
    assert_eq!(receive(&server, 9), Err(Errno::EAGAIN));
    assert_eq!(send(&client, b"b"), Ok(1));
    assert_eq!(receive(&server, 9).as_deref(), Ok(&b"ab"[..]));
    let long = std::vec![1; 100_000];
    assert_eq!(send_with(&client, &long, more), Ok(100_000));
    assert_eq!(receive(&server, 200_000).map(|all| all.len()), Ok(100_000));
    assert_eq!(send_with(&client, b"last", more), Ok(4));
    client.close();
    assert_eq!(receive(&server, 9).as_deref(), Ok(&b"last"[..]));
}

#[test]
fn a_deferred_connection_is_shown_with_its_data() {
    const DEFER_ACCEPT: u32 = 9;
    let listener = listener("127.0.0.1:0", 1);
    listener
        .set_option(IPPROTO_TCP, DEFER_ACCEPT, &1_i32.to_ne_bytes())
        .expect("settable");
    let client = TcpSocket::new(Family::V4);
    client
        .connect(&local(&listener), soon())
        .expect("listening");
    assert_eq!(listener.poll(), PollEvents::empty());
    assert_eq!(accept(&listener).err(), Some(Errno::EAGAIN));
    assert_eq!(send(&client, b"x"), Ok(1));
    assert_eq!(listener.poll(), IN);
    let server = accept(&listener).expect("shown");
    assert_eq!(receive(&server, 1).as_deref(), Ok(&b"x"[..]));
}

/// With the counts of its `Arc`, it fits a block of 640 bytes of the heap: of sockets there may be many thousands.
#[test]
fn a_socket_is_small() {
    let len = size_of::<TcpSocket>() + 2 * size_of::<usize>();
    assert!(len <= 640, "{len}");
}
