//! The end of a thread and of the program.

use core::sync::atomic::Ordering;

use crate::futex;
use crate::sync::SpinLock;
use crate::task::{self, RunState, robust};
use crate::user::UserPtr;

/// What is done when the program ends, in this order.
static AT_EXIT: SpinLock<[fn(u8); 2]> = SpinLock::new([|_| (), |_| ()]);

/// Sets what layers above want done when the program ends, in this order. Each gets the exit status.
pub fn at_exit(actions: [fn(u8); 2]) {
    *AT_EXIT.lock() = actions;
}

/// Ends the running thread; the program too if it is the last. `status` is exit(2)'s.
pub fn exit_thread(status: i32) -> ! {
    let last = leave(status);
    if last {
        exit_group(status);
    }
    #[cfg(not(test))]
    crate::sched::exit_current();
    #[cfg(test)]
    panic!("thread exit in a host test");
}

/// Everything that a thread owes others before it is gone. Says whether it was the last.
fn leave(_status: i32) -> bool {
    let thread = task::current_arc();
    robust::release_all(&thread);
    let place = thread.clear_child_tid.swap(0, Ordering::Relaxed);
    if place != 0 {
        // A bad address is the program's own fault; Linux ignores it too.
        let _ = UserPtr::<i32>::new(place).write(0);
        futex::wake_address(place, 1);
    }
    let process = thread.process();
    let mut threads = process.threads.lock();
    threads.remove(&thread.tid());
    let last = threads.is_empty();
    drop(threads);
    crate::signal::thread_exited(&thread);
    thread.set_run_state(RunState::Dead);
    last
}

/// Ends the program: `status` modulo 256, as exit_group(2).
pub fn exit_group(status: i32) -> ! {
    finish(u8::try_from(status & 0xff).unwrap_or(u8::MAX))
}

/// Ends the program because of signal `signo`: status 128 + signo.
pub fn exit_by_signal(signo: i32) -> ! {
    finish(u8::try_from(128 + (signo & 0x7f)).unwrap_or(u8::MAX))
}

fn finish(status: u8) -> ! {
    let actions = *AT_EXIT.lock();
    for action in actions {
        action(status);
    }
    crate::hypercall::exit(status)
}
