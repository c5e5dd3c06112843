//! Frames that the device had no room for, in order and bounded.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::device::{Device, Transmitted};

/// Most bytes that wait; a frame more is dropped. Transports hold back as soon as one waits, so
/// that these are the rest of a cut packet, and answers of the stack's own.
const MOST_BYTES: usize = 1 << 20;

/// Most frames that wait.
const MOST_FRAMES: usize = 1024;

/// The frames.
#[derive(Debug, Default)]
pub(crate) struct TransmitQueue {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Gone.
    Now,
    /// It waits.
    Later,
    /// There was no room to wait.
    Dropped,
}

impl TransmitQueue {
    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets what waits; tells how many.
    pub(crate) fn clear(&mut self) -> usize {
        self.bytes = 0;
        let count = self.frames.len();
        self.frames.clear();
        count
    }

    /// Hands `frame` to `device` unless others wait.
    pub(crate) fn send(&mut self, device: &mut dyn Device, frame: &[u8]) -> Sent {
        if self.frames.is_empty() && device.transmit(frame) == Transmitted::Done {
            return Sent::Now;
        }
        if self.frames.len() >= MOST_FRAMES || self.bytes + frame.len() > MOST_BYTES {
            return Sent::Dropped;
        }
        self.bytes += frame.len();
        self.frames.push_back(frame.to_vec());
        Sent::Later
    }

    /// Hands on what waits, as far as the device takes it; `gone` is told of each frame.
    pub(crate) fn flush(&mut self, device: &mut dyn Device, gone: &mut dyn FnMut(&[u8])) {
        while let Some(frame) = self.frames.front() {
            if device.transmit(frame) == Transmitted::Full {
                return;
            }
            gone(frame);
            self.bytes -= frame.len();
            self.frames.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Narrow {
        room: usize,
        taken: Vec<Vec<u8>>,
    }

    impl Device for Narrow {
        fn transmit(&mut self, frame: &[u8]) -> Transmitted {
            if self.room == 0 {
                return Transmitted::Full;
            }
            self.room -= 1;
            self.taken.push(frame.to_vec());
            Transmitted::Done
        }
    }

    #[test]
    fn frames_wait_in_order() {
        let mut device = Narrow {
            room: 1,
            taken: Vec::new(),
        };
        let mut queue = TransmitQueue::default();
        assert_eq!(queue.send(&mut device, b"a"), Sent::Now);
        assert_eq!(queue.send(&mut device, b"b"), Sent::Later);
        device.room = 1;
        assert_eq!(queue.send(&mut device, b"c"), Sent::Later, "behind b");
        queue.flush(&mut device, &mut |_| {});
        assert!(!queue.is_empty());
        device.room = 9;
        queue.flush(&mut device, &mut |_| {});
        assert!(queue.is_empty());
        assert_eq!(device.taken, [b"a", b"b", b"c"]);
    }

    #[test]
    fn they_are_bounded() {
        let mut device = Narrow {
            room: 0,
            taken: Vec::new(),
        };
        let mut queue = TransmitQueue::default();
        let large = [0; 65_000];
        let kept = (0..100).filter(|_| queue.send(&mut device, &large) == Sent::Later);
        assert_eq!(kept.count(), MOST_BYTES / large.len());
        assert_eq!(queue.clear(), MOST_BYTES / large.len());
        let kept = (0..2000).filter(|_| queue.send(&mut device, b"x") == Sent::Later);
        assert_eq!(kept.count(), MOST_FRAMES);
    }
}
