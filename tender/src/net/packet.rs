//! `--net packet=INTERFACE`: an existing interface, through a packet(7) socket.
//!
//! The guest takes the interface's place: its MAC, MTU, addresses and routes, unless others are given. The host's
//! own stack still gets a copy of each frame. While the interface has the addresses too, it answers for
//! them: with RST for connections that it knows nothing of. So either they are removed ([`take`], the key
//! of that name), or a rule of the host's firewall drops what it would say. What the runtime of a container
//! does in the container's own network namespace is the former.

use super::error::{NetError, system};
use super::ioctl::{Properties, Querier};
use super::netlink::{HostAddress, Session};
use super::spec::Route;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Room for frames that the guest has not read yet, in bytes: 4 ms of 10 Gbit/s, as the kernel accounts
/// them.
const RECEIVE_BUFFER: libc::c_int = 16 << 20;

/// Room for frames that the interface has not sent yet, in bytes.
const SEND_BUFFER: libc::c_int = 4 << 20;

/// An interface of the host, with a socket on it.
#[derive(Debug)]
pub struct Packet {
    /// Nonblocking, each frame behind a `struct virtio_net_hdr`.
    pub fd: OwnedFd,
    /// What the interface is like.
    pub properties: Properties,
    /// Its Ethernet address.
    pub mac: [u8; 6],
    /// Its addresses.
    pub addresses: Vec<HostAddress>,
    /// Its routes beyond those that the addresses imply.
    pub routes: Vec<Route>,
}

/// Opens a socket on the interface `name`.
///
/// # Errors
/// [`NetError`]: there is none, it carries no Ethernet frames, or this needs CAP_NET_RAW.
pub fn open(name: &str) -> Result<Packet, NetError> {
    let refused = |expected: &'static str, source: io::Error| NetError::Refused {
        kind: "packet",
        name: name.into(),
        expected,
        source,
    };
    let querier = Querier::new().map_err(|error| system(name, "socket(2)", error))?;
    let properties = querier
        .properties(name)
        .map_err(|error| system(name, "ioctl(2) SIOCGIF*", error))?;
    let properties = properties.ok_or_else(|| NetError::Missing {
        kind: "packet",
        name: name.into(),
    })?;
    let mac = properties.mac.filter(|mac| *mac != [0; 6]);
    let not_ethernet = || {
        refused(
            "an interface with Ethernet frames",
            io::Error::other("another type of interface"),
        )
    };
    let mac = mac.ok_or_else(not_ethernet)?;
    let fd = socket().map_err(|error| refused("to open a packet socket", error))?;
    prepare(&fd).map_err(|error| system(name, "setsockopt(2) of the packet socket", error))?;
    bind(&fd, properties.index)
        .map_err(|error| system(name, "bind(2) of the packet socket", error))?;
    if !properties.is_up {
        eprintln!(
            "libos-tender: warning: {name} is down and carries no frames\n  try: ip link set {name} up"
        );
    }
    let dump = |error| system(name, "rtnetlink(7)", error);
    let mut session = Session::new().map_err(dump)?;
    let addresses = session.addresses(properties.index).map_err(dump)?;
    let routes = session.routes(properties.index).map_err(dump)?;
    Ok(Packet {
        fd,
        properties,
        mac,
        addresses,
        routes,
    })
}

/// Removes the addresses from the host's interface, the link-local ones too: from now on they are the guest's.
///
/// # Errors
/// [`NetError`]: this needs CAP_NET_ADMIN.
pub fn take(name: &str, packet: &Packet) -> Result<(), NetError> {
    let failed = |error| system(name, "rtnetlink(7) RTM_DELADDR for the key `take`", error);
    let mut session = Session::new().map_err(failed)?;
    for address in &packet.addresses {
        match session.remove(packet.properties.index, address.network) {
            // With the first address of a network its others may go.
            Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) => {}
            other => other.map_err(failed)?,
        }
    }
    Ok(())
}

/// Takes frames for a MAC that is not the interface's.
///
/// # Errors
/// That of setsockopt(2).
pub fn hear_everything(packet: &Packet) -> io::Result<()> {
    // SAFETY: all-zero is a valid packet_mreq, a record of integers.
    let mut membership: libc::packet_mreq = unsafe { std::mem::zeroed() };
    membership.mr_ifindex = packet.properties.index.cast_signed();
    membership.mr_type = u16::try_from(libc::PACKET_MR_PROMISC).map_err(io::Error::other)?;
    set(
        packet.fd.as_fd(),
        libc::SOL_PACKET,
        libc::PACKET_ADD_MEMBERSHIP,
        &membership,
    )
}

/// A packet socket that hears nothing before it is bound.
fn socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket(2) takes no pointer.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn prepare(fd: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    set(fd.as_fd(), libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on)?;
    // Else the guest would read what it and the host send.
    set(
        fd.as_fd(),
        libc::SOL_PACKET,
        libc::PACKET_IGNORE_OUTGOING,
        &on,
    )?;
    for (forced, ordinary, size) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, RECEIVE_BUFFER),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SEND_BUFFER),
    ] {
        // The first takes CAP_NET_ADMIN, the second is bounded by net.core.rmem_max and wmem_max.
        set(fd.as_fd(), libc::SOL_SOCKET, forced, &size)
            .or_else(|_| set(fd.as_fd(), libc::SOL_SOCKET, ordinary, &size))?;
    }
    Ok(())
}

fn bind(fd: &OwnedFd, index: u32) -> io::Result<()> {
    // SAFETY: all-zero is a valid sockaddr_ll, a record of integers.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL)
        .map_err(io::Error::other)?
        .to_be();
    address.sll_ifindex = index.cast_signed();
    let length = libc::socklen_t::try_from(size_of_val(&address)).map_err(io::Error::other)?;
    // SAFETY: the call reads `length` bytes of `address`.
    if unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn set<T>(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: the call reads `length` bytes, which are those of a T.
    if unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, value, length) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
