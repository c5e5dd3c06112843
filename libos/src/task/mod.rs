//! Processes and threads as objects, and who is running.
//!
//! - [`Process`]: what threads share: descriptors, file-system context, signal actions, identity.
//! - [`Thread`]: what each has for itself.
//! - [`clone`]: new threads; [`exit`]: their end and the program's.
//! - [`stack`]: the stacks on which threads run inside the libOS.
//!
//! There is one process now; nothing relies on that but the end of the program.

pub mod clone;
pub mod credentials;
pub mod exit;
pub mod identity;
pub mod limits;
pub mod oddments;
mod process;
pub mod robust;
pub mod stack;
mod thread;
pub mod uts;

use alloc::sync::Arc;

pub use exit::{exit_by_signal, exit_group};
pub use process::Process;
pub use thread::{RunState, Thread, Tid};

pub use current::with_current;
#[cfg(not(test))]
pub use current::{adopt_extended_state, on_libos_stack};

/// The running thread.
#[inline]
pub fn current_arc() -> Arc<Thread> {
    current::get()
}

/// The running thread's process.
pub fn current_process() -> Arc<Process> {
    with_current(|thread| Arc::clone(thread.process()))
}

/// Whether the running thread must stop waiting: a signal that it does not block is pending.
pub fn signal_pending() -> bool {
    crate::signal::pending_for_current()
}

#[cfg(test)]
mod current {
    use super::{Arc, Process, Thread};

    std::thread_local! {
        static CURRENT: Arc<Thread> = {
            let process = Process::new(1);
            let thread = Thread::new(1, Arc::clone(&process));
            process.threads.lock().insert(1, Arc::clone(&thread));
            thread
        };
    }

    pub fn get() -> Arc<Thread> {
        CURRENT.with(Arc::clone)
    }

    /// Calls `action` with the running thread, without touching its reference count.
    pub fn with_current<T>(action: impl FnOnce(&Thread) -> T) -> T {
        CURRENT.with(|thread| action(thread))
    }
}

#[cfg(not(test))]
mod current {
    use super::{Arc, Thread};
    use crate::arch::vcpu;

    pub fn get() -> Arc<Thread> {
        let thread = vcpu::current().cast::<Thread>();
        // SAFETY: the scheduler holds a reference to the running thread, made by `Arc`, so the count
        // is at least one and the pointer is an `Arc`'s.
        unsafe {
            Arc::increment_strong_count(thread);
            Arc::from_raw(thread)
        }
    }

    /// Calls `action` with the running thread, without touching its reference count.
    #[inline]
    pub fn with_current<T>(action: impl FnOnce(&Thread) -> T) -> T {
        // SAFETY: the scheduler keeps the running thread alive; `action` may sleep, but this
        // thread's own code runs only while it is alive.
        action(unsafe { &*vcpu::current().cast::<Thread>() })
    }

    /// Whether `address` lies in the running thread's libOS stack.
    pub fn on_libos_stack(address: u64) -> bool {
        with_current(|thread| thread.stack().contains(address))
    }

    /// Copies the kernel's extended-state image at `fpstate` into the running thread's own area and
    /// returns that area's address; 0 if there is none.
    ///
    /// # Safety
    /// `fpstate` is null, or the image that the kernel built for the present host signal.
    pub unsafe fn adopt_extended_state(fpstate: *const u8) -> u64 {
        if fpstate.is_null() {
            return 0;
        }
        with_current(|thread| {
            // SAFETY: called from the host-signal handler while the application runs: nobody else
            // looks at the thread's CPU state.
            let state = unsafe { thread.cpu_state() };
            let Some(area) = state.interrupted_area() else {
                crate::panic::stop(format_args!(
                    "out of memory for a thread's vector registers"
                ))
            };
            // SAFETY: the kernel's image has the size that CPUID reports for the enabled
            // components, which is the area's size.
            unsafe { fpstate.copy_to_nonoverlapping(area.address(), area.size()) };
            area.address() as u64
        })
    }
}
