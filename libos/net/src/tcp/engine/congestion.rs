//! How much may be on its way: the congestion window of RFC 5681, in bytes, with the recovery of NewReno
//! (RFC 6582), ten segments to begin with (RFC 6928) and growth by bytes acknowledged (RFC 3465).
//!
//! Pure numbers: the engine tells what it sees, and asks for the window. smoltcp's own controllers are not used: they
//! begin with two kilobytes, grow by one segment for each acknowledgement however much it
//! acknowledges (a peer with receive offload acknowledges 64 KiB at once), and wait for a timeout
//! when a window lost more than one segment.

use crate::tcp::sequence::Sequence;

/// The segments that may be on their way at first.
const FIRST: usize = 10;

/// Duplicate acknowledgements that mean a loss.
const DUPLICATES: u8 = 3;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    None,
    /// Send the first segment that is not acknowledged again.
    Retransmit,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Congestion {
    mss: usize,
    window: usize,
    threshold: usize,
    /// Bytes acknowledged in congestion avoidance that the window did not grow by yet.
    credit: usize,
    duplicates: u8,
    /// Behind what was sent when a loss was noticed: until it is acknowledged, it is the same loss.
    recover: Option<Sequence>,
    /// The loss was noticed by a timeout.
    by_timeout: bool,
}

impl Congestion {
    pub fn new(mss: u16) -> Self {
        let mss = usize::from(mss);
        Self {
            mss,
            window: FIRST * mss,
            threshold: usize::MAX,
            credit: 0,
            duplicates: 0,
            recover: None,
            by_timeout: false,
        }
    }

    /// Bytes beyond the last acknowledged one that may be sent.
    pub fn window(&self) -> usize {
        if self.recover.is_some() {
            return self.window;
        }
        // Limited transmit (RFC 3042): a segment more for each of the first duplicates, so that there are three.
        self.window
            .saturating_add(usize::from(self.duplicates) * self.mss)
    }

    /// `acked` new bytes are acknowledged, up to `ack`; `is_limited` if the window was what kept more from being
    /// sent.
    pub fn acknowledged(&mut self, acked: usize, ack: Sequence, is_limited: bool) -> Reaction {
        self.duplicates = 0;
        match self.recover {
            Some(recover) if ack < recover && !self.by_timeout => {
                // A partial acknowledgement: the next hole (RFC 6582, section 3.2, step 3).
                self.window = self.window.saturating_sub(acked).max(self.mss) + self.mss;
                return Reaction::Retransmit;
            }
            Some(recover) if ack >= recover => {
                self.recover = None;
                if !self.by_timeout {
                    self.window = self.threshold.max(2 * self.mss);
                    return Reaction::None;
                }
                self.by_timeout = false;
            }
            _ => {}
        }
        if is_limited {
            self.grow(acked);
        }
        Reaction::None
    }

    fn grow(&mut self, acked: usize) {
        if self.window < self.threshold {
            self.window = self
                .window
                .saturating_add(acked)
                .min(self.threshold.max(self.window));
            return;
        }
        self.credit += acked;
        if self.credit >= self.window {
            self.credit -= self.window;
            self.window = self.window.saturating_add(self.mss);
        }
    }

    /// An acknowledgement came that says nothing new, while `flight` bytes are on their way, the last
    /// of them before `sent`. `has_hole` if it reports data behind a hole.
    pub fn duplicate(&mut self, flight: usize, sent: Sequence, has_hole: bool) -> Reaction {
        if self.by_timeout && self.recover.is_some() {
            // What is sent again makes duplicates too: only a report counts.
            self.duplicates += u8::from(has_hole && self.duplicates < DUPLICATES);
            let is_lost_again = has_hole && self.duplicates == DUPLICATES;
            return if is_lost_again {
                self.by_timeout = false;
                self.window = self.window.max(2 * self.mss);
                self.threshold = self.threshold.min(self.window);
                Reaction::Retransmit
            } else {
                Reaction::None
            };
        }
        self.duplicates = self.duplicates.saturating_add(1);
        if self.recover.is_some() {
            // A segment has left the network.
            self.window = self.window.saturating_add(self.mss);
            return Reaction::None;
        }
        if self.duplicates < DUPLICATES {
            return Reaction::None;
        }
        self.reduce(flight);
        self.window = self.threshold + usize::from(DUPLICATES) * self.mss;
        self.recover = Some(sent);
        self.by_timeout = false;
        Reaction::Retransmit
    }

    /// The retransmission timer ran out.
    pub fn timeout(&mut self, flight: usize, sent: Sequence) {
        if !self.by_timeout || self.recover.is_none() {
            self.reduce(flight);
        }
        self.window = self.mss;
        self.recover = Some(sent);
        self.by_timeout = true;
        self.duplicates = 0;
    }

    fn reduce(&mut self, flight: usize) {
        self.threshold = (flight / 2).max(2 * self.mss);
        self.credit = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: usize = 1000;

    fn at(offset: usize) -> Sequence {
        Sequence(5000).plus(offset)
    }

    #[test]
    fn it_doubles_each_round_trip_and_then_grows_by_a_segment() {
        let mut congestion = Congestion::new(1000);
        assert_eq!(congestion.window(), 10 * MSS);
        congestion.acknowledged(10 * MSS, at(10 * MSS), true);
        assert_eq!(congestion.window(), 20 * MSS);
        congestion.acknowledged(5 * MSS, at(15 * MSS), false);
        assert_eq!(congestion.window(), 20 * MSS, "it was not used");
        congestion.threshold = 20 * MSS;
        congestion.acknowledged(19 * MSS, at(34 * MSS), true);
        assert_eq!(congestion.window(), 20 * MSS);
        congestion.acknowledged(MSS, at(35 * MSS), true);
        assert_eq!(congestion.window(), 21 * MSS);
    }

    #[test]
    fn three_duplicates_halve_and_partial_acknowledgements_go_on() {
        let mut congestion = Congestion::new(1000);
        let sent = at(10 * MSS);
        assert_eq!(congestion.duplicate(10 * MSS, sent, false), Reaction::None);
        assert_eq!(congestion.window(), 11 * MSS, "limited transmit");
        assert_eq!(congestion.duplicate(10 * MSS, sent, false), Reaction::None);
        assert_eq!(
            congestion.duplicate(10 * MSS, sent, false),
            Reaction::Retransmit
        );
        assert_eq!(congestion.window(), 8 * MSS);
        assert_eq!(congestion.duplicate(10 * MSS, sent, false), Reaction::None);
        assert_eq!(congestion.window(), 9 * MSS);
        let reaction = congestion.acknowledged(3 * MSS, at(3 * MSS), true);
        assert_eq!(reaction, Reaction::Retransmit, "the second hole");
        assert_eq!(congestion.window(), 7 * MSS);
        assert_eq!(congestion.acknowledged(7 * MSS, sent, true), Reaction::None);
        assert_eq!(congestion.window(), 5 * MSS, "half of what it was");
    }

    #[test]
    fn a_timeout_begins_anew_and_halves_once() {
        let mut congestion = Congestion::new(1000);
        congestion.timeout(10 * MSS, at(10 * MSS));
        assert_eq!(congestion.window(), MSS);
        congestion.timeout(MSS, at(10 * MSS));
        assert_eq!(congestion.threshold, 5 * MSS);
        congestion.acknowledged(MSS, at(MSS), true);
        assert_eq!(congestion.window(), 2 * MSS, "slow start");
        assert_eq!(
            congestion.duplicate(MSS, at(10 * MSS), false),
            Reaction::None
        );
        congestion.acknowledged(9 * MSS, at(10 * MSS), true);
        assert_eq!(congestion.window(), 5 * MSS);
        assert_eq!(congestion.recover, None);
    }
}
