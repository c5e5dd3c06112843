//! signalfd(2): signals that are read.
//!
//! A read takes signals that are pending for the reading thread or its process, as sigwaitinfo(2)
//! does; the program keeps them blocked, or they are delivered first.

use alloc::sync::Arc;
use core::any::Any;

use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::fs::file::{Anonymous, File, Io};
use crate::fs::poll::PollEvents;
use crate::signal::info::{SI_KERNEL, SI_TIMER, SigInfo};
use crate::signal::set::{SIGCHLD, SignalSet};
use crate::signal::{peek_pending, take_pending};
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;
use crate::task::Process;
use crate::user::Dest;

/// Size of a `struct signalfd_siginfo`.
const RECORD: usize = 128;

/// A set of signals to read.
pub struct SignalFd {
    wanted: SpinLock<SignalSet>,
    /// Whose signals they are; its queue announces arrivals.
    process: Arc<Process>,
}

impl SignalFd {
    /// Reads `wanted` of the running process.
    pub fn new(wanted: SignalSet) -> Arc<Self> {
        Arc::new(Self {
            wanted: SpinLock::new(readable(wanted)),
            process: crate::task::current_process(),
        })
    }

    /// Replaces the set.
    pub fn set(&self, wanted: SignalSet) {
        *self.wanted.lock() = readable(wanted);
        self.process.signals.arrived.notify(PollEvents::IN);
    }

    fn try_take(&self) -> Option<SigInfo> {
        let wanted = *self.wanted.lock();
        take_pending(wanted)
    }
}

/// Nobody gets to see SIGKILL and SIGSTOP.
fn readable(wanted: SignalSet) -> SignalSet {
    wanted.minus(SignalSet::UNSTOPPABLE)
}

impl File for SignalFd {
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        if dest.room() < RECORD {
            return Err(Errno::EINVAL);
        }
        let arrived = &self.process.signals.arrived;
        let first = blocking::attempt(arrived, Patience::of(io), || self.try_take().map(Ok))?;
        let mut count = dest.put(&record(&first))?;
        while dest.room() >= RECORD {
            let Some(next) = self.try_take() else { break };
            count += dest.put(&record(&next))?;
        }
        Ok(count)
    }

    fn poll(&self) -> PollEvents {
        let wanted = *self.wanted.lock();
        if peek_pending(wanted).is_empty() {
            PollEvents::empty()
        } else {
            PollEvents::IN
        }
    }

    fn wait_queue(&self) -> Option<&WaitQueue> {
        Some(&self.process.signals.arrived)
    }

    fn anonymous(&self) -> Anonymous {
        Anonymous::inode("anon_inode:[signalfd]")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `info` as a `struct signalfd_siginfo` (fs/signalfd.c, `signalfd_copyinfo`).
fn record(info: &SigInfo) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let mut put = |at: usize, word: u32| record[at..at + 4].copy_from_slice(&word.to_ne_bytes());
    let fields = &info.fields;
    put(0, info.signo.cast_unsigned());
    put(4, info.errno.cast_unsigned());
    put(8, info.code.cast_unsigned());
    match info.code {
        SI_TIMER => {
            put(24, fields[0]);
            put(32, fields[1]);
            put(44, fields[2]);
            put(48, fields[2]);
            put(52, fields[3]);
        }
        SI_KERNEL => {}
        // Sent by a process: who, and the value that sigqueue(3) gave along.
        i32::MIN..=0 => {
            put(12, fields[0]);
            put(16, fields[1]);
            put(44, fields[2]);
            put(48, fields[2]);
            put(52, fields[3]);
        }
        _ if info.signo == SIGCHLD => {
            put(12, fields[0]);
            put(16, fields[1]);
            put(40, fields[2]);
        }
        // A fault: where.
        _ => {
            put(72, fields[0]);
            put(76, fields[1]);
        }
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::file::OpenFlags;
    use crate::signal::info::SI_USER;

    const USR1: i32 = 10;
    const QUEUE: i32 = -1;

    fn read(file: &SignalFd, room: usize) -> Result<std::vec::Vec<u8>> {
        let mut buffer = std::vec![0; room];
        let io = Io {
            offset: 0,
            flags: OpenFlags::NONBLOCK,
        };
        let count = file.read(io, &mut Dest::kernel(&mut buffer))?;
        buffer.truncate(count);
        Ok(buffer)
    }

    fn word(bytes: &[u8], at: usize) -> i32 {
        i32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four"))
    }

    #[test]
    fn blocked_signals_are_read() {
        let set = SignalSet::of(&[USR1]);
        crate::task::with_current(|thread| thread.signals.set_blocked(set));
        let file = SignalFd::new(set);
        assert_eq!(read(&file, RECORD), Err(Errno::EAGAIN));
        assert_eq!(file.poll(), PollEvents::empty());
        let info = SigInfo::from_process(USR1, SI_USER, 77, 5);
        let process = crate::task::current_process();
        crate::signal::send::to_process(&process, info).expect("room");
        assert_eq!(file.poll(), PollEvents::IN);
        assert_eq!(read(&file, RECORD - 1), Err(Errno::EINVAL));
        let bytes = read(&file, 3 * RECORD).expect("one is pending");
        assert_eq!(bytes.len(), RECORD);
        let told = [0, 8, 12, 16].map(|at| word(&bytes, at));
        assert_eq!(told, [USR1, SI_USER, 77, 5]);
        assert_eq!(read(&file, RECORD), Err(Errno::EAGAIN));
    }

    #[test]
    fn each_kind_of_signal_tells_its_own() {
        let mut queued = SigInfo::from_process(34, QUEUE, 7, 8);
        queued.fields[2] = 99;
        let bytes = record(&queued);
        assert_eq!([12, 44, 48].map(|at| word(&bytes, at)), [7, 99, 99]);
        let fault = record(&SigInfo::fault(11, 1, 0x1234));
        assert_eq!((word(&fault, 12), word(&fault, 72)), (0, 0x1234));
        let timer = record(&SigInfo::timer(14, 3, 2, 55));
        assert_eq!([24, 32, 44].map(|at| word(&timer, at)), [3, 2, 55]);
    }
}
