//! The link: Ethernet frames, the addresses of neighbours, and frames that wait for the device.
//!
//! - [`arp`]: the packets that ask for IPv4 neighbours.
//! - [`ethernet`]: the frame's header.
//! - [`neighbour`]: who is at which Ethernet address, whatever protocol found it out.
//! - [`queue`]: frames that the device had no room for.
//!
//! VLAN tags and 802.3 length frames are not for us.

pub(crate) mod arp;
pub(crate) mod ethernet;
pub(crate) mod neighbour;
pub(crate) mod queue;
