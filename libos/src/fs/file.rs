//! What a descriptor refers to.
//!
//! A [`File`] is the object behind one or more open file descriptions; an [`OpenFile`] is one open
//! file description, shared by dup(2): it holds the offset and the status flags and passes them in
//! an [`Io`] with each call, so that files keep no state of a particular opener.

use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::errno::{Errno, Result};
use crate::fs::inode::{EmitEntry, Inode};
use crate::fs::inotify::{self, Mask};
use crate::fs::poll::PollEvents;
use crate::fs::tmpfs::{Node, Seals};
use crate::fs::vfs::Path;
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;
use crate::user::{Dest, Source};

bitflags::bitflags! {
    /// `O_*` flags of open(2), x86-64 numbers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct OpenFlags: u32 {
        /// Write only.
        const WRONLY = 0o1;
        /// Read and write.
        const RDWR = 0o2;
        /// Create if absent.
        const CREAT = 0o100;
        /// Fail if present.
        const EXCL = 0o200;
        /// Don't become the controlling terminal.
        const NOCTTY = 0o400;
        /// Cut to length 0.
        const TRUNC = 0o1000;
        /// Each write goes to the end.
        const APPEND = 0o2000;
        /// Don't block.
        const NONBLOCK = 0o4000;
        /// Data reach the disk before a write returns.
        const DSYNC = 0o10000;
        /// Signal-driven I/O.
        const ASYNC = 0o20000;
        /// Bypass caches.
        const DIRECT = 0o40000;
        /// Large files; always so.
        const LARGEFILE = 0o100_000;
        /// Must be a directory.
        const DIRECTORY = 0o200_000;
        /// Don't follow a final symlink.
        const NOFOLLOW = 0o400_000;
        /// Don't update the access time.
        const NOATIME = 0o1_000_000;
        /// Close on exec.
        const CLOEXEC = 0o2_000_000;
        /// Data and metadata reach the disk before a write returns.
        const SYNC = 0o4_010_000;
        /// A place in the tree only.
        const PATH = 0o10_000_000;
        /// An unnamed file in the directory.
        const TMPFILE = 0o20_200_000;
        /// Bits without a name here are kept.
        const _ = !0;
    }
}

impl OpenFlags {
    /// All flags that have a name, with both bits of the access mode.
    pub const fn all_known() -> Self {
        Self::from_bits_retain(0o37_777_703)
    }

    /// Whether reading is allowed.
    pub fn readable(self) -> bool {
        matches!(self.bits() & 3, 0 | 2) && !self.contains(Self::PATH)
    }

    /// Whether writing is allowed.
    pub fn writable(self) -> bool {
        matches!(self.bits() & 3, 1 | 2) && !self.contains(Self::PATH)
    }
}

/// What a call on an open file description brings along.
#[derive(Clone, Copy, Debug)]
pub struct Io {
    /// Position in bytes; meaningless for files that are not seekable.
    pub offset: u64,
    /// Status flags: NONBLOCK, APPEND, DIRECT, SYNC.
    pub flags: OpenFlags,
}

impl Io {
    /// Whether to fail with EAGAIN instead of blocking.
    pub fn nonblocking(self) -> bool {
        self.flags.contains(OpenFlags::NONBLOCK)
    }
}

/// Something a descriptor can refer to.
///
/// Blocking methods block only if `io` does not say otherwise, and return ERESTARTSYS when a signal
/// interrupts them before any byte was moved.
pub trait File: Send + Sync + Any {
    /// Reads at `io.offset` (if seekable) into `dest`; 0 at the end.
    ///
    /// # Errors
    /// As read(2). The default is EINVAL.
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        let _ = (io, dest);
        Err(Errno::EINVAL)
    }

    /// Writes at `io.offset` (if seekable; at the end with APPEND) from `source`. Returns the bytes
    /// written and the position behind them.
    ///
    /// # Errors
    /// As write(2). The default is EINVAL.
    fn write(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        let _ = (io, source);
        Err(Errno::EINVAL)
    }

    /// What is ready now. Files that never block are always readable and writable.
    fn poll(&self) -> PollEvents {
        PollEvents::IN | PollEvents::OUT | PollEvents::RDNORM | PollEvents::WRNORM
    }

    /// Where changes of [`Self::poll`] are announced; `None` if it never changes.
    fn wait_queue(&self) -> Option<&WaitQueue> {
        None
    }

    /// Whether it has a position: pread(2) and lseek(2) work. If not they answer ESPIPE.
    fn is_seekable(&self) -> bool {
        false
    }

    /// Device-specific requests.
    ///
    /// # Errors
    /// ENOTTY by default, as Linux answers for requests that a file does not know.
    fn ioctl(&self, request: u32, argument: usize) -> Result<usize> {
        let _ = (request, argument);
        Err(Errno::ENOTTY)
    }

    /// The names in this directory behind position `io.offset`; see [`Inode::read_dir`].
    ///
    /// # Errors
    /// ENOTDIR for anything but a directory.
    fn read_dir(&self, io: Io, emit: &mut EmitEntry<'_>) -> Result<()> {
        let _ = (io, emit);
        Err(Errno::ENOTDIR)
    }

    /// What fstat(2) and `/proc/self/fd` show of a file that has no inode in a file system (pipes,
    /// sockets, event descriptors).
    fn anonymous(&self) -> Anonymous {
        Anonymous::default()
    }

    /// The file's own pages that hold `len` bytes from `offset` (a multiple of the page size), for a
    /// shared mapping. Beyond the end of the file they are zero.
    ///
    /// # Errors
    /// ENODEV if it has none; ENOMEM; EPERM if sealed.
    fn pages(&self, offset: u64, len: usize) -> Result<FilePages> {
        let _ = (offset, len);
        Err(Errno::ENODEV)
    }

    /// How many bytes reading would give now (FIONREAD); `None` if the question makes no sense.
    fn readable_bytes(&self) -> Option<usize> {
        None
    }

    /// The last descriptor of an open file description was closed. Pipes and sockets hang up here.
    fn release(&self, flags: OpenFlags) {
        let _ = flags;
    }

    /// For downcasts by calls that work on one kind of file only (epoll, timerfd, sockets).
    fn as_any(&self) -> &dyn Any;
}

/// Pages of a file, which stay where they are as long as this lives.
pub struct FilePages {
    /// Address of the first byte.
    pub address: usize,
    /// Keeps them in place.
    pub pin: crate::mm::pages::Pin,
}

/// How a file without an inode shows itself.
#[derive(Clone, Copy, Debug)]
pub struct Anonymous {
    /// `st_mode`: type and permission bits. Linux's anonymous inodes have no type bits.
    pub st_mode: u32,
    /// `st_ino`.
    pub ino: u64,
    /// What stands before the inode number in the link's text (`pipe:[7]`), or the whole text if it
    /// begins with `anon_inode:`.
    pub label: &'static str,
    /// `st_rdev`, of device files.
    pub rdev: u64,
}

impl Anonymous {
    /// One of Linux's anonymous inodes, which all files of a kind share.
    pub const fn inode(label: &'static str) -> Self {
        Self {
            st_mode: 0o600,
            ino: 1,
            label,
            rdev: 0,
        }
    }
}

/// A number for a pipe or socket, unique in this run.
pub fn next_number() -> u64 {
    static LAST: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(1);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Default for Anonymous {
    fn default() -> Self {
        Self {
            st_mode: 0o600,
            ino: 0,
            label: "anon_inode:[libos]",
            rdev: 0,
        }
    }
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Number of bytes.
    pub count: usize,
    /// Position behind the last of them.
    pub end: u64,
}

/// An open file description.
pub struct OpenFile {
    file: Arc<dyn File>,
    flags: AtomicU32,
    offset: SpinLock<u64>,
    path: Option<Path>,
    signal_owner: SpinLock<SignalOwner>,
}

/// Who gets SIGIO: F_SETOWN, F_SETOWN_EX and F_SETSIG of fcntl(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalOwner {
    /// F_OWNER_TID 0, F_OWNER_PID 1, F_OWNER_PGRP 2.
    pub kind: i32,
    /// The thread, process or process group; 0 for nobody.
    pub id: i32,
    /// The signal instead of SIGIO; 0 for SIGIO.
    pub signal: i32,
}

impl OpenFile {
    /// A new description of `file` at offset 0.
    pub fn new(file: Arc<dyn File>, flags: OpenFlags) -> Arc<Self> {
        Self::build(file, flags, None)
    }

    /// A new description of `file`, which was opened at `path`.
    pub fn at(file: Arc<dyn File>, flags: OpenFlags, path: Path) -> Arc<Self> {
        Self::build(file, flags, Some(path))
    }

    fn build(file: Arc<dyn File>, flags: OpenFlags, path: Option<Path>) -> Arc<Self> {
        Arc::new(Self {
            file,
            flags: AtomicU32::new(flags.bits()),
            offset: SpinLock::new(0),
            path,
            signal_owner: SpinLock::default(),
        })
    }

    /// Where it was opened; `None` for pipes, sockets and other files without a name.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_ref()
    }

    /// The inode that it was opened from, for fstat(2), fchmod(2), mmap(2), ….
    pub fn inode(&self) -> Option<&Arc<dyn Inode>> {
        self.path.as_ref().map(Path::inode)
    }

    /// Whether a seal (F_SEAL_WRITE, F_SEAL_FUTURE_WRITE) forbids new writable mappings.
    pub fn is_sealed_against_writing(&self) -> bool {
        let regular = self.downcast::<Node>().and_then(Node::regular);
        regular.is_some_and(|file| file.seals().intersects(Seals::WRITE | Seals::FUTURE_WRITE))
    }

    /// Who gets SIGIO.
    pub fn signal_owner(&self) -> &SpinLock<SignalOwner> {
        &self.signal_owner
    }

    /// The file.
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// The file as a `T`, if it is one.
    pub fn downcast<T: File>(&self) -> Option<&T> {
        self.file.as_any().downcast_ref()
    }

    /// Access mode and status flags.
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// Replaces the flags (F_SETFL; the caller keeps the access mode).
    pub fn set_flags(&self, flags: OpenFlags) {
        self.flags.store(flags.bits(), Ordering::Relaxed);
    }

    /// Tells inotify(7) that `mask` happened to this file.
    #[inline]
    pub fn report(&self, mask: Mask) {
        if let Some(path) = self.path.as_ref().filter(|_| inotify::is_watched()) {
            inotify::event_at(path, mask);
        }
    }

    /// The offset, locked: read(2) and write(2) move it.
    pub fn offset(&self) -> &SpinLock<u64> {
        &self.offset
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        if !self.flags().contains(OpenFlags::PATH) {
            self.report(if self.flags().writable() {
                Mask::CLOSE_WRITE
            } else {
                Mask::CLOSE_NOWRITE
            });
        }
        if let Some(extras) = self.inode().and_then(|inode| inode.extras()) {
            extras
                .locks
                .release_description(core::ptr::from_ref(self) as usize);
        }
        self.file.release(self.flags());
    }
}
