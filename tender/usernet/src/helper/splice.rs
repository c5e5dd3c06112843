//! Bytes between a connection of the guest's and a socket of the host's: from ring to socket and from socket to
//! ring, with nothing between.
//!
//! Main types: [`HostEnd`], [`pump`] and, once the guest is gone, [`drain`]; [`Outcome`]. A side that has no room is not read for the other: what cannot
//! go on waits where it is, and its sender is held back by its own window.

use super::host;
use libos_net::tcp::{ConnectionId, Refusal, Tcp};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::Shutdown;

/// Bytes moved in one direction before others have their turn.
const TURN: usize = 512 * 1024;

/// The host's socket of a connection, and what is known of it. Readiness is remembered between edges.
#[derive(Debug)]
pub struct HostEnd {
    /// The socket.
    pub socket: OwnedFd,
    /// There may be something to read.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The end of its stream, or an error, is near: reading goes on until it is seen.
    pub hung_up: bool,
    /// The end of its stream was read.
    pub ended: bool,
}

impl HostEnd {
    /// Of a socket of which nothing is known.
    pub fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            readable: true,
            writable: true,
            hung_up: false,
            ended: false,
        }
    }
}

/// Both ends of a connection's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Halves {
    /// The end of the host's stream was passed on to the guest.
    pub to_guest_ended: bool,
    /// The end of the guest's stream was passed on to the host.
    pub to_host_ended: bool,
}

/// What is to be done after bytes were moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Wait for either side.
    Wait,
    /// There is more, but others have waited long enough.
    More,
    /// Both halves have ended.
    Finished,
    /// The host's side broke: the guest is to get a reset.
    HostBroke,
    /// The guest's side broke: the host is to get a reset.
    GuestBroke,
}

/// What [`pump`] did.
#[derive(Clone, Copy, Debug)]
pub struct Pumped {
    /// What is to be done.
    pub outcome: Outcome,
    /// Whether the connection changed, so that it is to be flushed: bytes, or an end, went on.
    pub changed: bool,
}

/// Moves what can be moved, in both directions.
pub fn pump(
    tcp: &mut Tcp,
    connection: ConnectionId,
    host: &mut HostEnd,
    halves: &mut Halves,
) -> Pumped {
    let out = to_host(tcp, connection, host, halves);
    let back = match out {
        Step::Broke(_) => Step::Idle,
        _ => to_guest(tcp, connection, host, halves),
    };
    let outcome = match (out, back) {
        (Step::Broke(outcome), _) | (_, Step::Broke(outcome)) => outcome,
        _ if halves.to_guest_ended && halves.to_host_ended => Outcome::Finished,
        (Step::Moved { more: true }, _) | (_, Step::Moved { more: true }) => Outcome::More,
        _ => Outcome::Wait,
    };
    let changed = [out, back].iter().any(|step| !matches!(step, Step::Idle));
    Pumped { outcome, changed }
}

/// Moves what the guest left behind to the host, then the end of its stream; what the host still sends is for
/// nobody. [`Outcome::Finished`] once the host has ended its half too: a socket closed before that could be
/// met by more input, and its reset would take back what the host has not read.
pub fn drain(
    tcp: &mut Tcp,
    connection: ConnectionId,
    host: &mut HostEnd,
    halves: &mut Halves,
) -> Pumped {
    let mut step = to_host(tcp, connection, host, halves);
    let is_taken = host.writable && matches!(step, Step::Idle | Step::Moved { more: false });
    if is_taken && !halves.to_host_ended {
        step = end_to_host(host, halves);
    }
    let changed = !matches!(step, Step::Idle);
    let outcome = match step {
        Step::Broke(outcome) => outcome,
        Step::Moved { more: true } => Outcome::More,
        _ if halves.to_host_ended => discard(host),
        _ => Outcome::Wait,
    };
    Pumped { outcome, changed }
}

/// Reads what nobody wants, to its end if that is there.
fn discard(host: &mut HostEnd) -> Outcome {
    let mut room = [0; 16 * 1024];
    let mut failure = None;
    let mut read = 0;
    while host.readable && !host.ended && failure.is_none() {
        if read >= TURN {
            return Outcome::More;
        }
        read += read_some(host, &mut room, &mut failure);
    }
    match failure {
        Some(_) => Outcome::HostBroke,
        None if host.ended => Outcome::Finished,
        None => Outcome::Wait,
    }
}

/// What became of one direction.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Nothing.
    Idle,
    /// Bytes, or the end, went on.
    Moved { more: bool },
    /// Nothing can any more.
    Broke(Outcome),
}

fn to_host(
    tcp: &mut Tcp,
    connection: ConnectionId,
    host: &mut HostEnd,
    halves: &mut Halves,
) -> Step {
    if halves.to_host_ended {
        return Step::Idle;
    }
    let mut moved = 0;
    while host.writable && moved < TURN {
        let mut failure = None;
        let taken = tcp.receive_bytes(connection, &mut |run| {
            if !host.writable || failure.is_some() {
                return 0;
            }
            write_some(host, run, &mut failure)
        });
        if failure.is_some() {
            return Step::Broke(Outcome::HostBroke);
        }
        match taken {
            Ok(0) | Err(Refusal::WouldBlock) => return moved_or_idle(moved),
            Ok(count) => moved += count,
            Err(Refusal::Ended) => return end_to_host(host, halves),
            Err(Refusal::Error(_) | Refusal::NotConnected) => {
                return Step::Broke(Outcome::GuestBroke);
            }
        }
    }
    match moved {
        0 => Step::Idle,
        _ => Step::Moved {
            more: host.writable,
        },
    }
}

fn moved_or_idle(moved: usize) -> Step {
    match moved {
        0 => Step::Idle,
        _ => Step::Moved { more: false },
    }
}

fn end_to_host(host: &HostEnd, halves: &mut Halves) -> Step {
    halves.to_host_ended = true;
    match rustix::net::shutdown(&host.socket, Shutdown::Write) {
        // The other side may have reset it already, having had all it wanted.
        Ok(()) | Err(Errno::NOTCONN) => Step::Moved { more: false },
        Err(_) => Step::Broke(Outcome::HostBroke),
    }
}

fn write_some(host: &mut HostEnd, run: &[u8], failure: &mut Option<Errno>) -> usize {
    match host::send(&host.socket, run) {
        Ok(count) => {
            host.writable = count == run.len();
            count
        }
        Err(Errno::AGAIN) => {
            host.writable = false;
            0
        }
        Err(error) => {
            *failure = Some(error);
            0
        }
    }
}

fn to_guest(
    tcp: &mut Tcp,
    connection: ConnectionId,
    host: &mut HostEnd,
    halves: &mut Halves,
) -> Step {
    if halves.to_guest_ended {
        return Step::Idle;
    }
    let mut moved = 0;
    while host.readable && !host.ended && moved < TURN {
        let mut failure = None;
        let put = tcp.send(connection, &mut |room| {
            if room.is_empty() || !host.readable || host.ended || failure.is_some() {
                return 0;
            }
            read_some(host, room, &mut failure)
        });
        if failure.is_some() {
            return Step::Broke(Outcome::HostBroke);
        }
        match put {
            Ok(0) | Err(Refusal::WouldBlock) => break,
            Ok(count) => moved += count,
            Err(_) => return Step::Broke(Outcome::GuestBroke),
        }
    }
    if host.ended {
        halves.to_guest_ended = true;
        tcp.shutdown_send(connection);
        return Step::Moved { more: false };
    }
    match moved {
        0 => Step::Idle,
        _ => Step::Moved {
            more: moved >= TURN && host.readable,
        },
    }
}

/// A read that does not fill the room has emptied the socket (see epoll(7), question 9), unless its end is near.
fn read_some(host: &mut HostEnd, room: &mut [u8], failure: &mut Option<Errno>) -> usize {
    let len = room.len();
    match host::receive(&host.socket, room) {
        Ok(0) => {
            host.ended = true;
            0
        }
        Ok(count) => {
            host.readable = count == len || host.hung_up;
            count
        }
        Err(Errno::AGAIN) => {
            host.readable = false;
            0
        }
        Err(error) => {
            *failure = Some(error);
            0
        }
    }
}
