//! TCP through the helper: the guest to servers of the host, and the host to servers of the guest.

mod common;

use common::{Guest, Starter};
use libos_net::tcp::{Refusal, TcpError};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

fn patient(stream: TcpStream) -> TcpStream {
    stream
        .set_read_timeout(Some(common::WAIT))
        .expect("an option");
    stream
        .set_write_timeout(Some(common::WAIT))
        .expect("an option");
    stream
}

/// A server on the host's loopback that serves one connection, and the address under which the guest reaches it.
fn server<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let thread =
        std::thread::spawn(move || serve(patient(listener.accept().expect("a connection").0)));
    (format!("10.0.2.2:{port}"), thread)
}

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

#[test]
fn bytes_go_there_and_back() {
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let (address, server) = server(|mut stream| {
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).expect("bytes");
        stream.write_all(&bytes).expect("room");
    });
    let connection = guest.connect(&address);
    guest.send(connection, b"hello");
    assert_eq!(guest.receive(connection, 5), b"hello");
    assert_eq!(
        guest.receive_all(connection),
        Ok(Vec::new()),
        "the server closes"
    );
    server.join().expect("a server");
}

#[test]
fn half_close_passes_in_both_directions() {
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let (address, server) = server(|mut stream| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the guest's end");
        stream.write_all(b"after the end").expect("the other half");
        bytes
    });
    let connection = guest.connect(&address);
    guest.send(connection, b"all I have to say");
    guest.shutdown(connection);
    assert_eq!(guest.receive_all(connection), Ok(b"after the end".to_vec()));
    assert_eq!(server.join().expect("a server"), b"all I have to say");
}

#[test]
fn the_host_s_half_close_leaves_the_guest_s_half_open() {
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let (address, server) = server(|mut stream| {
        stream.write_all(b"bye").expect("room");
        stream.shutdown(Shutdown::Write).expect("a connection");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the guest's end");
        bytes
    });
    let connection = guest.connect(&address);
    assert_eq!(guest.receive_all(connection), Ok(b"bye".to_vec()));
    guest.send(connection, b"still here");
    guest.shutdown(connection);
    assert_eq!(server.join().expect("a server"), b"still here");
}

#[test]
fn megabytes_arrive_whole_in_both_directions() {
    const LEN: usize = 24 << 20;
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let (address, server) = server(|mut stream| {
        let mut writer = stream.try_clone().expect("a descriptor");
        let thread = std::thread::spawn(move || {
            writer.write_all(&pattern(LEN)).expect("room");
            writer.shutdown(Shutdown::Write).expect("a connection");
        });
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the guest's end");
        thread.join().expect("a writer");
        bytes
    });
    let connection = guest.connect(&address);
    let (sent, mut at, mut received) = (pattern(LEN), 0, Vec::new());
    guest.until("both streams", |guest| {
        if at < LEN {
            at += guest.send_some(connection, &sent[at..]);
            if at == LEN {
                guest.shutdown(connection);
            }
        }
        match guest.receive_some(connection) {
            Ok(bytes) => received.extend(bytes),
            Err(Refusal::Ended) => return (at == LEN).then_some(()),
            Err(refusal) => panic!("{refusal:?}"),
        }
        None
    });
    // The rest of what was sent needs the guest's stack to go on.
    guest.until("the server's end", |_| server.is_finished().then_some(()));
    assert!(received == sent, "{} bytes came", received.len());
    let arrived = server.join().expect("a server");
    assert!(arrived == sent, "{} bytes arrived", arrived.len());
}

#[test]
fn a_refused_connection_is_refused() {
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address")
        .port();
    let connection = guest.begin(&format!("10.0.2.2:{free}"));
    assert_eq!(guest.established(connection), Err(Some(TcpError::Refused)));
}

#[test]
fn the_host_s_loopback_is_out_of_reach_unless_asked_for() {
    let (_starter, mut guest) = guest_of(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let connection = guest.begin(&format!("10.0.2.2:{port}"));
    assert_eq!(guest.established(connection), Err(Some(TcpError::Refused)));
    let connection = guest.begin(&format!("127.0.0.1:{port}"));
    let end = std::time::Instant::now() + Duration::from_millis(300);
    while std::time::Instant::now() < end {
        assert!(guest.turn());
    }
    assert_eq!(
        guest.notes.events.get(&connection),
        None,
        "no answer at all"
    );
    listener.set_nonblocking(true).expect("an option");
    assert!(listener.accept().is_err(), "nobody came");
}

#[test]
fn an_address_without_a_host_is_unreachable() {
    let (_starter, mut guest) = guest_of(&[]);
    let connection = guest.begin("10.0.2.77:80");
    assert_eq!(
        guest.established(connection),
        Err(Some(TcpError::HostUnreachable))
    );
}

#[test]
fn a_reset_passes_from_the_host_to_the_guest() {
    let (_starter, mut guest) = guest_of(&["loopback"]);
    // A reset that comes before the guest looked would end its handshake.
    let (reset, asked) = std::sync::mpsc::channel();
    let (address, server) = server(move |stream| {
        asked.recv().expect("a word");
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("an option");
    });
    let connection = guest.connect(&address);
    reset.send(()).expect("a server that waits");
    server.join().expect("a server");
    assert_eq!(
        guest.receive_all(connection),
        Err(Refusal::Error(TcpError::Reset))
    );
}

#[test]
fn a_reset_passes_from_the_guest_to_the_host() {
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let (address, server) =
        server(|mut stream| stream.read(&mut [0; 10]).map_err(|error| error.kind()));
    let connection = guest.connect(&address);
    guest.abort(connection);
    guest.until("the server's end", |_| server.is_finished().then_some(()));
    assert_eq!(
        server.join().expect("a server"),
        Err(std::io::ErrorKind::ConnectionReset)
    );
}

#[test]
fn a_published_port_leads_to_the_guest() {
    let (starter, mut guest) = guest_of(&["publish=tcp|127.0.0.1|0|8080"]);
    guest.notes.listening.insert(8080);
    let address = starter.published[0];
    let client = std::thread::spawn(move || {
        let mut stream = patient(TcpStream::connect(address).expect("a port"));
        stream.write_all(b"request").expect("room");
        stream.shutdown(Shutdown::Write).expect("a connection");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        answer
    });
    let (connection, flow) = guest.accept();
    assert_eq!(flow.local.to_string(), "10.0.2.15:8080");
    assert_eq!(
        flow.remote.ip().to_string(),
        "10.0.2.2",
        "loopback is shown as the gateway"
    );
    assert_eq!(guest.receive_all(connection), Ok(b"request".to_vec()));
    guest.send(connection, b"answer");
    guest.release(connection);
    guest.until("the client's end", |_| client.is_finished().then_some(()));
    assert_eq!(client.join().expect("a client"), b"answer");
}

#[test]
fn a_published_port_that_the_guest_refuses_resets_the_client() {
    let (starter, mut guest) = guest_of(&["publish=tcp|127.0.0.1|0|8080"]);
    let address = starter.published[0];
    let client = std::thread::spawn(move || {
        let mut stream = patient(TcpStream::connect(address).expect("a port"));
        stream.read(&mut [0; 10]).map_err(|error| error.kind())
    });
    guest.until("the client's end", |_| client.is_finished().then_some(()));
    assert_eq!(
        client.join().expect("a client"),
        Err(std::io::ErrorKind::ConnectionReset)
    );
}

#[test]
fn an_ipv6_client_reaches_a_guest_that_listens_on_ipv4_alone() {
    let Ok(free) = TcpListener::bind("[::1]:0") else {
        eprintln!("skipped: this host has no IPv6");
        return;
    };
    drop(free);
    let (starter, mut guest) = guest_of(&["publish=tcp|::1|0|8080"]);
    let address = starter.published[0];
    let client = std::thread::spawn(move || {
        let mut stream = patient(TcpStream::connect(address).expect("a port"));
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).expect("an answer");
        answer
    });
    // The guest's stack refuses IPv6 because nothing listens; then the other version comes.
    guest.until("the request over IPv6", |guest| {
        let refused = guest
            .stack
            .tcp(libos_net::time::Instant::ZERO)
            .0
            .counters()
            .resets_sent;
        (refused > 0).then_some(())
    });
    guest.notes.listening.insert(8080);
    let (connection, flow) = guest.accept();
    assert!(flow.local.is_ipv4(), "{flow:?}");
    guest.send(connection, b"ok");
    guest.until("the client's end", |_| client.is_finished().then_some(()));
    assert_eq!(&client.join().expect("a client"), b"ok");
}

#[test]
fn ipv6_reaches_the_host_s_loopback() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        eprintln!("skipped: this host has no IPv6");
        return;
    };
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let mut stream = patient(listener.accept().expect("a connection").0);
        let mut bytes = vec![0; 100_000];
        stream.read_exact(&mut bytes).expect("bytes");
        stream.write_all(&bytes).expect("room");
    });
    let connection = guest.connect(&format!("[fd00::2]:{port}"));
    guest.send(connection, &pattern(100_000));
    assert_eq!(guest.receive(connection, 100_000), pattern(100_000));
    server.join().expect("a server");
}

#[test]
fn two_hundred_connections_at_once() {
    const COUNT: usize = 200;
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let streams: Vec<_> = (0..COUNT)
            .map(|_| patient(listener.accept().expect("a connection").0))
            .collect();
        for mut stream in streams {
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).expect("bytes");
            stream.write_all(&bytes).expect("room");
        }
    });
    let connections: Vec<_> = (0..COUNT)
        .map(|_| guest.begin(&format!("10.0.2.2:{port}")))
        .collect();
    for (number, connection) in (0_u32..).zip(&connections) {
        assert_eq!(guest.established(*connection), Ok(()), "{number}");
        guest.send(*connection, &number.to_be_bytes());
    }
    for (number, connection) in (0_u32..).zip(&connections) {
        assert_eq!(guest.receive(*connection, 4), number.to_be_bytes());
    }
    server.join().expect("a server");
}

#[test]
fn a_reader_that_is_slow_holds_the_sender_back_and_loses_nothing() {
    const LEN: usize = 12 << 20;
    let (_starter, mut guest) = guest_of(&["loopback"]);
    let (address, server) = server(|mut stream| {
        let mut bytes = Vec::new();
        let mut piece = vec![0; 256 * 1024];
        loop {
            std::thread::sleep(Duration::from_millis(5));
            match stream.read(&mut piece).expect("bytes") {
                0 => return bytes,
                count => bytes.extend_from_slice(&piece[..count]),
            }
        }
    });
    let connection = guest.connect(&address);
    guest.send(connection, &pattern(LEN));
    guest.shutdown(connection);
    guest.until("the server's end", |_| server.is_finished().then_some(()));
    assert!(server.join().expect("a server") == pattern(LEN));
}
