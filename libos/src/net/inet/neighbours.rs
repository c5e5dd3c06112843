//! Neighbours on the links, as rtnetlink(7), arp(7) and `/proc/net/arp` tell of them. Nobody is ever `FAILED`: who does
//! not answer is forgotten.

use libos_net::stack::Neighbour;

use super::host;
use super::interfaces::index_of;

/// A neighbour, and where it is one.
#[derive(Clone, Copy, Debug)]
pub struct ShownNeighbour {
    /// Number of the interface.
    pub index: u32,
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

/// Shows all neighbours, in no order.
pub fn each(show: &mut dyn FnMut(ShownNeighbour)) {
    host::with(|stack, now, _| {
        stack.neighbours(now, |id, neighbour| {
            let index = index_of(id);
            show(ShownNeighbour { index, neighbour });
        });
    });
}

/// The neighbour that `is_it` says yes to.
pub fn find(is_it: &dyn Fn(&ShownNeighbour) -> bool) -> Option<ShownNeighbour> {
    let mut found = None;
    each(&mut |one| {
        if is_it(&one) {
            found = Some(one);
        }
    });
    found
}

/// One of everybody's kind, for tests of how it is shown.
#[cfg(test)]
pub fn example() -> ShownNeighbour {
    use libos_net::config::Mac;
    use libos_net::stack::NeighbourState;
    use libos_net::time::Duration;
    ShownNeighbour {
        index: 2,
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
