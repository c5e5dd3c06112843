//! Names and connections: bind, listen, accept, connect, shutdown, close, and what a socket tells
//! of itself.

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use core::any::Any;

use linux_raw_sys::net::{
    AF_UNSPEC, SO_ACCEPTCONN, SO_DOMAIN, SO_ERROR, SO_PEERCRED, SO_PEERGROUPS, SO_PROTOCOL,
    SO_TYPE, SOL_SOCKET,
};

use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::fs::poll::PollEvents;
use crate::net::address::RawAddress;
use crate::net::message::{Credentials, MessageFlags, Outgoing, Received};
use crate::net::options::{OptionValue, Options};
use crate::net::socket::{Halves, Kind, Socket};
use crate::net::unix::name::{self, Name};
use crate::net::unix::{Queue, Role, Style, UnixSocket, own_credentials};
use crate::sync::wait::WaitQueue;
use crate::user::Dest;

/// Most connections that wait to be accepted (`net.core.somaxconn`).
const MAX_BACKLOG: usize = 4096;

/// One try to connect: the listener had room, or not now, or never.
type Attempt = Option<Result<()>>;

impl Socket for UnixSocket {
    fn kind(&self) -> Kind {
        self.described()
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn bind(&self, address: &RawAddress) -> Result<()> {
        let wanted = if name::asks_for_any(address) {
            None
        } else {
            Some(name::parse(address)?)
        };
        let bound = self.state.lock().name.is_some();
        match wanted {
            // Asking for any name is fine with the one it has.
            None if bound => Ok(()),
            None => {
                let name = name::claim_any(self.style, &self.me)?;
                self.state.lock().name = Some(Arc::new(name));
                Ok(())
            }
            Some(_) if bound => Err(Errno::EINVAL.because("the socket has a name")),
            Some(name) => {
                name::claim(&name, self.style, &self.me)?;
                self.state.lock().name = Some(Arc::new(name));
                Ok(())
            }
        }
    }

    fn listen(&self, backlog: i32) -> Result<()> {
        if !self.style.is_connected() {
            return Err(Errno::EOPNOTSUPP);
        }
        // A negative backlog is a large unsigned one to Linux.
        let wanted = usize::try_from(backlog)
            .unwrap_or(MAX_BACKLOG)
            .min(MAX_BACKLOG);
        let own = own_credentials();
        let mut state = self.state.lock();
        if state.name.is_none() {
            return Err(Errno::EINVAL.because("a socket without a name"));
        }
        match &mut state.role {
            Role::Connected(_) => return Err(Errno::EINVAL),
            Role::Listening {
                backlog,
                credentials,
                ..
            } => (*backlog, *credentials) = (wanted, own),
            role @ Role::Idle => {
                *role = Role::Listening {
                    backlog: wanted,
                    pending: VecDeque::new(),
                    credentials: own,
                };
            }
        }
        drop(state);
        self.space.wake_all();
        Ok(())
    }

    fn accept(&self, patience: Patience) -> Result<Arc<dyn Socket>> {
        if !self.style.is_connected() {
            return Err(Errno::EOPNOTSUPP);
        }
        let accepted = blocking::attempt(&self.arrivals, patience, || {
            let mut state = self.state.lock();
            let shut = state.shut.contains(Halves::RECEIVE);
            let Role::Listening { pending, .. } = &mut state.role else {
                return Some(Err(Errno::EINVAL));
            };
            match pending.pop_front() {
                Some(socket) => Some(Ok(socket)),
                None if shut => Some(Err(Errno::EINVAL)),
                None => None,
            }
        })?;
        self.space.wake_one();
        Ok(accepted)
    }

    fn connect(&self, address: &RawAddress, patience: Patience) -> Result<()> {
        if !self.style.is_connected() {
            return self.connect_datagrams(address);
        }
        let name = name::parse(address)?;
        self.autobind_for_credentials()?;
        loop {
            let listener = name::find(&name, self.style)?;
            listener.check_listens()?;
            self.check_connectable()?;
            let connected =
                blocking::attempt(&listener.space, patience, || self.try_connect(&listener));
            match connected {
                // The listener was closed while this socket waited: look the name up anew.
                Err(Errno::ESTALE) => {}
                result => return result,
            }
        }
    }

    fn send(&self, message: Outgoing<'_, '_>) -> Result<usize> {
        self.send_message(message)
    }

    fn receive(
        &self,
        dest: &mut Dest<'_>,
        flags: MessageFlags,
        patience: Patience,
    ) -> Result<Received> {
        self.receive_message(dest, flags, patience)
    }

    fn shutdown(&self, halves: Halves) -> Result<()> {
        let peer = {
            let mut state = self.state.lock();
            state.shut |= halves;
            state.peer()
        };
        self.announce_shutdown();
        if let Some(peer) = peer.filter(|_| self.style.is_connected()) {
            let mut mirrored = Halves::empty();
            mirrored.set(Halves::SEND, halves.contains(Halves::RECEIVE));
            mirrored.set(Halves::RECEIVE, halves.contains(Halves::SEND));
            peer.state.lock().shut |= mirrored;
            peer.announce_shutdown();
        }
        Ok(())
    }

    fn local_address(&self) -> Result<RawAddress> {
        let name = self.state.lock().name.clone();
        Ok(name.map_or_else(Name::unnamed, |name| name.to_raw()))
    }

    fn peer_address(&self) -> Result<RawAddress> {
        let (peer, kept) = {
            let state = self.state.lock();
            if !matches!(state.role, Role::Connected(_)) {
                return Err(Errno::ENOTCONN);
            }
            (state.peer(), state.peer_name.clone())
        };
        let name = match peer {
            Some(peer) => peer.state.lock().name.clone(),
            None => kept,
        };
        Ok(name.map_or_else(Name::unnamed, |name| name.to_raw()))
    }

    fn option(&self, level: u32, name: u32) -> Result<OptionValue> {
        if level != SOL_SOCKET {
            return Err(Errno::EOPNOTSUPP);
        }
        let word = |value: u32| OptionValue::words(&[value.cast_signed()]);
        let kind = self.kind();
        match name {
            SO_TYPE => Ok(word(kind.socket_type)),
            SO_DOMAIN => Ok(word(kind.domain)),
            SO_PROTOCOL => Ok(word(kind.protocol)),
            SO_ERROR => {
                let error = self.state.lock().error.take();
                Ok(word(error.map_or(0, |error| u32::from(error.number()))))
            }
            SO_ACCEPTCONN => {
                let state = self.state.lock();
                let listening = matches!(state.role, Role::Listening { .. });
                Ok(word(u32::from(listening)))
            }
            SO_PEERCRED => {
                let peer = self.state.lock().peer_credentials;
                let Credentials { pid, uid, gid } = peer.unwrap_or(Credentials::NOBODY);
                Ok(OptionValue::words(&[
                    pid,
                    uid.cast_signed(),
                    gid.cast_signed(),
                ]))
            }
            SO_PEERGROUPS => {
                let known = self.state.lock().peer_credentials.is_some();
                if !known {
                    return Err(Errno::ENODATA);
                }
                // The peer is this process, in whatever role.
                let groups = super::own_groups();
                let bytes = groups.iter().flat_map(|group| group.to_ne_bytes());
                Ok(OptionValue::of_bytes(bytes.collect()))
            }
            _ => self.options.get(name),
        }
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        if level != SOL_SOCKET {
            return Err(Errno::EOPNOTSUPP);
        }
        self.options.set(name, value)
    }

    fn poll(&self) -> PollEvents {
        self.ready()
    }

    fn wait_queue(&self) -> &WaitQueue {
        &self.pollers
    }

    fn readable_bytes(&self) -> Result<usize> {
        let state = self.state.lock();
        match (&state.role, &state.queue) {
            (Role::Listening { .. }, _) => Err(Errno::EINVAL),
            (_, Queue::Packets(queue)) if self.style == Style::Datagram => {
                Ok(queue.first_len().unwrap_or(0))
            }
            (_, queue) => Ok(queue.len()),
        }
    }

    fn unsent_bytes(&self) -> Result<usize> {
        Ok(self.peer().map_or(0, |peer| peer.state.lock().queue.len()))
    }

    fn close(&self) {
        self.hang_up();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl UnixSocket {
    /// A socket that is told credentials gets a name when it first speaks, so that it can be
    /// answered (net/unix/af_unix.c, `unix_autobind`).
    pub(super) fn autobind_for_credentials(&self) -> Result<()> {
        if !self.options.passes_credentials() || self.state.lock().name.is_some() {
            return Ok(());
        }
        let name = name::claim_any(self.style, &self.me)?;
        self.state.lock().name = Some(Arc::new(name));
        Ok(())
    }

    fn check_listens(&self) -> Result<()> {
        match self.state.lock().role {
            Role::Listening { .. } => Ok(()),
            _ => Err(Errno::ECONNREFUSED),
        }
    }

    fn check_connectable(&self) -> Result<()> {
        match self.state.lock().role {
            Role::Idle => Ok(()),
            Role::Connected(_) => Err(Errno::EISCONN),
            Role::Listening { .. } => Err(Errno::EINVAL),
        }
    }

    fn try_connect(&self, listener: &Arc<Self>) -> Attempt {
        let own = own_credentials();
        let server = Self::new(self.style);
        let mut state = listener.state.lock();
        if state.closed {
            return Some(Err(Errno::ESTALE));
        }
        let (shut, name) = (state.shut, state.name.clone());
        let Role::Listening {
            backlog,
            pending,
            credentials,
        } = &mut state.role
        else {
            return Some(Err(Errno::ECONNREFUSED));
        };
        if shut.contains(Halves::RECEIVE) {
            return Some(Err(Errno::ECONNREFUSED));
        }
        if pending.len() > *backlog {
            return None;
        }
        let theirs = *credentials;
        {
            // Nobody else knows the new socket yet.
            let mut server_state = server.state.lock();
            server_state.name.clone_from(&name);
            server_state.role = Role::Connected(Weak::clone(&self.me));
            server_state.peer_credentials = Some(own);
        }
        let peer = Arc::downgrade(&server);
        pending.push_back(server);
        drop(state);
        {
            let mut state = self.state.lock();
            state.role = Role::Connected(peer);
            state.peer_credentials = Some(theirs);
            state.peer_name = name;
        }
        listener.arrivals.wake_one();
        listener.pollers.notify(PollEvents::IN | PollEvents::RDNORM);
        self.pollers.notify(PollEvents::OUT | PollEvents::WRNORM);
        Some(Ok(()))
    }

    /// A datagram socket's "connection" is a default receiver, and a filter: others may not send.
    fn connect_datagrams(&self, address: &RawAddress) -> Result<()> {
        if u32::from(address.family()) == AF_UNSPEC {
            let mut state = self.state.lock();
            (state.role, state.peer_name) = (Role::Idle, None);
            return Ok(());
        }
        let name = name::parse(address)?;
        self.autobind_for_credentials()?;
        let peer = name::find(&name, self.style)?;
        self.check_may_send(&peer)?;
        let name = peer.state.lock().name.clone();
        let mut state = self.state.lock();
        state.role = Role::Connected(Arc::downgrade(&peer));
        state.peer_name = name;
        Ok(())
    }

    /// A socket with a default receiver takes messages from that one only.
    pub(super) fn check_may_send(&self, receiver: &Self) -> Result<()> {
        match &receiver.state.lock().role {
            Role::Connected(chosen) if !chosen.ptr_eq(&self.me) => Err(Errno::EPERM),
            _ => Ok(()),
        }
    }

    fn announce_shutdown(&self) {
        self.arrivals.wake_all();
        self.space.wake_all();
        // Who sends to this socket waits at the peer for room; who sends from it, here.
        if let Some(peer) = self.peer() {
            peer.space.wake_all();
        }
        self.pollers.notify(
            PollEvents::IN
                | PollEvents::RDNORM
                | PollEvents::OUT
                | PollEvents::RDHUP
                | PollEvents::HUP,
        );
    }

    /// The last descriptor is gone: the name is free, the peer sees the end.
    fn hang_up(&self) {
        let (name, role, queue, senders) = {
            let mut state = self.state.lock();
            if core::mem::replace(&mut state.closed, true) {
                return;
            }
            state.shut = Halves::all();
            let empty = Queue::Packets(super::queue::PacketQueue::default());
            (
                state.name.clone(),
                core::mem::replace(&mut state.role, Role::Idle),
                core::mem::replace(&mut state.queue, empty),
                core::mem::take(&mut state.waiting_senders),
            )
        };
        if let Some(name) = &name {
            name::release(name, self.style, &self.me);
        }
        self.space.wake_all();
        match role {
            Role::Connected(peer) => self.leave(&peer, name, !queue.is_empty()),
            Role::Listening { pending, .. } => pending.iter().for_each(|one| one.abandon()),
            Role::Idle => {}
        }
        let events = PollEvents::OUT | PollEvents::WRNORM;
        for sender in senders.iter().filter_map(Weak::upgrade) {
            sender.pollers.notify(events);
        }
        // Rights inside are dropped here, with no lock held.
        drop(queue);
    }

    /// Tells the peer that this side is gone; unread bytes make it a reset.
    fn leave(&self, peer: &Weak<Self>, name: Option<Arc<Name>>, unread: bool) {
        let Some(peer) = peer.upgrade().filter(|_| self.style.is_connected()) else {
            return;
        };
        {
            let mut state = peer.state.lock();
            state.shut = Halves::all();
            state.peer_name = name;
            if unread {
                state.error = Some(Errno::ECONNRESET);
            }
        }
        peer.announce_shutdown();
    }

    /// A connection that nobody accepted ends with its listener.
    fn abandon(&self) {
        if let Some(peer) = self.peer() {
            peer.state.lock().error = Some(Errno::ECONNRESET);
        }
        self.hang_up();
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        self.hang_up();
    }
}
