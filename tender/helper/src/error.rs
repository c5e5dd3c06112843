//! Why a helper could not be made.
//!
//! One variant per step that failed; [`StartError::advice`] says what to try.

use std::io;

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The calling process has other threads.
    #[error("expected a process with one thread, found {0}")]
    Threads(usize),
    /// A host call failed.
    #[error("expected {call} to succeed, found: {source}")]
    System {
        /// The call and what it was for.
        call: &'static str,
        /// Its error.
        source: io::Error,
    },
    /// The helper could not confine itself, and ended.
    #[error("expected a confined helper process, found: {0}")]
    Helper(String),
}

impl StartError {
    /// A host call that failed with `error`.
    pub fn system(call: &'static str, error: impl Into<io::Error>) -> Self {
        Self::System {
            call,
            source: error.into(),
        }
    }

    /// What the user can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Threads(_) => "this is a fault of the caller: start the helper before any thread",
            Self::System { .. } => {
                "strace -f shows the call; a container's own filter may refuse it"
            }
            Self::Helper(_) => {
                "a kernel with seccomp filters, and a container that lets seccomp(2) through"
            }
        }
    }
}
