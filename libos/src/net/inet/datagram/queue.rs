//! Datagrams that wait to be received, bounded by SO_RCVBUF.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// A datagram on its way to a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom: an address of ours, or of a group.
    pub to: SocketAddr,
    /// Index of the interface it came by.
    pub interface: u32,
    /// Hop limit when it arrived.
    pub hop_limit: u8,
    /// Traffic class.
    pub traffic_class: u8,
    /// Its bytes; those of several datagrams of equal length if `segment` says so.
    pub payload: Vec<u8>,
    /// Length of each datagram but the last, in bytes; 0 if there is one only.
    pub segment: usize,
    /// When it arrived, in nanoseconds since 1970; 0 if nobody asked.
    pub arrived_ns: u64,
}

impl Parcel {
    /// What it counts for: its bytes, and what Linux's book-keeping of the smallest packet takes
    /// (`SKB_TRUESIZE`), so that as many fit as there.
    fn charge(&self) -> usize {
        const OVERHEAD: usize = 768;
        self.payload.len() + OVERHEAD
    }
}

/// The queue of one socket.
#[derive(Debug, Default)]
pub struct ReceiveQueue {
    parcels: VecDeque<Parcel>,
    charged: usize,
    dropped: u32,
}

/// Most bytes that are received as one with UDP_GRO: what fits into one packet.
const LONGEST_TRAIN: usize = 65_507;

/// Most datagrams that are received as one with UDP_GRO (Linux's `UDP_MAX_SEGMENTS`).
const MOST_SEGMENTS: usize = 64;

impl ReceiveQueue {
    /// Takes `parcel` unless the queue is over `limit` bytes; says whether it did.
    pub fn push(&mut self, parcel: Parcel, limit: usize) -> bool {
        // As in Linux one packet may go beyond the limit, so that a small buffer takes a large one.
        if self.charged > limit {
            self.dropped = self.dropped.wrapping_add(1);
            return false;
        }
        self.charged += parcel.charge();
        self.parcels.push_back(parcel);
        true
    }

    /// As [`Self::push`], but joins `parcel` to the last one if both are of one train (UDP_GRO).
    pub fn push_joining(&mut self, parcel: Parcel, limit: usize) -> bool {
        if self.charged > limit {
            return self.push(parcel, limit);
        }
        let Some(last) = self.parcels.back_mut().filter(|last| joins(last, &parcel)) else {
            return self.push(parcel, limit);
        };
        if last.segment == 0 {
            last.segment = last.payload.len();
        }
        last.payload.extend_from_slice(&parcel.payload);
        self.charged += parcel.payload.len();
        true
    }

    /// The first, if there is one.
    pub fn first(&self) -> Option<&Parcel> {
        self.parcels.front()
    }

    /// Takes the first.
    pub fn pop(&mut self) -> Option<Parcel> {
        let first = self.parcels.pop_front()?;
        self.charged -= first.charge();
        Some(first)
    }

    /// Whether there is nothing to receive.
    pub fn is_empty(&self) -> bool {
        self.parcels.is_empty()
    }

    /// How many bytes it is charged with.
    pub fn charged(&self) -> usize {
        self.charged
    }

    /// How many datagrams were dropped for want of room.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Throws everything away.
    pub fn clear(&mut self) {
        self.parcels.clear();
        self.charged = 0;
    }
}

/// Whether `next` continues the train of `last`: same ends, same marks, and `last` has not ended with
/// a shorter datagram.
fn joins(last: &Parcel, next: &Parcel) -> bool {
    let marks = |parcel: &Parcel| {
        let Parcel {
            from,
            to,
            interface,
            hop_limit,
            traffic_class,
            ..
        } = *parcel;
        (from, to, interface, hop_limit, traffic_class)
    };
    let segment = match last.segment {
        0 => last.payload.len(),
        segment => segment,
    };
    segment > 0
        && next.segment == 0
        && !next.payload.is_empty()
        && next.payload.len() <= segment
        && last.payload.len().is_multiple_of(segment)
        && last.payload.len() / segment < MOST_SEGMENTS
        && last.payload.len() + next.payload.len() <= LONGEST_TRAIN
        && marks(last) == marks(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(len: usize) -> Parcel {
        Parcel {
            from: SocketAddr::from(([127, 0, 0, 1], 1)),
            to: SocketAddr::from(([127, 0, 0, 1], 2)),
            interface: 1,
            hop_limit: 64,
            traffic_class: 0,
            payload: std::vec![7; len],
            segment: 0,
            arrived_ns: 0,
        }
    }

    #[test]
    fn the_queue_is_bounded_and_counts_drops() {
        let mut queue = ReceiveQueue::default();
        let taken = (0..1000).filter(|_| queue.push(parcel(1), 212_992)).count();
        assert_eq!(taken, 277, "as many as Linux takes of one byte");
        assert_eq!(queue.dropped(), 1000 - 277);
        assert!(queue.pop().is_some() && queue.push(parcel(60_000), 212_992));
        queue.clear();
        assert_eq!((queue.charged(), queue.is_empty()), (0, true));
        assert!(queue.push(parcel(60_000), 100), "one always fits");
    }

    #[test]
    fn trains_are_joined_until_a_shorter_one() {
        let mut queue = ReceiveQueue::default();
        for len in [100, 100, 100, 40, 100] {
            assert!(queue.push_joining(parcel(len), 10_000));
        }
        let first = queue.pop().expect("the train");
        assert_eq!((first.payload.len(), first.segment), (340, 100));
        let second = queue.pop().expect("what came after");
        assert_eq!((second.payload.len(), second.segment), (100, 0));
        assert_eq!(queue.charged(), 0);
    }

    #[test]
    fn other_senders_and_longer_datagrams_are_not_joined() {
        let mut queue = ReceiveQueue::default();
        let mut other = parcel(10);
        other.from.set_port(9);
        for next in [parcel(10), other, parcel(20), parcel(0), parcel(5)] {
            assert!(queue.push_joining(next, 10_000));
        }
        let lens: Vec<_> = core::iter::from_fn(|| queue.pop())
            .map(|parcel| parcel.payload.len())
            .collect();
        assert_eq!(lens, [10, 10, 20, 0, 5]);
    }

    #[test]
    fn trains_are_bounded() {
        let mut queue = ReceiveQueue::default();
        for _ in 0..65 {
            assert!(queue.push_joining(parcel(1400), 1 << 20));
        }
        let first = queue.pop().expect("a train");
        assert!(first.payload.len() <= LONGEST_TRAIN);
        assert_eq!(first.payload.len(), 46 * 1400);
    }
}
