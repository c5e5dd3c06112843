//! One end of a pipe, as a file.

use alloc::sync::Arc;
use core::any::Any;

use linux_raw_sys::ioctl::FIONREAD;

use crate::errno::{Errno, Result};
use crate::fs::blocking::Patience;
use crate::fs::file::{Anonymous, File, Io, OpenFlags, Written};
use crate::fs::pipe::{Grouping, PIPE_BUF, Pipe};
use crate::fs::poll::PollEvents;
use crate::sync::wait::WaitQueue;
use crate::user::{Dest, Source, UserPtr};

/// What an end may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Write.
    Write,
    /// Both (a FIFO opened O_RDWR).
    ReadWrite,
}

impl Access {
    /// Whether it reads.
    pub fn reads(self) -> bool {
        self != Self::Write
    }

    /// Whether it writes.
    pub fn writes(self) -> bool {
        self != Self::Read
    }
}

/// One end. It counts as a reader or writer of the pipe as long as it exists.
pub struct PipeEnd {
    pipe: Arc<Pipe>,
    access: Access,
    /// How many writers there had ever been when a reader opened: until one more comes, the absence
    /// of writers is not a hang-up.
    writers_at_open: u64,
}

impl PipeEnd {
    /// A new end of `pipe`.
    pub fn attach(pipe: &Arc<Pipe>, access: Access) -> Self {
        let mut state = pipe.state.lock();
        let writers_at_open = state.writers_ever;
        if access.reads() {
            state.readers += 1;
            state.readers_ever += 1;
        }
        if access.writes() {
            state.writers += 1;
            state.writers_ever += 1;
        }
        drop(state);
        pipe.openers.wake_all();
        Self {
            pipe: Arc::clone(pipe),
            access,
            writers_at_open,
        }
    }

    /// The pipe.
    pub fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    /// What this end may do.
    pub fn access(&self) -> Access {
        self.access
    }
}

impl File for PipeEnd {
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        if !self.access.reads() {
            return Err(Errno::EBADF);
        }
        self.pipe.read(Patience::of(io), dest)
    }

    fn write(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        if !self.access.writes() {
            return Err(Errno::EBADF);
        }
        let grouping = if io.flags.contains(OpenFlags::DIRECT) {
            Grouping::Packets
        } else {
            Grouping::Stream
        };
        let count = self.pipe.write(Patience::of(io), grouping, source)?;
        Ok(Written { count, end: 0 })
    }

    fn poll(&self) -> PollEvents {
        let state = self.pipe.state.lock();
        let mut events = PollEvents::empty();
        if self.access.reads() {
            if !state.ring.is_empty() {
                events |= PollEvents::IN | PollEvents::RDNORM;
            }
            if state.writers == 0 && state.writers_ever != self.writers_at_open {
                events |= PollEvents::HUP;
            }
        }
        if self.access.writes() {
            if state.ring.free() >= PIPE_BUF {
                events |= PollEvents::OUT | PollEvents::WRNORM;
            }
            if state.readers == 0 {
                events |= PollEvents::ERR;
            }
        }
        events
    }

    fn wait_queue(&self) -> Option<&WaitQueue> {
        Some(&self.pipe.pollers)
    }

    fn ioctl(&self, request: u32, argument: usize) -> Result<usize> {
        if request != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let count = i32::try_from(self.pipe.len()).unwrap_or(i32::MAX);
        UserPtr::<i32>::new(argument).write(count)?;
        Ok(0)
    }

    fn anonymous(&self) -> Anonymous {
        Anonymous {
            st_mode: 0o010_600,
            ino: self.pipe.number,
            label: "pipe",
            rdev: 0,
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for PipeEnd {
    /// The other side sees the end of file, or EPIPE.
    fn drop(&mut self) {
        let mut state = self.pipe.state.lock();
        state.readers -= usize::from(self.access.reads());
        state.writers -= usize::from(self.access.writes());
        let (readers, writers) = (state.readers, state.writers);
        drop(state);
        let mut events = PollEvents::empty();
        if writers == 0 && self.access.writes() {
            self.pipe.readable.wake_all();
            events |= PollEvents::HUP | PollEvents::IN;
        }
        if readers == 0 && self.access.reads() {
            self.pipe.writable.wake_all();
            events |= PollEvents::ERR | PollEvents::OUT;
        }
        if !events.is_empty() {
            self.pipe.pollers.notify(events);
        }
    }
}
