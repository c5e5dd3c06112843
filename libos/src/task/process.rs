//! What the threads of a program share.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, Ordering};

use crate::fs::fdtable::FdTable;
use crate::fs::vfs::FsContext;
use crate::signal::ProcessSignals;
use crate::sync::SpinLock;
use crate::task::identity::Identity;
use crate::task::limits::Limits;
use crate::task::oddments::Oddments;
use crate::task::{Thread, Tid};
use crate::time::itimer::IntervalTimers;
use crate::time::posix_timer::PosixTimers;
use crate::word_map::WordMap;

/// A process.
pub struct Process {
    pid: Tid,
    next_tid: AtomicI32,
    /// Nice value (getpriority(2)).
    pub nice: AtomicI32,
    /// Living threads by id.
    pub threads: SpinLock<WordMap<Tid, Arc<Thread>>>,
    /// Descriptors.
    pub files: FdTable,
    /// Root, working directory, umask.
    pub fs: FsContext,
    /// Signal actions and process-wide pending signals.
    pub signals: ProcessSignals,
    /// User, groups, capabilities.
    pub identity: Identity,
    /// Resource limits.
    pub limits: Limits,
    /// Timers of setitimer(2).
    pub interval_timers: IntervalTimers,
    /// Timers of timer_create(2).
    pub posix_timers: PosixTimers,
    /// What prctl(2) keeps.
    pub oddments: Oddments,
}

impl Process {
    /// A process without threads or descriptors.
    pub fn new(pid: Tid) -> Arc<Self> {
        Arc::new(Self {
            pid,
            next_tid: AtomicI32::new(pid),
            nice: AtomicI32::new(0),
            threads: SpinLock::default(),
            files: FdTable::default(),
            fs: FsContext::default(),
            signals: ProcessSignals::default(),
            identity: Identity::default(),
            limits: Limits::default(),
            interval_timers: IntervalTimers::default(),
            posix_timers: PosixTimers::default(),
            oddments: Oddments::default(),
        })
    }

    /// Process id; also the id of its first thread.
    pub fn pid(&self) -> Tid {
        self.pid
    }

    /// An id for a new thread. Ids are not reused before they wrap at Linux's largest, 2^22.
    pub fn allocate_tid(&self) -> Tid {
        const LARGEST: Tid = 1 << 22;
        loop {
            let last = self.next_tid.load(Ordering::Relaxed);
            let tid = if last >= LARGEST {
                self.pid + 1
            } else {
                last + 1
            };
            self.next_tid.store(tid, Ordering::Relaxed);
            if !self.threads.lock().contains_key(&tid) {
                return tid;
            }
        }
    }

    /// The living thread `tid`.
    pub fn thread(&self, tid: Tid) -> Option<Arc<Thread>> {
        self.threads.lock().get(&tid).map(Arc::clone)
    }
}
