//! Urgent data between sockets of this process (MSG_OOB; tcp(7), RFC 6093).
//!
//! The byte stays in the queue, where a mark points at it. Without SO_OOBINLINE the stream's reader skips it, and
//! `recv(MSG_OOB)` reads it; with it the byte is one like the others. A read that began in front of the mark ends there.
//! Over the network urgent data stay in the stream, for the engine does not tell of them; there is no SIGURG.

use alloc::boxed::Box;

use super::{State, TcpSocket};
use crate::errno::{Errno, Result};
use crate::fs::poll::PollEvents;
use crate::net::message::MessageFlags;
use crate::net::socket::Halves;
use crate::user::Dest;
use libos_net::tcp::State as TcpState;
use linux_raw_sys::net::SO_OOBINLINE;

/// Where in a queue the last urgent byte is.
pub(super) struct Mark {
    /// Bytes in front of it.
    before: usize,
    /// `recv(MSG_OOB)` had it.
    was_read: bool,
}

impl State {
    /// The last byte of the queue is urgent; an earlier mark is forgotten, as Linux does.
    pub(super) fn mark_last_byte(&mut self) {
        if let Some(before) = self.inbox.len().checked_sub(1) {
            self.urgent = Some(Box::new(Mark {
                before,
                was_read: false,
            }));
        }
    }

    /// How many bytes are in front of the urgent one.
    pub(super) fn mark(&self) -> Option<usize> {
        self.urgent.as_ref().map(|mark| mark.before)
    }

    /// Whether the next byte is the urgent one (SIOCATMARK).
    pub(super) fn is_at_mark(&self) -> bool {
        self.mark() == Some(0)
    }

    /// Whether an urgent byte waits that nobody read (POLLPRI).
    pub(super) fn has_urgent(&self) -> bool {
        self.urgent.as_ref().is_some_and(|mark| !mark.was_read)
    }

    /// How many bytes a read of the stream may take at once. At the mark itself, without `is_inline`, the urgent byte goes.
    #[cold]
    pub(super) fn stretch(&mut self, is_inline: bool) -> usize {
        match &self.urgent {
            Some(mark) if mark.before > 0 => mark.before,
            Some(_) if !is_inline => {
                self.urgent = None;
                self.inbox.discard(1);
                usize::MAX
            }
            _ => usize::MAX,
        }
    }

    /// The stream's reader took `count` bytes.
    pub(super) fn pass_mark(&mut self, count: usize) {
        let Some(mark) = &mut self.urgent else { return };
        match mark.before.checked_sub(count) {
            Some(before) => mark.before = before,
            None => self.urgent = None,
        }
    }
}

impl TcpSocket {
    /// Whether urgent bytes are part of the stream (SO_OOBINLINE).
    pub(super) fn is_urgent_inline(&self) -> bool {
        self.options.is_set(SO_OOBINLINE)
    }

    /// `recv(MSG_OOB)` (net/ipv4/tcp.c, `tcp_recv_urg`): one byte, and without waiting for it.
    ///
    /// # Errors
    /// EINVAL if there is none or it was read; EAGAIN; ENOTCONN; EFAULT.
    pub(super) fn receive_urgent(&self, dest: &mut Dest<'_>, flags: MessageFlags) -> Result<usize> {
        let is_inline = self.is_urgent_inline();
        let mut state = self.state.lock();
        let Some(mark) = state
            .urgent
            .as_ref()
            .filter(|mark| !mark.was_read && !is_inline)
        else {
            return Err(Errno::EINVAL);
        };
        if state.tcp == TcpState::Closed && !state.is_done {
            return Err(Errno::ENOTCONN);
        }
        let before = mark.before;
        if let Some(mark) = &mut state.urgent {
            mark.was_read = !flags.contains(MessageFlags::PEEK);
        }
        if state.shut.contains(Halves::RECEIVE) && state.inbox.len() <= before {
            return Ok(0);
        }
        dest.truncate(1);
        if flags.contains(MessageFlags::TRUNC) {
            return Ok(dest.room());
        }
        state.inbox.peek(before, dest)
    }

    /// Tells that the queue's last byte is urgent.
    #[cold]
    pub(super) fn announce_urgent(&self) {
        self.state.lock().mark_last_byte();
        self.pollers.notify(PollEvents::PRI);
    }
}
