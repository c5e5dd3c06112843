//! TCP/IP over frames.
//!
//! The protocol half of the network, without system calls, threads or clocks: frames and the time
//! come in as arguments, frames and events go out. The libOS puts Linux's sockets over it, the
//! user-mode network helper puts the host's sockets behind it.
//!
//! - [`stack::Stack`]: all of it together: interfaces, routes, and the transports.
//! - [`device::Device`]: where an interface's frames go.
//! - [`owner::Owner`]: who decides on connections and takes datagrams.
//! - [`tcp`]: connections, found by a hash of their addresses, over an engine behind a trait.
//! - [`traffic`]: what went through, counted.
//! - [`ip`]: addresses, routes, neighbours, fragments, ICMP, configuration.
//!
//! It has no sockets, no ports to reserve and no loopback: these are the owner's.

#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

pub mod address;
mod bytes;
pub mod checksum;
pub mod config;
pub mod device;
pub mod ip;
mod link;
pub mod output;
pub mod owner;
mod random;
pub mod stack;
pub mod tcp;
pub mod traffic;
mod udp;
pub mod vnet;

/// Points in time, in microseconds since an origin that the caller chooses.
pub mod time {
    pub use smoltcp::time::{Duration, Instant};
}
