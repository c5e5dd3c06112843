//! The host's sockets, in the few forms that the filter admits: nonblocking, close-on-exec, IPv4 or IPv6.

use crate::publish::family;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, Result};
use rustix::net::{Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, sockopt};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// A TCP socket on its way to `address`; its becoming writable tells the end.
///
/// # Errors
/// That of socket(2) or connect(2); EINPROGRESS is none.
pub fn connect_tcp(address: SocketAddr) -> Result<OwnedFd> {
    let family = family(address.ip());
    let socket = rustix::net::socket_with(family, SocketType::STREAM, FLAGS, Some(ipproto::TCP))?;
    let _ = sockopt::set_tcp_nodelay(&socket, true);
    // The guest's own probes end at the helper.
    let _ = sockopt::set_socket_keepalive(&socket, true);
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

/// A UDP socket that talks to `address` alone.
///
/// # Errors
/// That of socket(2) or connect(2).
pub fn connect_udp(address: SocketAddr) -> Result<OwnedFd> {
    connect_datagrams(address, ipproto::UDP)
}

/// A ping socket (icmp(7)) to `address`: messages are ICMP or ICMPv6 echo requests.
///
/// # Errors
/// EACCES if sysctl net.ipv4.ping_group_range leaves this group out; that of socket(2) or connect(2).
pub fn connect_ping(address: IpAddr) -> Result<OwnedFd> {
    let protocol = match address {
        IpAddr::V4(_) => ipproto::ICMP,
        IpAddr::V6(_) => ipproto::ICMPV6,
    };
    connect_datagrams(SocketAddr::new(address, 0), protocol)
}

fn connect_datagrams(address: SocketAddr, protocol: Protocol) -> Result<OwnedFd> {
    let family = family(address.ip());
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, FLAGS, Some(protocol))?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket)
}

/// Takes a connection; none if nobody waits. Its options are the listener's.
///
/// # Errors
/// That of accept4(2), those that are about one connection alone excepted.
pub fn accept(listener: impl AsFd) -> Result<Option<(OwnedFd, SocketAddr)>> {
    match rustix::net::acceptfrom_with(listener, FLAGS) {
        Ok((socket, peer)) => {
            let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
            Ok(peer.map(|peer| (socket, peer)))
        }
        Err(Errno::AGAIN | Errno::CONNABORTED | Errno::INTR | Errno::PROTO) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Receives into `room`, without waiting.
///
/// # Errors
/// That of recv(2).
pub fn receive(socket: impl AsFd, room: &mut [u8]) -> Result<usize> {
    rustix::net::recv(socket, room, RecvFlags::DONTWAIT).map(|(len, _)| len)
}

/// Sends, without waiting.
///
/// # Errors
/// That of send(2).
pub fn send(socket: impl AsFd, bytes: &[u8]) -> Result<usize> {
    rustix::net::send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
}

/// Closes a TCP socket so that the other side gets a reset.
pub fn close_with_reset(socket: OwnedFd) {
    let _ = sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
}
