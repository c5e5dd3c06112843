//! How a connection stands, as its owner asks after each step: what is in [`super::TcpInfo`] without what only people read.

use super::connection::Phase;
use super::engine::Engine;
use super::{ConnectionId, State, Tcp, TcpError};
use crate::owner::TcpEvents;

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: State,
    /// Bytes that wait to be read.
    pub readable: usize,
    /// Whether [`Tcp::readiness`] says that there is room to send.
    pub is_writable: bool,
    /// The error that ended it, until it is taken.
    pub error: Option<TcpError>,
}

impl Tcp {
    /// How a connection stands; nothing if there is none.
    pub fn standing(&self, connection: ConnectionId) -> Option<Standing> {
        let found = self.find(connection)?;
        let readable = match &found.phase {
            Phase::Open(engine) | Phase::Over(Some(engine)) => engine.receive_queue(),
            _ => 0,
        };
        Some(Standing {
            state: found.state(),
            readable,
            is_writable: found.readiness().contains(TcpEvents::WRITABLE),
            error: found.error,
        })
    }

    /// Whether reading made so much room that the other side is to be told: [`Tcp::flush`] tells it.
    pub fn has_news(&self, connection: ConnectionId) -> bool {
        self.find(connection).is_some_and(|found| found.is_pending)
    }
}
