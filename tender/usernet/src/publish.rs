//! Published ports: bound before the helper exists, so that a port in use is an error of the command line.
//!
//! Main type: [`BoundPort`]. As docker has it, a port without an address is bound on all addresses of both IP
//! versions; the IPv6 socket takes IPv6 only, and is left out on a host without IPv6. Of a range of host ports for
//! one port of the guest the first free one is taken, after the ports that have no choice.

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
    for is_picked in [false, true] {
        let all = config.published.iter();
        for published in all.filter(|published| published.is_picked() == is_picked) {
            bind_patiently(*published, &mut bound)?;
        }
    }
    Ok(bound)
}

/// An address that cannot be bound.
type Failure = (SocketAddr, Errno);

/// So long is a port in use waited for: the helper of a program that has just ended closes its ports right then,
/// but after the program's end.
const PATIENCE: Duration = Duration::from_millis(50);

/// Time between two tries.
const RETRY: Duration = Duration::from_millis(5);

fn bind_patiently(published: Published, bound: &mut Vec<BoundPort>) -> Result<(), StartError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match bind_first_free(published, bound) {
            Err((_, Errno::ADDRINUSE)) if Instant::now() < end => std::thread::sleep(RETRY),
            result => return result.map_err(|failure| refused(published, failure)),
        }
    }
}

/// The failure is that of the range's first port, if all are in use.
fn bind_first_free(published: Published, bound: &mut Vec<BoundPort>) -> Result<(), Failure> {
    let mut first = None;
    for port in published.host_port..=published.host_last {
        match bind_published(published, port, bound) {
            Err(failure @ (_, Errno::ADDRINUSE)) => first = first.or(Some(failure)),
            result => return result,
        }
    }
    first.map_or(Ok(()), Err)
}

fn bind_published(
    published: Published,
    port: u16,
    bound: &mut Vec<BoundPort>,
) -> Result<(), Failure> {
    let Some(host) = published.host else {
        return bind_both_versions(published, port, bound);
    };
    bound.push(bind_one(published, SocketAddr::new(host, port))?);
    Ok(())
}

/// Ports that the kernel picks for IPv4 and that IPv6 may find in use: so many are tried.
const PICKS: u32 = 32;

fn bind_both_versions(
    published: Published,
    port: u16,
    bound: &mut Vec<BoundPort>,
) -> Result<(), Failure> {
    let mut picks = if port == 0 { PICKS } else { 1 };
    loop {
        picks -= 1;
        let first = bind_one(published, (Ipv4Addr::UNSPECIFIED, port).into())?;
        // A port that the kernel picked is to be the same for both versions.
        let address = (Ipv6Addr::UNSPECIFIED, first.address.port()).into();
        match bind_one(published, address) {
            Ok(second) => bound.extend([first, second]),
            Err((_, Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)) => bound.push(first),
            Err((_, Errno::ADDRINUSE)) if picks > 0 => continue,
            Err(failure) => return Err(failure),
        }
        return Ok(());
    }
}

fn refused(published: Published, (address, error): Failure) -> StartError {
    let is_range = error == Errno::ADDRINUSE && published.host_port != 0;
    StartError::Bind {
        protocol: published.protocol,
        address,
        last: if is_range {
            published.host_last
        } else {
            address.port()
        },
        source: io::Error::from(error),
    }
}

fn bind_one(published: Published, address: SocketAddr) -> Result<BoundPort, Failure> {
    listen_at(published, address).map_err(|error| (address, error))
}

fn listen_at(published: Published, address: SocketAddr) -> Result<BoundPort, Errno> {
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
            host_last: host_port,
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

    /// `count` ports in a row of which the last is free, and what keeps the others.
    fn ports_in_a_row(count: u16) -> (u16, Vec<std::net::TcpListener>) {
        let listen = |port| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        for _ in 0..200 {
            let first = listen(0).expect("a free port");
            let port = first.local_addr().expect("bound").port();
            let Some(last) = port.checked_add(count - 1) else {
                continue;
            };
            let mut kept = vec![first];
            kept.extend((port + 1..last).filter_map(|port| listen(port).ok()));
            if kept.len() == usize::from(count - 1) && listen(last).is_ok() {
                return (port, kept);
            }
        }
        panic!("{count} free ports in a row");
    }

    #[test]
    fn the_first_free_port_of_a_range_is_taken_after_those_without_choice() {
        let (first, _kept) = ports_in_a_row(3);
        let host = Some(IpAddr::from(Ipv4Addr::LOCALHOST));
        let mut config = publish(Protocol::Tcp, host, first);
        config.published[0].host_last = first + 2;
        let bound = bind(&config).expect("one of three");
        assert_eq!(bound[0].address.port(), first + 2);
        let text = bind(&config).expect_err("all in use").to_string();
        let place = format!(
            "publish 127.0.0.1:{first}-{}/tcp: expected a free",
            first + 2
        );
        assert!(text.starts_with(&place), "{text}");
        drop(bound);
        config.published.push(Published {
            host_port: first + 2,
            ..config.published[0]
        });
        let text = bind(&config).expect_err("the second has it").to_string();
        assert!(text.starts_with(&place), "{text}");
    }

    #[test]
    fn a_port_that_needs_a_privilege_is_refused_as_such() {
        let published = publish(Protocol::Tcp, None, 80).published[0];
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 80));
        let error = refused(published, (address, Errno::ACCESS));
        let text = error.to_string();
        let start = "publish 0.0.0.0:80/tcp: expected a port that any user may listen on";
        assert!(text.starts_with(start), "{text}");
        assert!(error.advice().contains("ip_unprivileged_port_start"));
    }

    #[test]
    fn an_address_that_is_not_ours_is_refused() {
        let host = Some(IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)));
        let error = bind(&publish(Protocol::Tcp, host, 0)).expect_err("not ours");
        assert!(error.advice().contains("ip address"), "{error}");
    }
}
