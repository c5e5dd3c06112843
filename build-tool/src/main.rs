//! `cargo libos`: builds ordinary Linux programs into sandboxed images, and runs them.
//!
//! - [`cli`]: the command line, and nothing but it.
//! - [`commands`]: one file per command; they tell the story.
//! - [`cargo`]: runs cargo and finds what it made.
//! - [`config`]: what an image is told to be.
//! - [`image`]: from a static program to an image, with [`elf`], [`rootfs`], [`libos`].
//! - [`disk`]: disks in files of the host.
//! - [`stamp`]: remembers from what an image was made, so that it is not made twice.
//!
//! Errors are printed once, here. Exit status: see [`error`].

#![deny(unsafe_code)]

mod cargo;
mod cli;
mod commands;
mod config;
mod disk;
mod elf;
mod error;
mod files;
mod image;
mod libos;
mod progress;
mod rootfs;
mod stamp;
mod tender;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().peekable();
    let program = args.next().unwrap_or_default();
    // As `cargo libos …`, cargo repeats the command's name.
    args.next_if(|word| word == "libos");
    if args.next_if(|word| word == "tender").is_some() {
        return libos_tender::main(std::iter::once(program).chain(args));
    }
    let command = match cli::parse(std::iter::once(program).chain(args)) {
        Ok(command) => command,
        Err(code) => return code,
    };
    commands::perform(command).unwrap_or_else(|failure| error::report(&failure))
}
