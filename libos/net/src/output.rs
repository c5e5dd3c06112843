//! What the transports need of the layer below them.

use core::net::IpAddr;

/// What is left to do on a packet's TCP part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Nothing: the checksum is there.
    Whole,
    /// The checksum field holds zero; whoever sends it completes it.
    Checksum,
    /// As `Checksum`; and the payload is to be cut into segments of at most this many bytes.
    Segments(u16),
}

/// The way out for IP packets.
pub trait Output {
    /// Whether a packet to `destination` can go on its way now. If not, a transport keeps its data
    /// and is polled again when there is room.
    fn ready(&self, destination: IpAddr) -> bool;

    /// Longest IP packet on the way to `destination`, in bytes.
    fn mtu(&self, destination: IpAddr) -> u16;

    /// Longest IP packet that may be handed over with [`Completion::Segments`], in bytes; none if the
    /// way to `destination` cuts nothing.
    fn segmentation(&self, destination: IpAddr) -> Option<usize>;

    /// Whether checksums may be left to be completed on the way to `destination`.
    fn completes_checksums(&self, destination: IpAddr) -> bool;

    /// Sends an IP packet of `len` bytes that `fill` writes, addresses included, to `destination`. One without a route,
    /// or without room, is dropped and counted.
    fn send(
        &mut self,
        destination: IpAddr,
        len: usize,
        completion: Completion,
        fill: &mut dyn FnMut(&mut [u8]),
    );
}
