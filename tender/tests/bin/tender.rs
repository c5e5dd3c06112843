//! The tender as a program of its own, for this crate's tests; users have `libos-tender`.

use std::process::ExitCode;

fn main() -> ExitCode {
    libos_tender::main(std::env::args_os())
}
