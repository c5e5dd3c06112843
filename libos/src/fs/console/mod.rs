//! The console: files over the host's standard input, output and error.
//!
//! - [`Console`]: a file with a reading side, a writing side, or both (`/dev/tty`).
//! - [`Terminal`]: what the terminal ioctls answer.
//! - [`install`]: descriptors 0, 1 and 2 of a process.
//!
//! Writes go to the host at once, so a crash loses nothing. A thread that would block sleeps on the
//! handle's [`HostSource`], and other threads run. O_NONBLOCK is the libOS's own: the host's flags
//! stay as they are.
//!
//! The host object is never seekable from here, whatever it is, because the seven calls can only
//! read it and write it in order.

mod terminal;

use alloc::sync::Arc;
use core::any::Any;

use libos_abi::boot::BootInfo;
use libos_abi::handle::{Handle, HandleKind};

use crate::errno::{Errno, Result};
use crate::fs::fdtable::FdTable;
use crate::fs::file::{Anonymous, File, Io, OpenFile, OpenFlags, Written};
use crate::fs::poll::PollEvents;
use crate::hypercall;
use crate::sched::host::HostSource;
use crate::sync::wait::{WaitQueue, Woken};
use crate::user::{Dest, Source};

pub use terminal::Terminal;

/// Most bytes that one host write gets where the host could block: what a poll for "writable"
/// promises on a pipe (PIPE_BUF).
const CHUNK: usize = 4096;

/// Writes of up to this many bytes are gathered from their pieces, so that the host sees a small
/// writev(2) as one write.
const GATHER: usize = 512;

/// File type bits of `st_mode`.
const S_IFMT: u32 = 0o170_000;
/// A regular file: host reads and writes never wait for anybody.
const S_IFREG: u32 = 0o100_000;
/// A pipe.
const S_IFIFO: u32 = 0o010_000;
/// A socket.
const S_IFSOCK: u32 = 0o140_000;
/// `/dev/null`'s device number, 1:3.
const DEV_NULL: u64 = 0x103;

/// One side of a console: a host handle.
#[derive(Clone)]
struct Side {
    source: Arc<HostSource>,
}

impl Side {
    fn handle(&self) -> &'static Handle {
        self.source.handle()
    }

    /// Whether a host read or write could wait for somebody else.
    fn can_block(&self) -> bool {
        let handle = self.handle();
        handle.mode & S_IFMT != S_IFREG && handle.rdev != DEV_NULL
    }

    /// Waits until the host is ready for `events`, unless it always is.
    fn await_ready(&self, io: Io, events: PollEvents) -> Result<()> {
        if !self.can_block() {
            return Ok(());
        }
        if io.nonblocking() {
            let found = self.source.ready(events);
            return if found.is_empty() {
                Err(Errno::EAGAIN)
            } else {
                Ok(())
            };
        }
        self.source.wait(events, None).map_err(|woken| match woken {
            Woken::TimedOut => Errno::EAGAIN,
            Woken::Interrupted => Errno::ERESTARTSYS,
        })
    }
}

/// A file over console handles.
pub struct Console {
    input: Option<Side>,
    output: Option<Side>,
    terminal: Option<Arc<Terminal>>,
}

impl Console {
    /// The handle that fstat(2) describes.
    pub fn handle(&self) -> Option<&'static Handle> {
        self.input
            .as_ref()
            .or(self.output.as_ref())
            .map(Side::handle)
    }

    /// The terminal behind it, if it is one.
    pub fn terminal(&self) -> Option<&Arc<Terminal>> {
        self.terminal.as_ref()
    }
}

impl File for Console {
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        let side = self.input.as_ref().ok_or(Errno::EBADF)?;
        if dest.room() == 0 {
            return Ok(0);
        }
        loop {
            side.await_ready(io, PollEvents::IN)?;
            let result = dest.fill_with(|to, len| hypercall::read(side.handle(), to, len));
            match result {
                Err(Errno::EINTR) => interrupted()?,
                // The host's own O_NONBLOCK, and another process that took the input first.
                Err(Errno::EAGAIN) if !io.nonblocking() => {}
                result => {
                    // More input than was asked for is news for edge-triggered pollers.
                    side.source.arm(PollEvents::IN);
                    return result;
                }
            }
        }
    }

    fn write(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        let side = self.output.as_ref().ok_or(Errno::EBADF)?;
        let mut count = 0;
        while source.left() > 0 {
            match write_some(side, io, source) {
                Ok(written) => count += written,
                Err(error) if count > 0 && error != Errno::EPIPE => break,
                Err(error) => return broken(error, count),
            }
        }
        Ok(Written { count, end: 0 })
    }

    fn poll(&self) -> PollEvents {
        let mut events = PollEvents::empty();
        if let Some(side) = &self.input {
            events |= ready(side, PollEvents::IN | PollEvents::RDNORM);
        }
        if let Some(side) = &self.output {
            events |= ready(side, PollEvents::OUT | PollEvents::WRNORM);
        }
        events
    }

    fn wait_queue(&self) -> Option<&WaitQueue> {
        let side = self.input.as_ref().or(self.output.as_ref())?;
        // A file that never blocks is refused by epoll(7), as natively.
        side.can_block().then(|| side.source.queue())
    }

    fn ioctl(&self, request: u32, argument: usize) -> Result<usize> {
        let terminal = self.terminal.as_ref().ok_or(Errno::ENOTTY)?;
        terminal.ioctl(request, argument, || {
            let input = self.input.as_ref();
            input.is_some_and(|side| ready(side, PollEvents::IN).contains(PollEvents::IN))
        })
    }

    fn anonymous(&self) -> Anonymous {
        let Some(handle) = self.handle() else {
            return Anonymous::default();
        };
        let label = match handle.mode & S_IFMT {
            S_IFIFO => "pipe",
            S_IFSOCK => "socket",
            S_IFREG => "/dev/console",
            _ if handle.rdev == DEV_NULL => "/dev/null",
            _ => "/dev/tty",
        };
        Anonymous {
            st_mode: handle.mode,
            ino: handle.ino,
            label,
            rdev: handle.rdev,
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What of `events` holds on `side`, without waiting.
fn ready(side: &Side, events: PollEvents) -> PollEvents {
    if side.can_block() {
        side.source.ready(events)
    } else {
        events
    }
}

/// Writes one piece.
fn write_some(side: &Side, io: Io, source: &mut Source<'_>) -> Result<usize> {
    side.await_ready(io, PollEvents::OUT)?;
    if source.left() <= GATHER {
        return write_gathered(side, io, source);
    }
    let most = if side.can_block() { CHUNK } else { usize::MAX };
    loop {
        let result =
            source.drain_with(|from, len| hypercall::write(side.handle(), from, len.min(most)));
        match result {
            Err(Errno::EINTR) => interrupted()?,
            Err(Errno::EAGAIN) if !io.nonblocking() => side.await_ready(io, PollEvents::OUT)?,
            result => return result,
        }
    }
}

/// Writes all of a short source as one host write where the host takes it so.
fn write_gathered(side: &Side, io: Io, source: &mut Source<'_>) -> Result<usize> {
    let mut buffer = [0; GATHER];
    let count = source.take(&mut buffer)?;
    let mut done = 0;
    while done < count {
        let rest = &buffer[done..count];
        let result = match hypercall::write(side.handle(), rest.as_ptr(), rest.len()) {
            Ok(written) => {
                done += written;
                Ok(())
            }
            Err(Errno::EINTR) => interrupted(),
            Err(Errno::EAGAIN) if !io.nonblocking() => side.await_ready(io, PollEvents::OUT),
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => {}
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The host call was interrupted: by a signal for the application, or by the libOS's own tick?
fn interrupted() -> Result<()> {
    if crate::task::signal_pending() {
        Err(Errno::ERESTARTSYS)
    } else {
        Ok(())
    }
}

/// Ends a write with `error` after `count` bytes.
#[cold]
fn broken(error: Errno, count: usize) -> Result<Written> {
    if error == Errno::EPIPE {
        crate::signal::send_to_current(crate::signal::SIGPIPE);
    }
    if count > 0 {
        Ok(Written { count, end: 0 })
    } else {
        Err(error)
    }
}

/// The console files of a run.
pub struct Consoles {
    /// Standard input, output and error; `None` for one that the host had closed.
    pub standard: [Option<Arc<Console>>; 3],
    /// `/dev/tty`: the terminal, read and written, if any of the three is one.
    pub terminal: Option<Arc<Console>>,
}

impl Consoles {
    /// Files over the console handles of `boot`.
    pub fn new(boot: &'static BootInfo) -> Self {
        // SAFETY: the tender's array: initialised (1) and kept for the life of the process (2).
        let handles = unsafe { boot.handles.as_slice() };
        let terminal =
            (boot.terminal.present == 1).then(|| Arc::new(Terminal::new(&boot.terminal)));
        Self::over(handles, terminal)
    }

    fn over(handles: &'static [Handle], terminal: Option<Arc<Terminal>>) -> Self {
        let kinds = [
            HandleKind::ConsoleIn,
            HandleKind::ConsoleOut,
            HandleKind::ConsoleErr,
        ];
        let sides = kinds.map(|kind| {
            let handle = handles.iter().find(|handle| handle.kind == kind)?;
            let source = HostSource::new(handle);
            Some(Side { source })
        });
        let standard = [0, 1, 2].map(|index| {
            let side = sides[index].as_ref()?;
            Some(Arc::new(standard_file(
                index,
                side,
                &sides,
                terminal.as_ref(),
            )))
        });
        let is_terminal = |side: &&Side| side.handle().is_terminal == 1;
        let input = sides[0].as_ref().filter(is_terminal).cloned();
        let output = sides[1..].iter().flatten().find(is_terminal).cloned();
        let present = input.is_some() || output.is_some();
        let terminal = present.then(|| {
            Arc::new(Console {
                input,
                output,
                terminal,
            })
        });
        Self { standard, terminal }
    }

    /// Opens standard input, output and error in `files`, those that exist.
    ///
    /// # Errors
    /// As [`FdTable::insert`].
    pub fn install(&self, files: &FdTable) -> Result<()> {
        for (descriptor, console) in self.standard.iter().enumerate() {
            let Some(console) = console else { continue };
            let flags = console.open_flags();
            let file = OpenFile::new(Arc::clone(console) as Arc<dyn File>, flags);
            files.insert(file, false, descriptor)?;
        }
        Ok(())
    }
}

impl Console {
    /// The access mode that its sides allow, for an open file description.
    pub fn open_flags(&self) -> OpenFlags {
        match (&self.input, &self.output) {
            (Some(_), Some(_)) => OpenFlags::RDWR,
            (None, Some(_)) => OpenFlags::WRONLY,
            _ => OpenFlags::empty(),
        }
    }
}

/// Descriptor `index` over `own`. Where standard input and output are one terminal, a shell opens
/// it once for both directions, and programs rely on it (a pager reads standard error): so each
/// file of that terminal gets the other direction too.
fn standard_file(
    index: usize,
    own: &Side,
    sides: &[Option<Side>; 3],
    terminal: Option<&Arc<Terminal>>,
) -> Console {
    let twin = |range: core::ops::Range<usize>| {
        let mut others = sides[range].iter().flatten();
        others.find(|other| same_terminal(own, other)).cloned()
    };
    let (input, output) = if index == 0 {
        (Some(own.clone()), twin(1..3))
    } else {
        (twin(0..1), Some(own.clone()))
    };
    let is_terminal = own.handle().is_terminal == 1;
    Console {
        input,
        output,
        terminal: terminal.filter(|_| is_terminal).cloned(),
    }
}

/// Whether both are the same terminal, opened for both directions.
fn same_terminal(a: &Side, b: &Side) -> bool {
    let (a, b) = (a.handle(), b.handle());
    let both_ways = |handle: &Handle| handle.status_flags & 3 == OpenFlags::RDWR.bits();
    a.is_terminal == 1
        && b.is_terminal == 1
        && (a.rdev, a.ino) == (b.rdev, b.ino)
        && both_ways(a)
        && both_ways(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use libos_abi::boot::Array;
    use std::boxed::Box;

    fn handle(kind: HandleKind, is_terminal: u32) -> Handle {
        Handle {
            kind,
            fd: -1,
            mode: if is_terminal == 1 { 0o20_620 } else { 0o10_600 },
            status_flags: 2,
            rdev: u64::from(is_terminal) * 0x8800,
            ino: 3,
            is_terminal,
            reserved: 0,
            name: Array::from_static(b""),
        }
    }

    fn consoles(handles: std::vec::Vec<Handle>) -> Consoles {
        let terminal = Arc::new(Terminal::new(&libos_abi::boot::Terminal::default()));
        Consoles::over(Box::leak(handles.into_boxed_slice()), Some(terminal))
    }

    #[test]
    fn one_terminal_is_read_and_written_through_each_descriptor() {
        let kinds = [
            HandleKind::ConsoleIn,
            HandleKind::ConsoleOut,
            HandleKind::ConsoleErr,
        ];
        let all = consoles(kinds.map(|kind| handle(kind, 1)).to_vec());
        for console in all.standard.iter().flatten() {
            assert_eq!(console.open_flags(), OpenFlags::RDWR);
        }
        assert!(all.terminal.is_some());
    }

    #[test]
    fn pipes_keep_their_direction_and_closed_ones_stay_closed() {
        let all = consoles(std::vec![
            handle(HandleKind::ConsoleIn, 0),
            handle(HandleKind::ConsoleErr, 0)
        ]);
        let files = FdTable::default();
        all.install(&files).expect("an empty table");
        assert_eq!(files.get(0).expect("stdin").flags(), OpenFlags::empty());
        assert!(files.get(1).is_err(), "standard output was closed");
        assert_eq!(files.get(2).expect("stderr").flags(), OpenFlags::WRONLY);
        assert!(all.terminal.is_none());
        let tty = files.get(0).expect("stdin").file().ioctl(0x5401, 0);
        assert_eq!(tty, Err(Errno::ENOTTY));
    }

    #[test]
    fn the_wrong_direction_is_ebadf() {
        let all = consoles(std::vec![handle(HandleKind::ConsoleOut, 0)]);
        let out = all.standard[1].as_ref().expect("present");
        let io = Io {
            offset: 0,
            flags: OpenFlags::empty(),
        };
        assert_eq!(out.read(io, &mut Dest::kernel(&mut [0])), Err(Errno::EBADF));
    }
}
