//! Rewrites an ELF file in memory and prints what was found and how long it took.
//!
//! `cargo run --release -p libos-rewrite --example rewrite_stats -- FILE [--sites]`

use std::process::ExitCode;
use std::time::Instant;

use libos_rewrite::{Layout, Mode, rewrite};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: rewrite_stats FILE [--sites]");
        return ExitCode::from(2);
    };
    let list = arguments
        .next()
        .is_some_and(|argument| argument == "--sites");
    let elf = match std::fs::read(&path) {
        Ok(elf) => elf,
        Err(error) => {
            eprintln!("{path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Far above the usual fixed address 0x400000 and the usual size, yet within reach.
    let layout = Layout {
        stub_vaddr: 0x4000_0000,
        gate_vaddr: 0x5000_0000,
    };
    let start = Instant::now();
    let result = rewrite(&elf, layout, Mode::Strict);
    let elapsed = start.elapsed();
    match result {
        Ok(output) => {
            println!("{path}: {:?}", output.stats);
            println!(
                "stubs: {} bytes; {:.1} ms",
                output.stubs.len(),
                elapsed.as_secs_f64() * 1e3
            );
            if list {
                output.sites.iter().for_each(|site| println!("{site:x?}"));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}
