//! Which addresses are this machine's, and from which a destination is reached: questions to the
//! stack, with loopback added, which the stack does not know. What interfaces there are is told by
//! [`super::interfaces`].

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::host;
use crate::errno::{Errno, Result};

/// Whether `address` is one of this machine's: what goes there stays in the process.
pub fn is_local(address: IpAddr) -> bool {
    address.is_loopback()
        || (host::has_interfaces() && host::with(|stack, _, _| stack.is_own(address)))
}

/// Whether a socket may be bound to `address` as its source: its own, or all.
pub fn may_bind(address: IpAddr) -> bool {
    address.is_unspecified() || is_local(address)
}

/// What an unspecified destination means: this machine.
pub fn meant_by(destination: IpAddr) -> IpAddr {
    match destination {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    }
}

/// From which address `destination` is reached.
///
/// # Errors
/// ENETUNREACH.
pub fn source_for(destination: IpAddr) -> Result<IpAddr> {
    match destination {
        IpAddr::V4(address) if address.is_loopback() => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(address) if address.is_loopback() => Ok(destination),
        _ if !host::has_interfaces() => Err(Errno::ENETUNREACH),
        _ => host::with(|stack, _, _| {
            if stack.is_own(destination) {
                return Ok(destination);
            }
            let found = stack.source_for(destination).map(|(_, source)| source);
            found.ok_or(Errno::ENETUNREACH)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there_without_any_interface() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("127.255.255.254", true),
            ("::1", true),
            ("10.0.0.1", false),
            ("fe80::1", false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(is_local(address), expected, "{address}");
        }
        let far = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
        assert_eq!(source_for(far), Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let away = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(source_for(away), Err(Errno::ENETUNREACH));
    }
}
