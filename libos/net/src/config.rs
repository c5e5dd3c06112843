//! How an interface is set up.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::address::Network;

/// The least MTU: IPv6's (RFC 8200, section 5), in bytes of IP packet.
pub const LEAST_MTU: u16 = 1280;

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

/// What the device at the other end of the frames does for us; see virtio 1.2, section 5.1.6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// Each frame is preceded by a `struct virtio_net_hdr` of [`crate::device::VNET_HEADER_LEN`] bytes.
    pub vnet_header: bool,
    /// Frames with a partial checksum are taken and given.
    pub checksum: bool,
    /// TCP frames up to 64 KiB are taken, and cut by the device.
    pub segmentation: bool,
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub destination: Network,
    /// By whom; none for a network on the link.
    pub gateway: Option<IpAddr>,
    /// Lower wins among equal prefixes.
    pub metric: u32,
}

/// One interface. Addresses and routes found later (DHCP, SLAAC) are added to it.
#[derive(Clone, Debug)]
pub struct InterfaceConfig {
    /// Name, as `SIOCGIFNAME` tells it: `eth0`.
    pub name: String,
    /// Its Ethernet address, unicast.
    pub mac: Mac,
    /// Longest IP packet, in bytes; at least [`LEAST_MTU`] if it is to carry IPv6.
    pub mtu: u16,
    /// Addresses.
    pub addresses: Vec<Network>,
    /// Routes beyond those that the addresses imply. A gateway need not lie in any network: it is
    /// then taken to be on the link, as a container's /32 address has it.
    pub routes: Vec<Route>,
    /// Ask for an IPv4 address by DHCP (RFC 2131).
    pub dhcp: bool,
    /// Take IPv6 addresses from router advertisements (RFC 4862).
    pub slaac: bool,
    /// Take packets to any destination as ours, and answer ARP and neighbour solicitations for any
    /// address but the other side's: the user-mode network is every host to its guest.
    pub any_address: bool,
    /// What the device does.
    pub offloads: Offloads,
}

/// Which interface, in the order of their adding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceId(pub u16);
