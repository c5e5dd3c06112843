//! Sockets without blocking: what each state admits, and what each side sees of the other's end.

use super::*;
use crate::fs::blocking::Patience;
use crate::fs::eventfd::{EventFd, Take};
use crate::fs::file::{OpenFile, OpenFlags};
use crate::net::address::RawAddress;
use crate::net::message::{MessageFlags, Outgoing, Received, Rights};
use crate::net::socket::{Socket, SocketFile};
use crate::user::{Dest, Source};

const NONE: MessageFlags = MessageFlags::empty();

fn abstract_name(text: &str) -> RawAddress {
    Name::Abstract(text.as_bytes().to_vec()).to_raw()
}

fn outgoing<'a, 'b>(source: &'a mut Source<'b>) -> Outgoing<'a, 'b> {
    Outgoing {
        source,
        address: None,
        ancillary: Ancillary::default(),
        flags: NONE,
        patience: Patience::None,
    }
}

fn send(socket: &UnixSocket, bytes: &[u8]) -> Result<usize> {
    socket.send(outgoing(&mut Source::kernel(bytes)))
}

fn send_to(socket: &UnixSocket, bytes: &[u8], address: &RawAddress) -> Result<usize> {
    let mut source = Source::kernel(bytes);
    let mut message = outgoing(&mut source);
    message.address = Some(address.clone());
    socket.send(message)
}

fn receive_with(
    socket: &UnixSocket,
    max: usize,
    flags: MessageFlags,
) -> Result<(Vec<u8>, Received)> {
    let mut buffer = std::vec![0; max];
    let received = socket.receive(&mut Dest::kernel(&mut buffer), flags, Patience::None)?;
    buffer.truncate(received.count);
    Ok((buffer, received))
}

fn receive(socket: &UnixSocket, max: usize) -> Result<Vec<u8>> {
    receive_with(socket, max, NONE).map(|(bytes, _)| bytes)
}

fn listener(style: Style, name: &str, backlog: i32) -> Arc<UnixSocket> {
    let socket = UnixSocket::new(style);
    socket.bind(&abstract_name(name)).expect("a free name");
    socket.listen(backlog).expect("a bound socket");
    socket
}

#[test]
fn a_pair_talks_both_ways_and_ends() {
    for style in [Style::Stream, Style::SeqPacket] {
        let [a, b] = UnixSocket::pair(style);
        assert_eq!(receive(&b, 9), Err(Errno::EAGAIN));
        assert_eq!(send(&a, b"ping"), Ok(4));
        assert_eq!(receive(&b, 9).as_deref(), Ok(&b"ping"[..]));
        assert_eq!(send(&b, b"pong"), Ok(4));
        assert_eq!(receive(&a, 9).as_deref(), Ok(&b"pong"[..]));
        assert_eq!(send(&a, b"last"), Ok(4));
        a.close();
        assert_eq!(receive(&b, 9).as_deref(), Ok(&b"last"[..]));
        assert_eq!(receive(&b, 9).as_deref(), Ok(&b""[..]));
        assert_eq!(send(&b, b"x"), Err(Errno::EPIPE));
    }
}

#[test]
fn closing_with_unread_bytes_is_a_reset() {
    let [a, b] = UnixSocket::pair(Style::Stream);
    send(&b, b"never read").expect("room");
    a.close();
    assert!(
        b.poll()
            .contains(PollEvents::ERR | PollEvents::HUP | PollEvents::RDHUP)
    );
    assert_eq!(receive(&b, 9), Err(Errno::ECONNRESET));
    assert_eq!(receive(&b, 9).as_deref(), Ok(&b""[..]));
}

#[test]
fn halves_are_shut_one_by_one() {
    let [a, b] = UnixSocket::pair(Style::Stream);
    a.shutdown(Halves::SEND).expect("connected");
    assert_eq!(send(&a, b"x"), Err(Errno::EPIPE));
    assert_eq!(receive(&b, 9).as_deref(), Ok(&b""[..]));
    assert!(b.poll().contains(PollEvents::RDHUP | PollEvents::IN));
    assert!(!b.poll().contains(PollEvents::HUP));
    assert_eq!(send(&b, b"still"), Ok(5));
    assert_eq!(receive(&a, 9).as_deref(), Ok(&b"still"[..]));
    a.shutdown(Halves::RECEIVE).expect("connected");
    assert_eq!(send(&b, b"x"), Err(Errno::EPIPE));
    assert!(b.poll().contains(PollEvents::HUP));
}

#[test]
fn a_stream_is_bounded_by_the_senders_buffer() {
    let [a, b] = UnixSocket::pair(Style::Stream);
    let limit = a.options.send_buffer();
    let big = std::vec![7; limit + 1000];
    assert_eq!(send(&a, &big), Ok(limit));
    assert_eq!(send(&a, b"x"), Err(Errno::EAGAIN));
    assert!(!a.poll().contains(PollEvents::OUT));
    assert_eq!(receive(&b, limit / 2).map(|got| got.len()), Ok(limit / 2));
    assert!(a.poll().contains(PollEvents::OUT));
    assert_eq!(send(&a, b"x"), Ok(1));
}

#[test]
fn packets_are_bounded_in_size_and_number() {
    let [a, b] = UnixSocket::pair(Style::Datagram);
    let limit = a.options.send_buffer();
    assert_eq!(send(&a, &std::vec![0; limit]), Err(Errno::EMSGSIZE));
    let mut sent = 0;
    while send(&a, &[0; 100]).is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 512);
    assert!(!a.poll().contains(PollEvents::OUT));
    assert_eq!(receive(&b, 999).map(|got| got.len()), Ok(100));
    assert!(a.poll().contains(PollEvents::OUT));
}

#[test]
fn the_backlog_is_real() {
    let address = abstract_name("backlog");
    let listener = listener(Style::Stream, "backlog", 1);
    let clients: [_; 3] = core::array::from_fn(|_| UnixSocket::new(Style::Stream));
    assert_eq!(clients[0].connect(&address, Patience::None), Ok(()));
    assert_eq!(clients[1].connect(&address, Patience::None), Ok(()));
    let full = clients[2].connect(&address, Patience::None);
    assert_eq!(full, Err(Errno::EAGAIN));
    assert!(listener.poll().contains(PollEvents::IN));
    let server = listener.accept(Patience::None).expect("pending");
    assert_eq!(server.local_address().expect("bound"), address);
    assert_eq!(clients[2].connect(&address, Patience::None), Ok(()));
    send(&clients[0], b"early").expect("connected before accept");
    let mut buffer = [0; 5];
    let got = server.receive(&mut Dest::kernel(&mut buffer), NONE, Patience::None);
    assert_eq!((got.map(|got| got.count), &buffer), (Ok(5), b"early"));
    assert!(listener.accept(Patience::None).is_ok());
    assert!(listener.accept(Patience::None).is_ok());
    assert_eq!(listener.accept(Patience::None).err(), Some(Errno::EAGAIN));
}

#[test]
fn a_closed_listener_resets_who_was_not_accepted() {
    let address = abstract_name("abandoned");
    let listener = listener(Style::Stream, "abandoned", 5);
    let client = UnixSocket::new(Style::Stream);
    client.connect(&address, Patience::None).expect("room");
    listener.close();
    assert_eq!(receive(&client, 9), Err(Errno::ECONNRESET));
    let again = UnixSocket::new(Style::Stream).connect(&address, Patience::None);
    assert_eq!(again, Err(Errno::ECONNREFUSED), "the name is free");
}

#[test]
fn datagrams_tell_who_sent_them() {
    let (server, client) = (
        UnixSocket::new(Style::Datagram),
        UnixSocket::new(Style::Datagram),
    );
    let (to, from) = (abstract_name("dgram-server"), abstract_name("dgram-client"));
    server.bind(&to).expect("free");
    assert_eq!(send(&client, b"x"), Err(Errno::ENOTCONN));
    assert_eq!(send_to(&client, b"anonymous", &to), Ok(9));
    client.bind(&from).expect("free");
    assert_eq!(send_to(&client, b"named", &to), Ok(5));
    let first = receive_with(&server, 99, NONE).expect("sent").1;
    assert_eq!(first.from, None);
    let second = receive_with(&server, 99, NONE).expect("sent").1;
    assert_eq!(second.from, Some(from.clone()));
    assert_eq!(send_to(&server, b"back", &from), Ok(4));
    assert_eq!(receive(&client, 99).as_deref(), Ok(&b"back"[..]));
}

#[test]
fn a_connected_datagram_socket_listens_to_one() {
    let names = ["dg-a", "dg-b", "dg-c"].map(abstract_name);
    let sockets = names.each_ref().map(|name| {
        let socket = UnixSocket::new(Style::Datagram);
        socket.bind(name).expect("free");
        socket
    });
    sockets[0]
        .connect(&names[1], Patience::None)
        .expect("bound");
    assert_eq!(send_to(&sockets[2], b"x", &names[0]), Err(Errno::EPERM));
    assert_eq!(send_to(&sockets[1], b"x", &names[0]), Ok(1));
    sockets[1].close();
    assert_eq!(send(&sockets[0], b"x"), Err(Errno::ECONNREFUSED));
    assert_eq!(send(&sockets[0], b"x"), Err(Errno::ENOTCONN));
}

#[test]
fn names_are_given_once_and_chosen_on_request() {
    let socket = UnixSocket::new(Style::Stream);
    let unnamed = Name::unnamed();
    assert_eq!(socket.local_address().as_ref(), Ok(&unnamed));
    socket.bind(&unnamed).expect("any name");
    let chosen = socket.local_address().expect("bound");
    assert_eq!(chosen.rest().len(), 6, "a NUL and five digits");
    assert_eq!(socket.bind(&abstract_name("second")), Err(Errno::EINVAL));
    assert_eq!(socket.peer_address(), Err(Errno::ENOTCONN));
}

#[test]
fn rights_arrive_with_their_byte() {
    let [a, b] = UnixSocket::pair(Style::Stream);
    let file = OpenFile::new(Arc::new(EventFd::new(0, Take::All)), OpenFlags::RDWR);
    send(&a, b"before").expect("room");
    let mut source = Source::kernel(b"with");
    let mut message = outgoing(&mut source);
    message.ancillary.rights = Some(Rights::new(std::vec![Arc::clone(&file)]).expect("one"));
    assert_eq!(a.send(message), Ok(4));
    send(&a, b"after").expect("room");
    assert_eq!(receive(&b, 99).as_deref(), Ok(&b"before"[..]));
    let (bytes, received) = receive_with(&b, 99, NONE).expect("sent");
    assert_eq!(bytes, b"with");
    let rights = received.ancillary.rights.expect("a descriptor");
    assert!(Arc::ptr_eq(&rights.files()[0], &file));
    assert_eq!(receive(&b, 99).as_deref(), Ok(&b"after"[..]));
}

#[test]
fn rights_that_nobody_reads_are_dropped_with_the_socket() {
    let [a, b] = UnixSocket::pair(Style::Stream);
    let file = OpenFile::new(Arc::new(EventFd::new(0, Take::All)), OpenFlags::RDWR);
    let mut source = Source::kernel(b"x");
    let mut message = outgoing(&mut source);
    message.ancillary.rights = Some(Rights::new(std::vec![Arc::clone(&file)]).expect("one"));
    a.send(message).expect("room");
    assert_eq!(Arc::strong_count(&file), 2);
    b.close();
    // Another test's thread may be the one that drops what is in the graveyard.
    let gone = (0..10_000).any(|_| {
        std::thread::yield_now();
        Arc::strong_count(&file) == 1
    });
    assert!(gone, "the queue's hold on the file is dropped");
}

#[test]
fn a_deep_chain_of_sockets_in_sockets_is_dropped_flat() {
    let mut held: Option<Arc<OpenFile>> = None;
    for _ in 0..5000 {
        let [a, b] = UnixSocket::pair(Style::Stream);
        if let Some(file) = held.take() {
            let mut source = Source::kernel(b"x");
            let mut message = outgoing(&mut source);
            message.ancillary.rights = Some(Rights::new(std::vec![file]).expect("one"));
            a.send(message).expect("room");
        }
        held = Some(OpenFile::new(SocketFile::new(b), OpenFlags::RDWR));
    }
    drop(held);
}

#[test]
fn credentials_are_told_on_request() {
    let [a, b] = UnixSocket::pair(Style::Stream);
    send(&a, b"1").expect("room");
    let quiet = receive_with(&b, 9, NONE).expect("sent").1;
    assert_eq!(quiet.ancillary.credentials, None);
    let (level, name) = (
        linux_raw_sys::net::SOL_SOCKET,
        linux_raw_sys::net::SO_PASSCRED,
    );
    b.set_option(level, name, &1_i32.to_ne_bytes())
        .expect("known");
    send(&a, b"2").expect("room");
    let told = receive_with(&b, 9, NONE).expect("sent").1;
    assert_eq!(told.ancillary.credentials, Some(own_credentials()));
}

#[test]
fn peeking_and_waiting_for_all() {
    let [a, b] = UnixSocket::pair(Style::Stream);
    send(&a, b"abc").expect("room");
    let peeked = receive_with(&b, 2, MessageFlags::PEEK).expect("sent").0;
    assert_eq!(peeked, b"ab");
    let all = receive_with(&b, 9, MessageFlags::WAITALL).expect("sent").0;
    assert_eq!(all, b"abc", "what is there when patience ends");
}

#[test]
fn an_unconnected_stream_is_hung_up_but_writable() {
    let socket = UnixSocket::new(Style::Stream);
    assert!(socket.poll().contains(PollEvents::HUP | PollEvents::OUT));
    let datagrams = UnixSocket::new(Style::Datagram);
    assert_eq!(
        datagrams.poll(),
        PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND
    );
}

#[test]
fn a_socket_that_is_told_credentials_gets_a_name_when_it_speaks() {
    let (level, name) = (
        linux_raw_sys::net::SOL_SOCKET,
        linux_raw_sys::net::SO_PASSCRED,
    );
    let server = UnixSocket::new(Style::Datagram);
    server
        .bind(&abstract_name("credentials-server"))
        .expect("free");
    let client = UnixSocket::new(Style::Datagram);
    let to = abstract_name("credentials-server");
    client.connect(&to, Patience::None).expect("there");
    let own = client.local_address().expect("always");
    assert!(own.rest().is_empty(), "no name without a reason");
    client
        .set_option(level, name, &1_i32.to_ne_bytes())
        .expect("known");
    send(&client, b"x").expect("room");
    let own = client.local_address().expect("always");
    assert_eq!(own.rest().len(), 6, "a NUL and five digits");
    let (_, received) = receive_with(&server, 9, NONE).expect("sent");
    assert_eq!(received.from, Some(own));
}

#[test]
fn the_peers_groups_are_told_of_a_connection() {
    let level = linux_raw_sys::net::SOL_SOCKET;
    let name = linux_raw_sys::net::SO_PEERGROUPS;
    let lonely = UnixSocket::new(Style::Stream);
    assert_eq!(lonely.option(level, name), Err(Errno::ENODATA));
    let [a, _b] = UnixSocket::pair(Style::Stream);
    assert!(a.option(level, name).is_ok());
}
