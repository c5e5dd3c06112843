//! When an interval timer is due, and how often it was: pure arithmetic in nanoseconds of the
//! timer's clock.

/// A timer's next moment and its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// When it is due; `None` while it is disarmed.
    pub next: Option<u64>,
    /// Time between expirations; 0 for a timer that expires once.
    pub interval: u64,
}

impl Schedule {
    /// A timer that is due at `next`.
    pub const fn at(next: u64, interval: u64) -> Self {
        Self {
            next: Some(next),
            interval,
        }
    }

    /// Counts the expirations up to `now` and moves on to the next one after it.
    pub fn advance(&mut self, now: u64) -> u64 {
        let Some(next) = self.next.filter(|&next| next <= now) else {
            return 0;
        };
        if self.interval == 0 {
            self.next = None;
            return 1;
        }
        let count = (now - next) / self.interval + 1;
        self.next = Some(next.saturating_add(count.saturating_mul(self.interval)));
        count
    }

    /// Time until the next expiration; 0 while disarmed. A timer that is due but was not served yet
    /// has `least` left, since 0 would say that it is disarmed; one whose signal waits to be taken
    /// is shown at its next period.
    pub fn remaining(&self, now: u64, least: u64) -> u64 {
        let mut ahead = *self;
        if self.interval > 0 {
            ahead.advance(now);
        }
        match ahead.next {
            Some(next) => next.saturating_sub(now).max(least),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_shot_expires_once() {
        let mut once = Schedule::at(100, 0);
        assert_eq!((once.remaining(40, 1), once.advance(99)), (60, 0));
        assert_eq!(once.remaining(100, 1), 1, "due, not served");
        assert_eq!((once.advance(500), once.advance(900)), (1, 0));
        assert_eq!(once.remaining(900, 1), 0);
    }

    #[test]
    fn a_periodic_timer_counts_what_it_missed_and_keeps_its_phase() {
        let mut timer = Schedule::at(100, 10);
        assert_eq!(timer.advance(100), 1);
        assert_eq!(timer.next, Some(110));
        assert_eq!(timer.advance(145), 4);
        assert_eq!(timer.next, Some(150));
        assert_eq!(timer.remaining(145, 1), 5);
        assert_eq!(timer.remaining(173, 1), 7);
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let mut timer = Schedule::at(1, 1);
        assert_eq!(timer.advance(u64::MAX), u64::MAX);
        assert_eq!(timer.next, Some(u64::MAX));
        let mut late = Schedule::at(u64::MAX, u64::MAX);
        assert_eq!(late.advance(u64::MAX), 1);
    }
}
