//! Sending and receiving (net/ipv4/tcp.c, `tcp_sendmsg` and `tcp_recvmsg`).

use alloc::sync::Arc;

use super::{Link, READABLE, State, TcpSocket, TcpState, WRITABLE, enough, remote};
use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::net::message::{MessageFlags, Outgoing, Received};
use crate::net::socket::Halves;
use crate::user::{Dest, Source};

/// More data follow: don't send yet what fills no segment.
const MSG_MORE: u32 = 0x8000;

/// Where data go.
enum Way {
    Local(Arc<TcpSocket>),
    /// To a socket of this process that is gone.
    Lost,
    Remote(libos_net::tcp::ConnectionId),
}

/// What a receive does with what it finds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Take {
    Copy,
    Drop,
}

impl TcpSocket {
    pub(super) fn send_stream(&self, message: Outgoing<'_, '_>) -> Result<usize> {
        let silent = message.flags.contains(MessageFlags::NOSIGNAL);
        let result = self.send_bytes(message);
        if result == Err(Errno::EPIPE) && !silent {
            crate::signal::send_to_current(crate::signal::SIGPIPE);
        }
        result
    }

    fn send_bytes(&self, message: Outgoing<'_, '_>) -> Result<usize> {
        let Outgoing {
            source,
            flags,
            patience,
            ..
        } = message;
        let is_urgent = flags.contains(MessageFlags::OOB);
        let more = !is_urgent && flags.bits() & MSG_MORE != 0 || self.settings.lock().is_corked();
        let mut total = 0;
        loop {
            let way = match self.way(patience, total > 0) {
                Ok(way) => way,
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            };
            if source.left() == 0 {
                break;
            }
            if more && matches!(way, Way::Local(_)) {
                match self.hold_back(source)? {
                    0 => {}
                    held => {
                        total += held;
                        break;
                    }
                }
            }
            let sent = match &way {
                Way::Local(peer) => {
                    blocking::attempt(&peer.space, patience, || self.try_send_local(peer, source))
                }
                Way::Lost => self.lose(source),
                Way::Remote(id) => blocking::attempt(&self.space, patience, || {
                    remote::try_send(self, *id, source, more)
                }),
            };
            match sent {
                Ok(count) => {
                    total += count;
                    if source.left() > 0 {
                        continue;
                    }
                    if let Way::Local(peer) = &way
                        && is_urgent
                        && count > 0
                    {
                        peer.announce_urgent();
                    }
                    break;
                }
                // The way changed while this sender slept: find out how.
                Err(Errno::ESTALE) => {}
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    /// Where data go now, waiting for a connection that is being made; `has_some` says that this call has sent something.
    fn way(&self, patience: Patience, has_some: bool) -> Result<Way> {
        {
            let mut state = self.state.lock();
            if state.tcp != TcpState::SynSent {
                return state.way(has_some);
            }
        }
        blocking::attempt(&self.space, patience, || {
            let mut state = self.state.lock();
            (state.tcp != TcpState::SynSent).then(|| state.way(has_some))
        })
    }

    #[inline]
    fn try_send_local(&self, peer: &Arc<Self>, source: &mut Source<'_>) -> Option<Result<usize>> {
        // This half may have ended while the sender slept.
        {
            let state = self.state.lock();
            if !state.may_send() {
                return Some(Err(Errno::ESTALE));
            }
            if state.corked.is_some() {
                drop(state);
                self.uncork();
            }
        }
        let limit = peer.inbox_limit(&self.options);
        let mut state = peer.state.lock();
        let ended_both = state.tcp == TcpState::FinWait2 && state.shut.contains(Halves::RECEIVE);
        if state.is_closed || ended_both {
            drop(state);
            let lost = self.lose(source);
            if ended_both && lost.is_ok() {
                peer.reset();
            }
            return Some(lost);
        }
        let room = limit.saturating_sub(state.inbox.len());
        if room == 0 {
            state.is_peer_waiting = true;
            return None;
        }
        let added = state.inbox.push(source, room);
        drop(state);
        if let Ok(1..) = added {
            peer.announce_data();
        }
        Some(added)
    }

    /// Data have come.
    #[inline]
    pub(super) fn announce_data(&self) {
        if self.state.lock().deferred_by.is_some() {
            self.undefer();
        }
        self.arrivals.wake_all();
        self.pollers.notify(READABLE);
    }

    /// Sends what nobody will read: the other side answers with a reset, which comes before more than a buffer was sent.
    #[cold]
    fn lose(&self, source: &mut Source<'_>) -> Result<usize> {
        let most = super::send_room(&self.options);
        let lost = source.left().min(most);
        // A bad buffer is told first.
        source.take(&mut [0; 1])?;
        if source.left() < most {
            source.truncate(0);
        }
        self.reset();
        Ok(lost)
    }

    pub(super) fn receive_stream(
        &self,
        dest: &mut Dest<'_>,
        flags: MessageFlags,
        patience: Patience,
    ) -> Result<Received> {
        if flags.contains(MessageFlags::ERRQUEUE) {
            return Err(Errno::EAGAIN);
        }
        if self.state.lock().listening.is_some() {
            return Err(Errno::ENOTCONN);
        }
        if flags.contains(MessageFlags::OOB) {
            let count = self.receive_urgent(dest, flags)?;
            return Ok(Received {
                count,
                full_len: count,
                is_urgent: true,
                ..Received::default()
            });
        }
        let wanted = dest.room();
        let target = if flags.contains(MessageFlags::WAITALL) {
            wanted
        } else {
            self.options.low_water_mark().min(wanted)
        };
        let target = target.max(1);
        let count = if flags.contains(MessageFlags::PEEK) {
            self.look(dest, target, patience)?
        } else {
            let take = if flags.contains(MessageFlags::TRUNC) {
                Take::Drop
            } else {
                Take::Copy
            };
            self.take_until(dest, wanted, target, take, patience)?
        };
        Ok(Received {
            count,
            full_len: count,
            ..Received::default()
        })
    }

    /// Takes up to `wanted` bytes, waiting until there were `target`.
    fn take_until(
        &self,
        dest: &mut Dest<'_>,
        wanted: usize,
        target: usize,
        take: Take,
        patience: Patience,
    ) -> Result<usize> {
        let mut total = 0;
        loop {
            let step = blocking::attempt(&self.arrivals, patience, || {
                self.try_take(dest, wanted - total, take, total > 0)
            });
            match step {
                Ok(0) => break,
                Ok(count) => total += count,
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            }
            if total >= target || total >= wanted {
                break;
            }
        }
        Ok(total)
    }

    /// One step of a receive: bytes, or 0 at the end; `has_some` says that the call has something to
    /// return already, so that an error is left for the next.
    #[inline]
    fn try_take(
        &self,
        dest: &mut Dest<'_>,
        most: usize,
        take: Take,
        has_some: bool,
    ) -> Option<Result<usize>> {
        let mut state = self.state.lock();
        if let Link::Remote(remote) = &state.link {
            let id = remote.id;
            if remote.readable() > 0 {
                drop(state);
                return Some(remote::take(self, id, dest, most, take == Take::Drop));
            }
        }
        let mut most = most;
        if state.urgent.is_some() {
            if has_some && state.is_at_mark() {
                return Some(Ok(0));
            }
            most = most.min(state.stretch(self.is_urgent_inline()));
        }
        if state.inbox.is_empty() {
            return state.end_of_data(has_some);
        }
        if most == 0 {
            return Some(Ok(0));
        }
        let moved = match take {
            Take::Copy => state.inbox.pop(dest, most),
            Take::Drop => Ok(state.inbox.discard(most)),
        };
        state.pass_mark(moved.unwrap_or(0));
        let is_peer_waiting = state.is_peer_waiting;
        let left = state.inbox.len();
        drop(state);
        if is_peer_waiting {
            self.tell_of_room(left);
        }
        if left > 0 && self.arrivals.has_sleepers() {
            self.arrivals.wake_one();
        }
        Some(moved)
    }

    /// MSG_PEEK: looks, waiting until there are `target` bytes.
    fn look(&self, dest: &mut Dest<'_>, target: usize, patience: Patience) -> Result<usize> {
        blocking::attempt(&self.arrivals, patience, || {
            let mut state = self.state.lock();
            let found = state.readable();
            if found < target
                && let Some(end) = state.end_of_data(found > 0)
                && (found == 0 || end.is_err())
            {
                return Some(end);
            }
            let is_over = state.shut.contains(Halves::RECEIVE) || state.tcp == TcpState::Closed;
            if found < target && !is_over {
                return None;
            }
            match &state.link {
                Link::Remote(remote) => {
                    let id = remote.id;
                    drop(state);
                    Some(remote::look(id, dest))
                }
                _ => Some(state.inbox.peek(0, dest)),
            }
        })
    }

    /// The peer, in this process, waits for room: tells it when there is enough.
    #[cold]
    fn tell_of_room(&self, left: usize) {
        let peer = {
            let state = self.state.lock();
            match &state.link {
                Link::Local(peer) => peer.upgrade(),
                _ => None,
            }
        };
        let Some(peer) = peer else { return };
        if left > enough(self.inbox_limit(&peer.options)) {
            return;
        }
        self.state.lock().is_peer_waiting = false;
        self.space.wake_all();
        peer.pollers.notify(WRITABLE);
    }
}

impl State {
    /// Where data go; the connection is not being made. An error is left for the next call if this one has sent something.
    fn way(&mut self, has_some: bool) -> Result<Way> {
        if has_some && let Some(error) = self.error {
            return Err(error);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if !self.may_send() {
            return Err(Errno::EPIPE);
        }
        Ok(match &self.link {
            Link::None => Way::Lost,
            Link::Local(peer) => peer.upgrade().map_or(Way::Lost, Way::Local),
            Link::Remote(remote) => Way::Remote(remote.id),
        })
    }

    /// What a receive without data answers: `None` to wait for some. With something to return
    /// already, whatever would end the call ends it without being used up.
    fn end_of_data(&mut self, has_some: bool) -> Option<Result<usize>> {
        if has_some {
            let is_over = self.error.is_some()
                || self.shut.contains(Halves::RECEIVE)
                || self.tcp == TcpState::Closed;
            return is_over.then_some(Ok(0));
        }
        if self.is_done {
            return Some(Ok(0));
        }
        if let Some(error) = self.error.take() {
            return Some(Err(error));
        }
        if self.shut.contains(Halves::RECEIVE) {
            return Some(Ok(0));
        }
        (self.tcp == TcpState::Closed).then_some(Err(Errno::ENOTCONN))
    }
}
