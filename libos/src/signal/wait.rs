//! Calls that wait for signals, and calls with a mask of their own.

use crate::errno::{Errno, Result};
use crate::signal::info::SigInfo;
use crate::signal::set::SignalSet;
use crate::signal::state::{pending_for_current, take_pending};
use crate::sync::wait::{WaitQueue, Woken};
use crate::task;
use crate::time::Instant;

/// Makes `mask` the running thread's until the next return to the application, where handlers see
/// the old one as the mask to go back to.
fn borrow_mask(mask: SignalSet) {
    task::with_current(|thread| {
        let signals = &thread.signals;
        signals.own(|own| own.saved_mask = Some(signals.blocked()));
        signals.set_blocked(mask);
    });
}

fn return_mask() {
    task::with_current(|thread| {
        if let Some(mask) = thread.signals.own(|own| own.saved_mask.take()) {
            thread.signals.set_blocked(mask);
        }
    });
}

/// Runs `call` with the running thread's signal mask replaced by `mask`, as ppoll(2) and
/// epoll_pwait(2) do. If a signal is pending then, its handler runs before the old mask is back.
pub fn with_mask<T>(mask: Option<u64>, call: impl FnOnce() -> T) -> T {
    let Some(mask) = mask else { return call() };
    borrow_mask(SignalSet::from_bits(mask));
    let result = call();
    if !pending_for_current() {
        return_mask();
    }
    result
}

/// Sleeps until a signal that the thread does not block is pending.
///
/// # Errors
/// Always: ERESTARTNOHAND.
pub fn pause() -> Result<core::convert::Infallible> {
    let nobody = WaitQueue::new();
    loop {
        if let Err(Woken::Interrupted) = nobody.wait_until(None, || None::<()>) {
            return Err(Errno::ERESTARTNOHAND);
        }
    }
}

/// As [`pause`], with `mask` for as long as it lasts.
///
/// # Errors
/// Always: ERESTARTNOHAND.
pub fn suspend(mask: SignalSet) -> Result<core::convert::Infallible> {
    borrow_mask(mask);
    pause()
}

/// Takes a signal of `set`, sleeping until there is one.
///
/// # Errors
/// EAGAIN at `deadline`; EINTR for another signal.
pub fn timed_wait(set: SignalSet, deadline: Option<Instant>) -> Result<SigInfo> {
    let process = task::current_process();
    let set = set.minus(SignalSet::UNSTOPPABLE);
    process
        .signals
        .arrived
        .wait_until(deadline, || take_pending(set))
        .map_err(|woken| match woken {
            Woken::TimedOut => Errno::EAGAIN,
            Woken::Interrupted => Errno::EINTR,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::send::to_process;

    fn send(signo: i32) {
        let info = SigInfo::from_process(signo, 0, 1, 0);
        to_process(&task::current_process(), info).expect("room");
    }

    #[test]
    fn a_pending_signal_is_taken_at_once() {
        let set = SignalSet::of(&[15]);
        task::with_current(|thread| thread.signals.set_blocked(set));
        send(15);
        assert_eq!(timed_wait(set, None).map(|info| info.signo), Ok(15));
        let now = Some(Instant::now());
        assert_eq!(timed_wait(set, now).err(), Some(Errno::EAGAIN));
    }

    #[test]
    fn another_signal_interrupts() {
        send(15);
        let other = timed_wait(SignalSet::of(&[10]), None);
        assert_eq!(other.err(), Some(Errno::EINTR));
        assert_eq!(pause().err(), Some(Errno::ERESTARTNOHAND));
    }

    #[test]
    fn a_borrowed_mask_is_returned_unless_a_signal_waits_for_it() {
        let outer = SignalSet::of(&[15]);
        let blocked = || task::with_current(|thread| thread.signals.blocked());
        task::with_current(|thread| thread.signals.set_blocked(outer));
        let inside = with_mask(Some(0), blocked);
        assert_eq!((inside, blocked()), (SignalSet::EMPTY, outer));
        send(15);
        with_mask(Some(0), || ());
        assert_eq!(blocked(), SignalSet::EMPTY, "until the handler runs");
        let saved = task::with_current(|thread| thread.signals.own(|own| own.saved_mask));
        assert_eq!(saved, Some(outer));
    }
}
