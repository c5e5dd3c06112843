//! Several frames by one recvmmsg(2), which no safe wrapper has.

#![allow(unsafe_code)]

use super::LONGEST_MESSAGE;
use rustix::io::{Errno, Result};
use std::os::fd::{AsFd, AsRawFd};

/// Most frames that one call takes. Each has a buffer of [`LONGEST_MESSAGE`]; those of short frames stay
/// untouched beyond their first page.
const BATCH: usize = 16;

/// Buffers for frames from the channel.
#[derive(Debug)]
pub struct Receiver {
    buffers: Vec<u8>,
    /// Length of each message of the last call in bytes; none for one that was cut off.
    lengths: [Option<usize>; BATCH],
}

/// What one call brought.
#[derive(Debug)]
pub struct Batch<'a> {
    receiver: &'a Receiver,
    count: usize,
    is_end: bool,
}

impl Receiver {
    /// Nothing received.
    pub fn new() -> Self {
        Self {
            buffers: vec![0; BATCH * LONGEST_MESSAGE],
            lengths: [None; BATCH],
        }
    }

    /// Takes what is there, without waiting.
    ///
    /// # Errors
    /// EAGAIN if nothing is there, and recvmmsg(2)'s.
    pub fn receive(&mut self, channel: impl AsFd) -> Result<Batch<'_>> {
        let mut vectors: [libc::iovec; BATCH] = std::array::from_fn(|_| libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: LONGEST_MESSAGE,
        });
        for (vector, buffer) in vectors
            .iter_mut()
            .zip(self.buffers.chunks_exact_mut(LONGEST_MESSAGE))
        {
            vector.iov_base = buffer.as_mut_ptr().cast();
        }
        // SAFETY: all-zero is a valid mmsghdr: null pointers with lengths of zero.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        for (header, vector) in headers.iter_mut().zip(&mut vectors) {
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: each header has one vector, which has one of the disjoint pieces of `buffers` with its
        // length; all of them outlive the call, and nothing else uses `buffers` meanwhile.
        let answer = unsafe {
            libc::recvmmsg(
                channel.as_fd().as_raw_fd(),
                headers.as_mut_ptr(),
                headers.len().try_into().unwrap_or(0),
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(answer) else {
            let code = std::io::Error::last_os_error().raw_os_error();
            return Err(code.map_or(Errno::IO, Errno::from_raw_os_error));
        };
        for (length, header) in self.lengths.iter_mut().zip(&headers[..count]) {
            let is_whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            *length = is_whole.then_some(header.msg_len as usize);
        }
        Ok(self.batch(count))
    }

    /// After the end of the channel the kernel gives as many empty messages as it is asked for.
    fn batch(&self, count: usize) -> Batch<'_> {
        let is_end = self.lengths[..count].last() == Some(&Some(0));
        Batch {
            receiver: self,
            count,
            is_end,
        }
    }
}

impl Batch<'_> {
    /// The frames, in their order; those that were too long are left out, and empty messages.
    pub fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let buffers = self.receiver.buffers.chunks_exact(LONGEST_MESSAGE);
        let received = buffers.zip(&self.receiver.lengths[..self.count]);
        received.filter_map(|(buffer, length)| buffer.get(..(*length).filter(|len| *len > 0)?))
    }

    /// Whether an empty message came last, as it does at the channel's end; a guest may send one, too.
    pub fn is_end(&self) -> bool {
        self.is_end
    }

    /// Whether there may be more at once.
    pub fn is_full(&self) -> bool {
        self.count == BATCH
    }
}
