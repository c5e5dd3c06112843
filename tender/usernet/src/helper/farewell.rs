//! The guest's end: what it had sent, and this helper acknowledged, still goes to the hosts.
//!
//! To the guest those bytes have arrived: it ended, with its exit status, once everything was acknowledged. So
//! the helper outlives it for as long as a host takes something, [`PATIENCE`] at most without that and [`LIMIT`] in
//! all; what is then in the host's own buffers is the kernel's affair, as with any process that has ended. There is
//! nothing to grow meanwhile: no frame and no connection comes any more, and what waits lies in the connections'
//! buffers, which have their bound.
//!
//! Published ports are closed first, so that the next guest may have them. A connection of which the guest saw the
//! beginning alone is reset.

use super::splice::{self, Outcome};
use super::table::Key;
use super::tcp::Stage;
use super::{Helper, peers, ping, udp};
use crate::helper::poller::Source;
use std::time::{Duration, Instant};

/// So long may hosts take nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// So long may it take in all, however slowly hosts read.
const LIMIT: Duration = Duration::from_secs(300);

/// Calls for frames that lie in the channel; its buffers hold fewer.
const MOST_BATCHES: usize = 4096;

impl Helper {
    /// Gives hosts what is theirs.
    pub(super) fn farewell(&mut self) {
        self.side.now = self.now();
        self.take_last_frames();
        self.serve_queue();
        self.close_what_owes_nothing();
        for key in self.side.tcp.keys() {
            if let Some(flow) = self.side.tcp.get_mut(key) {
                // An event of the turn that was broken off may have been passed over.
                (flow.host.readable, flow.host.writable) = (true, true);
            }
            self.side.tcp.queue(key);
        }
        let begun = Instant::now();
        let mut progress = begun;
        loop {
            if self.drain_queued() {
                progress = Instant::now();
            }
            let until = (progress + PATIENCE).min(begun + LIMIT);
            let left = until.saturating_duration_since(Instant::now());
            if self.side.tcp.is_empty() || left.is_zero() || !self.await_hosts(left) {
                return;
            }
        }
    }

    /// A guest that was killed may have left frames that were not looked at.
    fn take_last_frames(&mut self) {
        for _ in 0..MOST_BATCHES {
            match self.take_batch() {
                Ok(batch) if !batch.is_end => {}
                _ => return,
            }
        }
    }

    fn close_what_owes_nothing(&mut self) {
        let _ = self.side.poller.forget(&self.channel);
        if let Some(parent) = self.parent.take() {
            let _ = self.side.poller.forget(&parent);
        }
        self.side.published.clear();
        self.side.udp = udp::Flows::new(0);
        self.side.peers = peers::Peers::new(0);
        self.side.pings = ping::Pings::new();
    }

    /// Looks at every connection at which something can be done, once. Whether something was.
    fn drain_queued(&mut self) -> bool {
        let mut has_moved = false;
        for _ in 0..self.side.tcp.queued() {
            if let Some(key) = self.side.tcp.next_queued() {
                has_moved |= self.drain(key);
            }
        }
        has_moved
    }

    fn drain(&mut self, key: Key) -> bool {
        let Some(flow) = self.side.tcp.get_mut(key) else {
            return false;
        };
        let (Stage::Open, Some(connection)) = (flow.stage, flow.connection) else {
            self.side.tcp.remove_with_reset(key);
            return true;
        };
        let (tcp, _) = self.stack.tcp(self.side.now);
        let drained = splice::drain(tcp, connection, &mut flow.host, &mut flow.halves);
        match drained.outcome {
            Outcome::Wait => {}
            Outcome::More => self.side.tcp.queue(key),
            Outcome::Finished => {
                self.side.tcp.remove(key);
            }
            Outcome::HostBroke | Outcome::GuestBroke => self.side.tcp.remove_with_reset(key),
        }
        drained.changed
    }

    /// Waits until a host takes or says something. False if that cannot be waited for.
    fn await_hosts(&mut self, left: Duration) -> bool {
        let has_more = self.side.tcp.queued() > 0;
        let timeout = if has_more { Duration::ZERO } else { left };
        if self.side.poller.wait(Some(timeout)).is_err() {
            return false;
        }
        for index in 0..self.side.poller.count() {
            if let Some(ready) = self.side.poller.ready(index)
                && let Source::Tcp(key) = ready.source
            {
                self.host_ready(key, ready.readable, ready.writable, ready.ended);
            }
        }
        true
    }
}
