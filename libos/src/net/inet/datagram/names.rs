//! Names: bind, connect, disconnect, the port that is chosen by itself, close.

use core::net::{IpAddr, SocketAddr};

use super::multicast;
use super::reach::{self, Sender, Way};
use super::table::Key;
use super::{DatagramSocket, State, Transport};
use crate::errno::{Errno, Result};
use crate::net::address::RawAddress;
use crate::net::inet::address::{self, Family, decode, decode_for_bind, is_link_local};
use crate::net::inet::options::Truths;
use crate::net::inet::ports::{Claim, Sharing};
use crate::net::inet::route;
use linux_raw_sys::net::{SO_BROADCAST, SO_REUSEADDR, SO_REUSEPORT};

impl DatagramSocket {
    pub(super) fn bind_to(&self, raw: &RawAddress) -> Result<()> {
        let wanted = decode_for_bind(self.family, raw)?;
        self.check_bindable(wanted)?;
        let device = self.scope_of(wanted)?;
        let claim = self.claim(wanted.ip());
        {
            let mut state = self.state.lock();
            if state.claim.is_some() || state.said_address {
                return Err(Errno::EINVAL.because("the socket has a name"));
            }
            let port = match self.transport.ports() {
                Some(ports) => {
                    let port = ports.lock().bind(wanted.port(), claim)?;
                    state.claim = Some(claim);
                    port
                }
                None => 0,
            };
            state.local = wanted;
            state.local.set_port(port);
            state.said_address = !wanted.ip().is_unspecified() || self.transport == Transport::Raw;
            state.said_port = wanted.port() != 0;
        }
        if let Some(device) = device {
            let index = i32::try_from(device).unwrap_or(0);
            self.inet.set_device_index(index)?;
        }
        self.register();
        Ok(())
    }

    /// Whether an address may be bound: one of ours, a broadcast or a group.
    fn check_bindable(&self, wanted: SocketAddr) -> Result<()> {
        let is_mapped = self.family == Family::V6 && wanted.is_ipv4();
        if is_mapped && self.inet.has(Truths::V6ONLY) {
            return Err(Errno::EINVAL.because("the socket speaks IPv6 only"));
        }
        let ip = wanted.ip();
        let fits = route::may_bind(ip)
            || ip.is_multicast()
            || reach::is_broadcast(ip)
            || self.inet.has(Truths::FREEBIND);
        if fits {
            Ok(())
        } else {
            Err(Errno::EADDRNOTAVAIL)
        }
    }

    /// The interface that a link-local address binds the socket to.
    fn scope_of(&self, wanted: SocketAddr) -> Result<Option<u32>> {
        let SocketAddr::V6(v6) = wanted else {
            return Ok(None);
        };
        if !is_link_local(wanted.ip()) {
            return Ok(None);
        }
        match (v6.scope_id(), self.inet.device()) {
            (0, 0) => Err(Errno::EINVAL.because("a link-local address needs a scope")),
            (0, _) => Ok(None),
            (scope, _) => Ok(Some(scope)),
        }
    }

    /// What the socket is going to hold of a port, at `address`.
    fn claim(&self, address: IpAddr) -> Claim {
        let mut sharing = Sharing::empty();
        sharing.set(Sharing::ADDRESS, self.is_set(SO_REUSEADDR));
        sharing.set(Sharing::PORT, self.is_set(SO_REUSEPORT));
        let takes_both = address.is_ipv6() && !self.inet.has(Truths::V6ONLY);
        sharing.set(Sharing::DUAL, takes_both && address.is_unspecified());
        let user = crate::task::with_current(|thread| {
            let process = thread.process();
            process.identity.with(|own| own.user.effective)
        });
        Claim {
            address,
            sharing,
            user,
            device: self.inet.device(),
        }
    }

    /// Makes a change of SO_REUSEADDR or SO_REUSEPORT count for a port that is held.
    pub(super) fn renew_claim(&self) {
        let Some(ports) = self.transport.ports() else {
            return;
        };
        let address = self.state.lock().claim.map(|claim| claim.address);
        let Some(new) = address.map(|address| self.claim(address)) else {
            return;
        };
        {
            let mut state = self.state.lock();
            let port = state.local.port();
            if let Some(old) = state.claim.replace(new) {
                ports.lock().change(port, &old, new);
            }
        }
        self.register();
    }

    /// Gives the socket a port if it has none, as the first send does.
    pub(super) fn autobind(&self) -> Result<()> {
        let Some(ports) = self.transport.ports() else {
            return Ok(());
        };
        if self.state.lock().claim.is_some() {
            return Ok(());
        }
        let claim = self.claim(self.family.unspecified().ip());
        {
            let mut state = self.state.lock();
            let port = ports.lock().bind(0, claim).map_err(|_| Errno::EAGAIN)?;
            state.claim = Some(claim);
            state.local.set_port(port);
        }
        self.register();
        Ok(())
    }

    pub(super) fn connect_to(&self, raw: &RawAddress) -> Result<()> {
        if raw.family() == address::UNSPEC {
            self.disconnect();
            return Ok(());
        }
        self.autobind()?;
        let mut to = self.decode_destination(raw)?;
        to.set_ip(route::meant_by(to.ip()));
        let way = self.way_to(to)?;
        {
            let mut state = self.state.lock();
            state.remote = Some(to);
            let port = state.local.port();
            if state.local.ip().is_unspecified() {
                state.local = SocketAddr::new(way.source, port);
            }
        }
        self.register();
        Ok(())
    }

    pub(super) fn way_to(&self, to: SocketAddr) -> Result<Way> {
        let (local, multicast) = {
            let state = self.state.lock();
            (state.local, state.multicast.clone())
        };
        let sender = Sender {
            source: local.ip(),
            interface: self.interface_for(to),
            may_broadcast: self.is_set(SO_BROADCAST),
            multicast: &multicast,
        };
        reach::find(&sender, to.ip())
    }

    /// The interface that the socket or the destination's scope asks for; 0 for none.
    pub(super) fn interface_for(&self, to: SocketAddr) -> u32 {
        match (self.inet.device(), to) {
            (0, SocketAddr::V6(v6)) => v6.scope_id(),
            (device, _) => device,
        }
    }

    /// A destination. An IPv6 socket takes an IPv4 address too, plain or mapped.
    pub(super) fn decode_destination(&self, raw: &RawAddress) -> Result<SocketAddr> {
        let plain_v4 = self.family == Family::V6 && raw.family() == Family::V4.number();
        let v6_only = || self.inet.has(Truths::V6ONLY);
        if plain_v4 {
            if v6_only() || self.transport != Transport::Udp {
                return Err(Errno::EAFNOSUPPORT);
            }
            return decode(Family::V4, raw);
        }
        let to = decode(self.family, raw)?;
        if self.family == Family::V6 && to.is_ipv4() && v6_only() {
            return Err(Errno::ENETUNREACH.because("the socket speaks IPv6 only"));
        }
        Ok(to)
    }

    /// AF_UNSPEC: no partner any longer; what connect(2) chose is forgotten.
    fn disconnect(&self) {
        {
            let mut state = self.state.lock();
            state.remote = None;
            if !state.said_address {
                let port = state.local.port();
                state.local = self.family.unspecified();
                state.local.set_port(port);
            }
            if state.said_port {
                drop(state);
                self.register();
                return;
            }
        }
        self.unregister();
        self.state.lock().release_port(self.transport);
        if self.transport == Transport::Raw {
            self.register();
        }
    }

    /// Makes the table know what the socket wants.
    pub(super) fn register(&self) {
        let shares = self.is_set(SO_REUSEPORT);
        let values = self.inet.values();
        let (port, key) = {
            let state = self.state.lock();
            if state.closed || (state.claim.is_none() && self.transport != Transport::Raw) {
                return;
            }
            let key = Key {
                family: self.family,
                v6_only: values.truths.contains(Truths::V6ONLY),
                local: state.local.ip(),
                remote: state.remote.map(address::without_scope).map(|remote| {
                    // ICMP has no ports of the other side.
                    let port = match self.transport {
                        Transport::Udp => remote.port(),
                        _ => 0,
                    };
                    SocketAddr::new(remote.ip(), port)
                }),
                device: values.device,
                shares,
            };
            let port = match self.transport {
                Transport::Raw => 0,
                _ => state.local.port(),
            };
            (port, key)
        };
        self.transport.table().lock().put(port, key, &self.me);
    }

    fn unregister(&self) {
        let port = match self.transport {
            Transport::Raw => 0,
            _ => self.state.lock().local.port(),
        };
        self.transport.table().lock().remove(port, &self.me);
    }

    /// The last descriptor is gone.
    pub(super) fn hang_up(&self) {
        if core::mem::replace(&mut self.state.lock().closed, true) {
            return;
        }
        self.unregister();
        let groups = {
            let mut state = self.state.lock();
            state.release_port(self.transport);
            state.queue.clear();
            state.multicast.take_groups()
        };
        groups.into_iter().for_each(multicast::tell_left);
    }
}

impl State {
    fn release_port(&mut self, transport: Transport) {
        if let (Some(claim), Some(ports)) = (self.claim.take(), transport.ports()) {
            ports.lock().release(self.local.port(), &claim);
        }
        self.local.set_port(0);
    }
}
