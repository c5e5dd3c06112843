//! TCP: connections, found by a keyed hash of their addresses, over an engine behind a trait.
//!
//! - [`Tcp`]: all of them; segments come in by [`Tcp::receive`] (`input`), the owner's wishes by the
//!   other calls (`calls`), the time by [`Tcp::poll`] (`work`).
//! - `connection`: one record; `table` finds it, `timers` knows when to look at it.
//! - `handshake`: SYN-SENT and SYN-RECEIVED; `half_open` bounds them; `initial` numbers them.
//! - `engine`: what is between: windows, acknowledgements, retransmission. Only established
//!   connections that are not quiet have one, and buffers, which `memory` bounds.
//! - `time_wait`: what remains.
//!
//! A connection that is quiet for a while gives its engine and buffers back and keeps a
//! hundred bytes; the next byte either way wakes it up.
//!
//! What TCP does not do: urgent data (it is part of the stream), timestamps and so PAWS, Fast Open.

mod calls;
mod connection;
mod engine;
mod half_open;
mod handshake;
mod initial;
mod input;
mod memory;
mod segment;
mod sequence;
mod standing;
mod table;
mod time_wait;
mod timers;
mod work;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::address::Flow;
use crate::config::InterfaceId;
use crate::time::{Duration, Instant};

pub use self::memory::{Allocate, allocate_zeroed, buffers_for};
pub(crate) use self::segment::TCP_HEADER_LEN;
pub use self::standing::Standing;

/// A connection; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What may be set before and during a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpOptions {
    /// Longest receive buffer in bytes; memory is only used as data comes.
    pub receive_buffer: usize,
    /// Longest send buffer in bytes.
    pub send_buffer: usize,
    /// Send small segments at once (TCP_NODELAY).
    pub nodelay: bool,
    /// Send probes when idle for so long (SO_KEEPALIVE, TCP_KEEPIDLE).
    pub keep_alive: Option<Duration>,
    /// Time between probes (TCP_KEEPINTVL).
    pub keep_alive_interval: Duration,
    /// Give up after so many probes without an answer (TCP_KEEPCNT).
    pub keep_alive_count: u32,
    /// Repeat a SYN so often before giving up (TCP_SYNCNT): 6 is 127 seconds.
    pub syn_retries: u8,
    /// Longest segment in bytes of data, if less than what the path takes (TCP_MAXSEG).
    pub max_segment: Option<u16>,
    /// Give up on unacknowledged data after so long (TCP_USER_TIMEOUT).
    pub user_timeout: Option<Duration>,
    /// Hop limit (IP_TTL).
    pub hop_limit: u8,
    /// Traffic class (IP_TOS).
    pub traffic_class: u8,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            receive_buffer: 256 * 1024,
            send_buffer: 256 * 1024,
            nodelay: false,
            keep_alive: None,
            keep_alive_interval: Duration::from_secs(75),
            keep_alive_count: 9,
            syn_retries: 6,
            max_segment: None,
            user_timeout: None,
            hop_limit: 64,
            traffic_class: 0,
        }
    }
}

/// States of RFC 9293, section 3.3.2, with Linux's numbers (`TCP_ESTABLISHED` …, `tcpi_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the RFC's names")]
pub enum State {
    Established = 1,
    SynSent = 2,
    SynReceived = 3,
    FinWait1 = 4,
    FinWait2 = 5,
    TimeWait = 6,
    Closed = 7,
    CloseWait = 8,
    LastAck = 9,
    Listen = 10,
    Closing = 11,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpError {
    /// A reset in answer to our request (ECONNREFUSED).
    Refused,
    /// A reset (ECONNRESET).
    Reset,
    /// A reset after the other side had ended its half (EPIPE).
    Broken,
    /// No answer for too long (ETIMEDOUT).
    TimedOut,
    /// ENETUNREACH.
    NetworkUnreachable,
    /// EHOSTUNREACH.
    HostUnreachable,
}

/// Why a connection could not be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// The four addresses are in use (EADDRNOTAVAIL).
    InUse,
    /// There is no route (ENETUNREACH).
    NoRoute,
    /// The bound on connections or on their memory is reached (ENOBUFS).
    NoMemory,
}

/// Why nothing was sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No room, or no data, now.
    WouldBlock,
    /// This half has ended: for receiving, the end of the stream; for sending, EPIPE.
    Ended,
    /// The connection ended with an error (taken by being told).
    Error(TcpError),
    /// There is no such connection, or it is not yet established.
    NotConnected,
}

/// What TCP_INFO and `/proc/net/tcp` tell.
#[derive(Clone, Copy, Debug)]
#[expect(
    missing_docs,
    reason = "named as `struct tcp_info` and ss(8) have them"
)]
pub struct TcpInfo {
    pub state: State,
    pub flow: Flow,
    pub interface: Option<InterfaceId>,
    pub send_queue: usize,
    pub receive_queue: usize,
    pub retransmits: u32,
    pub rtt_us: u32,
    pub rto_us: u32,
    pub send_mss: u32,
    pub receive_window: u32,
    /// Whether [`Tcp::readiness`] says that there is room to send.
    pub is_writable: bool,
}

/// What was counted, for `/proc/net/snmp` and `/proc/net/netstat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpCounters {
    /// Segments that came.
    pub received: u64,
    /// Of these, dropped as malformed or with a wrong checksum.
    pub malformed: u64,
    /// Of the malformed, those with a wrong checksum.
    pub bad_sums: u64,
    /// Segments that were sent again.
    pub retransmitted: u64,
    /// Connections that ended before they were established.
    pub attempt_fails: u64,
    /// Connections that were established and ended at once, by a reset or for want of answers.
    pub established_resets: u64,
    /// Requests for connections that were dropped because too many wait to be accepted.
    pub requests_dropped: u64,
    /// Resets sent.
    pub resets_sent: u64,
    /// Connections begun by us.
    pub active_opens: u64,
    /// Connections begun by others.
    pub passive_opens: u64,
    /// Half-open connections that gave way to newer ones.
    pub half_open_evicted: u64,
    /// Connections whose TIME-WAIT began.
    pub time_waits: u64,
    /// Connections refused for want of memory.
    pub no_memory: u64,
}

/// All connections.
#[derive(Debug)]
pub struct Tcp {
    table: table::Table,
    timers: timers::Timers,
    time_wait: time_wait::TimeWait,
    half_open: half_open::HalfOpen,
    deferred: half_open::Deferred,
    initial: initial::Initial,
    context: engine::Context,
    memory: memory::Memory,
    /// Connections with something to send at the next poll.
    pending: Vec<ConnectionId>,
    /// Connections that found no room on the way out.
    blocked: VecDeque<ConnectionId>,
    /// Connections without an owner that are not over.
    orphans: usize,
    /// Answers to suspicious segments, in the present second.
    challenges: (i64, u32),
    /// Where the search for quiet connections goes on.
    hand: u32,
    /// The last moment that was told.
    now: Instant,
    counters: TcpCounters,
}

impl Default for Tcp {
    /// With a key that everybody knows: for tests.
    fn default() -> Self {
        Self::new([0; 16])
    }
}

impl Tcp {
    /// With the key of the hashes.
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            table: table::Table::new(key),
            timers: timers::Timers::default(),
            time_wait: time_wait::TimeWait::new(key),
            half_open: half_open::HalfOpen::default(),
            deferred: half_open::Deferred::new(key),
            initial: initial::Initial::new(key),
            context: engine::Context::default(),
            memory: memory::Memory::default(),
            pending: Vec::new(),
            blocked: VecDeque::new(),
            orphans: 0,
            challenges: (0, 0),
            hand: 0,
            now: Instant::ZERO,
            counters: TcpCounters::default(),
        }
    }

    /// Sets how many bytes all buffers may take in all, and where they come from.
    pub fn set_buffers(&mut self, total: usize, allocate: Allocate) {
        self.memory.set(total, allocate);
    }

    /// What was counted.
    pub fn counters(&self) -> TcpCounters {
        TcpCounters {
            retransmitted: self.counters.retransmitted + self.context.retransmitted(),
            ..self.counters
        }
    }

    /// The connection in a slot ends before its time: what that was.
    fn count_end(&mut self, index: u32) {
        let Some(connection) = self.table.get(index) else {
            return;
        };
        match connection.state() {
            State::SynSent | State::SynReceived => self.counters.attempt_fails += 1,
            State::Established | State::CloseWait => self.counters.established_resets += 1,
            _ => {}
        }
    }
}
