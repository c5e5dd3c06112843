//! Sending: which queue, which thread, and who must wake.

use alloc::sync::Arc;

use crate::errno::Result;
use crate::signal::info::{SI_KERNEL, SI_USER, SigInfo};
use crate::signal::set::{SIGCONT, SIGKILL, SignalSet};
use crate::signal::state::deliverable;
use crate::sync::events::PollEvents;
use crate::task::limits::Resource;
use crate::task::{self, Process, Thread};

/// To whom a signal goes.
#[derive(Clone, Copy)]
enum Target<'a> {
    Process,
    Thread(&'a Arc<Thread>),
}

/// Sends `info` to `process`; a thread that does not block it will take it.
///
/// # Errors
/// EAGAIN if too many signals are queued.
pub fn to_process(process: &Process, info: SigInfo) -> Result<()> {
    send(process, Target::Process, info)
}

/// Sends `info` to `thread` alone.
///
/// # Errors
/// EAGAIN if too many signals are queued.
pub fn to_thread(thread: &Arc<Thread>, info: SigInfo) -> Result<()> {
    let process = Arc::clone(thread.process());
    send(&process, Target::Thread(thread), info)
}

fn send(process: &Process, target: Target<'_>, info: SigInfo) -> Result<()> {
    if info.signo == SIGKILL {
        task::exit_by_signal(SIGKILL);
    }
    cancel_opposite(process, info.signo);
    if is_ignored(process, target, info.signo) {
        return Ok(());
    }
    let limit = process.limits.soft(Resource::Sigpending);
    match target {
        Target::Process => process.signals.inbox.add(info, limit)?,
        Target::Thread(thread) => thread.signals.inbox.add(info, limit)?,
    }
    process.signals.arrived.notify(PollEvents::IN);
    if let Some(thread) = taker(process, target, info.signo) {
        crate::sched::interrupt(&thread);
    }
    Ok(())
}

/// A signal to continue takes back pending ones to stop, and the other way round.
fn cancel_opposite(process: &Process, signo: i32) {
    let opposite = if signo == SIGCONT {
        SignalSet::STOPS
    } else if SignalSet::STOPS.contains(signo) {
        SignalSet::of(&[SIGCONT])
    } else {
        return;
    };
    process.signals.inbox.flush(opposite);
    for thread in process.threads.lock().values() {
        thread.signals.inbox.flush(opposite);
    }
}

/// An ignored signal vanishes unless it is blocked: its action may change before it is unblocked.
fn is_ignored(process: &Process, target: Target<'_>, signo: i32) -> bool {
    if !process.signals.action(signo).ignores(signo) {
        return false;
    }
    let blocks = |thread: &Thread| thread.signals.blocked().contains(signo);
    let blocked = match target {
        Target::Thread(thread) => blocks(thread),
        // A thread that waits for it with sigwait(3) blocks it.
        Target::Process => process.threads.lock().values().any(|thread| blocks(thread)),
    };
    !blocked
}

/// The thread that is to take it: the current one if it can (when idle it sleeps, and must wake), else any
/// that does not block it.
fn taker(process: &Process, target: Target<'_>, signo: i32) -> Option<Arc<Thread>> {
    let takes = |thread: &Thread| !thread.signals.blocked().contains(signo);
    match target {
        Target::Thread(thread) => takes(thread).then(|| Arc::clone(thread)),
        Target::Process => {
            let running = task::current_arc();
            if core::ptr::eq(Arc::as_ptr(running.process()), process) && takes(&running) {
                return Some(running);
            }
            let threads = process.threads.lock();
            threads
                .values()
                .find(|thread| takes(thread))
                .map(Arc::clone)
        }
    }
}

/// The host sent `signo` to the tender's process.
pub fn post_from_host(signo: i32) {
    let info = SigInfo::from_process(signo, SI_USER, 0, 0);
    // Without a value it is never refused: see `Pending::add`.
    let _ = to_process(&task::current_process(), info);
}

/// Sends `signo` to the running thread for something that its call did (SIGPIPE, SIGXFSZ).
pub fn send_to_current(signo: i32) {
    let thread = task::current_arc();
    let process = thread.process();
    let credentials = process.identity.credentials();
    let info = SigInfo::from_process(signo, SI_USER, process.pid(), credentials.user.real);
    let _ = to_thread(&thread, info);
}

/// Sends `signo` from the kernel's side to a process (timers).
pub fn from_kernel(process: &Process, signo: i32) {
    let _ = to_process(process, SigInfo::new(signo, SI_KERNEL));
}

/// `thread` is gone: signals for the process that it would have taken may now concern others.
pub fn thread_exited(thread: &Thread) {
    let process = thread.process();
    let left = process.signals.inbox.set();
    if left.is_empty() {
        return;
    }
    let heirs: alloc::vec::Vec<_> = {
        let threads = process.threads.lock();
        let able = threads
            .values()
            .filter(|other| !deliverable(other).and(left).is_empty());
        able.map(Arc::clone).collect()
    };
    heirs.iter().for_each(crate::sched::interrupt);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno::Errno;
    use crate::signal::state::{pending_for_current, take_pending};
    use crate::task::RunState;
    use crate::task::limits::{Limit, Raise};

    fn user(signo: i32) -> SigInfo {
        SigInfo::from_process(signo, SI_USER, 1, 0)
    }

    #[test]
    fn an_ignored_signal_vanishes_unless_it_is_blocked() {
        let thread = task::current_arc();
        let sigchld = SignalSet::of(&[17]);
        assert_eq!(to_thread(&thread, user(17)), Ok(()));
        assert!(thread.signals.inbox.set().is_empty());
        thread.signals.set_blocked(sigchld);
        assert_eq!(to_thread(&thread, user(17)), Ok(()));
        assert_eq!(thread.signals.inbox.set(), sigchld);
        assert!(!pending_for_current());
        thread.signals.set_blocked(SignalSet::EMPTY);
        assert!(pending_for_current());
        assert_eq!(take_pending(sigchld).map(|info| info.signo), Some(17));
    }

    #[test]
    fn a_signal_wakes_the_current_thread_when_all_sleep() {
        let thread = task::current_arc();
        thread.set_run_state(RunState::Asleep);
        post_from_host(15);
        assert_eq!(thread.run_state(), RunState::Runnable);
        thread.set_run_state(RunState::Running);
        assert!(take_pending(SignalSet::of(&[15])).is_some());
    }

    #[test]
    fn a_process_signal_is_pending_for_every_thread_until_one_takes_it() {
        let process = task::current_process();
        assert_eq!(to_process(&process, user(15)), Ok(()));
        assert!(pending_for_current());
        let taken = take_pending(SignalSet::of(&[15]));
        assert_eq!(taken.map(|info| info.signo), Some(15));
        assert!(!pending_for_current());
    }

    #[test]
    fn continuing_takes_back_stops() {
        let thread = task::current_arc();
        thread.signals.set_blocked(SignalSet::of(&[18, 20]));
        assert_eq!(to_thread(&thread, user(20)), Ok(()));
        assert_eq!(to_thread(&thread, user(18)), Ok(()));
        assert_eq!(thread.signals.inbox.set(), SignalSet::of(&[18]));
        assert_eq!(to_thread(&thread, user(20)), Ok(()));
        assert_eq!(thread.signals.inbox.set(), SignalSet::of(&[20]));
    }

    #[test]
    fn the_limit_is_the_processs() {
        let process = task::current_process();
        let limit = Limit { soft: 1, hard: 1 };
        process
            .limits
            .set(Resource::Sigpending, limit, Raise::Allowed)
            .expect("lowered");
        let queued = SigInfo::new(40, -1);
        assert_eq!(to_process(&process, queued), Ok(()));
        assert_eq!(to_process(&process, queued), Err(Errno::EAGAIN));
    }
}
