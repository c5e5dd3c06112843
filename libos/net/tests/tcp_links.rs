//! Data stays intact whatever the link does.

mod common;

use common::{Faults, Pair, pattern};
use libos_net::tcp::{ConnectionId, Refusal, TcpOptions};
use libos_net::time::Duration;

/// Sends `total` bytes each way at once, and ends both halves; returns how long it took.
fn both_ways(pair: &mut Pair, total: usize, limit: Duration) -> Duration {
    let ids = pair.connect();
    transfer(pair, [ids.0, ids.1], total, limit)
}

fn transfer(pair: &mut Pair, ids: [ConnectionId; 2], total: usize, limit: Duration) -> Duration {
    let start = pair.now;
    let mut sent = [0; 2];
    let mut received = [0; 2];
    let mut ended = [false; 2];
    while ended != [true; 2] {
        for side in 0..2 {
            let id = ids[side];
            while sent[side] < total {
                let chunk = pattern(sent[side], (total - sent[side]).min(64 * 1024));
                match pair.send(side, id, &chunk) {
                    0 => break,
                    len => sent[side] += len,
                }
                if sent[side] == total {
                    pair.finish(side, id);
                }
            }
            match pair.take(side, id) {
                Ok(data) => {
                    assert_eq!(
                        data,
                        pattern(received[side], data.len()),
                        "at {}",
                        received[side]
                    );
                    received[side] += data.len();
                }
                Err(Refusal::WouldBlock) => {}
                Err(Refusal::Ended) => {
                    assert_eq!(received[side], total, "the stream ended early");
                    ended[side] = true;
                }
                Err(error) => panic!("side {side} after {received:?} bytes: {error:?}"),
            }
        }
        if ended != [true; 2] {
            assert!(
                pair.step(),
                "it stands still: sent {sent:?}, received {received:?}"
            );
            pair.trace |= std::env::var_os("TRACE").is_some()
                && pair.now > start + limit - Duration::from_secs(30);
            assert!(
                pair.now < start + limit,
                "it takes more than {limit}: sent {sent:?}, received {received:?}"
            );
        }
    }
    pair.now - start
}

const MIB: usize = 1 << 20;

#[test]
fn a_clean_link() {
    let mut pair = Pair::with(
        Faults {
            delay: 100,
            ..Faults::default()
        },
        1,
    );
    let took = both_ways(&mut pair, 10 * MIB, Duration::from_secs(60));
    println!("10 MiB both ways over a clean link of 0.1 ms: {took}");
}

#[test]
fn segments_cut_by_the_device() {
    for v6 in [false, true] {
        let mut pair = Pair::with(
            Faults {
                delay: 100,
                ..Faults::default()
            },
            2,
        );
        for side in &mut pair.sides {
            side.way.segmentation = Some(65_535);
        }
        let ids = if v6 {
            pair.connect_v6()
        } else {
            pair.connect()
        };
        let before = pair.delivered;
        let took = transfer(&mut pair, [ids.0, ids.1], 10 * MIB, Duration::from_secs(60));
        let packets = pair.delivered - before;
        println!("10 MiB both ways in {packets} packets: {took}");
        assert!(packets < 3000, "{packets} packets: they are not large");
    }
}

#[test]
fn loss() {
    for per_mille in [1, 10, 50] {
        let mut pair = Pair::with(
            Faults {
                loss: per_mille,
                delay: 5000,
                ..Faults::default()
            },
            per_mille,
        );
        let took = both_ways(&mut pair, 2 * MIB, Duration::from_secs(3600));
        println!("2 MiB both ways, {per_mille} of 1000 lost, 10 ms round trip: {took}");
    }
}

/// What the engine makes of loss in one direction, where acknowledgements carry nothing else.
#[test]
fn loss_one_way() {
    for per_mille in [1, 10, 50] {
        let faults = Faults {
            loss: per_mille,
            delay: 5000,
            ..Faults::default()
        };
        let mut pair = Pair::with(faults, per_mille);
        let (client, server) = pair.connect();
        let (start, total) = (pair.now, 4 * MIB);
        let (mut sent, mut received) = (0, 0);
        while received < total {
            while sent < total {
                match pair.send(0, client, &pattern(sent, (total - sent).min(65_536))) {
                    0 => break,
                    len => sent += len,
                }
            }
            match pair.take(1, server) {
                Ok(data) => {
                    assert_eq!(data, pattern(received, data.len()), "at {received}");
                    received += data.len();
                }
                Err(Refusal::WouldBlock) => assert!(pair.step(), "it stands still"),
                Err(error) => panic!("{error:?}"),
            }
        }
        let retransmits = pair.sides[0]
            .tcp
            .info(client)
            .expect("it is there")
            .retransmits;
        println!(
            "4 MiB one way, {per_mille} of 1000 lost, 10 ms round trip: {}, {retransmits} segments again",
            pair.now - start
        );
    }
}

#[test]
fn everything_at_once() {
    for seed in 1..=std::env::var("SEEDS").map_or(10, |text| text.parse().expect("a number")) {
        let faults = Faults {
            loss: 20,
            repetition: 20,
            reordering: 100,
            delay: 1000,
        };
        let mut pair = Pair::with(faults, seed);
        let took = both_ways(&mut pair, MIB, Duration::from_secs(3600));
        println!("seed {seed}: {took}");
    }
}

#[test]
fn ten_mebibytes_both_ways_over_a_bad_link() {
    let faults = Faults {
        loss: 5,
        repetition: 10,
        reordering: 20,
        delay: 500,
    };
    let mut pair = Pair::with(faults, 77);
    let took = both_ways(&mut pair, 10 * MIB, Duration::from_secs(3600));
    println!("10 MiB both ways: {took}");
}

#[test]
fn small_buffers() {
    let options = TcpOptions {
        receive_buffer: 4096,
        send_buffer: 4096,
        ..TcpOptions::default()
    };
    let faults = Faults {
        loss: 10,
        delay: 200,
        ..Faults::default()
    };
    let mut pair = Pair::with(faults, 5);
    let ids = pair.connect_with(options, options);
    transfer(&mut pair, [ids.0, ids.1], MIB, Duration::from_secs(3600));
}

#[test]
fn a_way_out_with_little_room() {
    let mut pair = Pair::with(
        Faults {
            delay: 100,
            ..Faults::default()
        },
        6,
    );
    let ids = pair.connect();
    for side in &mut pair.sides {
        side.way.room = 3;
    }
    transfer(&mut pair, [ids.0, ids.1], 4 * MIB, Duration::from_secs(600));
}
