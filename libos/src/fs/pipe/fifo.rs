//! FIFOs: pipes with a name (fifo(7)).
//!
//! The inode of a FIFO holds a [`Fifo`]; opening it goes through [`Fifo::open`]. The pipe lives as
//! long as any end is open; bytes left when the last end closes are lost, as in Linux.

use alloc::sync::{Arc, Weak};

use crate::errno::{Errno, Result};
use crate::fs::file::OpenFlags;
use crate::fs::pipe::{Access, Pipe, PipeEnd};
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;

/// What a FIFO's inode holds.
#[derive(Default)]
pub struct Fifo {
    pipe: SpinLock<Weak<Pipe>>,
}

impl Fifo {
    /// A FIFO that nobody has open.
    pub const fn new() -> Self {
        Self {
            pipe: SpinLock::new(Weak::new()),
        }
    }

    /// Opens it with the access mode and O_NONBLOCK of `flags`: a reader waits for a writer and a
    /// writer for a reader.
    ///
    /// # Errors
    /// ENXIO for a nonblocking writer without readers, ERESTARTSYS when a signal ends the wait.
    pub fn open(&self, flags: OpenFlags) -> Result<Arc<PipeEnd>> {
        let pipe = self.pipe();
        let nonblocking = flags.contains(OpenFlags::NONBLOCK);
        match (flags.readable(), flags.writable()) {
            (true, true) => Ok(Arc::new(PipeEnd::attach(&pipe, Access::ReadWrite))),
            (true, false) => open_reader(&pipe, nonblocking),
            (false, true) => open_writer(&pipe, nonblocking),
            (false, false) => Err(Errno::EINVAL),
        }
    }

    fn pipe(&self) -> Arc<Pipe> {
        let mut held = self.pipe.lock();
        if let Some(pipe) = held.upgrade() {
            return pipe;
        }
        let pipe = Arc::new(Pipe::new());
        *held = Arc::downgrade(&pipe);
        pipe
    }
}

fn open_reader(pipe: &Arc<Pipe>, nonblocking: bool) -> Result<Arc<PipeEnd>> {
    let end = Arc::new(PipeEnd::attach(pipe, Access::Read));
    let (writers, ever) = {
        let state = pipe.state.lock();
        (state.writers, state.writers_ever)
    };
    if writers == 0 && !nonblocking {
        wait_for(&pipe.openers, || pipe.state.lock().writers_ever != ever)?;
    }
    Ok(end)
}

fn open_writer(pipe: &Arc<Pipe>, nonblocking: bool) -> Result<Arc<PipeEnd>> {
    let (readers, ever) = {
        let state = pipe.state.lock();
        (state.readers, state.readers_ever)
    };
    if readers == 0 && nonblocking {
        return Err(Errno::ENXIO.because("a FIFO without readers"));
    }
    let end = Arc::new(PipeEnd::attach(pipe, Access::Write));
    if readers == 0 {
        wait_for(&pipe.openers, || pipe.state.lock().readers_ever != ever)?;
    }
    Ok(end)
}

/// Waits until the other side came.
fn wait_for(queue: &WaitQueue, came: impl Fn() -> bool) -> Result<()> {
    queue
        .wait_until(None, || came().then_some(()))
        .map_err(|_| Errno::ERESTARTSYS)
}
