//! Two TCP sides joined by a link in memory that loses, repeats, reorders and delays as a seed says.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use libos_net::address::Flow;
use libos_net::config::InterfaceId;
use libos_net::output::{Completion, Output};
use libos_net::owner::{
    Datagram, DatagramError, Delivery, Echo, Learnt, Owner, TcpEvents, Token, Verdict,
};
use libos_net::tcp::{ConnectionId, Refusal, State, Tcp, TcpError, TcpOptions};
use libos_net::time::{Duration, Instant};

/// A generator of numbers that look random (xorshift).
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// True in so many of a thousand cases.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

/// What a side puts out.
pub struct Way {
    pub packets: Vec<(Vec<u8>, Completion)>,
    pub mtu: u16,
    pub segmentation: Option<usize>,
    pub completes: bool,
    /// Packets that there is room for.
    pub room: usize,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            packets: Vec::new(),
            mtu: 1500,
            segmentation: None,
            completes: false,
            room: usize::MAX,
        }
    }
}

impl Output for Way {
    fn ready(&self, _: IpAddr) -> bool {
        self.packets.len() < self.room
    }
    fn mtu(&self, _: IpAddr) -> u16 {
        self.mtu
    }
    fn segmentation(&self, _: IpAddr) -> Option<usize> {
        self.segmentation
    }
    fn completes_checksums(&self, _: IpAddr) -> bool {
        self.completes || self.segmentation.is_some()
    }
    fn send(
        &mut self,
        _: IpAddr,
        len: usize,
        completion: Completion,
        fill: &mut dyn FnMut(&mut [u8]),
    ) {
        if self.packets.len() >= self.room {
            return;
        }
        // Nothing may depend on what the buffer held.
        let mut packet = vec![0xa5; len];
        fill(&mut packet);
        let limit = match completion {
            Completion::Segments(_) => self.segmentation.expect("it was asked to cut nothing"),
            _ => usize::from(self.mtu),
        };
        assert!(len <= limit, "a packet of {len} bytes where {limit} fit");
        assert!(
            completion == Completion::Whole || self.completes || self.segmentation.is_some(),
            "an incomplete packet on a way that completes nothing"
        );
        self.packets.push((packet, completion));
    }
}

/// What a side's owner notes.
#[derive(Default)]
pub struct Notes {
    pub events: Vec<(ConnectionId, Token, TcpEvents)>,
    pub of: HashMap<ConnectionId, TcpEvents>,
    pub verdicts: HashMap<u16, Verdict>,
    pub requests: Vec<Flow>,
}

impl Owner for Notes {
    fn connection_requested(&mut self, _: InterfaceId, flow: Flow) -> Verdict {
        self.requests.push(flow);
        self.verdicts
            .get(&flow.local.port())
            .copied()
            .unwrap_or(Verdict::Refuse)
    }
    fn tcp(&mut self, connection: ConnectionId, token: Token, events: TcpEvents) {
        self.events.push((connection, token, events));
        *self.of.entry(connection).or_default() |= events;
    }
    fn udp(&mut self, _: &Datagram<'_>) -> Delivery {
        unreachable!("TCP has no datagrams")
    }
    fn echo(&mut self, _: &Echo<'_>) -> Delivery {
        unreachable!("TCP has no echoes")
    }
    fn datagram_error(&mut self, _: &DatagramError) {
        unreachable!("TCP has no datagrams")
    }
    fn configured(&mut self, _: InterfaceId, _: &Learnt) {
        unreachable!("TCP configures nothing")
    }
}

/// One side.
pub struct Side {
    pub tcp: Tcp,
    pub way: Way,
    pub notes: Notes,
}

pub const INTERFACE: InterfaceId = InterfaceId(0);

impl Side {
    pub fn new(key: u8) -> Self {
        Self {
            tcp: Tcp::new([key; 16]),
            way: Way::default(),
            notes: Notes::default(),
        }
    }

    pub fn listen(&mut self, port: u16, options: TcpOptions) {
        let token = Token(u64::from(port));
        self.notes
            .verdicts
            .insert(port, Verdict::Accept(token, options));
    }

    pub fn receive(&mut self, now: Instant, packet: &[u8], checksum_good: bool) {
        self.tcp.receive(
            now,
            INTERFACE,
            packet,
            checksum_good,
            &mut self.way,
            &mut self.notes,
        );
    }

    pub fn poll(&mut self, now: Instant) {
        self.tcp.poll(now, &mut self.way, &mut self.notes);
    }

    pub fn flush(&mut self, now: Instant, id: ConnectionId) {
        self.tcp.flush(now, id, &mut self.way, &mut self.notes);
    }

    /// Puts in what fits.
    pub fn send(&mut self, id: ConnectionId, data: &[u8]) -> Result<usize, Refusal> {
        let mut at = 0;
        self.tcp.send(id, &mut |room| {
            let len = room.len().min(data.len() - at);
            room[..len].copy_from_slice(&data[at..at + len]);
            at += len;
            len
        })
    }

    /// Takes what is there.
    pub fn take(&mut self, id: ConnectionId) -> Result<Vec<u8>, Refusal> {
        let mut data = Vec::new();
        self.tcp.receive_bytes(id, &mut |run| {
            data.extend_from_slice(run);
            run.len()
        })?;
        Ok(data)
    }

    pub fn state(&self, id: ConnectionId) -> Option<State> {
        self.tcp.info(id).map(|info| info.state)
    }

    /// The only connection that was established so far under a token.
    pub fn accepted(&self, token: u64) -> ConnectionId {
        let mut ids: Vec<_> = self
            .notes
            .events
            .iter()
            .filter(|(_, of, events)| {
                *of == Token(token) && events.contains(TcpEvents::ESTABLISHED)
            })
            .map(|(id, ..)| *id)
            .collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "{:?}", self.notes.events);
        ids[0]
    }

    pub fn has(&self, id: ConnectionId, events: TcpEvents) -> bool {
        self.notes
            .of
            .get(&id)
            .is_some_and(|seen| seen.contains(events))
    }

    pub fn error(&self, id: ConnectionId) -> Option<TcpError> {
        self.tcp.error(id)
    }
}

/// What a link does to packets, in thousandths.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub loss: u64,
    pub repetition: u64,
    pub reordering: u64,
    /// One way, in microseconds.
    pub delay: u64,
}

/// Two sides and their link.
pub struct Pair {
    pub now: Instant,
    pub sides: [Side; 2],
    pub faults: Faults,
    pub random: Random,
    /// Packets under way, by their moment and the order of their sending; the side that gets it.
    under_way: BTreeMap<(Instant, u64), (usize, Vec<u8>, bool)>,
    sent: u64,
    pub trace: bool,
    pub delivered: u64,
}

impl Pair {
    pub fn new() -> Self {
        Self::with(Faults::default(), 1)
    }

    pub fn with(faults: Faults, seed: u64) -> Self {
        Self {
            now: Instant::from_secs(1000),
            sides: [Side::new(1), Side::new(2)],
            faults,
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            under_way: BTreeMap::new(),
            sent: 0,
            trace: false,
            delivered: 0,
        }
    }

    /// A connection of side 0 to side 1's port 80, which listens; both ids.
    pub fn connect(&mut self) -> (ConnectionId, ConnectionId) {
        self.connect_with(TcpOptions::default(), TcpOptions::default())
    }

    pub fn connect_with(
        &mut self,
        client: TcpOptions,
        server: TcpOptions,
    ) -> (ConnectionId, ConnectionId) {
        self.sides[1].listen(80, server);
        let id = self.ask(flow(1000), client);
        self.run(Duration::from_secs(10));
        (id, self.sides[1].accepted(80))
    }

    /// As [`Self::connect`], over IPv6.
    pub fn connect_v6(&mut self) -> (ConnectionId, ConnectionId) {
        self.sides[1].listen(80, TcpOptions::default());
        let flow = Flow {
            local: "[fd00::1]:1000".parse().expect("an address"),
            remote: "[fd00::2]:80".parse().expect("an address"),
        };
        let id = self.ask(flow, TcpOptions::default());
        self.run(Duration::from_secs(10));
        (id, self.sides[1].accepted(80))
    }

    pub fn ask(&mut self, flow: Flow, options: TcpOptions) -> ConnectionId {
        let side = &mut self.sides[0];
        side.tcp
            .connect(self.now, flow, Token(7), options, &mut side.way)
            .expect("addresses are free")
    }

    /// Hands what the sides put out to the link.
    pub fn collect(&mut self) {
        for from in 0..2 {
            // Room is made: whoever found none goes on.
            loop {
                let packets = std::mem::take(&mut self.sides[from].way.packets);
                if packets.is_empty() {
                    break;
                }
                for (packet, completion) in packets {
                    self.put(from, packet, completion);
                }
                let side = &mut self.sides[from];
                if side.way.room != usize::MAX {
                    side.tcp.writable(self.now, &mut side.way, &mut side.notes);
                }
            }
        }
    }

    fn put(&mut self, from: usize, packet: Vec<u8>, completion: Completion) {
        if self.trace {
            println!("{} {from}: {}", self.now, describe(&packet));
        }
        let copies = 1 + u64::from(self.random.chance(self.faults.repetition));
        for _ in 0..copies {
            if self.random.chance(self.faults.loss) {
                continue;
            }
            let mut delay = self.faults.delay;
            if self.random.chance(self.faults.reordering) {
                delay += 1 + self.random.below(2 * self.faults.delay + 200);
            }
            self.sent += 1;
            let at = self.now + Duration::from_micros(delay);
            let good = completion != Completion::Whole;
            self.under_way
                .insert((at, self.sent), (1 - from, packet.clone(), good));
        }
    }

    /// Delivers what is under way by now, and polls what is due, until nothing is.
    pub fn turn(&mut self) {
        for round in 0.. {
            assert!(round < 100_000, "it does not come to rest");
            self.collect();
            let mut is_quiet = true;
            while let Some(entry) = self.under_way.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let (to, packet, good) = entry.remove();
                self.sides[to].receive(self.now, &packet, good);
                self.delivered += 1;
                is_quiet = false;
            }
            for side in &mut self.sides {
                if side.tcp.poll_at().is_some_and(|at| at <= self.now) {
                    side.poll(self.now);
                    is_quiet &= side.way.packets.is_empty();
                }
            }
            self.collect();
            let is_due = |pair: &Self| {
                pair.under_way
                    .first_key_value()
                    .is_some_and(|((at, _), _)| *at <= pair.now)
            };
            if is_quiet && !is_due(self) {
                return;
            }
        }
    }

    /// The next moment at which something happens.
    pub fn next(&self) -> Option<Instant> {
        let packet = self.under_way.first_key_value().map(|((at, _), _)| *at);
        let timers = self.sides.iter().filter_map(|side| side.tcp.poll_at());
        packet.into_iter().chain(timers).min()
    }

    /// Lets so much time pass, as long as anything happens.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.turn();
        while let Some(next) = self.next() {
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            self.turn();
        }
        self.now = end;
    }

    /// Goes on to the next moment at which something happens; whether there is one.
    pub fn step(&mut self) -> bool {
        self.turn();
        let Some(next) = self.next() else {
            return false;
        };
        self.now = self.now.max(next);
        self.turn();
        true
    }

    pub fn send(&mut self, side: usize, id: ConnectionId, data: &[u8]) -> usize {
        let sent = self.sides[side].send(id, data).unwrap_or(0);
        self.sides[side].flush(self.now, id);
        self.collect();
        sent
    }

    pub fn take(&mut self, side: usize, id: ConnectionId) -> Result<Vec<u8>, Refusal> {
        let result = self.sides[side].take(id);
        self.sides[side].flush(self.now, id);
        self.collect();
        result
    }

    pub fn finish(&mut self, side: usize, id: ConnectionId) {
        self.sides[side].tcp.shutdown_send(id);
        self.sides[side].flush(self.now, id);
        self.collect();
    }

    pub fn release(&mut self, side: usize, id: ConnectionId) {
        let side = &mut self.sides[side];
        side.tcp.release(self.now, id, &mut side.way);
        self.collect();
    }

    pub fn abort(&mut self, side: usize, id: ConnectionId) {
        let side = &mut self.sides[side];
        side.tcp.abort(self.now, id, &mut side.way);
        self.collect();
    }

    /// Takes the packets that are under way off the link.
    pub fn intercept(&mut self) -> Vec<Vec<u8>> {
        self.collect();
        std::mem::take(&mut self.under_way)
            .into_values()
            .map(|(_, packet, _)| packet)
            .collect()
    }
}

/// From side 0's `port` to side 1's port 80, seen from side 0.
pub fn flow(port: u16) -> Flow {
    flow_to(port, 80)
}

pub fn flow_to(port: u16, to: u16) -> Flow {
    Flow {
        local: SocketAddr::from(([10, 0, 0, 1], port)),
        remote: SocketAddr::from(([10, 0, 0, 2], to)),
    }
}

/// A packet as tcpdump would show it.
pub fn describe(packet: &[u8]) -> String {
    let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
    let tcp = smoltcp::wire::TcpPacket::new_unchecked(&packet[header..]);
    let mut flags = String::new();
    for (set, letter) in [
        (tcp.syn(), 'S'),
        (tcp.fin(), 'F'),
        (tcp.rst(), 'R'),
        (tcp.psh(), 'P'),
        (tcp.ack(), '.'),
    ] {
        if set {
            flags.push(letter);
        }
    }
    format!(
        "{} > {} [{flags}] seq {} ack {} win {} len {}",
        tcp.src_port(),
        tcp.dst_port(),
        tcp.seq_number(),
        tcp.ack_number(),
        tcp.window_len(),
        tcp.payload().len()
    )
}

/// Bytes that tell their position.
pub fn pattern(start: usize, len: usize) -> Vec<u8> {
    (start..start + len)
        .map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 16)) & 0xff).expect("a byte"))
        .collect()
}
