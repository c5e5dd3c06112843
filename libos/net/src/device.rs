//! Where an interface's frames go.

/// Length of `struct virtio_net_hdr` without `num_buffers`, in bytes: what IFF_VNET_HDR and
/// PACKET_VNET_HDR put before each frame.
pub const VNET_HEADER_LEN: usize = 10;

/// Longest frame there is: a 64 KiB IP packet behind an Ethernet header, in bytes.
pub const LONGEST_FRAME: usize = 14 + 65_535;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmitted {
    /// It is on its way, or lost as frames are.
    Done,
    /// There is no room now; the stack keeps it, and calls again from
    /// [`crate::stack::Stack::writable`].
    Full,
}

/// A device that takes frames. Frames from it reach the stack by
/// [`crate::stack::Stack::receive`].
pub trait Device: Send {
    /// Takes one frame, preceded by its `virtio_net_hdr` if the interface's offloads say so. The
    /// frame and its header are contiguous, so that one write(2) passes both.
    fn transmit(&mut self, frame: &[u8]) -> Transmitted;
}
