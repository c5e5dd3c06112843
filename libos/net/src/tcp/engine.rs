//! The engine of one synchronized connection: windows, acknowledgements, retransmission, congestion.
//!
//! - [`Engine`]: what a connection asks of it. One implementation exists, [`Smoltcp`], chosen at
//!   compile time by [`Current`]; nothing outside this folder knows which.
//! - [`Opening`]: a connection as the [handshake](super::handshake) leaves it, from which an engine starts.
//!
//! The engine knows neither the handshake, nor TIME-WAIT, nor limits of time: these are
//! [`super::connection`]'s, so that connections that only wait need no engine, no buffers and no more
//! memory than a table's entry.

mod congestion;
mod smoltcp;

use alloc::vec::Vec;

use super::State;
use super::segment::Segment;
use super::sequence::Sequence;
use crate::address::Flow;
use crate::output::Output;
use crate::time::{Duration, Instant};

pub(crate) use self::smoltcp::{Smoltcp, scale_of};

/// The engine in use.
pub(crate) type Current = Smoltcp;

/// What its connections share.
pub(crate) type Context = <Current as Engine>::Context;

/// A connection with both sides synchronized and nothing on the way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    /// Seen from this side.
    pub flow: Flow,
    /// The next number that we send; everything before is acknowledged.
    pub send_next: Sequence,
    /// The next number that we expect.
    pub receive_next: Sequence,
    /// The other side's window in bytes.
    pub peer_window: usize,
    /// By how many bits the other side shifts its windows; none if it does not scale (then neither do we).
    pub peer_scale: Option<u8>,
    /// By how many bits we told that ours are shifted.
    pub own_scale: u8,
    /// Whether the other side understands selective acknowledgements.
    pub sack: bool,
    /// Longest segment on this path, both sides' limits considered, in bytes of data.
    pub mss: u16,
    /// A measured round trip, if there is one.
    pub round_trip: Option<Duration>,
}

/// What may change during a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuning {
    pub nodelay: bool,
    pub hop_limit: u8,
    pub traffic_class: u8,
}

/// What is known of a connection's progress.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measures {
    pub retransmits: u32,
    /// Smoothed round trip; none before the first measurement.
    pub round_trip: Option<Duration>,
}

/// What became of a chance to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Everything that may be sent now.
    All,
    /// More than a fair share; there may be more to send.
    Some,
    /// The way out has no room.
    Blocked,
}

/// One connection's engine.
pub(crate) trait Engine: Sized {
    /// What all connections share.
    type Context: Default + core::fmt::Debug;

    /// Starts from a synchronized connection. Nothing is sent. The buffers' lengths are the longest
    /// queues.
    fn open(
        context: &mut Self::Context,
        now: Instant,
        opening: &Opening,
        tuning: Tuning,
        receive: Vec<u8>,
        send: Vec<u8>,
    ) -> Self;

    /// Whether [`Self::reopen`] can take it.
    fn can_reopen(&self) -> bool;

    /// Starts another connection with the buffers of one that ended, wherever it ended.
    fn reopen(
        &mut self,
        context: &mut Self::Context,
        now: Instant,
        opening: &Opening,
        tuning: Tuning,
    );

    /// What [`Self::open`] needs to start again; none unless the connection is established, all is
    /// acknowledged both ways, nothing is buffered, and no timer runs.
    fn close_up(&self, context: &mut Self::Context, now: Instant) -> Option<Opening>;

    /// Takes a segment of this connection, not a SYN. It may answer at once, and only then.
    fn segment(
        &mut self,
        context: &mut Self::Context,
        now: Instant,
        segment: &Segment<'_>,
        output: &mut dyn Output,
    );

    /// Sends what is due.
    fn poll(&mut self, context: &mut Self::Context, now: Instant, output: &mut dyn Output) -> Sent;

    /// When [`Self::poll`] is due; a past moment if now.
    fn poll_at(&self, context: &mut Self::Context, now: Instant) -> Option<Instant>;

    fn tune(&mut self, tuning: Tuning);

    /// Established and later states only.
    fn state(&self) -> State;

    /// The number that a segment without data carries: the next that we send, if it lies within the other side's window.
    fn send_next(&self) -> Sequence;

    /// The next number that we expect; behind the FIN once it came.
    fn receive_next(&self) -> Sequence;

    /// The window we last told, in the form of the wire.
    fn window(&self) -> u16;

    /// The window we told, in bytes.
    fn window_len(&self) -> usize;

    /// Whether everything up to [`Self::receive_next`] was acknowledged by us.
    fn has_acknowledged(&self) -> bool;

    fn mss(&self) -> u16;
    fn measures(&self) -> Measures;

    /// Whether the other side ended its half, and all of it came.
    fn has_peer_ended(&self) -> bool;

    fn send_queue(&self) -> usize;
    fn send_capacity(&self) -> usize;
    fn receive_queue(&self) -> usize;
    fn receive_capacity(&self) -> usize;

    /// Hands free room to `fill`, at most twice.
    fn send(&mut self, fill: &mut dyn FnMut(&mut [u8]) -> usize) -> usize;

    /// Hands received bytes to `take`, at most twice.
    fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> usize) -> usize;

    /// Shows a run of received bytes that begins `skip` bytes ahead; empty if there are none.
    fn peek(&mut self, skip: usize, look: &mut dyn FnMut(&[u8]));

    /// Ends our half behind what is buffered.
    fn finish(&mut self);
}
