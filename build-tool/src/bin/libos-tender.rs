//! The tender as a program of its own, beside `cargo-libos`.
//!
//! `--build-id` tells `cargo-libos` whether both were built from the same sources.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == "--build-id")
    {
        println!("{}", env!("CARGO_LIBOS_BUILD_ID"));
        return ExitCode::SUCCESS;
    }
    libos_tender::main(std::env::args_os())
}
