//! The helper's life: it ends with its parent and with the channel, and its own end is seen.

mod common;

use common::{Guest, Starter, WAIT, eventually, is_alive, start_refused};
use libos_net::tcp::{Refusal, TcpError};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::io::Write;

#[test]
fn the_helper_ends_with_the_channel() {
    let mut starter = Starter::new(&[]);
    let helper = starter.helper;
    assert!(is_alive(helper));
    drop(starter.channel.take());
    assert!(
        eventually(|| !is_alive(helper)),
        "still there after {WAIT:?}"
    );
}

#[test]
fn the_helper_ends_with_its_parent_however_that_ends() {
    for kill in [true, false] {
        let mut starter = Starter::new(&[]);
        let helper = starter.helper;
        // The channel stays open: the test has it.
        if kill {
            starter.process.kill().expect("a process");
        } else {
            drop(starter.control.take());
        }
        starter.process.wait().expect("a process");
        assert!(
            eventually(|| !is_alive(helper)),
            "still there after {WAIT:?}, killed: {kill}"
        );
    }
}

#[test]
fn the_guest_sees_the_helper_s_end() {
    let starter = Starter::new(&[]);
    let channel = starter.channel.as_ref().expect("a channel");
    let mut frame = [0; 100];
    let mut receive = || rustix::net::recv(channel, &mut frame[..], RecvFlags::DONTWAIT);
    // It introduces itself to the neighbours that it may have.
    assert!(
        eventually(|| receive().err() == Some(Errno::AGAIN)),
        "it runs"
    );
    starter.kill_helper();
    assert!(eventually(|| matches!(receive(), Ok((_, 0)))));
    let sent = rustix::net::send(channel, &[0; 60], SendFlags::NOSIGNAL);
    assert_eq!(sent.err(), Some(Errno::PIPE));
    assert!(
        !std::path::Path::new(&format!("/proc/{}", starter.helper)).exists(),
        "no zombie"
    );
}

#[test]
fn connections_end_with_an_error_if_the_helper_dies_amid_a_transfer() {
    let mut starter = Starter::new(&["loopback"]);
    let mut guest = Guest::new(starter.channel.take().expect("a channel"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().expect("a connection").0;
        while stream.write_all(&[7; 65_536]).is_ok() {}
    });
    let connection = guest.connect(&format!("10.0.2.2:{port}"));
    let mut count = 0;
    guest.until("a megabyte", |guest| {
        count += guest.discard(connection);
        (count > 1 << 20).then_some(())
    });
    starter.kill_helper();
    assert!(eventually(|| !guest.turn()), "the channel ends");
    server.join().expect("a server whose writes fail");
    guest.lose_link();
    let answer = guest.receive_all_left(connection);
    assert_eq!(answer, Refusal::Error(TcpError::NetworkUnreachable));
}

#[test]
fn a_port_in_use_is_refused_before_there_is_a_helper() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let message = start_refused(&[&format!("publish=tcp|127.0.0.1|{port}|80")]);
    assert!(
        message.contains(&format!(
            "publish 127.0.0.1:{port}/tcp: expected a free port"
        )),
        "{message}"
    );
    assert!(message.contains("try: another host port"), "{message}");
}

#[test]
fn published_ports_are_told() {
    let starter = Starter::new(&["publish=tcp|127.0.0.1|0|80", "publish=udp|*|0|53"]);
    assert_eq!(starter.published[0].ip().to_string(), "127.0.0.1");
    assert_ne!(starter.published[0].port(), 0);
    assert_eq!(starter.published[1].ip().to_string(), "0.0.0.0");
}

#[test]
fn the_first_free_port_of_a_range_leads_to_the_guest() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let first = taken.local_addr().expect("an address").port();
    let last = first.saturating_add(20);
    let publish = format!("publish=tcp|127.0.0.1|{first}-{last}|80");
    let mut starter = Starter::new(&[&publish]);
    let address = starter.published[0];
    assert!((first + 1..=last).contains(&address.port()), "{address}");
    let mut guest = Guest::new(starter.channel.take().expect("a channel"));
    guest.notes.listening.insert(80);
    let client = std::net::TcpStream::connect(address);
    let mut client = client.expect("the port that was told");
    let (connection, _) = guest.accept();
    client.write_all(b"hello").expect("room");
    assert_eq!(guest.receive(connection, 5), b"hello");
}
