//! Descriptors (close(2), dup(2), fcntl(2), ioctl(2), …).

use alloc::sync::Arc;

use linux_raw_sys::general as abi;
use linux_raw_sys::ioctl;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::caller;
use crate::fs::fdtable::FdEntry;
use crate::fs::file::{OpenFile, OpenFlags, SignalOwner};
use crate::fs::locks::range::{Kind, Owner, Range, RangeLock};
use crate::fs::locks::{LockTable, Patience};
use crate::fs::pipe;
use crate::fs::tmpfs::{Node, Seals};
use crate::task::with_current;
use crate::user::{Plain, UserPtr};

/// The open file description of `fd`, also if it was opened with O_PATH.
pub fn any_file(fd: i32) -> Result<Arc<OpenFile>> {
    with_current(|thread| thread.process().files.get(fd))
}

/// The open file description of `fd`, which is not a mere place.
///
/// # Errors
/// EBADF, for O_PATH as well.
pub fn file(fd: i32) -> Result<Arc<OpenFile>> {
    let file = any_file(fd)?;
    match file.flags().contains(OpenFlags::PATH) {
        true => Err(Errno::EBADF),
        false => Ok(file),
    }
}

fn insert(file: Arc<OpenFile>, close_on_exec: bool, from: usize) -> SysResult {
    let fd = with_current(|thread| thread.process().files.insert(file, close_on_exec, from))?;
    usize::try_from(fd).map_err(|_| Errno::EMFILE)
}

/// See close(2).
pub fn close(fd: i32) -> SysResult {
    let entry = with_current(|thread| thread.process().files.remove(fd))?;
    closed(entry);
    Ok(0)
}

/// Does what closing a descriptor does beside freeing its number.
fn closed(entry: FdEntry) {
    let locks = locks_of(&entry.file);
    if let Some(locks) = locks {
        let pid = with_current(|thread| thread.process().pid());
        locks.release_process(pid);
    }
}

fn locks_of(file: &OpenFile) -> Option<&LockTable> {
    Some(&file.inode()?.extras()?.locks)
}

/// See close_range(2).
pub fn close_range(first: u32, last: u32, flags: u32) -> SysResult {
    /// The table is not shared with any other process: there is nothing to do.
    const UNSHARE: u32 = 2;
    const CLOEXEC: u32 = 4;
    if flags & !(UNSHARE | CLOEXEC) != 0 || first > last {
        return Err(Errno::EINVAL);
    }
    let (first, last) = (first as usize, last as usize);
    if flags & CLOEXEC != 0 {
        with_current(|thread| thread.process().files.set_range_close_on_exec(first, last));
        return Ok(0);
    }
    let removed = with_current(|thread| thread.process().files.remove_range(first, last));
    removed.into_iter().for_each(closed);
    Ok(0)
}

/// See dup(2).
pub fn dup(fd: i32) -> SysResult {
    insert(any_file(fd)?, false, 0)
}

/// See dup2(2).
pub fn dup2(old: i32, new: i32) -> SysResult {
    let file = any_file(old)?;
    if old == new {
        return usize::try_from(new).map_err(|_| Errno::EBADF);
    }
    replace(file, new, false)
}

/// See dup3(2).
pub fn dup3(old: i32, new: i32, flags: u32) -> SysResult {
    let close_on_exec = OpenFlags::CLOEXEC.bits();
    if flags & !close_on_exec != 0 || old == new {
        return Err(Errno::EINVAL);
    }
    replace(any_file(old)?, new, flags == close_on_exec)
}

fn replace(file: Arc<OpenFile>, fd: i32, close_on_exec: bool) -> SysResult {
    let old = with_current(|thread| thread.process().files.replace(fd, file, close_on_exec))?;
    if let Some(old) = old {
        closed(old);
    }
    usize::try_from(fd).map_err(|_| Errno::EBADF)
}

/// `struct flock`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Flock {
    kind: i16,
    whence: i16,
    start: i64,
    len: i64,
    pid: i32,
    padding: u32,
}

// SAFETY: integers, the padding named: every pattern is valid (1) and it owns nothing (2).
unsafe impl Plain for Flock {}

/// `struct f_owner_ex`.
#[repr(C)]
#[derive(Clone, Copy)]
struct OwnerEx {
    kind: i32,
    id: i32,
}

// SAFETY: two integers (1 and 2 as above).
unsafe impl Plain for OwnerEx {}

/// See fcntl(2).
pub fn fcntl(fd: i32, command: u32, argument: u64) -> SysResult {
    const DUPFD_CLOEXEC: u32 = abi::F_LINUX_SPECIFIC_BASE + 6;
    let entry = with_current(|thread| thread.process().files.entry(fd))?;
    let is_place = entry.file.flags().contains(OpenFlags::PATH);
    match command {
        abi::F_DUPFD => duplicate(entry.file, argument, false),
        DUPFD_CLOEXEC => duplicate(entry.file, argument, true),
        abi::F_GETFD => Ok(usize::from(entry.close_on_exec)),
        abi::F_SETFD => {
            let set = argument & u64::from(abi::FD_CLOEXEC) != 0;
            with_current(|thread| thread.process().files.set_close_on_exec(fd, set))?;
            Ok(0)
        }
        abi::F_GETFL => Ok(entry.file.flags().bits() as usize),
        _ if is_place => Err(Errno::EBADF),
        abi::F_SETFL => set_status_flags(&entry.file, argument),
        abi::F_GETLK
        | abi::F_SETLK
        | abi::F_SETLKW
        | abi::F_OFD_GETLK
        | abi::F_OFD_SETLK
        | abi::F_OFD_SETLKW => record_lock(&entry.file, command, argument),
        _ => other_command(&entry.file, command, argument),
    }
}

/// The 32-bit argument of a command.
fn int(argument: u64) -> i32 {
    crate::syscall::convert::Argument::from_register(argument)
}

fn pointer<T>(argument: u64) -> UserPtr<T> {
    crate::syscall::convert::Argument::from_register(argument)
}

fn duplicate(file: Arc<OpenFile>, from: u64, close_on_exec: bool) -> SysResult {
    let from = usize::try_from(int(from)).map_err(|_| Errno::EINVAL)?;
    if from >= caller::descriptor_limit() {
        return Err(Errno::EINVAL);
    }
    insert(file, close_on_exec, from)
}

fn set_status_flags(file: &OpenFile, argument: u64) -> SysResult {
    let settable = OpenFlags::APPEND
        | OpenFlags::NONBLOCK
        | OpenFlags::ASYNC
        | OpenFlags::DIRECT
        | OpenFlags::NOATIME;
    let wanted = OpenFlags::from_bits_retain(int(argument).cast_unsigned()) & settable;
    let old = file.flags();
    let newly = wanted.difference(old);
    if newly.contains(OpenFlags::NOATIME)
        && let Some(inode) = file.inode()
        && !caller::credentials().owns(inode.ownership().uid)
    {
        return Err(Errno::EPERM);
    }
    file.set_flags(old.difference(settable) | wanted);
    Ok(0)
}

fn other_command(file: &Arc<OpenFile>, command: u32, argument: u64) -> SysResult {
    const SETPIPE_SZ: u32 = abi::F_LINUX_SPECIFIC_BASE + 7;
    const GETPIPE_SZ: u32 = abi::F_LINUX_SPECIFIC_BASE + 8;
    const ADD_SEALS: u32 = abi::F_LINUX_SPECIFIC_BASE + 9;
    const GET_SEALS: u32 = abi::F_LINUX_SPECIFIC_BASE + 10;
    const SETLEASE: u32 = abi::F_LINUX_SPECIFIC_BASE;
    const GETLEASE: u32 = abi::F_LINUX_SPECIFIC_BASE + 1;
    const NOTIFY: u32 = abi::F_LINUX_SPECIFIC_BASE + 2;
    match command {
        abi::F_SETOWN => {
            let id = int(argument);
            let kind = i32::from(id >= 0) + i32::from(id < 0) * 2;
            set_owner(file, kind, id.checked_abs().ok_or(Errno::EINVAL)?)
        }
        abi::F_GETOWN => {
            let owner = *file.signal_owner().lock();
            // A process group is negative; the dispatcher must not take it for an error.
            Ok(owner.id.cast_unsigned() as usize)
        }
        abi::F_SETOWN_EX => {
            let owner: OwnerEx = pointer(argument).read()?;
            match owner.kind {
                0..=2 => set_owner(file, owner.kind, owner.id),
                _ => Err(Errno::EINVAL),
            }
        }
        abi::F_GETOWN_EX => {
            let SignalOwner { kind, id, .. } = *file.signal_owner().lock();
            pointer(argument).write(OwnerEx { kind, id })?;
            Ok(0)
        }
        abi::F_SETSIG => match int(argument) {
            signal @ 0..=64 => {
                file.signal_owner().lock().signal = signal;
                Ok(0)
            }
            _ => Err(Errno::EINVAL),
        },
        abi::F_GETSIG => {
            usize::try_from(file.signal_owner().lock().signal).map_err(|_| Errno::EINVAL)
        }
        SETPIPE_SZ => {
            let bytes = usize::try_from(int(argument)).map_err(|_| Errno::EINVAL)?;
            pipe::of(file)?.set_capacity(bytes)
        }
        GETPIPE_SZ => Ok(pipe::of(file)?.capacity()),
        ADD_SEALS => add_seals(file, argument),
        GET_SEALS => {
            let regular = file.downcast::<Node>().and_then(Node::regular);
            Ok(regular.ok_or(Errno::EINVAL)?.seals().bits() as usize)
        }
        // A lease can be taken only on a file that nobody else has open; this is what Linux
        // answers when somebody has.
        SETLEASE => match int(argument) {
            0 | 1 => Err(Errno::EAGAIN.because("leases are not kept")),
            2 => Err(Errno::EAGAIN),
            _ => Err(Errno::EINVAL),
        },
        GETLEASE => Ok(2),
        NOTIFY => Err(Errno::EINVAL.because("dnotify is not kept; inotify is")),
        _ => Err(Errno::EINVAL),
    }
}

fn set_owner(file: &OpenFile, kind: i32, id: i32) -> SysResult {
    let mut owner = file.signal_owner().lock();
    owner.kind = kind;
    owner.id = id;
    Ok(0)
}

fn add_seals(file: &OpenFile, argument: u64) -> SysResult {
    let seals = int(argument).cast_unsigned();
    let seals = Seals::from_bits(seals).ok_or(Errno::EINVAL)?;
    let regular = file.downcast::<Node>().and_then(Node::regular);
    let regular = regular.ok_or(Errno::EINVAL)?;
    if !file.flags().writable() {
        return Err(Errno::EPERM);
    }
    regular.add_seals(seals)?;
    Ok(0)
}

fn record_lock(file: &Arc<OpenFile>, command: u32, argument: u64) -> SysResult {
    let ptr = pointer::<Flock>(argument);
    let request = ptr.read()?;
    let by_description = matches!(
        command,
        abi::F_OFD_GETLK | abi::F_OFD_SETLK | abi::F_OFD_SETLKW
    );
    if by_description && request.pid != 0 {
        return Err(Errno::EINVAL);
    }
    let owner = match by_description {
        true => Owner::Description(Arc::as_ptr(file) as usize),
        false => Owner::Process(with_current(|thread| thread.process().pid())),
    };
    let range = flock_range(file, &request)?;
    let locks = locks_of(file).ok_or(Errno::EINVAL)?;
    if matches!(command, abi::F_GETLK | abi::F_OFD_GETLK) {
        let kind = lock_kind(request.kind)?.ok_or(Errno::EINVAL)?;
        let found = locks.conflict(owner, kind, range);
        ptr.write(describe(found, request))?;
        return Ok(0);
    }
    let kind = lock_kind(request.kind)?;
    let flags = file.flags();
    let allowed = match kind {
        Some(Kind::Read) => flags.readable(),
        Some(Kind::Write) => flags.writable(),
        None => true,
    };
    if !allowed {
        return Err(Errno::EBADF);
    }
    let patience = match command {
        abi::F_SETLKW | abi::F_OFD_SETLKW => Patience::Wait,
        _ => Patience::Try,
    };
    locks.lock_range(owner, kind, range, patience)?;
    Ok(0)
}

fn lock_kind(kind: i16) -> Result<Option<Kind>> {
    match u32::try_from(kind) {
        Ok(abi::F_RDLCK) => Ok(Some(Kind::Read)),
        Ok(abi::F_WRLCK) => Ok(Some(Kind::Write)),
        Ok(abi::F_UNLCK) => Ok(None),
        _ => Err(Errno::EINVAL),
    }
}

fn flock_range(file: &OpenFile, request: &Flock) -> Result<Range> {
    let base = match request.whence {
        0 => 0,
        1 => *file.offset().lock(),
        2 => file.inode().map_or(0, |inode| inode.metadata().size),
        _ => return Err(Errno::EINVAL),
    };
    Range::from_flock(base, request.start, request.len).ok_or(Errno::EINVAL)
}

/// `struct flock` for the answer of F_GETLK.
fn describe(found: Option<RangeLock>, request: Flock) -> Flock {
    const F_RDLCK: i16 = 0;
    const F_WRLCK: i16 = 1;
    const F_UNLCK: i16 = 2;
    let Some(lock) = found else {
        return Flock {
            kind: F_UNLCK,
            ..request
        };
    };
    let (start, len) = lock.range.to_flock();
    Flock {
        kind: if lock.kind == Kind::Read {
            F_RDLCK
        } else {
            F_WRLCK
        },
        whence: 0,
        start,
        len,
        pid: match lock.owner {
            Owner::Process(pid) => pid,
            Owner::Description(_) => -1,
        },
        padding: 0,
    }
}

/// See flock(2).
pub fn flock(fd: i32, operation: u32) -> SysResult {
    let file = file(fd)?;
    let kind = match operation & !abi::LOCK_NB {
        abi::LOCK_SH => Some(Kind::Read),
        abi::LOCK_EX => Some(Kind::Write),
        abi::LOCK_UN => None,
        _ => return Err(Errno::EINVAL),
    };
    let patience = match operation & abi::LOCK_NB {
        0 => Patience::Wait,
        _ => Patience::Try,
    };
    // Files without an inode have one holder at most: nobody to conflict with.
    if let Some(locks) = locks_of(&file) {
        locks.lock_whole(Arc::as_ptr(&file) as usize, kind, patience)?;
    }
    Ok(0)
}

/// See ioctl(2).
pub fn ioctl(fd: i32, request: u32, argument: usize) -> SysResult {
    let file = file(fd)?;
    match request {
        ioctl::FIOCLEX | ioctl::FIONCLEX => {
            let set = request == ioctl::FIOCLEX;
            with_current(|thread| thread.process().files.set_close_on_exec(fd, set))?;
            Ok(0)
        }
        ioctl::FIONBIO => set_flag(&file, OpenFlags::NONBLOCK, argument),
        ioctl::FIOASYNC => set_flag(&file, OpenFlags::ASYNC, argument),
        ioctl::FIONREAD => {
            let Some(bytes) = file.file().readable_bytes() else {
                return file.file().ioctl(request, argument);
            };
            let position = usize::try_from(*file.offset().lock()).unwrap_or(usize::MAX);
            let left = i32::try_from(bytes.saturating_sub(position)).unwrap_or(i32::MAX);
            UserPtr::<i32>::new(argument).write(left)?;
            Ok(0)
        }
        _ => file.file().ioctl(request, argument),
    }
}

fn set_flag(file: &OpenFile, flag: OpenFlags, argument: usize) -> SysResult {
    let on = UserPtr::<i32>::new(argument).read()? != 0;
    let mut flags = file.flags();
    flags.set(flag, on);
    file.set_flags(flags);
    Ok(0)
}
