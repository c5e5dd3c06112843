//! The channel of frames between guest and helper: a SOCK_SEQPACKET pair.
//!
//! Main types: [`Transmitter`] (the stack's device) and [`Receiver`]. One message is one frame with its
//! `struct virtio_net_hdr` before it, in both directions.

mod receive;

pub use receive::Receiver;

use libos_net::device::{Device, LONGEST_FRAME, Transmitted, VNET_HEADER_LEN};
use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sockopt};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest message, in bytes.
pub const LONGEST_MESSAGE: usize = VNET_HEADER_LEN + LONGEST_FRAME;

/// Room asked for in each direction, in bytes; the kernel bounds it by net.core.wmem_max.
const BUFFER: usize = 4 << 20;

/// Makes the two ends: the guest's, and the helper's.
///
/// # Errors
/// That of socketpair(2).
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (kind, family) = (SocketType::SEQPACKET, AddressFamily::UNIX);
    let (guest, helper) = rustix::net::socketpair(family, kind, flags, None)?;
    for end in [&guest, &helper] {
        // Of UNIX sockets the sender's buffer counts. The second call is for root alone.
        let _ = sockopt::set_socket_send_buffer_size(end, BUFFER);
        let _ = sockopt::set_socket_send_buffer_size_force(end, BUFFER);
    }
    Ok((guest, helper))
}

/// The way of frames to the guest.
#[derive(Debug)]
pub struct Transmitter {
    channel: Arc<OwnedFd>,
    lost: Arc<AtomicU64>,
}

impl Transmitter {
    /// Over the helper's end. Frames that are lost are added to `lost`.
    pub fn new(channel: Arc<OwnedFd>, lost: Arc<AtomicU64>) -> Self {
        Self { channel, lost }
    }
}

impl Device for Transmitter {
    fn transmit(&mut self, frame: &[u8]) -> Transmitted {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match rustix::net::send(&self.channel, frame, flags) {
            Ok(_) => Transmitted::Done,
            Err(Errno::AGAIN) => Transmitted::Full,
            // The channel's end is seen by the loop.
            Err(_) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                Transmitted::Done
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transmitter(channel: OwnedFd) -> Transmitter {
        Transmitter::new(Arc::new(channel), Arc::default())
    }

    #[test]
    fn frames_keep_their_boundaries() {
        let (guest, helper) = pair().expect("a socket pair");
        let mut transmitter = transmitter(helper);
        let mut receiver = Receiver::new();
        for len in [11, LONGEST_MESSAGE] {
            assert_eq!(
                transmitter.transmit(&vec![7; len]),
                Transmitted::Done,
                "{len}"
            );
        }
        let batch = receiver.receive(&guest).expect("two frames");
        let lengths: Vec<_> = batch.frames().map(<[u8]>::len).collect();
        assert_eq!(
            (lengths, batch.is_end()),
            (vec![11, LONGEST_MESSAGE], false)
        );
    }

    #[test]
    fn a_full_channel_says_so_and_an_ended_one_counts() {
        let (guest, helper) = pair().expect("a socket pair");
        let mut transmitter = transmitter(helper);
        let frame = vec![0; LONGEST_MESSAGE];
        let sent = (0..1000).take_while(|_| transmitter.transmit(&frame) == Transmitted::Done);
        let sent = sent.count();
        assert!((2..1000).contains(&sent), "{sent}");
        drop(guest);
        assert_eq!(transmitter.transmit(&frame), Transmitted::Done);
        assert_eq!(transmitter.lost.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_end_of_the_channel_is_told_after_the_last_frame() {
        let (guest, helper) = pair().expect("a socket pair");
        let mut receiver = Receiver::new();
        assert_eq!(receiver.receive(&guest).err(), Some(Errno::AGAIN));
        transmitter(helper).transmit(&[1; 60]);
        let batch = receiver.receive(&guest).expect("a frame");
        assert_eq!(batch.frames().count(), 1);
        let batch = receiver.receive(&guest).expect("the end");
        assert!(batch.is_end());
    }

    #[test]
    fn a_message_that_is_too_long_is_passed_over() {
        let (guest, helper) = pair().expect("a socket pair");
        let flags = SendFlags::empty();
        rustix::net::send(&helper, &vec![1; LONGEST_MESSAGE + 1], flags).expect("room");
        rustix::net::send(&helper, &[2; 20], flags).expect("room");
        let mut receiver = Receiver::new();
        let batch = receiver.receive(&guest).expect("frames");
        let frames: Vec<_> = batch.frames().collect();
        assert_eq!(frames, [&[2; 20][..]]);
    }
}
