//! Messages on sockets: send(2) and recv(2) in all their forms.

use core::time::Duration;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::blocking::Patience;
use crate::net::address::RawAddress;
use crate::net::message::{Ancillary, MessageFlags, Outgoing, Received};
use crate::net::socket::{receive_patience, send_patience};
use crate::syscall::control;
use crate::syscall::socket::SocketFd;
use crate::time::Instant;
use crate::user::{Dest, Iovec, MAX_TRANSFER, Plain, Source, Timespec, UserPtr, read_iovecs};

/// Most runs of one message (UIO_MAXIOV), and most messages of one sendmmsg(2).
const MAX_RUNS: usize = 1024;

/// `struct msghdr`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MessageHeader {
    name: usize,
    name_len: i32,
    padding: u32,
    iovecs: usize,
    iovec_count: usize,
    control: usize,
    control_len: usize,
    flags: u32,
    padding_end: u32,
}

// SAFETY: integers, the padding spelled out: every pattern is valid, nothing is owned.
unsafe impl Plain for MessageHeader {}

/// `struct mmsghdr`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MultiHeader {
    header: MessageHeader,
    count: u32,
    padding: u32,
}

// SAFETY: as for `MessageHeader`.
unsafe impl Plain for MultiHeader {}

/// See sendto(2).
pub fn sendto(
    fd: i32,
    buffer: UserPtr<u8>,
    len: usize,
    flags: u32,
    address: UserPtr<u8>,
    address_len: i32,
) -> SysResult {
    let socket = SocketFd::get(fd)?;
    let address = match address.non_null() {
        None => None,
        Some(place) => Some(RawAddress::read(place, address_len)?),
    };
    let flags = MessageFlags::from_bits_retain(flags);
    socket.socket()?.send(Outgoing {
        source: &mut Source::user(buffer, len.min(MAX_TRANSFER)),
        address,
        ancillary: Ancillary::default(),
        flags,
        patience: send_patience(socket.socket()?, socket.io(), flags),
    })
}

/// See recvfrom(2).
pub fn recvfrom(
    fd: i32,
    buffer: UserPtr<u8>,
    len: usize,
    flags: u32,
    address: UserPtr<u8>,
    address_len: UserPtr<i32>,
) -> SysResult {
    let socket = SocketFd::get(fd)?;
    let flags = MessageFlags::from_bits_retain(flags);
    let patience = receive_patience(socket.socket()?, socket.io(), flags);
    let mut dest = Dest::user(buffer, len.min(MAX_TRANSFER));
    let received = socket.socket()?.receive(&mut dest, flags, patience)?;
    if !address.is_null() {
        match &received.from {
            Some(from) => from.write(address, address_len)?,
            None => address_len.write(0)?,
        }
    }
    Ok(length(&received, flags))
}

/// See sendmsg(2).
pub fn sendmsg(fd: i32, header: UserPtr<MessageHeader>, flags: u32) -> SysResult {
    let socket = SocketFd::get(fd)?;
    send_one(
        &socket,
        &header.read()?,
        MessageFlags::from_bits_retain(flags),
    )
}

/// See recvmsg(2).
pub fn recvmsg(fd: i32, header: UserPtr<MessageHeader>, flags: u32) -> SysResult {
    let socket = SocketFd::get(fd)?;
    let flags = MessageFlags::from_bits_retain(flags);
    let patience = receive_patience(socket.socket()?, socket.io(), flags);
    let mut filled = header.read()?;
    let count = receive_one(&socket, &mut filled, flags, patience)?;
    header.write(filled)?;
    Ok(count)
}

/// See sendmmsg(2).
pub fn sendmmsg(fd: i32, headers: UserPtr<MultiHeader>, count: u32, flags: u32) -> SysResult {
    let socket = SocketFd::get(fd)?;
    let flags = MessageFlags::from_bits_retain(flags);
    each_message(headers, count, |header| {
        let sent = send_one(&socket, &header.header, flags)?;
        header.count = u32::try_from(sent).unwrap_or(u32::MAX);
        Ok(true)
    })
}

/// See recvmmsg(2). As in Linux, the timeout is looked at after each message only.
pub fn recvmmsg(
    fd: i32,
    headers: UserPtr<MultiHeader>,
    count: u32,
    flags: u32,
    timeout: UserPtr<Timespec>,
) -> SysResult {
    let deadline = match timeout.non_null() {
        None => None,
        Some(timeout) => Some(Instant::now().after(timeout.read()?.to_duration()?)),
    };
    let socket = SocketFd::get(fd)?;
    let mut flags = MessageFlags::from_bits_retain(flags);
    let result = each_message(headers, count, |header| {
        let patience = receive_patience(socket.socket()?, socket.io(), flags);
        let received = receive_one(&socket, &mut header.header, flags, patience)?;
        header.count = u32::try_from(received).unwrap_or(u32::MAX);
        if flags.contains(MessageFlags::WAITFORONE) {
            flags |= MessageFlags::DONTWAIT;
        }
        Ok(deadline.is_none_or(|deadline| Instant::now() < deadline))
    });
    if let (Some(place), Some(deadline)) = (timeout.non_null(), deadline) {
        let left: Duration = Instant::now().until(deadline);
        place.write(Timespec::from_ns(
            u64::try_from(left.as_nanos()).unwrap_or(u64::MAX),
        ))?;
    }
    result
}

/// Handles messages one by one, writing each header back, until `handle` says `false` or fails. An
/// error counts only if it hits the first.
fn each_message(
    headers: UserPtr<MultiHeader>,
    count: u32,
    mut handle: impl FnMut(&mut MultiHeader) -> Result<bool>,
) -> SysResult {
    let count = usize::try_from(count).unwrap_or(MAX_RUNS).min(MAX_RUNS);
    for index in 0..count {
        let mut one = || {
            let place = headers.element(index)?;
            let mut header = place.read()?;
            let goes_on = handle(&mut header)?;
            place.write(header)?;
            Ok(goes_on)
        };
        match one() {
            Ok(true) => {}
            Ok(false) => return Ok(index + 1),
            Err(error) if index == 0 => return Err(error),
            Err(_) => return Ok(index),
        }
    }
    Ok(count)
}

fn send_one(socket: &SocketFd, header: &MessageHeader, flags: MessageFlags) -> SysResult {
    let iovecs = runs(header)?;
    let address = match UserPtr::<u8>::new(header.name).non_null() {
        Some(place) if header.name_len != 0 => Some(RawAddress::read(place, header.name_len)?),
        _ => None,
    };
    let ancillary = control::read(UserPtr::new(header.control), header.control_len)?;
    socket.socket()?.send(Outgoing {
        source: &mut Source::vector(&iovecs),
        address,
        ancillary,
        flags,
        patience: send_patience(socket.socket()?, socket.io(), flags),
    })
}

/// Receives into `header`'s runs and fills in its results.
fn receive_one(
    socket: &SocketFd,
    header: &mut MessageHeader,
    flags: MessageFlags,
    patience: Patience,
) -> SysResult {
    let iovecs = runs(header)?;
    let mut received = socket
        .socket()?
        .receive(&mut Dest::vector(&iovecs), flags, patience)?;
    if let Some(place) = UserPtr::<u8>::new(header.name).non_null() {
        header.name_len = write_name(&received, place, header.name_len)?;
    }
    let ancillary = core::mem::take(&mut received.ancillary);
    let place = UserPtr::new(header.control);
    let written = control::write(ancillary, place, header.control_len, flags);
    header.control_len = written.len;
    let mut result = flags & MessageFlags::CMSG_CLOEXEC;
    result.set(MessageFlags::CTRUNC, written.truncated);
    result.set(MessageFlags::EOR, received.end_of_record);
    result.set(MessageFlags::ERRQUEUE, received.is_error);
    result.set(MessageFlags::TRUNC, received.full_len > received.count);
    result.set(MessageFlags::OOB, received.is_urgent);
    header.flags = result.bits();
    Ok(length(&received, flags))
}

/// Writes who sent a message, as much as fits; returns the full length of the address.
fn write_name(received: &Received, place: UserPtr<u8>, room: i32) -> Result<i32> {
    let Some(from) = &received.from else {
        return Ok(0);
    };
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let bytes = from.bytes();
    place.write_slice(&bytes[..room.min(bytes.len())])?;
    i32::try_from(bytes.len()).map_err(|_| Errno::EINVAL)
}

/// The runs of a message.
fn runs(header: &MessageHeader) -> Result<alloc::vec::Vec<Iovec>> {
    if header.iovec_count > MAX_RUNS {
        return Err(Errno::EMSGSIZE);
    }
    let count = i32::try_from(header.iovec_count).map_err(|_| Errno::EMSGSIZE)?;
    read_iovecs(UserPtr::new(header.iovecs), count)
}

/// What a receive returns: with MSG_TRUNC the length that the message had.
fn length(received: &Received, flags: MessageFlags) -> usize {
    if flags.contains(MessageFlags::TRUNC) {
        received.full_len
    } else {
        received.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::{event, socket};

    const _: () = assert!(size_of::<MessageHeader>() == 56);
    const _: () = assert!(size_of::<MultiHeader>() == 64);

    const NULL: UserPtr<u8> = UserPtr::new(0);

    fn pair(socket_type: u32) -> [i32; 2] {
        let mut fds = [0_i32; 2];
        let place = UserPtr::new(fds.as_mut_ptr() as usize);
        socket::socketpair(1, socket_type | 0o4000, 0, place).expect("a pair");
        fds
    }

    fn send(fd: i32, bytes: &[u8], flags: u32) -> SysResult {
        let place = UserPtr::new(bytes.as_ptr() as usize);
        sendto(fd, place, bytes.len(), flags, NULL, 0)
    }

    fn receive(fd: i32, buffer: &mut [u8], flags: u32) -> SysResult {
        let place = UserPtr::new(buffer.as_mut_ptr() as usize);
        recvfrom(fd, place, buffer.len(), flags, NULL, UserPtr::new(0))
    }

    fn header(iovec: &Iovec, control: &mut [u8]) -> MessageHeader {
        MessageHeader {
            name: 0,
            name_len: 0,
            padding: 0,
            iovecs: core::ptr::from_ref(iovec) as usize,
            iovec_count: 1,
            control: control.as_mut_ptr() as usize,
            control_len: control.len(),
            flags: 0,
            padding_end: 0,
        }
    }

    #[test]
    fn packets_are_cut_and_say_so() {
        let [a, b] = pair(2);
        assert_eq!(send(a, b"hello", 0), Ok(5));
        let mut buffer = [0; 3];
        let peek_and_length = 0x2 | 0x20;
        assert_eq!(receive(b, &mut buffer, peek_and_length), Ok(5));
        let iovec = Iovec {
            base: buffer.as_mut_ptr() as usize,
            len: 3,
        };
        let mut header = header(&iovec, &mut []);
        let place = UserPtr::new(&raw mut header as usize);
        assert_eq!(recvmsg(b, place, 0), Ok(3));
        assert_eq!(header.flags, 0x20);
        assert_eq!(&buffer, b"hel");
        assert_eq!(receive(b, &mut buffer, 0), Err(Errno::EAGAIN));
    }

    #[test]
    fn a_descriptor_travels() {
        let [a, b] = pair(1);
        let counter = i32::try_from(event::eventfd(3).expect("a counter")).expect("small");
        let mut byte = [7_u8];
        let iovec = Iovec {
            base: byte.as_mut_ptr() as usize,
            len: 1,
        };
        let mut control = [0_u8; 24];
        control[..8].copy_from_slice(&20_usize.to_ne_bytes());
        control[8..12].copy_from_slice(&1_i32.to_ne_bytes());
        control[12..16].copy_from_slice(&1_i32.to_ne_bytes());
        control[16..20].copy_from_slice(&counter.to_ne_bytes());
        let sent = header(&iovec, &mut control);
        assert_eq!(sendmsg(a, UserPtr::new(&raw const sent as usize), 0), Ok(1));
        let mut room = [0_u8; 24];
        let mut got = header(&iovec, &mut room);
        assert_eq!(recvmsg(b, UserPtr::new(&raw mut got as usize), 0), Ok(1));
        assert_eq!((got.control_len, got.flags), (24, 0));
        let arrived = i32::from_ne_bytes(room[16..20].try_into().expect("four"));
        assert_ne!(arrived, counter);
        let files = crate::task::current_process();
        let (one, two) = (files.files.get(counter), files.files.get(arrived));
        let same = alloc::sync::Arc::ptr_eq(&one.expect("open"), &two.expect("open"));
        assert!(same, "both numbers mean one open file description");
    }

    #[test]
    fn several_messages_in_one_call() {
        let [a, b] = pair(5);
        let texts = [*b"one", *b"two"];
        let iovecs = texts.each_ref().map(|text| Iovec {
            base: text.as_ptr() as usize,
            len: 3,
        });
        let mut headers = iovecs.each_ref().map(|iovec| MultiHeader {
            header: header(iovec, &mut []),
            count: 0,
            padding: 0,
        });
        let place = UserPtr::new(headers.as_mut_ptr() as usize);
        assert_eq!(sendmmsg(a, place, 2, 0), Ok(2));
        assert_eq!(headers.map(|header| header.count), [3, 3]);
        let mut buffer = [0; 9];
        assert_eq!(receive(b, &mut buffer, 0), Ok(3));
        let place = UserPtr::new(headers.as_mut_ptr() as usize);
        assert_eq!(recvmmsg(b, place, 2, 0, UserPtr::new(0)), Ok(1));
        assert_eq!(&texts[0], b"two");
    }

    #[test]
    fn errors_are_linuxs() {
        let [a, b] = pair(1);
        let mut buffer = [0; 4];
        assert_eq!(receive(b, &mut buffer, 0), Err(Errno::EAGAIN));
        assert_eq!(receive(b, &mut buffer, 1), Err(Errno::EINVAL));
        let name = UserPtr::new(b"\x01\0\0x".as_ptr() as usize);
        assert_eq!(sendto(a, name, 1, 0, name, 4), Err(Errno::EISCONN));
        let lonely = socket::socket(1, 1, 0).expect("a socket");
        let lonely = i32::try_from(lonely).expect("small");
        assert_eq!(send(lonely, b"x", 0), Err(Errno::ENOTCONN));
        assert_eq!(sendto(lonely, name, 1, 0, name, 4), Err(Errno::EOPNOTSUPP));
        assert_eq!(receive(lonely, &mut buffer, 0), Err(Errno::EINVAL));
        let mut many = header(&Iovec { base: 0, len: 0 }, &mut []);
        many.iovec_count = 1025;
        let place = UserPtr::new(&raw mut many as usize);
        assert_eq!(sendmsg(a, place, 0), Err(Errno::EMSGSIZE));
    }
}
