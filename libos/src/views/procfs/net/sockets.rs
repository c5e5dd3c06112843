//! Sockets: those that the process has descriptors of, and the connections that no descriptor stands for (those that wait
//! to be accepted, and what the stack still has of closed ones).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::net::{IpAddr, SocketAddr};

use linux_raw_sys::net::{AF_INET, AF_UNIX, SO_ACCEPTCONN, SOL_SOCKET};

use super::{STREAM, TCP, padded};
use crate::fs::file::OpenFile;
use crate::fs::pseudo::text;
use crate::net::address::RawAddress;
use crate::net::inet::address::{Family, decode};
use crate::net::inet::tcp::TcpSocket;
use crate::net::netlink;
use crate::net::socket::{Socket, SocketFile};
use crate::task::{Tid, with_current};

/// States as the kernel numbers them.
const ESTABLISHED: u8 = 1;
const CLOSE: u8 = 7;

/// A socket that the process has a descriptor of.
pub(super) struct Held {
    file: Arc<OpenFile>,
}

impl Held {
    fn socket(&self) -> Option<&dyn Socket> {
        let file = self.file.downcast::<SocketFile>()?;
        Some(&**file.socket())
    }

    fn inode(&self) -> u64 {
        self.file.file().anonymous().ino
    }

    /// What tells a TCP socket from others.
    fn identity(&self) -> Option<usize> {
        let socket = self.socket()?.as_any().downcast_ref::<TcpSocket>()?;
        Some(core::ptr::from_ref(socket) as usize)
    }
}

/// Adds a number to a sorted list; whether it is new.
fn add(known: &mut Vec<usize>, number: usize) -> bool {
    let place = known.binary_search(&number);
    if let Err(at) = place {
        known.insert(at, number);
    }
    place.is_err()
}

/// All sockets, each once.
pub(super) fn sockets() -> Vec<Held> {
    let mut found: Vec<Held> = Vec::new();
    let mut known = Vec::new();
    with_current(|thread| {
        let files = &thread.process().files;
        for fd in files.open_from(0) {
            let Ok(file) = files.get(fd) else {
                continue;
            };
            let is_socket = file.downcast::<SocketFile>().is_some();
            if is_socket && add(&mut known, Arc::as_ptr(&file) as usize) {
                found.push(Held { file });
            }
        }
    });
    found
}

/// Those of one family, type and protocol.
pub(super) fn sockets_of(domain: u32, socket_type: u32, protocol: u32) -> Vec<Held> {
    let mut all = sockets();
    all.retain(|held| {
        held.socket().is_some_and(|socket| {
            let kind = socket.kind();
            let protocol = kind.protocol == protocol || kind.protocol == 0;
            kind.domain == domain && kind.socket_type == socket_type && protocol
        })
    });
    all
}

fn user() -> u32 {
    with_current(|thread| {
        let process = thread.process();
        process.identity.with(|own| own.user.effective)
    })
}

/// An address as these tables show it: words of the machine's byte order, in hexadecimal.
pub(super) fn hexadecimal(address: IpAddr, domain: u32) -> String {
    let mut out = String::new();
    let mut words = |octets: &[u8]| {
        for word in octets.chunks_exact(4) {
            let word = word.try_into().map_or(0, u32::from_ne_bytes);
            let _ = write!(out, "{word:08X}");
        }
    };
    match address {
        IpAddr::V4(v4) if domain == AF_INET => words(&v4.octets()),
        IpAddr::V4(v4) => words(&v4.to_ipv6_mapped().octets()),
        IpAddr::V6(v6) => words(&v6.octets()),
    }
    out
}

/// The columns that all internet sockets have, from the addresses to the inode.
fn columns(held: &Held, domain: u32, state: u8) -> String {
    let family = Family::from_number(domain).unwrap_or(Family::V4);
    let socket = held.socket();
    let address = |raw: Option<RawAddress>| -> SocketAddr {
        let found = raw.and_then(|raw| decode(family, &raw).ok());
        found.unwrap_or_else(|| family.unspecified())
    };
    let local = address(socket.and_then(|socket| socket.local_address().ok()));
    let remote = address(socket.and_then(|socket| socket.peer_address().ok()));
    let waiting = socket.and_then(|socket| socket.readable_bytes().ok());
    let unsent = socket.and_then(|socket| socket.unsent_bytes().ok());
    let queues = (unsent.unwrap_or(0), waiting.unwrap_or(0));
    columns_of((local, remote), queues, domain, state, held.inode())
}

/// As [`columns`], of a socket whether it has a descriptor or not; `queues` are bytes to send and to
/// read.
fn columns_of(
    (local, remote): (SocketAddr, SocketAddr),
    (unsent, waiting): (usize, usize),
    domain: u32,
    state: u8,
    inode: u64,
) -> String {
    alloc::format!(
        "{}:{:04X} {}:{:04X} {state:02X} {:08X}:{:08X} 00:00000000 00000000 {:5} {:8} {}",
        hexadecimal(local.ip(), domain),
        local.port(),
        hexadecimal(remote.ip(), domain),
        remote.port(),
        unsent,
        waiting,
        user(),
        0,
        inode,
    )
}

const HEAD_V6: &str = "  sl  local_address                         remote_address                        \
                       st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";

/// `tcp` and `tcp6`.
pub(super) fn streams(domain: u32) -> Vec<u8> {
    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                        uid  timeout inode";
    const WIDTH: usize = 149;
    let held = sockets_of(domain, STREAM, TCP);
    let mut all: Vec<String> = held
        .iter()
        .map(|one| columns(one, domain, tcp_state(one)))
        .collect();
    streams_without_descriptor(&held, domain, &mut all);
    let (head, width) = match domain {
        AF_INET => (HEAD, WIDTH),
        _ => (HEAD_V6, 0),
    };
    text(|out| {
        padded(out, head, width)?;
        for (number, columns) in all.iter().enumerate() {
            let line = alloc::format!("{number:4}: {columns} 1 0000000000000000 20 4 0 10 -1");
            padded(out, &line, width)?;
        }
        Ok(())
    })
}

/// Connections that no descriptor stands for: those that wait to be accepted, and what the stack
/// still has of closed ones.
fn streams_without_descriptor(held: &[Held], domain: u32, found: &mut Vec<String>) {
    let mut shown = Vec::new();
    for socket in held.iter().filter_map(Held::identity) {
        add(&mut shown, socket);
    }
    crate::net::inet::tcp::table::each(|one| {
        let is_held = one
            .socket
            .is_some_and(|socket| shown.binary_search(&socket).is_ok());
        if !is_held && u32::from(one.family.number()) == domain {
            let ends = (one.local, one.peer);
            let queues = (one.send_queue, one.receive_queue);
            found.push(columns_of(ends, queues, domain, one.state as u8, 0));
        }
    });
}

/// The state that TCP_INFO tells first.
fn tcp_state(held: &Held) -> u8 {
    const TCP_INFO: u32 = 11;
    let value = held
        .socket()
        .and_then(|socket| socket.option(TCP, TCP_INFO).ok());
    let state = value.and_then(|value| value.bytes().first().copied());
    state.unwrap_or(CLOSE)
}

/// `udp`, `udp6`, `icmp`, `icmp6`, `raw`, `raw6`.
pub(super) fn datagrams(domain: u32, socket_type: u32, protocol: u32) -> Vec<u8> {
    const HEAD: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                        uid  timeout inode ref pointer drops";
    const WIDTH: usize = 127;
    let held = sockets_of(domain, socket_type, protocol);
    text(|out| {
        match domain {
            AF_INET => padded(out, HEAD, WIDTH)?,
            _ => writeln!(out, "{HEAD_V6} ref pointer drops")?,
        }
        for (number, one) in held.iter().enumerate() {
            let partner = one.socket().map(Socket::peer_address);
            let state = match partner {
                Some(Ok(_)) => ESTABLISHED,
                _ => CLOSE,
            };
            let columns = columns(one, domain, state);
            let line = alloc::format!("{number:5}: {columns} 2 0000000000000000 0");
            padded(out, &line, if domain == AF_INET { WIDTH } else { 0 })?;
        }
        Ok(())
    })
}

/// `unix`.
pub(super) fn unix(_: Tid) -> Vec<u8> {
    /// `__SO_ACCEPTCON`, and the states SS_UNCONNECTED and SS_CONNECTED.
    const ACCEPTS: u32 = 0x1_0000;
    const UNCONNECTED: u8 = 1;
    const CONNECTED: u8 = 3;
    text(|out| {
        writeln!(
            out,
            "Num       RefCount Protocol Flags    Type St Inode Path"
        )?;
        for held in sockets() {
            let Some(socket) = held
                .socket()
                .filter(|socket| socket.kind().domain == AF_UNIX)
            else {
                continue;
            };
            let listens = socket.option(SOL_SOCKET, SO_ACCEPTCONN);
            let listens = listens.is_ok_and(|value| value.bytes()[0] != 0);
            let state = match socket.peer_address() {
                Ok(_) => CONNECTED,
                Err(_) => UNCONNECTED,
            };
            write!(
                out,
                "0000000000000000: {:08X} 00000000 {:08X} {:04X} {state:02X} {:5}",
                2,
                if listens { ACCEPTS } else { 0 },
                socket.kind().socket_type,
                held.inode(),
            )?;
            write_path(out, socket)?;
            writeln!(out)?;
        }
        Ok(())
    })
}

/// The name of an AF_UNIX socket; NULs are shown as `@`.
fn write_path(out: &mut String, socket: &dyn Socket) -> core::fmt::Result {
    let Ok(name) = socket.local_address() else {
        return Ok(());
    };
    let path = match name.rest() {
        [] => return Ok(()),
        [0, ..] => name.rest(),
        path => path.strip_suffix(b"\0").unwrap_or(path),
    };
    let shown = String::from_utf8_lossy(path).replace('\0', "@");
    write!(out, " {shown}")
}

pub(super) fn netlink_sockets(_: Tid) -> Vec<u8> {
    text(|out| {
        writeln!(
            out,
            "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode"
        )?;
        for (port, groups) in netlink::bound_ports() {
            writeln!(
                out,
                "0000000000000000 0   {port:<10} {groups:08x} {:<8} {:<8} 0     2        {:<8} {:<8}",
                0, 0, 0, 0
            )?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use linux_raw_sys::net::AF_INET6;

    #[test]
    fn addresses_are_shown_in_the_machines_order() {
        let v4 = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);
        assert_eq!(hexadecimal(v4, AF_INET), "0100007F");
        assert_eq!(
            hexadecimal(v4, AF_INET6),
            "0000000000000000FFFF00000100007F"
        );
        let v6 = IpAddr::V6(core::net::Ipv6Addr::LOCALHOST);
        assert_eq!(
            hexadecimal(v6, AF_INET6),
            "00000000000000000000000001000000"
        );
    }
}
