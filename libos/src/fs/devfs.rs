//! `/dev`: device files, and what opening a device, fifo or socket file yields.
//!
//! Device files are inodes of a file system in memory like any other (so that a program may make
//! and remove entries, as on devtmpfs); their numbers say what they are. There are no
//! pseudo-terminals: `/dev/ptmx` and `/dev/pts` are absent (ENOENT).

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::fs::file::{File, Io, OpenFlags, Written};
use crate::fs::inode::{FileType, Inode, NewNode, Ownership, device_number as device};
use crate::fs::pipe::fifo::Fifo;
use crate::fs::tmpfs::{Node, TmpFs};
use crate::sync::SpinLock;
use crate::user::{Dest, Source};

/// Limit of file data that a program stores in `/dev` itself, in bytes.
const LIMIT: u64 = 16 << 20;

const DEVICES: &[(&[u8], u32, u32, u32)] = &[
    (b"null", 1, 3, 0o666),
    (b"zero", 1, 5, 0o666),
    (b"full", 1, 7, 0o666),
    (b"random", 1, 8, 0o666),
    (b"urandom", 1, 9, 0o666),
    (b"tty", 5, 0, 0o666),
    (b"console", 5, 1, 0o620),
];

const LINKS: &[(&[u8], &[u8])] = &[
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
];

/// The file behind `/dev/tty` and `/dev/console`, if the run has one.
static TERMINAL: SpinLock<Option<Arc<dyn File>>> = SpinLock::new(None);

/// Says what `/dev/tty` and `/dev/console` are.
pub fn set_terminal(file: Arc<dyn File>) {
    *TERMINAL.lock() = Some(file);
}

/// The content of `/dev`.
pub fn build() -> Arc<Node> {
    let owner = |mode| Ownership {
        mode,
        uid: 0,
        gid: 0,
    };
    let root = TmpFs::new(LIMIT).root(owner(0o755));
    for &(name, major, minor, mode) in DEVICES {
        let node = NewNode::Special(FileType::CharDevice, device(major, minor));
        // The directory is new: no name is there yet.
        let _ = root.create(name, node, owner(mode));
    }
    for &(name, target) in LINKS {
        let _ = root.create(name, NewNode::Symlink(target), owner(0o777));
    }
    let _ = root.create(b"shm", NewNode::Directory, owner(0o1777));
    root
}

/// Opens a device, fifo or socket file.
///
/// # Errors
/// ENXIO if nothing is behind it.
pub fn open_special(
    node: &dyn Inode,
    file_type: FileType,
    rdev: u64,
    flags: OpenFlags,
) -> Result<Arc<dyn File>> {
    match file_type {
        FileType::CharDevice => open_device(rdev),
        FileType::Fifo => open_fifo(node, flags),
        _ => Err(Errno::ENXIO),
    }
}

fn open_fifo(node: &dyn Inode, flags: OpenFlags) -> Result<Arc<dyn File>> {
    let bound = node.extras().map(|extras| {
        let mut bound = extras.bound.lock();
        Arc::clone(bound.get_or_insert_with(|| Arc::new(Fifo::new())))
    });
    let fifo = bound.and_then(|bound| bound.downcast::<Fifo>().ok());
    let file = fifo.ok_or(Errno::ENXIO)?.open(flags)?;
    Ok(file)
}

fn open_device(rdev: u64) -> Result<Arc<dyn File>> {
    const TTY: u64 = device(5, 0);
    const CONSOLE: u64 = device(5, 1);
    let memory = match rdev {
        NULL => MemoryDevice::Null,
        ZERO => MemoryDevice::Zero,
        FULL => MemoryDevice::Full,
        RANDOM | URANDOM => MemoryDevice::Random,
        TTY | CONSOLE => {
            let terminal = TERMINAL.lock().clone();
            return terminal.ok_or(Errno::ENXIO.because("the run has no terminal"));
        }
        _ => return Err(Errno::ENXIO.because("no driver for this device number")),
    };
    Ok(Arc::new(memory))
}

const NULL: u64 = device(1, 3);
const ZERO: u64 = device(1, 5);
const FULL: u64 = device(1, 7);
const RANDOM: u64 = device(1, 8);
const URANDOM: u64 = device(1, 9);

/// The memory devices of mem(4), null(4), full(4), random(4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryDevice {
    /// Empty to read, takes everything.
    Null,
    /// Endless zeroes, takes everything.
    Zero,
    /// Endless zeroes, always full.
    Full,
    /// Endless random bytes; what is written is mixed in (here: dropped, the generator is seeded).
    Random,
}

impl File for MemoryDevice {
    fn read(&self, _io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        match self {
            Self::Null => Ok(0),
            Self::Zero | Self::Full => dest.put_zeroes(dest.room()),
            Self::Random => random(dest),
        }
    }

    fn write(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        if *self == Self::Full {
            return Err(Errno::ENOSPC);
        }
        let count = source.left();
        Ok(Written {
            count,
            end: io.offset,
        })
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

fn random(dest: &mut Dest<'_>) -> Result<usize> {
    let mut chunk = [0; 256];
    let mut done = 0;
    while dest.room() > 0 {
        let len = chunk.len().min(dest.room());
        crate::random::fill(&mut chunk[..len]);
        match dest.put(&chunk[..len]) {
            Ok(put) if put == len => done += put,
            Ok(put) => return Ok(done + put),
            Err(_) if done > 0 => return Ok(done),
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
