//! What a thread has for itself.

use alloc::sync::Arc;

use crate::signal::ThreadSignals;
use crate::sync::SpinLock;
use crate::task::Process;

/// A thread id; positive.
pub type Tid = i32;

/// A thread.
pub struct Thread {
    tid: Tid,
    process: Arc<Process>,
    /// Mask, pending signals, alternate stack.
    pub signals: ThreadSignals,
    /// The name that prctl(PR_SET_NAME) set, NUL-padded.
    pub name: SpinLock<[u8; 16]>,
}

impl Thread {
    /// A thread of `process` that has not run yet.
    pub fn new(tid: Tid, process: Arc<Process>) -> Arc<Self> {
        Arc::new(Self {
            tid,
            process,
            signals: ThreadSignals::default(),
            name: SpinLock::default(),
        })
    }

    /// Thread id.
    pub fn tid(&self) -> Tid {
        self.tid
    }

    /// The process it belongs to.
    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }
}
