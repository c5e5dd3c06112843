//! Sockets: making, naming, connecting, options. Messages are in [`super::message`].

use alloc::sync::Arc;

use linux_raw_sys::net::{SO_PEERGROUPS, SOL_SOCKET};

use crate::errno::{Errno, Result, SysResult};
use crate::fs::file::{Io, OpenFile, OpenFlags};
use crate::net;
use crate::net::address::RawAddress;
use crate::net::message::MessageFlags;
use crate::net::socket::{self, Halves, Socket, SocketFile};
use crate::syscall::event::{creation_flags, descriptor, open_descriptor, open_file, open_pair};
use crate::task;
use crate::user::UserPtr;

/// The bits of the type argument that are a type; the others are flags.
const TYPE_BITS: u32 = 0xf;

/// The longest option value that is looked at, in bytes.
const MAX_OPTION: usize = 512;

/// An open file description that is a socket.
pub(super) struct SocketFd {
    file: Arc<OpenFile>,
}

impl SocketFd {
    /// The socket of descriptor `fd`.
    ///
    /// # Errors
    /// EBADF, ENOTSOCK.
    pub(super) fn get(fd: i32) -> Result<Self> {
        let file = open_file(fd)?;
        if file.downcast::<SocketFile>().is_none() {
            return Err(Errno::ENOTSOCK);
        }
        Ok(Self { file })
    }

    /// The socket.
    pub(super) fn socket(&self) -> Result<&dyn Socket> {
        let file = self.file.downcast::<SocketFile>().ok_or(Errno::ENOTSOCK)?;
        Ok(&**file.socket())
    }

    /// Its status flags, as a call brings them along.
    pub(super) fn io(&self) -> Io {
        Io {
            offset: 0,
            flags: self.file.flags(),
        }
    }
}

/// See socket(2).
pub fn socket(domain: u32, type_and_flags: u32, protocol: u32) -> SysResult {
    let flags = creation_flags(type_and_flags & !TYPE_BITS, 0)?;
    let socket = net::create(domain, type_and_flags & TYPE_BITS, protocol)?;
    descriptor(open_descriptor(
        SocketFile::new(socket),
        flags | OpenFlags::RDWR,
    ))
}

/// See socketpair(2).
pub fn socketpair(
    domain: u32,
    type_and_flags: u32,
    protocol: u32,
    descriptors: UserPtr<i32>,
) -> SysResult {
    let flags = creation_flags(type_and_flags & !TYPE_BITS, 0)? | OpenFlags::RDWR;
    let [first, second] = net::pair(domain, type_and_flags & TYPE_BITS, protocol)?;
    open_pair(
        [
            (SocketFile::new(first), flags),
            (SocketFile::new(second), flags),
        ],
        descriptors,
    )
}

/// See bind(2).
pub fn bind(fd: i32, address: UserPtr<u8>, len: i32) -> SysResult {
    let socket = SocketFd::get(fd)?;
    socket.socket()?.bind(&RawAddress::read(address, len)?)?;
    Ok(0)
}

/// See listen(2).
pub fn listen(fd: i32, backlog: i32) -> SysResult {
    SocketFd::get(fd)?.socket()?.listen(backlog)?;
    Ok(0)
}

/// See accept(2).
pub fn accept(fd: i32, address: UserPtr<u8>, len: UserPtr<i32>) -> SysResult {
    accept4(fd, address, len, 0)
}

/// See accept4(2).
pub fn accept4(fd: i32, address: UserPtr<u8>, len: UserPtr<i32>, flags: u32) -> SysResult {
    let flags = creation_flags(flags, 0)? | OpenFlags::RDWR;
    let listener = SocketFd::get(fd)?;
    let patience =
        socket::receive_patience(listener.socket()?, listener.io(), MessageFlags::empty());
    let accepted = listener.socket()?.accept(patience)?;
    let peer = accepted.accepted_from();
    let new = open_descriptor(SocketFile::new(accepted), flags)?;
    if !address.is_null() {
        let told = peer.and_then(|peer| peer.write(address, len));
        if let Err(error) = told {
            task::with_current(|thread| drop(thread.process().files.remove(new)));
            return Err(error);
        }
    }
    descriptor(Ok(new))
}

/// See connect(2).
pub fn connect(fd: i32, address: UserPtr<u8>, len: i32) -> SysResult {
    let socket = SocketFd::get(fd)?;
    let address = RawAddress::read(address, len)?;
    let patience = socket::send_patience(socket.socket()?, socket.io(), MessageFlags::empty());
    socket.socket()?.connect(&address, patience)?;
    Ok(0)
}

/// See getsockname(2).
pub fn getsockname(fd: i32, address: UserPtr<u8>, len: UserPtr<i32>) -> SysResult {
    let socket = SocketFd::get(fd)?;
    socket.socket()?.local_address()?.write(address, len)?;
    Ok(0)
}

/// See getpeername(2).
pub fn getpeername(fd: i32, address: UserPtr<u8>, len: UserPtr<i32>) -> SysResult {
    let socket = SocketFd::get(fd)?;
    socket.socket()?.peer_address()?.write(address, len)?;
    Ok(0)
}

/// See shutdown(2).
pub fn shutdown(fd: i32, how: i32) -> SysResult {
    let socket = SocketFd::get(fd)?;
    let halves = match how {
        0 => Halves::RECEIVE,
        1 => Halves::SEND,
        2 => Halves::all(),
        _ => return Err(Errno::EINVAL),
    };
    socket.socket()?.shutdown(halves)?;
    Ok(0)
}

/// See setsockopt(2).
pub fn setsockopt(fd: i32, level: u32, name: u32, value: UserPtr<u8>, len: i32) -> SysResult {
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    let socket = SocketFd::get(fd)?;
    let value = value.read_vec(len.min(MAX_OPTION))?;
    socket.socket()?.set_option(level, name, &value)?;
    Ok(0)
}

/// See getsockopt(2).
pub fn getsockopt(
    fd: i32,
    level: u32,
    name: u32,
    value: UserPtr<u8>,
    len: UserPtr<i32>,
) -> SysResult {
    let socket = SocketFd::get(fd)?;
    let room = usize::try_from(len.read()?);
    if level == SOL_SOCKET && room.is_err() {
        return Err(Errno::EINVAL);
    }
    let found = socket.socket()?.option(level, name);
    // A level that the socket doesn't have is an error before a negative length is.
    let Ok(room) = room else {
        return Err(found
            .err()
            .filter(|&error| error == Errno::EOPNOTSUPP)
            .unwrap_or(Errno::EINVAL));
    };
    let found = found?;
    if (level, name) == (SOL_SOCKET, SO_PEERGROUPS) && room < found.bytes().len() {
        len.write(i32::try_from(found.bytes().len()).map_err(|_| Errno::EINVAL)?)?;
        return Err(Errno::ERANGE);
    }
    let bytes = &found.bytes()[..room.min(found.bytes().len())];
    value.write_slice(bytes)?;
    len.write(i32::try_from(bytes.len()).map_err(|_| Errno::EINVAL)?)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use linux_raw_sys::net::{SO_DOMAIN, SO_PEERCRED, SO_TYPE, SOL_SOCKET};

    const UNIX: u32 = 1;
    const STREAM: u32 = 1;
    const DGRAM: u32 = 2;

    fn new(socket_type: u32) -> i32 {
        let fd = socket(UNIX, socket_type, 0).expect("a socket");
        i32::try_from(fd).expect("small")
    }

    fn at<T: ?Sized>(value: &T) -> usize {
        core::ptr::from_ref(value).cast::<u8>() as usize
    }

    #[test]
    fn a_connection_is_made_by_an_abstract_name() {
        let address = *b"\x01\0\0syscall-test";
        let (place, len) = (UserPtr::new(at(&address)), 15);
        let (listener, client) = (new(STREAM), new(STREAM | 0o4000));
        assert_eq!(connect(client, place, len), Err(Errno::ECONNREFUSED));
        assert_eq!(listen(listener, 1), Err(Errno::EINVAL), "no name yet");
        assert_eq!(bind(listener, place, len), Ok(0));
        assert_eq!(bind(new(STREAM), place, len), Err(Errno::EADDRINUSE));
        assert_eq!(connect(client, place, len), Err(Errno::ECONNREFUSED));
        assert_eq!(listen(listener, 1), Ok(0));
        // Each type of socket has abstract names of its own (unix_find_abstract in net/unix/af_unix.c).
        assert_eq!(connect(new(DGRAM), place, len), Err(Errno::ECONNREFUSED));
        assert_eq!(connect(client, place, len), Ok(0));
        assert_eq!(connect(client, place, len), Err(Errno::EISCONN));
        let null = UserPtr::new(0);
        let server = accept(listener, UserPtr::new(0), null).expect("pending");
        let (mut buffer, mut room) = ([0_u8; 32], 32_i32);
        let name = getsockname(
            i32::try_from(server).expect("small"),
            UserPtr::new(buffer.as_mut_ptr() as usize),
            UserPtr::new(&raw mut room as usize),
        );
        assert_eq!((name, room), (Ok(0), 15));
    }

    #[test]
    fn options_tell_what_the_socket_is() {
        let fd = new(DGRAM);
        let mut value = [0_i32; 3];
        let mut len = 4_i32;
        for (name, expected) in [(SO_TYPE, 2), (SO_DOMAIN, 1)] {
            let place = UserPtr::new(value.as_mut_ptr() as usize);
            let len_place = UserPtr::new(&raw mut len as usize);
            assert_eq!(getsockopt(fd, SOL_SOCKET, name, place, len_place), Ok(0));
            assert_eq!(value[0], expected);
        }
        len = 12;
        let place = UserPtr::new(value.as_mut_ptr() as usize);
        let len_place = UserPtr::new(&raw mut len as usize);
        assert_eq!(
            getsockopt(fd, SOL_SOCKET, SO_PEERCRED, place, len_place),
            Ok(0)
        );
        assert_eq!(value, [0, -1, -1]);
        assert_eq!(
            getsockopt(fd, 6, 1, place, len_place),
            Err(Errno::EOPNOTSUPP)
        );
        len = -1;
        for (level, expected) in [(SOL_SOCKET, Errno::EINVAL), (6, Errno::EOPNOTSUPP)] {
            let len_place = UserPtr::new(&raw mut len as usize);
            assert_eq!(getsockopt(fd, level, 1, place, len_place), Err(expected));
        }
    }

    #[test]
    fn errors_are_linuxs() {
        let null = UserPtr::new(0);
        let counter = crate::syscall::event::eventfd(0).expect("a descriptor");
        let counter = i32::try_from(counter).expect("small");
        assert_eq!(listen(counter, 1), Err(Errno::ENOTSOCK));
        assert_eq!(listen(9999, 1), Err(Errno::EBADF));
        let fd = new(STREAM);
        assert_eq!(shutdown(fd, 3), Err(Errno::EINVAL));
        assert_eq!(accept4(fd, UserPtr::new(0), null, 1), Err(Errno::EINVAL));
        assert_eq!(accept4(fd, UserPtr::new(0), null, 0), Err(Errno::EINVAL));
        assert_eq!(listen(new(DGRAM), 1), Err(Errno::EOPNOTSUPP));
        assert_eq!(getpeername(fd, UserPtr::new(0), null), Err(Errno::ENOTCONN));
        assert_eq!(socket(UNIX, STREAM | 0x100, 0), Err(Errno::EINVAL));
        assert_eq!(bind(fd, UserPtr::new(0), 200), Err(Errno::EINVAL));
        assert_eq!(bind(fd, UserPtr::new(0), 20), Err(Errno::EFAULT));
        let pair = socketpair(UNIX, STREAM, 0, UserPtr::new(0));
        assert_eq!(pair, Err(Errno::EFAULT));
        assert_eq!(
            setsockopt(fd, SOL_SOCKET, 2, UserPtr::new(0), -1),
            Err(Errno::EINVAL)
        );
    }
}
