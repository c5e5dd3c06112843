//! The tender: loads a libOS image, confines the process to seven host system calls, and enters it.
//!
//! The story, in the order in which a run goes through it ([`run`] has one call per line):
//!
//! 1. [`cli`]: raw flags to a checked configuration.
//! 2. [`image`]: read and validate the image; nothing is mapped before every check has passed.
//! 3. [`host`]: is this host able to run it?
//! 4. [`net`], [`share`], [`disk`], [`handles`]: open the few host objects that the image may use.
//! 5. [`space`]: map the segments, the memory region, the stacks, and [`drivers`] where a disk needs one.
//! 6. [`boot`]: write the boot information.
//! 7. [`signals`]: handlers, alternate stack, tick.
//! 8. [`confine`]: descriptors, privileges, filter.
//! 9. [`launch`]: unmap the tender, put the filter in force, jump. Nothing of the tender runs after that.
//!
//! The tender knows `libos-abi` and nothing else of the libOS. It starts no thread, and keeps its own
//! dirty memory small, because it stays mapped for the life of the program.

pub mod boot;
pub mod cli;
pub mod confine;
pub mod disk;
pub mod drivers;
pub mod error;
pub mod handles;
pub mod host;
pub mod image;
pub mod launch;
pub mod net;
pub mod run;
pub mod share;
pub mod signals;
pub mod space;
pub mod terminal;
pub mod timing;
pub mod vdso;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command line `args` (the program's name first).
///
/// Returns only if no image was entered: after `filter`, `--help`, or a refusal, which is printed on
/// standard error and gives [`error::EXIT_REFUSED`].
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let started = timing::monotonic_ns();
    let outcome = match cli::parse(args) {
        Ok(cli::Command::Run(config)) => run::run(&config, started).map(|never| match never {}),
        Ok(cli::Command::Filter(config)) => confine::print_filter(&config),
        Err(cli::Stop::Shown(code)) => return code,
        Err(cli::Stop::Refused(error)) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("libos-tender: {}", error.explain());
            ExitCode::from(error::EXIT_REFUSED)
        }
    }
}
