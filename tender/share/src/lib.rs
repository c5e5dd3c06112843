//! The file server of a shared folder: what `--volume` connects a guest to.
//!
//! [`start`] makes a helper process at the other end of a channel of FUSE messages (`libos_abi::fuse`). It serves one
//! folder, or one file, with the caller's rights and no more: the folder is a mount of its own that only one descriptor
//! leads to, everything else is unmounted, Landlock denies the rest, and its seccomp filter
//! (`seccomp-profiles/share.json`) knows neither sockets nor programs.
//!
//! - [`config`]: what is shared, and how.
//! - [`process`]: making the helper, with `libos-helper`.
//! - [`confine`]: what the helper gives up; [`raw`]: the calls that no safe wrapper has.
//! - [`channel`]: requests and replies in bytes.
//! - [`pipe`]: long reads.
//! - [`server`]: what it then does.
//! - [`error`]: why it could not be started.
//!
//! It knows the messages and nothing of libOS or tender.

#![deny(unsafe_code)]

mod channel;
pub mod config;
pub mod confine;
pub mod error;
mod pipe;
mod process;
mod raw;
pub mod server;

pub use config::{Config, Ids};
pub use error::StartError;
pub use libos_helper::{Confinement, disown_children};

use std::os::fd::OwnedFd;

/// A helper that runs.
#[derive(Debug)]
pub struct Started {
    /// The guest's end: a stream socket, nonblocking and close-on-exec. The end of file, EPIPE or ECONNRESET says that the
    /// helper is gone; closing it ends the helper.
    pub channel: OwnedFd,
    /// The helper, a child of this process.
    pub helper: rustix::process::Pid,
    /// Which of the fences that not every host allows stand around the helper.
    pub confinement: Confinement,
}

/// Starts the helper.
///
/// Call it from a process with a single thread. The helper ends with this process, or when the channel is
/// closed. This process gets a SIGCHLD should the helper end first: see [`disown_children`].
///
/// # Errors
/// [`StartError`]: nothing to share there, or a helper that could not be made or confined.
pub fn start(config: &Config) -> Result<Started, StartError> {
    process::start(config)
}

/// Confines this very process as a helper for `config` is, but for namespaces: for tests of the sandbox.
///
/// # Errors
/// That of the step that failed.
#[doc(hidden)]
pub fn process_for_attack(config: &Config) -> std::io::Result<Confinement> {
    process::confine_this(config)
}
