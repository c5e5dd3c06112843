//! Two TCP sides in one thread, joined by packets in memory: what the protocol alone costs.
//!
//! ```text
//! cargo run --release -p libos-net --example tcp_bench [SECONDS]
//! ```
//!
//! Prints for each case what both sides together did in one thread; half of the cost is one side's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant as Clock;

use libos_net::address::Flow;
use libos_net::config::InterfaceId;
use libos_net::output::{Completion, Output};
use libos_net::owner::{
    Datagram, DatagramError, Delivery, Echo, Learnt, Owner, TcpEvents, Token, Verdict,
};
use libos_net::tcp::{ConnectionId, Tcp, TcpOptions, allocate_zeroed};
use libos_net::time::Instant;

const MIB: usize = 1 << 20;

/// Counts what is allocated now.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is the system allocator's; a counter takes no part in it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's duties are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's duties are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's duties are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A way out whose packets wait in reused buffers.
struct Way {
    queue: VecDeque<(Vec<u8>, usize, bool)>,
    spare: Vec<Vec<u8>>,
    segmentation: Option<usize>,
    completes: bool,
}

impl Output for Way {
    fn ready(&self, _: IpAddr) -> bool {
        self.queue.len() < 256
    }
    fn mtu(&self, _: IpAddr) -> u16 {
        1500
    }
    fn segmentation(&self, _: IpAddr) -> Option<usize> {
        self.segmentation
    }
    fn completes_checksums(&self, _: IpAddr) -> bool {
        self.completes
    }
    fn send(
        &mut self,
        _: IpAddr,
        len: usize,
        completion: Completion,
        fill: &mut dyn FnMut(&mut [u8]),
    ) {
        let mut packet = self.spare.pop().unwrap_or_else(|| vec![0; 65_536]);
        fill(&mut packet[..len]);
        self.queue
            .push_back((packet, len, completion != Completion::Whole));
    }
}

/// Notes who became readable, and who was established.
#[derive(Default)]
struct Notes {
    readable: Vec<ConnectionId>,
    established: Vec<ConnectionId>,
}

impl Owner for Notes {
    fn connection_requested(&mut self, _: InterfaceId, _: Flow) -> Verdict {
        Verdict::Accept(Token(0), options())
    }
    fn tcp(&mut self, connection: ConnectionId, _: Token, events: TcpEvents) {
        if events.contains(TcpEvents::ESTABLISHED) {
            self.established.push(connection);
        }
        if events.contains(TcpEvents::READABLE) {
            self.readable.push(connection);
        }
    }
    fn udp(&mut self, _: &Datagram<'_>) -> Delivery {
        Delivery::NoPort
    }
    fn echo(&mut self, _: &Echo<'_>) -> Delivery {
        Delivery::NoPort
    }
    fn datagram_error(&mut self, _: &DatagramError) {}
    fn configured(&mut self, _: InterfaceId, _: &Learnt) {}
}

fn tcp() -> Tcp {
    let mut tcp = Tcp::new([9; 16]);
    tcp.set_buffers(256 * MIB, allocate_zeroed);
    tcp
}

fn options() -> TcpOptions {
    TcpOptions {
        receive_buffer: MIB,
        send_buffer: MIB,
        nodelay: true,
        ..TcpOptions::default()
    }
}

struct Side {
    tcp: Tcp,
    way: Way,
    notes: Notes,
}

impl Side {
    fn new(segmentation: Option<usize>, completes: bool) -> Self {
        Self {
            tcp: tcp(),
            way: Way {
                queue: VecDeque::new(),
                spare: Vec::new(),
                segmentation,
                completes,
            },
            notes: Notes::default(),
        }
    }

    /// Takes at most `most` packets from the other side.
    fn take_from(&mut self, now: Instant, other: &mut Side, most: usize) -> usize {
        let mut count = 0;
        while count < most {
            let Some((packet, len, good)) = other.way.queue.pop_front() else {
                break;
            };
            self.tcp.receive(
                now,
                InterfaceId(0),
                &packet[..len],
                good,
                &mut self.way,
                &mut self.notes,
            );
            other.way.spare.push(packet);
            count += 1;
        }
        count
    }

    fn poll(&mut self, now: Instant) {
        if self.tcp.poll_at().is_some_and(|at| at <= now) {
            self.tcp.poll(now, &mut self.way, &mut self.notes);
        }
        self.tcp.writable(now, &mut self.way, &mut self.notes);
    }

    fn send(&mut self, now: Instant, id: ConnectionId, data: &[u8]) -> usize {
        let mut at = 0;
        let sent = self.tcp.send(id, &mut |room| {
            let len = room.len().min(data.len() - at);
            room[..len].copy_from_slice(&data[at..at + len]);
            at += len;
            len
        });
        self.tcp.flush(now, id, &mut self.way, &mut self.notes);
        sent.unwrap_or(0)
    }

    fn read(&mut self, now: Instant, id: ConnectionId, into: &mut [u8], flushes: bool) -> usize {
        let mut at = 0;
        let _ = self.tcp.receive_bytes(id, &mut |run| {
            let len = run.len().min(into.len() - at);
            into[at..at + len].copy_from_slice(&run[..len]);
            at += len;
            len
        });
        if flushes {
            self.tcp.flush(now, id, &mut self.way, &mut self.notes);
        }
        at
    }
}

fn flow(number: usize) -> Flow {
    let port = u16::try_from(1024 + number % 60_000).expect("a port");
    let host = u8::try_from(1 + number / 60_000).expect("few hosts");
    Flow {
        local: SocketAddr::from(([10, 0, 1, host], port)),
        remote: SocketAddr::from(([10, 0, 0, 2], 80)),
    }
}

struct Bench {
    start: Clock,
    client: Side,
    server: Side,
}

impl Bench {
    fn new(segmentation: Option<usize>, completes: bool) -> Self {
        Self {
            start: Clock::now(),
            client: Side::new(segmentation, completes),
            server: Side::new(segmentation, completes),
        }
    }

    fn now(&self) -> Instant {
        let micros = self.start.elapsed().as_micros();
        Instant::from_micros(i64::try_from(micros).expect("a short run") + 1_000_000_000)
    }

    fn turn(&mut self, now: Instant) {
        loop {
            let moved = self.server.take_from(now, &mut self.client, 16)
                + self.client.take_from(now, &mut self.server, 16);
            self.server.poll(now);
            self.client.poll(now);
            if moved == 0 && self.client.way.queue.is_empty() && self.server.way.queue.is_empty() {
                return;
            }
        }
    }

    fn connect(&mut self, number: usize) -> ConnectionId {
        let now = self.now();
        let id =
            self.client
                .tcp
                .connect(now, flow(number), Token(0), options(), &mut self.client.way);
        self.turn(now);
        id.expect("addresses are free")
    }
}

fn bulk(name: &str, seconds: f64, segmentation: Option<usize>, completes: bool) {
    let mut bench = Bench::new(segmentation, completes);
    let id = bench.connect(0);
    let peer = bench.server.notes.established[0];
    let data = vec![0x55; 256 * 1024];
    let mut sink = vec![0; MIB];
    let (mut received, mut packets) = (0, 0_usize);
    let start = Clock::now();
    while start.elapsed().as_secs_f64() < seconds {
        let now = bench.now();
        bench.client.send(now, id, &data);
        packets += bench.server.take_from(now, &mut bench.client, 16);
        received += bench.server.read(now, peer, &mut sink, true);
        bench.server.poll(now);
        bench.client.take_from(now, &mut bench.server, 64);
        bench.client.poll(now);
    }
    let took = start.elapsed().as_secs_f64();
    println!(
        "{name:48} {:7.2} Gbit/s, {:6.0} ns per data packet of {} bytes",
        received as f64 * 8.0 / took / 1e9,
        took * 1e9 / packets as f64,
        received / packets.max(1),
    );
}

fn requests(count: usize, seconds: f64) {
    let mut bench = Bench::new(Some(65_535), true);
    let start = Clock::now();
    let clients: Vec<_> = (0..count).map(|number| bench.connect(number)).collect();
    let connects = count as f64 / start.elapsed().as_secs_f64();
    let request = [1; 128];
    let mut sink = [0; 4096];
    let mut answered = 0_u64;
    bench.server.notes.readable.clear();
    let start = Clock::now();
    // As many at once as fit into the queue: all connections take their turns.
    let window = count.min(100);
    let mut next = 0;
    while start.elapsed().as_secs_f64() < seconds {
        let now = bench.now();
        for _ in 0..window {
            bench.client.send(now, clients[next], &request);
            next = (next + 1) % count;
        }
        bench.server.take_from(now, &mut bench.client, usize::MAX);
        for id in std::mem::take(&mut bench.server.notes.readable) {
            let len = bench.server.read(now, id, &mut sink, false);
            if len > 0 {
                bench.server.send(now, id, &sink[..len]);
            }
        }
        bench.client.take_from(now, &mut bench.server, usize::MAX);
        for id in std::mem::take(&mut bench.client.notes.readable) {
            if bench.client.read(now, id, &mut sink, false) > 0 {
                answered += 1;
            }
        }
        bench.server.poll(now);
        bench.client.poll(now);
    }
    let took = start.elapsed().as_secs_f64();
    println!(
        "{:48} {:9.0} requests/s, {:5.0} ns each on both sides; {:8.0} connects/s; buffers {} KiB",
        format!("128 bytes and back, {count} connections"),
        answered as f64 / took,
        took * 1e9 / answered as f64,
        connects,
        (bench.server.tcp.memory() + bench.client.tcp.memory()) / 1024,
    );
}

fn churn(seconds: f64) {
    let mut bench = Bench::new(Some(65_535), true);
    let request = [1; 128];
    let mut sink = [0; 4096];
    let mut count = 0_usize;
    let start = Clock::now();
    while start.elapsed().as_secs_f64() < seconds {
        let id = bench.connect(count);
        let peer = bench
            .server
            .notes
            .established
            .pop()
            .expect("it is accepted");
        let now = bench.now();
        bench.client.send(now, id, &request);
        bench.turn(now);
        let len = bench.server.read(now, peer, &mut sink, false);
        bench.server.send(now, peer, &sink[..len]);
        bench.server.tcp.release(now, peer, &mut bench.server.way);
        bench.turn(now);
        bench.client.read(now, id, &mut sink, false);
        bench.client.tcp.release(now, id, &mut bench.client.way);
        bench.turn(now);
        bench.client.notes = Notes::default();
        bench.server.notes.readable.clear();
        count += 1;
    }
    let took = start.elapsed().as_secs_f64();
    println!(
        "{:48} {:9.0} per second, {:5.0} ns each on both sides",
        "connect, 128 bytes and back, close",
        count as f64 / took,
        took * 1e9 / count as f64,
    );
}

fn idle(count: usize) {
    let before = LIVE.load(Relaxed);
    let mut bench = Bench::new(Some(65_535), true);
    let mut sink = [0; 4096];
    for number in 0..count {
        let id = bench.connect(number);
        let now = bench.now();
        bench.client.send(now, id, &[1; 128]);
        bench.turn(now);
        for peer in std::mem::take(&mut bench.server.notes.readable) {
            bench.server.read(now, peer, &mut sink, true);
        }
    }
    let used = LIVE.load(Relaxed).saturating_sub(before);
    let later = bench.now() + libos_net::time::Duration::from_secs(5);
    for _ in 0..3 {
        bench.turn(later);
        bench
            .server
            .tcp
            .poll(later, &mut bench.server.way, &mut bench.server.notes);
        bench
            .client
            .tcp
            .poll(later, &mut bench.client.way, &mut bench.client.notes);
    }
    let idle = LIVE.load(Relaxed).saturating_sub(before);
    println!(
        "{:48} {} bytes each on each side ({} of buffers); {} when used a moment ago",
        format!("{count} idle connections"),
        idle / (2 * count),
        (bench.server.tcp.memory() + bench.client.tcp.memory()) / (2 * count),
        used / (2 * count),
    );
}

fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1.0);
    idle(10_000);
    bulk(
        "bulk, cut and summed by the device",
        seconds,
        Some(65_535),
        true,
    );
    bulk("bulk, summed by the device", seconds, None, true);
    bulk("bulk, all by ourselves", seconds, None, false);
    for count in [1, 100, 1000, 10_000] {
        requests(count, seconds);
    }
    churn(seconds);
}
