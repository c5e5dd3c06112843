//! How connections end: shutdown(2), close(2), and what the other side does.
//!
//! Between two sockets of this process the end of a half arrives at once: the first to end goes from
//! ESTABLISHED to FIN-WAIT-2, the other to CLOSE-WAIT, and when that one ends too both are CLOSED. A
//! socket whose descriptor is gone answers with a reset to whatever comes, and leaves with a reset if
//! something was unread. With SO_LINGER, close(2) waits until the network has taken all.

use alloc::sync::Arc;
use core::time::Duration;

use super::{Link, Phase, READABLE, TcpSocket, TcpState, WRITABLE, ports, table};
use crate::errno::{Errno, Result};
use crate::fs::poll::PollEvents;
use crate::net::inet::loopback::{self, Count};
use crate::net::socket::Halves;
use crate::time::{Instant, timer};

impl TcpSocket {
    pub(super) fn shut_down(&self, halves: Halves) -> Result<()> {
        let tcp = {
            let mut state = self.state.lock();
            if state.phase == Phase::Connecting {
                state.phase = match state.tcp {
                    TcpState::SynSent | TcpState::Closed => Phase::Unconnected,
                    _ => Phase::Connected,
                };
            }
            state.tcp
        };
        match tcp {
            TcpState::Closed => {
                self.state.lock().shut |= halves;
                self.announce_end();
                Err(Errno::ENOTCONN)
            }
            TcpState::Listen if !halves.contains(Halves::RECEIVE) => Ok(()),
            TcpState::Listen | TcpState::SynSent => {
                self.disconnect();
                Ok(())
            }
            _ => {
                let ends_now = {
                    let mut state = self.state.lock();
                    let ended = state.shut.contains(Halves::SEND);
                    state.shut |= halves;
                    halves.contains(Halves::SEND) && !ended
                };
                if ends_now {
                    self.send_end();
                }
                self.announce_end();
                Ok(())
            }
        }
    }

    /// Tells the other side that nothing more comes.
    fn send_end(&self) {
        self.uncork();
        let peer = {
            let mut state = self.state.lock();
            match state.tcp {
                TcpState::Established => {
                    state.tcp = TcpState::FinWait2;
                    state.is_active_closer = true;
                }
                TcpState::CloseWait => {
                    state.tcp = TcpState::Closed;
                    state.shut = Halves::all();
                }
                _ => return,
            }
            match &state.link {
                Link::None => return,
                Link::Local(peer) => peer.upgrade(),
                Link::Remote(remote) => {
                    let id = remote.id;
                    state.tcp = if state.tcp == TcpState::Closed {
                        TcpState::LastAck
                    } else {
                        TcpState::FinWait1
                    };
                    drop(state);
                    super::remote::end_sending(id);
                    return;
                }
            }
        };
        if let Some(peer) = peer {
            peer.receive_end();
        }
        self.release_if_over();
    }

    /// Both halves have ended: a port that bind(2) did not choose is free.
    fn release_if_over(&self) {
        if self.state.lock().tcp == TcpState::Closed {
            self.release_flow();
            self.release_chosen_port();
        }
    }

    /// The other side, in this process, sends nothing more.
    fn receive_end(&self) {
        {
            let mut state = self.state.lock();
            state.shut |= Halves::RECEIVE;
            state.is_done = true;
            match state.tcp {
                TcpState::Established => state.tcp = TcpState::CloseWait,
                TcpState::FinWait2 => {
                    state.tcp = TcpState::Closed;
                    state.shut = Halves::all();
                }
                _ => {}
            }
        }
        if self.state.lock().deferred_by.is_some() {
            self.undefer();
        }
        self.announce_end();
        self.release_if_over();
    }

    /// Wakes everybody: halves have ended.
    pub(super) fn announce_end(&self) {
        self.arrivals.wake_all();
        self.space.wake_all();
        let peer = match &self.state.lock().link {
            Link::Local(peer) => peer.upgrade(),
            _ => None,
        };
        // Who sends from this socket waits for room at the peer.
        if let Some(peer) = peer {
            peer.space.wake_all();
        }
        let (shut, error) = {
            let state = self.state.lock();
            (state.shut, state.error)
        };
        let mut events = READABLE | WRITABLE;
        events.set(PollEvents::RDHUP, shut.contains(Halves::RECEIVE));
        events.set(PollEvents::HUP, shut == Halves::all());
        events.set(PollEvents::ERR, error.is_some());
        self.pollers.notify(events);
    }

    /// A reset came (`tcp_reset` of Linux).
    pub(super) fn reset(&self) {
        let error = match self.state.lock().tcp {
            TcpState::Closed | TcpState::Listen => return,
            TcpState::SynSent => Errno::ECONNREFUSED,
            TcpState::CloseWait => Errno::EPIPE,
            _ => Errno::ECONNRESET,
        };
        self.fail(error);
    }

    /// The connection, or the attempt, is over because of `error`.
    pub(super) fn fail(&self, error: Errno) {
        {
            let mut state = self.state.lock();
            if state.tcp == TcpState::Closed {
                return;
            }
            state.error = Some(error);
            state.tcp = TcpState::Closed;
            state.shut = Halves::all();
            if let Some(key) = state.timer.take() {
                timer::disarm(key);
            }
        }
        self.announce_end();
        self.drop_link();
        self.release_flow();
        self.release_chosen_port();
    }

    /// Resets the connection from this side.
    pub(super) fn send_reset(&self) {
        let link = core::mem::replace(&mut self.state.lock().link, Link::None);
        match link {
            Link::None => {}
            Link::Local(peer) => {
                if let Some(peer) = peer.upgrade() {
                    loopback::add(Count::Reset, 1);
                    peer.reset();
                }
            }
            Link::Remote(remote) => super::remote::abort(remote.id),
        }
    }

    /// Lets go of the other side.
    pub(super) fn drop_link(&self) {
        let link = core::mem::replace(&mut self.state.lock().link, Link::None);
        if let Link::Remote(remote) = link {
            super::remote::release(remote.id);
        }
    }

    /// A connection that nobody will accept ends with its listener.
    pub(super) fn abort(self: Arc<Self>) {
        self.send_reset();
        self.hang_up();
    }

    /// The last descriptor is gone because of a close(2), which waits as SO_LINGER says.
    pub(super) fn hang_up_lingering(&self) {
        let seconds = self.options.linger().unwrap_or(0);
        self.hang_up_within(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    }

    /// The last descriptor is gone.
    pub(in crate::net::inet) fn hang_up(&self) {
        self.hang_up_within(Duration::ZERO);
    }

    /// Waits until the other side has acknowledged the end of our half, also where the socket is non-blocking
    /// (`tcp_close` of Linux); a signal ends the wait.
    fn await_acknowledgement(&self, patience: Duration) {
        let is_under_way = || {
            let tcp = self.state.lock().tcp;
            matches!(
                tcp,
                TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck
            )
        };
        let deadline = Some(Instant::now().after(patience));
        // Whatever ends the wait: the descriptor is gone, and close(2) tells of no error.
        let _ = self
            .space
            .wait_until(deadline, || (!is_under_way()).then_some(()));
    }

    fn hang_up_within(&self, patience: Duration) {
        let (is_listening, tcp, unread) = {
            let mut state = self.state.lock();
            if core::mem::replace(&mut state.is_closed, true) {
                return;
            }
            if let Some(key) = state.timer.take() {
                timer::disarm(key);
            }
            (state.listening.is_some(), state.tcp, state.readable() > 0)
        };
        if is_listening {
            self.stop_listening();
        }
        let is_connected = !matches!(tcp, TcpState::Closed | TcpState::Listen | TcpState::SynSent);
        let resets = is_connected && (unread || self.options.linger() == Some(0));
        if resets {
            self.send_reset();
        } else if is_connected && !self.state.lock().shut.contains(Halves::SEND) {
            self.state.lock().shut |= Halves::SEND;
            self.send_end();
        }
        if !patience.is_zero() {
            self.await_acknowledgement(patience);
        }
        self.space.wake_all();
        self.drop_link();
        self.release_flow();
        table::remove(self.token);
        let mut state = self.state.lock();
        state.inbox.clear();
        state.tcp = TcpState::Closed;
        let port = state.local.port();
        let waits = state.is_active_closer && !resets;
        if let Some(claim) = state.claim.take() {
            drop(state);
            let mut ports = ports::TCP.lock();
            if waits {
                ports.linger(port, claim);
            } else {
                ports.release(port, &claim);
            }
        }
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        self.hang_up();
    }
}
