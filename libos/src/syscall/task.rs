//! Threads: making and ending them, their ids; processes, of which there is one.

use core::sync::atomic::Ordering;

use crate::errno::{Errno, Result, SysResult};
use crate::task::clone::{CloneArgs, CloneFlags, Request};
use crate::task::{self, robust};
use crate::user::UserPtr;

/// Bits of clone(2)'s flags that hold the exit signal.
const EXIT_SIGNAL: u64 = 0xff;

pub(super) fn nonnegative(tid: i32) -> SysResult {
    usize::try_from(tid).map_err(|_| Errno::EINVAL)
}

/// See clone(2).
pub fn clone(
    flags: u64,
    stack: u64,
    parent_tid: UserPtr<i32>,
    child_tid: UserPtr<i32>,
    tls: u64,
) -> SysResult {
    let flags = CloneFlags::from_bits_retain(flags & !EXIT_SIGNAL);
    let request = Request {
        flags,
        stack,
        tls,
        parent_tid,
        child_tid,
    };
    nonnegative(task::clone::spawn(&request)?)
}

/// Flags that clone3 knows: those of clone but the signal and CLONE_DETACHED, CLONE_NEWTIME (in the signal's
/// place), CLONE_CLEAR_SIGHAND and CLONE_INTO_CGROUP.
const CLONE3_FLAGS: u64 = (0xffff_ffff & !EXIT_SIGNAL & !0x40_0000) | 0x80 | 0x3_0000_0000;

/// See clone3(2).
pub fn clone3(arguments: UserPtr<CloneArgs>, size: usize) -> SysResult {
    const FIRST_VERSION: usize = size_of::<CloneArgs>();
    if size < FIRST_VERSION {
        return Err(Errno::EINVAL);
    }
    if size > libos_abi::PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    let known = arguments.read()?;
    let rest = arguments
        .byte_offset::<u8>(FIRST_VERSION)?
        .read_vec(size - FIRST_VERSION)?;
    if rest.iter().any(|&byte| byte != 0) {
        return Err(Errno::EINVAL.because("set_tid and cgroup are not supported"));
    }
    // As clone3_args_valid in kernel/fork.c: a thread tells nobody of its end by a signal.
    let flags = CloneFlags::from_bits_retain(known.flags);
    if known.exit_signal & !EXIT_SIGNAL != 0
        || known.flags & !CLONE3_FLAGS != 0
        || flags.contains(CloneFlags::THREAD) && known.exit_signal != 0
        || (known.stack == 0) != (known.stack_size == 0)
    {
        return Err(Errno::EINVAL);
    }
    let stack = known
        .stack
        .checked_add(known.stack_size)
        .ok_or(Errno::EINVAL)?;
    let pointer = |address: u64| {
        usize::try_from(address)
            .map(UserPtr::new)
            .map_err(|_| Errno::EFAULT)
    };
    let request = Request {
        flags,
        stack,
        tls: known.tls,
        parent_tid: pointer(known.parent_tid)?,
        child_tid: pointer(known.child_tid)?,
    };
    nonnegative(task::clone::spawn(&request)?)
}

fn no_processes() -> SysResult {
    Err(Errno::ENOSYS.because("new processes are not supported: one process per image"))
}

/// See fork(2).
pub fn fork() -> SysResult {
    no_processes()
}

/// See vfork(2).
pub fn vfork() -> SysResult {
    no_processes()
}

/// See execve(2).
pub fn execve(_path: UserPtr<u8>, _arguments: UserPtr<u8>, _environment: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS.because("another program cannot be loaded: one program per image"))
}

/// See execveat(2).
pub fn execveat(
    _directory: i32,
    path: UserPtr<u8>,
    arguments: UserPtr<u8>,
    environment: UserPtr<u8>,
    _flags: i32,
) -> SysResult {
    execve(path, arguments, environment)
}

/// See exit(2).
pub fn exit(status: i32) -> SysResult {
    task::exit::exit_thread(status)
}

/// See exit_group(2).
pub fn exit_group(status: i32) -> SysResult {
    task::exit_group(status)
}

/// See wait4(2). There are no children.
pub fn wait4(_pid: i32, _status: UserPtr<i32>, options: u32, _usage: UserPtr<u8>) -> SysResult {
    const KNOWN: u32 = 0xe000_000b;
    if options & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    Err(Errno::ECHILD)
}

/// See waitid(2). There are no children.
pub fn waitid(
    kind: i32,
    _id: i32,
    _info: UserPtr<u8>,
    options: u32,
    _usage: UserPtr<u8>,
) -> SysResult {
    const WAIT_FOR: u32 = 0xe;
    if !(0..=3).contains(&kind) || options & WAIT_FOR == 0 {
        return Err(Errno::EINVAL);
    }
    Err(Errno::ECHILD)
}

/// See set_tid_address(2).
pub fn set_tid_address(place: UserPtr<i32>) -> SysResult {
    task::with_current(|thread| {
        thread
            .clear_child_tid
            .store(place.address(), Ordering::Relaxed);
        nonnegative(thread.tid())
    })
}

/// See set_robust_list(2).
pub fn set_robust_list(head: UserPtr<u8>, size: usize) -> SysResult {
    if size != robust::HEAD_SIZE {
        return Err(Errno::EINVAL);
    }
    task::with_current(|thread| thread.robust_list.store(head.address(), Ordering::Relaxed));
    Ok(0)
}

/// See get_robust_list(2).
pub fn get_robust_list(tid: i32, head: UserPtr<usize>, size: UserPtr<usize>) -> SysResult {
    let list = of_thread(tid, |thread| thread.robust_list.load(Ordering::Relaxed))?;
    size.write(robust::HEAD_SIZE)?;
    head.write(list)?;
    Ok(0)
}

/// Calls `action` with thread `tid`, the running one for 0.
pub(super) fn of_thread<T>(tid: i32, action: impl FnOnce(&task::Thread) -> T) -> Result<T> {
    if tid == 0 {
        return Ok(task::with_current(action));
    }
    match task::current_process().thread(tid) {
        Some(thread) => Ok(action(&thread)),
        None => Err(Errno::ESRCH),
    }
}

/// See gettid(2).
pub fn gettid() -> SysResult {
    nonnegative(task::with_current(task::Thread::tid))
}

/// See getpid(2).
pub fn getpid() -> SysResult {
    nonnegative(task::with_current(|thread| thread.process().pid()))
}

/// See getppid(2): 0, as for the first process of a PID namespace.
pub fn getppid() -> SysResult {
    Ok(0)
}

/// See rseq(2). glibc and others do without it on ENOSYS.
pub fn rseq(_area: UserPtr<u8>, _size: u32, _flags: u32, _signature: u32) -> SysResult {
    Err(Errno::ENOSYS.because("no restartable sequences: threads are switched by the libOS"))
}

/// See arch_prctl(2).
pub fn arch_prctl(code: u32, argument: u64) -> SysResult {
    const SET_GS: u32 = 0x1001;
    const SET_FS: u32 = 0x1002;
    const GET_FS: u32 = 0x1003;
    const GET_GS: u32 = 0x1004;
    const GET_CPUID: u32 = 0x1011;
    match code {
        SET_FS if argument >> 47 != 0 => Err(Errno::EPERM),
        SET_FS => {
            #[cfg(not(test))]
            crate::arch::context::set_fs_base(argument);
            Ok(0)
        }
        GET_FS => {
            #[cfg(not(test))]
            let base = crate::arch::context::fs_base();
            #[cfg(test)]
            let base = 0_u64;
            let place = usize::try_from(argument).map_err(|_| Errno::EFAULT)?;
            UserPtr::<u64>::new(place).write(base)?;
            Ok(0)
        }
        SET_GS | GET_GS => Err(Errno::EPERM.because("%gs belongs to the libOS")),
        GET_CPUID => Ok(1),
        _ => Err(Errno::EINVAL),
    }
}

/// See ptrace(2).
pub fn ptrace(_request: i32, _pid: i32, _address: UserPtr<u8>, _data: UserPtr<u8>) -> SysResult {
    Err(Errno::ENOSYS.because("no other process to trace"))
}

/// See unshare(2).
pub fn unshare(flags: u64) -> SysResult {
    if flags == 0 {
        return Ok(0);
    }
    Err(Errno::EPERM.because("no namespaces inside an image"))
}

/// See setns(2).
pub fn setns(_fd: i32, _kind: u64) -> SysResult {
    Err(Errno::EPERM.because("no namespaces inside an image"))
}

/// See kcmp(2).
pub fn kcmp(_pid1: i32, _pid2: i32, _kind: i32, _index1: u64, _index2: u64) -> SysResult {
    Err(Errno::ENOSYS.because("checkpointing is not supported"))
}

/// See pidfd_open(2).
pub fn pidfd_open(_pid: i32, _flags: u32) -> SysResult {
    Err(Errno::ENOSYS.because("one process per image"))
}

/// See pidfd_getfd(2).
pub fn pidfd_getfd(_pidfd: i32, _fd: i32, _flags: u32) -> SysResult {
    Err(Errno::ENOSYS.because("one process per image"))
}

/// See pidfd_send_signal(2).
pub fn pidfd_send_signal(_pidfd: i32, _signo: i32, _info: UserPtr<u8>, _flags: u32) -> SysResult {
    Err(Errno::ENOSYS.because("one process per image"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_process() {
        assert_eq!(fork(), Err(Errno::ENOSYS));
        assert_eq!(
            wait4(-1, UserPtr::new(0), 0, UserPtr::new(0)),
            Err(Errno::ECHILD)
        );
        assert_eq!(
            wait4(-1, UserPtr::new(0), 0x100, UserPtr::new(0)),
            Err(Errno::EINVAL)
        );
    }
}
