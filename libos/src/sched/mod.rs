//! Who runs: the run queue, sleeping and waking, the idle loop.

use alloc::sync::Arc;

use crate::task::Thread;
use crate::time::Instant;

/// Marks the running `thread` as about to sleep: from now on [`wake`] is remembered.
pub fn prepare_to_sleep(thread: &Arc<Thread>) {
    let _ = thread;
}

/// Gives up the CPU until [`wake`], which may have come since [`prepare_to_sleep`], or `deadline`.
pub fn sleep(deadline: Option<Instant>) {
    let _ = deadline;
}

/// Ends what [`prepare_to_sleep`] began: the thread runs.
pub fn finish_sleep(thread: &Arc<Thread>) {
    let _ = thread;
}

/// Makes `thread` runnable if it sleeps or is about to; says whether it did.
pub fn wake(thread: &Arc<Thread>) -> bool {
    let _ = thread;
    false
}

/// Lets other threads run, if there are any.
pub fn yield_now() {}
