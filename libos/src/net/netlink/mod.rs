//! AF_NETLINK (netlink(7)), protocol NETLINK_ROUTE: programs ask the network's configuration by it.
//!
//! - [`NetlinkSocket`]: a socket whose peer is always the libOS. What a send asks is answered before
//!   it returns, into the socket's own queue.
//! - [`message`]: messages as bytes; [`route`] and [`neighbour`]: what is asked and answered.
//!
//! Multicast groups may be joined, and nothing is ever told to them. Other netlink protocols
//! (generic, netfilter, sock_diag) are not there: EPROTONOSUPPORT.

mod message;
mod neighbour;
mod route;

#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;

use linux_raw_sys::net::{
    AF_NETLINK, AF_UNSPEC, SO_DOMAIN, SO_ERROR, SO_PROTOCOL, SO_TYPE, SOL_SOCKET,
};

use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::fs::poll::PollEvents;
use crate::net::address::RawAddress;
use crate::net::message::{MessageFlags, Outgoing, Received};
use crate::net::options::{OptionValue, Options};
use crate::net::socket::{Halves, Kind, Socket};
use crate::sync::SpinLock;
use crate::sync::wait::WaitQueue;
use crate::user::Dest;
use crate::word_map::WordMap;
use message::{Reply, Request, flag};

/// `NETLINK_ROUTE`.
const ROUTE: u32 = 0;
/// One more than the highest protocol (`MAX_LINKS`).
const PROTOCOLS: u32 = 32;
/// `SOL_NETLINK`, the level of a netlink socket's own options.
const SOL_NETLINK: u32 = 270;
/// Most groups of NETLINK_ROUTE (`RTNLGRP_MAX` of Linux 6.12).
const GROUPS: u32 = 39;

/// AF_NETLINK as it stands in an address.
#[expect(clippy::cast_possible_truncation, reason = "AF_NETLINK is 16")]
const FAMILY: u16 = AF_NETLINK as u16;

/// `NETLINK_*` options.
mod option {
    pub const ADD_MEMBERSHIP: u32 = 1;
    pub const DROP_MEMBERSHIP: u32 = 2;
    pub const PKTINFO: u32 = 3;
    pub const BROADCAST_ERROR: u32 = 4;
    pub const NO_ENOBUFS: u32 = 5;
    pub const LIST_MEMBERSHIPS: u32 = 9;
    pub const CAP_ACK: u32 = 10;
    pub const EXT_ACK: u32 = 11;
    pub const GET_STRICT_CHK: u32 = 12;
    /// Those that are a truth, kept at these places of `State::truths`.
    pub const TRUTHS: [u32; 6] = [
        PKTINFO,
        BROADCAST_ERROR,
        NO_ENOBUFS,
        CAP_ACK,
        EXT_ACK,
        GET_STRICT_CHK,
    ];
}

/// Port ids in use.
static PORTS: SpinLock<WordMap<u32, Weak<NetlinkSocket>>> = SpinLock::new(WordMap::new());

/// An AF_NETLINK socket.
pub struct NetlinkSocket {
    me: Weak<NetlinkSocket>,
    socket_type: u32,
    options: Options,
    state: SpinLock<State>,
    /// Blocked receivers.
    arrivals: WaitQueue,
    /// poll(2), select(2), epoll(7).
    pollers: WaitQueue,
}

#[derive(Default)]
struct State {
    /// 0 until bound.
    port: u32,
    /// Bit `n - 1` for group `n`.
    groups: u64,
    /// Whom sends without an address go to, and groups; 0 is the libOS.
    peer: (u32, u32),
    queue: VecDeque<Vec<u8>>,
    bytes: usize,
    truths: [bool; option::TRUTHS.len()],
    error: Option<Errno>,
    shut: Halves,
}

impl NetlinkSocket {
    /// A new socket, for socket(2).
    ///
    /// # Errors
    /// ESOCKTNOSUPPORT, EPROTONOSUPPORT.
    pub fn create(socket_type: u32, protocol: u32) -> Result<Arc<Self>> {
        const DGRAM: u32 = 2;
        const RAW: u32 = 3;
        if !matches!(socket_type, DGRAM | RAW) {
            return Err(Errno::ESOCKTNOSUPPORT);
        }
        if protocol >= PROTOCOLS {
            return Err(Errno::EPROTONOSUPPORT);
        }
        if protocol != ROUTE {
            return Err(Errno::EPROTONOSUPPORT.because("NETLINK_ROUTE is the only protocol"));
        }
        Ok(Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            socket_type,
            options: Options::new(),
            state: SpinLock::default(),
            arrivals: WaitQueue::new(),
            pollers: WaitQueue::new(),
        }))
    }

    /// Takes port id `wanted`, or one that is free for 0.
    fn claim_port(&self, wanted: u32) -> Result<u32> {
        let pid = crate::task::with_current(|thread| thread.process().pid());
        let mut ports = PORTS.lock();
        let is_free = |port: u32, ports: &WordMap<u32, Weak<Self>>| {
            ports.get(&port).is_none_or(|old| old.strong_count() == 0)
        };
        if wanted != 0 {
            if !is_free(wanted, &ports) {
                return Err(Errno::EADDRINUSE);
            }
            ports.insert(wanted, Weak::clone(&self.me));
            return Ok(wanted);
        }
        // The process's id first, then numbers that are no process's, as Linux does.
        let first = core::iter::once(pid.cast_unsigned());
        let others = (0..u32::MAX / 2).map(|offset| (u32::MAX - 4096) - offset);
        let port = first
            .chain(others)
            .find(|&port| is_free(port, &ports))
            .ok_or(Errno::EADDRINUSE)?;
        ports.insert(port, Weak::clone(&self.me));
        Ok(port)
    }

    fn port_or_claim(&self) -> Result<u32> {
        let port = self.state.lock().port;
        if port != 0 {
            return Ok(port);
        }
        let port = self.claim_port(0)?;
        self.state.lock().port = port;
        Ok(port)
    }

    /// Answers all requests in `bytes` (net/netlink/af_netlink.c, `netlink_rcv_skb`).
    fn serve(&self, mut bytes: &[u8], port: u32) {
        let capped = self.truth(option::CAP_ACK);
        while let Some((request, rest)) = message::split(bytes) {
            bytes = rest;
            let mut reply = Reply::new(request.sequence, port);
            let verdict = self.serve_one(&request, &mut reply);
            let dumped = verdict == Some(Ok(())) && request.flags & flag::DUMP != 0;
            let error = match verdict {
                Some(Err(error)) => error.number(),
                _ => 0,
            };
            let asked = request.flags & flag::ACK != 0 && !dumped;
            if error != 0 || asked {
                reply.verdict(&request, error, capped);
            }
            self.enqueue(reply.into_datagrams());
        }
    }

    /// `None` for what is no request.
    fn serve_one(&self, request: &Request<'_>, reply: &mut Reply) -> Option<Result<()>> {
        let is_request = request.flags & flag::REQUEST != 0;
        (is_request && request.kind >= message::LEAST_TYPE).then(|| route::answer(request, reply))
    }

    /// Puts answers into the queue. What does not fit is lost, and the next receive says so.
    fn enqueue(&self, datagrams: Vec<Vec<u8>>) {
        if datagrams.is_empty() {
            return;
        }
        let room = self.options.receive_buffer();
        let silent = self.truth(option::NO_ENOBUFS);
        {
            let mut state = self.state.lock();
            for datagram in datagrams {
                if state.bytes > room {
                    if !silent {
                        state.error = Some(Errno::ENOBUFS);
                    }
                    break;
                }
                state.bytes += datagram.len();
                state.queue.push_back(datagram);
            }
        }
        self.arrivals.wake_all();
        self.pollers.notify(PollEvents::IN | PollEvents::RDNORM);
    }

    fn truth(&self, name: u32) -> bool {
        let index = option::TRUTHS.iter().position(|&known| known == name);
        index.is_some_and(|index| self.state.lock().truths[index])
    }

    fn try_receive(&self, dest: &mut Dest<'_>, peek: bool) -> Option<Result<Received>> {
        let mut state = self.state.lock();
        if let Some(error) = state.error.take() {
            return Some(Err(error));
        }
        let Some(first) = state.queue.front() else {
            let ended = state.shut.contains(Halves::RECEIVE);
            return ended.then(|| Ok(Received::default()));
        };
        let full_len = first.len();
        let count = match dest.put(first) {
            Ok(count) => count,
            Err(error) => return Some(Err(error)),
        };
        if !peek {
            state.queue.pop_front();
            state.bytes -= full_len;
        }
        Some(Ok(Received {
            count,
            full_len,
            from: Some(address(0, 0)),
            ..Received::default()
        }))
    }

    fn join(&self, group: u32, member: bool) -> Result<()> {
        if group == 0 || group > GROUPS {
            return Err(Errno::EINVAL);
        }
        let mut state = self.state.lock();
        let bit = 1 << (group - 1);
        if member {
            state.groups |= bit;
        } else {
            state.groups &= !bit;
        }
        Ok(())
    }
}

impl Socket for NetlinkSocket {
    fn kind(&self) -> Kind {
        Kind {
            domain: AF_NETLINK,
            socket_type: self.socket_type,
            protocol: ROUTE,
        }
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn bind(&self, address: &RawAddress) -> Result<()> {
        let (port, groups) = parse(address)?;
        let bound = self.state.lock().port;
        if bound != 0 {
            if port != bound {
                return Err(Errno::EINVAL);
            }
        } else {
            let port = self.claim_port(port)?;
            self.state.lock().port = port;
        }
        // An address has room for the first 32 groups only.
        let mut state = self.state.lock();
        state.groups = state.groups & !u64::from(u32::MAX) | u64::from(groups);
        Ok(())
    }

    fn listen(&self, _: i32) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn accept(&self, _: Patience) -> Result<Arc<dyn Socket>> {
        Err(Errno::EOPNOTSUPP)
    }

    fn connect(&self, address: &RawAddress, _: Patience) -> Result<()> {
        if u32::from(address.family()) == AF_UNSPEC {
            self.state.lock().peer = (0, 0);
            return Ok(());
        }
        let peer = parse(address)?;
        if peer != (0, 0) {
            return Err(Errno::EPERM);
        }
        self.port_or_claim()?;
        Ok(())
    }

    fn send(&self, message: Outgoing<'_, '_>) -> Result<usize> {
        if message.flags.contains(MessageFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        let (to, groups) = match &message.address {
            Some(address) => parse(address)?,
            None => self.state.lock().peer,
        };
        if groups != 0 {
            return Err(Errno::EPERM);
        }
        let port = self.port_or_claim()?;
        let len = message.source.left();
        if len > self.options.send_buffer().saturating_sub(32) {
            return Err(Errno::EMSGSIZE);
        }
        let mut bytes = alloc::vec![0; len];
        if message.source.take(&mut bytes)? < len {
            return Err(Errno::EFAULT);
        }
        if to != 0 {
            // Other sockets may be written to by CAP_NET_ADMIN only, if they are there.
            let is_there = PORTS.lock().contains_key(&to);
            return Err(if is_there {
                Errno::EPERM
            } else {
                Errno::ECONNREFUSED
            });
        }
        self.serve(&bytes, port);
        Ok(len)
    }

    fn receive(
        &self,
        dest: &mut Dest<'_>,
        flags: MessageFlags,
        patience: Patience,
    ) -> Result<Received> {
        if flags.contains(MessageFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        let peek = flags.contains(MessageFlags::PEEK);
        blocking::attempt(&self.arrivals, patience, || self.try_receive(dest, peek))
    }

    fn shutdown(&self, _: Halves) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn local_address(&self) -> Result<RawAddress> {
        let state = self.state.lock();
        let groups = u32::try_from(state.groups & u64::from(u32::MAX)).unwrap_or(0);
        Ok(address(state.port, groups))
    }

    fn peer_address(&self) -> Result<RawAddress> {
        let (port, groups) = self.state.lock().peer;
        Ok(address(port, groups))
    }

    fn option(&self, level: u32, name: u32) -> Result<OptionValue> {
        let word = |value: u32| Ok(OptionValue::words(&[value.cast_signed()]));
        match (level, name) {
            (SOL_SOCKET, SO_TYPE) => word(self.socket_type),
            (SOL_SOCKET, SO_DOMAIN) => word(AF_NETLINK),
            (SOL_SOCKET, SO_PROTOCOL) => word(ROUTE),
            (SOL_SOCKET, SO_ERROR) => {
                let error = self.state.lock().error.take();
                word(error.map_or(0, |error| error.number().into()))
            }
            (SOL_SOCKET, _) => self.options.get(name),
            (SOL_NETLINK, option::LIST_MEMBERSHIPS) => {
                let groups = self.state.lock().groups;
                let half = |shift: u32| u32::try_from(groups >> shift & u64::from(u32::MAX));
                let halves = [half(0).unwrap_or(0), half(32).unwrap_or(0)];
                Ok(OptionValue::words(&halves.map(u32::cast_signed)))
            }
            (SOL_NETLINK, name) if option::TRUTHS.contains(&name) => {
                word(u32::from(self.truth(name)))
            }
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        if level == SOL_SOCKET {
            return self.options.set(name, value);
        }
        if level != SOL_NETLINK {
            return Err(Errno::ENOPROTOOPT);
        }
        let word = value.first_chunk::<4>().ok_or(Errno::EINVAL)?;
        let word = u32::from_ne_bytes(*word);
        match name {
            option::ADD_MEMBERSHIP => self.join(word, true),
            option::DROP_MEMBERSHIP => self.join(word, false),
            _ => {
                let index = option::TRUTHS.iter().position(|&known| known == name);
                let index = index.ok_or(Errno::ENOPROTOOPT)?;
                self.state.lock().truths[index] = word != 0;
                Ok(())
            }
        }
    }

    fn poll(&self) -> PollEvents {
        let state = self.state.lock();
        let mut events = PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND;
        if !state.queue.is_empty() {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        if state.error.is_some() {
            events |= PollEvents::ERR;
        }
        events
    }

    fn wait_queue(&self) -> &WaitQueue {
        &self.pollers
    }

    fn readable_bytes(&self) -> Result<usize> {
        // Linux's netlink sockets know no FIONREAD.
        Err(Errno::ENOTTY)
    }

    fn unsent_bytes(&self) -> Result<usize> {
        Ok(0)
    }

    fn close(&self) {
        let mut ports = PORTS.lock();
        let port = core::mem::take(&mut self.state.lock().port);
        if ports.get(&port).is_some_and(|owner| owner.ptr_eq(&self.me)) {
            ports.remove(&port);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `struct sockaddr_nl`.
fn address(port: u32, groups: u32) -> RawAddress {
    let rest = [&[0, 0][..], &port.to_ne_bytes(), &groups.to_ne_bytes()].concat();
    RawAddress::new(FAMILY, &rest)
}

/// Port id and groups of a `struct sockaddr_nl`.
fn parse(address: &RawAddress) -> Result<(u32, u32)> {
    if address.family() != FAMILY {
        return Err(Errno::EINVAL);
    }
    let rest = address.rest().get(2..10).ok_or(Errno::EINVAL)?;
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_ne_bytes);
    Ok((word(&rest[..4]), word(&rest[4..])))
}

/// How many sockets are bound, and to which port ids, for `/proc/net/netlink`.
pub fn bound_ports() -> Vec<(u32, u32)> {
    let ports: Vec<_> = {
        let ports = PORTS.lock();
        let open = |(port, socket): (u32, &Weak<NetlinkSocket>)| Some((port, socket.upgrade()?));
        ports.iter().filter_map(open).collect()
    };
    ports
        .into_iter()
        .map(|(port, socket)| {
            let groups = socket.state.lock().groups;
            (
                port,
                u32::try_from(groups & u64::from(u32::MAX)).unwrap_or(0),
            )
        })
        .collect()
}
