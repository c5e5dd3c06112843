//! From the gate to the handler and back to the application.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::arch::frame::TrapFrame;
use crate::errno::{self, Errno};
use crate::sched;
use crate::signal::{self, Restart};
use crate::syscall::{table, trace};

/// rt_sigreturn(2).
const SIGRETURN: u64 = 15;

/// Numbers up to here are counted one by one; others together in the last place.
const COUNTED: usize = 512;
static COUNTS: [AtomicU64; COUNTED + 1] = [const { AtomicU64::new(0) }; COUNTED + 1];
static TRAPPED: AtomicU64 = AtomicU64::new(0);
/// Whether calls are traced; set once at start.
static TRACED: AtomicBool = AtomicBool::new(false);

/// Turns the trace on.
pub fn trace_calls() {
    TRACED.store(true, Ordering::Relaxed);
}

/// Notes that a call arrived by a trap instead of through a stub.
pub fn count_trapped() {
    TRAPPED.fetch_add(1, Ordering::Relaxed);
}

/// How often each call was made, by name; calls never made are left out.
pub fn counts() -> impl Iterator<Item = (&'static str, u64)> {
    COUNTS.iter().enumerate().filter_map(|(number, count)| {
        let count = count.load(Ordering::Relaxed);
        let name = table::entry(number as u64).map_or("other", |entry| entry.name);
        (count > 0).then_some((name, count))
    })
}

/// All calls: those that came through stubs, and those that trapped.
pub fn totals() -> (u64, u64) {
    let all: u64 = COUNTS
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .sum();
    let trapped = TRAPPED.load(Ordering::Relaxed);
    (all.saturating_sub(trapped), trapped)
}

/// Serves the call in `frame`: puts its result there and does what is due before the application
/// goes on.
#[inline]
pub fn serve(frame: &mut TrapFrame) {
    let number = frame.rax;
    let slot = &COUNTS[usize::try_from(number).map_or(COUNTED, |number| number.min(COUNTED))];
    slot.store(slot.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    if TRACED.load(Ordering::Relaxed) {
        return serve_traced(frame, number);
    }
    finish(frame, number, table::call(number, &frame.arguments()));
}

#[cold]
fn serve_traced(frame: &mut TrapFrame, number: u64) {
    let arguments = frame.arguments();
    let entered = trace::enter(number, &arguments);
    errno::forget_reason();
    let result = table::call(number, &arguments);
    trace::leave(entered, number, &arguments, result);
    finish(frame, number, result);
}

/// Stores the result; attends to signals and scheduling if anything is pending.
#[inline(always)]
fn finish(frame: &mut TrapFrame, number: u64, result: Result<usize, Errno>) {
    match result {
        Ok(value) => frame.rax = value as u64,
        Err(errno) => return fail(frame, number, errno),
    }
    if sched::attention().load(Ordering::Relaxed) != 0 || signal::pending_for_current() {
        leave(frame);
    }
}

#[cold]
fn fail(frame: &mut TrapFrame, number: u64, errno: Errno) {
    if number == SIGRETURN {
        // The one call that replaces the caller's registers instead of returning.
        signal::sigreturn(frame);
        return leave(frame);
    }
    if errno == Errno::ENOSYS {
        trace::note_unimplemented(number);
    }
    frame.rax = (-i64::from(errno.number())).cast_unsigned();
    let restart = Restart::from_errno(number, errno);
    if restart.is_some() || sched::attention().load(Ordering::Relaxed) != 0 {
        return leave_with(frame, restart);
    }
    if signal::pending_for_current() {
        leave_with(frame, None);
    }
}

/// What is due before the application goes on: host signals, due timers, other threads' turns, and
/// signals to deliver.
#[cold]
pub fn leave(frame: &mut TrapFrame) {
    leave_with(frame, None);
}

#[cold]
fn leave_with(frame: &mut TrapFrame, restart: Option<Restart>) {
    if sched::attention().load(Ordering::Relaxed) != 0 {
        sched::serve_attention();
    }
    signal::deliver(frame, restart);
}
