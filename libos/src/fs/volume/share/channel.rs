//! Requests and answers over a share's channel: see `libos_abi::fuse` for what they are.
//!
//! One request at a time. Its answer is looked for at once, since it mostly comes sooner than the host could wake
//! this process up; then the host is asked to wait. [`Link`] is the stream of bytes below.

use alloc::boxed::Box;
use alloc::vec::Vec;

use libos_abi::fuse::messages::{InHeader, OutHeader};
use libos_abi::fuse::wire::Wire;

use crate::errno::{Errno, Result};

/// For how long an answer is looked for before waiting, in nanoseconds.
const LOOK: u64 = 15_000;

/// Longest answer that is taken by one read, in bytes.
const SHORT: usize = 8 << 10;

/// Longest answer, in bytes: data, or names.
const LONGEST: usize = libos_abi::fuse::MOST_DATA + 4096;

/// Shortest data of a request that is worth a write of its own, in bytes.
const APART: usize = 16 << 10;

/// A stream of bytes to the server, which does not block.
pub trait Link: Send {
    /// Receives some bytes; 0 at the end.
    ///
    /// # Errors
    /// EAGAIN; ECONNRESET.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize>;

    /// Sends some bytes.
    ///
    /// # Errors
    /// EAGAIN; EPIPE, ECONNRESET.
    fn write(&mut self, bytes: &[u8]) -> Result<usize>;

    /// Waits until bytes can be received, or sent; may return early.
    fn wait(&mut self, to_send: bool);

    /// Time in nanoseconds.
    fn now(&self) -> u64;
}

/// Whom a request is from, and what it is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The file's number.
    pub node: u64,
    /// Owner of what it makes.
    pub uid: u32,
    /// Group of what it makes.
    pub gid: u32,
}

impl Subject {
    /// A file, for requests that make nothing.
    pub const fn node(node: u64) -> Self {
        Self {
            node,
            uid: 0,
            gid: 0,
        }
    }
}

/// The guest's end.
pub struct Channel {
    link: Box<dyn Link>,
    unique: u64,
    request: Vec<u8>,
    answer: Vec<u8>,
    is_dead: bool,
}

impl Channel {
    /// Over `link`.
    pub fn new(link: Box<dyn Link>) -> Self {
        Self {
            link,
            unique: 0,
            request: Vec::new(),
            answer: Vec::new(),
            is_dead: false,
        }
    }

    /// Asks, and returns what follows the answer's header.
    ///
    /// # Errors
    /// The server's; ENOTCONN once it is gone; EIO if it talks nonsense.
    pub fn ask(&mut self, opcode: u32, subject: Subject, parts: &[&[u8]]) -> Result<&[u8]> {
        let unique = self.tell(opcode, subject, parts)?;
        let received = self.receive(unique);
        let received = self.judged(received)?;
        received?;
        Ok(&self.answer[OutHeader::LEN..])
    }

    /// As [`Self::ask`], for an answer that consists of data; returns how many bytes of `buffer` they fill.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn ask_data(
        &mut self,
        opcode: u32,
        subject: Subject,
        parts: &[&[u8]],
        buffer: &mut [u8],
    ) -> Result<usize> {
        if buffer.len() <= SHORT / 2 {
            let data = self.ask(opcode, subject, parts)?;
            let place = buffer.get_mut(..data.len()).ok_or(Errno::EIO)?;
            place.copy_from_slice(data);
            return Ok(data.len());
        }
        let unique = self.tell(opcode, subject, parts)?;
        let received = self.receive_data(unique, buffer);
        self.judged(received)?
    }

    /// Sends a request; returns its number. Those without an answer are done with this.
    ///
    /// # Errors
    /// ENOTCONN once the server is gone.
    pub fn tell(&mut self, opcode: u32, subject: Subject, parts: &[&[u8]]) -> Result<u64> {
        if self.is_dead {
            return Err(Errno::ENOTCONN);
        }
        self.unique += 2;
        let data: usize = parts.iter().map(|part| part.len()).sum();
        let header = InHeader {
            len: u32::try_from(InHeader::LEN + data).map_err(|_| Errno::EIO)?,
            opcode,
            unique: self.unique,
            nodeid: subject.node,
            uid: subject.uid,
            gid: subject.gid,
            ..InHeader::default()
        };
        let apart = parts.last().filter(|last| last.len() >= APART);
        let joined = &parts[..parts.len() - usize::from(apart.is_some())];
        let mut request = core::mem::take(&mut self.request);
        request.clear();
        request.extend_from_slice(&header.to_bytes());
        for part in joined {
            request.extend_from_slice(part);
        }
        let mut sent = self.send(&request);
        if let Some(data) = apart {
            sent = sent.and_then(|()| self.send(data));
        }
        self.request = request;
        self.judged(sent)?;
        Ok(self.unique)
    }

    /// What ends the channel ends it for all requests to come.
    fn judged<T>(&mut self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            self.is_dead = true;
            match error {
                Errno::EIO => error,
                _ => Errno::ENOTCONN,
            }
        })
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match self.link.write(bytes) {
                Ok(0) => return Err(Errno::EPIPE),
                Ok(count) => bytes = bytes.get(count..).unwrap_or(&[]),
                Err(Errno::EAGAIN) => self.link.wait(true),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Receives an answer with all that follows its header. The inner result is the server's.
    fn receive(&mut self, unique: u64) -> Result<Result<()>> {
        let mut answer = core::mem::take(&mut self.answer);
        answer.resize(SHORT, 0);
        let received = self.receive_into(unique, &mut answer);
        self.answer = answer;
        received
    }

    fn receive_into(&mut self, unique: u64, answer: &mut Vec<u8>) -> Result<Result<()>> {
        let mut have = 0;
        while have < OutHeader::LEN {
            have += self.some(&mut answer[have..])?;
        }
        let (len, error) = check(answer, unique)?;
        if have > len {
            return Err(Errno::EIO.because("the share's server sent more than it said"));
        }
        answer.resize(len, 0);
        while have < len {
            have += self.some(&mut answer[have..])?;
        }
        Ok(error)
    }

    fn receive_data(&mut self, unique: u64, buffer: &mut [u8]) -> Result<Result<usize>> {
        let mut header = [0; OutHeader::LEN];
        let mut have = 0;
        while have < header.len() {
            have += self.some(&mut header[have..])?;
        }
        let (len, error) = check(&header, unique)?;
        if let Err(error) = error {
            return Ok(Err(error));
        }
        let data = buffer.get_mut(..len - OutHeader::LEN);
        let data =
            data.ok_or(Errno::EIO.because("the share's server sent more than was asked for"))?;
        let mut have = 0;
        while have < data.len() {
            have += self.some(&mut data[have..])?;
        }
        Ok(Ok(have))
    }

    /// Receives at least one byte.
    fn some(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut until = None;
        loop {
            match self.link.read(buffer) {
                Ok(0) => return Err(Errno::ECONNRESET),
                Ok(count) => return Ok(count.min(buffer.len())),
                Err(Errno::EAGAIN) => {}
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error),
            }
            let now = self.link.now();
            if now >= *until.get_or_insert(now + LOOK) {
                self.link.wait(false);
            }
        }
    }
}

/// Length of an answer with its header, and what it says.
fn check(bytes: &[u8], unique: u64) -> Result<(usize, Result<()>)> {
    let header = OutHeader::get(bytes).ok_or(Errno::EIO)?;
    let len = usize::try_from(header.len).unwrap_or(usize::MAX);
    let error = u16::try_from(header.error.wrapping_neg()).unwrap_or(u16::MAX);
    let sensible = header.unique == unique
        && (OutHeader::LEN..=LONGEST).contains(&len)
        && error <= 4095
        && (error == 0 || len == OutHeader::LEN);
    if !sensible {
        return Err(Errno::EIO.because("the share's server sent a malformed answer"));
    }
    let told = match error {
        0 => Ok(()),
        error => Err(Errno::from_host(error)),
    };
    Ok((len, told))
}
