//! A place in one of the two timer queues, whichever suits the clock.

use alloc::sync::Weak;
use core::time::Duration;

use crate::time::Instant;
use crate::time::clock::{Base, ClockId};
use crate::time::cpu_timers;
use crate::time::timer::{self, Expire, TimerKey};

/// Where a timer stands in line.
#[derive(Clone, Copy, Debug, Default)]
pub enum Alarm {
    /// Nowhere.
    #[default]
    Off,
    /// In the queue that wakes the idle loop.
    Clock(TimerKey),
    /// Among those that ticks look at.
    Cpu(u64),
}

impl Alarm {
    /// Calls `timer` once `clock` shows `target_ns`.
    pub fn set(clock: &ClockId, target_ns: u64, timer: Weak<dyn Expire>) -> Self {
        match clock.base() {
            Base::Cpu => Self::Cpu(cpu_timers::arm(clock.clone(), target_ns, timer)),
            Base::Realtime | Base::Monotonic => {
                let left = target_ns.saturating_sub(clock.now_ns());
                let deadline = Instant::now().after(Duration::from_nanos(left));
                Self::Clock(timer::arm(deadline, timer))
            }
        }
    }

    /// Takes it back.
    pub fn cancel(&mut self) {
        match core::mem::take(self) {
            Self::Off => {}
            Self::Clock(key) => timer::disarm(key),
            Self::Cpu(key) => cpu_timers::disarm(key),
        }
    }
}
