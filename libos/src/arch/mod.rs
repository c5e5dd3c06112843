//! The CPU: the register file, the gate, the switch, host signals.
//!
//! - [`frame::TrapFrame`]: what an interrupted or calling application thread had in its registers.
//! - [`gate`]: from a redirected `syscall` to [`crate::syscall`], and back.
//! - [`context`]: from one thread's libOS stack to another's.
//! - [`xstate`]: vector and floating-point state that the gate does not save.
//! - [`interrupt`]: host signals: faults, preemption ticks, requests to stop.
//! - [`sites`]: addresses in stubs, and the application's addresses that they stand for.
//! - [`vcpu`]: what a host thread reaches through `%gs`.
//!
//! Assembly lives here, in `hypercall::raw` and in `user::copy`, and nowhere else.

pub mod frame;
pub mod sites;
pub mod xstate;

#[cfg(not(test))]
pub mod context;
#[cfg(not(test))]
mod gate;
#[cfg(not(test))]
pub mod interrupt;
#[cfg(not(test))]
pub mod vcpu;
