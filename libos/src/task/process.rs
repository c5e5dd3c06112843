//! What the threads of a program share.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use crate::fs::fdtable::FdTable;
use crate::signal::ProcessSignals;
use crate::sync::SpinLock;
use crate::task::{Thread, Tid};

/// A process.
pub struct Process {
    pid: Tid,
    /// Living threads by id.
    pub threads: SpinLock<BTreeMap<Tid, Arc<Thread>>>,
    /// Descriptors.
    pub files: FdTable,
    /// Signal actions and process-wide pending signals.
    pub signals: ProcessSignals,
}

impl Process {
    /// A process without threads or descriptors.
    pub fn new(pid: Tid) -> Arc<Self> {
        Arc::new(Self {
            pid,
            threads: SpinLock::default(),
            files: FdTable::default(),
            signals: ProcessSignals::default(),
        })
    }

    /// Process id.
    pub fn pid(&self) -> Tid {
        self.pid
    }
}
