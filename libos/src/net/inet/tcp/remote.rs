//! Connections over the network stack.
//!
//! The stack calls while it is locked ([`note`], [`requested`]): here that is only written down, and
//! [`settle`] does what follows once the stack is free. What is readable and writable is kept beside
//! each socket, so that a poll asks the stack nothing. The stack bounds the requests whose handshakes
//! are under way.

use alloc::sync::Weak;
use alloc::vec::Vec;

use hashbrown::HashMap;
use libos_net::address::Flow;
use libos_net::config::InterfaceId;
use libos_net::owner::{TcpEvents, Token, Verdict};
use libos_net::tcp::{
    ConnectError, ConnectionId, Refusal, Standing, TcpError, TcpInfo, TcpOptions,
};

use super::{Link, Phase, READABLE, State, TcpSocket, TcpState, WRITABLE, listen, table};
use crate::errno::{Errno, Result};
use crate::fs::poll::PollEvents;
use crate::net::inet::address::Family;
use crate::net::inet::{host, interfaces};
use crate::net::socket::Halves;
use crate::sync::SpinLock;
use crate::user::{Dest, Source};

/// A connection over the stack, and what is known of it since the last event.
pub struct Remote {
    /// What the stack calls it.
    pub id: ConnectionId,
    readable: usize,
    is_writable: bool,
}

impl Remote {
    fn new(id: ConnectionId) -> Self {
        Self {
            id,
            readable: 0,
            is_writable: true,
        }
    }

    /// Bytes that wait to be read.
    pub fn readable(&self) -> usize {
        self.readable
    }

    /// Whether there is enough room for a poll to say so.
    pub fn is_writable(&self) -> bool {
        self.is_writable
    }

    fn update(&mut self, standing: &Standing) {
        self.readable = standing.readable;
        self.is_writable = standing.is_writable;
    }
}

/// A request whose handshake is under way.
struct HalfOpen {
    listener: Weak<TcpSocket>,
    flow: Flow,
}

/// Events of one connection, and how it stands afterwards.
struct Event {
    connection: ConnectionId,
    token: Token,
    events: TcpEvents,
    standing: Option<Standing>,
}

/// What the stack told while it was locked.
#[derive(Default)]
struct Notes {
    events: Vec<Event>,
    half_open: HashMap<u64, HalfOpen>,
}

static NOTES: SpinLock<Option<Notes>> = SpinLock::new(None);

/// Whether the stack has a connection between these ends.
pub(super) fn is_used(flow: Flow) -> bool {
    host::with(|stack, now, _| stack.tcp(now).0.is_used(flow))
}

/// Something changed on a connection. The stack is locked.
pub fn note(connection: ConnectionId, token: Token, events: TcpEvents) {
    let mut notes = NOTES.lock();
    let notes = notes.get_or_insert_default();
    match notes.events.last_mut() {
        Some(last) if last.connection == connection => last.events |= events,
        _ => notes.events.push(Event {
            connection,
            token,
            events,
            standing: None,
        }),
    }
}

/// Somebody on the network asks for a connection. The stack is locked.
pub fn requested(interface: InterfaceId, flow: Flow) -> Verdict {
    let device = interfaces::index_of(interface);
    let Some(listener) = listen::find(flow.local, flow.remote, device) else {
        return Verdict::Refuse;
    };
    {
        let state = listener.state.lock();
        match &state.listening {
            None => return Verdict::Refuse,
            Some(listening) if !listening.has_room() => return Verdict::Drop,
            Some(_) => {}
        }
    }
    let token = table::next_token();
    let options = listener.engine_options(family_of(&flow));
    let mut notes = NOTES.lock();
    let notes = notes.get_or_insert_default();
    notes.half_open.insert(
        token.0,
        HalfOpen {
            listener: Weak::clone(&listener.me),
            flow,
        },
    );
    Verdict::Accept(token, options)
}

/// Does what the notes ask for. The stack is free.
pub fn settle() {
    loop {
        let mut events = {
            let mut notes = NOTES.lock();
            let Some(notes) = notes.as_mut() else { return };
            if notes.events.is_empty() {
                return;
            }
            core::mem::take(&mut notes.events)
        };
        // One look for all of them.
        host::look(|stack| {
            for event in &mut events {
                event.standing = stack.connections().standing(event.connection);
            }
            Some(())
        });
        for event in events {
            handle(&event);
        }
    }
}

fn handle(event: &Event) {
    let Event {
        connection,
        token,
        events,
        standing,
    } = *event;
    if let Some(socket) = table::find(token) {
        socket.hear(connection, events, standing);
        return;
    }
    if !events.intersects(TcpEvents::ESTABLISHED | TcpEvents::CLOSED) {
        return;
    }
    let half_open = {
        let mut notes = NOTES.lock();
        let notes = notes.as_mut();
        notes.and_then(|notes| notes.half_open.remove(&token.0))
    };
    let Some(half_open) = half_open else { return };
    if !events.contains(TcpEvents::ESTABLISHED) {
        release(connection);
        return;
    }
    match half_open.listener.upgrade() {
        Some(listener) => listener.welcome(event, half_open.flow),
        None => abort(connection),
    }
}

/// Ends our half once everything is sent.
pub(super) fn end_sending(id: ConnectionId) {
    host::with(|stack, now, owner| {
        let (tcp, output) = stack.tcp(now);
        tcp.shutdown_send(id);
        tcp.flush(now, id, output, owner);
    });
}

/// Ends a connection with a reset.
pub(super) fn abort(id: ConnectionId) {
    host::with(|stack, now, _| {
        let (tcp, output) = stack.tcp(now);
        tcp.abort(now, id, output);
    });
}

/// Lets go of a connection; what is buffered is still sent.
pub(super) fn release(id: ConnectionId) {
    host::with(|stack, now, _| {
        let (tcp, output) = stack.tcp(now);
        tcp.release(now, id, output);
    });
}

/// What the stack knows of a connection.
pub(super) fn info(id: ConnectionId) -> Option<TcpInfo> {
    host::look(|stack| stack.connections().info(id))
}

/// How a connection stands.
fn standing(id: ConnectionId) -> Option<Standing> {
    host::look(|stack| stack.connections().standing(id))
}

/// Takes up to `most` received bytes, or drops them.
pub(super) fn take(
    socket: &TcpSocket,
    id: ConnectionId,
    dest: &mut Dest<'_>,
    most: usize,
    drops: bool,
) -> Result<usize> {
    let mut left = most;
    let mut fault = None;
    let (taken, standing) = host::with(|stack, now, owner| {
        let (tcp, output) = stack.tcp(now);
        let taken = tcp.receive_bytes(id, &mut |run| {
            let run = &run[..run.len().min(left)];
            let count = if drops {
                run.len()
            } else {
                dest.put(run).unwrap_or_else(|error| {
                    fault = Some(error);
                    0
                })
            };
            left -= count;
            count
        });
        if tcp.has_news(id) {
            tcp.flush(now, id, output, owner);
        }
        (taken, tcp.standing(id))
    });
    socket.remember(standing);
    match (taken, fault) {
        (Ok(0), Some(error)) => Err(error),
        (Ok(count), _) => Ok(count),
        (Err(_), _) => {
            socket.remember_nothing();
            Err(Errno::EAGAIN)
        }
    }
}

/// Copies received bytes without taking them.
pub(super) fn look(id: ConnectionId, dest: &mut Dest<'_>) -> Result<usize> {
    let mut copied = 0;
    let mut fault = None;
    host::with(|stack, now, _| {
        let (tcp, _) = stack.tcp(now);
        // The ring has two runs at most.
        for _ in 0..2 {
            let mut step = 0;
            let looked = tcp.peek(id, copied, &mut |run| match dest.put(run) {
                Ok(count) => step = count,
                Err(error) => fault = Some(error),
            });
            if looked.is_err() || step == 0 {
                break;
            }
            copied += step;
        }
    });
    match fault {
        Some(error) if copied == 0 => Err(error),
        _ => Ok(copied),
    }
}

/// Hands bytes to the stack; `more` says that others follow, so that they may wait.
pub(super) fn try_send(
    socket: &TcpSocket,
    id: ConnectionId,
    source: &mut Source<'_>,
    more: bool,
) -> Option<Result<usize>> {
    let mut fault = None;
    let (sent, standing) = host::with(|stack, now, owner| {
        let (tcp, output) = stack.tcp(now);
        let sent = tcp.send(id, &mut |room| {
            let count = room.len().min(source.left());
            source.take(&mut room[..count]).unwrap_or_else(|error| {
                fault = Some(error);
                0
            })
        });
        if matches!(sent, Ok(1..)) && !more {
            tcp.flush(now, id, output, owner);
        }
        (sent, tcp.standing(id))
    });
    socket.remember(standing);
    match (sent, fault) {
        (Ok(0), Some(error)) => Some(Err(error)),
        (Ok(0) | Err(Refusal::WouldBlock), _) => {
            if more {
                flush(id);
            }
            socket.remember_full();
            None
        }
        (Ok(count), _) => Some(Ok(count)),
        // The event that says why is on its way, or was there.
        (Err(_), _) => {
            socket.hear(id, TcpEvents::CLOSED, self::standing(id));
            Some(Err(Errno::ESTALE))
        }
    }
}

/// Sends what waits.
pub(super) fn flush(id: ConnectionId) {
    host::with(|stack, now, owner| {
        let (tcp, output) = stack.tcp(now);
        tcp.flush(now, id, output, owner);
    });
}

impl TcpSocket {
    /// Its options as the engine wants them.
    fn engine_options(&self, family: Family) -> TcpOptions {
        let keep_alive = self.options.is_set(linux_raw_sys::net::SO_KEEPALIVE);
        let buffers = (super::send_room(&self.options), self.window());
        let inet = self.inet.values();
        self.settings
            .lock()
            .for_engine(keep_alive, buffers, &inet, family)
    }

    /// Options changed: tells the engine.
    pub(super) fn renew_engine_options(&self) {
        let (id, family) = {
            let state = self.state.lock();
            let Link::Remote(remote) = &state.link else {
                return;
            };
            let family = if state.local.is_ipv4() {
                Family::V4
            } else {
                Family::V6
            };
            (remote.id, family)
        };
        let options = self.engine_options(family);
        let is_corked = self.settings.lock().is_corked();
        host::with(|stack, now, owner| {
            let (tcp, output) = stack.tcp(now);
            tcp.set_options(id, options);
            if !is_corked {
                tcp.flush(now, id, output, owner);
            }
        });
    }

    /// Asks another machine.
    pub(super) fn ask_network(&self, flow: Flow) -> Result<()> {
        let options = self.engine_options(family_of(&flow));
        let token = self.token;
        let begun = host::with(|stack, now, _| {
            let (tcp, output) = stack.tcp(now);
            tcp.connect(now, flow, token, options, output)
        });
        let id = begun.map_err(|error| match error {
            ConnectError::InUse => Errno::EADDRNOTAVAIL,
            ConnectError::NoRoute => Errno::ENETUNREACH,
            ConnectError::NoMemory => Errno::ENOBUFS,
        })?;
        let mut state = self.state.lock();
        // An event may have come first.
        if state.tcp == TcpState::SynSent {
            state.link = Link::Remote(Remote::new(id));
        }
        Ok(())
    }

    /// A handshake is over: the new connection waits for accept(2).
    fn welcome(&self, event: &Event, flow: Flow) {
        let id = event.connection;
        let claim = self.state.lock().claim;
        let mut state = State::new(flow.local);
        state.phase = Phase::Connected;
        state.tcp = TcpState::Established;
        state.link = Link::Remote(Remote::new(id));
        state.peer = Some(flow.remote);
        state.claim = listen::child_claim(claim, flow.local);
        let child = self.child(event.token, state);
        self.take_in(&child);
        child.hear(id, event.events - TcpEvents::ESTABLISHED, event.standing);
    }

    /// Events of the stack about this socket's connection.
    fn hear(&self, id: ConnectionId, events: TcpEvents, standing: Option<Standing>) {
        if events.contains(TcpEvents::ESTABLISHED) {
            self.establish(Link::Remote(Remote::new(id)));
        }
        self.remember(standing);
        let shows_up = events.intersects(TcpEvents::READABLE | TcpEvents::CLOSED);
        if shows_up && self.state.lock().deferred_by.is_some() {
            self.undefer();
        }
        let is_over = events.contains(TcpEvents::CLOSED);
        match standing.and_then(|standing| standing.error) {
            Some(error) if is_over => self.end_with(error),
            _ => self.follow(standing.map(|standing| standing.state), is_over),
        }
        self.tell(events);
    }

    fn end_with(&self, error: TcpError) {
        match error {
            TcpError::Refused | TcpError::Reset | TcpError::Broken => {
                // What came before the reset can still be read: it moves out of the stack.
                self.keep_unread();
                self.reset();
            }
            TcpError::TimedOut => self.fail(Errno::ETIMEDOUT),
            TcpError::NetworkUnreachable => self.fail(Errno::ENETUNREACH),
            TcpError::HostUnreachable => self.fail(Errno::EHOSTUNREACH),
        }
    }

    /// Moves what was received from the stack, which is to let go of the connection, to the inbox.
    fn keep_unread(&self) {
        let id = match &self.state.lock().link {
            Link::Remote(remote) if remote.readable > 0 => remote.id,
            _ => return,
        };
        let mut unread = Vec::new();
        let _ = host::with(|stack, now, _| {
            let (tcp, _) = stack.tcp(now);
            tcp.receive_bytes(id, &mut |run| {
                unread.extend_from_slice(run);
                run.len()
            })
        });
        let mut state = self.state.lock();
        let _ = state.inbox.push(&mut Source::kernel(&unread), unread.len());
    }

    /// Moves on to the state that the stack says.
    fn follow(&self, stack_state: Option<TcpState>, is_over: bool) {
        let mut state = self.state.lock();
        if matches!(state.tcp, TcpState::Closed | TcpState::SynSent) {
            return;
        }
        let now = match stack_state {
            Some(now) if !is_over => now,
            _ => TcpState::TimeWait,
        };
        match now {
            TcpState::CloseWait | TcpState::LastAck | TcpState::Closing => {
                state.shut |= Halves::RECEIVE;
                state.is_done = true;
                state.tcp = now;
            }
            TcpState::TimeWait | TcpState::Closed => {
                state.shut = Halves::all();
                state.is_done = true;
                state.tcp = TcpState::Closed;
            }
            TcpState::FinWait1 | TcpState::FinWait2 => state.tcp = now,
            _ => {}
        }
    }

    /// Wakes those whom events concern.
    fn tell(&self, events: TcpEvents) {
        let mut found = PollEvents::empty();
        if events.intersects(TcpEvents::READABLE | TcpEvents::CLOSED) {
            self.arrivals.wake_all();
            found |= READABLE;
        }
        if events.intersects(TcpEvents::WRITABLE | TcpEvents::CLOSED | TcpEvents::ESTABLISHED) {
            self.space.wake_all();
            found |= WRITABLE;
        }
        let (shut, error) = {
            let state = self.state.lock();
            (state.shut, state.error)
        };
        found.set(PollEvents::RDHUP, shut.contains(Halves::RECEIVE));
        found.set(PollEvents::HUP, shut == Halves::all());
        found.set(PollEvents::ERR, error.is_some());
        self.pollers.notify(found);
    }

    fn remember(&self, standing: Option<Standing>) {
        let Some(standing) = standing else { return };
        if let Link::Remote(remote) = &mut self.state.lock().link {
            remote.update(&standing);
        }
    }

    /// The stack has nothing to read for this socket.
    fn remember_nothing(&self) {
        if let Link::Remote(remote) = &mut self.state.lock().link {
            remote.readable = 0;
        }
    }

    /// The stack has no room for this socket.
    fn remember_full(&self) {
        if let Link::Remote(remote) = &mut self.state.lock().link {
            remote.is_writable = false;
        }
    }
}

fn family_of(flow: &Flow) -> Family {
    if flow.local.is_ipv4() {
        Family::V4
    } else {
        Family::V6
    }
}
