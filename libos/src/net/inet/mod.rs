//! AF_INET and AF_INET6.
//!
//! - [`host`]: the one network stack, its interfaces over host handles, its timer.
//! - [`interfaces`]: interfaces and routes as Linux shows them; [`ioctl`]: asked for by ioctl(2).
//! - [`address`]: socket addresses; [`route`]: whose they are; [`ports`]: who holds which port.
//! - [`sockets`](init): what the stack asks of all of these sockets.
//! - [`options`]: the options that all of these sockets share.
//! - [`resolver`]: name servers and host names, in `/etc`.
//! - [`datagram`]: UDP, ICMP echo and raw ICMP sockets.

pub mod address;
pub mod datagram;
pub mod host;
pub mod interfaces;
pub mod ioctl;
pub mod options;
pub mod ports;
pub mod resolver;
pub mod route;
mod sockets;

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::net::socket::Socket;
use address::Family;

pub use sockets::init;

/// A new socket of AF_INET or AF_INET6, for socket(2).
///
/// # Errors
/// ESOCKTNOSUPPORT, EPROTONOSUPPORT; EPERM for a raw socket without CAP_NET_RAW.
pub fn create(family: Family, socket_type: u32, protocol: u32) -> Result<Arc<dyn Socket>> {
    if datagram::is_datagram(socket_type) {
        return Ok(datagram::create(family, socket_type, protocol)?);
    }
    Err(Errno::ESOCKTNOSUPPORT)
}
