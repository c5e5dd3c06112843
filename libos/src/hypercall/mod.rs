//! The only road to the host: seven calls, each on a handle that the tender opened.
//!
//! - [`raw`](self): the instructions (assembly, the one place in the libOS with a `syscall`).
//! - [`calls`]: the typed calls. Errors are decoded here and travel as [`crate::errno::Errno`].
//! - [`clock`]: the time, through the host's vDSO where that answers without entering the kernel.
//!
//! In host tests there is no tender: handles are absent, and the clock is the standard library's.

pub mod calls;
pub mod clock;
#[cfg(not(test))]
mod raw;

pub use calls::{PollFd, count, exit, poll, pread, pwrite, read, write};
pub use clock::{clock_ns, monotonic_ns, realtime_ns};
#[cfg(not(test))]
pub use raw::poll_window;
