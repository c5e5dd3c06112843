//! The run queue: first come, first served. Policy only; it never switches.
//!
//! With equal slices a queue of busy threads would repeat the same order for ever, and a program in
//! which each thread consumes all that its predecessor produced would starve the rest of them. So a
//! tick now and then lets a thread overtake its neighbour ([`RunQueue::stir`]).

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use crate::sync::SpinLock;
use crate::task::Thread;

/// Threads that can run, in order.
pub struct RunQueue {
    threads: SpinLock<VecDeque<Arc<Thread>>>,
}

impl RunQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self {
            threads: SpinLock::new(VecDeque::new()),
        }
    }

    /// Puts `thread` at the end.
    #[inline(always)]
    pub fn push(&self, thread: Arc<Thread>) {
        self.threads.lock().push_back(thread);
    }

    /// Takes the thread that has waited longest.
    #[inline(always)]
    pub fn pop(&self) -> Option<Arc<Thread>> {
        self.threads.lock().pop_front()
    }

    /// Lets the second thread overtake the first, one time in four; `draw` is a random number.
    pub fn stir(&self, draw: u32) {
        let mut threads = self.threads.lock();
        if draw.is_multiple_of(4) && threads.len() > 1 {
            threads.swap(0, 1);
        }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.threads.lock().is_empty()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.threads.lock().len()
    }
}

impl Default for RunQueue {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Process;

    #[test]
    fn threads_run_in_the_order_in_which_they_came() {
        let process = Process::new(1);
        let queue = RunQueue::new();
        for tid in [5, 3, 9] {
            queue.push(Thread::new(tid, Arc::clone(&process)));
        }
        assert_eq!(queue.len(), 3);
        let order: Vec<_> = core::iter::from_fn(|| queue.pop())
            .map(|thread| thread.tid())
            .collect();
        assert_eq!(order, [5, 3, 9]);
        assert!(queue.is_empty());
    }

    #[test]
    fn stirring_changes_the_order_of_neighbours_and_loses_nobody() {
        let process = Process::new(1);
        let queue = RunQueue::new();
        queue.stir(0);
        for tid in [5, 3, 9] {
            queue.push(Thread::new(tid, Arc::clone(&process)));
        }
        queue.stir(1);
        queue.stir(4);
        let order: Vec<_> = core::iter::from_fn(|| queue.pop())
            .map(|thread| thread.tid())
            .collect();
        assert_eq!(order, [3, 5, 9]);
    }
}
