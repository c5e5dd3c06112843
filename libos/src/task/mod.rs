//! Processes and threads as objects, and who is running.
//!
//! - [`Process`]: what threads share: descriptors, file-system context, signal actions, identity.
//! - [`Thread`]: what each has for itself.
//!
//! There is one process now; nothing relies on that but `exit_group`.

mod process;
mod thread;

use alloc::sync::Arc;

pub use process::Process;
pub use thread::{Thread, Tid};

/// The running thread.
pub fn current_arc() -> Arc<Thread> {
    current::get()
}

/// The running thread's process.
pub fn current_process() -> Arc<Process> {
    Arc::clone(current_arc().process())
}

/// Whether the running thread must stop waiting: a signal that it does not block is pending, or
/// its process is ending.
pub fn signal_pending() -> bool {
    current::signal_pending()
}

/// Keeps `reason` beside the error that the running thread's call is about to return, for the trace.
pub fn note_reason(reason: &'static str) {
    current::note_reason(reason);
}

#[cfg(test)]
mod current {
    use super::{Arc, Process, Thread};

    std::thread_local! {
        static CURRENT: Arc<Thread> = Thread::new(1, Process::new(1));
    }

    pub fn get() -> Arc<Thread> {
        CURRENT.with(Arc::clone)
    }

    pub fn signal_pending() -> bool {
        false
    }

    pub fn note_reason(_: &'static str) {}
}

#[cfg(not(test))]
mod current {
    use super::{Arc, Thread};

    pub fn get() -> Arc<Thread> {
        unreachable!()
    }

    pub fn signal_pending() -> bool {
        false
    }

    pub fn note_reason(_: &'static str) {}
}
