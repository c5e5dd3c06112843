//! TCP: connections, found by a keyed hash of their addresses, over an engine behind a trait.

use core::net::IpAddr;

use crate::address::Flow;
use crate::config::InterfaceId;
use crate::output::Output;
use crate::owner::{Owner, Token};
use crate::time::{Duration, Instant};

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
}

/// All connections.
#[derive(Debug, Default)]
pub struct Tcp {}

impl Tcp {
    /// With the key of the hash.
    pub fn new(_key: [u8; 16]) -> Self {
        Self {}
    }

    /// A TCP segment for us came: a whole IP packet whose header was checked; the TCP checksum is
    /// checked here unless `checksum_good`.
    pub fn receive(
        &mut self,
        _now: Instant,
        _interface: InterfaceId,
        _packet: &[u8],
        _checksum_good: bool,
        _output: &mut dyn Output,
        _owner: &mut dyn Owner,
    ) {
    }

    /// An ICMP error about one of our connections: ends one that is not yet established.
    pub fn unreachable(&mut self, _flow: Flow, _error: TcpError, _owner: &mut dyn Owner) {}

    /// Does what is due: retransmissions, delayed acknowledgements, data that found no room.
    pub fn poll(&mut self, _now: Instant, _output: &mut dyn Output, _owner: &mut dyn Owner) {}

    /// There is room on the way out again: connections that found none are polled.
    pub fn writable(&mut self, _now: Instant, _output: &mut dyn Output, _owner: &mut dyn Owner) {}

    /// When [`Self::poll`] wants to be called next.
    pub fn poll_at(&self) -> Option<Instant> {
        None
    }

    /// Begins a connection; [`crate::owner::TcpEvents::ESTABLISHED`] or `CLOSED` will tell.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect(
        &mut self,
        _now: Instant,
        _flow: Flow,
        _token: Token,
        _options: TcpOptions,
        _output: &mut dyn Output,
    ) -> Result<ConnectionId, ConnectError> {
        Err(ConnectError::NoRoute)
    }

    /// Whether these addresses are in use, TIME-WAIT included.
    pub fn is_used(&self, _flow: Flow) -> bool {
        false
    }

    /// Lets `fill` put bytes into the send buffer; it is called at most twice with free room, and returns
    /// how much it wrote. Nothing leaves before [`Self::flush`].
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn send(
        &mut self,
        _connection: ConnectionId,
        _fill: &mut dyn FnMut(&mut [u8]) -> usize,
    ) -> Result<usize, Refusal> {
        Err(Refusal::NotConnected)
    }

    /// Sends what may be sent now: data, acknowledgements, window updates.
    pub fn flush(
        &mut self,
        _now: Instant,
        _connection: ConnectionId,
        _output: &mut dyn Output,
        _owner: &mut dyn Owner,
    ) {
    }

    /// Hands received bytes to `take`, at most two runs; it returns how much it took.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn receive_bytes(
        &mut self,
        _connection: ConnectionId,
        _take: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Result<usize, Refusal> {
        Err(Refusal::NotConnected)
    }

    /// As [`Self::receive_bytes`] without taking: shows what lies `skip` bytes ahead, in one run.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn peek(
        &mut self,
        _connection: ConnectionId,
        _skip: usize,
        _look: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Refusal> {
        Err(Refusal::NotConnected)
    }

    /// Ends our half once everything is sent.
    pub fn shutdown_send(&mut self, _connection: ConnectionId) {}

    /// The owner lets go of it: what is buffered is still sent, then it ends by itself; no more events
    /// come. Unread data, or data that comes, answers with a reset, as RFC 2525 section 2.17 and Linux have it.
    pub fn release(&mut self, _now: Instant, _connection: ConnectionId, _output: &mut dyn Output) {}

    /// Ends it at once with a reset, and lets go of it (SO_LINGER of 0).
    pub fn abort(&mut self, _now: Instant, _connection: ConnectionId, _output: &mut dyn Output) {}

    /// Changes a connection's token (accept(2): from the listener's to the socket's).
    pub fn set_token(&mut self, _connection: ConnectionId, _token: Token) {}

    /// Changes what can be changed during a connection.
    pub fn set_options(&mut self, _connection: ConnectionId, _options: TcpOptions) {}

    /// The error that ended it, not taken.
    pub fn error(&self, _connection: ConnectionId) -> Option<TcpError> {
        None
    }

    /// What it is about.
    pub fn info(&self, _connection: ConnectionId) -> Option<TcpInfo> {
        None
    }

    /// Every connection, TIME-WAIT included, for `/proc/net/tcp`.
    pub fn each(&self, _visit: &mut dyn FnMut(&TcpInfo)) {}

    /// Bytes of buffers that connections use now.
    pub fn memory(&self) -> usize {
        0
    }

    /// Decides on a request that was deferred.
    pub fn decide(
        &mut self,
        _now: Instant,
        _flow: Flow,
        _verdict: crate::owner::Verdict,
        _output: &mut dyn Output,
        _owner: &mut dyn Owner,
    ) -> Option<ConnectionId> {
        None
    }

    /// Connections to or from an address that is no longer ours end with an error.
    pub fn address_gone(&mut self, _address: IpAddr, _owner: &mut dyn Owner) {}
}
