//! Datagrams with the host's own address beside the peer's (ip(7), IP_PKTINFO; ipv6(7), IPV6_PKTINFO).
//!
//! A published UDP port listens on all addresses: an answer must come from the one that was asked, or the peer
//! will not take it. No safe wrapper has these control messages.

#![allow(unsafe_code)]

use rustix::io::{Errno, Result};
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

/// Room for one control message of either version, aligned as the kernel writes it.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Asks for the host's address with each datagram.
///
/// # Errors
/// That of setsockopt(2).
pub fn request(socket: impl AsFd, is_v6: bool) -> Result<()> {
    let (level, option) = match is_v6 {
        false => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        true => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    let on: libc::c_int = 1;
    let len = length(size_of::<libc::c_int>());
    // SAFETY: the call reads the four bytes of `on`.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            len,
        )
    };
    check(answer.into()).map(|_| ())
}

/// Receives one datagram without waiting: its length, its sender, and to which of the host's addresses it came.
///
/// # Errors
/// That of recvmsg(2).
pub fn receive(socket: impl AsFd, room: &mut [u8]) -> Result<(usize, SocketAddr, Option<IpAddr>)> {
    let mut name = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut control = Control([0; 64]);
    let mut vector = libc::iovec {
        iov_base: room.as_mut_ptr().cast(),
        iov_len: room.len(),
    };
    // SAFETY: all-zero is a valid msghdr: null pointers with lengths of zero.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = name.as_mut_ptr().cast();
    header.msg_namelen = length(size_of::<libc::sockaddr_storage>());
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len();
    // SAFETY: every pointer in the header leads to a local, or to `room`, with its own length.
    let answer = unsafe {
        libc::recvmsg(
            socket.as_fd().as_raw_fd(),
            &raw mut header,
            libc::MSG_DONTWAIT,
        )
    };
    let len = check(answer as i64)?;
    // SAFETY: zeroed bytes are a valid sockaddr_storage, and the kernel wrote over some of them.
    let sender = address(unsafe { name.assume_init_ref() }).ok_or(Errno::AFNOSUPPORT)?;
    // SAFETY: the kernel set the control's length to what it wrote there.
    let host = unsafe { host_address(&header) };
    Ok((len, sender, host))
}

/// Sends one datagram without waiting, from the given one of the host's addresses.
///
/// # Errors
/// That of sendmsg(2).
pub fn send(socket: impl AsFd, bytes: &[u8], to: SocketAddr, from: Option<IpAddr>) -> Result<()> {
    let mut control = Control([0; 64]);
    let (mut name, name_len) = name_of(to);
    let mut vector = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: all-zero is a valid msghdr: null pointers with lengths of zero.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = (&raw mut name).cast();
    header.msg_namelen = name_len;
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    if let Some(from) = from {
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = control.0.len();
        // SAFETY: the header's control buffer is `control`, whole and zeroed.
        header.msg_controllen = unsafe { put_source(&header, from) };
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: every pointer in the header leads to a local, or to `bytes`, with its own length; the kernel
    // only reads them.
    let answer = unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const header, flags) };
    check(answer as i64).map(|_| ())
}

fn check(answer: i64) -> Result<usize> {
    usize::try_from(answer).map_err(|_| {
        let code = std::io::Error::last_os_error().raw_os_error();
        code.map_or(Errno::IO, Errno::from_raw_os_error)
    })
}

/// Of records far below 4 GiB.
fn length(len: usize) -> libc::socklen_t {
    libc::socklen_t::try_from(len).unwrap_or(libc::socklen_t::MAX)
}

fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that a sockaddr_in lies there, which is shorter and no more aligned.
            let name = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let address = Ipv4Addr::from_bits(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddrV4::new(address, u16::from_be(name.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for a sockaddr_in6.
            let name = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let address = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            Some(SocketAddrV6::new(address, port, name.sin6_flowinfo, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn name_of(to: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: all-zero is a valid sockaddr_storage.
    let mut name: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    match to {
        SocketAddr::V4(to) => {
            // SAFETY: a sockaddr_in is shorter than the storage and no more aligned.
            let name = unsafe { &mut *(&raw mut name).cast::<libc::sockaddr_in>() };
            name.sin_family = family(libc::AF_INET);
            name.sin_port = to.port().to_be();
            name.sin_addr.s_addr = to.ip().to_bits().to_be();
        }
        SocketAddr::V6(to) => {
            // SAFETY: as above, for a sockaddr_in6.
            let name = unsafe { &mut *(&raw mut name).cast::<libc::sockaddr_in6>() };
            name.sin6_family = family(libc::AF_INET6);
            name.sin6_port = to.port().to_be();
            name.sin6_addr.s6_addr = to.ip().octets();
            name.sin6_scope_id = to.scope_id();
        }
    }
    let len = match to {
        SocketAddr::V4(_) => size_of::<libc::sockaddr_in>(),
        SocketAddr::V6(_) => size_of::<libc::sockaddr_in6>(),
    };
    (name, length(len))
}

fn family(family: libc::c_int) -> libc::sa_family_t {
    libc::sa_family_t::try_from(family).unwrap_or(0)
}

/// # Safety
/// 1. The header's control buffer is valid for reads of its length, and holds control messages.
unsafe fn host_address(header: &libc::msghdr) -> Option<IpAddr> {
    // SAFETY: duty 1; the macros stay within the buffer's length.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = message.as_ref() {
            let data = libc::CMSG_DATA(message);
            match (found.cmsg_level, found.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    return Some(Ipv4Addr::from_bits(u32::from_be(info.ipi_addr.s_addr)).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    return Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                }
                _ => message = libc::CMSG_NXTHDR(header, message),
            }
        }
        None
    }
}

/// Writes the control message, and answers with the length of all.
///
/// # Safety
/// 1. The header's control buffer is valid for writes, aligned, zeroed, and at least 64 bytes long.
unsafe fn put_source(header: &libc::msghdr, from: IpAddr) -> usize {
    // SAFETY: duty 1: either message fits, and its data is written unaligned.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        let data = libc::CMSG_DATA(message);
        let (level, kind, len) = match from {
            IpAddr::V4(from) => {
                let mut info: libc::in_pktinfo = std::mem::zeroed();
                info.ipi_spec_dst.s_addr = from.to_bits().to_be();
                data.cast::<libc::in_pktinfo>().write_unaligned(info);
                (
                    libc::IPPROTO_IP,
                    libc::IP_PKTINFO,
                    size_of::<libc::in_pktinfo>(),
                )
            }
            IpAddr::V6(from) => {
                let mut info: libc::in6_pktinfo = std::mem::zeroed();
                info.ipi6_addr.s6_addr = from.octets();
                data.cast::<libc::in6_pktinfo>().write_unaligned(info);
                (
                    libc::IPPROTO_IPV6,
                    libc::IPV6_PKTINFO,
                    size_of::<libc::in6_pktinfo>(),
                )
            }
        };
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(length(len)) as usize;
        libc::CMSG_SPACE(length(len)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    fn ask(bound: &str, asked: &str) {
        let Ok(server) = UdpSocket::bind(bound) else {
            assert!(bound.starts_with('['), "IPv4 is everywhere");
            return;
        };
        let port = server.local_addr().expect("an address").port();
        request(&server, bound.starts_with('[')).expect("an option");
        let asked = SocketAddr::new(asked.parse().expect("an address"), port);
        let any = if asked.is_ipv4() {
            "127.0.0.1:0"
        } else {
            "[::1]:0"
        };
        let client = UdpSocket::bind(any).expect("a port");
        client.connect(asked).expect("a route");
        client.send(b"question").expect("room");
        let mut room = [0; 100];
        let (len, peer, host) = receive(&server, &mut room).expect("a datagram");
        assert_eq!(&room[..len], b"question");
        assert_eq!(
            (Some(peer), host),
            (client.local_addr().ok(), Some(asked.ip()))
        );
        send(&server, b"answer", peer, host).expect("room");
        client
            .set_read_timeout(Some(std::time::Duration::from_secs(5)))
            .expect("an option");
        // The client is connected: it takes answers from the address that it asked alone.
        assert_eq!(client.recv(&mut room).expect("an answer"), 6);
    }

    #[test]
    fn an_answer_comes_from_the_address_that_was_asked() {
        ask("0.0.0.0:0", "127.0.0.1");
        ask("0.0.0.0:0", "127.0.0.99");
        ask("[::]:0", "::1");
    }

    #[test]
    fn nothing_there_is_eagain() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("a port");
        assert_eq!(receive(&server, &mut [0; 10]).err(), Some(Errno::AGAIN));
    }
}
