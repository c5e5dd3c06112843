//! Locks and sleeping.
//!
//! - [`SpinLock`]: guards data; never held across anything that can block.
//! - [`wait::WaitQueue`]: where threads sleep until a condition holds, and where pollers listen.
//!
//! Lock order, outermost first (take no lock above one that is held):
//!
//! ```text
//! process tables (threads, files, fs context, signal actions)
//!   file (one open file: pipe, eventfd, epoll, socket, inode)
//!     address space
//!       page allocator
//!     wait queue
//!       thread (signals, wait state)
//!         run queue, timer queue
//!           heap
//! ```

pub mod events;
mod spin;
pub mod wait;

pub use spin::{SpinGuard, SpinLock};
