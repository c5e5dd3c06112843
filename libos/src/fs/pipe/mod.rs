//! Pipes and FIFOs: bytes from writers to readers, in order, through a bounded ring.
//!
//! - [`Pipe`]: the shared state; [`PipeEnd`]: what a descriptor refers to.
//! - [`fifo::Fifo`]: a pipe with a name, with the opening rules of fifo(7).
//!
//! Blocking readers, blocking writers and pollers wait in queues of their own, so that a byte that
//! arrives wakes one reader and no writer. A reader that leaves bytes behind, or a writer that
//! leaves room, passes the wake-up on.
//!
//! It differs from Linux in counting bytes where Linux counts page slots: a pipe takes bytes up to
//! its full capacity whatever their grouping. Polling says "writable" from PIPE_BUF free bytes on,
//! and blocked writers are woken from there on.

mod end;
pub mod fifo;
pub(crate) mod ring;

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::fs::file::{OpenFile, next_number};
use crate::fs::poll::PollEvents;
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;
use crate::user::{Dest, Source};

pub use end::{Access, PipeEnd};
pub use ring::PAGE;
use ring::Ring;

/// Writes of up to this many bytes are atomic.
pub const PIPE_BUF: usize = PAGE;

/// Capacity of a new pipe in bytes.
const DEFAULT_CAPACITY: usize = 16 * PAGE;

/// Largest capacity that F_SETPIPE_SZ gives (`/proc/sys/fs/pipe-max-size`).
pub const MAX_CAPACITY: usize = 1 << 20;

/// How a write keeps its boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grouping {
    Stream,
    Packets,
}

/// What the ends of a pipe share.
pub struct Pipe {
    /// Inode number.
    number: u64,
    state: SpinLock<State>,
    /// Blocked readers.
    readable: WaitQueue,
    /// Blocked writers.
    writable: WaitQueue,
    /// poll(2), select(2), epoll(7).
    pollers: WaitQueue,
    /// Openers of a FIFO that wait for the other side.
    openers: WaitQueue,
}

struct State {
    ring: Ring,
    readers: usize,
    writers: usize,
    /// How many readers and writers there ever were: an opener waits for a change of it, so that a
    /// partner that came and went in between counts.
    readers_ever: u64,
    writers_ever: u64,
}

impl Pipe {
    /// A pipe without ends.
    fn new() -> Self {
        Self {
            number: next_number(),
            state: SpinLock::new(State {
                ring: Ring::new(DEFAULT_CAPACITY),
                readers: 0,
                writers: 0,
                readers_ever: 0,
                writers_ever: 0,
            }),
            readable: WaitQueue::new(),
            writable: WaitQueue::new(),
            pollers: WaitQueue::new(),
            openers: WaitQueue::new(),
        }
    }

    /// Bytes inside (FIONREAD).
    pub fn len(&self) -> usize {
        self.state.lock().ring.len()
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes a writer could add now; for splice(2).
    pub fn room(&self) -> usize {
        self.state.lock().ring.free()
    }

    /// Copies bytes from position `skip` on without taking them, for tee(2) and splice(2); returns
    /// how many.
    pub fn peek(&self, skip: usize, buffer: &mut [u8]) -> usize {
        self.state.lock().ring.peek(skip, buffer)
    }

    /// Drops the first `count` bytes, as if read; for splice(2).
    pub fn discard(&self, count: usize) {
        let mut state = self.state.lock();
        let before = state.ring.free();
        state.ring.discard(count);
        let after = state.ring.free();
        drop(state);
        self.after_read(before, after);
    }

    /// Waits until there is something to read: `false` at the end (no writers); for splice(2).
    ///
    /// # Errors
    /// EAGAIN, ERESTARTSYS.
    pub fn wait_readable(&self, patience: Patience) -> Result<bool> {
        blocking::attempt(&self.readable, patience, || {
            let state = self.state.lock();
            match (state.ring.is_empty(), state.writers) {
                (false, _) => Some(Ok(true)),
                (true, 0) => Some(Ok(false)),
                (true, _) => None,
            }
        })
    }

    /// Capacity in bytes (F_GETPIPE_SZ).
    pub fn capacity(&self) -> usize {
        self.state.lock().ring.capacity()
    }

    /// Sets the capacity to at least `bytes` (F_SETPIPE_SZ); returns what it became.
    ///
    /// # Errors
    /// EPERM beyond [`MAX_CAPACITY`], EBUSY if more is inside, EINVAL if it is not a size.
    pub fn set_capacity(&self, bytes: usize) -> Result<usize> {
        if bytes > 1 << 31 {
            return Err(Errno::EINVAL);
        }
        let capacity = bytes.max(PAGE).next_power_of_two();
        if capacity > MAX_CAPACITY {
            return Err(Errno::EPERM);
        }
        self.state.lock().ring.set_capacity(capacity)?;
        self.writable.wake_all();
        self.pollers.notify(PollEvents::OUT | PollEvents::WRNORM);
        Ok(capacity)
    }

    fn read(&self, patience: Patience, dest: &mut Dest<'_>) -> Result<usize> {
        if dest.room() == 0 {
            return Ok(0);
        }
        let (count, before, after) =
            blocking::attempt(&self.readable, patience, || self.try_read(dest))?;
        self.after_read(before, after);
        Ok(count)
    }

    /// The bytes moved, and the room before and after.
    #[inline]
    fn try_read(&self, dest: &mut Dest<'_>) -> Option<Result<(usize, usize, usize)>> {
        let mut state = self.state.lock();
        let before = state.ring.free();
        if state.ring.is_empty() {
            return (state.writers == 0).then_some(Ok((0, before, before)));
        }
        Some(match state.ring.pop(dest) {
            Ok(count) => Ok((count, before, state.ring.free())),
            Err(error) => Err(error),
        })
    }

    fn after_read(&self, before: usize, after: usize) {
        if before < PIPE_BUF && after >= PIPE_BUF {
            self.writable.wake_one();
            self.pollers.notify(PollEvents::OUT | PollEvents::WRNORM);
        }
        if self.readable.has_sleepers() && !self.is_empty() {
            self.readable.wake_one();
        }
    }

    fn write(
        &self,
        patience: Patience,
        grouping: Grouping,
        source: &mut Source<'_>,
    ) -> Result<usize> {
        if source.left() == 0 {
            return Ok(0);
        }
        let mut total = 0;
        while source.left() > 0 {
            let result = blocking::attempt(&self.writable, patience, || {
                self.try_write(grouping, source)
            });
            match result {
                Ok(0) => break,
                Ok(count) => total += count,
                Err(error) => return self.end_write(total, error),
            }
        }
        if self.writable.has_sleepers() && self.room() >= PIPE_BUF {
            self.writable.wake_one();
        }
        Ok(total)
    }

    /// A write that failed: the bytes written before win over the error, but SIGPIPE is sent anyway.
    #[cold]
    fn end_write(&self, total: usize, error: Errno) -> Result<usize> {
        if error == Errno::EPIPE {
            crate::signal::send_to_current(crate::signal::SIGPIPE);
        }
        if total > 0 { Ok(total) } else { Err(error) }
    }

    #[inline]
    fn try_write(&self, grouping: Grouping, source: &mut Source<'_>) -> Option<Result<usize>> {
        let mut state = self.state.lock();
        if state.readers == 0 {
            return Some(Err(Errno::EPIPE));
        }
        let left = source.left();
        let free = state.ring.free();
        if free < left.min(PIPE_BUF) && (left <= PIPE_BUF || free == 0) {
            return None;
        }
        let was_empty = state.ring.is_empty();
        let added = match grouping {
            Grouping::Stream => state.ring.push(source, left),
            Grouping::Packets => state.ring.push_packet(source, left.min(PIPE_BUF)),
        };
        drop(state);
        if let Ok(1..) = added {
            if was_empty {
                self.readable.wake_one();
            }
            self.pollers.notify(PollEvents::IN | PollEvents::RDNORM);
        }
        Some(added)
    }
}

/// The pipe behind an open file, for fcntl(2) and splice(2).
///
/// # Errors
/// EBADF if it is not a pipe, as fcntl(F_SETPIPE_SZ) answers.
pub fn of(file: &OpenFile) -> Result<&Arc<Pipe>> {
    file.downcast::<PipeEnd>()
        .map(PipeEnd::pipe)
        .ok_or(Errno::EBADF)
}

/// A new pipe: its reading and its writing end.
pub fn new() -> (Arc<PipeEnd>, Arc<PipeEnd>) {
    let pipe = Arc::new(Pipe::new());
    let reader = PipeEnd::attach(&pipe, Access::Read);
    let writer = PipeEnd::attach(&pipe, Access::Write);
    (Arc::new(reader), Arc::new(writer))
}

#[cfg(test)]
mod tests;
