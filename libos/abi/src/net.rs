//! Network interfaces, as the tender describes them to the libOS.

use crate::boot::{Array, Text};

/// How frames lie in a handle's reads and writes.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One frame a read or write, preceded by the 10 bytes of `struct virtio_net_hdr`: a tap with
    /// IFF_VNET_HDR, an AF_PACKET socket with PACKET_VNET_HDR, or a SOCK_SEQPACKET channel.
    Header = 1,
    /// One frame a read or write, nothing before it.
    Bare = 2,
    /// A byte stream: each frame follows its length, four bytes, big endian (passt, qemu).
    Stream = 3,
}

/// Bits of [`NetInterface::flags`].
pub mod flags {
    /// The device completes checksums, and gives frames whose checksum is partial.
    pub const CHECKSUM: u32 = 1 << 0;
    /// The device cuts TCP frames of up to 64 KiB, and gives such.
    pub const SEGMENTATION: u32 = 1 << 1;
    /// Ask for an IPv4 address by DHCP.
    pub const DHCP: u32 = 1 << 2;
    /// Take IPv6 addresses from router advertisements.
    pub const SLAAC: u32 = 1 << 3;
}

/// An IP address.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetAddress {
    /// 4 or 6.
    pub version: u32,
    /// Length of the network's prefix in bits; the address's own length for a host.
    pub prefix: u32,
    /// The address, network byte order; an IPv4 address in the first four bytes.
    pub bytes: [u8; 16],
}

/// A route.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetRoute {
    /// Where to.
    pub destination: NetAddress,
    /// By whom; version 0 for a network on the link.
    pub gateway: NetAddress,
    /// Lower wins among equal prefixes.
    pub metric: u32,
}

/// A network interface.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NetInterface {
    /// Index of its handle in [`crate::boot::BootInfo::handles`].
    pub handle: u32,
    /// How frames lie in it.
    pub framing: Framing,
    /// See [`flags`].
    pub flags: u32,
    /// Longest IP packet in bytes.
    pub mtu: u32,
    /// Its Ethernet address.
    pub mac: [u8; 6],
    /// Keeps the layout explicit; always 0.
    pub reserved: u16,
    /// Its name in the guest: `eth0`.
    pub name: Text,
    /// Addresses.
    pub addresses: Array<NetAddress>,
    /// Routes beyond those that the addresses imply.
    pub routes: Array<NetRoute>,
}
