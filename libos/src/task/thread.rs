//! What a thread has for itself.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use crate::arch::frame::TrapFrame;
use crate::futex::FutexWait;
use crate::signal::ThreadSignals;
use crate::sync::SpinLock;
use crate::task::Process;
use crate::task::stack::LibosStack;

/// A thread id; positive.
pub type Tid = i32;

/// Where a thread stands with the scheduler.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// On the CPU.
    Running = 0,
    /// In the run queue.
    Runnable = 1,
    /// On the CPU, checking its condition before it sleeps.
    AboutToSleep = 2,
    /// Waiting to be woken.
    Asleep = 3,
    /// Exited.
    Dead = 4,
}

/// A thread.
pub struct Thread {
    tid: Tid,
    process: Arc<Process>,
    stack: LibosStack,
    run_state: AtomicU8,
    cpu_cycles: AtomicU64,
    cpu_since: AtomicU64,
    /// Its CPU time when it was last asked for.
    pub cpu_account: SpinLock<crate::time::cycles::Account>,
    /// Mask, pending signals, alternate stack.
    pub signals: ThreadSignals,
    /// The name that prctl(PR_SET_NAME) set, NUL-padded.
    pub name: SpinLock<[u8; 16]>,
    /// Where to write 0 and wake a futex on exit (set_tid_address(2)); 0 for nowhere.
    pub clear_child_tid: AtomicUsize,
    /// Head of the list of robust futexes (set_robust_list(2)); 0 for none.
    pub robust_list: AtomicUsize,
    /// The futex that it waits for.
    pub futex: FutexWait,
    #[cfg(not(test))]
    cpu: cpu::CpuCell,
}

impl Thread {
    /// A thread of `process` that has not run yet.
    ///
    /// # Panics
    /// If there is no memory for its libOS stack; [`Self::try_new`] reports that instead.
    pub fn new(tid: Tid, process: Arc<Process>) -> Arc<Self> {
        Self::try_new(tid, process).expect("memory for the first thread's stack")
    }

    /// A thread of `process` that has not run yet; `None` if there is no memory for its stack.
    pub fn try_new(tid: Tid, process: Arc<Process>) -> Option<Arc<Self>> {
        let stack = LibosStack::new().ok()?;
        Some(Arc::new(Self {
            tid,
            process,
            stack,
            run_state: AtomicU8::new(RunState::Running as u8),
            cpu_cycles: AtomicU64::new(0),
            cpu_since: AtomicU64::new(0),
            cpu_account: SpinLock::default(),
            signals: ThreadSignals::default(),
            name: SpinLock::default(),
            clear_child_tid: AtomicUsize::new(0),
            robust_list: AtomicUsize::new(0),
            futex: FutexWait::default(),
            #[cfg(not(test))]
            cpu: cpu::CpuCell::new(),
        }))
    }

    /// Thread id.
    pub fn tid(&self) -> Tid {
        self.tid
    }

    /// The process it belongs to.
    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Its stack inside the libOS.
    pub fn stack(&self) -> &LibosStack {
        &self.stack
    }

    /// Its registers while it is inside the libOS.
    pub fn frame(&self) -> *mut TrapFrame {
        self.stack.frame()
    }

    /// The application's stack pointer while the thread is inside the libOS.
    pub fn stack_pointer(&self) -> u64 {
        // SAFETY: the frame lies in the thread's own stack, which lives as long as the thread; the
        // gate or the thread's creator filled it.
        unsafe { (&raw const (*self.frame()).rsp).read() }
    }

    /// Where it stands with the scheduler.
    #[inline]
    pub fn run_state(&self) -> RunState {
        match self.run_state.load(Ordering::Relaxed) {
            0 => RunState::Running,
            1 => RunState::Runnable,
            2 => RunState::AboutToSleep,
            3 => RunState::Asleep,
            _ => RunState::Dead,
        }
    }

    /// Changes where it stands; the scheduler's business.
    #[inline]
    pub fn set_run_state(&self, state: RunState) {
        self.run_state.store(state as u8, Ordering::Relaxed);
    }

    /// It runs from cycle `now` on.
    pub fn begin_cpu(&self, now: u64) {
        self.cpu_since.store(now, Ordering::Relaxed);
    }

    /// It ran until cycle `now`.
    pub fn account_cpu(&self, now: u64) {
        let ran = now.saturating_sub(self.cpu_since.load(Ordering::Relaxed));
        self.cpu_cycles.store(
            self.cpu_cycles.load(Ordering::Relaxed) + ran,
            Ordering::Relaxed,
        );
        self.cpu_since.store(now, Ordering::Relaxed);
        crate::time::cycles::count(ran);
    }

    /// Cycles of the time-stamp counter that it ran, up to the last switch or `account_cpu`.
    pub fn cpu_cycles(&self) -> u64 {
        self.cpu_cycles.load(Ordering::Relaxed)
    }
}

#[cfg(not(test))]
mod cpu {
    use super::Thread;
    use crate::arch::xstate::{SwitchedState, XsaveArea};
    use core::cell::UnsafeCell;

    /// What a thread has on the CPU beyond its frame.
    pub struct CpuState {
        /// Vector state beyond the frame, while another thread runs.
        pub extended: SwitchedState,
        /// FS base, while another thread runs.
        pub fs_base: u64,
        /// Stack pointer inside the libOS, while another thread runs.
        pub saved_stack: u64,
        interrupted: Option<XsaveArea>,
    }

    impl CpuState {
        /// The area that holds the complete extended state of an interrupted thread; `None` if the
        /// heap is exhausted.
        pub fn interrupted_area(&mut self) -> Option<&XsaveArea> {
            if self.interrupted.is_none() {
                self.interrupted = XsaveArea::new();
            }
            self.interrupted.as_ref()
        }
    }

    pub struct CpuCell(UnsafeCell<CpuState>);

    // SAFETY: reached through `Thread::cpu_state` only, whose duty excludes concurrent use.
    unsafe impl Sync for CpuCell {}

    impl CpuCell {
        pub const fn new() -> Self {
            Self(UnsafeCell::new(CpuState {
                extended: SwitchedState::new(),
                fs_base: 0,
                saved_stack: 0,
                interrupted: None,
            }))
        }
    }

    impl Thread {
        /// Its CPU state.
        ///
        /// # Safety
        /// The caller is the vCPU's host thread, and no other borrow of it is alive.
        #[expect(
            clippy::mut_from_ref,
            reason = "the duty above is what a lock would promise"
        )]
        pub unsafe fn cpu_state(&self) -> &mut CpuState {
            // SAFETY: the caller's duty.
            unsafe { &mut *self.cpu.0.get() }
        }
    }
}
