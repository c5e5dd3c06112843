//! The queue of everything that is due at some moment.
//!
//! One ordered map from (deadline, sequence) to what is to happen. The scheduler runs [`expire`] at
//! ticks and before it idles, and idles no longer than [`next_deadline`] says.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};

use crate::sync::SpinLock;
use crate::task::Thread;
use crate::time::Instant;

/// What a timer does when it is due. Called without locks held; must not block.
pub trait Expire: Send + Sync {
    /// The deadline `due` has passed. A periodic timer arms itself anew.
    fn expire(self: Arc<Self>, due: Instant);
}

/// Names an armed timer, to disarm it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerKey {
    deadline: Instant,
    sequence: u64,
}

enum Action {
    Wake(Arc<Thread>),
    Call(Weak<dyn Expire>),
}

struct Queue {
    due: BTreeMap<TimerKey, Action>,
    sequence: u64,
}

static QUEUE: SpinLock<Queue> = SpinLock::new(Queue {
    due: BTreeMap::new(),
    sequence: 0,
});

fn arm_action(deadline: Instant, action: Action) -> TimerKey {
    let mut queue = QUEUE.lock();
    queue.sequence += 1;
    let key = TimerKey {
        deadline,
        sequence: queue.sequence,
    };
    queue.due.insert(key, action);
    key
}

/// Calls `timer` once at `deadline`, unless it is disarmed or gone by then.
pub fn arm(deadline: Instant, timer: Weak<dyn Expire>) -> TimerKey {
    arm_action(deadline, Action::Call(timer))
}

/// Wakes `thread` at `deadline`.
pub fn arm_wake(deadline: Instant, thread: Arc<Thread>) -> TimerKey {
    arm_action(deadline, Action::Wake(thread))
}

/// Takes an armed timer back; no effect if it has expired.
pub fn disarm(key: TimerKey) {
    QUEUE.lock().due.remove(&key);
}

/// The earliest deadline, if any timer is armed.
pub fn next_deadline() -> Option<Instant> {
    QUEUE
        .lock()
        .due
        .first_key_value()
        .map(|(key, _)| key.deadline)
}

/// Runs everything that is due at `now`.
pub fn expire(now: Instant) {
    while let Some((deadline, action)) = take_due(now) {
        match action {
            Action::Wake(thread) => {
                crate::sched::wake(&thread);
            }
            Action::Call(timer) => {
                if let Some(timer) = timer.upgrade() {
                    timer.expire(deadline);
                }
            }
        }
    }
}

fn take_due(now: Instant) -> Option<(Instant, Action)> {
    let mut queue = QUEUE.lock();
    let first = queue.due.first_entry()?;
    if first.key().deadline > now {
        return None;
    }
    let (key, action) = first.remove_entry();
    Some((key.deadline, action))
}
