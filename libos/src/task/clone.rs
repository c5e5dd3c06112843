//! New threads (clone(2), clone3(2)).
//!
//! Decides whether a request is one for a thread, makes it, and starts it as a copy of its creator's
//! registers. A request for a process is refused: this version has one.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use crate::errno::{Errno, Result};
use crate::task::{self, Thread, Tid};
use crate::user::{Plain, UserPtr};

bitflags::bitflags! {
    /// `CLONE_*` of clone(2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct CloneFlags: u64 {
        /// Share the address space.
        const VM = 0x100;
        /// Share root, cwd and umask.
        const FS = 0x200;
        /// Share descriptors.
        const FILES = 0x400;
        /// Share signal actions.
        const SIGHAND = 0x800;
        /// The parent waits until the child lets go of its memory.
        const VFORK = 0x4000;
        /// A thread of the same process.
        const THREAD = 0x1_0000;
        /// A mount namespace of its own.
        const NEWNS = 0x2_0000;
        /// Share System V semaphore undo values.
        const SYSVSEM = 0x4_0000;
        /// Set the TLS base.
        const SETTLS = 0x8_0000;
        /// Store the id in the parent's memory.
        const PARENT_SETTID = 0x10_0000;
        /// Clear the id in the child's memory at its exit, and wake a futex there.
        const CHILD_CLEARTID = 0x20_0000;
        /// Store the id in the child's memory.
        const CHILD_SETTID = 0x100_0000;
        /// A user namespace of its own.
        const NEWUSER = 0x1000_0000;
        /// Bits without a name here.
        const _ = !0;
    }
}

/// What makes a clone a thread of the same process.
const THREAD_NEEDS: CloneFlags = CloneFlags::VM
    .union(CloneFlags::SIGHAND)
    .union(CloneFlags::THREAD);
/// What a thread shares here in any case; a thread that asks not to is refused.
const SHARED: CloneFlags = CloneFlags::FS.union(CloneFlags::FILES);

/// A request for a new thread.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Flags; the exit signal was taken off.
    pub flags: CloneFlags,
    /// Initial stack pointer; 0 for the creator's own.
    pub stack: u64,
    /// TLS base, with SETTLS.
    pub tls: u64,
    /// Where the creator wants the id.
    pub parent_tid: UserPtr<i32>,
    /// Where the new thread wants its id, and where it is cleared.
    pub child_tid: UserPtr<i32>,
}

/// `struct clone_args` of clone3(2), first version.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CloneArgs {
    /// `CLONE_*`.
    pub flags: u64,
    /// Where to store a pidfd.
    pub pidfd: u64,
    /// As `Request::child_tid`.
    pub child_tid: u64,
    /// As `Request::parent_tid`.
    pub parent_tid: u64,
    /// Signal to the parent at exit.
    pub exit_signal: u64,
    /// Lowest byte of the stack.
    pub stack: u64,
    /// Size of the stack.
    pub stack_size: u64,
    /// As `Request::tls`.
    pub tls: u64,
}

// SAFETY: eight integers: all patterns are valid, nothing is owned.
unsafe impl Plain for CloneArgs {}

/// Checks that `flags` ask for a thread.
///
/// # Errors
/// EINVAL for combinations that Linux refuses; ENOSYS for a new process.
pub fn check_flags(flags: CloneFlags) -> Result<()> {
    if flags.contains(CloneFlags::THREAD) && !flags.contains(CloneFlags::SIGHAND)
        || flags.contains(CloneFlags::SIGHAND) && !flags.contains(CloneFlags::VM)
        || flags.contains(CloneFlags::FS)
            && flags.intersects(CloneFlags::NEWNS | CloneFlags::NEWUSER)
    {
        return Err(Errno::EINVAL);
    }
    if !flags.contains(THREAD_NEEDS) {
        return Err(Errno::ENOSYS.because("new processes are not supported: one process per image"));
    }
    if !flags.contains(SHARED) {
        return Err(Errno::EINVAL.because("threads share descriptors and working directory"));
    }
    Ok(())
}

/// Makes and starts a thread; returns its id.
///
/// # Errors
/// As [`check_flags`]; EAGAIN without memory or beyond the limit; EFAULT for the id's places.
pub fn spawn(request: &Request) -> Result<Tid> {
    check_flags(request.flags)?;
    if request.flags.contains(CloneFlags::SETTLS) && request.tls >> 47 != 0 {
        return Err(Errno::EPERM);
    }
    let creator = task::current_arc();
    let process = creator.process();
    let tid = process.allocate_tid();
    let thread = Thread::try_new(tid, Arc::clone(process))
        .ok_or_else(|| Errno::EAGAIN.because("no memory for another thread's libOS stack"))?;
    thread.signals.inherit(&creator.signals);
    *thread.name.lock() = *creator.name.lock();
    if request.flags.contains(CloneFlags::PARENT_SETTID) {
        request.parent_tid.write(tid)?;
    }
    if request.flags.contains(CloneFlags::CHILD_SETTID) {
        request.child_tid.write(tid)?;
    }
    if request.flags.contains(CloneFlags::CHILD_CLEARTID) {
        thread
            .clear_child_tid
            .store(request.child_tid.address(), Ordering::Relaxed);
    }
    prepare_cpu(&creator, &thread, request);
    process.threads.lock().insert(tid, Arc::clone(&thread));
    crate::sched::start(thread);
    Ok(tid)
}

/// The new thread's registers: its creator's, with result 0, its own stack and TLS.
#[cfg(not(test))]
fn prepare_cpu(creator: &Thread, thread: &Thread, request: &Request) {
    use crate::arch::{context, xstate};

    // SAFETY: the creator's frame is complete while it is inside the libOS; the new thread's is not
    // in use yet.
    let frame = unsafe {
        let mut copy = (*creator.frame()).clone();
        copy.rax = 0;
        // The frame's XMM registers go along; x87 and upper halves start in their initial state.
        copy.xsave = 0;
        copy.restore_all = 1;
        if request.stack != 0 {
            copy.rsp = request.stack;
        }
        thread.frame().write(copy);
        thread.frame() as u64
    };
    // SAFETY: thread context on the one vCPU; no other borrow of the new thread's state.
    let state = unsafe { thread.cpu_state() };
    state.extended = xstate::SwitchedState::new();
    state.fs_base = if request.flags.contains(CloneFlags::SETTLS) {
        request.tls
    } else {
        context::fs_base()
    };
    // SAFETY: the stack below the frame is unused.
    state.saved_stack = unsafe { context::prepare(frame) };
}

#[cfg(test)]
fn prepare_cpu(_: &Thread, _: &Thread, _: &Request) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_needs_what_linux_says() {
        let thread = THREAD_NEEDS | SHARED;
        assert_eq!(check_flags(thread), Ok(()));
        assert_eq!(
            check_flags(thread - CloneFlags::SIGHAND),
            Err(Errno::EINVAL)
        );
        assert_eq!(check_flags(thread - CloneFlags::VM), Err(Errno::EINVAL));
        assert_eq!(check_flags(CloneFlags::empty()), Err(Errno::ENOSYS));
        assert_eq!(
            check_flags(CloneFlags::VM | CloneFlags::VFORK),
            Err(Errno::ENOSYS)
        );
        assert_eq!(check_flags(THREAD_NEEDS), Err(Errno::EINVAL));
        assert_eq!(
            check_flags(CloneFlags::FS | CloneFlags::NEWNS),
            Err(Errno::EINVAL)
        );
    }
}
