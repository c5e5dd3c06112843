//! eventfd(2): a 64-bit counter that can be waited for.
//!
//! A read takes the counter (or 1 of it, for a semaphore) and blocks while it is 0; a write adds and
//! blocks while the sum would reach 2^64 - 1.

use core::any::Any;

use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::fs::file::{Anonymous, File, Io, Written};
use crate::fs::poll::PollEvents;
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;
use crate::user::{Dest, Source};

/// The highest value of the counter; one below the value that Linux keeps for overflow.
const MAX_COUNT: u64 = u64::MAX - 1;

/// What a read takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Everything.
    All,
    /// One (EFD_SEMAPHORE).
    One,
}

/// An event counter.
pub struct EventFd {
    count: SpinLock<u64>,
    take: Take,
    queue: WaitQueue,
}

impl EventFd {
    /// A counter that starts at `count`.
    pub fn new(count: u64, take: Take) -> Self {
        Self {
            count: SpinLock::new(count),
            take,
            queue: WaitQueue::new(),
        }
    }

    /// Takes from the counter, if it isn't 0.
    fn try_take(&self) -> Option<u64> {
        let mut count = self.count.lock();
        let taken = match self.take {
            Take::All => *count,
            Take::One => (*count).min(1),
        };
        *count -= taken;
        (taken > 0).then_some(taken)
    }

    /// Adds to the counter, if the sum stays below the limit.
    fn try_add(&self, value: u64) -> Option<()> {
        let mut count = self.count.lock();
        let sum = count.checked_add(value).filter(|&sum| sum <= MAX_COUNT)?;
        *count = sum;
        Some(())
    }
}

impl File for EventFd {
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        if dest.room() < size_of::<u64>() {
            return Err(Errno::EINVAL);
        }
        let value = blocking::attempt(&self.queue, Patience::of(io), || self.try_take().map(Ok))?;
        self.queue.notify(PollEvents::OUT);
        dest.put(&value.to_ne_bytes())
    }

    fn write(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        if source.left() < size_of::<u64>() {
            return Err(Errno::EINVAL);
        }
        let mut bytes = [0; 8];
        if source.take(&mut bytes)? < bytes.len() {
            return Err(Errno::EFAULT);
        }
        let value = u64::from_ne_bytes(bytes);
        if value == u64::MAX {
            return Err(Errno::EINVAL);
        }
        blocking::attempt(&self.queue, Patience::of(io), || {
            self.try_add(value).map(Ok)
        })?;
        self.queue.notify(PollEvents::IN);
        Ok(Written { count: 8, end: 0 })
    }

    fn poll(&self) -> PollEvents {
        let count = *self.count.lock();
        let mut events = PollEvents::empty();
        if count > 0 {
            events |= PollEvents::IN;
        }
        if count < MAX_COUNT {
            events |= PollEvents::OUT;
        }
        events
    }

    fn wait_queue(&self) -> Option<&WaitQueue> {
        Some(&self.queue)
    }

    fn anonymous(&self) -> Anonymous {
        Anonymous::inode("anon_inode:[eventfd]")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::file::OpenFlags;

    const NONBLOCK: Io = Io {
        offset: 0,
        flags: OpenFlags::NONBLOCK,
    };

    fn read(file: &EventFd) -> Result<u64> {
        let mut bytes = [0; 8];
        file.read(NONBLOCK, &mut Dest::kernel(&mut bytes))?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn write(file: &EventFd, value: u64) -> Result<usize> {
        file.write(NONBLOCK, &mut Source::kernel(&value.to_ne_bytes()))
            .map(|written| written.count)
    }

    #[test]
    fn a_read_takes_everything() {
        let file = EventFd::new(3, Take::All);
        assert_eq!(write(&file, 4), Ok(8));
        assert_eq!(read(&file), Ok(7));
        assert_eq!(read(&file), Err(Errno::EAGAIN));
    }

    #[test]
    fn a_semaphore_gives_one_at_a_time() {
        let file = EventFd::new(2, Take::One);
        assert_eq!([read(&file), read(&file)], [Ok(1), Ok(1)]);
        assert_eq!(read(&file), Err(Errno::EAGAIN));
    }

    #[test]
    fn the_limit_refuses_more() {
        let file = EventFd::new(0, Take::All);
        assert_eq!(write(&file, u64::MAX), Err(Errno::EINVAL));
        assert_eq!(write(&file, MAX_COUNT), Ok(8));
        assert_eq!(write(&file, 1), Err(Errno::EAGAIN));
        assert!(!file.poll().contains(PollEvents::OUT));
        assert_eq!(read(&file), Ok(MAX_COUNT));
    }

    #[test]
    fn short_buffers_are_refused() {
        let file = EventFd::new(1, Take::All);
        let read = file.read(NONBLOCK, &mut Dest::kernel(&mut [0; 7]));
        let write = file.write(NONBLOCK, &mut Source::kernel(&[0; 7]));
        assert_eq!((read, write), (Err(Errno::EINVAL), Err(Errno::EINVAL)));
    }
}
