//! Threads and what the standard library offers to make them work together.
//!
//! Each section uses one tool: a mutex, a condition variable, a channel, thread-local storage,
//! parking, and scoped threads. On Linux all of them stand on `clone`, `futex` and the FS register.
//!
//! ```text
//! $ cargo libos run -p threads
//! mutex: 8 threads counted to 80000
//! condvar: turns were A B A B A B
//! channel: 100 messages from 4 senders, sum 4950
//! thread-local: each of 4 threads saw its own value
//! park: the parked thread was woken
//! scoped: the halves of the array sum to 499500
//! ```

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;

fn main() {
    mutex();
    condvar();
    channel();
    thread_local();
    park();
    scoped();
}

fn mutex() {
    let count = Arc::new(Mutex::new(0_u32));
    let counters: Vec<_> = (0..8)
        .map(|_| {
            let count = Arc::clone(&count);
            thread::spawn(move || (0..10_000).for_each(|_| *count.lock().unwrap() += 1))
        })
        .collect();
    counters
        .into_iter()
        .for_each(|counter| counter.join().unwrap());
    println!("mutex: 8 threads counted to {}", count.lock().unwrap());
}

/// Two threads take strict turns: each waits until the turn is its own.
fn condvar() {
    struct Game {
        turn: usize,
        log: Vec<&'static str>,
    }
    let shared = Arc::new((
        Mutex::new(Game {
            turn: 0,
            log: Vec::new(),
        }),
        Condvar::new(),
    ));
    let players: Vec<_> = ["A", "B"]
        .into_iter()
        .enumerate()
        .map(|(me, name)| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (game, turn_changed) = &*shared;
                for _ in 0..3 {
                    let game = game.lock().unwrap();
                    let mut game = turn_changed
                        .wait_while(game, |game| game.turn != me)
                        .unwrap();
                    game.log.push(name);
                    game.turn = 1 - me;
                    turn_changed.notify_all();
                }
            })
        })
        .collect();
    players
        .into_iter()
        .for_each(|player| player.join().unwrap());
    println!(
        "condvar: turns were {}",
        shared.0.lock().unwrap().log.join(" ")
    );
}

fn channel() {
    let (sender, receiver) = mpsc::channel();
    for first in 0..4_u32 {
        let sender = sender.clone();
        thread::spawn(move || {
            (first..100)
                .step_by(4)
                .for_each(|number| sender.send(number).unwrap())
        });
    }
    drop(sender);
    let received: Vec<u32> = receiver.iter().collect();
    println!(
        "channel: {} messages from 4 senders, sum {}",
        received.len(),
        received.iter().sum::<u32>()
    );
}

fn thread_local() {
    thread_local!(static SLOT: Cell<usize> = const { Cell::new(0) });
    let own = (1..=4)
        .map(|value| {
            thread::spawn(move || {
                SLOT.set(value);
                thread::yield_now();
                SLOT.get() == value
            })
        })
        .collect::<Vec<_>>()
        .into_iter()
        .filter_map(|seen| seen.join().unwrap().then_some(()))
        .count();
    assert_eq!(SLOT.get(), 0, "the main thread's slot was never set");
    println!("thread-local: each of {own} threads saw its own value");
}

fn park() {
    let released = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&released);
    let sleeper = thread::spawn(move || {
        while !seen.load(Ordering::Acquire) {
            thread::park();
        }
    });
    released.store(true, Ordering::Release);
    sleeper.thread().unpark();
    sleeper.join().unwrap();
    println!("park: the parked thread was woken");
}

/// Scoped threads borrow from the stack of the thread that starts them.
fn scoped() {
    let numbers: Vec<u32> = (0..1000).collect();
    let (low, high) = numbers.split_at(500);
    let sum: u32 = thread::scope(|scope| {
        let low = scope.spawn(|| low.iter().sum::<u32>());
        let high = scope.spawn(|| high.iter().sum::<u32>());
        low.join().unwrap() + high.join().unwrap()
    });
    println!("scoped: the halves of the array sum to {sum}");
}
