//! Who finds too little room in the send buffer is told when there is more.

mod common;

use common::{Pair, pattern};
use libos_net::owner::TcpEvents;
use libos_net::time::Duration;

/// Linux's rule for a poll is a third: a writer who was refused nothing, but finds less than that free,
/// waits for an event as one does who was refused.
#[test]
fn a_writer_that_was_not_refused_hears_of_room() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    let mut taken = 0;
    // The other side does not read, so the buffers fill: to the brim at last.
    while pair.send(0, client, &pattern(taken, 1000)) == 1000 {
        taken += 1000;
        pair.run(Duration::from_millis(1));
        let info = pair.sides[0].tcp.info(client).expect("a connection");
        if !info.is_writable {
            break;
        }
    }
    let waits = pair.sides[0].tcp.info(client).expect("a connection");
    assert!(!waits.is_writable, "less than a third is free");
    pair.sides[0].notes.of.remove(&client);
    for _ in 0..1000 {
        let _ = pair.take(1, server);
        pair.run(Duration::from_millis(10));
    }
    assert!(pair.sides[0].has(client, TcpEvents::WRITABLE));
}
