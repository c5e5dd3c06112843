//! What waits to be sent together with more (TCP_CORK, MSG_MORE), between sockets of this process.
//!
//! As in Linux it goes out when it fills a segment, when the cork is drawn or TCP_NODELAY set, with
//! the next data that are not held back, with the end of the half, and after 200 ms in any case.
//! Over the network the engine keeps such data in its own buffer.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Link, TcpSocket};
use crate::errno::Result;
use crate::time::Instant;
use crate::time::timer::{self, Expire, TimerKey};
use crate::user::Source;

/// A segment between sockets of this process, in bytes.
pub(super) const SEGMENT: usize = 65_483;

/// How long data are held back at most.
const LONGEST: Duration = Duration::from_millis(200);

/// Data that wait.
pub(super) struct Corked {
    bytes: Vec<u8>,
    timer: TimerKey,
    /// What the timer calls; lives as long as the data.
    _alarm: Arc<Alarm>,
}

impl Drop for Corked {
    fn drop(&mut self) {
        timer::disarm(self.timer);
    }
}

struct Alarm {
    socket: Weak<TcpSocket>,
}

impl Expire for Alarm {
    fn expire(self: Arc<Self>, _: Instant) {
        if let Some(socket) = self.socket.upgrade() {
            socket.uncork();
        }
    }
}

impl TcpSocket {
    /// Holds all of `source` back, if it fits into a segment with what waits already; returns how
    /// many bytes that were, 0 if it does not fit.
    ///
    /// # Errors
    /// EFAULT.
    pub(super) fn hold_back(&self, source: &mut Source<'_>) -> Result<usize> {
        let wanted = source.left();
        let mut state = self.state.lock();
        let waiting = state.corked.as_ref().map_or(0, |corked| corked.bytes.len());
        if !matches!(state.link, Link::Local(_)) || waiting + wanted >= SEGMENT {
            return Ok(0);
        }
        let mut bytes = alloc::vec![0; wanted];
        let taken = source.take(&mut bytes)?;
        bytes.truncate(taken);
        match &mut state.corked {
            Some(corked) => corked.bytes.append(&mut bytes),
            None => {
                let alarm = Arc::new(Alarm {
                    socket: Weak::clone(&self.me),
                });
                let due: Weak<Alarm> = Arc::downgrade(&alarm);
                state.corked = Some(Box::new(Corked {
                    bytes,
                    timer: timer::arm(Instant::now().after(LONGEST), due),
                    _alarm: alarm,
                }));
            }
        }
        Ok(taken)
    }

    /// Sends what was held back.
    pub(super) fn uncork(&self) {
        let (corked, peer) = {
            let mut state = self.state.lock();
            let Some(corked) = state.corked.take() else {
                return;
            };
            let peer = match &state.link {
                Link::Local(peer) => peer.upgrade(),
                _ => None,
            };
            (corked, peer)
        };
        if let Some(peer) = peer {
            peer.deliver(&corked.bytes);
        }
    }

    /// Takes bytes that a peer held back. They count as sent already: the window does not apply.
    fn deliver(&self, bytes: &[u8]) {
        {
            let mut state = self.state.lock();
            if state.is_closed {
                return;
            }
            let mut source = Source::kernel(bytes);
            let _ = state.inbox.push(&mut source, bytes.len());
        }
        self.announce_data();
    }
}
