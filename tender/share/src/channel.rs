//! The channel: requests in, replies out, over a stream socket.
//!
//! Main types: [`Requests`] (cuts the stream into requests), [`Reply`] (one answer, built in place). [`patience`]: waiting
//! for the next one. Whatever
//! the guest sends, the stream stays in step: see the framing in `libos_abi::fuse`.

mod patience;

use libos_abi::fuse::messages::{InHeader, OutHeader};
use libos_abi::fuse::wire::Wire;
use libos_abi::fuse::{LONGEST_REQUEST, MOST_DATA};
use patience::Patience;
use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::os::fd::{AsFd, OwnedFd};

/// Room asked for in each direction, in bytes: what fits is sent without waiting for the other side. The kernel bounds it
/// by net.core.wmem_max.
const BUFFER: usize = 4 << 20;

/// Makes the two ends: the guest's, which does not block, and the helper's, which does.
///
/// # Errors
/// That of socketpair(2) or fcntl(2).
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let (kind, family) = (SocketType::STREAM, AddressFamily::UNIX);
    let (guest, helper) = rustix::net::socketpair(family, kind, SocketFlags::CLOEXEC, None)?;
    for end in [&guest, &helper] {
        // Of UNIX sockets the sender's buffer counts. The second call is for root alone.
        let _ = sockopt::set_socket_send_buffer_size(end, BUFFER);
        let _ = sockopt::set_socket_send_buffer_size_force(end, BUFFER);
    }
    rustix::io::ioctl_fionbio(&guest, true)?;
    Ok((guest, helper))
}

/// The stream of requests.
pub struct Requests {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of a request that is too long, still to be skipped.
    skip: usize,
    patience: Patience,
}

/// What the stream holds next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A whole request, at this place of [`Requests::bytes`].
    Request(InHeader, std::ops::Range<usize>),
    /// The header of one that is too long to be looked at.
    TooLong(InHeader),
    /// More bytes are needed.
    Incomplete,
}

impl Requests {
    /// An empty stream.
    pub fn new() -> Self {
        Self {
            bytes: vec![0; LONGEST_REQUEST],
            start: 0,
            end: 0,
            skip: 0,
            patience: Patience::default(),
        }
    }

    /// The bytes at a place that [`Self::next`] told, until more are received.
    pub fn bytes(&self, place: std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(place).unwrap_or_default()
    }

    /// What comes next of what has been received.
    pub fn next(&mut self) -> Next {
        let skipped = self.skip.min(self.end - self.start);
        self.skip -= skipped;
        self.start += skipped;
        let received = &self.bytes[self.start..self.end];
        let Some(header) = InHeader::get(received) else {
            return Next::Incomplete;
        };
        let len = usize::try_from(header.len)
            .unwrap_or(usize::MAX)
            .max(InHeader::LEN);
        if len > LONGEST_REQUEST {
            self.skip = len;
            return Next::TooLong(header);
        }
        if len > received.len() {
            return Next::Incomplete;
        }
        let place = self.start + InHeader::LEN..self.start + len;
        self.start += len;
        Next::Request(header, place)
    }

    /// Receives more, and waits for it. How many bytes; 0 at the end.
    ///
    /// # Errors
    /// That of recv(2): the other side is gone.
    pub fn receive(&mut self, channel: &OwnedFd) -> Result<usize> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let room = &mut self.bytes[self.end..];
        let (received, _) = match self.patience.look(|| look(channel, room)) {
            Some(received) => received?,
            None => wait(channel, room)?,
        };
        self.end += received;
        Ok(received)
    }
}

/// What is there, if something is.
fn look(channel: &OwnedFd, room: &mut [u8]) -> Option<Result<(usize, usize)>> {
    match rustix::net::recv(channel, room, RecvFlags::DONTWAIT) {
        Err(Errno::AGAIN | Errno::INTR) => None,
        other => Some(other),
    }
}

/// What comes next.
fn wait(channel: &OwnedFd, room: &mut [u8]) -> Result<(usize, usize)> {
    loop {
        match rustix::net::recv(channel, &mut *room, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// An answer in the making.
pub struct Reply {
    /// As many bytes as the longest answer has, of which the first `len` count: so none is cleared for being read into.
    bytes: Vec<u8>,
    len: usize,
}

impl Reply {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            bytes: vec![0; OutHeader::LEN + MOST_DATA],
            len: OutHeader::LEN,
        }
    }

    /// Empty again.
    pub fn clear(&mut self) {
        self.len = OutHeader::LEN;
    }

    /// How many bytes follow the header.
    pub fn len(&self) -> usize {
        self.len - OutHeader::LEN
    }

    /// Adds a structure.
    pub fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.extend(&bytes);
    }

    /// Adds bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
        }
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }

    /// Adds zeros up to a multiple of 8 bytes.
    pub fn align(&mut self) {
        let missing = self.len.next_multiple_of(8) - self.len;
        self.extend(&[0; 8][..missing]);
    }

    /// Lets `fill` write up to `room` bytes behind what there is; it tells how many.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn fill(
        &mut self,
        room: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize>,
    ) -> Result<()> {
        let rest = self.bytes.get_mut(self.len..).unwrap_or_default();
        let room = room.min(rest.len());
        self.len += fill(&mut rest[..room])?.min(room);
        Ok(())
    }

    /// The finished message for the request `unique`. What follows the header goes if there is an error.
    pub fn finish(&mut self, unique: u64, outcome: Result<()>) -> &[u8] {
        let error = match outcome {
            Ok(()) => 0,
            Err(error) => {
                self.clear();
                -error.raw_os_error()
            }
        };
        let len = u32::try_from(self.len).unwrap_or(u32::MAX);
        OutHeader { len, error, unique }.put(&mut self.bytes);
        &self.bytes[..self.len]
    }

    /// The finished message for the request `unique`, if `between` bytes of elsewhere belong behind the header: what goes before
    /// them and what goes behind.
    pub fn finish_around(&mut self, unique: u64, between: usize) -> (&[u8], &[u8]) {
        let len = u32::try_from(self.len + between).unwrap_or(u32::MAX);
        let header = OutHeader {
            len,
            error: 0,
            unique,
        };
        header.put(&mut self.bytes);
        self.bytes[..self.len].split_at(OutHeader::LEN)
    }
}

/// Sends all of a message, and waits until there is room for it.
///
/// # Errors
/// That of send(2): the other side is gone.
pub fn send(channel: impl AsFd, mut message: &[u8]) -> Result<()> {
    while !message.is_empty() {
        match rustix::net::send(&channel, message, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
            Ok(sent) => message = message.get(sent..).unwrap_or_default(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(len: usize, unique: u64) -> InHeader {
        InHeader {
            len: u32::try_from(len).expect("a length"),
            unique,
            ..InHeader::default()
        }
    }

    fn stream(parts: &[&[u8]]) -> (Requests, OwnedFd) {
        let (guest, helper) = pair().expect("a pair");
        for part in parts {
            send(&guest, part).expect("room");
        }
        (Requests::new(), helper)
    }

    #[test]
    fn requests_are_cut_out_of_the_stream() {
        let (first, second) = (header(44, 1), header(40, 2));
        let bytes = [&first.to_bytes()[..], b"body", &second.to_bytes()].concat();
        for cut in [0, 10, 40, 43, 44, 84] {
            let (mut requests, helper) = stream(&[&bytes[..cut], &bytes[cut..]]);
            let mut found = Vec::new();
            while found.len() < 2 {
                match requests.next() {
                    Next::Request(header, place) => {
                        found.push((header, requests.bytes(place).to_vec()));
                    }
                    Next::Incomplete => assert!(requests.receive(&helper).expect("bytes") > 0),
                    Next::TooLong(header) => panic!("{header:?}"),
                }
            }
            assert_eq!(
                found,
                [(first, b"body".to_vec()), (second, Vec::new())],
                "{cut}"
            );
            assert_eq!(requests.next(), Next::Incomplete);
        }
    }

    #[test]
    fn a_wrong_length_does_not_break_the_stream() {
        let long = header(LONGEST_REQUEST + 1, 1);
        let (short, last) = (header(3, 2), header(40, 3));
        let mut bytes = long.to_bytes().to_vec();
        bytes.resize(LONGEST_REQUEST + 1, 7);
        bytes.extend(short.to_bytes());
        bytes.extend(last.to_bytes());
        let (guest, helper) = pair().expect("a pair");
        rustix::io::ioctl_fionbio(&guest, false).expect("an option");
        let sender = std::thread::spawn(move || send(&guest, &bytes));
        let mut requests = Requests::new();
        let mut found = Vec::new();
        while found.len() < 3 {
            match requests.next() {
                Next::Request(header, place) => found.push((header.unique, place.len())),
                Next::TooLong(header) => found.push((header.unique, usize::MAX)),
                Next::Incomplete => assert!(requests.receive(&helper).expect("bytes") > 0),
            }
        }
        assert_eq!(found, [(1, usize::MAX), (2, 0), (3, 0)]);
        sender.join().expect("no panic").expect("sent");
    }

    #[test]
    fn an_error_has_no_body() {
        let mut reply = Reply::new();
        reply.extend(b"data");
        assert_eq!(reply.finish(7, Ok(())).len(), 20);
        let bytes = reply.finish(7, Err(Errno::NOENT));
        let expected = OutHeader {
            len: 16,
            error: -2,
            unique: 7,
        };
        assert_eq!(OutHeader::take(bytes), Some((expected, &[][..])));
    }

    #[test]
    fn a_failed_fill_leaves_nothing() {
        let mut reply = Reply::new();
        assert_eq!(reply.fill(10, |_| Err(Errno::IO)), Err(Errno::IO));
        assert_eq!(reply.len(), 0);
        reply.fill(10, |room| Ok(room.len() / 2)).expect("filled");
        assert_eq!(reply.len(), 5);
    }
}
