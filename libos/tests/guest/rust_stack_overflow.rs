//! Endless recursion in Rust: its own SIGSEGV handler says so. Expected status: 134
//! Expected message: has overflowed its stack

use std::hint::black_box;

fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 128]);
    if depth == u64::MAX {
        0
    } else {
        descend(depth + 1) + frame[64]
    }
}

fn main() {
    let deep = std::thread::Builder::new()
        .name("deep".into())
        .spawn(|| descend(0))
        .unwrap();
    println!("{}", deep.join().unwrap());
}
