//! AF_INET and AF_INET6.
//!
//! - [`host`]: the one network stack, its interfaces over host handles, its timer.
//! - [`interfaces`]: interfaces and routes as Linux shows them.
//! - [`address`]: socket addresses; [`route`]: whose they are; [`ports`]: who holds which port.
//! - [`options`]: the options that all of these sockets share.

pub mod address;
pub mod host;
pub mod interfaces;
pub mod options;
pub mod ports;
pub mod route;
