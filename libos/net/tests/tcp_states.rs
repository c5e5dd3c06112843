//! TCP's states, as packet traces between two sides in memory.

mod common;

use common::{Pair, pattern};
use libos_net::owner::TcpEvents;
use libos_net::tcp::{Refusal, State};
use libos_net::time::Duration;

#[test]
fn connect_accept_exchange_and_close() {
    let mut pair = Pair::new();
    pair.trace = true;
    let (client, server) = pair.connect();
    assert_eq!(pair.sides[0].state(client), Some(State::Established));
    assert_eq!(pair.sides[1].state(server), Some(State::Established));
    assert!(pair.sides[0].has(client, TcpEvents::ESTABLISHED));

    assert_eq!(pair.send(0, client, b"hello"), 5);
    pair.run(Duration::from_secs(1));
    assert!(pair.sides[1].has(server, TcpEvents::READABLE));
    assert_eq!(pair.take(1, server), Ok(b"hello".to_vec()));
    assert_eq!(pair.take(1, server), Err(Refusal::WouldBlock));
    let answer = pattern(0, 5000);
    assert_eq!(pair.send(1, server, &answer), 5000);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.take(0, client), Ok(answer));

    pair.finish(0, client);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.sides[0].state(client), Some(State::FinWait2));
    assert_eq!(pair.sides[1].state(server), Some(State::CloseWait));
    assert_eq!(pair.take(1, server), Err(Refusal::Ended));
    pair.finish(1, server);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.take(0, client), Err(Refusal::Ended));
    assert!(pair.sides[0].has(client, TcpEvents::CLOSED));
    assert!(pair.sides[1].has(server, TcpEvents::CLOSED));
    pair.release(0, client);
    pair.release(1, server);
    pair.run(Duration::from_secs(120));
    assert_eq!(pair.sides[0].state(client), None);
    assert_eq!(pair.next(), None, "nothing is left to do");
    for side in &pair.sides {
        assert_eq!(side.tcp.memory(), 0);
        assert_eq!(side.tcp.counters().malformed, 0);
    }
}
