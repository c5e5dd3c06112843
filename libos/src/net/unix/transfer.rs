//! Sending and receiving.

use alloc::sync::{Arc, Weak};

use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::fs::poll::PollEvents;
use crate::net::address::RawAddress;
use crate::net::message::{Ancillary, MessageFlags, Outgoing, Received};
use crate::net::socket::Halves;
use crate::net::unix::name;
use crate::net::unix::queue::{Packet, Take};
use crate::net::unix::{Queue, Role, Style, UnixSocket, own_credentials, shown};
use crate::user::{Dest, Source};

/// Room that Linux keeps of a send buffer for its own book-keeping.
const OVERHEAD: usize = 32;

/// From this fill of its queue on, a receiver tells senders when it made room. Below half the
/// smallest send buffer no sender can be waiting.
const TELL_FROM: usize = 2048;

impl UnixSocket {
    pub(super) fn send_message(&self, mut message: Outgoing<'_, '_>) -> Result<usize> {
        message.ancillary.network.clear();
        if message.flags.contains(MessageFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        let silent = message.flags.contains(MessageFlags::NOSIGNAL);
        let result = match self.style {
            Style::Stream => self.send_stream(message),
            Style::Datagram | Style::SeqPacket => return self.send_packet(message),
        };
        if result == Err(Errno::EPIPE) && !silent {
            crate::signal::send_to_current(crate::signal::SIGPIPE);
        }
        result
    }

    fn send_stream(&self, mut message: Outgoing<'_, '_>) -> Result<usize> {
        let peer = self.sending_peer(message.address.is_some())?;
        let limit = self.options.send_buffer();
        let mut total = 0;
        while message.source.left() > 0 {
            let (source, ancillary) = (&mut *message.source, &mut message.ancillary);
            let sent = blocking::attempt(&peer.space, message.patience, || {
                self.try_send_stream(&peer, source, limit, ancillary)
            });
            match sent {
                Ok(0) => break,
                Ok(count) => total += count,
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            }
        }
        if peer.space.has_sleepers() {
            peer.space.wake_one();
        }
        Ok(total)
    }

    /// The peer of a connected socket that may send.
    fn sending_peer(&self, addressed: bool) -> Result<Arc<Self>> {
        let mut state = self.state.lock();
        let Role::Connected(peer) = &state.role else {
            return Err(if addressed {
                Errno::EOPNOTSUPP
            } else {
                Errno::ENOTCONN
            });
        };
        if addressed {
            return Err(Errno::EISCONN);
        }
        let peer = peer.upgrade();
        if state.shut.contains(Halves::SEND) {
            return Err(Errno::EPIPE);
        }
        if let Some(error) = state.error.take() {
            return Err(error);
        }
        peer.ok_or(Errno::EPIPE)
    }

    #[inline]
    fn try_send_stream(
        &self,
        peer: &Self,
        source: &mut Source<'_>,
        limit: usize,
        ancillary: &mut Ancillary,
    ) -> Option<Result<usize>> {
        // This half may be shut while the sender sleeps.
        if self.state.lock().shut.contains(Halves::SEND) {
            return Some(Err(Errno::EPIPE));
        }
        let mut state = peer.state.lock();
        if state.closed || state.shut.contains(Halves::RECEIVE) {
            return Some(Err(Errno::EPIPE));
        }
        let Queue::Stream(queue) = &mut state.queue else {
            return Some(Err(Errno::EPIPE));
        };
        let room = limit.saturating_sub(queue.len());
        if room == 0 {
            state.remember_sender(&self.me);
            return None;
        }
        let was_empty = queue.is_empty();
        let added = queue.push(source, room, ancillary);
        drop(state);
        if let Ok(1..) = added {
            peer.announce_arrival(was_empty);
        }
        Some(added)
    }

    fn announce_arrival(&self, was_empty: bool) {
        if was_empty {
            self.arrivals.wake_one();
        }
        self.pollers.notify(PollEvents::IN | PollEvents::RDNORM);
    }

    fn send_packet(&self, mut message: Outgoing<'_, '_>) -> Result<usize> {
        match self.style {
            Style::Datagram => self.autobind_for_credentials()?,
            _ => self.check_connection()?,
        }
        if self.state.lock().shut.contains(Halves::SEND) {
            return Err(Errno::EPIPE);
        }
        let len = message.source.left();
        let limit = self.options.send_buffer();
        if len > limit.saturating_sub(OVERHEAD) {
            return Err(Errno::EMSGSIZE);
        }
        // Linux copies the packet before it looks for the receiver.
        let from = self.state.lock().name.clone();
        let mut ancillary = core::mem::take(&mut message.ancillary);
        ancillary.credentials.get_or_insert_with(own_credentials);
        let mut packet = Some(Packet::new(message.source, from, ancillary)?);
        let receiver = self.receiver(message.address.as_ref())?;
        self.check_may_send(&receiver)?;
        blocking::attempt(&receiver.space, message.patience, || {
            self.try_send_packet(&receiver, limit, &mut packet)
        })?;
        Ok(len)
    }

    /// A socket of packets over a connection tells its error first, then whether it is connected
    /// (`unix_seqpacket_sendmsg` of Linux), and to one who hears.
    fn check_connection(&self) -> Result<()> {
        let peer = {
            let mut state = self.state.lock();
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            match &state.role {
                Role::Connected(peer) => peer.upgrade(),
                _ => return Err(Errno::ENOTCONN),
            }
        };
        let hears = peer.is_some_and(|peer| {
            let state = peer.state.lock();
            !state.closed && !state.shut.contains(Halves::RECEIVE)
        });
        if hears { Ok(()) } else { Err(Errno::EPIPE) }
    }

    /// Who gets a packet: the one addressed, or the peer.
    fn receiver(&self, address: Option<&RawAddress>) -> Result<Arc<Self>> {
        if self.style == Style::SeqPacket {
            // Linux ignores an address here.
            return self.sending_peer(false);
        }
        if let Some(address) = address {
            return name::find(&name::parse(address)?, self.style);
        }
        let mut state = self.state.lock();
        let Role::Connected(peer) = &state.role else {
            return Err(Errno::ENOTCONN);
        };
        match peer.upgrade() {
            Some(peer) if !peer.state.lock().closed => Ok(peer),
            _ => {
                state.role = Role::Idle;
                Err(Errno::ECONNREFUSED)
            }
        }
    }

    fn try_send_packet(
        &self,
        receiver: &Self,
        limit: usize,
        packet: &mut Option<Packet>,
    ) -> Option<Result<()>> {
        let len = packet.as_ref().map_or(0, Packet::size);
        let mut state = receiver.state.lock();
        if state.closed {
            return Some(Err(match self.style {
                Style::SeqPacket => Errno::EPIPE,
                _ => Errno::ECONNREFUSED,
            }));
        }
        if state.shut.contains(Halves::RECEIVE) {
            return Some(Err(Errno::EPIPE));
        }
        let Queue::Packets(queue) = &mut state.queue else {
            return Some(Err(Errno::EPROTOTYPE));
        };
        if !queue.admits(len, limit) {
            state.remember_sender(&self.me);
            return None;
        }
        let was_empty = queue.is_empty();
        if let Some(packet) = packet.take() {
            queue.push(packet);
        }
        drop(state);
        receiver.announce_arrival(was_empty);
        Some(Ok(()))
    }

    pub(super) fn receive_message(
        &self,
        dest: &mut Dest<'_>,
        flags: MessageFlags,
        patience: Patience,
    ) -> Result<Received> {
        let is_urgent = flags.contains(MessageFlags::OOB);
        if is_urgent && self.style == Style::Stream {
            return Err(Errno::EINVAL);
        }
        self.check_receives()?;
        if is_urgent {
            return Err(Errno::EOPNOTSUPP);
        }
        let take = if flags.contains(MessageFlags::PEEK) {
            Take::Peek
        } else {
            Take::Consume
        };
        let mut received = self.receive_some(dest, take, patience)?;
        let wait_all = flags.contains(MessageFlags::WAITALL) && self.style == Style::Stream;
        if wait_all && take == Take::Consume {
            self.receive_rest(dest, &mut received, patience);
        }
        if self.options.passes_credentials() {
            let peer = self.state.lock().peer_credentials;
            received.ancillary.credentials = Some(shown(&received.ancillary, peer));
        } else {
            received.ancillary.credentials = None;
        }
        received.end_of_record &= self.style == Style::SeqPacket;
        Ok(received)
    }

    /// Streams and packets over connections are received on a connection only.
    fn check_receives(&self) -> Result<()> {
        let state = self.state.lock();
        match (self.style, &state.role) {
            (Style::Datagram, _) | (_, Role::Connected(_)) => Ok(()),
            (Style::Stream, _) => Err(Errno::EINVAL),
            (Style::SeqPacket, _) => Err(Errno::ENOTCONN),
        }
    }

    /// MSG_WAITALL: goes on until the buffer is full, the stream ends, or rights came along.
    fn receive_rest(&self, dest: &mut Dest<'_>, received: &mut Received, patience: Patience) {
        while dest.room() > 0 && received.count > 0 && received.ancillary.rights.is_none() {
            match self.receive_some(dest, Take::Consume, patience) {
                Ok(more) if more.count > 0 => {
                    received.count += more.count;
                    received.full_len += more.count;
                    received.ancillary.rights = more.ancillary.rights;
                }
                _ => break,
            }
        }
    }

    fn receive_some(
        &self,
        dest: &mut Dest<'_>,
        take: Take,
        patience: Patience,
    ) -> Result<Received> {
        let (received, before, left) = blocking::attempt(&self.arrivals, patience, || {
            self.try_receive(dest, take, patience)
        })?;
        if take == Take::Consume {
            self.announce_room(before);
        }
        if left > 0 && self.arrivals.has_sleepers() {
            self.arrivals.wake_one();
        }
        Ok(received)
    }

    /// What was received, and how full the queue was before; `left` is not 0 if more is there.
    #[inline]
    fn try_receive(
        &self,
        dest: &mut Dest<'_>,
        take: Take,
        patience: Patience,
    ) -> Option<Result<(Received, usize, usize)>> {
        let mut state = self.state.lock();
        let before = state.queue.len();
        if state.queue.is_empty() {
            if let Some(error) = state.error.take() {
                return Some(Err(error));
            }
            // Linux looks at the end of a datagram socket's half only where it would sleep.
            let ended = state.shut.contains(Halves::RECEIVE)
                && (self.style != Style::Datagram || patience != Patience::None);
            return ended.then(|| Ok((Received::default(), 0, 0)));
        }
        let received = match &mut state.queue {
            Queue::Stream(queue) => queue.take(dest, take),
            Queue::Packets(queue) => queue.take(dest, take),
        };
        let left = usize::from(!state.queue.is_empty());
        Some(received.map(|received| (received, before, left)))
    }

    /// Tells those who wait for room, if there is enough of it now.
    fn announce_room(&self, before: usize) {
        let streams = self.style == Style::Stream;
        if streams && before < TELL_FROM {
            return;
        }
        let (senders, peer) = {
            let mut state = self.state.lock();
            let peer = if streams { state.peer() } else { None };
            let enough = peer
                .as_ref()
                .is_none_or(|peer| state.queue.len() <= peer.options.send_buffer() / 2);
            if !enough {
                return;
            }
            (core::mem::take(&mut state.waiting_senders), peer)
        };
        if streams {
            self.space.wake_one();
        } else {
            // A packet may be too large for the room there is, and the next in line fit.
            self.space.wake_all();
        }
        let events = PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND;
        for sender in senders.iter().filter_map(Weak::upgrade) {
            sender.pollers.notify(events);
        }
        drop(peer);
    }
}
