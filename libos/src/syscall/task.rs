//! Threads, scheduling, futexes.

use core::sync::atomic::Ordering;
use core::time::Duration;

use crate::errno::{Errno, Result, SysResult};
use crate::futex::{self, WakeOp};
use crate::sched;
use crate::signal;
use crate::syscall::convert::Argument;
use crate::task::clone::{CloneArgs, CloneFlags, Request};
use crate::task::{self, robust};
use crate::time::{self, Instant};
use crate::user::{Plain, Timespec, UserPtr};

/// Bits of clone(2)'s flags that hold the exit signal.
const EXIT_SIGNAL: u64 = 0xff;

fn nonnegative(tid: i32) -> SysResult {
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
fn of_thread<T>(tid: i32, action: impl FnOnce(&task::Thread) -> T) -> Result<T> {
    if tid == 0 {
        return Ok(task::with_current(action));
    }
    match task::current_process().thread(tid) {
        Some(thread) => Ok(action(&thread)),
        None => Err(Errno::ESRCH),
    }
}

/// When a futex wait's timeout is: relative for FUTEX_WAIT, absolute for the others.
fn futex_deadline(
    timeout: UserPtr<Timespec>,
    is_absolute: bool,
    is_realtime: bool,
) -> Result<Option<Instant>> {
    let Some(timeout) = timeout.non_null() else {
        return Ok(None);
    };
    let ns = timeout.read()?.to_ns()?;
    Ok(Some(match (is_absolute, is_realtime) {
        (false, _) => Instant::now().after(Duration::from_nanos(ns)),
        (true, false) => Instant::from_ns(ns),
        (true, true) => {
            let left = ns.saturating_sub(time::realtime_ns());
            Instant::now().after(Duration::from_nanos(left))
        }
    }))
}

fn count(value: u64) -> usize {
    let low = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    // A negative count means one in FUTEX_WAKE (the kernel's loop tests after the first).
    usize::try_from(low.cast_signed()).unwrap_or(1)
}

/// See futex(2).
pub fn futex(
    word: UserPtr<u32>,
    operation: u32,
    value: u32,
    timeout_or_count: u64,
    second: UserPtr<u32>,
    value3: u32,
) -> SysResult {
    const CLOCK_REALTIME: u32 = 256;
    const PRIVATE: u32 = 128;
    let command = operation & !(CLOCK_REALTIME | PRIVATE);
    let is_realtime = operation & CLOCK_REALTIME != 0;
    let timeout = UserPtr::new(usize::try_from(timeout_or_count).map_err(|_| Errno::EFAULT)?);
    if is_realtime && !matches!(command, 0 | 9 | 11 | 13) {
        return Err(Errno::ENOSYS);
    }
    match command {
        0 | 9 => {
            let deadline = futex_deadline(timeout, command == 9, is_realtime)?;
            let bitset = if command == 9 { value3 } else { futex::ANY };
            futex_wait(word, value, deadline, bitset)
        }
        1 => futex::wake(word, count(value.into()).max(1), futex::ANY),
        10 => futex::wake(word, count(value.into()).max(1), value3),
        3 | 4 => requeue(
            word,
            second,
            value,
            timeout_or_count,
            (command == 4).then_some(value3),
        ),
        5 => {
            let (first, other) = (count(value.into()), count(timeout_or_count));
            futex::wake_op(word, first, second, other, WakeOp::new(value3))
        }
        6..=8 | 11..=13 => {
            Err(Errno::ENOSYS.because("priority inheritance needs priorities; there are none"))
        }
        _ => Err(Errno::ENOSYS),
    }
}

/// A wait with a timeout goes on until that, however often it is interrupted, and never restarts behind a
/// handler (futex_wait in the kernel's kernel/futex/waitwake.c).
fn futex_wait(
    word: UserPtr<u32>,
    expected: u32,
    deadline: Option<Instant>,
    bitset: u32,
) -> SysResult {
    match (futex::wait(word, expected, deadline, bitset), deadline) {
        (Err(Errno::ERESTARTSYS), Some(deadline)) => {
            let words = [
                word.address() as u64,
                expected.into(),
                deadline.as_ns(),
                bitset.into(),
            ];
            Err(signal::resume_later(futex_wait_on, words))
        }
        (result, _) => result.map(|()| 0),
    }
}

fn futex_wait_on([word, expected, deadline_ns, bitset]: [u64; 4]) -> SysResult {
    let deadline = Some(Instant::from_ns(deadline_ns));
    futex_wait(
        UserPtr::from_register(word),
        u32::from_register(expected),
        deadline,
        u32::from_register(bitset),
    )
}

fn requeue(
    from: UserPtr<u32>,
    to: UserPtr<u32>,
    wake: u32,
    move_count: u64,
    expected: Option<u32>,
) -> SysResult {
    let wake = usize::try_from(wake.cast_signed()).map_err(|_| Errno::EINVAL)?;
    let low = u32::try_from(move_count & 0xffff_ffff).unwrap_or(0);
    let limit = usize::try_from(low.cast_signed()).map_err(|_| Errno::EINVAL)?;
    let (woken, moved) = futex::requeue(from, to, wake, limit, expected)?;
    // FUTEX_REQUEUE reports the woken only, FUTEX_CMP_REQUEUE both (futex(2), "RETURN VALUE");
    // the kernel returns both for both.
    Ok(woken + moved)
}

/// See sched_yield(2).
pub fn sched_yield() -> SysResult {
    sched::yield_now();
    Ok(0)
}

/// The CPUs there are: one.
const CPU_MASK: u64 = 1;

/// See sched_getaffinity(2). Returns the bytes of the kernel's mask, as the raw call does.
pub fn sched_getaffinity(tid: i32, size: usize, mask: UserPtr<u64>) -> SysResult {
    const MASK_BYTES: usize = size_of::<u64>();
    if size < MASK_BYTES || !size.is_multiple_of(MASK_BYTES) {
        return Err(Errno::EINVAL);
    }
    of_thread(tid, |_| ())?;
    mask.write(CPU_MASK)?;
    Ok(MASK_BYTES)
}

/// See sched_setaffinity(2).
pub fn sched_setaffinity(tid: i32, size: usize, mask: UserPtr<u8>) -> SysResult {
    of_thread(tid, |_| ())?;
    let bytes = mask.read_vec(size.min(size_of::<u64>()))?;
    match bytes.first() {
        Some(first) if u64::from(*first) & CPU_MASK != 0 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

const SCHED_OTHER: i32 = 0;
const SCHED_BATCH: i32 = 3;
const SCHED_IDLE: i32 = 5;
const SCHED_FIFO: i32 = 1;
const SCHED_RR: i32 = 2;

/// See sched_getparam(2).
pub fn sched_getparam(tid: i32, parameter: UserPtr<i32>) -> SysResult {
    if tid < 0 || parameter.is_null() {
        return Err(Errno::EINVAL);
    }
    of_thread(tid, |_| ())?;
    parameter.write(0)?;
    Ok(0)
}

/// See sched_setparam(2).
pub fn sched_setparam(tid: i32, parameter: UserPtr<i32>) -> SysResult {
    sched_setscheduler(tid, SCHED_OTHER, parameter)
}

/// See sched_getscheduler(2).
pub fn sched_getscheduler(tid: i32) -> SysResult {
    if tid < 0 {
        return Err(Errno::EINVAL);
    }
    of_thread(tid, |_| ())?;
    nonnegative(SCHED_OTHER)
}

/// See sched_setscheduler(2).
pub fn sched_setscheduler(tid: i32, policy: i32, parameter: UserPtr<i32>) -> SysResult {
    const RESET_ON_FORK: i32 = 0x4000_0000;
    if tid < 0 || parameter.is_null() {
        return Err(Errno::EINVAL);
    }
    let priority = parameter.read()?;
    of_thread(tid, |_| ())?;
    match policy & !RESET_ON_FORK {
        SCHED_OTHER | SCHED_BATCH | SCHED_IDLE if priority == 0 => Ok(0),
        SCHED_FIFO | SCHED_RR if (1..=99).contains(&priority) => {
            Err(Errno::EPERM.because("no real-time scheduling"))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// See sched_get_priority_max(2).
pub fn sched_get_priority_max(policy: i32) -> SysResult {
    priority_bound(policy, 99)
}

/// See sched_get_priority_min(2).
pub fn sched_get_priority_min(policy: i32) -> SysResult {
    priority_bound(policy, 1)
}

fn priority_bound(policy: i32, realtime: usize) -> SysResult {
    match policy {
        SCHED_FIFO | SCHED_RR => Ok(realtime),
        SCHED_OTHER | SCHED_BATCH | SCHED_IDLE | 6 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// See sched_rr_get_interval(2): one tick.
pub fn sched_rr_get_interval(tid: i32, interval: UserPtr<Timespec>) -> SysResult {
    const SLICE_NS: u64 = 4_000_000;
    if tid < 0 {
        return Err(Errno::EINVAL);
    }
    of_thread(tid, |_| ())?;
    interval.write(Timespec::from_ns(SLICE_NS))?;
    Ok(0)
}

/// `struct sched_attr`, first version.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SchedAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

// SAFETY: integers only: all patterns are valid, nothing is owned.
unsafe impl Plain for SchedAttributes {}

/// Size of [`SchedAttributes`], which the calls negotiate.
const ATTRIBUTES_SIZE: u32 = 48;

/// See sched_getattr(2).
pub fn sched_getattr(
    tid: i32,
    attributes: UserPtr<SchedAttributes>,
    size: u32,
    flags: u32,
) -> SysResult {
    if tid < 0 || attributes.is_null() || flags != 0 || size < ATTRIBUTES_SIZE {
        return Err(Errno::EINVAL);
    }
    let nice = of_thread(tid, |_| {
        task::current_process().nice.load(Ordering::Relaxed)
    })?;
    attributes.write(SchedAttributes {
        size: ATTRIBUTES_SIZE,
        nice,
        ..Default::default()
    })?;
    Ok(0)
}

/// See sched_setattr(2).
pub fn sched_setattr(tid: i32, attributes: UserPtr<SchedAttributes>, flags: u32) -> SysResult {
    if tid < 0 || attributes.is_null() || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let wanted = attributes.read()?;
    of_thread(tid, |_| ())?;
    match i32::try_from(wanted.policy) {
        Ok(SCHED_OTHER | SCHED_BATCH | SCHED_IDLE) => Ok(0),
        Ok(SCHED_FIFO | SCHED_RR | 6) => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// Whether (`which`, `who`) names the one process there is.
fn check_priority_target(which: i32, who: i32) -> Result<()> {
    match which {
        0 if who == 0 || of_thread(who, |_| ()).is_ok() => Ok(()),
        1 | 2 if who == 0 => Ok(()),
        0..=2 => Err(Errno::ESRCH),
        _ => Err(Errno::EINVAL),
    }
}

/// See getpriority(2): the raw call returns 20 − nice.
pub fn getpriority(which: i32, who: i32) -> SysResult {
    check_priority_target(which, who)?;
    nonnegative(20 - task::current_process().nice.load(Ordering::Relaxed))
}

/// See setpriority(2). Stored and reported; all threads of an image share one CPU anyway.
pub fn setpriority(which: i32, who: i32, nice: i32) -> SysResult {
    check_priority_target(which, who)?;
    task::current_process()
        .nice
        .store(nice.clamp(-20, 19), Ordering::Relaxed);
    Ok(0)
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

/// See getcpu(2).
pub fn getcpu(cpu: UserPtr<u32>, node: UserPtr<u32>, _cache: UserPtr<u8>) -> SysResult {
    for place in [cpu, node].into_iter().filter_map(UserPtr::non_null) {
        place.write(0)?;
    }
    Ok(0)
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

    #[test]
    fn affinity_is_one_cpu() {
        let mut mask = 0_u64;
        let place = UserPtr::new(&raw mut mask as usize);
        assert_eq!(sched_getaffinity(0, 8, place), Ok(8));
        assert_eq!(mask, 1);
        assert_eq!(sched_getaffinity(0, 7, place), Err(Errno::EINVAL));
        assert_eq!(sched_getaffinity(4711, 8, place), Err(Errno::ESRCH));
        for (mask, verdict) in [(2_u64, Err(Errno::EINVAL)), (3, Ok(0))] {
            let place = UserPtr::new(&raw const mask as usize);
            assert_eq!(sched_setaffinity(0, 8, place), verdict, "mask {mask}");
        }
    }

    #[test]
    fn futex_refuses_what_linux_refuses() {
        let mut word = 1_u32;
        let place = UserPtr::new(&raw mut word as usize);
        let none = UserPtr::new(0);
        assert_eq!(futex(place, 0, 2, 0, none, 0), Err(Errno::EAGAIN));
        assert_eq!(futex(place, 1 | 256, 1, 0, none, 0), Err(Errno::ENOSYS));
        assert_eq!(futex(place, 77, 1, 0, none, 0), Err(Errno::ENOSYS));
        let bad = Timespec {
            sec: 0,
            nsec: 1_000_000_000,
        };
        assert_eq!(
            futex(place, 0, 1, &raw const bad as u64, none, 0),
            Err(Errno::EINVAL)
        );
    }
}
