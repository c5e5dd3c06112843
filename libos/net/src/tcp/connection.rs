//! One connection's record: its phase, its owner's wishes, and the limits of time on it.
//!
//! - [`Connection`], [`Phase`].
//! - [`Connection::deadline`]: the first of the limits, by which it is put on the [wheel](super::timers).

use alloc::boxed::Box;

use super::engine::{Current, Engine, Opening, Tuning};
use super::handshake::Handshake;
use super::segment::Control;
use super::{State, TcpError, TcpOptions};
use crate::address::Flow;
use crate::config::InterfaceId;
use crate::owner::Token;
use crate::time::{Duration, Instant};

/// How long unanswered data is repeated before the connection is given up: what tcp_retries2 = 15
/// comes to.
const UNANSWERED: Duration = Duration::from_millis(924_600);
/// The same for a connection that its owner let go of (tcp_orphan_retries = 8).
const UNANSWERED_RELEASED: Duration = Duration::from_millis(102_200);
/// How long a connection without an owner waits for the other side's end: tcp_fin_timeout.
const FIN_WAIT_2: Duration = Duration::from_secs(60);
/// A connection that is quiet for so long gives its buffers back.
const QUIET: Duration = Duration::from_millis(200);
/// The same for the first time: of thousands that come one after the other and then wait, few have buffers at once.
const QUIET_AT_FIRST: Duration = Duration::from_millis(20);

/// What found no memory is tried again after so long.
const AGAIN: Duration = Duration::from_millis(100);

/// Where it is in its life. What remains of a quiet connection is part of the record, so that nothing new is
/// allocated between the memory that it gives back.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Not yet established.
    Opening(Handshake),
    /// It has an engine and buffers.
    Open(Box<Current>),
    /// Established, and quiet: no engine.
    Quiet(Opening),
    /// Ended; what was received may still be read.
    Over(Option<Box<Current>>),
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub flow: Flow,
    pub token: Token,
    pub interface: Option<InterfaceId>,
    pub options: TcpOptions,
    pub phase: Phase,
    /// The owner let go.
    pub is_released: bool,
    /// Our half is to end once established.
    pub is_finishing: bool,
    /// The owner is to hear when the end of our half has been acknowledged.
    pub is_end_awaited: bool,
    /// Why it ended, until told.
    pub error: Option<TcpError>,
    /// Since when the other side owes an acknowledgement of anything new.
    pub owed_since: Option<Instant>,
    /// When it was last heard.
    pub heard: Instant,
    /// When anything last moved, on either side.
    pub moved: Instant,
    /// Since when FIN-WAIT-2 lasts without an owner.
    pub waiting_since: Option<Instant>,
    /// Keep-alive probes without an answer.
    pub probes: u32,
    /// When the last one was sent.
    pub probed: Instant,
    /// The owner moved something, and did not say when: the next call that knows the time notes it.
    pub is_touched: bool,
    /// The sender was told that there is no room.
    pub is_full: bool,
    /// There was no memory for an engine when the owner wanted to send.
    pub is_starved: bool,
    /// Egress is due at the next poll.
    pub is_pending: bool,
    /// The way out had no room.
    pub is_blocked: bool,
    /// How often it could not rest since anything moved.
    pub restless: u8,
    /// It gave its buffers back once.
    pub has_rested: bool,
}

/// What a limit of time asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Give up.
    GiveUp(TcpError),
    /// End without an error: nobody is left to be told.
    Drop,
    /// Send a keep-alive probe.
    Probe,
    /// Give the buffers back.
    Rest,
    /// Send the FIN for which there was no memory.
    Finish,
    /// Let the owner try again for what there was no memory.
    TryAgain,
}

impl Connection {
    pub fn new(
        now: Instant,
        flow: Flow,
        token: Token,
        options: TcpOptions,
        handshake: Handshake,
    ) -> Self {
        Self {
            flow,
            token,
            interface: None,
            options,
            phase: Phase::Opening(handshake),
            is_released: false,
            is_finishing: false,
            is_end_awaited: false,
            error: None,
            owed_since: None,
            heard: now,
            moved: now,
            waiting_since: None,
            probes: 0,
            probed: now,
            is_touched: false,
            is_full: false,
            is_starved: false,
            is_pending: false,
            is_blocked: false,
            restless: 0,
            has_rested: false,
        }
    }

    pub fn tuning(&self) -> Tuning {
        Tuning {
            nodelay: self.options.nodelay,
            hop_limit: self.options.hop_limit,
            traffic_class: self.options.traffic_class,
        }
    }

    pub fn state(&self) -> State {
        match &self.phase {
            Phase::Opening(handshake) if handshake.is_synchronized() => State::SynReceived,
            Phase::Opening(_) => State::SynSent,
            Phase::Open(engine) => engine.state(),
            Phase::Quiet(_) => State::Established,
            Phase::Over(_) => State::Closed,
        }
    }

    pub fn engine_mut(&mut self) -> Option<&mut Current> {
        match &mut self.phase {
            Phase::Open(engine) | Phase::Over(Some(engine)) => Some(engine),
            _ => None,
        }
    }

    /// Notes what the engine's state means for the limits.
    pub fn observe(&mut self, now: Instant, owed_before: usize) {
        let Phase::Open(engine) = &self.phase else {
            return;
        };
        let state = engine.state();
        let ends = matches!(state, State::FinWait1 | State::Closing | State::LastAck);
        let owed = engine.send_queue() + usize::from(ends);
        self.owed_since = match self.owed_since {
            _ if owed == 0 => None,
            Some(since) if owed >= owed_before => Some(since),
            _ => Some(now),
        };
        self.waiting_since = (self.is_released && state == State::FinWait2)
            .then(|| self.waiting_since.unwrap_or(now));
    }

    /// What the other side owes: bytes, and our FIN.
    pub fn owed(&self) -> usize {
        match &self.phase {
            Phase::Open(engine) => {
                let ends = matches!(
                    engine.state(),
                    State::FinWait1 | State::Closing | State::LastAck
                );
                engine.send_queue() + usize::from(ends)
            }
            _ => 0,
        }
    }

    /// The first limit of time on an established connection, and when it is reached.
    pub fn limit(&self) -> Option<(Instant, Limit)> {
        // With each segment and each call: an array of all of them would cost more than what it holds.
        let mut first = None;
        earlier(&mut first, self.unanswered());
        if let Some(since) = self.waiting_since {
            earlier(&mut first, Some((since + FIN_WAIT_2, Limit::Drop)));
        }
        if self.options.keep_alive.is_some() {
            earlier(&mut first, self.silence());
        }
        if self.may_rest() {
            earlier(&mut first, Some((self.rest_at(), Limit::Rest)));
        }
        if self.is_starved {
            earlier(&mut first, Some((self.moved + AGAIN, Limit::TryAgain)));
        }
        if self.owes_end() {
            earlier(&mut first, Some((self.moved + AGAIN, Limit::Finish)));
        }
        first
    }

    /// An acknowledgement while there is no engine.
    pub fn window_of_quiet(&self, opening: &Opening) -> Control {
        let window = self.options.receive_buffer >> opening.own_scale;
        Control {
            ack: Some(opening.receive_next),
            window: u16::try_from(window).unwrap_or(u16::MAX),
            hop_limit: self.options.hop_limit,
            traffic_class: self.options.traffic_class,
            ..Control::new(self.flow, opening.send_next)
        }
    }

    fn may_rest(&self) -> bool {
        !self.is_released && matches!(self.phase, Phase::Open(_))
    }

    fn owes_end(&self) -> bool {
        self.is_finishing && matches!(self.phase, Phase::Quiet(_))
    }

    /// What can't rest now is tried again, ever more seldom; the bound is years, for a moment that is past would be due again at once.
    fn rest_at(&self) -> Instant {
        let quiet = if self.has_rested {
            QUIET
        } else {
            QUIET_AT_FIRST
        };
        self.moved + quiet * (1 << self.restless.min(30))
    }

    /// Something moved.
    pub fn stir(&mut self, now: Instant) {
        self.moved = now;
        self.restless = 0;
    }

    fn unanswered(&self) -> Option<(Instant, Limit)> {
        let since = self.owed_since?;
        let limit = Limit::GiveUp(TcpError::TimedOut);
        if let Some(most) = self.options.user_timeout {
            return Some((since + most, limit));
        }
        let most = if self.is_released {
            UNANSWERED_RELEASED
        } else {
            UNANSWERED
        };
        // A window that stays closed is an answer, unless nobody is left to wait for it.
        let from = if self.is_released {
            since
        } else {
            since.max(self.heard)
        };
        Some((from + most, limit))
    }

    /// Keep-alive, as tcp(7) has it: only while nothing is owed.
    fn silence(&self) -> Option<(Instant, Limit)> {
        let idle = self.options.keep_alive?;
        if self.owed_since.is_some() || self.is_released {
            return None;
        }
        let is_established = matches!(
            self.state(),
            State::Established | State::CloseWait | State::FinWait2
        );
        if !is_established {
            return None;
        }
        let give_up = Limit::GiveUp(TcpError::TimedOut);
        if self.probes == 0 {
            return Some((self.heard.max(self.moved) + idle, Limit::Probe));
        }
        let next = self.probed + self.options.keep_alive_interval;
        if let Some(most) = self.options.user_timeout {
            let end = self.heard + most.max(idle);
            return Some(if end <= next {
                (end, give_up)
            } else {
                (next, Limit::Probe)
            });
        }
        let is_last = self.probes >= self.options.keep_alive_count;
        Some((next, if is_last { give_up } else { Limit::Probe }))
    }
}

/// Keeps the earlier of both; the first of two at one moment.
fn earlier(first: &mut Option<(Instant, Limit)>, other: Option<(Instant, Limit)>) {
    if let Some((at, _)) = other
        && first.is_none_or(|(before, _)| at < before)
    {
        *first = other;
    }
}
