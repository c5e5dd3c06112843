//! AF_INET and AF_INET6.
//!
//! - [`host`]: the one network stack, its interfaces over host handles, its timer.

pub mod host;
