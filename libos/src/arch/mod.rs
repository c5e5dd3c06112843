//! The CPU: the register file, the switch, extended state, what `%gs` points to.
//!
//! - [`frame::TrapFrame`]: what an interrupted or calling application thread had in its registers.
//! - [`context`]: from one thread's libOS stack to another's.
//! - [`xstate`]: vector and floating-point state that the gate does not save.
//! - [`event`]: what interrupts the application, as data.
//! - [`sites`]: addresses in stubs, and the application's addresses that they stand for.
//! - [`vcpu`]: what a host thread reaches through `%gs`.
//!
//! What enters the libOS from the application is in `entry`. Assembly lives here, in `entry`, in
//! `start`, in `hypercall::raw` and in `user::copy`, and nowhere else.

pub mod event;
pub mod frame;
pub mod sites;
pub mod xstate;

#[cfg(not(test))]
pub mod context;
#[cfg(not(test))]
pub mod vcpu;
