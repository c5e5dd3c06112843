//! Neighbours on the links, as rtnetlink(7), arp(7) and `/proc/net/arp` tell of them. Nobody is ever `FAILED`: who does
//! not answer is forgotten.

use alloc::string::String;
use alloc::vec::Vec;

use libos_net::stack::Neighbour;

use super::interfaces::{self, Interface};
use super::{host, interfaces::index_of};

/// A neighbour, and where it is one.
#[derive(Clone, Debug)]
pub struct ShownNeighbour {
    /// Number of the interface.
    pub index: u32,
    /// Name of the interface.
    pub interface: String,
    /// What is known of it.
    pub neighbour: Neighbour,
}

impl ShownNeighbour {
    /// `ATF_*` of arp(7).
    pub fn arp_flags(&self) -> u32 {
        const COMPLETE: u32 = 2;
        self.neighbour.mac.map_or(0, |_| COMPLETE)
    }

    /// Its hardware address; zeroes while that is not known.
    pub fn hardware_address(&self) -> [u8; 6] {
        self.neighbour.mac.map_or([0; 6], |mac| mac.0)
    }
}

/// All neighbours.
pub fn all() -> Vec<ShownNeighbour> {
    let interfaces = interfaces::all();
    let name = |index| {
        let found = interfaces
            .iter()
            .find(|one: &&Interface| one.index == index);
        found.map(|one| one.name.clone()).unwrap_or_default()
    };
    host::with(|stack, now, _| {
        let shown = stack.neighbours(now).map(|(id, neighbour)| ShownNeighbour {
            index: index_of(id),
            interface: name(index_of(id)),
            neighbour,
        });
        shown.collect()
    })
}

/// One of everybody's kind, for tests of how it is shown.
#[cfg(test)]
pub fn example() -> ShownNeighbour {
    use libos_net::config::Mac;
    use libos_net::stack::NeighbourState;
    use libos_net::time::Duration;
    ShownNeighbour {
        index: 2,
        interface: String::from("eth0"),
        neighbour: Neighbour {
            address: core::net::Ipv4Addr::new(10, 0, 2, 2).into(),
            mac: Some(Mac([2, 0, 0, 0, 0, 0xa9])),
            state: NeighbourState::Probe,
            questions: 2,
            used: Duration::from_millis(1990),
            confirmed: Duration::from_secs(40),
            updated: Duration::from_secs(3),
        },
    }
}
