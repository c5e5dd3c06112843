//! Sending: where to, which way, in how many pieces, and to whom inside this system.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libos_net::output::Output;
use libos_net::owner::{OutgoingDatagram, SendError, Unreachable};

use super::control::{self, Wishes};
use super::counters::{self, Count};
use super::errors::{Origin, QueuedError, meaning};
use super::multicast::{self, Group};
use super::queue::Parcel;
use super::reach::{self, Sender, Way};
use super::table::Ends;
use super::{DatagramSocket, Transport, icmp};
use crate::errno::{Errno, Result};
use crate::net::inet::address::{self, Family, without_scope};
use crate::net::inet::options::{Truths, Values};
use crate::net::inet::{host, interfaces, loopback, route};
use crate::net::message::{MessageFlags, Outgoing};
use crate::net::socket::Halves;
use linux_raw_sys::net::SO_BROADCAST;

/// Longest payload that any socket sends, before anything else is looked at.
const LONGEST: usize = 0xffff;

/// Length of a UDP header, in bytes.
const UDP_HEADER: usize = 8;

/// Length of an IP header without options, in bytes.
fn ip_header(to: IpAddr) -> usize {
    if to.is_ipv4() { 20 } else { 40 }
}

/// Most datagrams that one send with UDP_SEGMENT makes (Linux's `UDP_MAX_SEGMENTS`).
const MOST_SEGMENTS: usize = 128;

/// `IP_PMTUDISC_DO` and `IP_PMTUDISC_PROBE`: nothing is cut into fragments.
const NEVER_FRAGMENT: core::ops::RangeInclusive<u8> = 2..=3;

/// All that is decided about one send, but its bytes.
struct Plan {
    from: SocketAddr,
    to: SocketAddr,
    way: Way,
    hop_limit: u8,
    traffic_class: u8,
    may_fragment: bool,
    /// Length of each datagram but the last; 0 for one datagram.
    segment: usize,
}

impl DatagramSocket {
    pub(super) fn send_message(&self, message: Outgoing<'_, '_>) -> Result<usize> {
        // Linux gives the socket a port before it looks at anything else (`inet_send_prepare`).
        self.autobind()?;
        if message.flags.contains(MessageFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        let len = message.source.left();
        if len > LONGEST {
            return Err(Errno::EMSGSIZE);
        }
        let to = self.destination(message.address.as_ref())?;
        let wishes = control::parse(self.family, to.is_ipv4(), &message.ancillary.network)?;
        let plan = self.plan(to, &wishes, len)?;
        self.check_may_send()?;
        let mut payload = alloc::vec![0; len];
        if message.source.take(&mut payload)? < len {
            return Err(Errno::EFAULT);
        }
        match self.transport {
            Transport::Udp => self.send_udp(&plan, payload)?,
            Transport::Echo => icmp::prepare_echo(&mut payload, plan.from, plan.to)
                .and_then(|()| self.send_icmp(&plan, payload))?,
            Transport::Raw => {
                icmp::prepare_raw(&mut payload, plan.from, plan.to);
                self.send_icmp(&plan, payload)?;
            }
        }
        Ok(len)
    }

    /// Where a message goes: to the address it bears, else to the partner.
    fn destination(&self, raw: Option<&crate::net::address::RawAddress>) -> Result<SocketAddr> {
        let unspecified_family =
            |raw: &&crate::net::address::RawAddress| raw.family() == address::UNSPEC;
        let addressed = raw.filter(|raw| self.family == Family::V4 || !unspecified_family(raw));
        let mut to = match addressed {
            Some(raw) if unspecified_family(&raw) => address::decode_for_bind(self.family, raw)?,
            Some(raw) => self.decode_destination(raw)?,
            None => {
                let partner = self.state.lock().remote;
                return partner.ok_or(Errno::EDESTADDRREQ);
            }
        };
        if self.transport == Transport::Udp && to.port() == 0 {
            return Err(Errno::EINVAL);
        }
        to.set_ip(route::meant_by(to.ip()));
        Ok(to)
    }

    fn plan(&self, to: SocketAddr, wishes: &Wishes, len: usize) -> Result<Plan> {
        let values = self.inet.values();
        let (local, multicast, default_segment) = {
            let state = self.state.lock();
            (state.local, state.multicast.clone(), state.own.segment)
        };
        if wishes.source.is_some_and(|source| !route::may_bind(source)) {
            let error = if to.is_ipv4() {
                Errno::ENETUNREACH
            } else {
                Errno::EINVAL
            };
            return Err(error.because("the source is not an address of ours"));
        }
        let asked = match wishes.interface {
            0 => self.interface_for(to),
            interface => interface,
        };
        let sender = Sender {
            source: wishes.source.unwrap_or(local.ip()),
            interface: asked,
            may_broadcast: self.is_set(SO_BROADCAST),
            multicast: &multicast,
        };
        let way = reach::find(&sender, to.ip())?;
        let version = if to.is_ipv4() { Family::V4 } else { Family::V6 };
        let hop_limit = if to.ip().is_multicast() {
            multicast.hop_limit[usize::from(to.is_ipv6())]
        } else {
            values.hop_limit_for(version)
        };
        let segment = usize::from(wishes.segment.unwrap_or(default_segment));
        let plan = Plan {
            from: SocketAddr::new(way.source, local.port()),
            to: without_scope(to),
            way,
            hop_limit: wishes.hop_limit.unwrap_or(hop_limit),
            traffic_class: wishes
                .traffic_class
                .unwrap_or(values.traffic_class_for(version)),
            may_fragment: may_fragment(&values, wishes, to.is_ipv4()),
            segment: if segment < len { segment } else { 0 },
        };
        self.check_length(&plan, len)?;
        Ok(plan)
    }

    /// Whether `len` bytes fit into what the plan makes of them.
    fn check_length(&self, plan: &Plan, len: usize) -> Result<()> {
        let transport = match self.transport {
            Transport::Udp => UDP_HEADER,
            _ => 0,
        };
        let headers = ip_header(plan.to.ip()) + transport;
        // An IPv4 packet's length counts its header, an IPv6 packet's does not.
        let longest = match plan.to {
            SocketAddr::V4(_) => 0xffff - headers,
            SocketAddr::V6(_) => 0xffff - transport,
        };
        if len > longest {
            return Err(Errno::EMSGSIZE);
        }
        if plan.may_fragment && plan.segment == 0 {
            return Ok(());
        }
        let mtu = mtu_of(&plan.way, plan.to.ip());
        let each = if plan.segment == 0 { len } else { plan.segment };
        if each + headers > mtu {
            self.note_too_long(plan.to, mtu);
            return Err(Errno::EMSGSIZE);
        }
        if plan.segment > 0 && len.div_ceil(plan.segment) > MOST_SEGMENTS {
            return Err(Errno::EINVAL.because("too many segments"));
        }
        Ok(())
    }

    /// A pending error comes first; a socket that was shut down does not send.
    fn check_may_send(&self) -> Result<()> {
        let mut state = self.state.lock();
        if let Some(error) = state.errors.take_pending() {
            return Err(error);
        }
        if state.shut.contains(Halves::SEND) {
            return Err(Errno::EPIPE);
        }
        Ok(())
    }

    fn send_udp(&self, plan: &Plan, payload: Vec<u8>) -> Result<()> {
        counters::add(Count::Sent, plan.to.ip());
        if plan.way.leaves {
            self.transmit(plan, &payload)?;
        }
        if plan.way.stays {
            self.deliver_here(plan, payload);
        }
        Ok(())
    }

    /// Hands the datagrams to the stack.
    fn transmit(&self, plan: &Plan, payload: &[u8]) -> Result<()> {
        let piece = if plan.segment == 0 {
            payload.len().max(1)
        } else {
            plan.segment
        };
        let sent = host::with(|stack, now, _| {
            let mut send = |payload: &[u8]| {
                stack.send_udp(
                    now,
                    &OutgoingDatagram {
                        from: plan.from,
                        to: plan.to,
                        interface: plan.way.interface_id(),
                        hop_limit: plan.hop_limit,
                        traffic_class: plan.traffic_class,
                        may_fragment: plan.may_fragment,
                        payload,
                    },
                )
            };
            if payload.is_empty() {
                return send(payload);
            }
            payload.chunks(piece).try_for_each(send)
        });
        self.judge(plan.to.ip(), sent)
    }

    /// What a refusal of the stack means to the sender.
    fn judge(&self, to: IpAddr, sent: core::result::Result<(), SendError>) -> Result<()> {
        match sent {
            Ok(()) => Ok(()),
            Err(SendError::NoRoute) => Err(Errno::ENETUNREACH),
            Err(SendError::TooLong) => Err(Errno::EMSGSIZE),
            Err(SendError::NotOurs) => Err(Errno::EINVAL),
            // A full device drops datagrams; Linux says so to those only who want to know
            // (net/ipv4/udp.c, `udp_send_skb`).
            Err(SendError::NoRoom) => {
                counters::add(Count::SendDropped, to);
                let wants_to_know = Truths::RECVERR | Truths::RECVERR6;
                if self.inet.values().truths.intersects(wants_to_know) {
                    Err(Errno::ENOBUFS)
                } else {
                    Ok(())
                }
            }
        }
    }

    fn send_icmp(&self, plan: &Plan, payload: Vec<u8>) -> Result<()> {
        if plan.way.leaves {
            let sent = host::with(|stack, now, _| {
                stack.send_icmp(
                    now,
                    &OutgoingDatagram {
                        from: plan.from,
                        to: plan.to,
                        interface: plan.way.interface_id(),
                        hop_limit: plan.hop_limit,
                        traffic_class: plan.traffic_class,
                        may_fragment: plan.may_fragment,
                        payload: &payload,
                    },
                )
            });
            self.judge(plan.to.ip(), sent)?;
        }
        if plan.way.stays {
            icmp::loop_back(parcel(plan, payload));
        }
        Ok(())
    }

    /// Puts the datagrams into the queues of sockets here.
    fn deliver_here(&self, plan: &Plan, payload: Vec<u8>) {
        loopback::count_packet(
            plan.to.ip(),
            payload.len() + ip_header(plan.to.ip()) + UDP_HEADER,
        );
        let whole = parcel(plan, payload);
        if plan.way.is_to_many {
            deliver_to_many(&whole);
            return;
        }
        match receiver(&whole) {
            Some(socket) => {
                if socket.admit(whole) {
                    socket.announce_arrival();
                }
            }
            None => {
                counters::add(Count::NoPort, whole.to.ip());
                self.note_refused(whole);
            }
        }
    }

    /// Nobody is at the port: what an ICMP message would say.
    fn note_refused(&self, refused: Parcel) {
        let what = meaning(Unreachable::Port, refused.to.is_ipv4());
        let error = QueuedError {
            error: what.error,
            origin: origin(refused.to.ip()),
            icmp: what.icmp,
            info: 0,
            offender: Some(refused.to.ip()),
            to: refused.to,
            payload: refused.payload,
        };
        if self.absorb_error(error, what.is_hard) {
            self.announce_error();
        }
    }

    fn note_too_long(&self, to: SocketAddr, mtu: usize) {
        let wanted = if to.is_ipv4() {
            Truths::RECVERR
        } else {
            Truths::RECVERR6
        };
        if self.inet.has(wanted) {
            self.state.lock().errors.queue(QueuedError {
                error: Errno::EMSGSIZE,
                origin: Origin::Local,
                icmp: [0; 2],
                info: u32::try_from(mtu).unwrap_or(u32::MAX),
                offender: None,
                to,
                payload: Vec::new(),
            });
            self.announce_error();
        }
    }

    /// Takes an error of the network's about a datagram of this socket (net/ipv4/udp.c,
    /// `__udp4_lib_err`); says whether it is to be announced.
    pub(super) fn absorb_error(&self, error: QueuedError, is_hard: bool) -> bool {
        let wanted = if error.to.is_ipv4() {
            Truths::RECVERR
        } else {
            Truths::RECVERR6
        };
        let queues = self.inet.has(wanted);
        let mut state = self.state.lock();
        let partner = state.remote.map(without_scope);
        let is_partners = partner.is_some_and(|partner| match self.transport {
            Transport::Udp => partner == error.to,
            _ => partner.ip() == error.to.ip(),
        });
        let concerns = if queues {
            is_partners || partner.is_none()
        } else {
            is_partners && is_hard
        };
        if !concerns {
            return false;
        }
        state.errors.set_pending(error.error);
        if queues {
            state.errors.queue(error);
        }
        true
    }
}

fn may_fragment(values: &Values, wishes: &Wishes, is_v4: bool) -> bool {
    if is_v4 {
        return !NEVER_FRAGMENT.contains(&values.mtu_discover);
    }
    let forbidden = wishes
        .dont_fragment
        .unwrap_or(values.truths.contains(Truths::DONTFRAG6));
    !forbidden && !NEVER_FRAGMENT.contains(&values.mtu_discover_v6)
}

/// Longest packet on a way, in bytes.
pub(super) fn mtu_of(way: &Way, to: IpAddr) -> usize {
    /// An IPv4 packet cannot be as long as loopback's MTU.
    const LOOPBACK_V4: usize = 0xffff;
    if way.leaves {
        return host::with(|stack, now, _| usize::from(stack.tcp(now).1.mtu(to)));
    }
    let loopback = usize::try_from(interfaces::LOOPBACK_MTU).unwrap_or(LOOPBACK_V4);
    if to.is_ipv4() { LOOPBACK_V4 } else { loopback }
}

fn parcel(plan: &Plan, payload: Vec<u8>) -> Parcel {
    Parcel {
        from: plan.from,
        to: plan.to,
        interface: plan.way.interface,
        hop_limit: plan.hop_limit,
        traffic_class: plan.traffic_class,
        payload,
        segment: plan.segment,
        arrived_ns: 0,
    }
}

/// Who tells of errors about a destination.
pub(super) fn origin(to: IpAddr) -> Origin {
    if to.is_ipv4() {
        Origin::Icmp
    } else {
        Origin::Icmp6
    }
}

/// The addresses of a parcel.
pub(super) fn ends(parcel: &Parcel) -> Ends {
    Ends {
        from: parcel.from,
        to: parcel.to,
        interface: parcel.interface,
    }
}

/// Who gets a parcel that is for one.
pub(super) fn receiver(parcel: &Parcel) -> Option<Arc<DatagramSocket>> {
    let ends = ends(parcel);
    let table = Transport::Udp.table().lock();
    table.find(parcel.to.port(), &ends, || hash(&ends))
}

/// Gives a parcel to all sockets that want it; says whether there were any.
fn deliver_to_many(parcel: &Parcel) -> bool {
    let receivers = receivers_of_many(parcel);
    for socket in &receivers {
        if socket.admit(parcel.clone()) {
            socket.announce_arrival();
        }
    }
    !receivers.is_empty()
}

/// The sockets that want a parcel to a group or to everybody.
pub(super) fn receivers_of_many(parcel: &Parcel) -> Vec<Arc<DatagramSocket>> {
    let mut found = {
        let table = Transport::Udp.table().lock();
        table.find_all(parcel.to.port(), &ends(parcel))
    };
    let group = parcel.to.ip();
    if group.is_multicast() {
        if !is_heard(group, parcel.interface) {
            return Vec::new();
        }
        found.retain(|socket| {
            let state = socket.state.lock();
            state
                .multicast
                .admits(group, parcel.interface, parcel.from.ip())
        });
    }
    found
}

/// Whether this system is a member of the group; every system is one of that of all hosts (RFC 1112, RFC 4291).
fn is_heard(address: IpAddr, interface: u32) -> bool {
    const ALL_HOSTS: [IpAddr; 3] = [
        IpAddr::V4(Ipv4Addr::new(224, 0, 0, 1)),
        IpAddr::V6(Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 1)),
        IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)),
    ];
    ALL_HOSTS.contains(&address) || multicast::is_joined(Group { address, interface })
}

/// Spreads flows over the sockets of a group (SO_REUSEPORT), the same flow always to the same one.
fn hash(ends: &Ends) -> u32 {
    use core::hash::{BuildHasher, Hash, Hasher};
    static SEED: crate::sync::SpinLock<Option<hashbrown::DefaultHashBuilder>> =
        crate::sync::SpinLock::new(None);
    let builder = SEED.lock().get_or_insert_default().clone();
    let mut hasher = builder.build_hasher();
    (ends.from.ip(), ends.from.port()).hash(&mut hasher);
    (ends.to.ip(), ends.to.port()).hash(&mut hasher);
    u32::try_from(hasher.finish() >> 32).unwrap_or(0)
}
