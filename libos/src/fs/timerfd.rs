//! timerfd_create(2): a timer that is read.
//!
//! As in Linux, an expiry of a periodic timer does not arm the next one: the read that takes the
//! count does, and works out how many periods passed. So a short period that nobody reads costs
//! nothing.

use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::time::Duration;

use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::fs::file::{Anonymous, File, Io};
use crate::fs::poll::PollEvents;
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;
use crate::time::Instant;
use crate::time::timer::{self, Expire, TimerKey};
use crate::user::Dest;

/// The time until the next expiry, and the period; zero means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Until the first expiry; zero disarms.
    pub first: Duration,
    /// From then on; zero for a single expiry.
    pub period: Duration,
}

/// A timer that is read.
pub struct TimerFd {
    clock: i32,
    me: Weak<TimerFd>,
    state: SpinLock<State>,
    queue: WaitQueue,
}

#[derive(Default)]
struct State {
    /// The next expiry; `None` when disarmed or after a single one.
    next: Option<Instant>,
    period: Duration,
    /// Expiries since the last read.
    ticks: u64,
    /// Where it stands in the timer queue.
    key: Option<TimerKey>,
}

impl State {
    /// Counts the expiries up to `now` and moves on to the next.
    fn catch_up(&mut self, now: Instant) {
        let Some(next) = self.next.filter(|&next| next <= now) else {
            return;
        };
        let period = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
        let Some(more) = (now.as_ns() - next.as_ns()).checked_div(period) else {
            self.ticks += 1;
            self.next = None;
            return;
        };
        let passed = more.saturating_add(1);
        self.ticks = self.ticks.saturating_add(passed);
        let ahead = passed.saturating_mul(period);
        self.next = Some(Instant::from_ns(next.as_ns().saturating_add(ahead)));
    }

    fn setting(&self, now: Instant) -> Setting {
        Setting {
            first: self.next.map_or(Duration::ZERO, |next| {
                // An armed timer never shows zero, which would mean "disarmed".
                now.until(next).max(Duration::from_nanos(1))
            }),
            period: self.period,
        }
    }
}

impl TimerFd {
    /// A disarmed timer on `clock`, a clock id that timerfd_create(2) admits.
    pub fn new(clock: i32) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            clock,
            me: Weak::clone(me),
            state: SpinLock::default(),
            queue: WaitQueue::new(),
        })
    }

    /// Its clock id.
    pub fn clock(&self) -> i32 {
        self.clock
    }

    /// Arms it to expire at `first` and then every `period`, or disarms it (`None`). Returns the
    /// setting it had.
    pub fn set(&self, first: Option<Instant>, period: Duration) -> Setting {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.catch_up(now);
        let old = state.setting(now);
        let key = state.key.take();
        *state = State {
            next: first,
            period,
            ticks: 0,
            key: None,
        };
        drop(state);
        if let Some(key) = key {
            timer::disarm(key);
        }
        self.arm();
        old
    }

    /// The time left and the period.
    pub fn get(&self) -> Setting {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.catch_up(now);
        let setting = state.setting(now);
        drop(state);
        self.arm();
        setting
    }

    /// Stands in the timer queue, if there is an expiry ahead that nobody waits for yet.
    fn arm(&self) {
        let next = {
            let state = self.state.lock();
            state.next.filter(|_| state.key.is_none())
        };
        if let Some(next) = next {
            let me: Weak<Self> = Weak::clone(&self.me);
            let key = timer::arm(next, me);
            self.state.lock().key = Some(key);
        }
    }

    fn try_take(&self) -> Option<u64> {
        let mut state = self.state.lock();
        state.catch_up(Instant::now());
        let ticks = core::mem::take(&mut state.ticks);
        (ticks > 0).then_some(ticks)
    }
}

impl Expire for TimerFd {
    fn expire(self: Arc<Self>, due: Instant) {
        let mut state = self.state.lock();
        state.key = None;
        // A setting that came in between stands at another moment.
        let expired = state.next.is_some_and(|next| next <= due) || state.ticks > 0;
        drop(state);
        if expired {
            self.queue.notify(PollEvents::IN);
        } else {
            // A read caught up before the queue did, or the setting changed.
            self.arm();
        }
    }
}

impl File for TimerFd {
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        if dest.room() < size_of::<u64>() {
            return Err(Errno::EINVAL);
        }
        let ticks = blocking::attempt(&self.queue, Patience::of(io), || self.try_take().map(Ok))?;
        self.arm();
        dest.put(&ticks.to_ne_bytes())
    }

    fn poll(&self) -> PollEvents {
        let state = self.state.lock();
        let due = state.next.is_some_and(|next| next <= Instant::now());
        if due || state.ticks > 0 {
            PollEvents::IN
        } else {
            PollEvents::empty()
        }
    }

    fn wait_queue(&self) -> Option<&WaitQueue> {
        Some(&self.queue)
    }

    fn anonymous(&self) -> Anonymous {
        Anonymous::inode("anon_inode:[timerfd]")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for TimerFd {
    fn drop(&mut self) {
        if let Some(key) = self.state.get_mut().key.take() {
            timer::disarm(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::file::OpenFlags;

    const MS: Duration = Duration::from_millis(1);

    fn read(file: &TimerFd, flags: OpenFlags) -> Result<u64> {
        let mut bytes = [0; 8];
        file.read(Io { offset: 0, flags }, &mut Dest::kernel(&mut bytes))?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn ago(duration: Duration) -> Instant {
        let ns = u64::try_from(duration.as_nanos()).expect("short");
        Instant::from_ns(Instant::now().as_ns().saturating_sub(ns))
    }

    #[test]
    fn a_single_expiry_is_read_once() {
        let file = TimerFd::new(1);
        assert_eq!(read(&file, OpenFlags::NONBLOCK), Err(Errno::EAGAIN));
        file.set(Some(ago(MS)), Duration::ZERO);
        assert_eq!(file.poll(), PollEvents::IN);
        assert_eq!(read(&file, OpenFlags::NONBLOCK), Ok(1));
        assert_eq!(read(&file, OpenFlags::NONBLOCK), Err(Errno::EAGAIN));
        assert_eq!(file.get(), Setting::default());
    }

    #[test]
    fn missed_periods_are_counted() {
        let file = TimerFd::new(1);
        file.set(Some(ago(10 * MS)), 3 * MS);
        let ticks = read(&file, OpenFlags::NONBLOCK).expect("due");
        assert!(
            (4..50).contains(&ticks),
            "{ticks} ticks in 10 ms of 3 ms each"
        );
        let left = file.get();
        assert!(left.first <= 3 * MS && !left.first.is_zero());
        assert_eq!(left.period, 3 * MS);
    }

    #[test]
    fn a_read_waits_for_the_expiry() {
        let file = TimerFd::new(1);
        let start = Instant::now();
        file.set(Some(start.after(5 * MS)), Duration::ZERO);
        assert_eq!(read(&file, OpenFlags::empty()), Ok(1));
        assert!(start.until(Instant::now()) >= 5 * MS);
    }

    #[test]
    fn setting_returns_the_old_setting_and_forgets_ticks() {
        let file = TimerFd::new(1);
        file.set(Some(Instant::now().after(1000 * MS)), 7 * MS);
        let old = file.set(None, Duration::ZERO);
        assert!(old.first > 900 * MS && old.first <= 1000 * MS);
        assert_eq!(old.period, 7 * MS);
        assert_eq!(file.poll(), PollEvents::empty());
    }

    #[test]
    fn a_read_that_catches_up_early_leaves_the_timer_armed() {
        let file = TimerFd::new(1);
        file.set(Some(ago(MS)), 20 * MS);
        assert_eq!(read(&file, OpenFlags::NONBLOCK), Ok(1));
        // The queue's entry for the first expiry is still there; running it must arm the next.
        timer::expire(Instant::now());
        assert_eq!(read(&file, OpenFlags::empty()), Ok(1));
    }

    #[test]
    fn the_shortest_period_does_no_harm() {
        let file = TimerFd::new(1);
        file.set(Some(ago(MS)), Duration::from_nanos(1));
        let ticks = read(&file, OpenFlags::NONBLOCK).expect("due");
        assert!(ticks >= 1_000_000, "{ticks} nanoseconds in a millisecond");
    }
}
