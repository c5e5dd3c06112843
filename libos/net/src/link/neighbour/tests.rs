use super::listing::NeighbourState;
use super::*;
use core::net::Ipv4Addr;

const MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);

fn table() -> Neighbours {
    Neighbours::new(KeyedHash::new([7; 16]))
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

fn at(seconds: i64) -> Instant {
    Instant::from_secs(seconds)
}

fn packet(len: usize) -> Waiting {
    Waiting {
        frame: alloc::vec![0; len],
        completion: Completion::Whole,
    }
}

#[test]
fn an_answer_releases_what_waits() {
    let mut table = table();
    assert_eq!(table.lookup(at(0), address(1)), Lookup::Ask);
    assert!(table.wait(address(1), packet(60)));
    assert_eq!(table.lookup(at(0), address(1)), Lookup::Unknown);
    assert!(table.wait(address(1), packet(61)));
    assert_eq!(table.answered(at(1), address(1), MAC).len(), 2);
    assert_eq!(table.lookup(at(1), address(1)), Lookup::Known(MAC));
    assert_eq!(table.waiting_bytes, 0);
}

#[test]
fn three_questions_and_then_it_has_failed() {
    let mut table = table();
    table.lookup(at(0), address(1));
    assert!(table.wait(address(1), packet(60)));
    for second in 1..=2 {
        assert_eq!(table.poll_at(), Some(at(second)));
        let due = table.poll(at(second));
        let question = Question {
            address: address(1),
            at: None,
        };
        assert_eq!(due.questions, [question]);
        assert!(due.failed.is_empty());
    }
    let due = table.poll(at(3));
    assert_eq!((due.questions.len(), due.failed.len()), (0, 1));
    assert_eq!(table.poll_at(), None);
    assert_eq!(
        table.lookup(at(4), address(1)),
        Lookup::Ask,
        "it is tried anew"
    );
}

#[test]
fn a_used_neighbour_is_asked_after_a_while_and_forgotten_in_silence() {
    let mut table = table();
    table.lookup(at(0), address(1));
    table.answered(at(0), address(1), MAC);
    assert_eq!(table.poll(at(40)).questions, [], "nobody uses it");
    assert_eq!(table.lookup(at(40), address(1)), Lookup::Known(MAC));
    assert_eq!(table.poll_at(), Some(at(45)));
    let question = Question {
        address: address(1),
        at: Some(MAC),
    };
    for second in 45..48 {
        assert_eq!(table.poll(at(second)).questions, [question]);
        assert_eq!(table.lookup(at(second), address(1)), Lookup::Known(MAC));
    }
    assert!(table.poll(at(48)).failed.is_empty());
    assert_eq!(table.peek(address(1)), None);
}

#[test]
fn a_probe_that_is_answered_makes_it_reachable() {
    let mut table = table();
    table.meet(at(0), address(1), MAC);
    table.lookup(at(0), address(1));
    table.poll(at(5));
    table.answered(at(5), address(1), MAC);
    table.poll(at(6));
    assert_eq!(table.poll_at(), None);
    assert_eq!(table.lookup(at(20), address(1)), Lookup::Known(MAC));
}

#[test]
fn what_nobody_asked_makes_no_entry_but_corrects_one() {
    let mut table = table();
    table.hear(at(0), address(1), MAC);
    table.answered(at(0), address(2), MAC);
    assert!(table.table.is_empty());
    table.lookup(at(0), address(1));
    assert!(table.wait(address(1), packet(60)));
    assert_eq!(table.hear(at(0), address(1), MAC).len(), 1);
    let moved = Mac([2, 0, 0, 0, 0, 10]);
    table.hear(at(0), address(1), moved);
    assert_eq!(table.peek(address(1)), Some(moved));
}

#[test]
fn a_flood_of_askers_leaves_room_for_those_whom_we_ask() {
    let mut table = table();
    for number in 0..10_000 {
        table.meet(at(0), address(number), MAC);
    }
    assert_eq!(table.table.len(), MOST_MET);
    for number in 0..10_000 {
        table.lookup(at(1), address(20_000 + number));
    }
    assert_eq!(table.table.len(), MOST);
    assert_eq!(table.lookup(at(1), address(50_000)), Lookup::Full);
    let failed = (2..5).map(|second| table.poll(at(second))).count();
    assert_eq!(failed, 3);
    assert_eq!(table.lookup(at(5), address(50_000)), Lookup::Ask);
}

#[test]
fn what_waits_is_bounded() {
    let mut table = table();
    for number in 0..100 {
        table.lookup(at(0), address(number));
    }
    let waits = (0..100).filter(|_| table.wait(address(0), packet(100)));
    assert_eq!(waits.count(), MOST_WAITING);
    let waits = (1..100).filter(|&number| table.wait(address(number), packet(65_000)));
    assert_eq!(waits.count(), (MOST_WAITING_BYTES - 6_400) / 65_000);
    assert!(!table.wait(address(500), packet(1)), "nobody asked for it");
    for second in 1..=3 {
        table.poll(at(second));
    }
    assert_eq!(table.waiting_bytes, 0);
}

#[test]
fn the_table_is_listed_as_it_stands() {
    let mut table = table();
    table.lookup(at(0), address(2));
    table.lookup(at(0), address(1));
    table.answered(at(1), address(1), MAC);
    table.meet(at(2), address(3), MAC);
    let list = |table: &Neighbours, second| {
        let mut all = Vec::new();
        table.list(at(second), |one| all.push(one));
        all.sort_by_key(|one| one.address);
        all
    };
    let listed = |table: &Neighbours, second| {
        let all = list(table, second).into_iter();
        all.map(|one| (one.address, one.mac, one.state, one.questions))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        listed(&table, 3),
        [
            (address(1), Some(MAC), NeighbourState::Reachable, 0),
            (address(2), None, NeighbourState::Incomplete, 1),
            (address(3), Some(MAC), NeighbourState::Stale, 0),
        ]
    );
    let first = list(&table, 3).remove(0);
    let seconds = [first.used, first.confirmed, first.updated].map(|ago| ago.secs());
    assert_eq!(seconds, [3, 2, 2]);
    table.poll(at(3));
    let states = |table: &Neighbours, second| {
        let all = listed(table, second);
        all.iter().map(|one| (one.2, one.3)).collect::<Vec<_>>()
    };
    let stale = (NeighbourState::Stale, 0);
    assert_eq!(states(&table, 31)[0], stale, "nobody confirmed it for long");
    table.lookup(at(31), address(1));
    assert_eq!(states(&table, 31)[0], (NeighbourState::Delay, 0));
    table.poll(at(36));
    assert_eq!(states(&table, 36)[0], (NeighbourState::Probe, 1));
}
