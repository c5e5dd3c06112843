//! Timers on CPU-time clocks. Such a clock moves only while the program runs, so they are looked at
//! in each preemption tick; that is their precision.

use alloc::sync::Weak;
use alloc::vec::Vec;

use crate::sync::SpinLock;
use crate::time::Instant;
use crate::time::clock::ClockId;
use crate::time::timer::Expire;

struct Armed {
    key: u64,
    clock: ClockId,
    target_ns: u64,
    timer: Weak<dyn Expire>,
}

struct List {
    armed: Vec<Armed>,
    last_key: u64,
}

static LIST: SpinLock<List> = SpinLock::new(List {
    armed: Vec::new(),
    last_key: 0,
});

/// Calls `timer` once `clock` shows `target_ns`; returns a key for [`disarm`].
pub fn arm(clock: ClockId, target_ns: u64, timer: Weak<dyn Expire>) -> u64 {
    let mut list = LIST.lock();
    list.last_key += 1;
    let key = list.last_key;
    list.armed.push(Armed {
        key,
        clock,
        target_ns,
        timer,
    });
    key
}

/// Takes a timer back.
pub fn disarm(key: u64) {
    LIST.lock().armed.retain(|armed| armed.key != key);
}

/// Whether any timer is armed.
pub fn any() -> bool {
    !LIST.lock().armed.is_empty()
}

/// Runs what is due.
pub fn check() {
    while let Some(due) = take_due() {
        if let Some(timer) = due.timer.upgrade() {
            timer.expire(Instant::now());
        }
    }
}

fn take_due() -> Option<Armed> {
    // The clocks are read outside the lock: they may ask the host.
    let waiting: Vec<_> = {
        let list = LIST.lock();
        let armed = list.armed.iter();
        armed
            .map(|armed| (armed.key, armed.clock.clone(), armed.target_ns))
            .collect()
    };
    let (due, ..) = waiting
        .into_iter()
        .find(|(_, clock, target_ns)| clock.now_ns() >= *target_ns)?;
    let armed = &mut LIST.lock().armed;
    let at = armed.iter().position(|armed| armed.key == due)?;
    Some(armed.swap_remove(at))
}
