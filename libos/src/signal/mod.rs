//! Signals: actions, masks, queues, delivery.
//!
//! [`ProcessSignals`] belongs to a process, [`ThreadSignals`] to a thread.

use crate::arch::frame::TrapFrame;
use crate::errno::Errno;
use crate::task::{self, Fault, Thread};

/// Smallest stack that holds a signal frame (AT_MINSIGSTKSZ), in bytes.
pub const MIN_STACK: usize = 4096;

/// Signal actions and the signals pending for the process as a whole.
#[derive(Default)]
pub struct ProcessSignals {}

/// Mask, pending signals and alternate stack of one thread.
#[derive(Default)]
pub struct ThreadSignals {}

impl ThreadSignals {
    /// A new thread starts with its creator's mask.
    pub fn inherit(&self, creator: &Self) {
        let _ = creator;
    }
}

/// A call that a signal interrupted and that may have to be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The call's number.
    pub number: u64,
    /// How it wants to be restarted.
    pub errno: Errno,
}

impl Restart {
    /// `Some` if `errno` is one of those that ask for a restart.
    pub fn from_errno(number: u64, errno: Errno) -> Option<Self> {
        matches!(errno, Errno::ERESTARTSYS | Errno::ERESTARTNOHAND)
            .then_some(Self { number, errno })
    }
}

/// Whether a signal that the running thread does not block is pending.
#[inline]
pub fn pending_for_current() -> bool {
    false
}

/// Delivers what is pending to the thread of `frame`, and settles an interrupted call.
pub fn deliver(frame: &mut TrapFrame, restart: Option<Restart>) {
    if restart.is_some() {
        frame.rax = (-i64::from(Errno::EINTR.number())).cast_unsigned();
    }
}

/// The application faulted.
pub fn force_fault(frame: &mut TrapFrame, fault: &Fault) {
    let _ = frame;
    task::exit_by_signal(fault.signo)
}

/// The host sent `signo` to the tender's process.
pub fn post_from_host(signo: i32) {
    task::exit_by_signal(signo)
}

/// `thread` is gone; what was pending for it alone goes with it.
pub fn thread_exited(thread: &Thread) {
    let _ = thread;
}

/// A write to a pipe or socket that nobody reads.
pub const SIGPIPE: i32 = 13;

/// Sends `signal` to the running thread, as a fault of its own doing (SIGPIPE).
pub fn send_to_current(signal: i32) {
    let _ = signal;
}

/// Runs `call` with the running thread's signal mask replaced by `mask`, as ppoll(2) and
/// epoll_pwait(2) do. If a signal interrupts it, the handler runs before the old mask is back.
pub fn with_mask<T>(mask: Option<u64>, call: impl FnOnce() -> T) -> T {
    let _ = mask;
    call()
}

/// Whether `signo` is a signal's number.
pub const fn is_signal(signo: i32) -> bool {
    signo >= 1 && signo <= 64
}
