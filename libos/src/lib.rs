//! A library operating system: the Linux system-call ABI, implemented inside the process.
//!
//! The application's `syscall` instructions were redirected to the gate of `entry` at build time, so a
//! system call is a function call into [`syscall`], which decodes it and delegates to the subsystem
//! that owns it. Only [`hypercall`] talks to the host, and it knows seven calls.
//!
//! Principles:
//! 1. Arrows point down: application → `syscall` → subsystem → `hypercall`.
//! 2. The libOS is not preemptible; application code is. A thread gives up the CPU by blocking.
//! 3. All shared state sits behind locks, though there is one vCPU now.
//! 4. An application's pointer is a claim: only [`user`] dereferences it.
//! 5. Pure logic compiles under plain `cargo test`; the host and the CPU are behind small seams.
//!
//! Modules, from the top: `start`, `report` and `entry`, `syscall`, `views` and `crash`, `net`, `fs`, `signal`, then `task`,
//! `sched`, `futex`, `time`, then `user`, `mm`, `arch`, `sync`, `hypercall`, `boot`. `docs/architecture.md` says more.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod arch;
pub mod boot;
pub mod crash;
#[cfg(not(test))]
pub mod entry;
pub mod errno;
pub mod fs;
pub mod futex;
pub mod hypercall;
pub mod mm;
pub mod net;
#[cfg(not(test))]
pub mod panic;
pub mod random;
pub mod report;
pub mod sched;
pub mod signal;
pub mod sorted_map;
#[cfg(not(test))]
pub mod start;
pub mod stderr;
pub mod sync;
pub mod syscall;
pub mod task;
pub mod time;
pub mod user;
pub mod views;
pub mod word_map;
