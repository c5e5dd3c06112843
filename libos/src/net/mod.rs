//! Sockets.
//!
//! - [`socket::Socket`]: what every family's sockets do; [`socket::SocketFile`]: one as a file.
//! - [`address`]: socket addresses as the application passes them.
//! - [`message`]: what a send carries and a receive yields, with control messages.
//! - [`options`]: the options of level SOL_SOCKET, which all families share.
//! - [`unix`]: AF_UNIX, inside the process.
//! - [`inet`]: AF_INET and AF_INET6.
//! - [`netlink`]: AF_NETLINK: what the network is like.
//!
//! A family plugs in by a line in [`create`].

pub mod address;

pub mod inet;
pub mod message;
pub mod netlink;
pub mod options;
pub mod socket;
pub mod unix;

use alloc::sync::Arc;

use linux_raw_sys::net::{AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX};

use libos_abi::boot::BootInfo;

use crate::errno::{Errno, Result};
use inet::address::Family;
use socket::Socket;
use unix::UnixSocket;

/// One more than the highest socket type (`SOCK_MAX`).
const TYPE_LIMIT: u32 = 11;

/// Brings the network up, as the boot information describes it.
pub fn init(info: &'static BootInfo) {
    inet::init(info);
}

/// A new socket, for socket(2).
///
/// # Errors
/// EAFNOSUPPORT, EINVAL for a number that is no type, ESOCKTNOSUPPORT, EPROTONOSUPPORT.
pub fn create(domain: u32, socket_type: u32, protocol: u32) -> Result<Arc<dyn Socket>> {
    if socket_type >= TYPE_LIMIT {
        return Err(Errno::EINVAL);
    }
    match domain {
        AF_UNIX => Ok(UnixSocket::new(unix::kind(socket_type, protocol)?)),
        AF_INET => inet::create(Family::V4, socket_type, protocol),
        AF_INET6 => inet::create(Family::V6, socket_type, protocol),
        AF_NETLINK => Ok(netlink::NetlinkSocket::create(socket_type, protocol)?),
        AF_PACKET => Err(Errno::EAFNOSUPPORT.because("frames are the network stack's own")),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// Two connected sockets, for socketpair(2).
///
/// # Errors
/// As [`create`]; EOPNOTSUPP for a family that has no pairs.
pub fn pair(domain: u32, socket_type: u32, protocol: u32) -> Result<[Arc<dyn Socket>; 2]> {
    if domain != AF_UNIX {
        create(domain, socket_type, protocol)?;
        return Err(Errno::EOPNOTSUPP);
    }
    if socket_type >= TYPE_LIMIT {
        return Err(Errno::EINVAL);
    }
    let [first, second] = UnixSocket::pair(unix::kind(socket_type, protocol)?);
    Ok([first, second])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_types_and_protocols_are_checked_in_linuxs_order() {
        for (domain, socket_type, protocol, expected) in [
            (AF_UNIX, 1, 0, None),
            (AF_UNIX, 5, 1, None),
            (AF_UNIX, 1, 2, Some(Errno::EPROTONOSUPPORT)),
            (AF_UNIX, 4, 0, Some(Errno::ESOCKTNOSUPPORT)),
            (AF_UNIX, 11, 0, Some(Errno::EINVAL)),
            (AF_INET, 2, 0, None),
            (AF_INET6, 2, 17, None),
            (AF_INET, 2, 58, Some(Errno::EPROTONOSUPPORT)),
            (AF_INET6, 2, 58, None),
            (AF_INET, 3, 0, Some(Errno::EPROTONOSUPPORT)),
            (AF_PACKET, 3, 0, Some(Errno::EAFNOSUPPORT)),
            (AF_INET, 1, 0, None),
            (AF_INET6, 1, 6, None),
            (AF_INET, 1, 17, Some(Errno::EPROTONOSUPPORT)),
            (AF_INET, 5, 0, Some(Errno::ESOCKTNOSUPPORT)),
            (AF_NETLINK, 3, 0, None),
            (AF_NETLINK, 1, 0, Some(Errno::ESOCKTNOSUPPORT)),
            (AF_NETLINK, 3, 4, Some(Errno::EPROTONOSUPPORT)),
            (999, 1, 0, Some(Errno::EAFNOSUPPORT)),
        ] {
            let result = create(domain, socket_type, protocol).err();
            assert_eq!(
                result, expected,
                "socket({domain}, {socket_type}, {protocol})"
            );
        }
    }
}
