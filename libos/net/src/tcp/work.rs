//! What is due: the wheel, egress, and the transitions that follow from an engine's state.

use alloc::boxed::Box;

use super::calls::{has_room, keep_alive_probe};
use super::connection::{Connection, Limit, Phase};
use super::engine::{Current, Engine, Opening, Sent};
use super::memory::Provision;
use super::time_wait::Remains;
use super::{ConnectionId, State, Tcp, TcpError};
use crate::output::Output;
use crate::owner::{Owner, TcpEvents};
use crate::time::{Duration, Instant};

/// An engine that wants to be polled again at once, and then has nothing to send, waits for so long.
const BACKOFF: Duration = Duration::from_millis(5);

/// Connections looked at for one that needs room, and how many of them are put to rest.
const SWEEP: u32 = 16;
const ENOUGH: u32 = 2;

impl Tcp {
    /// Does what is due: retransmissions, delayed acknowledgements, data that found no room.
    pub fn poll(&mut self, now: Instant, output: &mut dyn Output, owner: &mut dyn Owner) {
        self.now = now;
        self.time_wait.expire(now);
        while let Some(index) = self.timers.expired(now) {
            self.expire(now, index, output, owner);
        }
        // What becomes pending meanwhile is for the next poll.
        for id in core::mem::take(&mut self.pending) {
            if let Some(index) = self.table.index(id) {
                self.drive(now, index, output);
                self.settle(now, index, TcpEvents::empty(), Some(owner));
            }
        }
    }

    /// There is room on the way out again: connections that found none are polled.
    pub fn writable(&mut self, now: Instant, output: &mut dyn Output, owner: &mut dyn Owner) {
        self.now = now;
        for _ in 0..self.blocked.len() {
            let Some(id) = self.blocked.pop_front() else {
                return;
            };
            let Some(index) = self.table.index(id) else {
                continue;
            };
            if let Some(connection) = self.table.get_mut(index) {
                connection.is_blocked = false;
            }
            self.drive(now, index, output);
            self.settle(now, index, TcpEvents::empty(), Some(owner));
        }
    }

    /// When [`Self::poll`] wants to be called next.
    pub fn poll_at(&self) -> Option<Instant> {
        if !self.pending.is_empty() {
            return Some(Instant::ZERO);
        }
        // Whole seconds do for TIME-WAIT.
        let remains = self
            .time_wait
            .next()
            .map(|at| Instant::from_secs(at.secs() + 1));
        [self.timers.next(), remains].into_iter().flatten().min()
    }

    /// Marks a connection for the next poll.
    pub(super) fn pend(&mut self, index: u32) {
        let id = self.table.id(index);
        let Some(connection) = self.table.get_mut(index) else {
            return;
        };
        if !connection.is_pending && !connection.is_blocked {
            connection.is_pending = true;
            self.pending.push(id);
        }
    }

    /// Marks a connection for the next poll if its window grew by enough to be told.
    pub(super) fn update_window(&mut self, now: Instant, index: u32) {
        let Some(connection) = self.table.get(index) else {
            return;
        };
        let Phase::Open(engine) = &connection.phase else {
            return;
        };
        let due = engine.poll_at(&mut self.context, now);
        if due.is_some_and(|due| due <= now) {
            self.pend(index);
        }
    }

    /// Lets a connection send.
    pub(super) fn drive(&mut self, now: Instant, index: u32, output: &mut dyn Output) {
        let id = self.table.id(index);
        let Some(connection) = self.table.get_mut(index) else {
            return;
        };
        if core::mem::take(&mut connection.is_pending) && self.pending.last() == Some(&id) {
            self.pending.pop();
        }
        if core::mem::take(&mut connection.is_touched) {
            connection.stir(now);
            let owed = connection.owed();
            connection.observe(now, owed);
        }
        if connection.is_blocked {
            return;
        }
        let Phase::Open(engine) = &mut connection.phase else {
            return;
        };
        match engine.poll(&mut self.context, now, output) {
            Sent::All => {}
            Sent::Some => self.pend(index),
            Sent::Blocked => {
                connection.is_blocked = true;
                self.blocked.push_back(id);
            }
        }
    }

    /// After anything: what the engine's state means, what is to be told, when to look again.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        index: u32,
        events: TcpEvents,
        owner: Option<&mut dyn Owner>,
    ) {
        if self.follow(now, index, events, owner) {
            self.schedule(now, index);
        }
    }

    /// What the engine's state means, and what is to be told; whether the connection goes on.
    pub(super) fn follow(
        &mut self,
        now: Instant,
        index: u32,
        mut events: TcpEvents,
        owner: Option<&mut dyn Owner>,
    ) -> bool {
        let Some(connection) = self.table.get_mut(index) else {
            return false;
        };
        let Phase::Open(engine) = &connection.phase else {
            return false;
        };
        match engine.state() {
            State::Closed => {
                self.end(index, None, owner);
                return false;
            }
            State::TimeWait if engine.has_acknowledged() => {
                self.counters.time_waits += 1;
                self.time_wait.insert(
                    now,
                    Remains {
                        flow: connection.flow,
                        send_next: engine.send_next(),
                        receive_next: engine.receive_next(),
                        window: engine.window(),
                    },
                );
                self.end(index, None, owner);
                return false;
            }
            _ => {}
        }
        if connection.is_full && has_room(engine.as_ref()) {
            connection.is_full = false;
            events |= TcpEvents::WRITABLE;
        }
        if connection.is_end_awaited && engine.state() == State::FinWait2 {
            connection.is_end_awaited = false;
            events |= TcpEvents::WRITABLE;
        }
        if let Some(owner) = owner {
            self.tell(index, events, owner);
        }
        true
    }

    /// Tells the owner.
    pub(super) fn tell(&self, index: u32, events: TcpEvents, owner: &mut dyn Owner) {
        let Some(connection) = self.table.get(index) else {
            return;
        };
        if !events.is_empty() && !connection.is_released {
            owner.tcp(self.table.id(index), connection.token, events);
        }
    }

    /// Puts a connection on the wheel.
    pub(super) fn schedule(&mut self, now: Instant, index: u32) {
        let Some(connection) = self.table.get(index) else {
            return;
        };
        let engine_due = match &connection.phase {
            Phase::Opening(handshake) => Some(handshake.due()),
            Phase::Open(engine) if !connection.is_pending && !connection.is_blocked => engine
                .poll_at(&mut self.context, now)
                .map(|due| if due <= now { now + BACKOFF } else { due }),
            _ => None,
        };
        self.schedule_at(index, engine_due);
    }

    /// The same where it is known when the engine wants to be polled.
    pub(super) fn schedule_at(&mut self, index: u32, engine_due: Option<Instant>) {
        let Some(connection) = self.table.get(index) else {
            return;
        };
        let due = match (engine_due, connection.limit()) {
            (Some(due), Some((limit, _))) => Some(due.min(limit)),
            (due, limit) => due.or(limit.map(|(at, _)| at)),
        };
        self.timers.set(index, due);
    }

    /// The wheel says so.
    fn expire(&mut self, now: Instant, index: u32, output: &mut dyn Output, owner: &mut dyn Owner) {
        let Some(connection) = self.table.get(index) else {
            return;
        };
        if let Phase::Opening(handshake) = &connection.phase {
            if handshake.due() <= now && !self.send_syn(now, index, output) {
                return self.end(index, Some(TcpError::TimedOut), Some(owner));
            }
            return self.schedule(now, index);
        }
        if let Some((at, limit)) = connection.limit()
            && at <= now
            && !self.enforce(now, index, limit, output, owner)
        {
            return;
        }
        self.drive(now, index, output);
        self.settle(now, index, TcpEvents::empty(), Some(owner));
        // Without an engine, settling does not schedule.
        self.schedule(now, index);
    }

    /// Does what a limit asks for; whether the connection goes on.
    fn enforce(
        &mut self,
        now: Instant,
        index: u32,
        limit: Limit,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) -> bool {
        let Some(connection) = self.table.get_mut(index) else {
            return false;
        };
        match limit {
            Limit::GiveUp(error) => {
                self.end(index, Some(error), Some(owner));
                false
            }
            Limit::Drop => {
                self.end(index, None, None);
                false
            }
            Limit::Probe => {
                connection.probes += 1;
                connection.probed = now;
                if let Some(control) = keep_alive_probe(connection) {
                    control.send(output);
                }
                true
            }
            Limit::Rest => {
                self.rest(now, index);
                true
            }
            Limit::TryAgain => {
                connection.is_starved = false;
                self.tell(index, TcpEvents::WRITABLE, owner);
                true
            }
            Limit::Finish => {
                connection.stir(now);
                self.finish_quiet(now, index, output, owner);
                true
            }
        }
    }

    /// Ends our half of a quiet connection, now or when there is memory.
    pub(super) fn finish_quiet(
        &mut self,
        now: Instant,
        index: u32,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) {
        let opening = match self.table.get(index).map(|connection| &connection.phase) {
            Some(Phase::Quiet(opening)) => *opening,
            _ => return,
        };
        if !self.wake(now, index, &opening) {
            return;
        }
        if let Some(engine) = self.table.get_mut(index).and_then(Connection::engine_mut) {
            engine.finish();
        }
        self.drive(now, index, output);
        self.settle(now, index, TcpEvents::empty(), Some(owner));
    }

    /// Gives a connection an engine and buffers; whether there was memory.
    pub(super) fn wake(&mut self, now: Instant, index: u32, opening: &Opening) -> bool {
        if self.memory.is_tight() {
            self.make_room(now);
        }
        if !self.memory.has_room() {
            self.counters.no_memory += 1;
        }
        let Some(connection) = self.table.get_mut(index) else {
            return false;
        };
        // No longer than the negotiated scale can tell.
        let longest = 65_535_usize << opening.own_scale;
        let wanted = connection.options.receive_buffer.min(longest);
        let Some(provision) = self.memory.take(wanted, connection.options.send_buffer) else {
            return false;
        };
        let tuning = connection.tuning();
        let context = &mut self.context;
        let engine = match provision {
            Provision::Engine(mut engine) => {
                engine.reopen(context, now, opening, tuning);
                engine
            }
            Provision::Buffers(receive, send) => {
                Box::new(Current::open(context, now, opening, tuning, receive, send))
            }
        };
        connection.phase = Phase::Open(engine);
        connection.stir(now);
        true
    }

    /// Takes a quiet connection's engine and buffers; whether it was quiet.
    fn rest(&mut self, now: Instant, index: u32) -> bool {
        let Some(connection) = self.table.get_mut(index) else {
            return false;
        };
        let Phase::Open(engine) = &connection.phase else {
            return false;
        };
        let Some(opening) = engine.close_up(&mut self.context, now) else {
            connection.restless = connection.restless.saturating_add(1);
            return false;
        };
        let quiet = Phase::Quiet(opening);
        connection.has_rested = true;
        if let Phase::Open(engine) = core::mem::replace(&mut connection.phase, quiet) {
            self.memory.give_back(engine);
        }
        self.schedule(now, index);
        true
    }

    /// Looks for connections that are quiet, however short; whether there is room then. While there is some, only
    /// those are disturbed that have much more than they would get now.
    pub(super) fn make_room(&mut self, now: Instant) -> bool {
        let slots = self.table.slots();
        let fair = self.memory.fair_share();
        let mut rested = 0;
        for _ in 0..SWEEP.min(slots) {
            if rested == ENOUGH {
                break;
            }
            self.hand = (self.hand + 1) % slots;
            let is_rich = self.table.get(self.hand).is_some_and(|connection| {
                let Phase::Open(engine) = &connection.phase else {
                    return false;
                };
                let len = engine.receive_capacity() + engine.send_capacity();
                len > 4 * fair && !connection.is_released
            });
            if is_rich && self.rest(now, self.hand) {
                rested += 1;
            }
        }
        self.memory.has_room()
    }

    /// It is over: its addresses are free, and its owner is told; what was received may still be read.
    pub(super) fn end(
        &mut self,
        index: u32,
        error: Option<TcpError>,
        owner: Option<&mut dyn Owner>,
    ) {
        let Some(connection) = self.table.get_mut(index) else {
            return;
        };
        if matches!(connection.phase, Phase::Over(_)) {
            return;
        }
        self.count_end(index);
        let Some(connection) = self.table.get_mut(index) else {
            return;
        };
        if connection.is_released {
            self.remove(index);
            return;
        }
        if matches!(&connection.phase, Phase::Opening(handshake) if !handshake.is_active()) {
            // Its owner has not even seen it: nothing is left to ask about.
            if let Some(owner) = owner {
                self.tell(index, TcpEvents::CLOSED, owner);
            }
            self.remove(index);
            return;
        }
        let phase = core::mem::replace(&mut connection.phase, Phase::Over(None));
        match phase {
            Phase::Open(engine) if engine.receive_queue() > 0 || engine.has_peer_ended() => {
                connection.phase = Phase::Over(Some(engine));
            }
            Phase::Open(engine) => self.memory.give_back(engine),
            _ => {}
        }
        connection.error = error;
        let flow = connection.flow;
        self.table.unbind(index, &flow);
        self.timers.set(index, None);
        if let Some(owner) = owner {
            let events = TcpEvents::READABLE | TcpEvents::WRITABLE | TcpEvents::CLOSED;
            self.tell(index, events, owner);
        }
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, index: u32) {
        let Some(connection) = self.table.remove(index) else {
            return;
        };
        self.timers.set(index, None);
        if connection.is_released {
            self.orphans = self.orphans.saturating_sub(1);
        }
        match connection.phase {
            Phase::Open(engine) | Phase::Over(Some(engine)) => self.memory.give_back(engine),
            Phase::Opening(handshake) if !handshake.is_active() => self.half_open.leave(),
            _ => {}
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        let table = &self.table;
        self.half_open.tidy(|id: ConnectionId| {
            table
                .index(id)
                .and_then(|index| table.get(index))
                .is_some_and(|connection| matches!(connection.phase, Phase::Opening(_)))
        });
    }
}
