//! The tender as a program of its own, beside `cargo-libos`.

use std::process::ExitCode;

fn main() -> ExitCode {
    libos_tender::main(std::env::args_os())
}
