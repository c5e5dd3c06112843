//! The neighbours as tools show them. One that did not answer is forgotten, so nobody is ever shown as failed.

use core::net::IpAddr;

use super::{Neighbours, State};
use crate::config::Mac;
use crate::time::{Duration, Instant};

/// How well a neighbour is known (RFC 4861, section 7.3.2); the numbers are Linux's `NUD_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighbourState {
    /// It is asked for, and has not answered yet.
    Incomplete = 0x01,
    /// It answered a short while ago.
    Reachable = 0x02,
    /// Its answer is old, or it spoke unasked.
    Stale = 0x04,
    /// It is used again, and will be asked soon.
    Delay = 0x08,
    /// It is asked itself.
    Probe = 0x10,
}

/// A neighbour at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its address.
    pub address: IpAddr,
    /// Its station, if that is known.
    pub mac: Option<Mac>,
    /// How well it is known.
    pub state: NeighbourState,
    /// How often it has been asked since it last answered.
    pub questions: u8,
    /// How long ago a packet last went to it.
    pub used: Duration,
    /// How long ago it last answered.
    pub confirmed: Duration,
    /// How long ago its state last changed.
    pub updated: Duration,
}

impl Neighbours {
    /// Shows all of them, in no order.
    pub(crate) fn list(&self, now: Instant, mut show: impl FnMut(Neighbour)) {
        let ago = |then: Instant| {
            let micros = now.total_micros().saturating_sub(then.total_micros());
            Duration::from_micros(u64::try_from(micros).unwrap_or(0))
        };
        for (&address, entry) in &self.table {
            show(Neighbour {
                address,
                mac: entry.state.mac(),
                state: entry.state.shown(now),
                questions: entry.state.questions(),
                used: ago(entry.used),
                confirmed: ago(entry.confirmed),
                updated: ago(entry.updated),
            });
        }
    }
}

impl State {
    fn shown(self, now: Instant) -> NeighbourState {
        match self {
            Self::Incomplete { .. } => NeighbourState::Incomplete,
            Self::Reachable { until, .. } if now < until => NeighbourState::Reachable,
            Self::Reachable { .. } | Self::Stale { .. } => NeighbourState::Stale,
            Self::Delay { .. } => NeighbourState::Delay,
            Self::Probe { .. } => NeighbourState::Probe,
        }
    }

    fn questions(self) -> u8 {
        match self {
            Self::Incomplete { tries, .. } | Self::Probe { tries, .. } => tries,
            _ => 0,
        }
    }
}
