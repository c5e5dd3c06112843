//! Signals: actions, masks, queues, delivery.
//!
//! - [`set`], [`info`], [`action`], [`queue`], [`altstack`]: the vocabulary, as plain data.
//! - [`state`]: what a process and a thread keep ([`ProcessSignals`], [`ThreadSignals`]).
//! - [`send`]: which queue a signal goes to, and who must wake.
//! - [`deliver`](mod@deliver): the way back to the application: default actions, handlers, the return from them.
//! - [`ucontext`], [`fpstate`], [`frame`], [`restart`]: the frame that a handler sees.
//! - [`wait`]: calls that wait for signals, and calls with a mask of their own.
//!
//! Neighbours: `arch` turns host signals into [`post_from_host`] and [`force_fault`]; the dispatcher
//! calls [`deliver()`] before the application goes on; `time` sends what timers send. Stopping and
//! continuing the process is not done here: nobody inside the image could continue it.

pub mod action;
pub mod altstack;
pub mod deliver;
mod extended;
pub mod fpstate;
pub mod frame;
pub mod info;
pub mod names;
pub mod queue;
pub mod restart;
pub mod send;
pub mod set;
pub mod state;
pub mod ucontext;
pub mod wait;

pub use deliver::{deliver, force_fault, sigreturn};
pub use info::SigInfo;
pub use restart::{Restart, resume, resume_later};
pub use send::{post_from_host, send_to_current, thread_exited, to_process, to_thread};
pub use set::{SIGPIPE, SignalSet, is_signal};
pub use state::{ProcessSignals, ThreadSignals, peek_pending, pending_for_current, take_pending};
pub use wait::with_mask;

/// Smallest stack that holds a signal frame on this CPU (`AT_MINSIGSTKSZ`), in bytes.
pub fn min_stack() -> usize {
    /// Red zone, and what the alignment of the two parts may cost.
    const SLACK: usize = 128 + 64 + 24;
    let image = fpstate::frame_size(fpstate::shape());
    (image + size_of::<ucontext::RtSigframe>() + SLACK).next_multiple_of(16)
}
