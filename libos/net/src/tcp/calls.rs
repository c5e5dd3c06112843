//! What the owner asks of connections.

use core::net::IpAddr;

use super::connection::{Connection, Phase};
use super::engine::Engine;
use super::handshake::Handshake;
use super::input::{acknowledgement, offer, start};
use super::segment::Control;
use super::table::Key;
use super::{ConnectError, ConnectionId, Refusal, State, Tcp, TcpError, TcpInfo, TcpOptions};
use crate::address::Flow;
use crate::output::Output;
use crate::owner::{Owner, TcpEvents, Token};
use crate::time::Instant;
use smoltcp::wire::TcpControl;

/// Most connections without an owner (tcp_max_orphans); more are reset.
const MOST_ORPHANS: usize = 4096;

impl Tcp {
    /// Begins a connection; [`crate::owner::TcpEvents::ESTABLISHED`] or `CLOSED` will tell.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect(
        &mut self,
        now: Instant,
        flow: Flow,
        token: Token,
        options: TcpOptions,
        output: &mut dyn Output,
    ) -> Result<ConnectionId, ConnectError> {
        self.now = now;
        if self.is_used(flow) {
            return Err(ConnectError::InUse);
        }
        if !self.memory.has_room() && !self.make_room(now) {
            return Err(ConnectError::NoMemory);
        }
        let is_possible = flow.local.is_ipv4() == flow.remote.is_ipv4()
            && flow.local.port() != 0
            && flow.remote.port() != 0
            && !flow.remote.ip().is_unspecified()
            && !flow.remote.ip().is_multicast()
            && !flow.local.ip().is_unspecified();
        if !is_possible {
            return Err(ConnectError::NoRoute);
        }
        let key = Key::new(&flow);
        let number = start(self, now, &key);
        let handshake = Handshake::ask(now, flow, number, offer(&flow, &options, output));
        let connection = Connection::new(now, flow, token, options, handshake);
        let index = self.table.insert(key, connection);
        self.counters.active_opens += 1;
        self.send_syn(now, index, output);
        self.schedule(now, index);
        Ok(self.table.id(index))
    }

    /// Whether these addresses are in use, TIME-WAIT included.
    pub fn is_used(&self, flow: Flow) -> bool {
        let key = Key::new(&flow);
        self.table.find(&key).is_some() || self.time_wait.contains(&key)
    }

    /// Lets `fill` put bytes into the send buffer; it is called at most twice with free room, and returns
    /// how much it wrote. Nothing leaves before [`Self::flush`].
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn send(
        &mut self,
        connection: ConnectionId,
        fill: &mut dyn FnMut(&mut [u8]) -> usize,
    ) -> Result<usize, Refusal> {
        let index = self.table.index(connection).ok_or(Refusal::NotConnected)?;
        self.wake_quiet(index)?;
        let found = self.table.get_mut(index).ok_or(Refusal::NotConnected)?;
        if let Some(error) = found.error.take() {
            return Err(Refusal::Error(error));
        }
        let Phase::Open(engine) = &mut found.phase else {
            return Err(match found.phase {
                Phase::Opening(_) => Refusal::NotConnected,
                _ => Refusal::Ended,
            });
        };
        if !matches!(engine.state(), State::Established | State::CloseWait) {
            return Err(Refusal::Ended);
        }
        let sent = engine.send(fill);
        // Whoever finds less than a third free (`readiness`) waits for more, also one who was refused nothing.
        found.is_full = !has_room(engine.as_ref());
        let is_full = engine.send_queue() == engine.send_capacity();
        if sent == 0 {
            return if is_full {
                Err(Refusal::WouldBlock)
            } else {
                Ok(0)
            };
        }
        found.is_touched = true;
        Ok(sent)
    }

    /// Sends what may be sent now: data, acknowledgements, window updates.
    pub fn flush(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        output: &mut dyn Output,
        owner: &mut dyn Owner,
    ) {
        self.now = now;
        if let Some(index) = self.table.index(connection) {
            self.drive(now, index, output);
            self.settle(now, index, TcpEvents::empty(), Some(owner));
        }
    }

    /// Hands received bytes to `take`, at most two runs; it returns how much it took.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn receive_bytes(
        &mut self,
        connection: ConnectionId,
        take: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Result<usize, Refusal> {
        let now = self.now;
        let index = self.table.index(connection).ok_or(Refusal::NotConnected)?;
        let found = self.table.get_mut(index).ok_or(Refusal::NotConnected)?;
        match found.engine_mut() {
            Some(engine) if engine.receive_queue() > 0 => {
                let taken = engine.receive(take);
                let is_open = matches!(found.phase, Phase::Open(_));
                found.is_touched = true;
                if is_open {
                    self.update_window(now, index);
                }
                Ok(taken)
            }
            _ => Err(nothing_to_read(found, true)),
        }
    }

    /// As [`Self::receive_bytes`] without taking: shows what lies `skip` bytes ahead, in one run.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn peek(
        &mut self,
        connection: ConnectionId,
        skip: usize,
        look: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Refusal> {
        let index = self.table.index(connection).ok_or(Refusal::NotConnected)?;
        let found = self.table.get_mut(index).ok_or(Refusal::NotConnected)?;
        match found.engine_mut() {
            Some(engine) if engine.receive_queue() > 0 => {
                engine.peek(skip, look);
                Ok(())
            }
            _ => Err(nothing_to_read(found, true)),
        }
    }

    /// What could be done now without waiting: [`TcpEvents::READABLE`] if there are bytes, the end or an
    /// error to be had; [`TcpEvents::WRITABLE`] if a third of the send buffer is free (Linux's rule), or sending
    /// would be refused; [`TcpEvents::ESTABLISHED`] once the handshake is over; [`TcpEvents::CLOSED`] if
    /// it is gone.
    pub fn readiness(&self, connection: ConnectionId) -> TcpEvents {
        self.find(connection)
            .map_or(TcpEvents::all(), Connection::readiness)
    }

    /// Ends our half once everything is sent.
    pub fn shutdown_send(&mut self, connection: ConnectionId) {
        let Some(index) = self.table.index(connection) else {
            return;
        };
        let Some(found) = self.table.get_mut(index) else {
            return;
        };
        found.is_finishing = true;
        found.is_end_awaited = true;
        if self.wake_quiet(index).is_err() {
            return;
        }
        let Some(found) = self.table.get_mut(index) else {
            return;
        };
        if let Phase::Open(engine) = &mut found.phase {
            engine.finish();
            found.is_touched = true;
            self.pend(index);
        }
    }

    /// The owner lets go of it: what is buffered is still sent, then it ends by itself; no more events
    /// come. Unread data, or data that comes, answers with a reset, as RFC 2525 section 2.17 and Linux have it.
    pub fn release(&mut self, now: Instant, connection: ConnectionId, output: &mut dyn Output) {
        self.now = now;
        let Some(index) = self.table.index(connection) else {
            return;
        };
        let is_rested = self.wake_quiet(index).is_err();
        let Some(found) = self.table.get_mut(index) else {
            return;
        };
        let ends_now = match &found.phase {
            Phase::Open(engine) => engine.receive_queue() > 0 || self.orphans >= MOST_ORPHANS,
            _ => true,
        };
        if ends_now || is_rested {
            return self.abort(now, connection, output);
        }
        found.is_released = true;
        found.is_touched = true;
        if let Phase::Open(engine) = &mut found.phase {
            engine.finish();
        }
        self.orphans += 1;
        self.drive(now, index, output);
        self.settle(now, index, TcpEvents::empty(), None);
    }

    /// Ends it at once with a reset, and lets go of it (SO_LINGER of 0).
    pub fn abort(&mut self, now: Instant, connection: ConnectionId, output: &mut dyn Output) {
        self.now = now;
        let Some(index) = self.table.index(connection) else {
            return;
        };
        self.count_end(index);
        let reset = self.table.get(index).and_then(reset_of);
        if let Some(control) = reset {
            self.counters.resets_sent += 1;
            control.send(output);
        }
        self.remove(index);
    }

    /// Changes a connection's token (accept(2): from the listener's to the socket's).
    pub fn set_token(&mut self, connection: ConnectionId, token: Token) {
        if let Some(found) = self.find_mut(connection) {
            found.token = token;
        }
    }

    /// Changes what can be changed during a connection: all but the lengths of buffers, which count again
    /// when a quiet connection wakes up, the number of SYNs, and the longest segment.
    pub fn set_options(&mut self, connection: ConnectionId, options: TcpOptions) {
        let now = self.now;
        let Some(index) = self.table.index(connection) else {
            return;
        };
        let Some(found) = self.table.get_mut(index) else {
            return;
        };
        found.options = options;
        let tuning = found.tuning();
        if let Some(engine) = found.engine_mut() {
            engine.tune(tuning);
        }
        self.schedule(now, index);
    }

    /// The error that ended it, not taken.
    pub fn error(&self, connection: ConnectionId) -> Option<TcpError> {
        self.find(connection)?.error
    }

    /// The error that ended it, taken (SO_ERROR).
    pub fn take_error(&mut self, connection: ConnectionId) -> Option<TcpError> {
        self.find_mut(connection)?.error.take()
    }

    /// What it is about.
    pub fn info(&self, connection: ConnectionId) -> Option<TcpInfo> {
        let found = self.find(connection)?;
        Some(TcpInfo {
            is_writable: found.readiness().contains(TcpEvents::WRITABLE),
            ..info(found)
        })
    }

    /// Every connection, TIME-WAIT included, for `/proc/net/tcp`.
    pub fn each(&self, visit: &mut dyn FnMut(&TcpInfo)) {
        for (_, connection) in self.table.iter() {
            visit(&info(connection));
        }
        for remains in self.time_wait.iter() {
            visit(&TcpInfo {
                state: State::TimeWait,
                ..empty_info(remains.flow)
            });
        }
    }

    /// Bytes of buffers that connections use now.
    pub fn memory(&self) -> usize {
        self.memory.used()
    }

    /// Connections to or from an address that is no longer ours end with an error.
    pub fn address_gone(&mut self, address: IpAddr, owner: &mut dyn Owner) {
        self.time_wait.forget(address);
        for index in 0..self.table.slots() {
            let is_concerned = self
                .table
                .get(index)
                .is_some_and(|connection| connection.flow.local.ip() == address);
            if is_concerned {
                self.end(index, Some(TcpError::NetworkUnreachable), Some(owner));
            }
        }
    }

    pub(super) fn find(&self, id: ConnectionId) -> Option<&Connection> {
        self.table.get(self.table.index(id)?)
    }

    fn find_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.table.get_mut(self.table.index(id)?)
    }

    /// A quiet connection needs its engine.
    fn wake_quiet(&mut self, index: u32) -> Result<(), Refusal> {
        let opening = match self.table.get(index).map(|found| &found.phase) {
            Some(Phase::Quiet(opening)) => *opening,
            _ => return Ok(()),
        };
        if self.wake(self.now, index, &opening) {
            return Ok(());
        }
        if let Some(found) = self.table.get_mut(index) {
            found.is_starved = true;
            found.stir(self.now);
        }
        self.schedule(self.now, index);
        Err(Refusal::WouldBlock)
    }
}

impl Connection {
    /// See [`Tcp::readiness`].
    pub fn readiness(&self) -> TcpEvents {
        match &self.phase {
            Phase::Opening(_) => TcpEvents::empty(),
            Phase::Quiet(_) if self.is_starved => TcpEvents::ESTABLISHED,
            Phase::Quiet(_) => TcpEvents::ESTABLISHED | TcpEvents::WRITABLE,
            Phase::Open(engine) => {
                let mut events = TcpEvents::ESTABLISHED;
                let has_input = engine.receive_queue() > 0 || engine.has_peer_ended();
                events.set(TcpEvents::READABLE, has_input);
                let may_send = matches!(engine.state(), State::Established | State::CloseWait);
                events.set(TcpEvents::WRITABLE, !may_send || has_room(engine.as_ref()));
                events
            }
            Phase::Over(_) => TcpEvents::all(),
        }
    }
}

/// Whether a third of the send buffer is free.
pub(super) fn has_room(engine: &impl Engine) -> bool {
    let capacity = engine.send_capacity();
    (capacity - engine.send_queue()) * 3 >= capacity
}

fn nothing_to_read(found: &mut Connection, takes_error: bool) -> Refusal {
    let error = if takes_error {
        found.error.take()
    } else {
        found.error
    };
    if let Some(error) = error {
        return Refusal::Error(error);
    }
    match &found.phase {
        Phase::Opening(_) => Refusal::NotConnected,
        Phase::Open(engine) if !engine.has_peer_ended() => Refusal::WouldBlock,
        Phase::Quiet(_) => Refusal::WouldBlock,
        _ => Refusal::Ended,
    }
}

/// The reset that ends a connection; none if the other side knows nothing of it.
fn reset_of(found: &Connection) -> Option<Control> {
    let acknowledged = match &found.phase {
        Phase::Opening(handshake) if handshake.is_synchronized() => handshake.acknowledgement(),
        Phase::Open(engine) => acknowledgement(found.flow, engine.as_ref()),
        Phase::Quiet(opening) => Control {
            ack: Some(opening.receive_next),
            ..Control::new(found.flow, opening.send_next)
        },
        _ => return None,
    };
    Some(Control {
        kind: TcpControl::Rst,
        ..acknowledged
    })
}

pub(super) fn keep_alive_probe(found: &Connection) -> Option<Control> {
    let mut control = reset_of(found)?;
    control.kind = TcpControl::None;
    control.seq = control.seq.previous();
    Some(control)
}

fn empty_info(flow: Flow) -> TcpInfo {
    TcpInfo {
        state: State::Closed,
        flow,
        interface: None,
        send_queue: 0,
        receive_queue: 0,
        retransmits: 0,
        rtt_us: 0,
        rto_us: 0,
        send_mss: 0,
        receive_window: 0,
        is_writable: false,
    }
}

fn info(found: &Connection) -> TcpInfo {
    let mut info = TcpInfo {
        state: found.state(),
        interface: found.interface,
        ..empty_info(found.flow)
    };
    match &found.phase {
        Phase::Opening(handshake) => info.retransmits = handshake.repetitions().into(),
        Phase::Quiet(opening) => {
            info.send_mss = opening.mss.into();
            info.rtt_us = opening
                .round_trip
                .map_or(0, |trip| narrow(trip.total_micros()));
        }
        Phase::Open(engine) | Phase::Over(Some(engine)) => {
            let measures = engine.measures();
            info.send_queue = engine.send_queue();
            info.receive_queue = engine.receive_queue();
            info.retransmits = measures.retransmits;
            info.send_mss = engine.mss().into();
            info.rtt_us = measures
                .round_trip
                .map_or(0, |trip| narrow(trip.total_micros()));
            info.receive_window = narrow(u64::try_from(engine.window_len()).unwrap_or(u64::MAX));
        }
        Phase::Over(None) => {}
    }
    // What the engine's estimator comes to at least (Linux's TCP_RTO_MIN).
    info.rto_us = info.rtt_us.saturating_mul(2).max(200_000);
    info
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
