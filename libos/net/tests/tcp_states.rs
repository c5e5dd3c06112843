//! TCP's states and its edges, as packet traces between two sides in memory.

mod common;

use common::{Pair, Side, describe, flow, pattern};
use libos_net::owner::{TcpEvents, Token, Verdict};
use libos_net::tcp::{ConnectError, ConnectionId, Refusal, State, TcpError, TcpOptions};
use libos_net::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn states(pair: &Pair, ids: (ConnectionId, ConnectionId)) -> [Option<State>; 2] {
    [pair.sides[0].state(ids.0), pair.sides[1].state(ids.1)]
}

/// The packets that side 0 puts out, described.
fn seen(pair: &mut Pair) -> Vec<String> {
    pair.intercept()
        .iter()
        .map(|packet| describe(packet))
        .collect()
}

#[test]
fn connect_accept_exchange_and_close() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    assert_eq!(
        states(&pair, (client, server)),
        [Some(State::Established); 2]
    );
    assert!(pair.sides[0].has(client, TcpEvents::ESTABLISHED));

    assert_eq!(pair.send(0, client, b"hello"), 5);
    pair.run(SECOND);
    assert!(pair.sides[1].has(server, TcpEvents::READABLE));
    assert_eq!(pair.take(1, server), Ok(b"hello".to_vec()));
    assert_eq!(pair.take(1, server), Err(Refusal::WouldBlock));
    let answer = pattern(0, 5000);
    assert_eq!(pair.send(1, server, &answer), 5000);
    pair.run(SECOND);
    assert_eq!(pair.take(0, client), Ok(answer));

    pair.finish(0, client);
    pair.run(SECOND);
    assert_eq!(
        states(&pair, (client, server)),
        [Some(State::FinWait2), Some(State::CloseWait)]
    );
    assert_eq!(pair.take(1, server), Err(Refusal::Ended));
    assert_eq!(pair.sides[0].send(client, b"x"), Err(Refusal::Ended));
    // The other half is still open.
    assert_eq!(pair.send(1, server, b"late"), 4);
    pair.run(SECOND);
    assert_eq!(pair.take(0, client), Ok(b"late".to_vec()));
    pair.finish(1, server);
    pair.run(SECOND);
    assert_eq!(pair.take(0, client), Err(Refusal::Ended));
    assert!(pair.sides[0].has(client, TcpEvents::CLOSED));
    assert!(pair.sides[1].has(server, TcpEvents::CLOSED));
    assert_eq!(pair.sides[0].error(client), None);
    pair.release(0, client);
    pair.release(1, server);
    pair.run(Duration::from_secs(120));
    assert_eq!(states(&pair, (client, server)), [None; 2]);
    assert_eq!(pair.next(), None, "nothing is left to do");
    for side in &pair.sides {
        assert_eq!(side.tcp.memory(), 0);
        assert_eq!(side.tcp.counters().malformed, 0);
        assert_eq!(side.tcp.counters().resets_sent, 0);
    }
}

#[test]
fn what_was_received_may_be_read_long_after_the_end() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    pair.finish(0, client);
    pair.run(SECOND);
    pair.send(1, server, b"last words");
    pair.finish(1, server);
    pair.run(Duration::from_secs(300));
    assert_eq!(pair.sides[0].state(client), Some(State::Closed));
    assert_eq!(pair.take(0, client), Ok(b"last words".to_vec()));
    assert_eq!(pair.take(0, client), Err(Refusal::Ended));
}

#[test]
fn both_close_at_once() {
    let mut pair = Pair::new();
    let ids = pair.connect();
    pair.finish(0, ids.0);
    pair.finish(1, ids.1);
    let fins = pair.intercept();
    assert_eq!(fins.len(), 2);
    assert_eq!(states(&pair, ids), [Some(State::FinWait1); 2]);
    let now = pair.now;
    pair.sides[1].receive(now, &fins[0], false);
    pair.sides[0].receive(now, &fins[1], false);
    assert_eq!(states(&pair, ids), [Some(State::Closing); 2]);
    pair.run(SECOND);
    // Both in TIME-WAIT, which for the owner is the end.
    assert_eq!(states(&pair, ids), [Some(State::Closed); 2]);
    for side in &pair.sides {
        let mut waiting = 0;
        side.tcp
            .each(&mut |info| waiting += u32::from(info.state == State::TimeWait));
        assert_eq!(waiting, 1);
    }
}

#[test]
fn both_open_at_once() {
    let mut pair = Pair::new();
    let there = flow(1000);
    let back = libos_net::address::Flow {
        local: there.remote,
        remote: there.local,
    };
    let one = pair.ask(there, TcpOptions::default());
    let now = pair.now;
    let side = &mut pair.sides[1];
    let other = side
        .tcp
        .connect(now, back, Token(8), TcpOptions::default(), &mut side.way)
        .expect("addresses are free");
    assert_eq!(states(&pair, (one, other)), [Some(State::SynSent); 2]);
    let asks = pair.intercept();
    assert_eq!(asks.len(), 2);
    pair.sides[1].receive(now, &asks[0], false);
    pair.sides[0].receive(now, &asks[1], false);
    assert_eq!(states(&pair, (one, other)), [Some(State::SynReceived); 2]);
    pair.run(SECOND);
    assert_eq!(states(&pair, (one, other)), [Some(State::Established); 2]);
    pair.send(0, one, b"across");
    pair.run(SECOND);
    assert_eq!(pair.take(1, other), Ok(b"across".to_vec()));
}

#[test]
fn a_port_where_nobody_listens() {
    let mut pair = Pair::new();
    let id = pair.ask(flow(1000), TcpOptions::default());
    pair.run(SECOND);
    assert_eq!(pair.sides[0].state(id), Some(State::Closed));
    assert!(pair.sides[0].has(id, TcpEvents::CLOSED));
    assert_eq!(pair.sides[0].error(id), Some(TcpError::Refused));
    assert_eq!(pair.take(0, id), Err(Refusal::Error(TcpError::Refused)));
    assert_eq!(pair.take(0, id), Err(Refusal::Ended), "it is told once");
}

#[test]
fn nobody_answers() {
    let mut pair = Pair::new();
    pair.faults.loss = 1000;
    let start = pair.now;
    let id = pair.ask(flow(1000), TcpOptions::default());
    let mut asked = vec![start];
    while pair.sides[0].state(id) == Some(State::SynSent) {
        let before = pair.sides[0].tcp.info(id).expect("it exists").retransmits;
        assert!(pair.step());
        if pair.sides[0]
            .tcp
            .info(id)
            .is_some_and(|info| info.retransmits > before)
        {
            asked.push(pair.now);
        }
    }
    let waits: Vec<_> = asked
        .windows(2)
        .map(|two| (two[1] - two[0]).secs())
        .collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32]);
    assert_eq!((pair.now - start).secs(), 127);
    assert_eq!(pair.sides[0].error(id), Some(TcpError::TimedOut));

    let start = pair.now;
    let options = TcpOptions {
        syn_retries: 1,
        ..TcpOptions::default()
    };
    let id = pair.ask(flow(1001), options);
    while pair.sides[0].state(id) == Some(State::SynSent) {
        assert!(pair.step());
    }
    assert_eq!((pair.now - start).secs(), 3);
}

#[test]
fn an_icmp_error_ends_what_is_not_established() {
    let mut pair = Pair::new();
    pair.faults.loss = 1000;
    let id = pair.ask(flow(1000), TcpOptions::default());
    let side = &mut pair.sides[0];
    side.tcp
        .unreachable(flow(1000), TcpError::HostUnreachable, &mut side.notes);
    assert!(side.has(id, TcpEvents::CLOSED));
    assert_eq!(side.error(id), Some(TcpError::HostUnreachable));

    let mut pair = Pair::new();
    let (client, _) = pair.connect();
    let side = &mut pair.sides[0];
    side.tcp
        .unreachable(flow(1000), TcpError::HostUnreachable, &mut side.notes);
    assert_eq!(side.state(client), Some(State::Established));
}

#[test]
fn addresses_in_use() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    let now = pair.now;
    let side = &mut pair.sides[0];
    assert!(side.tcp.is_used(flow(1000)));
    let again = side.tcp.connect(
        now,
        flow(1000),
        Token(9),
        TcpOptions::default(),
        &mut side.way,
    );
    assert_eq!(again, Err(ConnectError::InUse));
    pair.release(0, client);
    pair.run(SECOND);
    pair.release(1, server);
    pair.run(SECOND);
    assert!(pair.sides[0].tcp.is_used(flow(1000)), "TIME-WAIT");
    assert!(!pair.sides[1].tcp.is_used(libos_net::address::Flow {
        local: flow(1000).remote,
        remote: flow(1000).local,
    }));
    pair.run(Duration::from_secs(62));
    assert!(!pair.sides[0].tcp.is_used(flow(1000)));
}

#[test]
fn release_with_unread_data_resets() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    pair.send(0, client, b"unread");
    pair.run(SECOND);
    pair.release(1, server);
    pair.run(SECOND);
    assert_eq!(pair.sides[0].error(client), Some(TcpError::Reset));
    assert_eq!(
        pair.sides[0].send(client, b"x"),
        Err(Refusal::Error(TcpError::Reset))
    );
    assert_eq!(pair.sides[0].send(client, b"x"), Err(Refusal::Ended));
}

#[test]
fn data_to_a_released_connection_resets() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    pair.release(1, server);
    pair.run(SECOND);
    assert_eq!(pair.sides[0].state(client), Some(State::CloseWait));
    pair.send(0, client, b"nobody reads this");
    pair.run(SECOND);
    assert_eq!(pair.sides[0].error(client), Some(TcpError::Broken));
    assert_eq!(pair.sides[1].tcp.memory(), 0);
}

#[test]
fn released_data_is_still_delivered() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    let data = pattern(0, 200_000);
    assert_eq!(pair.send(1, server, &data), data.len());
    pair.release(1, server);
    assert_eq!(
        pair.sides[1].tcp.info(server).map(|info| info.state),
        Some(State::FinWait1)
    );
    let mut got = Vec::new();
    loop {
        match pair.take(0, client) {
            Ok(run) => got.extend(run),
            Err(Refusal::WouldBlock) => assert!(pair.step(), "it stands still"),
            Err(end) => {
                assert_eq!(end, Refusal::Ended);
                break;
            }
        }
    }
    assert_eq!(got, data);
}

#[test]
fn a_peer_that_never_closes() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    pair.release(0, client);
    pair.run(Duration::from_secs(59));
    assert_eq!(pair.sides[0].state(client), Some(State::FinWait2));
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.sides[0].state(client), None);
    // What comes afterwards belongs to nothing.
    pair.send(1, server, b"hello?");
    pair.run(SECOND);
    assert_eq!(pair.sides[1].error(server), Some(TcpError::Broken));
}

#[test]
fn abort_resets() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    pair.send(0, client, b"before");
    pair.run(SECOND);
    pair.abort(0, client);
    pair.run(SECOND);
    // What came before may be read, as in Linux.
    assert_eq!(pair.take(1, server), Ok(b"before".to_vec()));
    assert_eq!(pair.take(1, server), Err(Refusal::Error(TcpError::Reset)));
    assert_eq!(pair.take(1, server), Err(Refusal::Ended));
    assert_eq!(pair.sides[0].state(client), None);
}

#[test]
fn shutdown_before_the_handshake_ends() {
    let mut pair = Pair::new();
    pair.sides[1].listen(80, TcpOptions::default());
    let client = pair.ask(flow(1000), TcpOptions::default());
    pair.sides[0].tcp.shutdown_send(client);
    pair.run(SECOND);
    let server = pair.sides[1].accepted(80);
    assert_eq!(
        states(&pair, (client, server)),
        [Some(State::FinWait2), Some(State::CloseWait)]
    );
}

/// What a close(2) that lingers waits for.
#[test]
fn the_owner_hears_when_the_end_has_been_acknowledged() {
    let mut pair = Pair::new();
    let (client, _) = pair.connect();
    pair.sides[0].notes.of.clear();
    pair.sides[0].tcp.shutdown_send(client);
    assert!(!pair.sides[0].has(client, TcpEvents::WRITABLE));
    pair.run(SECOND);
    assert_eq!(pair.sides[0].state(client), Some(State::FinWait2));
    assert!(pair.sides[0].has(client, TcpEvents::WRITABLE));
    pair.sides[0].notes.of.clear();
    pair.run(SECOND);
    assert!(!pair.sides[0].has(client, TcpEvents::WRITABLE), "once");
}

#[test]
fn a_closed_window_opens_again() {
    let options = TcpOptions {
        receive_buffer: 8192,
        ..TcpOptions::default()
    };
    let mut pair = Pair::new();
    let (client, server) = pair.connect_with(TcpOptions::default(), options);
    let data = pattern(0, 50_000);
    assert_eq!(pair.send(0, client, &data), data.len());
    pair.run(Duration::from_secs(3600));
    let info = pair.sides[1].tcp.info(server).expect("it is there");
    assert_eq!(info.receive_queue, 8192, "the window is full");
    assert_eq!(
        pair.sides[0].state(client),
        Some(State::Established),
        "a slow reader is not given up"
    );
    let mut got = Vec::new();
    while got.len() < data.len() {
        match pair.take(1, server) {
            Ok(run) => got.extend(run),
            Err(Refusal::WouldBlock) => assert!(pair.step(), "it stands still at {}", got.len()),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(got, data);
}

/// Both sides have written until nothing went any more, and have sent probes; then one begins to read. What its probe
/// carried lies beyond the other's window, and must not keep the other from hearing that there is room.
#[test]
fn two_closed_windows_open_again() {
    let options = TcpOptions {
        receive_buffer: 8192,
        send_buffer: 8192,
        ..TcpOptions::default()
    };
    for probing in [0, 1, 30] {
        let mut pair = Pair::new();
        let (client, server) = pair.connect_with(options, options);
        let ids = [client, server];
        let data = pattern(0, 16_384);
        let mut sent = [0; 2];
        for _ in 0..10 {
            for side in 0..2 {
                sent[side] += pair.send(side, ids[side], &data[sent[side]..]);
            }
            pair.run(Duration::from_millis(20));
        }
        assert_eq!(sent, [data.len(); 2], "two buffers each way");
        pair.run(Duration::from_secs(probing));
        let mut got = Vec::new();
        for _ in 0..100 {
            match pair.take(1, server) {
                Ok(run) => got.extend(run),
                Err(_) => pair.run(Duration::from_millis(50)),
            }
        }
        assert_eq!(got.len(), data.len(), "after {probing} s of probes");
        assert_eq!(got, data);
    }
}

/// What the owner asks after each step, instead of everything that [`libos_net::tcp::TcpInfo`] has.
#[test]
fn standing_and_news() {
    let options = TcpOptions {
        receive_buffer: 8192,
        ..TcpOptions::default()
    };
    let mut pair = Pair::new();
    let (client, server) = pair.connect_with(TcpOptions::default(), options);
    pair.send(0, client, b"little");
    pair.run(SECOND);
    let standing = |pair: &Pair| pair.sides[1].tcp.standing(server).expect("it is there");
    assert_eq!(standing(&pair).readable, 6);
    assert!(standing(&pair).is_writable);
    assert_eq!(pair.sides[1].take(server), Ok(b"little".to_vec()));
    assert!(!pair.sides[1].tcp.has_news(server), "nobody waits for it");

    pair.send(0, client, &pattern(0, 50_000));
    pair.run(SECOND);
    assert_eq!(standing(&pair).readable, 8192);
    pair.sides[1].take(server).expect("it is full");
    assert!(pair.sides[1].tcp.has_news(server), "the window opens");
    let now = pair.now;
    pair.sides[1].flush(now, server);
    assert_eq!(pair.sides[1].way.packets.len(), 1, "the update");
    assert!(!pair.sides[1].tcp.has_news(server));
    assert_ne!(
        pair.sides[1].tcp.poll_at(),
        Some(Instant::ZERO),
        "it waits for no poll"
    );

    pair.abort(0, client);
    pair.run(SECOND);
    assert_eq!(standing(&pair).state, State::Closed);
    assert_eq!(standing(&pair).error, Some(TcpError::Reset));
    pair.release(1, server);
    assert_eq!(pair.sides[1].tcp.standing(server), None);
}

#[test]
fn a_lost_window_update_is_asked_for() {
    let options = TcpOptions {
        receive_buffer: 8192,
        ..TcpOptions::default()
    };
    let mut pair = Pair::new();
    let (client, server) = pair.connect_with(TcpOptions::default(), options);
    pair.send(0, client, &pattern(0, 20_000));
    pair.run(SECOND);
    pair.take(1, server).expect("it came");
    assert!(!seen(&mut pair).is_empty(), "the update that gets lost");
    pair.run(Duration::from_secs(30));
    let info = pair.sides[1].tcp.info(server).expect("it is there");
    assert!(info.receive_queue > 0, "the sender probed");
}

#[test]
fn user_timeout_and_the_default_limit() {
    for (user, expected) in [(Some(Duration::from_secs(10)), 10), (None, 924)] {
        let options = TcpOptions {
            user_timeout: user,
            ..TcpOptions::default()
        };
        let mut pair = Pair::new();
        let (client, _) = pair.connect_with(options, TcpOptions::default());
        pair.faults.loss = 1000;
        pair.send(0, client, b"into the void");
        let start = pair.now;
        while pair.sides[0].state(client) == Some(State::Established) {
            assert!(pair.step());
        }
        assert_eq!((pair.now - start).secs(), expected);
        assert_eq!(pair.sides[0].error(client), Some(TcpError::TimedOut));
    }
}

#[test]
fn an_idle_connection_outlives_its_user_timeout() {
    let options = TcpOptions {
        user_timeout: Some(Duration::from_secs(5)),
        ..TcpOptions::default()
    };
    let mut pair = Pair::new();
    let (client, server) = pair.connect_with(options, options);
    pair.send(0, client, b"x");
    pair.run(Duration::from_secs(1000));
    assert_eq!(
        states(&pair, (client, server)),
        [Some(State::Established); 2]
    );
}

/// What can't rest, for there is unread data, is looked at ever more seldom, and never all the time.
#[test]
fn a_day_with_unread_data_is_quiet() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    pair.send(0, client, b"x");
    pair.run(Duration::from_secs(24 * 3600));
    assert_eq!(
        states(&pair, (client, server)),
        [Some(State::Established); 2]
    );
}

#[test]
fn keep_alive() {
    let options = TcpOptions {
        keep_alive: Some(Duration::from_secs(60)),
        keep_alive_interval: Duration::from_secs(10),
        keep_alive_count: 3,
        ..TcpOptions::default()
    };
    let mut pair = Pair::new();
    let (client, _) = pair.connect_with(options, TcpOptions::default());
    let before = pair.delivered;
    pair.run(Duration::from_secs(600));
    assert_eq!(pair.sides[0].state(client), Some(State::Established));
    let probes = pair.delivered - before;
    assert!(
        (18..=20).contains(&probes),
        "{probes} packets: a probe and its answer each minute"
    );
    pair.faults.loss = 1000;
    let start = pair.now;
    while pair.sides[0].state(client) == Some(State::Established) {
        assert!(pair.step());
    }
    assert!((60..=90).contains(&(pair.now - start).secs()));
    assert_eq!(pair.sides[0].error(client), Some(TcpError::TimedOut));
}

#[test]
fn a_repeated_fin_is_acknowledged_again() {
    let mut pair = Pair::new();
    let ids = pair.connect();
    pair.finish(0, ids.0);
    pair.run(SECOND);
    pair.finish(1, ids.1);
    let fin = pair.intercept();
    assert_eq!(fin.len(), 1, "{}", describe(&fin[0]));
    let now = pair.now;
    pair.sides[0].receive(now, &fin[0], false);
    pair.sides[0].poll(now);
    assert_eq!(
        seen(&mut pair).len(),
        1,
        "the acknowledgement that gets lost"
    );
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.sides[1].state(ids.1), Some(State::Closed));
    assert_eq!(pair.sides[1].error(ids.1), None);
}

/// Duplicate acknowledgements must not keep a lost FIN from being sent again.
#[test]
fn a_lost_fin_is_sent_again_whatever_comes() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    pair.finish(0, client);
    assert_eq!(pair.intercept().len(), 1, "the FIN that gets lost");
    pair.send(1, server, b"x");
    let packet = pair.intercept().remove(0);
    let now = pair.now;
    pair.sides[0].receive(now, &packet, false);
    pair.faults.loss = 1000;
    pair.run(Duration::from_millis(20));
    let now = pair.now;
    for _ in 0..10 {
        let duplicate = data(&packet, 1, 0);
        pair.sides[0].receive(now, &duplicate, true);
    }
    pair.turn();
    pair.faults.loss = 0;
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.sides[1].state(server), Some(State::CloseWait));
}

/// A SYN for a connection in TIME-WAIT begins a new one if its number lies beyond.
#[test]
fn time_wait_gives_way_to_a_new_connection() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    // The server ends first: TIME-WAIT is there.
    pair.release(1, server);
    pair.run(SECOND);
    pair.release(0, client);
    pair.run(SECOND);
    assert!(!pair.sides[0].tcp.is_used(flow(1000)));
    pair.sides[1].notes.events.clear();
    let again = pair.ask(flow(1000), TcpOptions::default());
    pair.run(SECOND);
    assert_eq!(pair.sides[0].state(again), Some(State::Established));
    let server = pair.sides[1].accepted(80);
    pair.send(0, again, b"anew");
    pair.run(SECOND);
    assert_eq!(pair.take(1, server), Ok(b"anew".to_vec()));
}

#[test]
fn a_restarted_peer_gets_through() {
    let mut pair = Pair::new();
    let (_, server) = pair.connect();
    pair.run(Duration::from_secs(10));
    // Side 0 loses its memory and asks again with the same addresses.
    pair.sides[0] = Side::new(3);
    let client = pair.ask(flow(1000), TcpOptions::default());
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.sides[1].error(server), Some(TcpError::Reset));
    assert_eq!(pair.sides[0].state(client), Some(State::Established));
}

#[test]
fn a_reset_must_be_exact() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    pair.send(0, client, b"x");
    let packets = pair.intercept();
    let now = pair.now;
    for offset in [1, 1000, 100_000_000] {
        let reset = forge(&packets[0], offset);
        pair.sides[1].receive(now, &reset, true);
        assert_eq!(
            pair.sides[1].state(server),
            Some(State::Established),
            "{offset}"
        );
    }
    let reset = forge(&packets[0], 0);
    pair.sides[1].receive(now, &reset, true);
    assert_eq!(pair.sides[1].error(server), Some(TcpError::Reset));
}

/// A reset with the number of a packet and so much more.
fn forge(packet: &[u8], offset: i32) -> Vec<u8> {
    let mut packet = packet[..40].to_vec();
    packet[3] = 40;
    let mut tcp = smoltcp::wire::TcpPacket::new_unchecked(&mut packet[20..]);
    tcp.clear_flags();
    tcp.set_header_len(20);
    tcp.set_rst(true);
    let number = tcp.seq_number();
    tcp.set_seq_number(smoltcp::wire::TcpSeqNumber(number.0.wrapping_add(offset)));
    packet
}

/// Right after the handshake the window that was told is not scaled; taken as scaled, it would promise more than the
/// buffer holds, and data behind the buffer's end would be taken for received (smoltcp then panics).
#[test]
fn data_beyond_the_buffer_is_not_taken() {
    for scale_receive in [65_536, 262_144, 1 << 20] {
        let options = TcpOptions {
            receive_buffer: scale_receive,
            ..TcpOptions::default()
        };
        let mut pair = Pair::new();
        let (client, server) = pair.connect_with(TcpOptions::default(), options);
        pair.send(0, client, b"x");
        let first = pair.intercept().remove(0);
        let now = pair.now;
        let len = i32::try_from(scale_receive).expect("it fits");
        pair.sides[1].receive(now, &data(&first, len + 100, 1000), true);
        // All that fits, and then one that would join both.
        let mut at = 0;
        while at < len + 100 {
            let part = 1000.min(len + 100 - at);
            pair.sides[1].receive(now, &data(&first, at, part), true);
            at += part;
            if at <= 1000 {
                pair.take(1, server).expect("it came");
            }
        }
        let info = pair.sides[1].tcp.info(server).expect("it is there");
        assert!(
            info.receive_queue <= scale_receive,
            "{}",
            info.receive_queue
        );
        assert!(
            info.receive_queue >= scale_receive - 2000,
            "{}",
            info.receive_queue
        );
    }
}

/// Data of so many bytes, so far behind a packet's number.
fn data(packet: &[u8], offset: i32, len: i32) -> Vec<u8> {
    let mut packet = forge(packet, offset);
    packet.resize(40 + usize::try_from(len).expect("it fits"), 1);
    let total = u16::try_from(packet.len()).expect("it fits");
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    let mut tcp = smoltcp::wire::TcpPacket::new_unchecked(&mut packet[20..]);
    tcp.set_rst(false);
    tcp.set_ack(true);
    packet
}

#[test]
fn a_full_backlog_says_nothing_and_the_other_side_asks_again() {
    let mut pair = Pair::new();
    pair.sides[1].notes.verdicts.insert(80, Verdict::Drop);
    let client = pair.ask(flow(1000), TcpOptions::default());
    pair.run(Duration::from_millis(500));
    assert_eq!(pair.sides[0].state(client), Some(State::SynSent));
    pair.sides[1].listen(80, TcpOptions::default());
    pair.run(SECOND);
    assert_eq!(pair.sides[0].state(client), Some(State::Established));
}

#[test]
fn a_deferred_decision() {
    for verdict in [
        Verdict::Accept(Token(5), TcpOptions::default()),
        Verdict::Refuse,
    ] {
        let mut pair = Pair::new();
        pair.sides[1].notes.verdicts.insert(80, Verdict::Defer);
        let client = pair.ask(flow(1000), TcpOptions::default());
        pair.run(Duration::from_secs(5));
        assert_eq!(pair.sides[0].state(client), Some(State::SynSent));
        assert_eq!(
            pair.sides[1].notes.requests.len(),
            1,
            "repetitions are dropped"
        );
        let now = pair.now;
        let asked = pair.sides[1].notes.requests[0];
        let side = &mut pair.sides[1];
        let id = side
            .tcp
            .decide(now, asked, verdict, &mut side.way, &mut side.notes);
        assert!(
            side.tcp
                .decide(now, asked, verdict, &mut side.way, &mut side.notes)
                .is_none()
        );
        pair.run(SECOND);
        if matches!(verdict, Verdict::Accept(..)) {
            assert_eq!(pair.sides[1].accepted(5), id.expect("it exists"));
            assert_eq!(pair.sides[0].state(client), Some(State::Established));
        } else {
            assert_eq!(pair.sides[0].error(client), Some(TcpError::Refused));
        }
    }
}

#[test]
fn a_half_open_connection_that_goes_no_further() {
    let mut pair = Pair::new();
    pair.sides[1].listen(80, TcpOptions::default());
    pair.ask(flow(1000), TcpOptions::default());
    let syn = pair.intercept();
    pair.faults.loss = 1000;
    let now = pair.now;
    pair.sides[1].receive(now, &syn[0], false);
    let mut infos = Vec::new();
    pair.sides[1].tcp.each(&mut |info| infos.push(info.state));
    assert_eq!(infos, [State::SynReceived]);
    pair.run(Duration::from_secs(64));
    assert!(
        pair.sides[1]
            .notes
            .events
            .iter()
            .any(|(.., events)| events.contains(TcpEvents::CLOSED)),
        "the owner is told, for its backlog"
    );
}

#[test]
fn write_low_water() {
    let options = TcpOptions {
        send_buffer: 65_536,
        ..TcpOptions::default()
    };
    let mut pair = Pair::new();
    let (client, server) = pair.connect_with(options, TcpOptions::default());
    pair.faults.loss = 1000;
    assert_eq!(pair.send(0, client, &pattern(0, 100_000)), 65_536);
    assert_eq!(pair.sides[0].send(client, b"x"), Err(Refusal::WouldBlock));
    assert!(
        !pair.sides[0]
            .tcp
            .readiness(client)
            .contains(TcpEvents::WRITABLE)
    );
    pair.sides[0].notes.of.clear();
    pair.faults.loss = 0;
    while !pair.sides[0].has(client, TcpEvents::WRITABLE) {
        let _ = pair.take(1, server);
        assert!(pair.step(), "nobody is told of the room");
    }
    let queue = pair.sides[0]
        .tcp
        .info(client)
        .expect("it is there")
        .send_queue;
    assert!(queue * 3 <= 65_536 * 2, "{queue} bytes are still there");
    assert!(
        pair.sides[0]
            .tcp
            .readiness(client)
            .contains(TcpEvents::WRITABLE)
    );
}

#[test]
fn peek_shows_without_taking() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    // So that it wraps in the ring.
    for _ in 0..40 {
        let data = pattern(3, 9000);
        pair.send(0, client, &data);
        pair.run(SECOND / 4);
        let mut shown = Vec::new();
        while shown.len() < data.len() {
            let before = shown.len();
            pair.sides[1]
                .tcp
                .peek(server, before, &mut |run| shown.extend_from_slice(run))
                .expect("there is data");
            assert!(shown.len() > before, "nothing at {before}");
        }
        assert_eq!(shown, data);
        assert_eq!(pair.take(1, server), Ok(data));
    }
    assert_eq!(
        pair.sides[1].tcp.peek(server, 0, &mut |_| ()),
        Err(Refusal::WouldBlock)
    );
}

#[test]
fn a_quiet_connection_has_no_buffers_and_wakes_up() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    for round in 0..5 {
        pair.run(Duration::from_secs(10));
        for side in &pair.sides {
            assert_eq!(side.tcp.memory(), 0, "round {round}");
        }
        assert_eq!(pair.next(), None, "an idle connection has nothing to do");
        let data = pattern(round, 30_000);
        assert_eq!(
            pair.send(round % 2, [client, server][round % 2], &data),
            data.len()
        );
        let other = 1 - round % 2;
        let mut got = Vec::new();
        while got.len() < data.len() {
            match pair.take(other, [client, server][other]) {
                Ok(run) => got.extend(run),
                _ => assert!(pair.step(), "it stands still"),
            }
        }
        assert_eq!(got, data);
        assert!(pair.sides.iter().any(|side| side.tcp.memory() > 0));
    }
    pair.run(Duration::from_secs(10));
    pair.release(0, client);
    pair.run(SECOND);
    assert_eq!(pair.sides[1].state(server), Some(State::CloseWait));
}

#[test]
fn the_first_rest_comes_early() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    let used = |pair: &Pair| pair.sides[1].tcp.memory() > 0;
    for (round, still_there) in [false, true].into_iter().enumerate() {
        pair.send(0, client, b"x");
        pair.run(Duration::from_millis(5));
        assert_eq!(pair.take(1, server), Ok(b"x".to_vec()));
        assert!(used(&pair));
        pair.run(Duration::from_millis(100));
        assert_eq!(used(&pair), still_there, "round {round}");
        pair.run(SECOND);
        assert!(!used(&pair));
    }
}

#[test]
fn options_of_the_other_side_are_kept() {
    for (mtu, expected) in [(1500, 1448), (1000, 960), (9000, 1448)] {
        let mut pair = Pair::new();
        pair.sides[0].way.mtu = mtu;
        pair.sides[1].way.mtu = 1488;
        let (client, server) = pair.connect();
        for (side, id) in [(0, client), (1, server)] {
            let info = pair.sides[side].tcp.info(id).expect("it is there");
            assert_eq!(info.send_mss, expected, "mtu {mtu}");
        }
    }
    let options = TcpOptions {
        max_segment: Some(500),
        ..TcpOptions::default()
    };
    let mut pair = Pair::new();
    let (client, _) = pair.connect_with(options, TcpOptions::default());
    let info = pair.sides[0].tcp.info(client).expect("it is there");
    assert_eq!(info.send_mss, 500);
}

#[test]
fn traffic_class_and_hop_limit() {
    let options = TcpOptions {
        hop_limit: 7,
        traffic_class: 0x48,
        ..TcpOptions::default()
    };
    let mut pair = Pair::new();
    let (client, _) = pair.connect_with(options, TcpOptions::default());
    pair.send(0, client, b"x");
    let packets = pair.intercept();
    assert_eq!(packets[0][1], 0x48);
    assert_eq!(packets[0][8], 7);
    let header = smoltcp::wire::Ipv4Packet::new_checked(&packets[0][..]).expect("a packet");
    assert!(header.verify_checksum());
}

#[test]
fn an_address_that_goes() {
    let mut pair = Pair::new();
    let (client, _) = pair.connect();
    let side = &mut pair.sides[0];
    side.tcp.address_gone(flow(1).local.ip(), &mut side.notes);
    assert!(side.has(client, TcpEvents::CLOSED));
    assert_eq!(side.error(client), Some(TcpError::NetworkUnreachable));
    assert!(!side.tcp.is_used(flow(1000)));
}

#[test]
fn a_lone_segment_is_acknowledged_soon_and_a_long_one_at_once() {
    let mut pair = Pair::new();
    let (client, _) = pair.connect();
    let acknowledged = |pair: &mut Pair, len| {
        pair.send(0, client, &pattern(0, len));
        let start = pair.now;
        pair.turn();
        while pair.sides[0]
            .tcp
            .info(client)
            .is_some_and(|info| info.send_queue > 0)
        {
            assert!(pair.step());
        }
        pair.now - start
    };
    let lone = acknowledged(&mut pair, 100);
    assert!((5..=15).contains(&lone.total_millis()), "{lone}");
    // Joined by the device: two segments in one.
    pair.sides[0].way.segmentation = Some(65_535);
    let long = acknowledged(&mut pair, 2000);
    assert_eq!(long, Duration::ZERO);
}

#[test]
fn nothing_happens_without_reason() {
    let now = Instant::from_secs(5);
    let mut side = Side::new(1);
    assert_eq!(side.tcp.poll_at(), None);
    side.poll(now);
    let nobody = ConnectionId(77);
    assert_eq!(side.send(nobody, b"x"), Err(Refusal::NotConnected));
    assert_eq!(side.take(nobody), Err(Refusal::NotConnected));
    side.flush(now, nobody);
    side.tcp.release(now, nobody, &mut side.way);
    side.tcp.abort(now, nobody, &mut side.way);
    assert!(side.tcp.info(nobody).is_none());
    assert!(side.way.packets.is_empty());
}
