//! Signals (sigaction(2), …).

use alloc::sync::Arc;

use crate::errno::{Errno, Result, SysResult};
use crate::signal::action::Action;
use crate::signal::altstack::StackT;
use crate::signal::info::{SI_TKILL, SI_USER};
use crate::signal::{self, SigInfo, SignalSet, is_signal, wait};
use crate::task::{self, Thread, Tid};
use crate::time::Instant;
use crate::user::{Timespec, UserPtr};

/// Size of the kernel's `sigset_t`, which calls insist on.
const SET_SIZE: usize = 8;

fn check_set_size(size: usize) -> Result<()> {
    if size == SET_SIZE {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// See rt_sigaction(2).
pub fn rt_sigaction(
    signo: i32,
    new: UserPtr<Action>,
    old: UserPtr<Action>,
    set_size: usize,
) -> SysResult {
    check_set_size(set_size)?;
    let new = new.non_null().map(UserPtr::read).transpose()?;
    let untouchable = SignalSet::UNSTOPPABLE.contains(signo);
    if !is_signal(signo) || (new.is_some() && untouchable) {
        return Err(Errno::EINVAL);
    }
    let process = task::current_process();
    let before = match new.map(Action::accepted) {
        Some(action) => {
            let before = process.signals.set_action(signo, action);
            if action.ignores(signo) {
                forget(&process, signo);
            }
            before
        }
        None => process.signals.action(signo),
    };
    if let Some(old) = old.non_null() {
        old.write(before)?;
    }
    Ok(0)
}

/// A signal that became ignored is not pending any more.
fn forget(process: &task::Process, signo: i32) {
    let set = SignalSet::of(&[signo]);
    process.signals.inbox.flush(set);
    for thread in process.threads.lock().values() {
        thread.signals.inbox.flush(set);
    }
}

/// See rt_sigprocmask(2).
pub fn rt_sigprocmask(
    how: i32,
    new: UserPtr<u64>,
    old: UserPtr<u64>,
    set_size: usize,
) -> SysResult {
    const BLOCK: i32 = 0;
    const UNBLOCK: i32 = 1;
    const SETMASK: i32 = 2;
    check_set_size(set_size)?;
    let before = task::with_current(|thread| thread.signals.blocked());
    if let Some(new) = new.non_null() {
        let set = SignalSet::from_bits(new.read()?);
        let after = match how {
            BLOCK => before.union(set),
            UNBLOCK => before.minus(set),
            SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        task::with_current(|thread| thread.signals.set_blocked(after));
    }
    if let Some(old) = old.non_null() {
        old.write(before.bits())?;
    }
    Ok(0)
}

/// See rt_sigpending(2).
pub fn rt_sigpending(set: UserPtr<u8>, set_size: usize) -> SysResult {
    if set_size > SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let blocked = task::with_current(|thread| thread.signals.blocked());
    let pending = signal::peek_pending(blocked).bits().to_ne_bytes();
    set.write_slice(&pending[..set_size])?;
    Ok(0)
}

/// See rt_sigtimedwait(2).
pub fn rt_sigtimedwait(
    set: UserPtr<u64>,
    info: UserPtr<SigInfo>,
    timeout: UserPtr<Timespec>,
    set_size: usize,
) -> SysResult {
    check_set_size(set_size)?;
    let set = SignalSet::from_bits(set.read()?);
    let deadline = match timeout.non_null() {
        Some(timeout) => Some(Instant::now().after(timeout.read()?.to_duration()?)),
        None => None,
    };
    let taken = wait::timed_wait(set, deadline)?;
    if let Some(info) = info.non_null() {
        info.write(taken)?;
    }
    usize::try_from(taken.signo).map_err(|_| Errno::EINVAL)
}

/// See rt_sigqueueinfo(2).
pub fn rt_sigqueueinfo(pid: i32, signo: i32, info: UserPtr<SigInfo>) -> SysResult {
    let info = SigInfo {
        signo,
        ..info.read()?
    };
    if is_forged(&info) && pid != task::current_process().pid() {
        return Err(Errno::EPERM);
    }
    find(pid)?;
    post(info, |info| {
        signal::to_process(&task::current_process(), info)
    })
}

/// See rt_tgsigqueueinfo(2).
pub fn rt_tgsigqueueinfo(pid: i32, tid: i32, signo: i32, info: UserPtr<SigInfo>) -> SysResult {
    if pid <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    let info = SigInfo {
        signo,
        ..info.read()?
    };
    if is_forged(&info) && pid != task::current_process().pid() {
        return Err(Errno::EPERM);
    }
    let thread = find_in(pid, tid)?;
    post(info, |info| signal::to_thread(&thread, info))
}

/// Whether `info` claims to come from the kernel, kill(2) or tkill(2).
fn is_forged(info: &SigInfo) -> bool {
    info.code >= 0 || info.code == SI_TKILL
}

/// See rt_sigsuspend(2).
pub fn rt_sigsuspend(mask: UserPtr<u64>, set_size: usize) -> SysResult {
    check_set_size(set_size)?;
    match wait::suspend(SignalSet::from_bits(mask.read()?))? {}
}

/// See pause(2).
pub fn pause() -> SysResult {
    match wait::pause()? {}
}

/// See rt_sigreturn(2). The dispatcher does its work ([`signal::sigreturn`]), since it replaces the
/// caller's registers; the error only brings it there.
pub fn rt_sigreturn() -> SysResult {
    Err(Errno::EINTR)
}

/// See sigaltstack(2).
pub fn sigaltstack(new: UserPtr<StackT>, old: UserPtr<StackT>) -> SysResult {
    let new = new.non_null().map(UserPtr::read).transpose()?;
    let sp = task::current_arc().stack_pointer();
    let before = task::with_current(|thread| {
        thread.signals.own(|own| {
            let before = own.altstack.describe(sp);
            if let Some(new) = new {
                own.altstack = own.altstack.replaced(&new, sp)?;
            }
            Ok(before)
        })
    })?;
    if let Some(old) = old.non_null() {
        old.write(before)?;
    }
    Ok(0)
}

/// The thread that `tid` names.
fn find(tid: Tid) -> Result<Arc<Thread>> {
    let process = task::current_process();
    if tid == process.pid() {
        // Its first thread may have exited; any other stands for the process then.
        let threads = process.threads.lock();
        return threads.values().next().map(Arc::clone).ok_or(Errno::ESRCH);
    }
    process.thread(tid).ok_or(Errno::ESRCH)
}

fn find_in(pid: Tid, tid: Tid) -> Result<Arc<Thread>> {
    let process = task::current_process();
    if pid != process.pid() {
        return Err(Errno::ESRCH);
    }
    process.thread(tid).ok_or(Errno::ESRCH)
}

/// Sends, unless the number is 0, which only asks whether one could.
fn post(info: SigInfo, send: impl FnOnce(SigInfo) -> Result<()>) -> SysResult {
    if info.signo == 0 {
        return Ok(0);
    }
    if !is_signal(info.signo) {
        return Err(Errno::EINVAL);
    }
    send(info).map(|()| 0)
}

fn from_this_process(signo: i32, code: i32) -> SigInfo {
    let process = task::current_process();
    let uid = process.identity.with(|credentials| credentials.user.real);
    SigInfo::from_process(signo, code, process.pid(), uid)
}

/// See kill(2).
pub fn kill(pid: i32, signo: i32) -> SysResult {
    let process = task::current_process();
    match pid {
        0 => {}
        // Everyone but oneself, and there is nobody else.
        -1 => return Err(Errno::ESRCH),
        group if group < 0 => {
            if group.checked_neg() != Some(process.pid()) {
                return Err(Errno::ESRCH);
            }
        }
        _ => {
            find(pid)?;
        }
    }
    post(from_this_process(signo, SI_USER), |info| {
        signal::to_process(&process, info)
    })
}

/// See tkill(2).
pub fn tkill(tid: i32, signo: i32) -> SysResult {
    if tid <= 0 {
        return Err(Errno::EINVAL);
    }
    let thread = task::current_process().thread(tid).ok_or(Errno::ESRCH)?;
    post(from_this_process(signo, SI_TKILL), |info| {
        signal::to_thread(&thread, info)
    })
}

/// See tgkill(2).
pub fn tgkill(pid: i32, tid: i32, signo: i32) -> SysResult {
    if pid <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    let thread = find_in(pid, tid)?;
    post(from_this_process(signo, SI_TKILL), |info| {
        signal::to_thread(&thread, info)
    })
}

/// See restart_syscall(2).
pub fn restart_syscall() -> SysResult {
    signal::resume()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ptr<T>(place: &mut T) -> UserPtr<T> {
        UserPtr::new(core::ptr::from_mut(place) as usize)
    }

    fn null<T>() -> UserPtr<T> {
        UserPtr::new(0)
    }

    #[test]
    fn sigaction_checks_what_it_is_asked() {
        let mut action = Action {
            handler: 1,
            ..Action::default()
        };
        let new = ptr(&mut action);
        let cases = [
            (0, 8, Err(Errno::EINVAL)),
            (65, 8, Err(Errno::EINVAL)),
            (9, 8, Err(Errno::EINVAL)),
            (19, 8, Err(Errno::EINVAL)),
            (10, 16, Err(Errno::EINVAL)),
            (10, 8, Ok(0)),
        ];
        for (signo, size, expected) in cases {
            assert_eq!(
                rt_sigaction(signo, new, null(), size),
                expected,
                "{signo} {size}"
            );
        }
        let mut old = Action::default();
        assert_eq!(rt_sigaction(9, null(), ptr(&mut old), 8), Ok(0));
        assert_eq!(rt_sigaction(10, null(), ptr(&mut old), 8), Ok(0));
        assert_eq!(old.handler, 1);
    }

    #[test]
    fn the_mask_changes_as_asked_and_never_blocks_kill() {
        let mut set = u64::MAX;
        let mut old = 0;
        assert_eq!(rt_sigprocmask(2, ptr(&mut set), null(), 8), Ok(0));
        assert_eq!(rt_sigprocmask(0, null(), ptr(&mut old), 8), Ok(0));
        assert_eq!(old, !SignalSet::UNSTOPPABLE.bits());
        set = 1 << 9;
        assert_eq!(rt_sigprocmask(1, ptr(&mut set), null(), 8), Ok(0));
        assert_eq!(rt_sigprocmask(9, null(), ptr(&mut old), 8), Ok(0));
        assert_eq!(old & (1 << 9), 0);
        let odd = rt_sigprocmask(9, ptr(&mut set), null(), 8);
        assert_eq!(odd, Err(Errno::EINVAL));
        set = 0;
        assert_eq!(rt_sigprocmask(2, ptr(&mut set), null(), 8), Ok(0));
    }

    #[test]
    fn kill_finds_only_this_process() {
        let pid = task::current_process().pid();
        let cases = [
            (pid, 0, Ok(0)),
            (0, 0, Ok(0)),
            (pid, 65, Err(Errno::EINVAL)),
            (pid, -1, Err(Errno::EINVAL)),
            (-1, 0, Err(Errno::ESRCH)),
            (4242, 65, Err(Errno::ESRCH)),
            (-4242, 0, Err(Errno::ESRCH)),
            (i32::MIN, 0, Err(Errno::ESRCH)),
        ];
        for (to, signo, expected) in cases {
            assert_eq!(kill(to, signo), expected, "kill({to}, {signo})");
        }
        let tid = task::current_arc().tid();
        assert_eq!(tgkill(pid, tid, 0), Ok(0));
        assert_eq!(tgkill(pid + 1, tid, 0), Err(Errno::ESRCH));
        assert_eq!(tgkill(-1, tid, 0), Err(Errno::EINVAL));
        assert_eq!(tkill(0, 0), Err(Errno::EINVAL));
        assert_eq!(tkill(4242, 0), Err(Errno::ESRCH));
    }

    #[test]
    fn a_blocked_signal_is_seen_pending() {
        let mut set = 1 << 9;
        assert_eq!(rt_sigprocmask(0, ptr(&mut set), null(), 8), Ok(0));
        assert_eq!(kill(0, 10), Ok(0));
        let mut pending = [0_u8; 8];
        let place = UserPtr::new(pending.as_mut_ptr() as usize);
        assert_eq!(rt_sigpending(place, 8), Ok(0));
        assert_eq!(u64::from_ne_bytes(pending), 1 << 9);
        let mut info = SigInfo::new(0, 0);
        let taken = rt_sigtimedwait(ptr(&mut set), ptr(&mut info), null(), 8);
        assert_eq!((taken, info.signo, info.code), (Ok(10), 10, SI_USER));
        let mut zero = Timespec::default();
        let again = rt_sigtimedwait(ptr(&mut set), null(), ptr(&mut zero), 8);
        assert_eq!(again, Err(Errno::EAGAIN));
    }

    #[test]
    fn an_alternate_stack_is_kept() {
        let mut stack = StackT::new(0x1000, 0, 1024);
        assert_eq!(sigaltstack(ptr(&mut stack), null()), Err(Errno::ENOMEM));
        stack.size = 8192;
        assert_eq!(sigaltstack(ptr(&mut stack), null()), Ok(0));
        let mut old = StackT::default();
        assert_eq!(sigaltstack(null(), ptr(&mut old)), Ok(0));
        assert_eq!(old, stack);
    }
}
