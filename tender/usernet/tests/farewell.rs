//! The guest's end: what the helper acknowledged reaches the hosts, and then the helper ends.

mod common;

use common::{Guest, Starter, WAIT, eventually, is_alive};
use libos_net::tcp::ConnectionId;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// So long may a host take nothing (`helper::farewell`), and a bit.
const PATIENCE: Duration = Duration::from_secs(10);

fn guest_of(options: &[&str]) -> (Starter, Guest) {
    let mut starter = Starter::new(options);
    let channel = starter.channel.take().expect("a channel");
    (starter, Guest::new(channel))
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from((at * 7 + at / 251) % 256).expect("a byte"))
        .collect()
}

/// Guest and parent end, as both do when a program exits; that must not take long.
fn end(mut starter: Starter, guest: Guest) -> i32 {
    let begun = Instant::now();
    let helper = starter.helper;
    drop(guest);
    drop(starter.control.take());
    starter.process.wait().expect("a process");
    assert!(begun.elapsed() < Duration::from_secs(2), "nobody waits");
    helper
}

/// A listener whose connections take little before they are read, and its address as the guest sees it.
fn small_listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    rustix::net::sockopt::set_socket_recv_buffer_size(&listener, 64 << 10).expect("an option");
    let port = listener.local_addr().expect("an address").port();
    (listener, format!("10.0.2.2:{port}"))
}

fn read_slowly(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    stream.set_read_timeout(Some(WAIT)).expect("an option");
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 256 << 10]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return (bytes, None),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) => return (bytes, Some(error.kind())),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends until all is sent or, because nobody reads, nothing goes on: all buffers are full. How much was
/// acknowledged.
fn fill(guest: &mut Guest, connection: ConnectionId, bytes: &[u8]) -> usize {
    let (mut at, mut progress) = (0, Instant::now());
    guest.until("full buffers", |guest| {
        let count = guest.send_some(connection, &bytes[at..]);
        at += count;
        if count > 0 {
            progress = Instant::now();
        }
        (progress.elapsed() > Duration::from_millis(500)).then_some(())
    });
    at - (guest.unacknowledged() - 1)
}

#[test]
fn a_slow_reader_gets_all_that_a_guest_had_sent() {
    const LEN: usize = 8 << 20;
    let (starter, mut guest) = guest_of(&["loopback"]);
    let (listener, address) = small_listener();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().expect("a connection").0;
        std::thread::sleep(Duration::from_millis(300));
        read_slowly(&mut stream)
    });
    let connection = guest.connect(&address);
    guest.send(connection, &pattern(LEN));
    guest.shutdown(connection);
    guest.until("the last acknowledgement", |guest| {
        (guest.unacknowledged() == 0).then_some(())
    });
    assert!(!server.is_finished(), "the reader is slow");
    let helper = end(starter, guest);
    let (bytes, error) = server.join().expect("a server");
    assert!(bytes == pattern(LEN), "{} bytes, {error:?}", bytes.len());
    assert_eq!(error, None, "the end in order");
    assert!(eventually(|| !is_alive(helper)), "still there");
}

#[test]
fn a_guest_that_ends_amid_a_stream_loses_nothing_that_was_acknowledged() {
    let (starter, mut guest) = guest_of(&["loopback"]);
    let (listener, address) = small_listener();
    let connection = guest.connect(&address);
    let mut stream = listener.accept().expect("a connection").0;
    let sent = pattern(64 << 20);
    let acknowledged = fill(&mut guest, connection, &sent);
    assert!(
        acknowledged > 1 << 20,
        "{acknowledged}: more than one buffer"
    );
    end(starter, guest);
    let (bytes, error) = read_slowly(&mut stream);
    assert!(
        bytes.len() >= acknowledged && bytes[..] == sent[..bytes.len()],
        "{} bytes of {acknowledged}, {error:?}",
        bytes.len()
    );
}

#[test]
fn published_connections_end_in_order_and_their_port_is_free_at_once() {
    const LEN: usize = 6 << 20;
    let (starter, mut guest) = guest_of(&["publish=tcp|127.0.0.1|0|8080"]);
    guest.notes.listening.insert(8080);
    let address = starter.published[0];
    let (start_reading, may_read) = std::sync::mpsc::channel();
    let client = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).expect("a port");
        may_read.recv().expect("the guest's end");
        // What nobody reads any more must not make a reset of the end.
        stream.write_all(&[1; 100_000]).expect("room");
        read_slowly(&mut stream)
    });
    let (connection, _) = guest.accept();
    let sent = pattern(LEN);
    let acknowledged = fill(&mut guest, connection, &sent);
    let helper = end(starter, guest);
    // The same port again, while the first helper still has the connection.
    let publish = format!("publish=tcp|127.0.0.1|{}|8080", address.port());
    assert!(
        eventually(|| TcpListener::bind(address).is_ok()),
        "the port is free"
    );
    let second = Starter::new(&[&publish]);
    assert!(is_alive(helper), "it still has something to give");
    start_reading.send(()).expect("a client");
    let (bytes, error) = client.join().expect("a client");
    assert!(bytes.len() >= acknowledged, "{} bytes", bytes.len());
    assert!(bytes[..] == sent[..bytes.len()], "the bytes as sent");
    assert_eq!(error, None, "the end in order");
    assert!(eventually(|| !is_alive(helper)), "still there");
    drop(second);
}

#[test]
fn a_host_that_takes_nothing_is_not_waited_for_without_end() {
    let (starter, mut guest) = guest_of(&["loopback"]);
    let (listener, address) = small_listener();
    let connection = guest.connect(&address);
    let _stream = listener.accept().expect("a connection");
    fill(&mut guest, connection, &pattern(64 << 20));
    let helper = end(starter, guest);
    let begun = Instant::now();
    assert!(
        eventually(|| !is_alive(helper)) || eventually(|| !is_alive(helper)),
        "still there"
    );
    assert!(
        begun.elapsed() > PATIENCE - Duration::from_secs(2),
        "it was patient"
    );
}
