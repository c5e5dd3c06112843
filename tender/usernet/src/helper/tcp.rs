//! TCP: the guest's connections to hosts, and hosts' to published ports.
//!
//! Main types: [`Flows`], [`TcpFlow`]. A flow lives from the guest's request, or from the host's connection, to
//! the end of both sides; [`super::connections`] moves it from stage to stage.

use super::host;
use super::splice::{Halves, HostEnd};
use super::table::{Key, Table};
use libos_net::address::Flow;
use libos_net::owner::TcpEvents;
use libos_net::tcp::ConnectionId;
use rustix::fd::OwnedFd;
use std::collections::VecDeque;

/// Host connections on their way at the same time: a guest that knocks at addresses which do not answer must
/// not take all descriptors.
const MOST_CONNECTING: usize = 1024;

/// Where a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The guest asked; the host's connect(2) has no answer yet.
    Connecting,
    /// The host's side stands; the guest has not yet shaken hands.
    Greeting,
    /// Both stand.
    Open,
}

/// One connection, its two sides.
#[derive(Debug)]
pub struct TcpFlow {
    /// As the stack sees it: `local` is the host's side.
    pub flow: Flow,
    /// The guest's side, once there is one.
    pub connection: Option<ConnectionId>,
    /// The host's side.
    pub host: HostEnd,
    /// Where it stands.
    pub stage: Stage,
    /// What has ended.
    pub halves: Halves,
    /// What the stack told, not yet looked at.
    pub noted: TcpEvents,
    /// What to ask the guest for instead if it refuses: a connection over the other IP version.
    pub instead: Option<Flow>,
    is_queued: bool,
}

/// All connections.
#[derive(Debug)]
pub struct Flows {
    table: Table<TcpFlow>,
    /// Flows at which something is to be done.
    queue: VecDeque<Key>,
    connecting: usize,
}

impl Flows {
    /// At most so many.
    pub fn new(most: usize) -> Self {
        Self {
            table: Table::new(most),
            queue: VecDeque::new(),
            connecting: 0,
        }
    }

    /// Whether another one may begin.
    pub fn has_room(&self) -> bool {
        !self.table.is_full()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// All of them.
    pub fn keys(&self) -> Vec<Key> {
        self.table.iter().map(|(key, _)| key).collect()
    }

    /// Whether another connect(2) may begin.
    pub fn may_connect(&self) -> bool {
        self.has_room() && self.connecting < MOST_CONNECTING
    }

    /// Adds one; none if there is no room.
    pub fn add(&mut self, flow: Flow, socket: OwnedFd, stage: Stage) -> Option<Key> {
        let added = self.table.insert(TcpFlow {
            flow,
            connection: None,
            host: HostEnd::new(socket),
            stage,
            halves: Halves::default(),
            noted: TcpEvents::empty(),
            instead: None,
            is_queued: false,
        });
        let key = added.ok()?;
        self.connecting += usize::from(stage == Stage::Connecting);
        Some(key)
    }

    /// One of them.
    pub fn get(&self, key: Key) -> Option<&TcpFlow> {
        self.table.get(key)
    }

    /// One of them.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut TcpFlow> {
        self.table.get_mut(key)
    }

    /// Moves one on.
    pub fn set_stage(&mut self, key: Key, stage: Stage) {
        if let Some(flow) = self.table.get_mut(key) {
            self.connecting -= usize::from(flow.stage == Stage::Connecting);
            flow.stage = stage;
            self.connecting += usize::from(stage == Stage::Connecting);
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, key: Key) -> Option<TcpFlow> {
        let flow = self.table.remove(key)?;
        self.connecting -= usize::from(flow.stage == Stage::Connecting);
        Some(flow)
    }

    /// Takes one out, and closes its host's side with a reset.
    pub fn remove_with_reset(&mut self, key: Key) {
        if let Some(flow) = self.remove(key) {
            host::close_with_reset(flow.host.socket);
        }
    }

    /// Notes what the stack tells of a connection.
    pub fn note(&mut self, key: Key, connection: ConnectionId, events: TcpEvents) {
        if let Some(flow) = self.table.get_mut(key) {
            flow.connection = Some(connection);
            flow.noted |= events;
        }
        self.queue(key);
    }

    /// Something is to be done at it.
    pub fn queue(&mut self, key: Key) {
        if let Some(flow) = self.table.get_mut(key)
            && !flow.is_queued
        {
            flow.is_queued = true;
            self.queue.push_back(key);
        }
    }

    /// The next one at which something is to be done.
    pub fn next_queued(&mut self) -> Option<Key> {
        let key = self.queue.pop_front()?;
        if let Some(flow) = self.table.get_mut(key) {
            flow.is_queued = false;
        }
        Some(key)
    }

    /// How many wait to be looked at.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        let address = "192.0.2.1:80".parse().expect("an address");
        Flow {
            local: address,
            remote: address,
        }
    }

    fn socket() -> OwnedFd {
        let listener = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        listener.into()
    }

    #[test]
    fn a_flow_is_queued_once() {
        let mut flows = Flows::new(2);
        let key = flows.add(flow(), socket(), Stage::Open).expect("room");
        flows.queue(key);
        flows.note(key, ConnectionId(1), TcpEvents::READABLE);
        assert_eq!(flows.queued(), 1);
        assert_eq!(flows.next_queued(), Some(key));
        assert_eq!(flows.next_queued(), None);
        flows.queue(key);
        assert_eq!(flows.queued(), 1, "queued again after its turn");
    }

    #[test]
    fn connecting_flows_are_counted_through_their_life() {
        let mut flows = Flows::new(4);
        let first = flows
            .add(flow(), socket(), Stage::Connecting)
            .expect("room");
        let second = flows
            .add(flow(), socket(), Stage::Connecting)
            .expect("room");
        assert_eq!(flows.connecting, 2);
        flows.set_stage(first, Stage::Greeting);
        assert_eq!(flows.connecting, 1);
        flows.remove_with_reset(second);
        flows.remove(first);
        assert_eq!((flows.connecting, flows.table.len()), (0, 0));
    }
}
