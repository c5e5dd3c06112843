//! Many connections, floods, and bounds.

mod common;

use std::net::SocketAddr;

use common::{Pair, Side, flow, pattern};
use libos_net::address::Flow;
use libos_net::owner::TcpEvents;
use libos_net::tcp::{Refusal, State, TcpOptions, allocate_zeroed};
use libos_net::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn from(number: usize) -> Flow {
    let port = u16::try_from(1024 + number % 60_000).expect("a port");
    let host = u8::try_from(1 + number / 60_000).expect("few hosts");
    Flow {
        local: SocketAddr::from(([10, 0, 1, host], port)),
        remote: SocketAddr::from(([10, 0, 0, 2], 80)),
    }
}

#[test]
fn ten_thousand_connections_held_and_used() {
    let mut pair = Pair::new();
    for side in &mut pair.sides {
        side.tcp.set_buffers(128 << 20, allocate_zeroed);
    }
    pair.sides[1].listen(80, TcpOptions::default());
    let clients: Vec<_> = (0..10_000)
        .map(|number| {
            let id = pair.ask(from(number), TcpOptions::default());
            if number % 100 == 0 {
                pair.turn();
            }
            id
        })
        .collect();
    pair.run(Duration::from_secs(5));
    let servers: Vec<_> = pair.sides[1]
        .notes
        .events
        .iter()
        .filter(|(.., events)| events.contains(TcpEvents::ESTABLISHED))
        .map(|(id, ..)| *id)
        .collect();
    assert_eq!(servers.len(), 10_000);
    for side in &pair.sides {
        assert_eq!(side.tcp.memory(), 0, "all are quiet");
    }
    for round in 0..3 {
        for id in &clients {
            assert_eq!(pair.send(0, *id, &[round; 128]), 128);
        }
        pair.turn();
        for id in &servers {
            assert_eq!(pair.take(1, *id), Ok(vec![round; 128]));
            assert_eq!(pair.send(1, *id, &[round + 1; 128]), 128);
        }
        pair.turn();
        for id in &clients {
            assert_eq!(pair.take(0, *id), Ok(vec![round + 1; 128]));
        }
        for side in &pair.sides {
            assert!(
                side.tcp.memory() <= 128 << 20,
                "{} bytes",
                side.tcp.memory()
            );
        }
    }
    pair.run(Duration::from_secs(10));
    for side in &pair.sides {
        assert_eq!(side.tcp.memory(), 0, "all are quiet again");
    }
    // One busy connection among them gets all it asks for.
    let data = pattern(0, 256 * 1024);
    assert_eq!(pair.send(0, clients[5000], &data), data.len());
}

#[test]
fn a_flood_of_requests_is_bounded_and_does_not_disturb() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    let mut flooder = Side::new(9);
    let now = pair.now;
    let mut longest = 0;
    for number in 0..50_000 {
        flooder
            .tcp
            .connect(
                now,
                from(number),
                libos_net::owner::Token(0),
                TcpOptions::default(),
                &mut flooder.way,
            )
            .expect("addresses are free");
        let (syn, _) = flooder.way.packets.pop().expect("a SYN");
        pair.sides[1].receive(now, &syn, false);
        pair.sides[1].way.packets.clear();
        if number % 5000 == 0 {
            let mut count = 0;
            pair.sides[1].tcp.each(&mut |_| count += 1);
            longest = longest.max(count);
        }
    }
    assert!(longest <= 4097, "{longest} at once");
    assert!(longest > 1000, "they are kept");
    let counters = pair.sides[1].tcp.counters();
    assert!(counters.half_open_evicted >= 40_000);
    assert_eq!(
        pair.sides[1].tcp.memory(),
        pair.sides[1].tcp.memory().min(1 << 20)
    );
    pair.send(0, client, b"still here");
    pair.turn();
    assert_eq!(pair.take(1, server), Ok(b"still here".to_vec()));
    // A new one gets through as well.
    let new = pair.ask(flow(2000), TcpOptions::default());
    pair.run(SECOND / 2);
    assert_eq!(pair.sides[0].state(new), Some(State::Established));
    // The rest ends by itself.
    pair.faults.loss = 1000;
    pair.run(Duration::from_secs(70));
    let mut half_open = 0;
    pair.sides[1]
        .tcp
        .each(&mut |info| half_open += u32::from(info.state == State::SynReceived));
    assert_eq!(half_open, 0);
}

#[test]
fn connections_come_and_go() {
    let mut pair = Pair::new();
    pair.sides[1].listen(80, TcpOptions::default());
    for number in 0..20_000 {
        let client = pair.ask(from(number), TcpOptions::default());
        pair.turn();
        let server = pair.sides[1]
            .notes
            .events
            .iter()
            .find(|(.., events)| events.contains(TcpEvents::ESTABLISHED))
            .map(|(id, ..)| *id)
            .expect("it is accepted");
        pair.send(0, client, b"hello");
        pair.turn();
        assert_eq!(pair.take(1, server), Ok(b"hello".to_vec()));
        pair.send(1, server, b"goodbye");
        pair.release(1, server);
        pair.turn();
        assert_eq!(pair.take(0, client), Ok(b"goodbye".to_vec()));
        pair.release(0, client);
        pair.turn();
        for side in &mut pair.sides {
            side.notes.events.clear();
            side.notes.of.clear();
            side.notes.requests.clear();
        }
        if number % 100 == 0 {
            pair.run(Duration::from_millis(10));
        }
    }
    for side in &pair.sides {
        assert_eq!(side.tcp.memory(), 0);
        assert_eq!(side.tcp.counters().resets_sent, 0);
    }
    let mut remains = 0;
    pair.sides[1].tcp.each(&mut |_| remains += 1);
    assert!(remains <= 16_384, "{remains} in TIME-WAIT");
    assert!(remains > 10_000, "{remains} in TIME-WAIT");
    pair.run(Duration::from_secs(70));
    assert_eq!(pair.next(), None);
}

#[test]
fn without_memory_nothing_breaks() {
    let mut pair = Pair::new();
    pair.sides[1].tcp.set_buffers(64 * 1024, allocate_zeroed);
    pair.sides[1].listen(80, TcpOptions::default());
    let clients: Vec<_> = (0..100)
        .map(|number| pair.ask(from(number), TcpOptions::default()))
        .collect();
    pair.run(Duration::from_secs(60));
    for id in &clients {
        pair.send(0, *id, &[1; 1000]);
    }
    pair.run(Duration::from_secs(60));
    assert!(pair.sides[1].tcp.memory() <= 64 * 1024);
    // A sender that found none is told when to try again.
    let starved = pair.ask(from(200), TcpOptions::default());
    pair.run(SECOND);
    pair.sides[0].tcp.set_buffers(0, allocate_zeroed);
    assert_eq!(pair.sides[0].send(starved, b"x"), Err(Refusal::WouldBlock));
    pair.sides[0].notes.of.clear();
    pair.sides[0].tcp.set_buffers(64 << 20, allocate_zeroed);
    pair.run(SECOND);
    assert!(pair.sides[0].has(starved, TcpEvents::WRITABLE));
    assert_eq!(pair.send(0, starved, b"x"), 1);
    // Whoever is read makes room for others: in the end each came through.
    let mut received = 0;
    for _ in 0..200 {
        let ids: Vec<_> = pair.sides[1].notes.of.keys().copied().collect();
        for id in ids {
            received += pair.take(1, id).map_or(0, |data| data.len());
        }
        pair.run(Duration::from_secs(5));
        assert!(pair.sides[1].tcp.memory() <= 64 * 1024);
    }
    assert_eq!(received, 100_001);
}
