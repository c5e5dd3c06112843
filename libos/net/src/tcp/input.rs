//! Segments and errors that come from the network.

use super::connection::{Connection, Phase};
use super::engine::{Engine, Opening, scale_of};
use super::half_open::{self, Pending};
use super::handshake::{Handshake, Offer, Request, Step};
use super::segment::{Control, Segment, TCP_HEADER_LEN, ip_header_len};
use super::sequence::Sequence;
use super::table::Key;
use super::time_wait::Answer;
use super::{ConnectionId, State, Tcp, TcpError, TcpOptions};
use crate::address::Flow;
use crate::config::InterfaceId;
use crate::output::Output;
use crate::owner::{Owner, TcpEvents, Token, Verdict};
use crate::time::Instant;

/// Answers to suspicious segments, in a second (RFC 5961, section 7).
const CHALLENGES: u32 = 1000;

/// How far beyond an earlier connection's numbers a new one's begin, as Linux has it.
const BEYOND: usize = 65_535 + 2;

impl Tcp {
    /// A TCP segment for us came: a whole IP packet whose header was checked, without extension headers; the
    /// TCP checksum is checked here unless `checksum_good`.
    pub fn receive(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        packet: &[u8],
        checksum_good: bool,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) {
        self.now = now;
        self.counters.received += 1;
        let Some(segment) = Segment::parse(packet, checksum_good) else {
            self.counters.malformed += 1;
            self.counters.bad_sums += u64::from(Segment::parse(packet, true).is_some());
            return;
        };
        let key = Key::new(&segment.flow);
        match self.table.find(&key) {
            Some(index) => self.known(now, index, interface, &segment, output, owner),
            None => self.unknown(now, interface, &key, &segment, output, owner),
        }
    }

    /// An ICMP error about one of our connections: ends one that is not yet established.
    pub fn unreachable(&mut self, flow: Flow, error: TcpError, owner: &mut dyn Owner) {
        let Some(index) = self.table.find(&Key::new(&flow)) else {
            return;
        };
        let is_asking = matches!(
            self.table.get(index).map(|connection| &connection.phase),
            Some(Phase::Opening(handshake)) if handshake.is_active()
        );
        if is_asking {
            self.end(index, Some(error), Some(owner));
        }
    }

    fn known(
        &mut self,
        now: Instant,
        index: u32,
        interface: InterfaceId,
        segment: &Segment<'_>,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) {
        let Some(connection) = self.table.get_mut(index) else {
            return;
        };
        connection.interface = Some(interface);
        match &mut connection.phase {
            Phase::Opening(handshake) => {
                let step = handshake.segment(now, segment);
                self.step(now, index, interface, segment, step, output, owner);
            }
            Phase::Open(_) => self.open(now, index, segment, output, owner),
            Phase::Quiet(_) => self.quiet(now, index, segment, output, owner),
            Phase::Over(_) => {}
        }
    }

    fn unknown(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        key: &Key,
        segment: &Segment<'_>,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) {
        let beyond = match self.time_wait.segment(now, key, segment) {
            Some(Answer::Nothing) => return,
            Some(Answer::Again(control)) => return control.send(output),
            Some(Answer::Anew(beyond)) => Some(beyond),
            None => None,
        };
        if !segment.syn || segment.ack.is_some() {
            return self.reset(segment, output);
        }
        if self.deferred.contains(key) {
            return;
        }
        let pending = Pending {
            flow: segment.flow,
            interface,
            request: Request::of(segment),
            beyond,
        };
        let verdict = owner.connection_requested(interface, segment.flow);
        self.judge(now, key, pending, verdict, output, owner);
    }

    /// Decides on a request that was deferred.
    pub fn decide(
        &mut self,
        now: Instant,
        flow: Flow,
        verdict: Verdict,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) -> Option<ConnectionId> {
        self.now = now;
        let key = Key::new(&flow);
        let pending = self.deferred.take(&key)?;
        self.judge(now, &key, pending, verdict, output, owner)
    }

    fn judge(
        &mut self,
        now: Instant,
        key: &Key,
        pending: Pending,
        verdict: Verdict,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) -> Option<ConnectionId> {
        match verdict {
            Verdict::Accept(token, options) => {
                self.accept(now, *key, &pending, token, options, output, owner)
            }
            Verdict::Refuse => {
                self.counters.resets_sent += 1;
                pending.request.refusal(pending.flow).send(output);
                None
            }
            Verdict::Drop => {
                self.counters.requests_dropped += 1;
                None
            }
            Verdict::Defer => {
                self.deferred.insert(now, *key, pending);
                None
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "they are the request's and the caller's"
    )]
    fn accept(
        &mut self,
        now: Instant,
        key: Key,
        pending: &Pending,
        token: Token,
        options: TcpOptions,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) -> Option<ConnectionId> {
        // It may be there by now: both sides asked.
        if self.table.find(&key).is_some() {
            return None;
        }
        while self.half_open.len() >= half_open::MOST && self.evict(owner) {}
        let start = match pending.beyond {
            Some(earlier) => earlier.plus(BEYOND),
            None => self.initial.number(now, &key),
        };
        let offer = offer(&pending.flow, &options, output);
        let handshake = Handshake::answer(now, pending.flow, start, offer, &pending.request);
        let mut connection = Connection::new(now, pending.flow, token, options, handshake);
        connection.interface = Some(pending.interface);
        let index = self.table.insert(key, connection);
        let id = self.table.id(index);
        self.half_open.push(id);
        self.counters.passive_opens += 1;
        self.send_syn(now, index, output);
        self.schedule(now, index);
        Some(id)
    }

    /// Ends the oldest half-open connection.
    fn evict(&mut self, owner: &mut dyn Owner) -> bool {
        while let Some(id) = self.half_open.pop() {
            if let Some(index) = self.half_open_index(id) {
                self.counters.half_open_evicted += 1;
                self.end(index, Some(TcpError::TimedOut), Some(owner));
                return true;
            }
        }
        false
    }

    fn half_open_index(&self, id: ConnectionId) -> Option<u32> {
        let index = self.table.index(id)?;
        let connection = self.table.get(index)?;
        matches!(&connection.phase, Phase::Opening(handshake) if !handshake.is_active())
            .then_some(index)
    }

    /// Sends our SYN, or gives up.
    pub(super) fn send_syn(&mut self, now: Instant, index: u32, output: &mut dyn Output) -> bool {
        let Some(connection) = self.table.get_mut(index) else {
            return false;
        };
        let Phase::Opening(handshake) = &mut connection.phase else {
            return false;
        };
        let Some(control) = handshake.send(now) else {
            return false;
        };
        self.counters.retransmitted += u64::from(handshake.repetitions() > 0);
        control.send(output);
        true
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "they are the segment's and the caller's"
    )]
    fn step(
        &mut self,
        now: Instant,
        index: u32,
        interface: InterfaceId,
        segment: &Segment<'_>,
        step: Step,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) {
        match step {
            Step::Wait => {}
            Step::Answer(control) => control.send(output),
            Step::Reset => self.reset(segment, output),
            Step::Send => {
                self.send_syn(now, index, output);
                self.schedule(now, index);
            }
            Step::Refused => {
                let is_active = matches!(
                    self.table.get(index).map(|connection| &connection.phase),
                    Some(Phase::Opening(handshake)) if handshake.is_active()
                );
                let error = if is_active {
                    TcpError::Refused
                } else {
                    TcpError::Reset
                };
                self.end(index, Some(error), Some(owner));
            }
            Step::Established(opening) => {
                self.establish(now, index, interface, &opening, segment, output, owner);
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "they are the segment's and the caller's"
    )]
    fn establish(
        &mut self,
        now: Instant,
        index: u32,
        interface: InterfaceId,
        opening: &Opening,
        segment: &Segment<'_>,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) {
        let is_active = matches!(
            self.table.get(index).map(|connection| &connection.phase),
            Some(Phase::Opening(handshake)) if handshake.is_active()
        );
        if !is_active {
            self.half_open.leave();
        }
        let Some(connection) = self.table.get_mut(index) else {
            return;
        };
        // An engine comes with the first byte, and memory for it need not be there before.
        connection.phase = Phase::Quiet(*opening);
        connection.heard = now;
        connection.stir(now);
        if segment.syn {
            connection.window_of_quiet(opening).send(output);
        }
        self.tell(index, TcpEvents::ESTABLISHED | TcpEvents::WRITABLE, owner);
        if self
            .table
            .get(index)
            .is_some_and(|connection| connection.is_finishing)
        {
            self.finish_quiet(now, index, output, owner);
        }
        if !segment.syn {
            self.known(now, index, interface, segment, output, owner);
        }
        self.schedule(now, index);
    }

    /// A segment for a connection that has no engine now.
    fn quiet(
        &mut self,
        now: Instant,
        index: u32,
        segment: &Segment<'_>,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) {
        let Some(connection) = self.table.get_mut(index) else {
            return;
        };
        let Phase::Quiet(opening) = &mut connection.phase else {
            return;
        };
        let is_plain = !segment.syn && !segment.rst && !segment.fin;
        let is_current = segment.ack == Some(opening.send_next);
        if is_plain && is_current && segment.payload_len == 0 && segment.seq == opening.receive_next
        {
            // A window, or the answer to a probe.
            opening.peer_window = usize::from(segment.window) << opening.peer_scale.unwrap_or(0);
            connection.heard = now;
            connection.probes = 0;
            return self.schedule(now, index);
        }
        let is_probe = segment.seq == opening.receive_next.previous() && segment.payload_len <= 1;
        if is_plain && is_current && is_probe {
            connection.heard = now;
            let opening = *opening;
            return connection.window_of_quiet(&opening).send(output);
        }
        let opening = *opening;
        if self.wake(now, index, &opening) {
            self.open(now, index, segment, output, owner);
        }
    }

    /// A segment for a connection with an engine.
    fn open(
        &mut self,
        now: Instant,
        index: u32,
        segment: &Segment<'_>,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) {
        let owed = self.table.get(index).map_or(0, Connection::owed);
        let Some(connection) = self.table.get_mut(index) else {
            return;
        };
        let Phase::Open(engine) = &mut connection.phase else {
            return;
        };
        let expected = engine.receive_next();
        if segment.rst || segment.syn {
            let is_exact = segment.rst && segment.seq == expected;
            let is_near = segment.seq.is_in(expected, engine.window_len().max(1));
            let state = engine.state();
            if is_exact {
                return self.end(index, reset_in(state), Some(owner));
            }
            // RFC 5961, sections 3.2 and 4.2: who is right, is asked.
            if segment.syn || is_near {
                let control = acknowledgement(connection.flow, engine.as_ref());
                self.challenge(now, &control, output);
            }
            return;
        }
        let data_end = segment.seq.plus(segment.payload_len);
        if connection.is_released && segment.payload_len > 0 && data_end > expected {
            // Nobody will read it (RFC 2525, section 2.17).
            self.reset(segment, output);
            return self.end(index, None, None);
        }
        engine.segment(&mut self.context, now, segment, output);
        let mut events = TcpEvents::empty();
        if engine.receive_next() != expected {
            events |= TcpEvents::READABLE;
        }
        let due = engine.poll_at(&mut self.context, now);
        connection.heard = now;
        connection.probes = 0;
        if !events.is_empty() || connection.owed() != owed {
            connection.stir(now);
        }
        connection.observe(now, owed);
        let later = due.filter(|due| *due > now);
        if due != later {
            self.pend(index);
        }
        if self.follow(now, index, events, Some(owner)) {
            let is_blocked = self.table.get(index).is_some_and(|found| found.is_blocked);
            self.schedule_at(index, later.filter(|_| !is_blocked));
        }
    }

    /// Answers what belongs to no connection.
    fn reset(&mut self, segment: &Segment<'_>, output: &mut dyn Output) {
        if let Some(control) = segment.reset() {
            self.counters.resets_sent += 1;
            control.send(output);
        }
    }

    fn challenge(&mut self, now: Instant, control: &Control, output: &mut dyn Output) {
        let second = now.secs();
        if self.challenges.0 != second {
            self.challenges = (second, 0);
        }
        self.challenges.1 += 1;
        if self.challenges.1 <= CHALLENGES {
            control.send(output);
        }
    }
}

/// An acknowledgement of what an engine has.
pub(super) fn acknowledgement(flow: Flow, engine: &impl Engine) -> Control {
    Control {
        ack: Some(engine.receive_next()),
        window: engine.window(),
        ..Control::new(flow, engine.send_next())
    }
}

/// What a reset means in a state, as Linux's tcp_reset() has it.
fn reset_in(state: State) -> Option<TcpError> {
    match state {
        State::CloseWait => Some(TcpError::Broken),
        State::LastAck | State::Closing | State::TimeWait | State::Closed => None,
        _ => Some(TcpError::Reset),
    }
}

/// What we say of ourselves to the other side of `flow`.
pub(super) fn offer(flow: &Flow, options: &TcpOptions, output: &dyn Output) -> Offer {
    let remote = flow.remote.ip();
    let headers = ip_header_len(remote) + TCP_HEADER_LEN;
    let most = usize::from(output.mtu(remote)).saturating_sub(headers);
    let mss = u16::try_from(most).unwrap_or(u16::MAX).max(48);
    Offer {
        mss: options
            .max_segment
            .map_or(mss, |asked| asked.clamp(48, mss)),
        scale: scale_of(options.receive_buffer),
        window: u16::try_from(options.receive_buffer).unwrap_or(u16::MAX),
        hop_limit: options.hop_limit,
        traffic_class: options.traffic_class,
        retries: options.syn_retries,
    }
}

/// For a connection of ours that begins.
pub(super) fn start(tcp: &Tcp, now: Instant, key: &Key) -> Sequence {
    tcp.initial.number(now, key)
}
