//! Port spaces: which ports of a protocol are taken, by whom, and who may share them.
//!
//! - [`Ports`]: one protocol's space, pure data. [`TCP`] and [`UDP`] are the two there are.
//! - [`Claim`]: what a socket holds of a port: an address, and how far it shares.
//!
//! The rules are those of Linux (net/ipv4/inet_connection_sock.c, `inet_bind_conflict`; net/ipv4/udp.c,
//! `udp_lib_lport_inuse`). Equal claims are counted, not listed, so that a port with ten thousand
//! accepted connections costs no more to check than one with a single listener. Which of several
//! sockets gets what comes is not decided here.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::errno::{Errno, Result};
use crate::sync::SpinLock;
use crate::task::credentials::Id;
use crate::time::Instant;
use crate::word_map::WordMap;

/// First and last port that is given out by itself (`net.ipv4.ip_local_port_range`).
pub const EPHEMERAL: core::ops::RangeInclusive<u16> = 32_768..=60_999;

/// The first port that any user may bind (`net.ipv4.ip_unprivileged_port_start`): as in a container, every one is. The
/// addresses are the guest's alone, and who runs it decides which of the host's ports lead to them.
pub const FIRST_UNPRIVILEGED: u16 = 0;

/// How long a closed connection holds its port (Linux's `TCP_TIMEWAIT_LEN`).
const TIME_WAIT: Duration = Duration::from_secs(60);

/// How many closed connections are remembered at most; beyond that the oldest go.
const MAX_WAITING: usize = 4096;

/// TCP's ports.
pub static TCP: SpinLock<Ports> = SpinLock::new(Ports::new());

/// UDP's ports.
pub static UDP: SpinLock<Ports> = SpinLock::new(Ports::new());

bitflags::bitflags! {
    /// What a socket's owner said about sharing.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Sharing: u8 {
        /// SO_REUSEADDR.
        const ADDRESS = 1;
        /// SO_REUSEPORT.
        const PORT = 2;
        /// The socket listens: no SO_REUSEADDR gets past it.
        const LISTENING = 4;
        /// The address is `::` and takes IPv4 as well.
        const DUAL = 8;
        /// The port was chosen by connect(2): other connections may have it too, if they lead
        /// elsewhere.
        const CONNECTED = 16;
    }
}

/// What a socket holds of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The local address; unspecified for all of its family.
    pub address: IpAddr,
    /// How it shares.
    pub sharing: Sharing,
    /// The effective user: SO_REUSEPORT is among sockets of one user.
    pub user: Id,
    /// Index of the interface that it is bound to (SO_BINDTODEVICE); 0 for any.
    pub device: u32,
}

/// Whom a new claim has to get along with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tolerance {
    /// Those that share.
    Shared,
    /// Nobody: a port is to be chosen.
    Alone,
}

impl Claim {
    /// Whether both cover some address in common.
    fn overlaps(&self, other: &Self) -> bool {
        let dual = |claim: &Self| claim.sharing.contains(Sharing::DUAL);
        match (self.address, other.address) {
            (IpAddr::V4(own), IpAddr::V4(theirs)) => {
                own == theirs || own.is_unspecified() || theirs.is_unspecified()
            }
            (IpAddr::V6(own), IpAddr::V6(theirs)) => {
                own == theirs || own.is_unspecified() || theirs.is_unspecified()
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => dual(self),
            (IpAddr::V4(_), IpAddr::V6(_)) => dual(other),
        }
    }

    /// Whether `self`, which is new, cannot be beside `held`.
    fn conflicts(&self, held: &Self, is_waiting: bool, tolerance: Tolerance) -> bool {
        let same_device = self.device == 0 || held.device == 0 || self.device == held.device;
        if !same_device || !self.overlaps(held) {
            return false;
        }
        if tolerance == Tolerance::Alone {
            return true;
        }
        let both = |flag| self.sharing.contains(flag) && held.sharing.contains(flag);
        let by_address = both(Sharing::ADDRESS) && !held.sharing.contains(Sharing::LISTENING);
        let by_port = both(Sharing::PORT) && (is_waiting || self.user == held.user);
        !by_address && !by_port
    }
}

/// The holders of one port.
#[derive(Debug, Default)]
struct Holders {
    /// Claims of sockets, with how many hold each.
    held: Vec<(Claim, u32)>,
    /// Claims of connections that are over, but for TIME-WAIT.
    waiting: Vec<(Claim, u32)>,
}

impl Holders {
    fn refuse(&self, claim: &Claim, tolerance: Tolerance) -> bool {
        let conflicts = |held: &[(Claim, u32)], is_waiting| {
            held.iter()
                .any(|(held, _)| claim.conflicts(held, is_waiting, tolerance))
        };
        conflicts(&self.held, false) || conflicts(&self.waiting, true)
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && self.waiting.is_empty()
    }
}

fn add(claims: &mut Vec<(Claim, u32)>, claim: Claim) {
    match claims.iter_mut().find(|(held, _)| *held == claim) {
        Some((_, count)) => *count += 1,
        None => claims.push((claim, 1)),
    }
}

fn remove(claims: &mut Vec<(Claim, u32)>, claim: &Claim) {
    let Some(at) = claims.iter().position(|(held, _)| held == claim) else {
        return;
    };
    claims[at].1 -= 1;
    if claims[at].1 == 0 {
        claims.swap_remove(at);
    }
}

/// The ports of one protocol.
pub struct Ports {
    taken: WordMap<u16, Box<Holders>>,
    /// Claims in TIME-WAIT, in the order of their ends.
    waiting: VecDeque<(Instant, u16, Claim)>,
}

impl Ports {
    /// All free.
    pub const fn new() -> Self {
        Self {
            taken: WordMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Takes `port`, or any if it is 0, for bind(2); returns which.
    ///
    /// # Errors
    /// EADDRINUSE.
    pub fn bind(&mut self, port: u16, claim: Claim) -> Result<u16> {
        self.expire(Instant::now());
        if port == 0 {
            return self.choose(claim, |holders, claim| {
                holders.refuse(claim, Tolerance::Alone)
            });
        }
        let holders = self.taken.get(&port);
        if holders.is_some_and(|holders| holders.refuse(&claim, Tolerance::Shared)) {
            return Err(Errno::EADDRINUSE);
        }
        self.hold(port, claim);
        Ok(port)
    }

    /// Takes a port for a connection from a socket that has none; `is_used` says whether there is a
    /// connection between the same ends already. The claim becomes [`Sharing::CONNECTED`].
    ///
    /// # Errors
    /// EADDRNOTAVAIL.
    pub fn connect(
        &mut self,
        mut claim: Claim,
        mut is_used: impl FnMut(u16) -> bool,
    ) -> Result<u16> {
        self.expire(Instant::now());
        claim.sharing |= Sharing::CONNECTED;
        let start = random_offset();
        for port in ephemeral_from(start) {
            let free = self.taken.get(&port).is_none_or(|holders| {
                let connected =
                    |(held, _): &(Claim, u32)| held.sharing.contains(Sharing::CONNECTED);
                holders.held.iter().all(connected)
            });
            if free && !is_used(port) {
                self.hold(port, claim);
                return Ok(port);
            }
        }
        Err(Errno::EADDRNOTAVAIL)
    }

    /// Takes `port` once more, without asking: an accepted connection shares its listener's port.
    pub fn hold(&mut self, port: u16, claim: Claim) {
        add(&mut self.taken.get_or_default(port).held, claim);
    }

    /// Gives a port back.
    pub fn release(&mut self, port: u16, claim: &Claim) {
        if let Some(holders) = self.taken.get_mut(&port) {
            remove(&mut holders.held, claim);
            if holders.is_empty() {
                self.taken.remove(&port);
            }
        }
    }

    /// Gives a port back, but for TIME-WAIT: for a while only those who share may bind it.
    pub fn linger(&mut self, port: u16, mut claim: Claim) {
        self.release(port, &claim);
        claim.sharing -= Sharing::LISTENING;
        let now = Instant::now();
        self.expire(now);
        if self.waiting.len() >= MAX_WAITING {
            self.drop_oldest();
        }
        self.waiting.push_back((now.after(TIME_WAIT), port, claim));
        add(&mut self.taken.get_or_default(port).waiting, claim);
    }

    /// Changes a held claim without asking: SO_REUSEADDR after bind(2) counts at once.
    pub fn change(&mut self, port: u16, old: &Claim, new: Claim) {
        self.release(port, old);
        self.hold(port, new);
    }

    /// Changes a held claim into one that listens.
    ///
    /// # Errors
    /// EADDRINUSE if somebody else listens there.
    pub fn listen(&mut self, port: u16, old: &Claim) -> Result<Claim> {
        self.release(port, old);
        let refused = self
            .taken
            .get(&port)
            .is_some_and(|holders| holders.refuse(old, Tolerance::Shared));
        if refused {
            self.hold(port, *old);
            return Err(Errno::EADDRINUSE);
        }
        let mut new = *old;
        new.sharing |= Sharing::LISTENING;
        self.hold(port, new);
        Ok(new)
    }

    fn choose(&mut self, claim: Claim, refuses: impl Fn(&Holders, &Claim) -> bool) -> Result<u16> {
        let start = random_offset();
        for port in ephemeral_from(start) {
            let taken = self.taken.get(&port);
            if taken.is_none_or(|holders| !refuses(holders, &claim)) {
                self.hold(port, claim);
                return Ok(port);
            }
        }
        Err(Errno::EADDRINUSE)
    }

    fn expire(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|(end, ..)| *end <= now) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((_, port, claim)) = self.waiting.pop_front() else {
            return;
        };
        if let Some(holders) = self.taken.get_mut(&port) {
            remove(&mut holders.waiting, &claim);
            if holders.is_empty() {
                self.taken.remove(&port);
            }
        }
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self::new()
    }
}

/// A position in the range of ephemeral ports. Each must be as likely as any other: a part that is
/// chosen more often fills up first, and then everybody walks through it.
fn random_offset() -> u16 {
    let mut bytes = [0; 4];
    crate::random::fill(&mut bytes);
    let count = u32::from(EPHEMERAL.end() - EPHEMERAL.start()) + 1;
    u16::try_from(u32::from_ne_bytes(bytes) % count).unwrap_or(0)
}

/// All ephemeral ports, from the `offset`-th on.
fn ephemeral_from(offset: u16) -> impl Iterator<Item = u16> {
    let (first, last) = (*EPHEMERAL.start(), *EPHEMERAL.end());
    let start = first + offset;
    (start..=last).chain(first..start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(address: &str, sharing: Sharing) -> Claim {
        Claim {
            address: address.parse().expect("an address"),
            sharing,
            user: 0,
            device: 0,
        }
    }

    const NONE: Sharing = Sharing::empty();

    #[test]
    fn a_port_is_taken_once_unless_both_share() {
        let listening = Sharing::ADDRESS | Sharing::LISTENING;
        let both = Sharing::ADDRESS | Sharing::PORT;
        for (first, second, expected) in [
            (("0.0.0.0", NONE), ("127.0.0.1", NONE), false),
            (("127.0.0.1", NONE), ("127.0.0.2", NONE), true),
            (("0.0.0.0", Sharing::ADDRESS), ("0.0.0.0", NONE), false),
            (
                ("0.0.0.0", Sharing::ADDRESS),
                ("0.0.0.0", Sharing::ADDRESS),
                true,
            ),
            (("0.0.0.0", listening), ("0.0.0.0", Sharing::ADDRESS), false),
            (("0.0.0.0", Sharing::PORT), ("0.0.0.0", Sharing::PORT), true),
            (
                ("0.0.0.0", both | Sharing::LISTENING),
                ("0.0.0.0", both),
                true,
            ),
            (("::", Sharing::DUAL), ("0.0.0.0", NONE), false),
            (("::", NONE), ("0.0.0.0", NONE), true),
            (("::1", NONE), ("127.0.0.1", NONE), true),
            (("127.0.0.1", NONE), ("::", Sharing::DUAL), false),
            (("::1", NONE), ("::", NONE), false),
        ] {
            let mut ports = Ports::new();
            assert_eq!(ports.bind(80, claim(first.0, first.1)), Ok(80));
            let result = ports.bind(80, claim(second.0, second.1));
            assert_eq!(result.is_ok(), expected, "{first:?} then {second:?}");
        }
    }

    #[test]
    fn ports_are_shared_among_one_users_sockets_and_by_device() {
        let mut ports = Ports::new();
        let held = claim("0.0.0.0", Sharing::PORT);
        assert_eq!(ports.bind(80, held), Ok(80));
        let stranger = Claim { user: 7, ..held };
        assert_eq!(ports.bind(80, stranger), Err(Errno::EADDRINUSE));
        let mut ports = Ports::new();
        let on_one = Claim {
            device: 1,
            ..claim("0.0.0.0", NONE)
        };
        assert_eq!(ports.bind(80, on_one), Ok(80));
        assert_eq!(
            ports.bind(
                80,
                Claim {
                    device: 2,
                    ..on_one
                }
            ),
            Ok(80)
        );
        assert_eq!(
            ports.bind(
                80,
                Claim {
                    device: 0,
                    ..on_one
                }
            ),
            Err(Errno::EADDRINUSE)
        );
    }

    #[test]
    fn only_one_of_two_that_reuse_an_address_listens() {
        let mut ports = Ports::new();
        let shared = claim("0.0.0.0", Sharing::ADDRESS);
        for _ in 0..2 {
            assert_eq!(ports.bind(80, shared), Ok(80));
        }
        let listening = ports.listen(80, &shared).expect("nobody listens");
        assert_eq!(ports.listen(80, &shared), Err(Errno::EADDRINUSE));
        ports.release(80, &listening);
        assert!(ports.listen(80, &shared).is_ok());
    }

    #[test]
    fn chosen_ports_are_free_and_in_range() {
        let mut ports = Ports::new();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..2000 {
            let port = ports.bind(0, claim("0.0.0.0", Sharing::ADDRESS));
            let port = port.expect("many are free");
            assert!(EPHEMERAL.contains(&port));
            assert!(seen.insert(port), "{port} was given twice");
        }
    }

    #[test]
    fn every_port_is_given_out_before_there_is_none() {
        let mut ports = Ports::new();
        let own = claim("127.0.0.1", NONE);
        for _ in EPHEMERAL {
            ports.bind(0, own).expect("some are free");
        }
        assert_eq!(ports.bind(0, own), Err(Errno::EADDRINUSE));
        ports.release(40_000, &own);
        assert_eq!(ports.bind(0, own), Ok(40_000));
    }

    #[test]
    fn connections_share_a_port_if_they_lead_elsewhere() {
        let mut ports = Ports::new();
        let own = claim("127.0.0.1", NONE);
        let first = ports.connect(own, |_| false).expect("free");
        let second = ports
            .connect(own, |port| port != first)
            .expect("another destination");
        assert_eq!(second, first);
        assert_eq!(ports.connect(own, |_| true), Err(Errno::EADDRNOTAVAIL));
        assert_eq!(ports.bind(first, own), Err(Errno::EADDRINUSE));
    }

    #[test]
    fn a_closed_connection_holds_its_port_against_those_who_do_not_share() {
        let mut ports = Ports::new();
        let shared = claim("127.0.0.1", Sharing::ADDRESS);
        ports.hold(80, shared);
        ports.linger(80, shared);
        assert_eq!(
            ports.bind(80, claim("0.0.0.0", NONE)),
            Err(Errno::EADDRINUSE)
        );
        assert_eq!(ports.bind(80, claim("0.0.0.0", Sharing::ADDRESS)), Ok(80));
        ports.release(80, &claim("0.0.0.0", Sharing::ADDRESS));
        ports.expire(Instant::now().after(TIME_WAIT));
        assert!(ports.taken.is_empty());
    }

    #[test]
    fn closed_connections_are_bounded() {
        let mut ports = Ports::new();
        let own = claim("127.0.0.1", NONE);
        for port in 1..=u16::MAX {
            ports.hold(port, own);
            ports.linger(port, own);
        }
        assert_eq!(ports.waiting.len(), MAX_WAITING);
        assert_eq!(ports.taken.len(), MAX_WAITING);
    }

    #[test]
    fn equal_claims_are_counted() {
        let mut ports = Ports::new();
        let own = claim("127.0.0.1", Sharing::ADDRESS);
        for _ in 0..1000 {
            ports.hold(80, own);
        }
        assert_eq!(
            ports.taken.get(&80).map(|holders| holders.held.len()),
            Some(1)
        );
        for _ in 0..1000 {
            ports.release(80, &own);
        }
        assert!(ports.taken.is_empty());
    }
}
