//! Who runs: sleeping and waking, the switch, the idle loop.
//!
//! - [`queue`]: the run queue, as pure data.
//! - [`host`]: threads that wait for host handles, and the poll that serves them.
//!
//! A thread is running, runnable (in the queue), about to sleep, asleep, or dead. It gives up the
//! CPU in [`sleep`], [`yield_now`] or [`exit_current`]; whoever finds the queue empty idles on its
//! own stack, in one poll of all awaited host handles with the next timer as timeout.
//!
//! Neighbours: `sync::wait` builds conditions on this; `time::timer` says what is due; `arch`
//! switches stacks.

pub mod host;
pub mod queue;
#[cfg(not(test))]
mod switch;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::sync::SpinLock;
use crate::task::{RunState, Thread};
use crate::time::{Instant, timer};

#[cfg(not(test))]
pub use switch::{after_switch, exit_current, start_first};

use queue::RunQueue;

static QUEUE: RunQueue = RunQueue::new();

/// Not 0: something wants attention before the next return to the application or the next sleep.
/// Bit 0: reschedule; bit n: host signal n.
static ATTENTION: AtomicU32 = AtomicU32::new(0);
const RESCHEDULE: u32 = 1;

/// Host ticks so far; a statistic.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// The attention word, which also cancels an idle poll.
pub fn attention() -> &'static AtomicU32 {
    &ATTENTION
}

/// Notes a preemption tick; called from the host-signal handler.
pub fn request_reschedule() {
    TICKS.store(TICKS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    ATTENTION.fetch_or(RESCHEDULE, Ordering::Relaxed);
}

/// Whom host signals are for.
static HOST_SIGNAL: SpinLock<fn(i32)> = SpinLock::new(|_| ());

/// Sets who gets the host's signals, in thread context.
pub fn on_host_signal(post: fn(i32)) {
    *HOST_SIGNAL.lock() = post;
}

/// Notes a host signal (1..=31); called from the host-signal handler.
pub fn note_host_signal(signo: i32) {
    if let Some(bit) = u32::try_from(signo)
        .ok()
        .and_then(|signo| 1_u32.checked_shl(signo))
    {
        ATTENTION.fetch_or(bit, Ordering::Relaxed);
    }
}

/// Whether a tick has anything to do; if not, the interrupted code just goes on.
pub fn tick_has_work() -> bool {
    let attention = ATTENTION.swap(0, Ordering::Relaxed);
    let work = attention & !RESCHEDULE != 0
        || !QUEUE.is_empty()
        || host::anyone_waits()
        || crate::time::tick_wanted()
        || timer::is_due();
    if work {
        ATTENTION.fetch_or(attention, Ordering::Relaxed);
    }
    work
}

/// Serves the attention word, in thread context with nothing locked: posts host signals, runs due
/// timers, lets others run after a tick.
pub fn serve_attention() {
    let attention = ATTENTION.swap(0, Ordering::Relaxed);
    post_host_signals(attention);
    if attention & RESCHEDULE != 0 {
        crate::time::tick();
        timer::expire(Instant::now());
        host::check();
        QUEUE.stir(draw());
        yield_now();
    }
}

/// A number that varies from tick to tick (xorshift; Marsaglia 2003). Not for secrets.
fn draw() -> u32 {
    static STATE: AtomicU32 = AtomicU32::new(0x9e37_79b9);
    let mut state = STATE.load(Ordering::Relaxed);
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    STATE.store(state, Ordering::Relaxed);
    state
}

fn post_host_signals(attention: u32) {
    for signo in (1..32).filter(|signo| attention & (1_u32 << signo) != 0) {
        let post = *HOST_SIGNAL.lock();
        post(signo);
    }
}

/// Marks the running `thread` as about to sleep: from now on [`wake`] is remembered.
pub fn prepare_to_sleep(thread: &Arc<Thread>) {
    thread.set_run_state(RunState::AboutToSleep);
}

/// Gives up the CPU until [`wake`], which may have come since [`prepare_to_sleep`], or `deadline`.
pub fn sleep(deadline: Option<Instant>) {
    let thread = crate::task::current_arc();
    if thread.run_state() != RunState::AboutToSleep {
        return;
    }
    let armed = deadline.map(|at| timer::arm_wake(at, Arc::clone(&thread)));
    thread.set_run_state(RunState::Asleep);
    run_next();
    if let Some(key) = armed {
        timer::disarm(key);
    }
}

/// Ends what [`prepare_to_sleep`] began: the thread runs.
pub fn finish_sleep(thread: &Arc<Thread>) {
    thread.set_run_state(RunState::Running);
}

/// Makes `thread` runnable if it sleeps or is about to; says whether it did.
pub fn wake(thread: &Arc<Thread>) -> bool {
    match thread.run_state() {
        RunState::AboutToSleep => {
            thread.set_run_state(RunState::Running);
            true
        }
        RunState::Asleep => {
            thread.set_run_state(RunState::Runnable);
            QUEUE.push(Arc::clone(thread));
            true
        }
        RunState::Running | RunState::Runnable | RunState::Dead => false,
    }
}

/// Makes a new thread runnable.
pub fn start(thread: Arc<Thread>) {
    thread.set_run_state(RunState::Runnable);
    QUEUE.push(thread);
}

/// Wakes `thread` from an interruptible sleep, because a signal is pending for it. All sleeps that
/// are not interruptible check their condition again.
pub fn interrupt(thread: &Arc<Thread>) {
    wake(thread);
}

/// Lets other threads run, if there are any, those whose sleep is over by now included.
pub fn yield_now() {
    expire_due();
    if QUEUE.is_empty() {
        return;
    }
    let thread = crate::task::current_arc();
    thread.set_run_state(RunState::Runnable);
    QUEUE.push(Arc::clone(&thread));
    drop(thread);
    run_next();
}

/// Runs timers that are due, at the price of a glance at the clock.
fn expire_due() {
    if timer::is_due() {
        timer::expire(Instant::now());
    }
}

/// Number of runnable threads, the running one included.
pub fn runnable() -> usize {
    QUEUE.len() + 1
}

/// Host ticks so far.
pub fn ticks() -> u64 {
    TICKS.load(Ordering::Relaxed)
}

/// Switches to the next runnable thread, idling until there is one.
#[cfg(not(test))]
fn run_next() {
    let next = next_runnable();
    next.set_run_state(RunState::Running);
    switch::to(next);
    crate::errno::forget_reason();
}

#[cfg(test)]
fn run_next() {
    let thread = crate::task::current_arc();
    while thread.run_state() == RunState::Asleep {
        timer::expire(Instant::now());
        std::thread::yield_now();
    }
}

#[cfg(not(test))]
fn next_runnable() -> Arc<Thread> {
    expire_due();
    loop {
        if let Some(next) = QUEUE.pop() {
            host::service_devices_now_and_then();
            return next;
        }
        // Idle time is nobody's CPU time, though it passes on the last thread's stack.
        crate::task::with_current(|thread| thread.account_cpu(crate::time::cycles::now()));
        idle();
        crate::task::with_current(|thread| thread.begin_cpu(crate::time::cycles::now()));
    }
}

/// Nothing can run: waits for a timer, a host handle or a host signal.
#[cfg(not(test))]
fn idle() {
    let attention = ATTENTION.swap(0, Ordering::Relaxed);
    post_host_signals(attention);
    timer::expire(Instant::now());
    if QUEUE.is_empty() && !host::service_devices() {
        host::poll(timer::next_deadline());
    }
}
