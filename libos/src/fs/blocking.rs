//! The one pattern of every call that may block: try, and if it can't be done now, fail with EAGAIN
//! or sleep.

use crate::errno::{Errno, Result};
use crate::sync::wait::{WaitQueue, Woken};
use crate::time::Instant;

/// How long a call may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Not at all: EAGAIN.
    None,
    /// Until the moment given (SO_RCVTIMEO), then EAGAIN.
    Until(Instant),
    /// Forever.
    Endless,
}

impl Patience {
    /// [`Self::None`] for O_NONBLOCK, else endless.
    pub fn of(io: crate::fs::file::Io) -> Self {
        if io.nonblocking() {
            Self::None
        } else {
            Self::Endless
        }
    }
}

/// Runs `attempt` until it gives a result (`None` means "not now"), sleeping on `queue` in between.
///
/// # Errors
/// EAGAIN when patience ends, ERESTARTSYS when a signal comes first; else those of `attempt`.
#[inline]
pub fn attempt<T>(
    queue: &WaitQueue,
    patience: Patience,
    mut attempt: impl FnMut() -> Option<Result<T>>,
) -> Result<T> {
    let deadline = match patience {
        Patience::None => return attempt().unwrap_or(Err(Errno::EAGAIN)),
        Patience::Until(deadline) => Some(deadline),
        Patience::Endless => None,
    };
    match queue.wait_until(deadline, attempt) {
        Ok(result) => result,
        Err(Woken::TimedOut) => Err(Errno::EAGAIN),
        // signal(7): with a receive or send timeout set, sockets answer EINTR whatever SA_RESTART says.
        Err(Woken::Interrupted) if deadline.is_some() => Err(Errno::EINTR),
        Err(Woken::Interrupted) => Err(Errno::ERESTARTSYS),
    }
}
