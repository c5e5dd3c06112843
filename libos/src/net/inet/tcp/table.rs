//! All TCP sockets by their tokens, and the ends of all connections within the process.
//!
//! The stack names a socket by its token; `/proc/net/tcp` lists them all ([`each`]). Two connections
//! never have the same two ends ([`claim_flow`]).

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};

use hashbrown::{HashMap, HashSet};
use libos_net::address::Flow;
use libos_net::owner::Token;

use super::{TcpSocket, TcpState};
use crate::net::inet::address::Family;
use crate::net::inet::host;
use crate::sync::SpinLock;

static SOCKETS: SpinLock<Option<HashMap<u64, Weak<TcpSocket>>>> = SpinLock::new(None);
static FLOWS: SpinLock<Option<HashSet<Flow>>> = SpinLock::new(None);

/// A token that was never used.
pub fn next_token() -> Token {
    static LAST: AtomicU64 = AtomicU64::new(0);
    Token(LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

pub(super) fn insert(token: Token, socket: &Arc<TcpSocket>) {
    let mut sockets = SOCKETS.lock();
    let sockets = sockets.get_or_insert_default();
    sockets.insert(token.0, Arc::downgrade(socket));
}

pub(super) fn remove(token: Token) {
    if let Some(sockets) = SOCKETS.lock().as_mut() {
        sockets.remove(&token.0);
    }
}

/// The socket that the stack knows by `token`.
pub(super) fn find(token: Token) -> Option<Arc<TcpSocket>> {
    let sockets = SOCKETS.lock();
    sockets.as_ref()?.get(&token.0)?.upgrade()
}

/// Whether a connection between these ends was begun from here.
pub(super) fn is_used(flow: &Flow) -> bool {
    let flows = FLOWS.lock();
    flows.as_ref().is_some_and(|flows| flows.contains(flow))
}

/// Takes the ends of a new connection; `false` if there is one between them.
pub(super) fn claim_flow(flow: Flow) -> bool {
    FLOWS.lock().get_or_insert_default().insert(flow)
}

/// Gives the ends of a connection back.
pub(super) fn release_flow(flow: &Flow) {
    if let Some(flows) = FLOWS.lock().as_mut() {
        flows.remove(flow);
    }
}

/// What `/proc/net/tcp` and `/proc/net/tcp6` tell of a socket.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Address of the socket, which tells it from others; none if only the stack has it.
    pub socket: Option<usize>,
    /// The family of the socket.
    pub family: Family,
    /// This end.
    pub local: SocketAddr,
    /// The other, unspecified if there is none.
    pub peer: SocketAddr,
    /// Its state.
    pub state: TcpState,
    /// Bytes sent and not acknowledged.
    pub send_queue: usize,
    /// Bytes received and not read; of a listener, connections that wait.
    pub receive_queue: usize,
}

/// Every socket that is still there.
pub fn all() -> Vec<Arc<TcpSocket>> {
    let sockets = SOCKETS.lock();
    let all = sockets.iter().flat_map(HashMap::values);
    all.filter_map(Weak::upgrade).collect()
}

/// Every socket that has a port, and what the stack still has of closed connections.
pub fn each(mut visit: impl FnMut(&Shown)) {
    let mut seen = HashSet::new();
    for socket in all() {
        if let Some(shown) = socket.shown() {
            if shown.peer.port() != 0 {
                seen.insert(Flow {
                    local: shown.local,
                    remote: shown.peer,
                });
            }
            visit(&shown);
        }
    }
    if !host::has_interfaces() {
        return;
    }
    let mut left = Vec::new();
    host::with(|stack, now, _| {
        stack.tcp(now).0.each(&mut |info| {
            if !seen.contains(&info.flow) {
                left.push(Shown {
                    socket: None,
                    family: if info.flow.local.is_ipv4() {
                        Family::V4
                    } else {
                        Family::V6
                    },
                    local: info.flow.local,
                    peer: info.flow.remote,
                    state: info.state,
                    send_queue: info.send_queue,
                    receive_queue: info.receive_queue,
                });
            }
        });
    });
    left.iter().for_each(visit);
}
