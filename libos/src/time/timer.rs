//! The queue of everything that is due at some moment.
//!
//! One ordered map from (deadline, sequence) to what is to happen. The scheduler runs [`expire`] at
//! ticks and before it idles, idles no longer than [`next_deadline`] says, and asks [`is_due`] whenever
//! threads change places, so that a short sleep beside busy threads does not last until the tick.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering};

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

/// The earliest deadline in nanoseconds, for a glance without the lock; `u64::MAX` if there is none.
static EARLIEST: AtomicU64 = AtomicU64::new(u64::MAX);

impl Queue {
    /// The earliest deadline has changed, or may have.
    fn publish_earliest(&self) {
        let earliest = self
            .due
            .first_key_value()
            .map(|(key, _)| key.deadline.as_ns());
        EARLIEST.store(earliest.unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

fn arm_action(deadline: Instant, action: Action) -> TimerKey {
    let mut queue = QUEUE.lock();
    queue.sequence += 1;
    let key = TimerKey {
        deadline,
        sequence: queue.sequence,
    };
    queue.due.insert(key, action);
    queue.publish_earliest();
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
    let mut queue = QUEUE.lock();
    if queue.due.remove(&key).is_some() {
        queue.publish_earliest();
    }
}

/// Whether something is due by now; free where nothing is armed.
pub fn is_due() -> bool {
    match EARLIEST.load(Ordering::Relaxed) {
        u64::MAX => false,
        earliest => earliest <= Instant::now().as_ns(),
    }
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
    queue.publish_earliest();
    Some((key.deadline, action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU32;
    use core::time::Duration;

    #[derive(Default)]
    struct Counter(AtomicU32);

    impl Expire for Counter {
        fn expire(self: Arc<Self>, _: Instant) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    // Other tests arm timers too, in the same queue: what is asserted holds whatever they do.
    #[test]
    fn a_glance_sees_what_is_due_without_the_lock() {
        let counter = Arc::new(Counter::default());
        let timer: Arc<dyn Expire> = Arc::clone(&counter) as _;
        let past = arm(Instant::from_ns(1), Arc::downgrade(&timer));
        assert!(counter.0.load(Ordering::Relaxed) == 1 || is_due());
        disarm(past);
        let later = Instant::now().after(Duration::from_secs(3600));
        let key = arm(later, Arc::downgrade(&timer));
        assert!(EARLIEST.load(Ordering::Relaxed) <= later.as_ns());
        disarm(key);
        disarm(key);
        assert!(next_deadline().is_none_or(|at| at != later));
    }
}
