//! rtnetlink(7): the addresses and routes of a host interface, read; and its addresses, removed.
//!
//! Main types: [`Session`], [`HostAddress`]. Messages are read with checked lengths; what is not understood is
//! passed over.

use super::address::Network;
use super::spec::Route;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

/// Length of `struct nlmsghdr`, in bytes.
const HEADER_LEN: usize = 16;

/// Length of `struct ifaddrmsg`, in bytes.
const ADDRESS_LEN: usize = 8;

/// Length of `struct rtmsg`, in bytes.
const ROUTE_LEN: usize = 12;

/// Longest answer to one read, in bytes: the kernel fills at most 32 KiB.
const ANSWER_LEN: usize = 64 << 10;

/// An address of a host interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// The address in its network.
    pub network: Network,
    /// Whether it is good on its link alone.
    pub is_link_local: bool,
}

/// A conversation with the kernel about this process's network namespace.
#[derive(Debug)]
pub struct Session {
    socket: OwnedFd,
    sequence: u32,
}

/// One message of an answer.
struct Message<'a> {
    kind: u16,
    body: &'a [u8],
}

impl Session {
    /// Begins one.
    ///
    /// # Errors
    /// That of socket(2).
    pub fn new() -> io::Result<Self> {
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        let flags = SocketFlags::CLOEXEC;
        // Protocol 0 is NETLINK_ROUTE.
        let socket = rustix::net::socket_with(family, kind, flags, None)?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// The addresses of the interface `index`.
    ///
    /// # Errors
    /// That of send(2), recv(2), or the kernel's answer.
    pub fn addresses(&mut self, index: u32) -> io::Result<Vec<HostAddress>> {
        let mut addresses = Vec::new();
        self.dump(libc::RTM_GETADDR, &[0; ADDRESS_LEN], |message| {
            if message.kind == libc::RTM_NEWADDR {
                addresses.extend(address(message.body, index));
            }
        })?;
        Ok(addresses)
    }

    /// The unicast routes of the main table that lead out of the interface `index`, without those that its
    /// addresses imply.
    ///
    /// # Errors
    /// That of send(2), recv(2), or the kernel's answer.
    pub fn routes(&mut self, index: u32) -> io::Result<Vec<Route>> {
        let mut routes = Vec::new();
        self.dump(libc::RTM_GETROUTE, &[0; ROUTE_LEN], |message| {
            if message.kind == libc::RTM_NEWROUTE {
                routes.extend(route(message.body, index));
            }
        })?;
        Ok(routes)
    }

    /// Removes an address from the interface `index`, and with it the routes that depend on it.
    ///
    /// # Errors
    /// EPERM without CAP_NET_ADMIN.
    pub fn remove(&mut self, index: u32, network: Network) -> io::Result<()> {
        let mut body = vec![family(network.address), network.prefix, 0, 0];
        body.extend(index.to_ne_bytes());
        let bytes = octets(network.address);
        let length = u16::try_from(4 + bytes.len()).map_err(io::Error::other)?;
        body.extend(length.to_ne_bytes());
        body.extend(libc::IFA_LOCAL.to_ne_bytes());
        body.extend(bytes);
        self.send(
            libc::RTM_DELADDR,
            libc::NLM_F_REQUEST | libc::NLM_F_ACK,
            &body,
        )?;
        self.receive(|_| ())
    }

    fn dump(&mut self, kind: u16, body: &[u8], take: impl FnMut(&Message<'_>)) -> io::Result<()> {
        self.send(kind, libc::NLM_F_REQUEST | libc::NLM_F_DUMP, body)?;
        self.receive(take)
    }

    fn send(&mut self, kind: u16, flags: libc::c_int, body: &[u8]) -> io::Result<()> {
        self.sequence += 1;
        let length = u32::try_from(HEADER_LEN + body.len()).map_err(io::Error::other)?;
        let flags = u16::try_from(flags).map_err(io::Error::other)?;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend(0u32.to_ne_bytes());
        message.extend(body);
        rustix::net::send(&self.socket, &message, SendFlags::empty())?;
        Ok(())
    }

    /// Takes messages up to the end of a dump, or the acknowledgement.
    fn receive(&self, mut take: impl FnMut(&Message<'_>)) -> io::Result<()> {
        let mut buffer = vec![0; ANSWER_LEN];
        loop {
            let length = match rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::empty())
            {
                Err(Errno::INTR) => continue,
                answer => answer?.0,
            };
            let messages = buffer.get(..length).unwrap_or_default();
            if self.take_all(messages, &mut take)? {
                return Ok(());
            }
        }
    }

    /// Says whether this was the end.
    fn take_all(&self, mut bytes: &[u8], take: &mut impl FnMut(&Message<'_>)) -> io::Result<bool> {
        while let Some(length) = number(bytes, 0) {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let Some(message) = bytes.get(..length).filter(|_| length >= HEADER_LEN) else {
                return Err(io::Error::other("a malformed netlink message"));
            };
            let kind = half(message, 4).unwrap_or(0);
            let body = &message[HEADER_LEN..];
            if number(message, 8) == Some(self.sequence) {
                match i32::from(kind) {
                    libc::NLMSG_DONE => return Ok(true),
                    libc::NLMSG_ERROR => return answer(body).map(|()| true),
                    _ => take(&Message { kind, body }),
                }
            }
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(false)
    }
}

/// `struct nlmsgerr`: 0 acknowledges.
fn answer(body: &[u8]) -> io::Result<()> {
    match number(body, 0).map(u32::cast_signed) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(error.wrapping_neg())),
        None => Err(io::Error::other("a malformed netlink answer")),
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// The attributes that follow a message's fixed part: type and value.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(half(bytes, 0)?);
        let kind = half(bytes, 2)?;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// What an RTM_NEWADDR tells, if it is of that interface.
fn address(body: &[u8], index: u32) -> Option<HostAddress> {
    let &[family, prefix, _, scope, ..] = body else {
        return None;
    };
    if number(body, 4) != Some(index) {
        return None;
    }
    let all = attributes(body.get(ADDRESS_LEN..)?);
    // On a point-to-point link IFA_ADDRESS is the peer's; IPv6 has no IFA_LOCAL else.
    let own = all
        .filter(|(kind, _)| [libc::IFA_LOCAL, libc::IFA_ADDRESS].contains(kind))
        .max_by_key(|(kind, _)| *kind == libc::IFA_LOCAL);
    let address = ip(family, own?.1)?;
    Some(HostAddress {
        network: Network { address, prefix },
        is_link_local: scope == libc::RT_SCOPE_LINK,
    })
}

/// What an RTM_NEWROUTE tells, if it leads out of that interface.
fn route(body: &[u8], index: u32) -> Option<Route> {
    let &[family, prefix, _, _, table, protocol, _, kind, ..] = body else {
        return None;
    };
    let is_ours = table == libc::RT_TABLE_MAIN
        && kind == libc::RTN_UNICAST
        && protocol != libc::RTPROT_KERNEL;
    if !is_ours {
        return None;
    }
    let mut route = Route {
        destination: Network::all(zero(family)?),
        gateway: None,
        metric: 0,
    };
    let mut leads_out = false;
    for (kind, value) in attributes(body.get(ROUTE_LEN..)?) {
        match kind {
            libc::RTA_DST => {
                route.destination = Network {
                    address: ip(family, value)?,
                    prefix,
                }
            }
            libc::RTA_GATEWAY => route.gateway = Some(ip(family, value)?),
            libc::RTA_PRIORITY => route.metric = number(value, 0)?,
            libc::RTA_OIF => leads_out = number(value, 0) == Some(index),
            _ => {}
        }
    }
    leads_out.then_some(route)
}

fn zero(family: u8) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => Some(IpAddr::from([0; 4])),
        libc::AF_INET6 => Some(IpAddr::from([0; 16])),
        _ => None,
    }
}

fn ip(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        libc::AF_INET6 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

fn family(address: IpAddr) -> u8 {
    let family = if address.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    u8::try_from(family).unwrap_or(0)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).expect("short");
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn an_address_message_is_read() {
        let mut body = vec![2, 24, 0, libc::RT_SCOPE_UNIVERSE];
        body.extend(7u32.to_ne_bytes());
        body.extend(attribute(libc::IFA_ADDRESS, &[10, 0, 0, 1]));
        body.extend(attribute(libc::IFA_LOCAL, &[10, 0, 0, 2]));
        let read = address(&body, 7).expect("of the interface");
        assert_eq!(read.network.address, IpAddr::from([10, 0, 0, 2]));
        assert_eq!((read.network.prefix, read.is_link_local), (24, false));
        assert_eq!(address(&body, 8), None, "another interface's");
        for length in 0..body.len() - 8 {
            assert_eq!(address(&body[..length], 7), None, "cut at {length}");
        }
    }

    #[test]
    fn a_route_message_is_read_unless_it_is_the_kernel_s_own() {
        let fixed = |protocol| {
            vec![
                2,
                16,
                0,
                0,
                libc::RT_TABLE_MAIN,
                protocol,
                0,
                libc::RTN_UNICAST,
                0,
                0,
                0,
                0,
            ]
        };
        let rest = [
            attribute(libc::RTA_DST, &[10, 8, 0, 0]),
            attribute(libc::RTA_GATEWAY, &[10, 0, 0, 1]),
            attribute(libc::RTA_OIF, &7u32.to_ne_bytes()),
            attribute(libc::RTA_PRIORITY, &100u32.to_ne_bytes()),
        ]
        .concat();
        let body = |protocol| [fixed(protocol), rest.clone()].concat();
        let expected = Route {
            destination: Network {
                address: [10, 8, 0, 0].into(),
                prefix: 16,
            },
            gateway: Some([10, 0, 0, 1].into()),
            metric: 100,
        };
        assert_eq!(route(&body(libc::RTPROT_STATIC), 7), Some(expected));
        assert_eq!(route(&body(libc::RTPROT_STATIC), 8), None);
        assert_eq!(route(&body(libc::RTPROT_KERNEL), 7), None);
        for length in 0..body(libc::RTPROT_STATIC).len() {
            // Whatever it says of a message cut short, it says so without panicking.
            let _ = route(&body(libc::RTPROT_STATIC)[..length], 7);
        }
    }

    #[test]
    fn attributes_with_wrong_lengths_end_the_list() {
        let good = attribute(1, &[1, 2, 3]);
        for bad in [&[3, 0, 1, 0][..], &[200, 0, 1, 0], &[0; 8], &[8]] {
            let bytes = [&good[..], bad].concat();
            assert_eq!(attributes(&bytes).count(), 1, "{bad:?}");
        }
    }

    #[test]
    fn the_loopback_interface_has_its_address() {
        let mut session = Session::new().expect("a netlink socket");
        let addresses = session.addresses(1).expect("a dump");
        let loopback = IpAddr::from([127, 0, 0, 1]);
        // A namespace whose loopback is down has none.
        assert!(
            addresses.is_empty()
                || addresses
                    .iter()
                    .any(|address| address.network.address == loopback)
        );
        session.routes(1).expect("a dump");
    }
}
