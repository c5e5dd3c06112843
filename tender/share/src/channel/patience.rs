//! Looking for the next request for some microseconds before going to sleep.
//!
//! Where guest and server have a CPU each, that spares both the other one's waking up: round trips of some 25 µs instead of 45,
//! and of 5 if the guest does so too (two virtual CPUs, four pairs of runs). Where it is of no use, because
//! they share one or requests are rare, it is tried less and less often.

/// How often it is looked: for some 15 µs, as long as waking somebody up takes.
const MOST_LOOKS: u32 = 40;

/// The longest pause, in requests.
const LONGEST_PAUSE: u32 = 64;

/// Whether looking has been of use.
#[derive(Debug, Default)]
pub struct Patience {
    /// How many requests are waited for in sleep before the next try.
    pause: u32,
    /// How long the last pause was.
    last_pause: u32,
}

impl Patience {
    /// What `look` finds, if it does so soon.
    pub fn look<T>(&mut self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        for index in 0..MOST_LOOKS {
            if let Some(found) = look() {
                // What was there already says nothing about waiting.
                if index > 0 {
                    self.last_pause = 0;
                }
                return Some(found);
            }
            std::hint::spin_loop();
        }
        self.last_pause = (self.last_pause * 2 + 1).min(LONGEST_PAUSE);
        self.pause = self.last_pause;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests of `count` are looked for, if each comes at look number `at`.
    fn looked_for(patience: &mut Patience, count: u32, at: u32) -> u32 {
        let mut tries = 0;
        for _ in 0..count {
            let mut looks = 0;
            let found = patience.look(|| {
                looks += 1;
                (looks > at).then_some(())
            });
            assert_eq!(found.is_some(), looks > at);
            tries += u32::from(looks > 0);
        }
        tries
    }

    #[test]
    fn requests_that_come_soon_are_looked_for() {
        let mut patience = Patience::default();
        assert_eq!(looked_for(&mut patience, 100, 5), 100);
        assert_eq!(looked_for(&mut patience, 100, 0), 100);
    }

    #[test]
    fn requests_that_come_late_are_hardly_looked_for() {
        let mut patience = Patience::default();
        let tries = looked_for(&mut patience, 1000, MOST_LOOKS);
        assert!((10..30).contains(&tries), "{tries}");
        // And again once they come sooner.
        looked_for(&mut patience, LONGEST_PAUSE + 1, 5);
        assert_eq!(looked_for(&mut patience, 100, 5), 100);
    }

    #[test]
    fn what_is_there_already_is_no_reason_to_wait() {
        let mut patience = Patience::default();
        looked_for(&mut patience, 1000, MOST_LOOKS);
        let before = patience.last_pause;
        looked_for(&mut patience, 1000, 0);
        assert_eq!(patience.last_pause, before);
    }
}
