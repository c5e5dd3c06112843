//! Published ports: bound before the helper exists, so that a port in use is an error of the command line.
//!
//! Main type: [`BoundPort`]. As docker has it, a port without an address is bound on all addresses of both IP
//! versions; the IPv6 socket takes IPv6 only, and is left out on a host without IPv6.

use crate::config::{Config, Protocol, Published};
use crate::error::StartError;
use crate::pktinfo;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Connections that wait to be taken, per port: the kernel bounds it by net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// A published port's socket.
#[derive(Debug)]
pub struct BoundPort {
    /// What is published.
    pub published: Published,
    /// Where it is bound.
    pub address: SocketAddr,
    /// Nonblocking; a TCP socket listens.
    pub socket: OwnedFd,
}

/// Binds all of them.
///
/// # Errors
/// [`StartError::Bind`], for the first that cannot be bound.
pub fn bind(config: &Config) -> Result<Vec<BoundPort>, StartError> {
    let mut bound = Vec::with_capacity(config.published.len());
    for published in &config.published {
        bind_published(*published, &mut bound)?;
    }
    Ok(bound)
}

fn bind_published(published: Published, bound: &mut Vec<BoundPort>) -> Result<(), StartError> {
    let Some(host) = published.host else {
        return bind_both_versions(published, bound);
    };
    let address = SocketAddr::new(host, published.host_port);
    let port =
        bind_patiently(published, address).map_err(|error| refused(published, address, error))?;
    bound.push(port);
    Ok(())
}

/// Ports that the kernel picks for IPv4 and that IPv6 may find in use: so many are tried.
const PICKS: u32 = 32;

fn bind_both_versions(published: Published, bound: &mut Vec<BoundPort>) -> Result<(), StartError> {
    let mut picks = if published.host_port == 0 { PICKS } else { 1 };
    loop {
        picks -= 1;
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, published.host_port));
        let first = bind_patiently(published, address)
            .map_err(|error| refused(published, address, error))?;
        // A port that the kernel picked is to be the same for both versions.
        let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, first.address.port()));
        match bind_patiently(published, address) {
            Ok(second) => bound.extend([first, second]),
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => bound.push(first),
            Err(Errno::ADDRINUSE) if picks > 0 => continue,
            Err(error) => return Err(refused(published, address, error)),
        }
        return Ok(());
    }
}

/// So long is a port in use waited for: the helper of a program that has just ended closes its ports right then,
/// but after the program's end.
const PATIENCE: Duration = Duration::from_millis(50);

/// Time between two tries.
const RETRY: Duration = Duration::from_millis(5);

fn bind_patiently(published: Published, address: SocketAddr) -> Result<BoundPort, Errno> {
    let end = Instant::now() + PATIENCE;
    loop {
        match bind_one(published, address) {
            Err(Errno::ADDRINUSE) if Instant::now() < end => std::thread::sleep(RETRY),
            bound => return bound,
        }
    }
}

fn refused(published: Published, address: SocketAddr, error: Errno) -> StartError {
    StartError::Bind {
        protocol: published.protocol,
        address,
        source: io::Error::from(error),
    }
}

fn bind_one(published: Published, address: SocketAddr) -> Result<BoundPort, Errno> {
    let kind = match published.protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family(address.ip()), kind, flags, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    if published.protocol == Protocol::Tcp {
        // Not for UDP: there it would let two programs have the same port.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        // Connections inherit these: no call is spent on each.
        sockopt::set_tcp_nodelay(&socket, true)?;
        sockopt::set_socket_keepalive(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    match published.protocol {
        Protocol::Tcp => rustix::net::listen(&socket, BACKLOG)?,
        Protocol::Udp => pktinfo::request(&socket, address.is_ipv6())?,
    }
    let address = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
    Ok(BoundPort {
        published,
        address,
        socket,
    })
}

/// The address family of an IP version.
pub fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    }
}

/// Whether there is a route to the world: connect(2) of a UDP socket looks for one and sends nothing. The
/// address is one for documentation.
pub fn host_has_ipv6() -> bool {
    let address = SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9));
    let flags = SocketFlags::CLOEXEC;
    rustix::net::socket_with(AddressFamily::INET6, SocketType::DGRAM, flags, None)
        .and_then(|socket| rustix::net::connect(&socket, &address))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(protocol: Protocol, host: Option<IpAddr>, host_port: u16) -> Config {
        let published = Published {
            protocol,
            host,
            host_port,
            guest_port: 80,
        };
        Config {
            published: vec![published],
            ..Config::default()
        }
    }

    #[test]
    fn a_port_in_use_is_refused_with_its_address() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let first =
                bind(&publish(protocol, Some(Ipv4Addr::LOCALHOST.into()), 0)).expect("a free port");
            let port = first[0].address.port();
            let error = bind(&publish(protocol, Some(Ipv4Addr::LOCALHOST.into()), port))
                .expect_err("in use");
            let text = error.to_string();
            assert!(
                text.contains(&format!("127.0.0.1:{port}/{}", protocol.name())),
                "{text}"
            );
            assert!(error.advice().contains("ss -lntup"), "{}", error.advice());
        }
    }

    #[test]
    fn without_an_address_both_versions_have_the_same_port() {
        let bound = bind(&publish(Protocol::Tcp, None, 0)).expect("a free port");
        let port = bound[0].address.port();
        assert!(
            bound.iter().all(|port_| port_.address.port() == port),
            "{bound:?}"
        );
        assert!(bound[0].address.is_ipv4(), "{bound:?}");
    }

    #[test]
    fn an_address_that_is_not_ours_is_refused() {
        let host = Some(IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)));
        let error = bind(&publish(Protocol::Tcp, host, 0)).expect_err("not ours");
        assert!(error.advice().contains("ip address"), "{error}");
    }
}
