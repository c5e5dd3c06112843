//! AF_INET and AF_INET6.
//!
//! - [`host`]: the one network stack, its interfaces over host handles, its timer.
//! - [`interfaces`]: interfaces and routes as Linux shows them.

pub mod host;
pub mod interfaces;
