//! The switch from one thread to another, with all that belongs to a thread on the CPU.

use alloc::sync::Arc;
use core::cell::UnsafeCell;

use crate::arch::{context, vcpu, xstate};
use crate::task::{RunState, Thread};

/// The scheduler's own references: who runs, and who just exited and still stands on its stack.
struct Hands {
    running: Option<Arc<Thread>>,
    leaving: Option<Arc<Thread>>,
}

struct Cell(UnsafeCell<Hands>);

// SAFETY: used by the one vCPU's host thread alone, in thread context only.
unsafe impl Sync for Cell {}

static HANDS: Cell = Cell(UnsafeCell::new(Hands {
    running: None,
    leaving: None,
}));

/// # Safety
/// The result must not live across a switch or a second call.
unsafe fn hands() -> &'static mut Hands {
    // SAFETY: one vCPU, no preemption of the libOS; the caller keeps borrows apart.
    unsafe { &mut *HANDS.0.get() }
}

/// Makes the very first thread the running one, without a switch.
pub fn start_first(thread: Arc<Thread>) {
    thread.set_run_state(RunState::Running);
    thread.begin_cpu(context::timestamp());
    vcpu::set_current(Arc::as_ptr(&thread).cast(), thread.frame());
    // SAFETY: before the first switch; no other borrow.
    unsafe { hands().running = Some(thread) };
}

/// Switches from the running thread to `next`. Returns when the former runs again.
pub fn to(next: Arc<Thread>) {
    let previous = vcpu::current().cast::<Thread>();
    if previous == Arc::as_ptr(&next) {
        return;
    }
    // SAFETY: `running` (or, for an exiting thread, `leaving`) keeps it alive until it runs again.
    let previous = unsafe { &*previous };
    let now = context::timestamp();
    previous.account_cpu(now);
    next.begin_cpu(now);
    // SAFETY: thread context on the one vCPU; the borrow ends before the switch.
    let from = unsafe { previous.cpu_state() };
    xstate::save(&mut from.extended);
    from.fs_base = context::fs_base();
    let place = &raw mut from.saved_stack;
    vcpu::set_current(Arc::as_ptr(&next).cast(), next.frame());
    // SAFETY: as above; `next` is another thread.
    let resume = unsafe { next.cpu_state() }.saved_stack;
    // SAFETY: the borrow ends with the statement.
    let former = unsafe { hands().running.replace(next) };
    if previous.run_state() == RunState::Dead {
        // SAFETY: as above.
        unsafe { hands().leaving = former };
    }
    // A thread that is asleep or runnable is referred to by whatever will wake it, and by the
    // process's table of threads.
    // SAFETY: 1: `resume` was stored by the switch away from `next`, or made for a new thread;
    // 2: the place is in the thread, which stays alive as said.
    unsafe { context::libos_switch(place, resume) };
    after_switch();
}

/// The second half of a switch, on the new thread's stack.
pub fn after_switch() {
    // SAFETY: the running thread is alive; see `to`.
    let thread = unsafe { &*vcpu::current().cast::<Thread>() };
    // SAFETY: thread context on the one vCPU; the borrow ends with this function.
    let state = unsafe { thread.cpu_state() };
    xstate::restore(&state.extended);
    context::set_fs_base(state.fs_base);
    // Drops a thread that exited, now that nobody stands on its stack.
    // SAFETY: the borrow ends with the statement.
    drop(unsafe { hands().leaving.take() });
}

/// Leaves the running thread, which is dead, for good.
pub fn exit_current() -> ! {
    super::run_next();
    unreachable!("a dead thread was resumed")
}
