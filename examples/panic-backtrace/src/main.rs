//! Panics: one caught by the thread that joins, one that ends the program with status 101.
//!
//! The backtrace of each names the functions, as natively: the image carries the symbols.
//!
//! ```text
//! $ cargo libos run -p panic-backtrace; echo "status $?"
//! the worker's panic was caught: gave up at level 0
//! status 101
//! ```
//!
//! and on stderr, twice, first for the worker:
//!
//! ```text
//! thread 'worker' (2) panicked at examples/panic-backtrace/src/main.rs:44:9:
//! gave up at level 0
//! stack backtrace:
//! ...
//!    2: panic_backtrace::descend
//! ```

use std::hint::black_box;
use std::thread;

fn main() {
    // SAFETY: no other thread runs yet, so none can be reading the environment.
    unsafe { std::env::set_var("RUST_BACKTRACE", "1") };
    let worker = thread::Builder::new()
        .name("worker".to_string())
        .spawn(|| descend(2));
    let panic = worker
        .expect("a thread")
        .join()
        .expect_err("the worker panics");
    let message = panic
        .downcast_ref::<String>()
        .map_or("no message", String::as_str);
    println!("the worker's panic was caught: {message}");
    descend(1);
}

#[inline(never)]
fn descend(level: u32) {
    if level == 0 {
        panic!("gave up at level {level}");
    }
    descend(black_box(level - 1));
    black_box(level);
}
