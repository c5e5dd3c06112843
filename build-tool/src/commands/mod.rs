//! The commands, one file each.

mod image;
mod inspect;

use crate::cli::Command;
use anyhow::Result;
use std::process::ExitCode;

/// Does what the command says.
///
/// # Errors
/// A refusal, to be reported by the caller.
pub fn perform(command: Command) -> Result<ExitCode> {
    match command {
        Command::Image(options) => image::perform(&options),
        Command::Inspect(options) => inspect::perform(&options),
    }
}
