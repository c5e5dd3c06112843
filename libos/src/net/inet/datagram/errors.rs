//! What went wrong with datagrams: the pending error (SO_ERROR), and the queue that IP_RECVERR asks
//! for (ip(7)).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use libos_net::owner::Unreachable;

use crate::errno::Errno;

/// Most errors that wait in one queue; the oldest stay, as they say where it began.
const LONGEST: usize = 64;

/// Who found an error: `SO_EE_ORIGIN_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This system.
    Local,
    /// An ICMP message.
    Icmp,
    /// An ICMPv6 message.
    Icmp6,
}

impl Origin {
    fn number(self) -> u8 {
        match self {
            Self::Local => 1,
            Self::Icmp => 2,
            Self::Icmp6 => 3,
        }
    }
}

/// One error with its datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedError {
    /// The error.
    pub error: Errno,
    /// Who found it.
    pub origin: Origin,
    /// Type and code of the ICMP message.
    pub icmp: [u8; 2],
    /// The MTU in bytes, for EMSGSIZE.
    pub info: u32,
    /// Who complained.
    pub offender: Option<IpAddr>,
    /// Where the datagram went.
    pub to: SocketAddr,
    /// The datagram's bytes, as far as they are known.
    pub payload: Vec<u8>,
}

impl QueuedError {
    /// `struct sock_extended_err`.
    pub fn header(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&u32::from(self.error.number()).to_ne_bytes());
        bytes[4] = self.origin.number();
        bytes[5..7].copy_from_slice(&self.icmp);
        bytes[8..12].copy_from_slice(&self.info.to_ne_bytes());
        bytes
    }
}

/// What an ICMP error means to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The error.
    pub error: Errno,
    /// Whether a connected socket hears of it without IP_RECVERR.
    pub is_hard: bool,
    /// Type and code of the message.
    pub icmp: [u8; 2],
    /// The MTU in bytes, for EMSGSIZE.
    pub info: u32,
}

/// What `what` means about a datagram to an IPv4 or an IPv6 address (net/ipv4/icmp.c,
/// `icmp_err_convert`; net/ipv6/icmp.c, `icmpv6_err_convert`).
pub fn meaning(what: Unreachable, is_v4: bool) -> Meaning {
    let (error, is_hard, v4, v6) = match what {
        Unreachable::Network => (Errno::ENETUNREACH, false, [3, 0], [1, 0]),
        Unreachable::Host => (Errno::EHOSTUNREACH, false, [3, 1], [1, 3]),
        Unreachable::Protocol if !is_v4 => (Errno::EPROTO, true, [3, 2], [4, 1]),
        Unreachable::Protocol => (Errno::ENOPROTOOPT, true, [3, 2], [4, 1]),
        Unreachable::Port => (Errno::ECONNREFUSED, true, [3, 3], [1, 4]),
        Unreachable::TooBig(_) => (Errno::EMSGSIZE, is_v4, [3, 4], [2, 0]),
        Unreachable::Prohibited if !is_v4 => (Errno::EACCES, true, [3, 13], [1, 1]),
        Unreachable::Prohibited => (Errno::EHOSTUNREACH, true, [3, 13], [1, 1]),
        Unreachable::HopLimit => (Errno::EHOSTUNREACH, false, [11, 0], [3, 0]),
    };
    let info = match what {
        Unreachable::TooBig(mtu) => mtu.into(),
        _ => 0,
    };
    Meaning {
        error,
        is_hard,
        icmp: if is_v4 { v4 } else { v6 },
        info,
    }
}

/// The errors of one socket.
#[derive(Debug, Default)]
pub struct Errors {
    pending: Option<Errno>,
    queue: VecDeque<QueuedError>,
}

impl Errors {
    /// The next call fails with `error`.
    pub fn set_pending(&mut self, error: Errno) {
        self.pending = Some(error);
    }

    /// The pending error, which is no longer pending.
    pub fn take_pending(&mut self) -> Option<Errno> {
        self.pending.take()
    }

    /// Queues an error.
    pub fn queue(&mut self, error: QueuedError) {
        if self.queue.len() < LONGEST {
            self.queue.push_back(error);
        }
    }

    /// The oldest queued error. The next one becomes pending in its place.
    pub fn take_queued(&mut self) -> Option<QueuedError> {
        let first = self.queue.pop_front()?;
        let from_network = |error: &&QueuedError| error.origin != Origin::Local;
        match self.queue.front().filter(from_network) {
            Some(next) => self.pending = Some(next.error),
            None if first.origin != Origin::Local => self.pending = None,
            None => {}
        }
        Some(first)
    }

    /// The oldest queued error, which stays.
    pub fn first_queued(&self) -> Option<&QueuedError> {
        self.queue.front()
    }

    /// Throws the queue away (IP_RECVERR was switched off).
    pub fn clear_queue(&mut self) {
        self.queue.clear();
    }

    /// Whether poll(2) says POLLERR.
    pub fn is_any(&self) -> bool {
        self.pending.is_some() || !self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(error: Errno, origin: Origin) -> QueuedError {
        QueuedError {
            error,
            origin,
            icmp: [3, 3],
            info: 0,
            offender: None,
            to: SocketAddr::from(([127, 0, 0, 1], 1)),
            payload: Vec::new(),
        }
    }

    #[test]
    fn the_next_queued_error_becomes_pending() {
        let mut errors = Errors::default();
        errors.queue(error(Errno::ECONNREFUSED, Origin::Icmp));
        errors.queue(error(Errno::EHOSTUNREACH, Origin::Icmp));
        errors.set_pending(Errno::EHOSTUNREACH);
        assert!(errors.take_queued().is_some());
        assert_eq!(errors.take_pending(), Some(Errno::EHOSTUNREACH));
        errors.set_pending(Errno::EHOSTUNREACH);
        assert!(errors.take_queued().is_some());
        assert_eq!(errors.take_pending(), None);
        assert!(errors.take_queued().is_none() && !errors.is_any());
    }

    #[test]
    fn queues_are_bounded() {
        let mut errors = Errors::default();
        for _ in 0..1000 {
            errors.queue(error(Errno::ECONNREFUSED, Origin::Icmp));
        }
        assert_eq!(errors.queue.len(), LONGEST);
    }

    #[test]
    fn the_header_is_linuxs() {
        let mut one = error(Errno::EMSGSIZE, Origin::Local);
        one.info = 1500;
        assert_eq!(
            one.header(),
            [90, 0, 0, 0, 1, 3, 3, 0, 220, 5, 0, 0, 0, 0, 0, 0]
        );
    }

    #[test]
    fn errors_are_told_as_linux_tells_them() {
        for (what, v4, v6) in [
            (
                Unreachable::Port,
                (Errno::ECONNREFUSED, true),
                (Errno::ECONNREFUSED, true),
            ),
            (
                Unreachable::Host,
                (Errno::EHOSTUNREACH, false),
                (Errno::EHOSTUNREACH, false),
            ),
            (
                Unreachable::Prohibited,
                (Errno::EHOSTUNREACH, true),
                (Errno::EACCES, true),
            ),
            (
                Unreachable::TooBig(1400),
                (Errno::EMSGSIZE, true),
                (Errno::EMSGSIZE, false),
            ),
        ] {
            for (is_v4, expected) in [(true, v4), (false, v6)] {
                let found = meaning(what, is_v4);
                assert_eq!((found.error, found.is_hard), expected, "{what:?} {is_v4}");
            }
        }
    }
}
