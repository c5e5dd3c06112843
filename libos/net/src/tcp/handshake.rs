//! The opening of a connection: SYN-SENT and SYN-RECEIVED (RFC 9293, section 3.5), by a few numbers, without
//! an engine and without buffers.
//!
//! - [`Handshake`]: the numbers.
//! - [`Step`]: what a segment does to it.
//!
//! Repetitions come after 1, 2, 4, … seconds as Linux has them: at the defaults a connect gives up after
//! 127 seconds, a half-open connection after 63.

use smoltcp::wire::TcpControl;

use super::engine::Opening;
use super::segment::{Control, Segment, SynOptions};
use super::sequence::Sequence;
use crate::address::Flow;
use crate::time::{Duration, Instant};

/// The first wait for an answer (RFC 6298, section 2.1).
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest: TCP_RTO_MAX.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// How often a SYN-ACK is repeated: tcp_synack_retries.
const ANSWER_RETRIES: u8 = 5;
/// What a side takes that says nothing (RFC 9293, section 3.7.1), in bytes.
const DEFAULT_MSS_V4: u16 = 536;
const DEFAULT_MSS_V6: u16 = 1220;
/// Linux's TCP_MIN_SND_MSS: less is taken for this.
const LEAST_MSS: u16 = 48;

/// What we say of ourselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    /// Longest segment that we take, in bytes of data.
    pub mss: u16,
    /// By how many bits our windows will be shifted.
    pub scale: u8,
    /// The first window in bytes, not scaled.
    pub window: u16,
    pub hop_limit: u8,
    pub traffic_class: u8,
    /// How often the SYN is repeated.
    pub retries: u8,
}

/// The other side's SYN.
#[derive(Clone, Copy, Debug)]
struct Peer {
    start: Sequence,
    options: SynOptions,
}

/// A connection that is not yet established.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    flow: Flow,
    start: Sequence,
    offer: Offer,
    peer: Option<Peer>,
    /// Whether we asked first.
    is_active: bool,
    sent: u8,
    sent_at: Instant,
    due: Instant,
}

/// What a segment did.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Nothing.
    Wait,
    /// Answer, and wait on.
    Answer(Control),
    /// Answer the segment with a reset, and wait on.
    Reset,
    /// Send our SYN (again).
    Send,
    /// Established. The segment that did it is to be handed to the engine unless it is a SYN; a SYN is to be
    /// acknowledged.
    Established(Opening),
    /// A reset: it is over.
    Refused,
}

impl Handshake {
    /// Asks for a connection.
    pub fn ask(now: Instant, flow: Flow, start: Sequence, offer: Offer) -> Self {
        Self {
            flow,
            start,
            offer,
            peer: None,
            is_active: true,
            sent: 0,
            sent_at: now,
            due: now,
        }
    }

    /// Answers somebody's SYN.
    pub fn answer(
        now: Instant,
        flow: Flow,
        start: Sequence,
        offer: Offer,
        request: &Request,
    ) -> Self {
        Self {
            peer: Some(request.peer),
            is_active: false,
            ..Self::ask(now, flow, start, offer)
        }
    }

    pub fn is_active(&self) -> bool {
        self.is_active
    }

    /// Whether the other side's SYN came.
    pub fn is_synchronized(&self) -> bool {
        self.peer.is_some()
    }

    /// When the next repetition is due, or the end.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// SYNs sent beyond the first.
    pub fn repetitions(&self) -> u8 {
        self.sent.saturating_sub(1)
    }

    /// Our SYN, to be sent now; none if it was repeated often enough.
    pub fn send(&mut self, now: Instant) -> Option<Control> {
        let retries = if self.is_active {
            self.offer.retries
        } else {
            ANSWER_RETRIES
        };
        if self.sent > retries {
            return None;
        }
        let wait = FIRST_WAIT * 2_u32.saturating_pow(self.sent.into());
        self.sent += 1;
        self.sent_at = now;
        self.due = now + wait.min(LONGEST_WAIT);
        Some(self.syn())
    }

    fn syn(&self) -> Control {
        let peer = self.peer.map(|peer| peer.options);
        let scales = peer.is_none_or(|peer| peer.window_scale.is_some());
        Control {
            kind: TcpControl::Syn,
            ack: self.peer.map(|peer| peer.start.plus(1)),
            window: self.offer.window,
            options: Some(SynOptions {
                mss: Some(self.offer.mss),
                window_scale: scales.then_some(self.offer.scale),
                sack: peer.is_none_or(|peer| peer.sack),
            }),
            ..self.control(self.start)
        }
    }

    fn control(&self, seq: Sequence) -> Control {
        Control {
            hop_limit: self.offer.hop_limit,
            traffic_class: self.offer.traffic_class,
            ..Control::new(self.flow, seq)
        }
    }

    /// A bare acknowledgement of the other side's SYN.
    pub fn acknowledgement(&self) -> Control {
        let scale = self
            .peer
            .and_then(|peer| peer.options.window_scale)
            .map_or(0, |_| self.offer.scale);
        Control {
            ack: self.peer.map(|peer| peer.start.plus(1)),
            window: self.offer.window >> scale,
            ..self.control(self.start.plus(1))
        }
    }

    /// A segment came.
    pub fn segment(&mut self, now: Instant, segment: &Segment<'_>) -> Step {
        match self.peer {
            None => self.asked(now, segment),
            Some(peer) => self.answered(now, segment, peer),
        }
    }

    /// In SYN-SENT (RFC 9293, section 3.10.7.3).
    fn asked(&mut self, now: Instant, segment: &Segment<'_>) -> Step {
        let expected = self.start.plus(1);
        let is_acceptable = segment.ack == Some(expected);
        match (segment.ack, segment.rst) {
            (Some(_), false) if !is_acceptable => return Step::Reset,
            (_, true) if is_acceptable => return Step::Refused,
            (_, true) => return Step::Wait,
            _ => {}
        }
        if !segment.syn {
            return Step::Wait;
        }
        let peer = Peer::of(segment);
        self.peer = Some(peer);
        if is_acceptable {
            return Step::Established(self.opening(now, peer, segment));
        }
        // Both sides asked at once.
        self.sent = 0;
        Step::Send
    }

    /// In SYN-RECEIVED (RFC 9293, section 3.10.7.4).
    fn answered(&mut self, now: Instant, segment: &Segment<'_>, peer: Peer) -> Step {
        let expected = peer.start.plus(1);
        if segment.rst {
            // RFC 5961, section 3.2: a reset counts if its number is the very next.
            return if segment.seq == expected {
                Step::Refused
            } else {
                Step::Wait
            };
        }
        if segment.syn && segment.ack.is_none() {
            return if segment.seq == peer.start {
                Step::Answer(self.syn())
            } else {
                Step::Answer(self.acknowledgement())
            };
        }
        let Some(ack) = segment.ack else {
            return Step::Wait;
        };
        if ack != self.start.plus(1) {
            return Step::Reset;
        }
        let window = usize::from(self.offer.window).max(1);
        let is_near =
            segment.seq.is_in(expected, window) || (segment.syn && segment.seq == peer.start);
        if !is_near {
            return Step::Answer(self.acknowledgement());
        }
        Step::Established(self.opening(now, peer, segment))
    }

    fn opening(&self, now: Instant, peer: Peer, segment: &Segment<'_>) -> Opening {
        let default = match self.flow.remote {
            core::net::SocketAddr::V4(_) => DEFAULT_MSS_V4,
            core::net::SocketAddr::V6(_) => DEFAULT_MSS_V6,
        };
        let asked = peer.options.mss.unwrap_or(default).max(LEAST_MSS);
        let scale = peer.options.window_scale;
        // Windows of SYNs are not scaled (RFC 7323, section 2.2).
        let shift = if segment.syn { 0 } else { scale.unwrap_or(0) };
        Opening {
            flow: self.flow,
            send_next: self.start.plus(1),
            receive_next: peer.start.plus(1),
            peer_window: usize::from(segment.window) << shift,
            peer_scale: scale,
            own_scale: scale.map_or(0, |_| self.offer.scale),
            sack: peer.options.sack,
            mss: asked.min(self.offer.mss),
            // Karn: what was repeated is not measured.
            round_trip: (self.sent == 1).then(|| now - self.sent_at),
        }
    }
}

impl Peer {
    fn of(segment: &Segment<'_>) -> Self {
        Self {
            start: segment.seq,
            options: segment.syn_options(),
        }
    }
}

/// Somebody's SYN, kept while its fate is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    peer: Peer,
}

impl Request {
    pub fn of(segment: &Segment<'_>) -> Self {
        Self {
            peer: Peer::of(segment),
        }
    }

    /// The reset that refuses it.
    pub fn refusal(&self, flow: Flow) -> Control {
        Control {
            kind: TcpControl::Rst,
            ack: Some(self.peer.start.plus(1)),
            ..Control::new(flow, Sequence(0))
        }
    }
}
