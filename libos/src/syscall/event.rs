//! Descriptors made by a call of their own (pipe(2), eventfd(2), …).

use alloc::sync::Arc;

use linux_raw_sys::general::{EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE};

use crate::errno::{Errno, Result, SysResult};
use crate::fs::eventfd::{EventFd, Take};
use crate::fs::file::{File, OpenFile, OpenFlags};
use crate::fs::pipe;
use crate::task;
use crate::user::UserPtr;

/// Opens a descriptor of the running process on `file`.
///
/// # Errors
/// EMFILE.
pub(super) fn open_descriptor(file: Arc<dyn File>, flags: OpenFlags) -> Result<i32> {
    let close_on_exec = flags.contains(OpenFlags::CLOEXEC);
    let file = OpenFile::new(file, flags.difference(OpenFlags::CLOEXEC));
    task::with_current(|thread| thread.process().files.insert(file, close_on_exec, 0))
}

/// A fresh descriptor as a call's result.
pub(super) fn descriptor(fd: Result<i32>) -> SysResult {
    usize::try_from(fd?).map_err(|_| Errno::EMFILE)
}

/// Checks that `flags` holds no more than CLOEXEC, NONBLOCK and `others`; returns the first two.
///
/// # Errors
/// EINVAL.
pub(super) fn creation_flags(flags: u32, others: u32) -> Result<OpenFlags> {
    let common = (OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).bits();
    if flags & !(common | others) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(OpenFlags::from_bits_retain(flags & common))
}

/// See pipe(2).
pub fn pipe(descriptors: UserPtr<i32>) -> SysResult {
    pipe2(descriptors, 0)
}

/// See pipe2(2).
pub fn pipe2(descriptors: UserPtr<i32>, flags: u32) -> SysResult {
    let direct = OpenFlags::DIRECT.bits();
    let flags = creation_flags(flags, direct)? | OpenFlags::from_bits_retain(flags & direct);
    let (reader, writer) = pipe::new();
    open_pair(
        [(reader, flags), (writer, flags | OpenFlags::WRONLY)],
        descriptors,
    )
}

/// Opens two descriptors and tells their numbers, or neither.
pub(super) fn open_pair(
    files: [(Arc<dyn File>, OpenFlags); 2],
    descriptors: UserPtr<i32>,
) -> SysResult {
    let [(first, first_flags), (second, second_flags)] = files;
    let first = open_descriptor(first, first_flags)?;
    let second = open_descriptor(second, second_flags);
    let told = second.and_then(|second| descriptors.cast().write([first, second]));
    if let Err(error) = told {
        task::with_current(|thread| {
            let files = &thread.process().files;
            let opened = [Some(first), second.ok()];
            opened
                .into_iter()
                .flatten()
                .for_each(|fd| drop(files.remove(fd)));
        });
        return Err(error);
    }
    Ok(0)
}

/// See eventfd(2).
pub fn eventfd(count: u32) -> SysResult {
    eventfd2(count, 0)
}

/// See eventfd2(2).
pub fn eventfd2(count: u32, flags: u32) -> SysResult {
    const _: () = assert!(EFD_CLOEXEC == OpenFlags::CLOEXEC.bits());
    const _: () = assert!(EFD_NONBLOCK == OpenFlags::NONBLOCK.bits());
    let common = creation_flags(flags, EFD_SEMAPHORE)?;
    let take = if flags & EFD_SEMAPHORE == 0 {
        Take::All
    } else {
        Take::One
    };
    let file = Arc::new(EventFd::new(u64::from(count), take));
    descriptor(open_descriptor(file, common | OpenFlags::RDWR))
}

/// See timerfd_create(2).
pub fn timerfd_create(_0: i32, _1: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See timerfd_settime(2).
pub fn timerfd_settime(_0: i32, _1: u64, _2: UserPtr<u8>, _3: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See timerfd_gettime(2).
pub fn timerfd_gettime(_0: i32, _1: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See signalfd(2).
pub fn signalfd(_0: i32, _1: UserPtr<u64>, _2: usize) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See signalfd4(2).
pub fn signalfd4(_0: i32, _1: UserPtr<u64>, _2: usize, _3: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See memfd_create(2).
pub fn memfd_create(_0: UserPtr<u8>, _1: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See inotify_init(2).
pub fn inotify_init() -> SysResult {
    Err(Errno::ENOSYS)
}

/// See inotify_init1(2).
pub fn inotify_init1(_0: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See inotify_add_watch(2).
pub fn inotify_add_watch(_0: i32, _1: UserPtr<u8>, _2: u64) -> SysResult {
    Err(Errno::ENOSYS)
}

/// See inotify_rm_watch(2).
pub fn inotify_rm_watch(_0: i32, _1: i32) -> SysResult {
    Err(Errno::ENOSYS)
}
