//! The system-call table and its handlers.
//!
//! [`table`] has one line per call; each family file decodes arguments and delegates to the
//! subsystem that owns the matter. Only [`dispatch`] makes a negative number of an error.

pub mod attributes;
pub mod convert;
pub mod document;
pub mod epoll;
pub mod event;
pub mod fd;
pub mod file_io;
pub mod futex;
pub mod identity;
pub mod listing;
pub mod memory;
pub mod message;
pub mod metadata;
mod numa;
pub mod open;
pub mod path;
pub mod poll;
pub mod prctl;
pub mod residency;
pub mod schedule;
pub mod signal;
pub mod socket;
pub mod splice;
pub mod storage;
pub mod system;
pub mod table;
pub mod task;
pub mod time;
pub mod timer;
pub mod xattr;

mod control;
mod dispatch;
mod trace;

pub use dispatch::{count_trapped, counts, leave, serve, totals, trace_calls};
