//! Fuzz targets: no packet makes TCP panic, and what it holds stays bounded.
//!
//! Under `cargo test` each target replays its corpus and then runs a bounded number of random inputs.
//! For a long run on stable Rust, with more inputs and no coverage guidance:
//!
//! ```text
//! BOLERO_RANDOM_TEST_TIME_MS=600000 BOLERO_RANDOM_ITERATIONS=1000000000 \
//!     cargo test --release -p libos-net --test fuzz_tcp
//! ```

mod common;

use bolero::check;
use common::{Pair, Side, flow};
use libos_net::tcp::TcpOptions;
use libos_net::time::{Duration, Instant};
use smoltcp::wire::{TcpPacket, TcpSeqNumber};

/// Arbitrary bytes as a packet.
#[test]
fn fuzz_packet() {
    let mut side = Side::new(1);
    side.listen(80, TcpOptions::default());
    let now = Instant::from_secs(1);
    check!().for_each(|bytes: &[u8]| {
        side.receive(now, bytes, true);
        side.receive(now, bytes, false);
        side.way.packets.clear();
        side.notes.events.clear();
        side.notes.requests.clear();
    });
}

/// Reads an input bit by bit; zero where it ends.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// Mostly near 0, sometimes anywhere.
    fn offset(&mut self) -> i32 {
        let word = i32::from(self.word().cast_signed());
        match self.byte() % 4 {
            0 => 0,
            1 => word % 4,
            2 => word,
            _ => word.wrapping_mul(65_537),
        }
    }
}

/// Two sides in the midst of their work, whose packets an adversary changes, repeats and invents; the sides'
/// owners read, write, end and let go as the input says.
#[test]
fn fuzz_conversation() {
    check!().for_each(|bytes: &[u8]| converse(&mut Input(bytes)));
}

fn converse(input: &mut Input<'_>) {
    let mut pair = Pair::new();
    // With a scale, and small enough to be filled.
    let options = TcpOptions {
        receive_buffer: [4096, 65_536, 262_144][usize::from(input.byte() % 3)],
        keep_alive: (input.byte().is_multiple_of(2)).then(|| Duration::from_secs(20)),
        nodelay: input.byte().is_multiple_of(2),
        ..TcpOptions::default()
    };
    let (client, server) = pair.connect_with(options, options);
    let ids = [client, server];
    let mut packet = sample(&mut pair, client);
    for _ in 0..64 {
        if input.0.is_empty() {
            break;
        }
        let side = usize::from(input.byte() % 2);
        let len = usize::from(input.word());
        match input.byte() % 12 {
            0 => drop(pair.send(side, ids[side], &vec![7; len])),
            1 => drop(pair.take(side, ids[side])),
            2 => pair.finish(side, ids[side]),
            3 => pair.turn(),
            4 => pair.run(Duration::from_millis(u64::from(input.word()))),
            5 => drop(pair.intercept()),
            6 if len % 16 == 0 => pair.release(side, ids[side]),
            7 => {
                let packets = pair.intercept();
                if let Some(last) = packets.into_iter().last() {
                    packet = last;
                }
            }
            _ => {
                if let Some(forged) = forge(&packet, input, len) {
                    let to = usize::from(forged[19] == 2);
                    let now = pair.now;
                    pair.sides[to].receive(now, &forged, true);
                }
            }
        }
        for side in &pair.sides {
            assert!(side.tcp.memory() <= 2 << 20, "{}", side.tcp.memory());
        }
    }
    pair.turn();
    for (side, id) in ids.into_iter().enumerate() {
        pair.abort(side, id);
    }
    pair.run(Duration::from_secs(3600));
    for side in &pair.sides {
        assert_eq!(side.tcp.memory(), 0);
    }
    assert_eq!(pair.next(), None, "something is left for ever");
}

/// A packet of the connection.
fn sample(pair: &mut Pair, client: libos_net::tcp::ConnectionId) -> Vec<u8> {
    pair.send(0, client, b"sample");
    let packets = pair.intercept();
    assert_eq!(flow(1000).local.port(), 1000);
    packets.into_iter().next().expect("it was sent")
}

/// The packet with numbers, flags, window and length as the input says; the other way round in half the cases.
fn forge(packet: &[u8], input: &mut Input<'_>, len: usize) -> Option<Vec<u8>> {
    let mut forged = packet.get(..40)?.to_vec();
    forged[32] = 0x50;
    let payload = if input.byte().is_multiple_of(2) {
        0
    } else {
        len.min(60_000)
    };
    forged.resize(40 + payload, 9);
    let total = u16::try_from(forged.len()).ok()?;
    forged[2..4].copy_from_slice(&total.to_be_bytes());
    let mut tcp = TcpPacket::new_unchecked(&mut forged[20..]);
    let (mut seq, mut ack) = (tcp.seq_number(), tcp.ack_number());
    let is_reversed = input.byte().is_multiple_of(2);
    if is_reversed {
        std::mem::swap(&mut seq, &mut ack);
    }
    tcp.set_seq_number(TcpSeqNumber(seq.0.wrapping_add(input.offset())));
    tcp.set_ack_number(TcpSeqNumber(ack.0.wrapping_add(input.offset())));
    let flags = input.byte();
    tcp.clear_flags();
    tcp.set_ack(flags & 3 != 0);
    tcp.set_fin(flags & 0x1c == 4);
    tcp.set_syn(flags & 0x1c == 8);
    tcp.set_rst(flags & 0xfc == 12);
    tcp.set_window_len(input.word());
    if is_reversed {
        let (from, to) = (tcp.src_port(), tcp.dst_port());
        tcp.set_src_port(to);
        tcp.set_dst_port(from);
        let (from, to) = forged[12..20].split_at_mut(4);
        from.swap_with_slice(to);
    }
    Some(forged)
}
