//! The helper's life: one thread, one loop, until the guest or its parent is gone.
//!
//! - [`side`]: the stack's owner: what the guest's packets cause on the host.
//! - [`connections`]: TCP from stage to stage, over [`tcp`] (the table) and [`splice`] (the bytes).
//! - [`datagrams`]: what comes back from hosts by UDP and ICMP, over [`udp`], [`peers`] and [`ping`].
//! - [`destination`]: which address stands behind which; [`resolvers`]: who is asked for names.
//! - [`dhcp`], [`router`], [`icmp`]: messages that the helper itself makes. Pure.
//! - [`farewell`]: what is still owed to hosts once the guest is gone.
//! - [`poller`], [`table`], [`host`], [`counters`]: what all of them stand on.
//!
//! No error of a flow ends the helper: the flow ends, and the other side of it is told in the way of its protocol.
//! Everything that grows has a bound: flows by the limit on descriptors, buffers by the memory for connections,
//! answers and turns by constants.

mod connections;
mod counters;
mod datagrams;
mod destination;
mod dhcp;
mod farewell;
mod host;
mod icmp;
mod peers;
mod ping;
mod poller;
mod resolvers;
mod router;
mod side;
mod splice;
mod table;
mod tcp;
mod udp;

use crate::channel::{Receiver, Transmitter};
use crate::config::Config;
use crate::confine::limits::Limits;
use crate::publish::BoundPort;
use libos_net::address::Network;
use libos_net::config::{InterfaceConfig, InterfaceId, Mac, Offloads, Route};
use libos_net::stack::Stack;
use libos_net::tcp::allocate_zeroed;
use libos_net::time::Instant;
use poller::{Readiness, Source};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use side::HostSide;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// Calls for frames of the guest in one turn, each of which brings several.
const RECEIVES_A_TURN: usize = 4;

/// Time between two looks for flows that have been idle for too long.
const SWEEP: Duration = Duration::from_secs(5);

/// Time after which a published port that found no room is looked at again.
const RETRY: Duration = Duration::from_millis(50);

/// What the helper is given by its parent.
#[derive(Debug)]
pub struct Inheritance {
    /// What was asked for.
    pub config: Config,
    /// The helper's end.
    pub channel: OwnedFd,
    /// A pidfd of the parent.
    pub parent: Option<OwnedFd>,
    /// Bound ports.
    pub published: Vec<BoundPort>,
    /// The host's resolvers.
    pub resolvers: Vec<SocketAddr>,
}

impl Inheritance {
    /// What is not to be closed.
    pub fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let parent = self.parent.iter().map(AsRawFd::as_raw_fd);
        let ports = self.published.iter().map(|port| port.socket.as_raw_fd());
        std::iter::once(self.channel.as_raw_fd())
            .chain(parent)
            .chain(ports)
    }
}

/// The helper.
pub struct Helper {
    stack: Stack,
    interface: InterfaceId,
    side: HostSide,
    channel: Arc<OwnedFd>,
    receiver: Receiver,
    parent: Option<OwnedFd>,
    advertisement: Option<Vec<u8>>,
    started: std::time::Instant,
    /// Whether the channel is watched for room.
    awaits_room: bool,
    /// Published ports that are not watched because there was no room for what they bring.
    paused: Vec<u32>,
    next_sweep: Instant,
    datagram: Vec<u8>,
}

/// Why the loop ends.
struct Ended;

/// What a call for frames told beside them.
struct Batch {
    /// An empty message came last.
    is_end: bool,
    /// There may be more at once.
    is_full: bool,
}

impl Helper {
    /// Ready to run; everything that needs a file or a call beyond the filter happens here.
    ///
    /// # Errors
    /// That of getrandom(2), epoll_create1(2) or epoll_ctl(2).
    pub fn new(inheritance: Inheritance, limits: Limits) -> io::Result<Self> {
        let Inheritance {
            config,
            channel,
            parent,
            published,
            resolvers,
        } = inheritance;
        let channel = Arc::new(channel);
        let side = HostSide::new(&config, published, resolvers, limits)?;
        side.poller.watch_input(&channel, Source::Channel)?;
        if let Some(parent) = &parent {
            side.poller.watch_input(parent, Source::Parent)?;
        }
        let mut seed = [0; 32];
        rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty())?;
        let mut stack = Stack::new(seed);
        let (tcp, _) = stack.tcp(Instant::ZERO);
        tcp.set_buffers(connections::BUFFERS, allocate_zeroed);
        let device = Transmitter::new(Arc::clone(&channel), Arc::default());
        let now = Instant::ZERO;
        let interface = stack.add_interface(now, interface(&config), Box::new(device));
        Ok(Self {
            stack,
            interface,
            side,
            channel,
            receiver: Receiver::new(),
            parent,
            advertisement: router::advertisement(&config),
            started: std::time::Instant::now(),
            awaits_room: false,
            paused: Vec::new(),
            next_sweep: now,
            datagram: vec![0; 65_536],
        })
    }

    /// The parent, for the last look before the filter.
    pub fn parent(&self) -> Option<&OwnedFd> {
        self.parent.as_ref()
    }

    /// Runs until the guest or the parent is gone, and hosts have what the guest had sent them.
    pub fn run(mut self) {
        while self.turn().is_ok() {}
        self.farewell();
        if self.side.config.keep_stderr {
            eprintln!("user network: {:?}", self.side.counters);
        }
    }

    fn turn(&mut self) -> Result<(), Ended> {
        let timeout = self.timeout();
        self.side.poller.wait(timeout).map_err(|_| Ended)?;
        self.side.now = self.now();
        for index in 0..self.side.poller.count() {
            if let Some(ready) = self.side.poller.ready(index) {
                self.dispatch(ready)?;
            }
        }
        self.serve_queue();
        self.stack.poll(self.side.now, &mut self.side);
        self.send_answers();
        self.sweep();
        self.watch_room();
        Ok(())
    }

    fn dispatch(&mut self, ready: Readiness) -> Result<(), Ended> {
        match ready.source {
            Source::Parent => return Err(Ended),
            Source::Channel => {
                if ready.writable {
                    self.stack
                        .writable(self.side.now, self.interface, &mut self.side);
                }
                if ready.readable {
                    self.take_frames(ready.ended)?;
                }
            }
            Source::Published(index) => self.published_ready(index),
            Source::Tcp(key) => self.host_ready(key, ready.readable, ready.writable, ready.ended),
            Source::Udp(key) => self.host_datagrams(key),
            Source::Ping(key) => self.host_echoes(key),
        }
        Ok(())
    }

    /// An empty message is the channel's end if its other end is gone, and nonsense if it is not.
    fn take_frames(&mut self, is_gone: bool) -> Result<(), Ended> {
        for _ in 0..RECEIVES_A_TURN {
            match self.take_batch() {
                Ok(Batch { is_end: true, .. }) if is_gone => return Err(Ended),
                Ok(Batch { is_full: true, .. }) => {}
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(_) => return Err(Ended),
            }
        }
        Ok(())
    }

    /// Gives the stack what one call brings.
    fn take_batch(&mut self) -> rustix::io::Result<Batch> {
        let batch = self.receiver.receive(&self.channel)?;
        let mut is_solicited = false;
        for message in batch.frames() {
            is_solicited |= router::is_solicitation(message);
            self.stack
                .receive(self.side.now, self.interface, message, &mut self.side);
        }
        let (is_end, is_full) = (batch.is_end(), batch.is_full());
        if is_solicited {
            self.advertise();
        }
        Ok(Batch { is_end, is_full })
    }

    fn published_ready(&mut self, index: u32) {
        let Some(port) = self.side.published.get(index as usize) else {
            return;
        };
        let has_room = match port.published.protocol {
            crate::config::Protocol::Tcp => self.accept(index),
            crate::config::Protocol::Udp => {
                self.peer_datagrams(index);
                true
            }
        };
        if !has_room {
            self.watch_published(index, EventFlags::empty());
            self.paused.push(index);
        }
    }

    fn watch_published(&mut self, index: u32, flags: EventFlags) {
        if let Some(port) = self.side.published.get(index as usize) {
            let _ = self
                .side
                .poller
                .rewatch(&port.socket, Source::Published(index), flags);
        }
    }

    /// How long there is nothing to do unless something becomes ready.
    fn timeout(&mut self) -> Option<Duration> {
        if self.side.tcp.queued() > 0 {
            return Some(Duration::ZERO);
        }
        let now = self.now();
        let until = |at: Instant| Duration::from_micros((at.max(now) - now).total_micros());
        let timer = self.stack.poll_at().map(until);
        let sweep = self.has_sweeping().then(|| until(self.next_sweep));
        let retry = (!self.paused.is_empty()).then_some(RETRY);
        [timer, sweep, retry].into_iter().flatten().min()
    }

    fn has_sweeping(&self) -> bool {
        !(self.side.udp.is_empty() && self.side.peers.is_empty() && self.side.pings.is_empty())
    }

    /// Ends what has been idle for too long, and looks at paused ports again.
    fn sweep(&mut self) {
        for index in std::mem::take(&mut self.paused) {
            self.watch_published(index, EventFlags::IN);
        }
        let now = self.side.now;
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + libos_net::time::Duration::from_secs(SWEEP.as_secs());
        self.side.udp.expire(now);
        self.side.peers.expire(now);
        self.side.pings.expire(now);
    }

    /// Watches the channel for room while a frame waits for it.
    fn watch_room(&mut self) {
        let wants = self.stack.wants_writable(self.interface);
        if wants == self.awaits_room {
            return;
        }
        let flags = if wants {
            EventFlags::IN | EventFlags::OUT
        } else {
            EventFlags::IN
        };
        if self
            .side
            .poller
            .rewatch(&self.channel, Source::Channel, flags)
            .is_ok()
        {
            self.awaits_room = wants;
        }
    }

    fn now(&self) -> Instant {
        let micros = self.started.elapsed().as_micros();
        Instant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// The interface towards the guest: every address is behind it, and all of them are the helper's.
fn interface(config: &Config) -> InterfaceConfig {
    let v4 = config.ipv4;
    let network = |address: IpAddr, prefix| Network { address, prefix };
    let mut addresses = vec![
        network(v4.gateway.into(), v4.prefix),
        network(v4.dns.into(), v4.prefix),
    ];
    let mut everywhere = vec![network(Ipv4Addr::UNSPECIFIED.into(), 0)];
    if let Some(v6) = config.ipv6 {
        addresses.push(network(v6.gateway.into(), v6.prefix));
        addresses.push(network(v6.dns.into(), v6.prefix));
        addresses.push(network(config.router.into(), 64));
        everywhere.push(network(Ipv6Addr::UNSPECIFIED.into(), 0));
    }
    let on_link = |destination| Route {
        destination,
        gateway: None,
        metric: 0,
    };
    InterfaceConfig {
        name: "guest".into(),
        mac: Mac(config.gateway_mac),
        mtu: config.mtu,
        addresses,
        routes: everywhere.into_iter().map(on_link).collect(),
        dhcp: false,
        slaac: false,
        any_address: true,
        offloads: Offloads {
            vnet_header: true,
            checksum: true,
            segmentation: true,
        },
    }
}
