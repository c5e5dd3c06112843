//! Calls that no safe wrapper has: a detached mount and its attributes, locks of open file descriptions, signals.

#![allow(unsafe_code)]

use rustix::io::{Errno, Result};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// `OPEN_TREE_CLONE` of linux/mount.h.
const OPEN_TREE_CLONE: libc::c_uint = 1;

/// `AT_RECURSIVE` of linux/fcntl.h.
const AT_RECURSIVE: libc::c_uint = 0x8000;

/// `MOUNT_ATTR_*` of linux/mount.h.
pub mod attribute {
    /// Nothing can be changed.
    pub const RDONLY: u64 = 1;
    /// Set-user-ID bits have no effect.
    pub const NOSUID: u64 = 2;
    /// Devices cannot be opened.
    pub const NODEV: u64 = 4;
    /// Symbolic links are not followed.
    pub const NOSYMFOLLOW: u64 = 0x0020_0000;
}

/// The kernel's `struct mount_attr`.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// A copy of the mounts at and below `path` that is mounted nowhere: only the descriptor leads to it, and `..` at its top
/// leads nowhere.
///
/// # Errors
/// That of open_tree(2).
pub fn detached_tree(path: &CStr) -> Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | AT_RECURSIVE | libc::O_CLOEXEC.cast_unsigned();
    // SAFETY: `path` ends with a NUL and outlives the call.
    let answer =
        unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = i32::try_from(answer).unwrap_or(-1);
    if fd < 0 {
        return Err(last_error());
    }
    // SAFETY: the call succeeded, so `fd` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds attributes to a mount and those below it.
///
/// # Errors
/// That of mount_setattr(2).
pub fn set_mount_attributes(mount: BorrowedFd<'_>, set: u64) -> Result<()> {
    let attributes = MountAttributes {
        set,
        clear: 0,
        propagation: 0,
        user_namespace: 0,
    };
    let flags = AT_RECURSIVE | libc::AT_EMPTY_PATH.cast_unsigned();
    // SAFETY: the call reads the empty path and as many bytes of `attributes` as it is told, and writes nothing.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    if answer == 0 {
        Ok(())
    } else {
        Err(last_error())
    }
}

/// A lock of fcntl(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// F_RDLCK, F_WRLCK or F_UNLCK.
    pub kind: i32,
    /// First byte.
    pub start: i64,
    /// Bytes; 0 for all.
    pub len: i64,
    /// Who holds it, in an answer; -1 if the kernel does not tell.
    pub process: i32,
}

/// Sets or takes away a lock that belongs to the open file description, without waiting.
///
/// # Errors
/// EAGAIN if another one is in the way; that of fcntl(2).
pub fn set_lock(file: impl AsFd, lock: Lock) -> Result<()> {
    let mut record = record(lock);
    // SAFETY: the call reads one `struct flock` and writes nothing.
    let answer =
        unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_SETLK, &raw mut record) };
    if answer < 0 {
        Err(last_error())
    } else {
        Ok(())
    }
}

/// The lock that is in the way of `lock`, if one is: else its kind is F_UNLCK.
///
/// # Errors
/// That of fcntl(2).
pub fn get_lock(file: impl AsFd, lock: Lock) -> Result<Lock> {
    let mut record = record(lock);
    // SAFETY: the call reads and writes one `struct flock`.
    let answer =
        unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_GETLK, &raw mut record) };
    if answer < 0 {
        return Err(last_error());
    }
    Ok(Lock {
        kind: i32::from(record.l_type),
        start: record.l_start,
        len: record.l_len,
        process: record.l_pid,
    })
}

fn record(lock: Lock) -> libc::flock {
    libc::flock {
        l_type: i16::try_from(lock.kind).unwrap_or(-1),
        l_whence: 0,
        l_start: lock.start,
        l_len: lock.len,
        l_pid: 0,
    }
}

/// Ignores SIGXFSZ: a write beyond the limit is EFBIG, and not this process's end.
pub fn ignore_file_size_signal() {
    // SAFETY: SIG_IGN is no handler; nothing else of the process depends on the signal's action.
    let _ = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// The channel, for [`end_channel`].
static CHANNEL: AtomicI32 = AtomicI32::new(-1);

/// Lets SIGTERM, which tells of the parent's end, end the channel's input: what has been received already is still read.
pub fn end_channel_on_terminate(channel: RawFd) {
    CHANNEL.store(channel, Ordering::Relaxed);
    let handler = end_channel as extern "C" fn(libc::c_int);
    // SAFETY: the handler makes one system call that takes no pointer, and leaves errno as it was; the channel is
    // open for as long as this process is.
    let _ = unsafe { libc::signal(libc::SIGTERM, handler as libc::sighandler_t) };
}

extern "C" fn end_channel(_signal: libc::c_int) {
    // SAFETY: errno is the thread's own, and shutdown(2) takes no pointer.
    unsafe {
        let errno = *libc::__errno_location();
        libc::shutdown(CHANNEL.load(Ordering::Relaxed), libc::SHUT_RD);
        *libc::__errno_location() = errno;
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
