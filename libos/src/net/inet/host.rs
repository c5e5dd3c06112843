//! The one network stack, and what binds it to this process: frames over host handles, time, and
//! the moment at which sockets are told.
//!
//! - [`with`]: works on the stack; afterwards arms its timer and lets the sockets wake whom they must. [`look`]: only looks.
//! - [`Sockets`]: what the stack asks of the sockets above. They register once ([`register`]).
//! - [`Link`](link::Link): one interface's handle.
//!
//! Lock order: a link's buffer, then the stack, then the sockets' tables, then one socket. The stack's
//! lock is held while frames are written: the handles never block.

mod link;
pub use link::address;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use libos_abi::boot::BootInfo;
use libos_net::address::Flow;
use libos_net::config::InterfaceId;
use libos_net::owner::{
    Datagram, DatagramError, Delivery, Echo, Learnt, Owner, TcpEvents, Token, Verdict,
};
use libos_net::stack::Stack;
use libos_net::tcp::{self, ConnectionId};
use libos_net::time::Instant as NetInstant;

use crate::sync::SpinLock;
use crate::time::Instant;
use crate::time::timer::{self, Expire, TimerKey};

/// The sockets over the stack, as the stack sees them. All but [`Self::settle`] are called with the
/// stack locked: they only note, and must not call [`with`].
pub trait Sockets: Send + Sync {
    /// See [`Owner::connection_requested`].
    fn connection_requested(&self, interface: InterfaceId, flow: Flow) -> Verdict;

    /// See [`Owner::tcp`].
    fn tcp(&self, connection: ConnectionId, token: Token, events: TcpEvents);

    /// See [`Owner::udp`].
    fn udp(&self, datagram: &Datagram<'_>) -> Delivery;

    /// See [`Owner::echo`].
    fn echo(&self, echo: &Echo<'_>) -> Delivery;

    /// See [`Owner::datagram_error`].
    fn datagram_error(&self, error: &DatagramError);

    /// See [`Owner::configured`].
    fn configured(&self, interface: InterfaceId, learnt: &Learnt);

    /// The stack is unlocked: wake whom the notes concern.
    fn settle(&self);
}

struct Network {
    stack: Stack,
    /// The armed timer, and when it is due.
    timer: Option<(Instant, TimerKey)>,
}

/// On the heap, as it is 9 KiB that many programs never want.
static NETWORK: SpinLock<Option<Box<Network>>> = SpinLock::new(None);
static SOCKETS: SpinLock<Option<&'static dyn Sockets>> = SpinLock::new(None);
static CLOCK: SpinLock<Option<Arc<Clock>>> = SpinLock::new(None);

/// Makes the sockets known; before any interface is added.
pub fn register(sockets: &'static dyn Sockets) {
    *SOCKETS.lock() = Some(sockets);
}

/// Whether there is any interface but loopback.
pub fn has_interfaces() -> bool {
    look(|stack| stack.interfaces().next().map(|_| ())).is_some()
}

/// Works on the stack at the present moment.
pub fn with<R>(work: impl FnOnce(&mut Stack, NetInstant, &mut dyn Owner) -> R) -> R {
    let sockets = *SOCKETS.lock();
    let mut guard = NETWORK.lock();
    let network = guard.get_or_insert_with(|| Box::new(Network::new()));
    let result = work(&mut network.stack, now(), &mut ToSockets { sockets });
    network.arm();
    drop(guard);
    if let Some(sockets) = sockets {
        sockets.settle();
    }
    result
}

/// Looks at the stack, which nothing can happen to: neither the time nor the sockets are asked.
pub fn look<R>(at: impl FnOnce(&Stack) -> Option<R>) -> Option<R> {
    NETWORK
        .lock()
        .as_ref()
        .and_then(|network| at(&network.stack))
}

/// Brings up the interfaces of the boot information.
pub fn init(info: &'static BootInfo) {
    // SAFETY: the tender's arrays stay mapped and unchanged.
    let (interfaces, handles) = unsafe { (info.interfaces.as_slice(), info.handles.as_slice()) };
    for described in interfaces {
        let index = usize::try_from(described.handle).unwrap_or(usize::MAX);
        if let Some(handle) = handles.get(index) {
            link::attach(described, handle);
        }
    }
}

fn now() -> NetInstant {
    let micros = Instant::now().as_ns() / 1000;
    NetInstant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

impl Network {
    fn new() -> Self {
        let mut seed = [0; 32];
        crate::random::fill(&mut seed);
        let mut stack = Stack::new(seed);
        let total = tcp::buffers_for(crate::mm::BUDGET.limit());
        stack.tcp(now()).0.set_buffers(total, tcp::allocate_zeroed);
        Self { stack, timer: None }
    }

    /// Arms the timer for what the stack wants next. One that is armed for an earlier moment stays:
    /// it finds nothing to do and arms anew, which costs less than moving it with each segment.
    fn arm(&mut self) {
        let Some(at) = self.stack.poll_at() else {
            return;
        };
        let ns = u64::try_from(at.total_micros())
            .unwrap_or(0)
            .saturating_mul(1000);
        let due = Instant::from_ns(ns);
        if self.timer.is_some_and(|(armed, _)| armed <= due) {
            return;
        }
        if let Some((_, key)) = self.timer.take() {
            timer::disarm(key);
        }
        let clock: Weak<dyn Expire> = Arc::downgrade(&clock()) as Weak<dyn Expire>;
        self.timer = Some((due, timer::arm(due, clock)));
    }
}

/// What the stack's timer calls.
struct Clock;

fn clock() -> Arc<Clock> {
    Arc::clone(CLOCK.lock().get_or_insert_with(|| Arc::new(Clock)))
}

impl Expire for Clock {
    fn expire(self: Arc<Self>, _: Instant) {
        if let Some(network) = NETWORK.lock().as_mut() {
            network.timer = None;
        }
        with(|stack, now, owner| stack.poll(now, owner));
    }
}

/// The stack's owner: passes everything on to the sockets.
struct ToSockets {
    sockets: Option<&'static dyn Sockets>,
}

impl Owner for ToSockets {
    fn connection_requested(&mut self, interface: InterfaceId, flow: Flow) -> Verdict {
        self.sockets.map_or(Verdict::Refuse, |sockets| {
            sockets.connection_requested(interface, flow)
        })
    }

    fn tcp(&mut self, connection: ConnectionId, token: Token, events: TcpEvents) {
        if let Some(sockets) = self.sockets {
            sockets.tcp(connection, token, events);
        }
    }

    fn udp(&mut self, datagram: &Datagram<'_>) -> Delivery {
        self.sockets
            .map_or(Delivery::NoPort, |sockets| sockets.udp(datagram))
    }

    fn echo(&mut self, echo: &Echo<'_>) -> Delivery {
        self.sockets
            .map_or(Delivery::NoPort, |sockets| sockets.echo(echo))
    }

    fn datagram_error(&mut self, error: &DatagramError) {
        if let Some(sockets) = self.sockets {
            sockets.datagram_error(error);
        }
    }

    fn configured(&mut self, interface: InterfaceId, learnt: &Learnt) {
        if let Some(sockets) = self.sockets {
            sockets.configured(interface, learnt);
        }
    }
}

/// A text of the boot information.
pub(super) fn text(text: libos_abi::boot::Text) -> String {
    // SAFETY: the tender's texts stay mapped and unchanged.
    String::from_utf8_lossy(unsafe { text.as_slice() }).into_owned()
}
