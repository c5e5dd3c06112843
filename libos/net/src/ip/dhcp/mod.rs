//! The DHCP client's states (RFC 2131, section 4.4). It sends nothing and sets nothing: [`Client::poll`]
//! says what is to be sent, [`Client::receive`] what became of the lease.
//!
//! The first offer is taken. A lease is used at once, without asking the network if somebody else has
//! the address: that would cost a second at each start, and the server has asked.

pub(crate) mod message;

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use crate::config::Mac;
use crate::random::Random;
use crate::time::{Duration, Instant};
use message::{Answer, Lease, Request};

/// Ports.
pub(crate) const SERVER_PORT: u16 = 67;
pub(crate) const CLIENT_PORT: u16 = 68;

/// The first wait for an answer; it doubles up to the longest (RFC 2131, section 4.1, begins with four
/// seconds; a program that waits for its network would rather ask again).
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(64);

/// Requests without an answer until the client begins anew.
const TRIES: u32 = 5;

/// Shortest time between requests for an extension (section 4.4.5).
const LEAST_RENEWAL: Duration = Duration::from_secs(60);

/// Shortest lease that is taken as told: a shorter one would be nothing but requests.
const LEAST_LEASE: u64 = 30;

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    /// To this server from the leased address; none for all, from nobody.
    pub(crate) to: Option<(Ipv4Addr, Ipv4Addr)>,
    pub(crate) message: Vec<u8>,
}

/// What became of the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// There is one, new or extended.
    Bound(Lease),
    /// It is over.
    Lost(Lease),
}

/// The client of one interface.
#[derive(Debug)]
pub(crate) struct Client {
    mac: Mac,
    state: State,
    transaction: u32,
    begun: Instant,
    /// When something is to be sent, or ends.
    next: Instant,
    last: Option<Ipv4Addr>,
}

#[derive(Debug)]
enum State {
    Selecting {
        tries: u32,
    },
    Requesting {
        tries: u32,
        server: Ipv4Addr,
        address: Ipv4Addr,
    },
    Bound {
        lease: Lease,
        times: Option<Times>,
    },
}

/// When a lease is to be extended by its server, by anybody, and when it ends.
#[derive(Clone, Copy, Debug)]
struct Times {
    renewal: Instant,
    rebinding: Instant,
    end: Instant,
}

impl Client {
    /// Begins.
    pub(crate) fn new(now: Instant, mac: Mac, random: &mut Random) -> Self {
        Self {
            mac,
            state: State::Selecting { tries: 0 },
            transaction: random.next_u32(),
            begun: now,
            next: now,
            last: None,
        }
    }

    /// When [`Self::poll`] wants to be called.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        match self.state {
            State::Bound { times: None, .. } => None,
            _ => Some(self.next),
        }
    }

    /// Begins anew: the link came back. What was leased is asked for again.
    pub(crate) fn restart(&mut self, now: Instant, random: &mut Random) -> Option<Change> {
        let state = core::mem::replace(&mut self.state, State::Selecting { tries: 0 });
        self.transaction = random.next_u32();
        self.begun = now;
        self.next = now;
        match state {
            State::Bound { lease, .. } => Some(Change::Lost(lease)),
            _ => None,
        }
    }

    /// Does what is due.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        random: &mut Random,
    ) -> (Option<Outgoing>, Option<Change>) {
        if self.poll_at().is_none_or(|next| now < next) {
            return (None, None);
        }
        match &mut self.state {
            State::Selecting { tries } => {
                let wait = backoff(*tries, random);
                *tries = tries.saturating_add(1);
                self.next = now + wait;
                let preferred = self.last;
                (self.to_all(now, Request::Discover { preferred }), None)
            }
            State::Requesting { tries, .. } if *tries >= TRIES => {
                self.restart(now, random);
                (None, None)
            }
            State::Requesting {
                tries,
                server,
                address,
            } => {
                let (server, address) = (*server, *address);
                let wait = backoff(*tries, random);
                *tries += 1;
                self.next = now + wait;
                (self.to_all(now, Request::Select { server, address }), None)
            }
            State::Bound { times: None, .. } => (None, None),
            State::Bound {
                times: Some(times), ..
            } if now >= times.end => (None, self.restart(now, random)),
            State::Bound {
                lease,
                times: Some(times),
            } => {
                let core::net::IpAddr::V4(address) = lease.network.address else {
                    return (None, None);
                };
                if now >= times.renewal && now < times.rebinding {
                    let server = lease.server;
                    self.next = halfway(now, times.rebinding);
                    let message = self.message(now, Request::Extend { address });
                    let to = Some((server, address));
                    (Some(Outgoing { to, message }), None)
                } else {
                    self.next = halfway(now, times.end);
                    (self.to_all(now, Request::Extend { address }), None)
                }
            }
        }
    }

    /// A message came from a server.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        bytes: &[u8],
        random: &mut Random,
    ) -> Option<Change> {
        let answer = message::parse(bytes, self.transaction, self.mac)?;
        match (&self.state, answer) {
            (State::Selecting { .. }, Answer::Offer { server, address }) => {
                self.state = State::Requesting {
                    tries: 0,
                    server,
                    address,
                };
                self.next = now;
                None
            }
            (State::Requesting { server, .. }, Answer::Acknowledged(lease))
                if lease.server == *server =>
            {
                Some(self.bind(now, lease))
            }
            (
                State::Bound {
                    lease: old,
                    times: Some(times),
                },
                Answer::Acknowledged(lease),
            ) if now >= times.renewal && lease.network.address == old.network.address => {
                Some(self.bind(now, lease))
            }
            (State::Requesting { server, .. }, Answer::Refused { server: from })
                if from.is_none_or(|from| from == *server) =>
            {
                self.last = None;
                self.restart(now, random)
            }
            (
                State::Bound {
                    times: Some(times), ..
                },
                Answer::Refused { .. },
            ) if now >= times.renewal => {
                self.last = None;
                self.restart(now, random)
            }
            _ => None,
        }
    }

    fn bind(&mut self, now: Instant, lease: Lease) -> Change {
        let times = lease.seconds.map(|seconds| {
            let whole = u64::from(seconds).max(LEAST_LEASE);
            let rebinding = whole_or(lease.rebinding, whole * 7 / 8, whole);
            let renewal = whole_or(lease.renewal, whole / 2, rebinding);
            Times {
                renewal: now + Duration::from_secs(renewal),
                rebinding: now + Duration::from_secs(rebinding),
                end: now + Duration::from_secs(whole),
            }
        });
        if let core::net::IpAddr::V4(address) = lease.network.address {
            self.last = Some(address);
        }
        self.begun = now;
        self.next = times.map_or(now, |times| times.renewal);
        self.state = State::Bound {
            lease: lease.clone(),
            times,
        };
        Change::Bound(lease)
    }

    fn to_all(&self, now: Instant, request: Request) -> Option<Outgoing> {
        let message = self.message(now, request);
        Some(Outgoing { to: None, message })
    }

    fn message(&self, now: Instant, request: Request) -> Vec<u8> {
        let seconds = u16::try_from((now - self.begun).secs()).unwrap_or(u16::MAX);
        message::emit(request, self.transaction, seconds, self.mac)
    }
}

/// A time that the server named, if it lies inside of `bound`.
fn whole_or(told: Option<u32>, otherwise: u64, bound: u64) -> u64 {
    told.map(u64::from)
        .filter(|&told| told > 0 && told < bound)
        .unwrap_or(otherwise.min(bound))
}

/// The wait after a number of tries: doubled each time, more or less half a second.
fn backoff(tries: u32, random: &mut Random) -> Duration {
    let wait = FIRST_WAIT * 2_u32.saturating_pow(tries.min(6));
    let wait = wait.min(LONGEST_WAIT);
    wait - Duration::from_millis(250) + Duration::from_millis(random.below(500))
}

/// Half of what is left until `end`, but not less than a minute, nor after the end.
fn halfway(now: Instant, end: Instant) -> Instant {
    let left = end - now;
    (now + (left / 2).max(LEAST_RENEWAL)).min(end)
}
