//! Host signals: all of them go to one handler in the libOS, on one alternate stack.
//!
//! The handlers never return through the kernel: rt_sigreturn is not among the seven calls, so the
//! libOS restores the interrupted state itself. This is why they are installed with the raw call:
//! SA_NODEFER leaves the mask alone, and the restorer is an instruction that traps.
//!
//! Order: [`block_all`] first, then [`install`] and [`start_tick`]; the trampoline of [`crate::launch`]
//! unblocks them as its last step before the filter. A signal that arrives between that and the libOS's own
//! initialisation finds the handler, which knows that it is too early.

use crate::error::{Error, Step};
use libos_abi::boot::Span;
use std::arch::naked_asm;
use std::io;
use std::mem::size_of;

/// Signals that the libOS handles: faults, stray calls, what users and supervisors send, the tick.
///
/// Those that stop a process (SIGTSTP, SIGTTIN, SIGTTOU) keep their default action: job control is
/// between the shell and the whole process.
const HANDLED: [i32; 16] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGUSR1,
    libc::SIGSEGV,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGTERM,
    libc::SIGCONT,
    libc::SIGVTALRM,
    libc::SIGWINCH,
    libc::SIGSYS,
];

/// The tick's signal.
const TICK: i32 = libc::SIGVTALRM;

/// Size of the kernel's signal set, in bytes.
const MASK_SIZE: usize = size_of::<u64>();

/// The kernel's `struct sigaction` (x86-64), which glibc's wrapper hides.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct KernelAction {
    handler: u64,
    flags: u64,
    restorer: u64,
    mask: u64,
}

/// Blocks every signal that can be blocked. [`crate::launch`] unblocks them.
///
/// # Errors
/// [`Error::System`].
pub fn block_all() -> Result<(), Error> {
    let mask = u64::MAX;
    // SAFETY: the call reads the eight bytes of `mask` and writes nothing back.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            0,
            MASK_SIZE,
        )
    };
    check(result, "rt_sigprocmask(2)")
}

/// Installs `handler` for everything in [`HANDLED`], on `stack`.
///
/// Answers with the set of signals (bit `n - 1` for signal `n`) that the caller had set to be
/// ignored, so that `nohup` keeps its meaning.
///
/// # Errors
/// [`Error::System`].
pub fn install(handler: u64, stack: Span) -> Result<u64, Error> {
    set_stack(stack)?;
    let flags = libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_ONSTACK;
    let action = KernelAction {
        handler,
        flags: u64::from(flags.cast_unsigned()) | SA_RESTORER,
        restorer: never_returns as *const () as u64,
        mask: 0,
    };
    let mut ignored = 0;
    for signal in HANDLED {
        let old = set_action(signal, &action)?;
        if old.handler == libc::SIG_IGN as u64 {
            ignored |= 1 << (signal - 1);
        }
    }
    let ignore = KernelAction {
        handler: libc::SIG_IGN as u64,
        ..KernelAction::default()
    };
    set_action(libc::SIGPIPE, &ignore)?;
    Ok(ignored)
}

/// `SA_RESTORER` of the kernel (x86); libc does not name it.
const SA_RESTORER: u64 = 0x0400_0000;

/// Where a handler that returns would go.
#[unsafe(naked)]
extern "C" fn never_returns() -> ! {
    naked_asm!("ud2")
}

fn set_action(signal: i32, action: &KernelAction) -> Result<KernelAction, Error> {
    let mut old = KernelAction::default();
    // SAFETY: both are the kernel's `struct sigaction`. What the handler may do is the libOS's
    // contract; until signals are unblocked it is not entered.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            std::ptr::from_ref(action),
            &raw mut old,
            MASK_SIZE,
        )
    };
    check(result, "rt_sigaction(2)")?;
    Ok(old)
}

fn set_stack(stack: Span) -> Result<(), Error> {
    let alternate = libc::stack_t {
        ss_sp: crate::space::region::pointer(stack.start),
        ss_flags: 0,
        ss_size: usize::try_from(stack.len).unwrap_or(0),
    };
    // SAFETY: the stack was mapped for this purpose and nothing else uses it.
    let result = unsafe { libc::sigaltstack(&raw const alternate, std::ptr::null_mut()) };
    check(result.into(), "sigaltstack(2)")
}

/// Arms the preemption tick: one signal for each `period_us` microseconds of CPU time, so that an
/// idle guest gets none.
///
/// # Errors
/// [`Error::System`].
pub fn start_tick(period_us: u32) -> Result<(), Error> {
    // SAFETY: all-zero is a valid sigevent, a record of integers and a union of them.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_THREAD_ID;
    event.sigev_signo = TICK;
    event.sigev_notify_thread_id = rustix::thread::gettid().as_raw_nonzero().get();
    let mut timer: libc::c_int = 0;
    // SAFETY: the call reads `event` and writes the kernel's timer number, an int, to `timer`.
    let created = unsafe {
        libc::syscall(
            libc::SYS_timer_create,
            libc::CLOCK_THREAD_CPUTIME_ID,
            &raw const event,
            &raw mut timer,
        )
    };
    check(created, "timer_create(2)")?;
    let period = libc::timespec {
        tv_sec: i64::from(period_us / 1_000_000),
        tv_nsec: i64::from(period_us % 1_000_000) * 1000,
    };
    let setting = libc::itimerspec {
        it_interval: period,
        it_value: period,
    };
    // SAFETY: the call reads `setting` and writes nothing back.
    let armed = unsafe { libc::syscall(libc::SYS_timer_settime, timer, 0, &raw const setting, 0) };
    check(armed, "timer_settime(2)")
}

fn check(result: i64, call: &'static str) -> Result<(), Error> {
    if result >= 0 {
        return Ok(());
    }
    Err(Error::System {
        step: Step::Signals,
        call,
        source: io::Error::last_os_error(),
    })
}
