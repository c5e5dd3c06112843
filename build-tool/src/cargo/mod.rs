//! Runs cargo for the user's program, and finds what it made by its own account.
//!
//! - [`flags`]: cargo's flags as they appear on this tool's command line.
//! - [`rustflags`]: asks for a static program without losing the user's own flags.
//! - [`settings`]: the user's cargo configuration files, as far as flags are concerned.
//! - [`artifacts`]: the executables of a build, from cargo's messages.
//! - [`metadata`]: packages and directories, from `cargo metadata`.

pub mod artifacts;
pub mod flags;
pub mod metadata;
pub mod rustflags;
pub mod settings;

use std::ffi::OsString;
use std::process::Command;

/// The one target whose programs become images.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A command that starts the cargo by which this tool was called, or the one on the PATH.
pub fn command() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}
