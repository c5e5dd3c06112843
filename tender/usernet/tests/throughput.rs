//! How fast the helper is. Figures of this kind depend on the machine: they are printed, not judged.
//!
//! `cargo test --release -p libos-usernet --test throughput -- --ignored --nocapture --test-threads 1`

mod common;

use common::{Guest, Starter};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(3);

fn guest_of(options: &[&str]) -> (Starter, Guest) {
    let mut starter = Starter::new(options);
    let channel = starter.channel.take().expect("a channel");
    (starter, Guest::new(channel))
}

/// Processor time of the helper in user and kernel mode, in seconds; other programs do not change it much.
fn processor(helper: i32) -> (f64, f64) {
    let text = std::fs::read_to_string(format!("/proc/{helper}/stat")).expect("a process");
    let behind_name = text.rsplit(')').next().expect("a name");
    let fields: Vec<f64> = behind_name
        .split_ascii_whitespace()
        .skip(1)
        .map(|word| word.parse().unwrap_or(0.0))
        .collect();
    // In ticks, of which there are a hundred a second.
    (fields[10] / 100.0, fields[11] / 100.0)
}

fn report(what: &str, helper: i32, bytes: usize, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    let (user, system) = processor(helper);
    println!("{what}: helper {user:.2} s user, {system:.2} s kernel");
    let bits = f64::from(u32::try_from(bytes / 1000).expect("less than 4 TB")) * 8000.0;
    println!("{what}: {:.2} Gbit/s", bits / seconds / 1e9);
}

#[test]
#[ignore = "a measurement"]
fn bulk_to_the_host() {
    let (starter, mut guest) = guest_of(&["loopback"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().expect("a connection").0;
        let (mut piece, mut total) = (vec![0; 1 << 20], 0);
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            total += count;
        }
        total
    });
    let connection = guest.connect(&format!("10.0.2.2:{port}"));
    let (began, piece) = (Instant::now(), vec![7; 1 << 20]);
    while began.elapsed() < TIME {
        guest.send_some(connection, &piece);
        guest.turn();
    }
    guest.shutdown(connection);
    guest.until("the end", |_| server.is_finished().then_some(()));
    report(
        "guest to host",
        starter.helper,
        server.join().expect("a server"),
        began,
    );
}

#[test]
#[ignore = "a measurement"]
fn bulk_to_the_guest() {
    let (starter, mut guest) = guest_of(&["loopback"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().expect("a connection").0;
        let piece = vec![7; 1 << 20];
        while stream.write_all(&piece).is_ok() {}
    });
    let connection = guest.connect(&format!("10.0.2.2:{port}"));
    let (began, mut total) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        total += guest.discard(connection);
        guest.turn();
    }
    report("host to guest", starter.helper, total, began);
    guest.abort(connection);
    guest.until("the end", |_| server.is_finished().then_some(()));
    server.join().expect("a server");
}

#[test]
#[ignore = "a measurement"]
fn requests_to_a_published_port() {
    const CLIENTS: usize = 64;
    let (starter, mut guest) = guest_of(&["publish=tcp|127.0.0.1|0|8080"]);
    guest.notes.listening.insert(8080);
    let address = starter.published[0];
    let client = std::thread::spawn(move || {
        let mut streams: Vec<_> = (0..CLIENTS)
            .map(|_| TcpStream::connect(address).expect("a port"))
            .collect();
        let (began, mut count) = (Instant::now(), 0);
        let mut bytes = [0; 128];
        while began.elapsed() < TIME {
            // As many at once as there are connections.
            streams
                .iter_mut()
                .for_each(|stream| stream.write_all(&bytes).expect("room"));
            for stream in &mut streams {
                stream.read_exact(&mut bytes).expect("an answer");
                count += 1;
            }
        }
        f64::from(count) / began.elapsed().as_secs_f64()
    });
    let (mut connections, mut count) = (Vec::new(), 0);
    while !client.is_finished() {
        connections.extend(
            guest
                .notes
                .accepted
                .drain(..)
                .map(|(connection, _)| connection),
        );
        for connection in &connections {
            if let Ok(bytes) = guest.receive_some(*connection)
                && !bytes.is_empty()
            {
                guest.send_some(*connection, &bytes);
                count += 1;
            }
        }
        if !guest.turn() {
            break;
        }
    }
    let (user, system) = processor(starter.helper);
    let each = 1e6 / f64::from(count);
    let (user, system) = (user * each, system * each);
    println!("helper: {user:.2} µs user, {system:.2} µs kernel a request");
    println!(
        "requests: {:.0}/s over {CLIENTS} connections",
        client.join().expect("a client")
    );
}
