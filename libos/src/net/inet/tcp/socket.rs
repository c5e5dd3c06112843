//! A TCP socket as the system calls see it, and what it tells of itself.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use libos_net::output::Output;
use linux_raw_sys::net::{
    SO_ACCEPTCONN, SO_BINDTODEVICE, SO_DOMAIN, SO_ERROR, SO_KEEPALIVE, SO_PROTOCOL, SO_RCVBUF,
    SO_REUSEADDR, SO_REUSEPORT, SO_SNDBUF, SO_TYPE, SOL_SOCKET,
};

use super::settings::TCP_INFO;
use super::table::Shown;
use super::{IPPROTO_TCP, Link, TcpSocket, TcpState, remote, settings};
use crate::errno::{Errno, Result};
use crate::fs::blocking::Patience;
use crate::fs::poll::PollEvents;
use crate::net::address::RawAddress;
use crate::net::inet::address::{self, Family};
use crate::net::inet::options::{Context, SOL_IP, SOL_IPV6};
use crate::net::inet::{host, interfaces};
use crate::net::message::{MessageFlags, Outgoing, Received};
use crate::net::options::{OptionValue, Options, word};
use crate::net::socket::{Halves, Kind, Socket};
use crate::sync::wait::WaitQueue;
use crate::user::{Dest, UserPtr};

const IP_MTU: u32 = 14;
const IPV6_MTU: u32 = 24;
const SO_COOKIE: u32 = 57;
const SO_INCOMING_NAPI_ID: u32 = 56;
const SO_BINDTOIFINDEX: u32 = 62;

const SIOCATMARK: u32 = 0x8905;
const SIOCOUTQNSD: u32 = 0x894b;

/// Size of segments between sockets of one process: what fits into loopback's MTU.
const LOOPBACK_MSS: u32 = 65_483;

/// What Linux tells of a connection over loopback: its least time of retransmission, in
/// microseconds, and how long a segment takes.
const LOOPBACK_RTO_US: u32 = 200_000;
const LOOPBACK_RTT_US: u32 = 1;

/// Size of `struct tcp_info` as of Linux 6.1, in bytes.
const INFO_SIZE: usize = 240;

impl Socket for TcpSocket {
    fn kind(&self) -> Kind {
        Kind {
            domain: self.family.number().into(),
            socket_type: 1,
            protocol: IPPROTO_TCP,
        }
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn bind(&self, address: &RawAddress) -> Result<()> {
        self.bind_to(address)
    }

    fn listen(&self, backlog: i32) -> Result<()> {
        self.start_listening(backlog)
    }

    fn accept(&self, patience: Patience) -> Result<Arc<dyn Socket>> {
        Ok(self.take_pending(patience)?)
    }

    fn connect(&self, address: &RawAddress, patience: Patience) -> Result<()> {
        self.connect_to(address, patience)
    }

    fn send(&self, message: Outgoing<'_, '_>) -> Result<usize> {
        self.send_stream(message)
    }

    fn receive(
        &self,
        dest: &mut Dest<'_>,
        flags: MessageFlags,
        patience: Patience,
    ) -> Result<Received> {
        self.receive_stream(dest, flags, patience)
    }

    fn shutdown(&self, halves: Halves) -> Result<()> {
        self.shut_down(halves)
    }

    fn local_address(&self) -> Result<RawAddress> {
        Ok(address::encode(self.family, self.state.lock().local))
    }

    fn peer_address(&self) -> Result<RawAddress> {
        let state = self.state.lock();
        let peer = state.peer.filter(|_| {
            !matches!(
                state.tcp,
                TcpState::Closed | TcpState::SynSent | TcpState::Listen
            )
        });
        let peer = peer.ok_or(Errno::ENOTCONN)?;
        Ok(address::encode(self.family, peer))
    }

    fn accepted_from(&self) -> Result<RawAddress> {
        let peer = self.state.lock().peer.ok_or(Errno::ECONNABORTED)?;
        Ok(address::encode(self.family, peer))
    }

    fn option(&self, level: u32, name: u32) -> Result<OptionValue> {
        match level {
            SOL_SOCKET => self.socket_option(name),
            IPPROTO_TCP if name == TCP_INFO => Ok(OptionValue::of_bytes(self.info_bytes())),
            IPPROTO_TCP => {
                let mss = self.segment_size();
                self.settings.lock().get(name, mss)
            }
            SOL_IP if name == IP_MTU => self.path_mtu(),
            SOL_IPV6 if name == IPV6_MTU && self.family == Family::V6 => self.path_mtu(),
            SOL_IP | SOL_IPV6 => self.inet.get(self.context(), level, name),
            // What do_ip_getsockopt and do_ipv6_getsockopt answer to a level that isn't theirs.
            _ if self.family == Family::V4 => Err(Errno::EOPNOTSUPP),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        match level {
            SOL_SOCKET => self.set_socket_option(name, value)?,
            IPPROTO_TCP => {
                self.settings.lock().set(name, value)?;
                if settings::draws_cork(name, value) {
                    self.uncork();
                }
            }
            SOL_IP | SOL_IPV6 => self.inet.set(self.context(), level, name, value)?,
            _ => return Err(Errno::ENOPROTOOPT),
        }
        self.renew_engine_options();
        Ok(())
    }

    fn poll(&self) -> PollEvents {
        self.ready()
    }

    fn wait_queue(&self) -> &WaitQueue {
        &self.pollers
    }

    fn readable_bytes(&self) -> Result<usize> {
        let state = self.state.lock();
        if state.listening.is_some() {
            return Err(Errno::EINVAL);
        }
        // Up to the mark, if there is one (`tcp_inq` of Linux).
        let readable = state.readable();
        Ok(match state.mark() {
            Some(before) if !self.is_urgent_inline() => before,
            _ => readable,
        })
    }

    fn unsent_bytes(&self) -> Result<usize> {
        if self.state.lock().listening.is_some() {
            return Err(Errno::EINVAL);
        }
        Ok(self.unacknowledged())
    }

    fn ioctl(&self, request: u32, argument: usize) -> Result<usize> {
        let place = UserPtr::<i32>::new(argument);
        match request {
            SIOCATMARK => place.write(i32::from(self.state.lock().is_at_mark()))?,
            SIOCOUTQNSD => {
                let bytes = self.unsent_bytes()?;
                place.write(i32::try_from(bytes).unwrap_or(i32::MAX))?;
            }
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }

    fn close(&self) {
        self.hang_up_lingering();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl TcpSocket {
    fn context(&self) -> Context {
        Context {
            family: self.family,
            is_stream: true,
            is_bound: self.state.lock().local.port() != 0,
        }
    }

    /// IP_MTU and IPV6_MTU: the longest packet to the peer.
    fn path_mtu(&self) -> Result<OptionValue> {
        let (peer, is_local) = {
            let state = self.state.lock();
            (state.peer, !matches!(state.link, Link::Remote(_)))
        };
        let peer = peer.ok_or(Errno::ENOTCONN)?.ip();
        let mtu = if is_local {
            interfaces::LOOPBACK_MTU.cast_signed()
        } else {
            i32::from(host::with(|stack, now, _| stack.tcp(now).1.mtu(peer)))
        };
        Ok(OptionValue::words(&[mtu]))
    }

    fn socket_option(&self, name: u32) -> Result<OptionValue> {
        let kind = self.kind();
        let value = match name {
            SO_TYPE => kind.socket_type,
            SO_DOMAIN => kind.domain,
            SO_PROTOCOL => kind.protocol,
            SO_ERROR => {
                let error = self.state.lock().error.take();
                error.map_or(0, |error| error.number().into())
            }
            SO_ACCEPTCONN => self.state.lock().listening.is_some().into(),
            SO_COOKIE => return Ok(OptionValue::of_bytes(self.token.0.to_ne_bytes().to_vec())),
            SO_INCOMING_NAPI_ID => 0,
            SO_BINDTODEVICE => return Ok(self.inet.device_name()),
            SO_BINDTOIFINDEX => self.inet.device(),
            _ => return self.options.get(name),
        };
        Ok(OptionValue::words(&[value.cast_signed()]))
    }

    fn set_socket_option(&self, name: u32, value: &[u8]) -> Result<()> {
        match name {
            SO_BINDTODEVICE => self.inet.set_device(value)?,
            SO_BINDTOIFINDEX => self.inet.set_device_index(word(value, 0)?)?,
            SO_TYPE | SO_DOMAIN | SO_PROTOCOL | SO_ERROR | SO_ACCEPTCONN => {
                return Err(Errno::ENOPROTOOPT);
            }
            _ => self.options.set(name, value)?,
        }
        if matches!(name, SO_REUSEADDR | SO_REUSEPORT | SO_BINDTODEVICE) {
            self.renew_claim();
        }
        let matters = matches!(name, SO_KEEPALIVE | SO_SNDBUF | SO_RCVBUF);
        if matters {
            self.renew_engine_options();
        }
        Ok(())
    }

    fn segment_size(&self) -> Option<u32> {
        let id = match &self.state.lock().link {
            Link::None => return None,
            Link::Local(_) => return Some(LOOPBACK_MSS),
            Link::Remote(remote) => remote.id,
        };
        remote::info(id).map(|info| info.send_mss)
    }

    /// Bytes that were sent and not acknowledged. What a peer in this process has within its window
    /// counts as acknowledged.
    fn unacknowledged(&self) -> usize {
        let (peer, id) = match &self.state.lock().link {
            Link::None => return 0,
            Link::Local(peer) => (peer.upgrade(), None),
            Link::Remote(remote) => (None, Some(remote.id)),
        };
        if let Some(id) = id {
            return remote::info(id).map_or(0, |info| info.send_queue);
        }
        peer.map_or(0, |peer| {
            let window = peer.window();
            peer.state.lock().inbox.len().saturating_sub(window)
        })
    }

    /// What `/proc/net/tcp` tells; `None` without a port.
    pub(super) fn shown(&self) -> Option<Shown> {
        let send_queue = self.unacknowledged();
        let state = self.state.lock();
        if state.local.port() == 0 {
            return None;
        }
        let (send_queue, receive_queue) = match &state.listening {
            Some(listening) => (listening.backlog(), listening.pending()),
            None => (send_queue, state.readable()),
        };
        Some(Shown {
            socket: Some(core::ptr::from_ref(self) as usize),
            family: self.family,
            local: state.local,
            peer: state.peer.unwrap_or(self.family.unspecified()),
            state: state.tcp,
            send_queue,
            receive_queue,
        })
    }

    /// `struct tcp_info`: what is known; the rest is zero.
    fn info_bytes(&self) -> Vec<u8> {
        let id = match &self.state.lock().link {
            Link::Remote(remote) => Some(remote.id),
            _ => None,
        };
        let known = id.and_then(remote::info);
        let (tcp, pending) = {
            let state = self.state.lock();
            let pending = state.listening.as_ref();
            (
                state.tcp,
                pending.map(|listening| (listening.pending(), listening.backlog())),
            )
        };
        let mut bytes = alloc::vec![0; INFO_SIZE];
        let mut put = |at: usize, value: u32| {
            bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        };
        let narrow = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        put(0, tcp as u32);
        let mss = known
            .map(|info| info.send_mss)
            .or(self.segment_size())
            .unwrap_or(536);
        if let Some(info) = &known {
            put(8, info.rto_us);
            put(68, info.rtt_us);
            put(100, info.retransmits);
            put(228, info.receive_window);
        } else {
            put(8, LOOPBACK_RTO_US);
            put(68, LOOPBACK_RTT_US);
        }
        put(16, mss);
        put(20, mss);
        match pending {
            // A listener tells its queue where others tell segments under way.
            Some((waiting, backlog)) => {
                put(24, narrow(waiting));
                put(28, narrow(backlog));
            }
            None => put(80, 10),
        }
        put(60, interfaces::LOOPBACK_MTU);
        bytes
    }
}
