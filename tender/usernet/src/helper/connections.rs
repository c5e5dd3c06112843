//! Connections from stage to stage: what the loop does when a side of one says something.

use super::splice::{self, Outcome};
use super::table::Key;
use super::tcp::Stage;
use super::{Helper, host};
use libos_net::address::Flow;
use libos_net::owner::{TcpEvents, Token, Verdict};
use libos_net::tcp::{ConnectError, ConnectionId, TcpError, TcpOptions};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt;
use std::net::SocketAddr;

/// Connections taken from one published port before others have their turn.
const ACCEPTED_A_TURN: usize = 64;

/// Buffers of a connection, each way, in bytes. Memory is used as data waits in them.
const BUFFER: usize = 1 << 20;

/// What all buffers together may take, in bytes. As they fill up, new connections get smaller ones; idle ones
/// give theirs back.
pub(super) const BUFFERS: usize = 512 << 20;

/// Ports tried at the gateway's address for a peer whose own port there is taken.
const TRIES: u16 = 64;

fn options() -> TcpOptions {
    TcpOptions {
        receive_buffer: BUFFER,
        send_buffer: BUFFER,
        // The sender has decided what goes together.
        nodelay: true,
        ..TcpOptions::default()
    }
}

impl Helper {
    /// Takes what waits at a published TCP port. False if there is no room for more for now.
    pub(super) fn accept(&mut self, index: u32) -> bool {
        for _ in 0..ACCEPTED_A_TURN {
            if !self.side.tcp.has_room() {
                return false;
            }
            let Some(port) = self.side.published.get(index as usize) else {
                return true;
            };
            let guest_port = port.published.guest_port;
            match host::accept(&port.socket) {
                Ok(Some((socket, peer))) => self.greet_guest(socket, peer, guest_port),
                Ok(None) => return true,
                // EMFILE, ENFILE, ENOBUFS, ENOMEM: it waits where it is.
                Err(_) => return false,
            }
        }
        true
    }

    /// A host's connection to a published port: the guest is asked for one.
    fn greet_guest(&mut self, socket: OwnedFd, peer: SocketAddr, guest_port: u16) {
        self.side.counters.accepted += 1;
        let mut ways = self.ways_to_guest(peer, guest_port);
        let Some(first) = ways.next() else {
            return host::close_with_reset(socket);
        };
        let Some(key) = self.side.tcp.add(first, socket, Stage::Greeting) else {
            return;
        };
        if let Some(flow) = self.side.tcp.get_mut(key) {
            flow.instead = ways.next();
        }
        if self.side.watch_tcp(key).is_err() {
            self.side.tcp.remove_with_reset(key);
            return;
        }
        self.greet(key);
    }

    /// By which addresses the guest is asked: those of the peer's IP version first, then IPv4, because a server may
    /// listen there alone while a host's `localhost` is `::1`.
    fn ways_to_guest(
        &self,
        peer: SocketAddr,
        guest_port: u16,
    ) -> impl Iterator<Item = Flow> + use<> {
        let way = |peer| {
            let (local, remote) = self.side.way_to_guest(peer, guest_port)?;
            Some(Flow { local, remote })
        };
        let gateway = SocketAddr::new(self.side.config.ipv4.gateway.into(), peer.port());
        let own_version = way(peer);
        let ipv4 = peer.is_ipv6().then(|| way(gateway)).flatten();
        let ipv4 = ipv4.filter(|way| own_version.is_none_or(|own: Flow| own.remote != way.remote));
        own_version.into_iter().chain(ipv4)
    }

    fn greet(&mut self, key: Key) {
        let Some(wish) = self.side.tcp.get(key).map(|flow| flow.flow) else {
            return;
        };
        let (options, now) = (options(), self.side.now);
        let (tcp, internet) = self.stack.tcp(now);
        let token = Token(key.to_bits());
        let mut answer = tcp.connect(now, wish, token, options, internet);
        let mut used = wish;
        for port in (49_152..).step_by(7).take(usize::from(TRIES)) {
            if answer != Err(ConnectError::InUse) {
                break;
            }
            used = self.side.through_gateway(wish, port);
            answer = tcp.connect(now, used, token, options, internet);
        }
        match (answer, self.side.tcp.get_mut(key)) {
            (Ok(connection), Some(flow)) => {
                flow.connection = Some(connection);
                flow.flow = used;
            }
            _ => {
                self.side.counters.no_room += 1;
                self.side.tcp.remove_with_reset(key);
            }
        }
    }

    /// A TCP socket of the host's became ready.
    pub(super) fn host_ready(&mut self, key: Key, readable: bool, writable: bool, ended: bool) {
        let Some(flow) = self.side.tcp.get_mut(key) else {
            return;
        };
        flow.host.readable |= readable;
        flow.host.writable |= writable;
        flow.host.hung_up |= ended;
        match flow.stage {
            Stage::Connecting if writable => self.host_answered(key),
            Stage::Connecting => {}
            Stage::Greeting | Stage::Open => self.side.tcp.queue(key),
        }
    }

    /// A connect(2) came to its end: the guest's request is decided.
    fn host_answered(&mut self, key: Key) {
        let Some(flow) = self.side.tcp.get(key) else {
            return;
        };
        let (asked, now) = (flow.flow, self.side.now);
        let taken = sockopt::socket_error(&flow.host.socket).unwrap_or(Err(Errno::BADF));
        let verdict = match taken {
            Ok(()) => Verdict::Accept(Token(key.to_bits()), options()),
            Err(error) => {
                self.side.tcp.remove(key);
                self.side.not_connected(asked, error)
            }
        };
        let connection = self.stack.decide(now, asked, verdict, &mut self.side);
        if taken.is_err() {
            return;
        }
        match connection {
            Some(connection) => {
                self.side.counters.connected += 1;
                self.side.tcp.set_stage(key, Stage::Greeting);
                if let Some(flow) = self.side.tcp.get_mut(key) {
                    flow.connection = Some(connection);
                }
            }
            // The guest has given up, or the stack has no room.
            None => self.side.tcp.remove_with_reset(key),
        }
    }

    /// Looks at every flow at which something is to be done, once.
    pub(super) fn serve_queue(&mut self) {
        for _ in 0..self.side.tcp.queued() {
            match self.side.tcp.next_queued() {
                Some(key) => self.serve(key),
                None => return,
            }
        }
    }

    fn serve(&mut self, key: Key) {
        let Some(flow) = self.side.tcp.get_mut(key) else {
            return;
        };
        let noted = std::mem::take(&mut flow.noted);
        let Some(connection) = flow.connection else {
            return;
        };
        if noted.contains(TcpEvents::ESTABLISHED) {
            flow.stage = Stage::Open;
        }
        let error = noted
            .contains(TcpEvents::CLOSED)
            .then(|| self.stack.tcp(self.side.now).0.error(connection))
            .flatten();
        match (flow.stage, error) {
            (Stage::Greeting, Some(error)) => self.guest_refused(key, connection, error),
            (Stage::Open, Some(_)) => self.end_with_reset(key, connection),
            (Stage::Greeting, None) if noted.contains(TcpEvents::CLOSED) => {
                self.guest_refused(key, connection, TcpError::Reset);
            }
            (Stage::Open, None) => self.pump(key, connection),
            (Stage::Greeting | Stage::Connecting, _) => {}
        }
    }

    fn pump(&mut self, key: Key, connection: ConnectionId) {
        let now = self.side.now;
        let Some(flow) = self.side.tcp.get_mut(key) else {
            return;
        };
        let (tcp, internet) = self.stack.tcp(now);
        let pumped = splice::pump(tcp, connection, &mut flow.host, &mut flow.halves);
        match pumped.outcome {
            Outcome::HostBroke => {
                tcp.abort(now, connection, internet);
                self.side.tcp.remove_with_reset(key);
                return;
            }
            Outcome::GuestBroke => return self.end_with_reset(key, connection),
            Outcome::Wait | Outcome::More | Outcome::Finished => {}
        }
        if pumped.changed {
            tcp.flush(now, connection, internet, &mut self.side);
        }
        match pumped.outcome {
            Outcome::More => self.side.tcp.queue(key),
            Outcome::Finished => {
                // What is still in its buffer goes out, and its end is seen to by the stack.
                let (tcp, internet) = self.stack.tcp(now);
                tcp.release(now, connection, internet);
                self.side.tcp.remove(key);
            }
            _ => {}
        }
    }

    /// The guest's side is gone: the host learns it by a reset.
    fn end_with_reset(&mut self, key: Key, connection: ConnectionId) {
        let now = self.side.now;
        let (tcp, internet) = self.stack.tcp(now);
        tcp.release(now, connection, internet);
        self.side.tcp.remove_with_reset(key);
    }

    /// The guest did not shake hands.
    fn guest_refused(&mut self, key: Key, connection: ConnectionId, error: TcpError) {
        let now = self.side.now;
        let (tcp, internet) = self.stack.tcp(now);
        tcp.release(now, connection, internet);
        let Some(flow) = self.side.tcp.get_mut(key) else {
            return;
        };
        flow.connection = None;
        match flow.instead.take() {
            Some(other) if error == TcpError::Refused => {
                flow.flow = other;
                self.greet(key);
            }
            _ => self.side.tcp.remove_with_reset(key),
        }
    }
}
