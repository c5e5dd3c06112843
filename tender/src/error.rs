//! Everything that can stop a run before the image is entered.
//!
//! One variant per step that failed, with its source kept. [`Error::explain`] is printed once, by
//! [`crate::main`]: what was expected, what was found, what to try.

use crate::disk::error::DiskError;
use crate::host::HostError;
use crate::image::ImageError;
use crate::net::error::NetError;
use crate::share::error::ShareError;
use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

/// Exit status of the tender's own refusals; every other status is the program's.
pub const EXIT_REFUSED: u8 = 125;

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line asks for something impossible.
    #[error("{option}: expected {expected}, found {found}")]
    Usage {
        /// The option.
        option: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// The command line has a flag that is unknown, or lacks a value.
    #[error("command line: expected the options of `libos-tender --help`, found: {0}")]
    Flags(#[source] lexopt::Error),
    /// The image file cannot be read.
    #[error("expected a readable image at {}, found: {source}", path.display())]
    OpenImage {
        /// The image.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The image is not one that may be run.
    #[error("{}: {source}", path.display())]
    Image {
        /// The image.
        path: PathBuf,
        /// What is wrong with it.
        source: ImageError,
    },
    /// The host lacks something.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A network cannot be attached.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A folder cannot be shared.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// A driver that the tender carries is not valid.
    #[error("{name}: expected a valid driver in the tender, found: {source}")]
    Driver {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        source: ImageError,
    },
    /// A disk cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A file named on the command line cannot be opened.
    #[error("{option}: expected a file that can be written at {}, found: {source}", path.display())]
    OpenFile {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The memory limit is out of bounds.
    #[error("memory: expected {expected}, found {found} bytes asked for")]
    Memory {
        /// The bounds.
        expected: String,
        /// What was asked for, in bytes.
        found: u64,
    },
    /// A host call of a step failed.
    #[error("{step}: expected {call} to succeed, found: {source}")]
    System {
        /// The step.
        step: Step,
        /// The host call and what it was for.
        call: &'static str,
        /// Its error.
        source: io::Error,
    },
    /// The filter could not be made from its profile.
    #[error("confine: expected a valid filter profile, found: {0}")]
    Profile(String),
}

/// A step of the run, as named in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Opening handles.
    Handles,
    /// Laying out memory.
    Map,
    /// Signal stacks and handlers.
    Signals,
    /// Closing what is not a handle.
    Descriptors,
    /// Giving up privileges.
    Privileges,
    /// Installing the filter.
    Filter,
}

impl std::fmt::Display for Step {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Handles => "open handles",
            Self::Map => "map the image",
            Self::Signals => "prepare signals",
            Self::Descriptors => "close descriptors",
            Self::Privileges => "drop privileges",
            Self::Filter => "install the filter",
        })
    }
}

impl Error {
    /// The message for the user: what was expected and found, and on its own line what to try.
    pub fn explain(&self) -> String {
        format!("{self}\n  try: {}", self.advice())
    }

    /// What the user can do about it.
    fn advice(&self) -> Cow<'static, str> {
        let advice = match self {
            Self::Net(error) => return error.advice(),
            Self::Share(error) => error.advice(),
            Self::Disk(error) => error.advice(),
            Self::Usage { .. } | Self::Flags(_) => "libos-tender --help",
            Self::OpenImage { .. } => "check the path, or make an image with `cargo libos build`",
            Self::Image { source, .. } => source.advice(),
            Self::Host(error) => error.advice(),
            Self::OpenFile { .. } => "name a file in a directory that you may write to",
            Self::Memory { .. } => "another --mem, or `memory` in libos.toml",
            Self::System { step, source, .. } => system_advice(*step, source),
            Self::Profile(_) | Self::Driver { .. } => {
                "this is a fault of the tender: report it with the image"
            }
        };
        advice.into()
    }
}

/// What to try when a host call failed.
fn system_advice(step: Step, source: &io::Error) -> &'static str {
    match (step, source.raw_os_error()) {
        (_, Some(libc::ENOMEM)) => {
            "raise the address-space limit (`ulimit -v`), or allow overcommit (vm.overcommit_memory)"
        }
        (Step::Map, Some(libc::EEXIST)) => {
            "rebuild the program as static-pie, so that it can be placed anywhere"
        }
        (_, Some(libc::EMFILE)) => "raise the limit on open files (`ulimit -n`)",
        (Step::Filter, Some(libc::EINVAL | libc::ENOSYS)) => {
            "a kernel with CONFIG_SECCOMP_FILTER, and a container that lets seccomp(2) through"
        }
        _ => "strace -f libos-tender … shows the call; a container's own filter may refuse it",
    }
}
