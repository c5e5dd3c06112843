//! smoltcp's TCP socket as an [`Engine`]. The only file that knows its `Interface` and sockets.
//!
//! Each connection is a socket set of one, so that a segment costs the same however many there are; the
//! `Interface` is only a carrier of the time and of the capabilities of the way out. How it is used:
//!
//! - **One interface for each limit of segmentation**, not for each path: it has an MTU of 64 KiB, takes
//!   any address and computes no checksums. A path's MTU enters through the maximum segment size
//!   alone, which the handshake negotiated; so IPv6 is segmented by the device too, although
//!   smoltcp drops IPv6 packets longer than its MTU and does not mark them.
//! - **A socket starts established.** It is led there by a handshake of our own making whose segments never
//!   leave ([`Smoltcp::open`]): with the sequence numbers that the real handshake (or an earlier
//!   socket of the same connection) arrived at. Initial sequence numbers are therefore ours, not those
//!   of smoltcp's generator, which two observed connections would betray; half-open and idle
//!   connections need no socket; and buffers are chosen anew when an idle connection wakes up.
//! - **Its clock runs [`PACE`] times as fast.** smoltcp's least retransmission timeout of one second
//!   becomes Linux's 200 ms, and round trips are measured in fifths of a millisecond.
//! - **Bare acknowledgements leave with the highest number sent** ([`Outward::note`] says why).
//! - **Windows leave with the scale that was negotiated**, whatever the buffer's length now.
//! - **The [congestion window](super::congestion) is told to the socket as the other side's window**, whenever it is the smaller
//!   of both and there is more to send ([`Smoltcp::clamp`]); and three duplicate acknowledgements make it send a segment again
//!   ([`Smoltcp::force`]). Both are bare acknowledgements of our own making. Its own controllers are off.
//! - Limits of time (user timeout, keep-alive, TIME-WAIT) are not left to it: it
//!   ends idle connections by its timeout, and forgets unread data at the end of its TIME-WAIT.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::num::NonZeroUsize;

use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet, SocketStorage};
use smoltcp::phy::{self, ChecksumCapabilities, DeviceCapabilities, Medium, PacketMeta};
use smoltcp::socket::tcp::{CongestionControl, Socket, State as SocketState};
use smoltcp::wire::{HardwareAddress, TcpControl, TcpPacket};

use super::congestion::{Congestion, Reaction};
use super::{Engine, Measures, Opening, Sent, Tuning};
use crate::address::Flow;
use crate::output::{Completion, Output};
use crate::tcp::State;
use crate::tcp::segment::{Control, Segment, SynOptions, TCP_HEADER_LEN, finish, ip_header_len};
use crate::tcp::sequence::Sequence;
use crate::time::{Duration, Instant};

/// How many times as fast smoltcp's clock runs.
const PACE: i64 = 5;

/// An acknowledgement waits for so long for data to go with it.
const ACK_DELAY: Duration = Duration::from_millis(10);

/// Longest IP packet.
const LONGEST_PACKET: usize = 65_535;

/// Frames that one connection sends in a row before others have their turn.
const BURST: usize = 64;

/// A moment on smoltcp's clock.
fn fast(at: Instant) -> Instant {
    Instant::from_micros(at.total_micros().saturating_mul(PACE))
}

/// A moment of smoltcp's clock, on ours; rounded up.
fn slow(at: Instant) -> Instant {
    Instant::from_micros(at.total_micros().saturating_add(PACE - 1) / PACE)
}

/// The interfaces, one for each limit of segmentation that the ways out have.
#[derive(Default)]
pub(crate) struct Context {
    interfaces: Vec<(Option<NonZeroUsize>, Interface)>,
    scratch: Vec<u8>,
    retransmitted: u64,
}

impl Context {
    /// Segments that were sent again, by all.
    pub(crate) fn retransmitted(&self) -> u64 {
        self.retransmitted
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.interfaces.iter().map(|(limit, _)| limit);
        f.debug_list().entries(limits).finish()
    }
}

/// More kinds of way out than this are treated as cutting nothing.
const MOST_INTERFACES: usize = 8;

impl Context {
    fn interface(&mut self, limit: Option<usize>) -> (&mut Interface, &mut Vec<u8>) {
        let limit = limit.and_then(|limit| NonZeroUsize::new(limit.min(LONGEST_PACKET)));
        let known = self.interfaces.iter().position(|(of, _)| *of == limit);
        let index = known.unwrap_or_else(|| {
            let full = self.interfaces.len() >= MOST_INTERFACES;
            let limit = if full { None } else { limit };
            let plain = self.interfaces.iter().position(|(of, _)| of.is_none());
            if let (true, Some(plain)) = (full, plain) {
                return plain;
            }
            self.interfaces.push((limit, interface(limit, 0)));
            self.interfaces.len() - 1
        });
        (&mut self.interfaces[index].1, &mut self.scratch)
    }
}

/// An interface that takes any address. Its MTU is the longest packet's: what a path takes is
/// expressed by the maximum segment size.
fn interface(segmentation: Option<NonZeroUsize>, seed: u64) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = seed;
    let mut interface = Interface::new(config, &mut Shape(segmentation), Instant::ZERO);
    interface.set_any_ip(true);
    interface
}

/// The capabilities of a way out, and no way.
struct Shape(Option<NonZeroUsize>);

impl Shape {
    fn capabilities(segmentation: Option<NonZeroUsize>) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = LONGEST_PACKET;
        capabilities.checksum = ChecksumCapabilities::ignored();
        capabilities.segmentation.tcpv4 = segmentation;
        capabilities.segmentation.tcpv6 = segmentation;
        capabilities
    }
}

impl phy::Device for Shape {
    type RxToken<'a> = Bytes<'a>;
    type TxToken<'a> = Hole<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Bytes<'_>, Hole<'_>)> {
        None
    }
    fn transmit(&mut self, _: Instant) -> Option<Hole<'_>> {
        None
    }
    fn capabilities(&self) -> DeviceCapabilities {
        Self::capabilities(self.0)
    }
}

/// A packet that came.
struct Bytes<'a>(&'a [u8]);

impl phy::RxToken for Bytes<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// A device whose packets end in a scratch buffer: for the handshake that nobody sees.
struct Rehearsal<'a> {
    incoming: Option<&'a [u8]>,
    scratch: &'a mut Vec<u8>,
}

/// Where packets end that are not to be sent.
struct Hole<'a>(&'a mut Vec<u8>);

impl phy::TxToken for Hole<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        f(at_least(self.0, len))
    }
}

fn at_least(buffer: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    &mut buffer[..len]
}

impl phy::Device for Rehearsal<'_> {
    type RxToken<'a>
        = Bytes<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Hole<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Bytes<'_>, Hole<'_>)> {
        let packet = self.incoming.take()?;
        Some((Bytes(packet), Hole(self.scratch)))
    }
    fn transmit(&mut self, _: Instant) -> Option<Hole<'_>> {
        Some(Hole(self.scratch))
    }
    fn capabilities(&self) -> DeviceCapabilities {
        Shape::capabilities(None)
    }
}

/// What a connection's outgoing packets need, and what is learnt from them.
#[derive(Debug)]
struct Outward {
    peer: IpAddr,
    mss: u16,
    traffic_class: u8,
    /// By how many bits smoltcp shifts our windows.
    engine_scale: u8,
    /// By how many bits they were told to be shifted.
    own_scale: u8,
    /// Behind the last number sent.
    send_next: Sequence,
    /// Behind the last number that the other side has room for, as far as it told.
    edge: Sequence,
    /// The last number acknowledged by us.
    acknowledged: Sequence,
    /// The last window told, in the form of the wire.
    window: u16,
    retransmits: u32,
    /// A retransmission was asked for.
    is_forced: bool,
    /// A retransmission was not asked for: the timer ran out.
    timed_out: bool,
    /// Everything since the timeout is sent again, until there is something new.
    is_going_back: bool,
    /// A number whose acknowledgement ends a measurement, and when it was sent.
    sample: Option<(Sequence, Instant)>,
}

impl Outward {
    fn new(opening: &Opening) -> Self {
        Self {
            peer: opening.flow.remote.ip(),
            mss: opening.mss,
            traffic_class: 0,
            engine_scale: 0,
            own_scale: 0,
            send_next: opening.send_next,
            edge: opening.send_next.plus(opening.peer_window),
            acknowledged: opening.receive_next,
            window: 0,
            retransmits: 0,
            is_forced: false,
            timed_out: false,
            is_going_back: false,
            sample: None,
        }
    }

    /// What a segment without data carries as its number: SND.NXT, but not beyond the window, where the byte of a
    /// probe may lie. The other side would take it for a segment that it has no room for, and ignore what it
    /// acknowledges; two sides that both probe would never learn that there is room again.
    fn next_acceptable(&self) -> Sequence {
        if self.edge < self.send_next {
            self.edge
        } else {
            self.send_next
        }
    }

    /// Puts the negotiated scale on the window, and notes what is sent.
    fn note(&mut self, packet: &mut [u8], now: Instant) {
        let Some(segment) = packet.get_mut(ip_header_len(self.peer)..) else {
            return;
        };
        let mut tcp = TcpPacket::new_unchecked(segment);
        let window = usize::from(tcp.window_len()) << self.engine_scale >> self.own_scale;
        self.window = u16::try_from(window).unwrap_or(u16::MAX);
        tcp.set_window_len(self.window);
        if tcp.ack() {
            self.acknowledged = tcp.ack_number().into();
        }
        let len = tcp.segment_len();
        let start = Sequence::from(tcp.seq_number());
        let end = start.plus(len);
        if len == 0 {
            // RFC 9293, section 3.4: a bare acknowledgement carries SND.NXT. After a timeout smoltcp has
            // gone back with that number, so that the other side would take it for an old segment and
            // ignore what it acknowledges; two sides that both went back would wait for ever.
            if !tcp.rst() {
                tcp.set_seq_number(self.next_acceptable().into());
            }
            return;
        }
        if end > self.send_next {
            self.is_going_back = false;
            self.send_next = end;
            self.sample.get_or_insert((end, now));
        } else if len > 1 || end != self.send_next {
            // Not a probe of a closed window.
            self.retransmits = self.retransmits.saturating_add(1);
            self.sample = None;
            self.timed_out |= !core::mem::take(&mut self.is_forced) && !self.is_going_back;
            self.is_going_back |= self.timed_out;
        }
    }
}

/// The way out for one connection, as a device of at most one incoming packet.
struct Wire<'a> {
    incoming: Option<&'a [u8]>,
    output: &'a mut dyn Output,
    outward: &'a mut Outward,
    scratch: &'a mut Vec<u8>,
    now: Instant,
    blocked: bool,
}

impl phy::Device for Wire<'_> {
    type RxToken<'a>
        = Bytes<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Frame<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Bytes<'_>, Frame<'_>)> {
        let packet = self.incoming.take()?;
        let frame = self.frame();
        Some((Bytes(packet), frame))
    }

    fn transmit(&mut self, _: Instant) -> Option<Frame<'_>> {
        if !self.output.ready(self.outward.peer) {
            self.blocked = true;
            return None;
        }
        Some(self.frame())
    }

    fn capabilities(&self) -> DeviceCapabilities {
        Shape::capabilities(None)
    }
}

impl Wire<'_> {
    fn frame(&mut self) -> Frame<'_> {
        Frame {
            output: self.output,
            outward: self.outward,
            scratch: self.scratch,
            now: self.now,
        }
    }
}

/// One packet to be sent.
struct Frame<'a> {
    output: &'a mut dyn Output,
    outward: &'a mut Outward,
    scratch: &'a mut Vec<u8>,
    now: Instant,
}

impl phy::TxToken for Frame<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let Self {
            output,
            outward,
            scratch,
            now,
        } = self;
        let peer = outward.peer;
        // Only segments without data have options.
        let longest = ip_header_len(peer) + TCP_HEADER_LEN + usize::from(outward.mss);
        let completion = if len > longest {
            Completion::Segments(outward.mss)
        } else if output.completes_checksums(peer) {
            Completion::Checksum
        } else {
            Completion::Whole
        };
        let mut write = Some(f);
        let mut result = None;
        output.send(peer, len, completion, &mut |buffer| {
            if let Some(write) = write.take() {
                result = Some(write(buffer));
                outward.note(buffer, now);
                finish(buffer, outward.traffic_class, completion);
            }
        });
        match (result, write) {
            (Some(result), _) => result,
            // Dropped unwritten: lost, as far as the socket knows.
            (None, write) => {
                let buffer = at_least(scratch, len);
                let write = write.expect("it is taken only where there is a result");
                let result = write(buffer);
                outward.note(buffer, now);
                result
            }
        }
    }

    fn set_meta(&mut self, _: PacketMeta) {
        // Whether it is to be cut follows from its length; for IPv6 this is not called.
    }
}

/// A connection in smoltcp's hands.
#[derive(Debug)]
pub(crate) struct Smoltcp {
    set: SocketSet<'static>,
    handle: SocketHandle,
    opening: Opening,
    outward: Outward,
    /// Bytes taken out of the receive buffer, modulo 2³².
    taken: u32,
    ended: bool,
    /// The highest number acknowledged by the other side.
    acknowledged: Sequence,
    /// The other side's window as it last told it, in bytes.
    peer_window: usize,
    congestion: Congestion,
    /// The window that the socket was told instead, in the form of the wire.
    clamped: Option<u16>,
    /// Smoothed round trip in microseconds; 0 before the first measurement.
    round_trip_us: u32,
}

/// By how many bits smoltcp shifts the windows of a buffer of `capacity` bytes.
pub(crate) fn scale_of(capacity: usize) -> u8 {
    let bits = usize::BITS - capacity.leading_zeros();
    u8::try_from(bits.saturating_sub(16)).unwrap_or(0).min(14)
}

impl Smoltcp {
    fn socket(&self) -> &Socket<'static> {
        self.set.get(self.handle)
    }

    fn socket_mut(&mut self) -> &mut Socket<'static> {
        self.set.get_mut(self.handle)
    }

    /// Sends a fair share of what is due.
    fn burst(&mut self, context: &mut Context, now: Instant, output: &mut dyn Output) -> Sent {
        let limit = output.segmentation(self.outward.peer);
        let at = fast(now);
        for _ in 0..BURST {
            self.clamp(context, now);
            let (interface, scratch) = context.interface(limit);
            let due = interface.poll_at(at, &self.set);
            if due.is_none_or(|due| due > at) {
                return Sent::All;
            }
            let mut wire = Wire {
                incoming: None,
                output: &mut *output,
                outward: &mut self.outward,
                scratch: &mut *scratch,
                now,
                blocked: false,
            };
            let result = interface.poll_egress(at, &mut wire, &mut self.set);
            if wire.blocked {
                return Sent::Blocked;
            }
            if core::mem::take(&mut self.outward.timed_out) {
                let flight = self.flight();
                self.congestion.timeout(flight, self.outward.send_next);
            }
            if result == PollResult::None {
                return Sent::All;
            }
        }
        Sent::Some
    }

    /// From a fresh socket to an established one.
    fn start(&mut self, context: &mut Context, now: Instant, tuning: Tuning) {
        let opening = self.opening;
        self.socket_mut()
            .set_congestion_control(CongestionControl::None);
        rehearse(
            &mut self.set,
            self.handle,
            &opening,
            now,
            &mut context.scratch,
        );
        if opening.peer_scale.is_some() {
            self.outward.engine_scale = scale_of(self.receive_capacity());
            self.outward.own_scale = opening.own_scale;
        }
        let window = self.receive_capacity() >> self.outward.own_scale;
        self.outward.window = u16::try_from(window).unwrap_or(u16::MAX);
        self.round_trip_us = opening.round_trip.map_or(0, |trip| {
            u32::try_from(trip.total_micros()).unwrap_or(u32::MAX)
        });
        self.tune(tuning);
    }

    /// Takes note of what a segment acknowledges.
    fn hear(&mut self, now: Instant, segment: &Segment<'_>) -> Reaction {
        let Some(ack) = segment.ack else {
            return Reaction::None;
        };
        self.measure(ack, now);
        let scale = self.opening.peer_scale.unwrap_or(0);
        let window = usize::from(segment.window) << scale;
        let sent = self.outward.send_next;
        let acked = ack.distance_from(self.acknowledged).unwrap_or(0);
        let mut reaction = Reaction::None;
        if acked > 0 && ack <= sent {
            let is_limited = self.send_queue() >= self.congestion.window();
            self.acknowledged = ack;
            reaction = self.congestion.acknowledged(acked, ack, is_limited);
        } else if ack == self.acknowledged && ack < sent && segment.len() == 0 {
            let has_hole = segment.reports_hole();
            if has_hole || window == self.peer_window {
                let flight = self.flight();
                reaction = self.congestion.duplicate(flight, sent, has_hole);
            }
        }
        self.peer_window = window;
        if ack == self.acknowledged {
            self.outward.edge = ack.plus(window);
        }
        reaction
    }

    /// Whether it is a bare acknowledgement behind the byte of a probe that we had no room for: what it says counts
    /// nevertheless (RFC 9293, section 3.10.7.4: "special allowance should be made to accept valid ACKs"), though
    /// the socket would ignore it.
    fn is_beside_window(&self, segment: &Segment<'_>) -> bool {
        let is_bare = segment.len() == 0 && !segment.rst && segment.ack == Some(self.acknowledged);
        is_bare && self.window_len() == 0 && segment.seq.previous() == self.receive_next()
    }

    /// Bytes sent and not acknowledged.
    fn flight(&self) -> usize {
        self.outward
            .send_next
            .distance_from(self.acknowledged)
            .unwrap_or(0)
    }

    /// Hands the socket a bare acknowledgement that says nothing new but a window, in the form of the wire.
    fn whisper(&mut self, context: &mut Context, now: Instant, window: u16) {
        let flow = self.opening.flow;
        let reversed = Flow {
            local: flow.remote,
            remote: flow.local,
        };
        let control = Control {
            ack: Some(self.acknowledged),
            window,
            ..Control::new(reversed, self.receive_next())
        };
        let mut bytes = [0; 128];
        let len = control.write_to(&mut bytes);
        let (interface, scratch) = context.interface(None);
        let mut device = Rehearsal {
            incoming: bytes.get(..len),
            scratch,
        };
        interface.poll_ingress_single(fast(now), &mut device, &mut self.set);
    }

    /// Tells the socket the congestion window as the other side's, if it matters.
    fn clamp(&mut self, context: &mut Context, now: Instant) {
        let window = self.congestion.window();
        if window >= self.peer_window || self.send_queue() <= window {
            return;
        }
        let scale = self.opening.peer_scale.unwrap_or(0);
        let told = u16::try_from(window >> scale).unwrap_or(u16::MAX).max(1);
        // Equal windows would count as duplicate acknowledgements: the last bit makes a difference.
        if self.clamped.is_some_and(|last| last | 1 == told | 1) {
            return;
        }
        self.whisper(context, now, told);
        self.clamped = Some(told);
    }

    /// Makes the socket send its first segment that is not acknowledged again: by duplicate acknowledgements.
    fn force(&mut self, context: &mut Context, now: Instant) {
        let scale = self.opening.peer_scale.unwrap_or(0);
        let window = u16::try_from(self.peer_window >> scale).unwrap_or(u16::MAX);
        // Another window first: it begins the count.
        self.whisper(context, now, window ^ 1);
        for _ in 0..=3 {
            self.whisper(context, now, window);
        }
        self.outward.is_forced = true;
    }

    fn measure(&mut self, ack: Sequence, now: Instant) {
        let Some((number, sent)) = self.outward.sample else {
            return;
        };
        if ack < number {
            return;
        }
        self.outward.sample = None;
        let micros = now
            .total_micros()
            .saturating_sub(sent.total_micros())
            .max(1);
        let sample = u32::try_from(micros).unwrap_or(u32::MAX);
        self.round_trip_us = match self.round_trip_us {
            0 => sample,
            smoothed => smoothed - smoothed / 8 + sample / 8,
        };
    }
}

impl Engine for Smoltcp {
    type Context = Context;

    fn open(
        context: &mut Context,
        now: Instant,
        opening: &Opening,
        tuning: Tuning,
        receive: Vec<u8>,
        send: Vec<u8>,
    ) -> Self {
        let socket = Socket::new(Buffer::new(receive), Buffer::new(send));
        let mut set = SocketSet::new(vec![SocketStorage::EMPTY]);
        let handle = set.add(socket);
        let mut engine = Self {
            set,
            handle,
            opening: *opening,
            outward: Outward::new(opening),
            taken: 0,
            ended: false,
            acknowledged: opening.send_next,
            peer_window: opening.peer_window,
            congestion: Congestion::new(opening.mss),
            clamped: None,
            round_trip_us: 0,
        };
        engine.start(context, now, tuning);
        engine
    }

    fn can_reopen(&self) -> bool {
        // A retransmission that was asked for and not made survives the socket's reset.
        self.outward.retransmits == 0
    }

    fn reopen(&mut self, context: &mut Context, now: Instant, opening: &Opening, tuning: Tuning) {
        // Listening resets a closed socket, its buffers included.
        self.socket_mut().abort();
        self.opening = *opening;
        self.outward = Outward::new(opening);
        self.taken = 0;
        self.ended = false;
        self.acknowledged = opening.send_next;
        self.peer_window = opening.peer_window;
        self.congestion = Congestion::new(opening.mss);
        self.clamped = None;
        self.start(context, now, tuning);
    }

    fn close_up(&self, context: &mut Context, now: Instant) -> Option<Opening> {
        let is_quiet = self.state() == State::Established
            && self.send_queue() == 0
            && self.receive_queue() == 0
            && self.outward.send_next == self.acknowledged
            && self.has_acknowledged()
            && self.poll_at(context, now).is_none();
        is_quiet.then_some(Opening {
            send_next: self.outward.send_next,
            receive_next: self.receive_next(),
            peer_window: self.peer_window,
            round_trip: self.measures().round_trip,
            ..self.opening
        })
    }

    fn segment(
        &mut self,
        context: &mut Context,
        now: Instant,
        segment: &Segment<'_>,
        output: &mut dyn Output,
    ) {
        let reaction = self.hear(now, segment);
        // Several segments that the device joined are more than RFC 9293 lets wait (SHLD-19).
        let delay = if segment.payload_len > usize::from(self.outward.mss) {
            Duration::ZERO
        } else {
            Duration::from_micros(ACK_DELAY.total_micros() * PACE.unsigned_abs())
        };
        self.socket_mut().set_ack_delay(Some(delay));
        // What is answered at once has no data: nothing is to be cut.
        if self.is_beside_window(segment) {
            self.whisper(context, now, segment.window);
        } else {
            let (interface, scratch) = context.interface(None);
            let mut wire = Wire {
                incoming: Some(segment.packet),
                output,
                outward: &mut self.outward,
                scratch,
                now,
                blocked: false,
            };
            interface.poll_ingress_single(fast(now), &mut wire, &mut self.set);
        }
        self.clamped = None;
        let has_only_end_in_flight = self.send_queue() == 0 && self.flight() > 0;
        if has_only_end_in_flight && segment.len() == 0 {
            // Three duplicates would stop the timer of a FIN without sending it again: no data, no fast
            // retransmission. So they are not counted.
            let scale = self.opening.peer_scale.unwrap_or(0);
            let window = u16::try_from(self.peer_window >> scale).unwrap_or(u16::MAX);
            self.whisper(context, now, window ^ 1);
        } else if reaction == Reaction::Retransmit && self.send_queue() > 0 {
            self.force(context, now);
        }
        self.ended |= matches!(
            self.socket().state(),
            SocketState::CloseWait
                | SocketState::LastAck
                | SocketState::Closing
                | SocketState::TimeWait
        );
    }

    fn poll(&mut self, context: &mut Context, now: Instant, output: &mut dyn Output) -> Sent {
        let before = self.outward.retransmits;
        let sent = self.burst(context, now, output);
        context.retransmitted += u64::from(self.outward.retransmits.saturating_sub(before));
        sent
    }

    fn poll_at(&self, context: &mut Context, now: Instant) -> Option<Instant> {
        let (interface, _) = context.interface(None);
        interface.poll_at(fast(now), &self.set).map(slow)
    }

    fn tune(&mut self, tuning: Tuning) {
        self.outward.traffic_class = tuning.traffic_class;
        let socket = self.socket_mut();
        socket.set_nagle_enabled(!tuning.nodelay);
        socket.set_hop_limit(Some(tuning.hop_limit.max(1)));
    }

    fn state(&self) -> State {
        match self.socket().state() {
            SocketState::Established => State::Established,
            SocketState::FinWait1 => State::FinWait1,
            SocketState::FinWait2 => State::FinWait2,
            SocketState::CloseWait => State::CloseWait,
            SocketState::Closing => State::Closing,
            SocketState::LastAck => State::LastAck,
            SocketState::TimeWait => State::TimeWait,
            SocketState::SynSent => State::SynSent,
            SocketState::SynReceived => State::SynReceived,
            SocketState::Closed | SocketState::Listen => State::Closed,
        }
    }

    fn send_next(&self) -> Sequence {
        self.outward.next_acceptable()
    }

    fn receive_next(&self) -> Sequence {
        let base = Sequence(self.opening.receive_next.0.wrapping_add(self.taken));
        base.plus(self.receive_queue() + usize::from(self.ended))
    }

    fn window(&self) -> u16 {
        self.outward.window
    }

    fn window_len(&self) -> usize {
        usize::from(self.outward.window) << self.outward.own_scale
    }

    fn has_acknowledged(&self) -> bool {
        self.outward.acknowledged == self.receive_next()
    }

    fn mss(&self) -> u16 {
        self.outward.mss
    }

    fn measures(&self) -> Measures {
        Measures {
            retransmits: self.outward.retransmits,
            round_trip: (self.round_trip_us != 0)
                .then(|| Duration::from_micros(self.round_trip_us.into())),
        }
    }

    fn has_peer_ended(&self) -> bool {
        self.ended
    }

    fn send_queue(&self) -> usize {
        self.socket().send_queue()
    }

    fn send_capacity(&self) -> usize {
        self.socket().send_capacity()
    }

    fn receive_queue(&self) -> usize {
        self.socket().recv_queue()
    }

    fn receive_capacity(&self) -> usize {
        self.socket().recv_capacity()
    }

    fn send(&mut self, fill: &mut dyn FnMut(&mut [u8]) -> usize) -> usize {
        let socket = self.socket_mut();
        let mut sent = 0;
        for _ in 0..2 {
            let Ok((room, len)) = socket.send(|room| {
                let len = fill(room).min(room.len());
                (len, (room.len(), len))
            }) else {
                break;
            };
            sent += len;
            if len < room || !socket.can_send() {
                break;
            }
        }
        sent
    }

    fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> usize) -> usize {
        let socket = self.socket_mut();
        let mut taken = 0;
        for _ in 0..2 {
            if !socket.can_recv() {
                break;
            }
            let Ok((run, len)) = socket.recv(|run| {
                let len = take(run).min(run.len());
                (len, (run.len(), len))
            }) else {
                break;
            };
            taken += len;
            if len < run {
                break;
            }
        }
        self.taken = self.taken.wrapping_add(u32::try_from(taken).unwrap_or(0));
        taken
    }

    fn peek(&mut self, skip: usize, look: &mut dyn FnMut(&[u8])) {
        let socket = self.socket_mut();
        let queue = socket.recv_queue();
        if skip >= queue {
            return look(&[]);
        }
        let Ok(first) = socket.peek(queue) else {
            return look(&[]);
        };
        if let Some(run) = first.get(skip..)
            && !run.is_empty()
        {
            return look(run);
        }
        // It lies behind the ring's end, which the socket shows only in a copy.
        let mut copy = vec![0; queue];
        let len = socket.peek_slice(&mut copy).unwrap_or(0);
        look(copy.get(skip..len).unwrap_or(&[]));
    }

    fn finish(&mut self) {
        self.socket_mut().close();
    }
}

type Buffer = smoltcp::socket::tcp::SocketBuffer<'static>;

/// Leads a fresh socket through a handshake that nobody sees, to the numbers of `opening`.
fn rehearse(
    set: &mut SocketSet<'static>,
    handle: SocketHandle,
    opening: &Opening,
    now: Instant,
    scratch: &mut Vec<u8>,
) {
    let own = opening.send_next.previous();
    let mut interface = interface(None, seed_for(own.0));
    let answered = fast(now);
    let trip = opening.round_trip.unwrap_or(Duration::ZERO);
    let asked = fast(now - trip).max(Instant::ZERO);

    let listening = set.get_mut::<Socket>(handle).listen(opening.flow.local);
    debug_assert!(listening.is_ok(), "a fresh socket, a port that is not zero");
    let reversed = Flow {
        local: opening.flow.remote,
        remote: opening.flow.local,
    };
    let request = Control {
        kind: TcpControl::Syn,
        window: u16::try_from(opening.peer_window).unwrap_or(u16::MAX),
        options: Some(SynOptions {
            mss: Some(opening.mss),
            window_scale: opening.peer_scale,
            sack: opening.sack,
        }),
        ..Control::new(reversed, opening.receive_next.previous())
    };
    let scaled = opening.peer_window >> opening.peer_scale.unwrap_or(0);
    let answer = Control {
        ack: Some(opening.send_next),
        window: u16::try_from(scaled).unwrap_or(u16::MAX),
        ..Control::new(reversed, opening.receive_next)
    };
    // A segment outside the window is answered with an acknowledgement: from then on the socket
    // accepts what its buffer holds, and not what its unscaled window seemed to promise.
    let stale = Control {
        seq: opening.receive_next.previous(),
        ..answer
    };
    let mut step = |at: Instant, control: Option<Control>| {
        let mut bytes = [0; 128];
        let len = control.map_or(0, |control| control.write_to(&mut bytes));
        let mut device = Rehearsal {
            incoming: control.and(bytes.get(..len)),
            scratch,
        };
        if control.is_some() {
            interface.poll_ingress_single(at, &mut device, set);
        } else {
            interface.poll_egress(at, &mut device, set);
        }
    };
    step(asked, Some(request));
    step(asked, None);
    step(answered, Some(answer));
    step(answered, Some(stale));
}

/// The seed with which an interface's next socket starts at `number`.
///
/// smoltcp 0.14 (src/rand.rs) steps `state = state * M + A` and yields bits `29 - (state >> 61)` and up.
/// The interface itself takes one number for IPv4 identifiers, and another if that one is zero.
fn seed_for(number: u32) -> u64 {
    const M: u64 = 0xbb2e_fcec_3c39_611d;
    const A: u64 = 0x7590_ef39;
    const INVERSE: u64 = inverse(M);
    const fn inverse(of: u64) -> u64 {
        // Newton: each step doubles the bits that are right, of which the first has three.
        let mut x = of;
        let mut step = 0;
        while step < 5 {
            x = x.wrapping_mul(2_u64.wrapping_sub(of.wrapping_mul(x)));
            step += 1;
        }
        x
    }
    let back = |state: u64| state.wrapping_sub(A).wrapping_mul(INVERSE);
    let mut low = 0;
    loop {
        let before = back((u64::from(number) << 29) | low);
        let drawn = before >> (29 - (before >> 61));
        let folded = (drawn ^ (drawn >> 16)) & 0xffff;
        if folded != 0 {
            return back(before);
        }
        low += 1;
    }
}
