//! AF_INET and AF_INET6.
//!
//! - [`tcp`]: TCP sockets, and their loopback.
//! - [`host`]: the one network stack, its interfaces over host handles, its timer.
//! - [`interfaces`]: interfaces and routes as Linux shows them; [`neighbours`]: who is on the links; [`ioctl`]: asked for by
//!   ioctl(2).
//! - [`loopback`]: what goes over it, counted.
//! - [`address`]: socket addresses; [`route`]: whose they are; [`ports`]: who holds which port.
//! - [`sockets`](init): what the stack asks of all of these sockets.
//! - [`options`]: the options that all of these sockets share.
//! - [`resolver`]: name servers and host names, in `/etc`.
//! - [`datagram`]: UDP, ICMP echo and raw ICMP sockets.
//! - [`first_address`]: what a program's start waits for.
//! - [`farewell`]: what becomes of connections when the program ends.

pub mod address;
pub mod datagram;
mod farewell;
mod first_address;
pub mod host;
pub mod interfaces;
pub mod ioctl;
pub mod loopback;
pub mod neighbours;
pub mod options;
pub mod ports;
pub mod resolver;
pub mod route;
mod sockets;
pub mod tcp;

use alloc::sync::Arc;

use libos_abi::boot::BootInfo;

use crate::errno::{Errno, Result};
use crate::net::socket::Socket;
use address::Family;
pub use farewell::farewell;
use tcp::TcpSocket;

/// One more than the highest protocol (`IPPROTO_MAX`).
const PROTOCOL_LIMIT: u32 = 263;

/// SOCK_STREAM.
const STREAM: u32 = 1;

/// Brings the stack up, with the sockets over it, and waits for addresses that it is to learn.
pub fn init(info: &'static BootInfo) {
    sockets::init();
    host::init(info);
    resolver::init(info);
    first_address::await_addresses();
}

/// A new socket of AF_INET or AF_INET6, for socket(2).
///
/// # Errors
/// ESOCKTNOSUPPORT, EPROTONOSUPPORT; EPERM for a raw socket without CAP_NET_RAW.
pub fn create(family: Family, socket_type: u32, protocol: u32) -> Result<Arc<dyn Socket>> {
    if protocol >= PROTOCOL_LIMIT {
        return Err(Errno::EINVAL);
    }
    if datagram::is_datagram(socket_type) {
        return Ok(datagram::create(family, socket_type, protocol)?);
    }
    if socket_type != STREAM {
        return Err(Errno::ESOCKTNOSUPPORT);
    }
    tcp::check_protocol(protocol)?;
    Ok(TcpSocket::new(family))
}
