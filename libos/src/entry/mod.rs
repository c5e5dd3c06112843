//! The ways into the libOS from the application.
//!
//! - [`gate`]: from a redirected `syscall` to [`crate::syscall`], and back.
//! - [`interrupt`]: host signals: faults, preemption ticks, requests to stop, trapped calls.
//!
//! It stands above everything that it calls. The registers that both save are
//! [`crate::arch::frame::TrapFrame`].

mod gate;
pub mod interrupt;
