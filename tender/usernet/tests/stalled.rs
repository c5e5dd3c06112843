//! Hosts that stop reading: the helper's memory has its bound, others go on, and what was acknowledged arrives.

mod common;

use common::{Guest, Starter, WAIT, eventually, is_alive};
use libos_net::tcp::ConnectionId;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How many connections stall.
const STALLED: usize = 200;

/// What the helper keeps of one at most: its buffer for what the guest sends, in bytes.
const BUFFER: usize = 1 << 20;

/// What it takes for everything else, in bytes.
const BESIDE: usize = 32 << 20;

/// Resident memory of a process, in bytes.
fn resident(process: i32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.expect("VmRSS").trim().trim_end_matches(" kB");
    kilobytes.parse::<usize>().expect("a number") * 1024
}

/// Sends on all of them until nothing goes on: all buffers are full. How much was acknowledged.
fn fill(guest: &mut Guest, connections: &[ConnectionId]) -> usize {
    let piece = vec![7; 1 << 20];
    let (mut sent, mut progress, begun) = (0, Instant::now(), Instant::now());
    while progress.elapsed() < Duration::from_millis(500) {
        assert!(begun.elapsed() < WAIT * 4, "it does not fill up: {sent}");
        let count: usize = connections
            .iter()
            .map(|connection| guest.send_some(*connection, &piece))
            .sum();
        sent += count;
        if count > 0 {
            progress = Instant::now();
        }
        assert!(guest.turn(), "the helper is gone");
    }
    sent - guest.unacknowledged()
}

/// All that comes until the end.
fn count(mut stream: TcpStream) -> usize {
    stream.set_read_timeout(Some(WAIT)).expect("an option");
    let (mut room, mut sum) = (vec![0; 256 << 10], 0);
    loop {
        match stream.read(&mut room) {
            Ok(0) | Err(_) => return sum,
            Ok(count) => sum += count,
        }
    }
}

#[test]
fn many_stalled_readers_cost_their_buffers_and_lose_nothing() {
    let mut starter = Starter::new(&["loopback"]);
    let helper = starter.helper;
    let mut guest = Guest::new(starter.channel.take().expect("a channel"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    rustix::net::sockopt::set_socket_recv_buffer_size(&listener, 64 << 10).expect("an option");
    let address = format!("10.0.2.2:{}", listener.local_addr().expect("bound").port());
    let (mut connections, mut streams) = (Vec::new(), Vec::new());
    for _ in 0..STALLED {
        connections.push(guest.connect(&address));
        streams.push(listener.accept().expect("a connection").0);
    }
    let acknowledged = fill(&mut guest, &connections);
    assert!(
        acknowledged > STALLED * BUFFER,
        "{acknowledged}: they are full"
    );
    let memory = resident(helper);
    assert!(
        memory < STALLED * BUFFER + BESIDE,
        "{memory} bytes resident"
    );

    // Who reads is served meanwhile.
    let other = guest.connect(&address);
    let mut stream = listener.accept().expect("a connection").0;
    stream.write_all(b"hello").expect("room");
    assert_eq!(guest.receive(other, 5), b"hello");
    drop(stream);

    // The guest ends, and nobody waits for the helper, which keeps what it has and no more.
    let begun = Instant::now();
    drop(guest);
    drop(starter.control.take());
    starter.process.wait().expect("a process");
    assert!(begun.elapsed() < Duration::from_secs(2), "nobody waits");
    std::thread::sleep(Duration::from_millis(200));
    assert!(is_alive(helper), "it still has something to give");
    let memory = resident(helper);
    assert!(
        memory < STALLED * BUFFER + BESIDE,
        "{memory} bytes resident"
    );
    let readers: Vec<_> = streams
        .into_iter()
        .map(|stream| std::thread::spawn(move || count(stream)))
        .collect();
    let arrived: usize = readers
        .into_iter()
        .map(|reader| reader.join().expect("a reader"))
        .sum();
    assert!(arrived >= acknowledged, "{arrived} of {acknowledged}");
    assert!(eventually(|| !is_alive(helper)), "still there");
}
