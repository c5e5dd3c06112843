//! One interface's handle: frames out of the stack, frames into it, readiness.
//!
//! Frames are read when the scheduler services devices: before it idles, at ticks, and now and then
//! while threads keep it busy. What lies in one read or write is the handle's [`Framing`].

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::sync::atomic::{AtomicBool, Ordering};

use libos_abi::handle::Handle;
use libos_abi::net::{Framing, NetAddress, NetInterface, NetRoute, flags};
use libos_net::address::Network;
use libos_net::config::{InterfaceConfig, Mac, Offloads, Route};
use libos_net::device::{Device, LONGEST_FRAME, Transmitted, VNET_HEADER_LEN};

use super::{Arc, Box, InterfaceId, SpinLock, String, Vec, look, text, with};
use crate::errno::Errno;
use crate::fs::poll::PollEvents;
use crate::hypercall;
use crate::sched::host::{self, HostDevice};

/// Frames taken in one turn before the readers get theirs: more fill receive buffers to the brim,
/// and windows close (measured: half the throughput when everything is taken).
const FRAMES_PER_TURN: usize = 16;

/// Room for one read: a frame, its header, and a stream's length.
const BUFFER: usize = LONGEST_FRAME + VNET_HEADER_LEN + 4;

/// One interface's handle.
struct Link {
    handle: &'static Handle,
    framing: Framing,
    interface: InterfaceId,
    name: String,
    /// Whether the other end is gone.
    is_dead: AtomicBool,
    inbox: SpinLock<Inbox>,
    unsent: Arc<Unsent>,
}

/// What was read and not yet taken: of a stream, parts of frames.
struct Inbox {
    bytes: Vec<u8>,
    filled: usize,
}

/// Adds the interface that `described` tells of to the stack, and its handle to the scheduler.
pub fn attach(described: &NetInterface, handle: &'static Handle) {
    let unsent = Arc::new(Unsent {
        handle,
        bytes: SpinLock::new(Vec::new()),
    });
    let outbox = Outbox {
        handle,
        framing: described.framing,
        unsent: Arc::clone(&unsent),
    };
    let interface =
        with(|stack, now, _| stack.add_interface(now, config(described), Box::new(outbox)));
    host::add_device(Arc::new(Link {
        handle,
        framing: described.framing,
        interface,
        name: text(described.name),
        is_dead: AtomicBool::new(false),
        inbox: SpinLock::new(Inbox {
            bytes: alloc::vec![0; BUFFER],
            filled: 0,
        }),
        unsent,
    }));
}

impl HostDevice for Link {
    fn handle(&self) -> &'static Handle {
        self.handle
    }

    fn wanted(&self) -> PollEvents {
        if self.is_dead.load(Ordering::Relaxed) {
            return PollEvents::empty();
        }
        let stack_waits =
            || look(|stack| stack.wants_writable(self.interface).then_some(())).is_some();
        if !self.unsent.is_empty() || stack_waits() {
            PollEvents::IN | PollEvents::OUT
        } else {
            PollEvents::IN
        }
    }

    fn service(&self, came: PollEvents) -> bool {
        if self.is_dead.load(Ordering::Relaxed) {
            return false;
        }
        let mut inbox = self.inbox.lock();
        with(|stack, now, owner| {
            if came.contains(PollEvents::OUT) && self.unsent.flush() {
                stack.writable(now, self.interface, owner);
            }
            for turn in 0..FRAMES_PER_TURN {
                let received = self.receive(&mut inbox, &mut |frame| {
                    stack.receive(now, self.interface, frame, owner);
                });
                match received {
                    Ok(true) => {}
                    Ok(false) => return turn > 0,
                    Err(_) => {
                        self.link_down();
                        stack.end_link(now, self.interface, owner);
                        return true;
                    }
                }
            }
            true
        })
    }
}

impl Link {
    /// Passes on what one read gives; says whether it gave anything.
    fn receive(&self, inbox: &mut Inbox, take: &mut dyn FnMut(&[u8])) -> Result<bool, Errno> {
        let room = &mut inbox.bytes[inbox.filled..];
        let count = match hypercall::read(self.handle, room.as_mut_ptr(), room.len()) {
            Ok(0) => return Err(Errno::EPIPE),
            Ok(count) => count,
            // A tap that is set down says EIO on reads; it may come up again.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::EIO | Errno::ENETDOWN) => return Ok(false),
            Err(error) => return Err(error),
        };
        if self.framing == Framing::Stream {
            inbox.filled += count;
            inbox.take_frames(take)?;
        } else {
            take(&inbox.bytes[..count]);
        }
        Ok(true)
    }

    fn link_down(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
        crate::stderr::warn(format_args!(
            "the other end of the network device \"{}\" is gone: its link is down",
            self.name
        ));
    }
}

impl Inbox {
    /// Takes all whole frames of a stream, each behind its length.
    ///
    /// # Errors
    /// EPROTO for a length that no frame has: the stream cannot be understood any more.
    fn take_frames(&mut self, take: &mut dyn FnMut(&[u8])) -> Result<(), Errno> {
        let mut at = 0;
        while let Some((length, rest)) = self.bytes[at..self.filled].split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length > LONGEST_FRAME {
                return Err(Errno::EPROTO);
            }
            let Some(frame) = rest.get(..length) else {
                break;
            };
            take(frame);
            at += 4 + length;
        }
        self.bytes.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }
}

/// The way out.
struct Outbox {
    handle: &'static Handle,
    framing: Framing,
    unsent: Arc<Unsent>,
}

impl Device for Outbox {
    fn transmit(&mut self, frame: &[u8]) -> Transmitted {
        if self.framing == Framing::Stream {
            return self.transmit_in_stream(frame);
        }
        match hypercall::write(self.handle, frame.as_ptr(), frame.len()) {
            Err(Errno::EAGAIN | Errno::ENOBUFS) => Transmitted::Full,
            // A frame that the device refuses (EIO, EINVAL, EMSGSIZE, ENETDOWN) is lost, as on a
            // wire; the other end's being gone (EPIPE) is noticed by reading.
            Ok(_) | Err(_) => Transmitted::Done,
        }
    }
}

impl Outbox {
    fn transmit_in_stream(&mut self, frame: &[u8]) -> Transmitted {
        if !self.unsent.flush() {
            return Transmitted::Full;
        }
        let length = u32::try_from(frame.len()).unwrap_or(0).to_be_bytes();
        let mut bytes = self.unsent.bytes.lock();
        bytes.extend_from_slice(&length);
        bytes.extend_from_slice(frame);
        drop(bytes);
        self.unsent.flush();
        Transmitted::Done
    }
}

/// What partial writes to a stream left.
struct Unsent {
    handle: &'static Handle,
    bytes: SpinLock<Vec<u8>>,
}

impl Unsent {
    fn is_empty(&self) -> bool {
        self.bytes.lock().is_empty()
    }

    /// Writes what is there; says whether all of it went.
    fn flush(&self) -> bool {
        let mut bytes = self.bytes.lock();
        if bytes.is_empty() {
            return true;
        }
        match hypercall::write(self.handle, bytes.as_ptr(), bytes.len()) {
            Ok(count) => {
                let count = count.min(bytes.len());
                bytes.drain(..count);
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // The other end is gone, which reading notices.
            Err(_) => bytes.clear(),
        }
        bytes.is_empty()
    }
}

fn config(described: &NetInterface) -> InterfaceConfig {
    // SAFETY: the tender's arrays stay mapped and unchanged.
    let (addresses, routes) =
        unsafe { (described.addresses.as_slice(), described.routes.as_slice()) };
    let has = |flag: u32| described.flags & flag != 0;
    InterfaceConfig {
        name: text(described.name),
        mac: Mac(described.mac),
        mtu: u16::try_from(described.mtu).unwrap_or(u16::MAX),
        addresses: addresses.iter().filter_map(network).collect(),
        routes: routes.iter().filter_map(route).collect(),
        dhcp: has(flags::DHCP),
        slaac: has(flags::SLAAC),
        any_address: false,
        offloads: Offloads {
            vnet_header: described.framing == Framing::Header,
            checksum: has(flags::CHECKSUM),
            segmentation: has(flags::SEGMENTATION),
        },
    }
}

/// An address of the boot information; none for version 0.
pub fn address(given: &NetAddress) -> Option<IpAddr> {
    match given.version {
        4 => {
            let [a, b, c, d, ..] = given.bytes;
            Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        6 => Some(IpAddr::V6(Ipv6Addr::from(given.bytes))),
        _ => None,
    }
}

fn network(given: &NetAddress) -> Option<Network> {
    let prefix = u8::try_from(given.prefix).ok()?;
    address(given).map(|address| Network { address, prefix })
}

fn route(given: &NetRoute) -> Option<Route> {
    Some(Route {
        destination: network(&given.destination)?,
        gateway: address(&given.gateway),
        metric: given.metric,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(bytes: &[u8]) -> Inbox {
        let mut inbox = Inbox {
            bytes: alloc::vec![0; BUFFER],
            filled: bytes.len(),
        };
        inbox.bytes[..bytes.len()].copy_from_slice(bytes);
        inbox
    }

    #[test]
    fn frames_are_taken_from_a_stream_as_they_become_whole() {
        let mut inbox = inbox(b"\0\0\0\x02ab\0\0\0\x03cd");
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let taken = inbox.take_frames(&mut |frame| frames.push(frame.to_vec()));
        assert_eq!(taken, Ok(()));
        assert_eq!(frames, [b"ab".to_vec()]);
        assert_eq!(inbox.filled, 6, "the rest waits");
        inbox.bytes[6] = b'e';
        inbox.filled = 7;
        let taken = inbox.take_frames(&mut |frame| frames.push(frame.to_vec()));
        assert_eq!(taken, Ok(()));
        assert_eq!(frames[1], b"cde");
        assert_eq!(inbox.filled, 0);
    }

    #[test]
    fn a_length_that_no_frame_has_ends_the_stream() {
        let mut inbox = inbox(&[0, 2, 0, 0, 1]);
        assert_eq!(inbox.take_frames(&mut |_| ()), Err(Errno::EPROTO));
    }

    #[test]
    fn addresses_of_unknown_versions_are_left_out() {
        let mut given = NetAddress {
            version: 4,
            prefix: 24,
            bytes: [10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        assert_eq!(address(&given), Some(IpAddr::from([10, 0, 2, 15])));
        assert_eq!(network(&given).map(|network| network.prefix), Some(24));
        given.version = 5;
        assert_eq!(address(&given), None);
    }
}
