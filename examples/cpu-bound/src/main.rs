//! Eight threads that only compute, never calling the system, and one that sleeps: all progress.
//!
//! This is preemption: a timer takes the CPU from a thread that would never give it up. Without it,
//! the first spinning thread would be the last one to run.
//!
//! ```text
//! $ cargo libos run -p cpu-bound
//! the sleeper woke 20 times
//! 8 of 8 spinning threads progressed
//! ```

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const SPINNERS: usize = 8;
const WAKES: u32 = 20;

fn main() {
    let stop = AtomicBool::new(false);
    let progress: [AtomicU64; SPINNERS] = Default::default();
    thread::scope(|scope| {
        for counter in &progress {
            scope.spawn(|| spin(&stop, counter));
        }
        scope.spawn(|| sleep_then_stop(&stop, &progress));
    });
    let progressed = progress
        .iter()
        .filter(|counter| counter.load(Ordering::Relaxed) > 0)
        .count();
    println!("{progressed} of {SPINNERS} spinning threads progressed");
}

fn spin(stop: &AtomicBool, counter: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        counter.fetch_add(1, Ordering::Relaxed);
        spin_loop();
    }
}

/// Sleeps `WAKES` times, and longer if some thread has not run yet, but at most ten seconds.
fn sleep_then_stop(stop: &AtomicBool, progress: &[AtomicU64]) {
    for _ in 0..WAKES {
        thread::sleep(Duration::from_millis(5));
    }
    println!("the sleeper woke {WAKES} times");
    for _ in 0..1000 {
        if progress
            .iter()
            .all(|counter| counter.load(Ordering::Relaxed) > 0)
        {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    stop.store(true, Ordering::Relaxed);
}
