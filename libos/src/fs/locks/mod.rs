//! Advisory locks: flock(2), and the record locks of fcntl(2), owned by a process (F_SETLK) or by an
//! open file description (F_OFD_SETLK).
//!
//! [`range::RangeLocks`] is the pure arithmetic; this file adds waiting. Cycles of waiting processes
//! (EDEADLK) cannot arise while there is one process: its own locks never conflict, and Linux does
//! not look for cycles through open file descriptions.

pub mod range;

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::sync::SpinLock;
use crate::sync::wait::{WaitQueue, Woken};

use range::{Kind, Owner, Range, RangeLock, RangeLocks};

/// Whether to wait for a conflicting lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// EAGAIN.
    Try,
    /// Sleep until it is gone.
    Wait,
}

/// The locks of one inode; empty and free of cost until the first is taken.
#[derive(Default)]
pub struct LockTable {
    locks: SpinLock<Option<Arc<Locks>>>,
}

#[derive(Default)]
struct Locks {
    state: SpinLock<State>,
    changed: WaitQueue,
}

#[derive(Default)]
struct State {
    ranges: RangeLocks,
    /// Whole-file locks by open file description.
    whole: Vec<(usize, Kind)>,
}

impl LockTable {
    fn locks(&self) -> Arc<Locks> {
        Arc::clone(self.locks.lock().get_or_insert_default())
    }

    fn existing(&self) -> Option<Arc<Locks>> {
        self.locks.lock().clone()
    }

    /// Takes (`Some`) or drops (`None`) the flock(2) lock of an open file description.
    ///
    /// # Errors
    /// EAGAIN if another has it; ERESTARTSYS if a signal ends the wait.
    pub fn lock_whole(
        &self,
        description: usize,
        kind: Option<Kind>,
        patience: Patience,
    ) -> Result<()> {
        let locks = self.locks();
        // A conversion drops the old lock first, as flock(2) says: it is not atomic.
        locks.drop_whole(description);
        let Some(kind) = kind else {
            return Ok(());
        };
        locks.obtain(patience, |state| {
            let conflict = state
                .whole
                .iter()
                .any(|(_, held)| kind == Kind::Write || *held == Kind::Write);
            if !conflict {
                state.whole.push((description, kind));
            }
            !conflict
        })
    }

    /// Takes (`Some`) or drops (`None`) `owner`'s lock on `range`.
    ///
    /// # Errors
    /// EAGAIN if another has it; ERESTARTSYS if a signal ends the wait.
    pub fn lock_range(
        &self,
        owner: Owner,
        kind: Option<Kind>,
        range: Range,
        patience: Patience,
    ) -> Result<()> {
        let locks = self.locks();
        let Some(kind) = kind else {
            locks.state.lock().ranges.set(owner, None, range);
            locks.changed.wake_all();
            return Ok(());
        };
        locks.obtain(patience, |state| {
            let free = state.ranges.conflict(owner, kind, range).is_none();
            if free {
                state.ranges.set(owner, Some(kind), range);
            }
            free
        })?;
        // A write lock that became a read lock may let others in.
        locks.changed.wake_all();
        Ok(())
    }

    /// The first lock that keeps `owner` from taking `kind` on `range` (F_GETLK).
    pub fn conflict(&self, owner: Owner, kind: Kind, range: Range) -> Option<RangeLock> {
        let locks = self.existing()?;
        let state = locks.state.lock();
        state.ranges.conflict(owner, kind, range)
    }

    /// The process closed a descriptor of this inode: all its record locks go (POSIX).
    pub fn release_process(&self, pid: i32) {
        self.release(|state| state.ranges.release(Owner::Process(pid)));
    }

    /// The open file description is gone, and its locks with it.
    pub fn release_description(&self, description: usize) {
        self.release(|state| {
            state.ranges.release(Owner::Description(description));
            state.whole.retain(|(holder, _)| *holder != description);
        });
    }

    fn release(&self, act: impl FnOnce(&mut State)) {
        if let Some(locks) = self.existing() {
            act(&mut locks.state.lock());
            locks.changed.wake_all();
        }
    }
}

impl Locks {
    fn drop_whole(&self, description: usize) {
        self.state
            .lock()
            .whole
            .retain(|(holder, _)| *holder != description);
        self.changed.wake_all();
    }

    fn obtain(&self, patience: Patience, mut take: impl FnMut(&mut State) -> bool) -> Result<()> {
        if take(&mut self.state.lock()) {
            return Ok(());
        }
        if patience == Patience::Try {
            return Err(Errno::EAGAIN);
        }
        self.changed
            .wait_until(None, || take(&mut self.state.lock()).then_some(()))
            .map_err(|woken| match woken {
                Woken::TimedOut => Errno::EAGAIN,
                Woken::Interrupted => Errno::ERESTARTSYS,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_file_locks_belong_to_descriptions() {
        let table = LockTable::default();
        let (a, b) = (1, 2);
        let lock = |who, kind| table.lock_whole(who, kind, Patience::Try);
        assert_eq!(lock(a, Some(Kind::Read)), Ok(()));
        assert_eq!(lock(b, Some(Kind::Read)), Ok(()));
        assert_eq!(lock(a, Some(Kind::Write)), Err(Errno::EAGAIN));
        // The failed conversion has dropped the old lock.
        assert_eq!(lock(b, Some(Kind::Write)), Ok(()));
        assert_eq!(lock(a, Some(Kind::Read)), Err(Errno::EAGAIN));
        table.release_description(b);
        assert_eq!(lock(a, Some(Kind::Write)), Ok(()));
    }

    #[test]
    fn closing_drops_the_process_locks_but_not_those_of_descriptions() {
        let table = LockTable::default();
        let range = Range::new(0, 9);
        let process = Owner::Process(1);
        let description = Owner::Description(5);
        let lock = |owner, kind| table.lock_range(owner, Some(kind), range, Patience::Try);
        assert_eq!(lock(process, Kind::Read), Ok(()));
        assert_eq!(lock(description, Kind::Read), Ok(()));
        assert_eq!(lock(process, Kind::Write), Err(Errno::EAGAIN));
        table.release_process(1);
        assert_eq!(lock(description, Kind::Write), Ok(()));
        assert!(table.conflict(process, Kind::Read, range).is_some());
        table.release_description(5);
        assert!(table.conflict(process, Kind::Write, range).is_none());
    }
}
