//! Names and connections: bind, connect, and undoing a connection (connect(2) with AF_UNSPEC).
//!
//! Errors and their order are those of `__inet_stream_connect` and `tcp_v4_connect`. A connection
//! attempt without patience answers EINPROGRESS even if its outcome is known at once, as it does over
//! Linux's loopback.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::net::{IpAddr, SocketAddr};

use libos_net::address::Flow;

use super::{Bound, Link, Phase, TcpSocket, TcpState, WRITABLE, listen, table};
use crate::errno::{Errno, Result};
use crate::fs::blocking::{self, Patience};
use crate::fs::poll::PollEvents;
use crate::net::address::RawAddress;
use crate::net::inet::address::{self, Family, UNSPEC};
use crate::net::inet::interfaces;
use crate::net::inet::loopback::{self, Count};
use crate::net::inet::options::Truths;
use crate::net::inet::ports::{self, Sharing};
use crate::net::inet::route;
use crate::net::socket::Halves;
use crate::time::Instant;
use crate::time::timer::{self, Expire};

/// How many ports are tried for a connection through the stack.
const MAX_TRIES: usize = 64;

impl TcpSocket {
    pub(super) fn bind_to(&self, raw: &RawAddress) -> Result<()> {
        let wanted = address::decode_for_bind(self.family, raw)?;
        if is_multicast(wanted.ip()) && self.family == Family::V6 {
            return Err(Errno::EINVAL);
        }
        let may_bind = || self.inet.has(Truths::FREEBIND) || route::may_bind(wanted.ip());
        if self.family == Family::V4 && !may_bind() {
            return Err(Errno::EADDRNOTAVAIL);
        }
        {
            let state = self.state.lock();
            if state.tcp != TcpState::Closed || state.claim.is_some() {
                return Err(Errno::EINVAL.because("the socket has a name"));
            }
        }
        if self.is_v6_only() && wanted.is_ipv4() {
            return Err(Errno::EINVAL.because("an IPv4 address, and IPV6_V6ONLY is set"));
        }
        if needs_scope(wanted) {
            return Err(Errno::EINVAL.because("a link-local address without its interface"));
        }
        if !may_bind() {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let claim = self.claim_for(wanted.ip());
        let mut bound = Bound::empty();
        bound.set(Bound::ADDRESS, !wanted.ip().is_unspecified());
        bound.set(Bound::PORT, wanted.port() != 0);
        let chooses_late = wanted.port() == 0 && self.inet.has(Truths::NO_PORT);
        let port = if chooses_late {
            0
        } else {
            ports::TCP.lock().bind(wanted.port(), claim)?
        };
        let mut state = self.state.lock();
        state.local = wanted;
        state.local.set_port(port);
        state.claim = (!chooses_late).then_some(claim);
        state.bound = bound;
        Ok(())
    }

    /// Takes a free port on all addresses, or on the one that it is bound to: for listen(2).
    pub(super) fn bind_any_port(&self) -> Result<()> {
        let claim = self.claim_for(self.state.lock().local.ip());
        let port = ports::TCP.lock().bind(0, claim)?;
        let mut state = self.state.lock();
        state.local.set_port(port);
        state.claim = Some(claim);
        Ok(())
    }

    pub(super) fn connect_to(&self, raw: &RawAddress, patience: Patience) -> Result<()> {
        if raw.family() == UNSPEC {
            self.disconnect();
            return Ok(());
        }
        let phase = self.state.lock().phase;
        let busy = match phase {
            Phase::Connected => return Err(Errno::EISCONN),
            Phase::Connecting => Errno::EALREADY,
            Phase::Unconnected => {
                self.begin(raw)?;
                Errno::EINPROGRESS
            }
        };
        self.finish(patience, busy)
    }

    /// Waits for the outcome of an attempt; `busy` is the answer while there is none.
    fn finish(&self, patience: Patience, busy: Errno) -> Result<()> {
        let begun_now = busy == Errno::EINPROGRESS;
        if patience == Patience::None {
            // What is known already counts for a second call only.
            if begun_now || self.state.lock().tcp == TcpState::SynSent {
                return Err(busy);
            }
        } else {
            let waited = blocking::attempt(&self.arrivals, patience, || {
                let connecting = self.state.lock().tcp == TcpState::SynSent;
                (!connecting).then_some(Ok(()))
            });
            match waited {
                Err(Errno::EAGAIN) => return Err(busy),
                other => other?,
            }
        }
        let mut state = self.state.lock();
        if state.tcp == TcpState::Closed {
            let error = state.error.take().unwrap_or(Errno::ECONNABORTED);
            drop(state);
            self.disconnect();
            return Err(error);
        }
        state.phase = Phase::Connected;
        Ok(())
    }

    /// Chooses both ends and asks the other.
    fn begin(&self, raw: &RawAddress) -> Result<()> {
        {
            let state = self.state.lock();
            if state.tcp != TcpState::Closed {
                return Err(Errno::EISCONN);
            }
        }
        let mut destination = address::decode(self.family, raw)?;
        destination.set_ip(route::meant_by(destination.ip()));
        if self.is_v6_only() && destination.is_ipv4() {
            return Err(Errno::ENETUNREACH);
        }
        if is_multicast(destination.ip()) || is_broadcast(destination.ip()) {
            return Err(Errno::ENETUNREACH);
        }
        if needs_scope(destination) {
            return Err(Errno::EINVAL.because("a link-local address without its interface"));
        }
        let local = self.choose_source(destination)?;
        let flow = self.take_flow(local, destination)?;
        {
            let mut state = self.state.lock();
            state.local.set_ip(flow.local.ip());
            state.local.set_port(flow.local.port());
            state.peer = Some(destination);
            state.flow = Some(Box::new(flow));
            state.phase = Phase::Connecting;
            state.tcp = TcpState::SynSent;
            (state.shut, state.is_done, state.error) = (Halves::empty(), false, None);
            state.is_active_closer = false;
        }
        let asked = if route::is_local(destination.ip()) {
            self.ask();
            Ok(())
        } else {
            self.ask_network(flow)
        };
        if asked.is_err() {
            self.disconnect();
        } else {
            self.arm_timeout();
        }
        asked
    }

    /// From which address a destination is asked.
    fn choose_source(&self, destination: SocketAddr) -> Result<IpAddr> {
        let bound = self.state.lock().local.ip();
        if bound.is_unspecified() {
            return route::source_for(destination.ip());
        }
        if bound.is_ipv4() != destination.is_ipv4() {
            return Err(Errno::ENETUNREACH);
        }
        if bound.is_loopback() && !route::is_local(destination.ip()) {
            return Err(Errno::EINVAL.because("bound to loopback, and asked to leave it"));
        }
        if !route::is_local(destination.ip()) {
            route::source_for(destination.ip())?;
        }
        Ok(bound)
    }

    /// Takes the ends of the connection, choosing a port if bind(2) has not.
    fn take_flow(&self, source: IpAddr, destination: SocketAddr) -> Result<Flow> {
        let remote = address::without_scope(destination);
        let is_remote = !route::is_local(destination.ip());
        let flow_from = |port| Flow {
            local: SocketAddr::new(source, port),
            remote,
        };
        let in_network = |flow| is_remote && super::remote::is_used(flow);
        let port = self.state.lock().local.port();
        if port != 0 {
            let flow = flow_from(port);
            if in_network(flow) || !table::claim_flow(flow) {
                return Err(Errno::EADDRNOTAVAIL);
            }
            return Ok(flow);
        }
        let mut claim = self.claim_for(source);
        claim.sharing |= Sharing::CONNECTED;
        for _ in 0..MAX_TRIES {
            let is_used = |port| table::is_used(&flow_from(port));
            let port = ports::TCP.lock().connect(claim, is_used)?;
            let flow = flow_from(port);
            // The stack still has connections that nobody holds any more; it is not asked with the
            // ports locked.
            if in_network(flow) {
                ports::TCP.lock().release(port, &claim);
                continue;
            }
            table::claim_flow(flow);
            let mut state = self.state.lock();
            state.local.set_ip(source);
            state.local.set_port(port);
            state.claim = Some(claim);
            return Ok(flow);
        }
        Err(Errno::EADDRNOTAVAIL)
    }

    /// Asks a socket of this process, as the first SYN does.
    fn ask(&self) {
        let Some((me, flow)) = self.asking() else {
            return;
        };
        let device = self.inet.device();
        let device = if device == 0 {
            interfaces::LOOPBACK
        } else {
            device
        };
        let Some(listener) = listen::find(flow.remote, flow.local, device) else {
            // Two ends that are the same are a connection of a socket with itself.
            if flow.local == flow.remote {
                self.establish(Link::Local(Weak::clone(&self.me)));
            } else {
                self.refuse();
            }
            return;
        };
        match listener.admit(&me, flow.local, flow.remote) {
            Ok(Some(child)) => self.establish(Link::Local(Arc::downgrade(&child))),
            Ok(None) => {}
            Err(_) => self.refuse(),
        }
    }

    fn refuse(&self) {
        loopback::add(Count::Refused, 1);
        self.reset();
    }

    /// Asks once more: the listener has room, or is gone.
    pub(super) fn ask_again(&self) {
        self.ask();
    }

    /// Itself and its ends, if it is waiting for an answer.
    fn asking(&self) -> Option<(Arc<Self>, Flow)> {
        let me = self.me.upgrade()?;
        let state = self.state.lock();
        if state.tcp != TcpState::SynSent {
            return None;
        }
        let remote = address::without_scope(state.peer?);
        let local = address::without_scope(state.local);
        Some((Arc::clone(&me), Flow { local, remote }))
    }

    /// The other side has agreed.
    pub(super) fn establish(&self, link: Link) {
        {
            let mut state = self.state.lock();
            if state.tcp != TcpState::SynSent {
                return;
            }
            state.tcp = TcpState::Established;
            state.link = link;
            if let Some(key) = state.timer.take() {
                timer::disarm(key);
            }
        }
        self.arrivals.wake_all();
        self.space.wake_all();
        self.pollers.notify(WRITABLE);
    }

    fn arm_timeout(&self) {
        let patience = self.settings.lock().patience();
        let mut state = self.state.lock();
        if state.tcp == TcpState::SynSent {
            let timer: Weak<Self> = Weak::clone(&self.me);
            state.timer = Some(timer::arm(Instant::now().after(patience), timer));
        }
    }

    /// Back to a socket that is not connected; what bind(2) chose stays.
    pub(super) fn disconnect(&self) {
        if self.state.lock().listening.is_some() {
            self.stop_listening();
        }
        let is_connected = matches!(
            self.state.lock().tcp,
            TcpState::Established | TcpState::CloseWait | TcpState::FinWait1 | TcpState::FinWait2
        );
        if is_connected {
            self.send_reset();
        }
        self.drop_link();
        self.release_flow();
        {
            let mut state = self.state.lock();
            // Who looks is told that the connection was reset, as by Linux.
            let resets = is_connected || state.tcp == TcpState::SynSent;
            state.error = resets.then_some(Errno::ECONNRESET);
            state.phase = Phase::Unconnected;
            state.tcp = TcpState::Closed;
            state.peer = None;
            (state.shut, state.is_done) = (Halves::empty(), false);
            if let Some(key) = state.timer.take() {
                timer::disarm(key);
            }
            state.inbox.clear();
            if !state.bound.contains(Bound::ADDRESS) {
                let port = state.local.port();
                state.local = self.family.unspecified();
                state.local.set_port(port);
            }
        }
        self.release_chosen_port();
        self.arrivals.wake_all();
        self.space.wake_all();
        self.pollers.notify(PollEvents::HUP | WRITABLE);
    }

    /// A port that bind(2) did not choose is free when the connection is over, but for TIME-WAIT.
    pub(super) fn release_chosen_port(&self) {
        let mut state = self.state.lock();
        if state.bound.contains(Bound::PORT) {
            return;
        }
        let port = state.local.port();
        let waits = core::mem::take(&mut state.is_active_closer) && state.error.is_none();
        let Some(claim) = state.claim.take() else {
            return;
        };
        if state.phase == Phase::Unconnected {
            state.local.set_port(0);
        }
        drop(state);
        let mut ports = ports::TCP.lock();
        if waits {
            ports.linger(port, claim);
        } else {
            ports.release(port, &claim);
        }
    }

    /// The ends may be those of another connection now.
    pub(super) fn release_flow(&self) {
        let flow = self.state.lock().flow.take();
        if let Some(flow) = flow {
            table::release_flow(&flow);
        }
    }
}

impl Expire for TcpSocket {
    /// Nobody has answered, or no data have come.
    fn expire(self: Arc<Self>, _: Instant) {
        let is_connecting = {
            let mut state = self.state.lock();
            state.timer = None;
            state.tcp == TcpState::SynSent
        };
        if is_connecting {
            self.fail(Errno::ETIMEDOUT);
        } else {
            self.undefer();
        }
    }
}

fn is_multicast(address: IpAddr) -> bool {
    address.is_multicast()
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

fn needs_scope(address: SocketAddr) -> bool {
    match address {
        SocketAddr::V4(_) => false,
        SocketAddr::V6(v6) => address::is_link_local(address.ip()) && v6.scope_id() == 0,
    }
}
