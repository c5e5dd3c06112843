//! The commands, one file each.

mod build;
mod image;
mod inspect;
mod making;
mod mkdisk;
mod run;
mod runner;
mod test;

use crate::cli::Command;
use anyhow::Result;
use std::process::ExitCode;

/// Does what the command says.
///
/// # Errors
/// A refusal, to be reported by the caller.
pub fn perform(command: Command) -> Result<ExitCode> {
    match command {
        Command::Build(options) => build::perform(&options),
        Command::Run(options) => run::perform(&options),
        Command::Test(options) => test::perform(&options),
        Command::Runner(options) => runner::perform(&options),
        Command::Image(options) => image::perform(&options),
        Command::Inspect(options) => inspect::perform(&options),
        Command::Mkdisk(options) => mkdisk::perform(&options),
    }
}
