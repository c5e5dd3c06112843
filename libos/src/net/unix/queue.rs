//! What a socket has received and not yet read: a stream of bytes, or packets.
//!
//! Pure data. Both kinds are bounded by the sender, who asks for the room left under its own
//! SO_SNDBUF before it adds; packets are bounded in number too.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::pipe::ring::Ring;
use crate::net::message::{Ancillary, Received};
use crate::net::options::MAX_BUFFER;
use crate::net::unix::name::Name;
use crate::user::{Dest, Source};

/// Whether a receive takes what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// It does.
    Consume,
    /// MSG_PEEK: it only looks.
    Peek,
}

/// A stream. Control messages hang on the bytes that they were sent with: a receive never mixes
/// bytes from before such a place with bytes behind it.
pub struct StreamQueue {
    ring: Ring,
    /// Number of bytes ever taken: the position of the first byte in the ring.
    head: u64,
    attachments: VecDeque<Attachment>,
}

struct Attachment {
    /// Positions of the first byte and behind the last.
    start: u64,
    end: u64,
    ancillary: Ancillary,
}

impl Default for StreamQueue {
    fn default() -> Self {
        Self {
            ring: Ring::new(MAX_BUFFER),
            head: 0,
            attachments: VecDeque::new(),
        }
    }
}

impl StreamQueue {
    /// Bytes inside.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Adds up to `count` bytes; `ancillary` goes with them once at least one was added.
    ///
    /// # Errors
    /// EFAULT, ENOMEM.
    pub fn push(
        &mut self,
        source: &mut Source<'_>,
        count: usize,
        ancillary: &mut Ancillary,
    ) -> Result<usize> {
        let start = self.head + self.ring.len() as u64;
        let added = self.ring.push(source, count)?;
        if added > 0 && !ancillary.is_empty() {
            self.attach(start, start + added as u64, core::mem::take(ancillary));
        }
        Ok(added)
    }

    fn attach(&mut self, start: u64, end: u64, ancillary: Ancillary) {
        if let Some(last) = self.attachments.back_mut() {
            let same = last.ancillary.credentials == ancillary.credentials;
            let plain = last.ancillary.rights.is_none() && ancillary.rights.is_none();
            if plain && same && last.end == start {
                last.end = end;
                return;
            }
        }
        self.attachments.push_back(Attachment {
            start,
            end,
            ancillary,
        });
    }

    /// Moves bytes into `dest`, up to the next place where control messages hang.
    ///
    /// # Errors
    /// EFAULT; ETOOMANYREFS for a look at rights.
    pub fn take(&mut self, dest: &mut Dest<'_>, take: Take) -> Result<Received> {
        let mut received = Received::default();
        let limit = match self.attachments.front() {
            None => self.len() as u64,
            Some(first) if first.start > self.head => first.start - self.head,
            Some(first) => first.end - self.head,
        };
        let count = usize::try_from(limit).unwrap_or(usize::MAX).min(self.len());
        received.count = self.ring.copy_out(0, count, dest)?;
        received.full_len = received.count;
        if received.count > 0 {
            received.ancillary = self.detach(take)?;
        }
        if take == Take::Consume {
            self.ring.discard(received.count);
            self.head += received.count as u64;
        }
        Ok(received)
    }

    /// The control messages at the first byte. Credentials stay with the rest of their bytes,
    /// rights are given once.
    fn detach(&mut self, take: Take) -> Result<Ancillary> {
        let Some(first) = self.attachments.front_mut() else {
            return Ok(Ancillary::default());
        };
        if first.start > self.head {
            return Ok(Ancillary::default());
        }
        if take == Take::Peek {
            return first.ancillary.duplicate();
        }
        let found = self.attachments.pop_front();
        Ok(found.map(|found| found.ancillary).unwrap_or_default())
    }
}

/// One packet.
pub struct Packet {
    data: Vec<u8>,
    from: Option<Arc<Name>>,
    ancillary: Ancillary,
}

impl Packet {
    /// Copies a packet in.
    ///
    /// # Errors
    /// EFAULT if not all of it is readable, ENOMEM.
    pub fn new(
        source: &mut Source<'_>,
        from: Option<Arc<Name>>,
        ancillary: Ancillary,
    ) -> Result<Self> {
        let len = source.left();
        let mut data = Vec::new();
        data.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
        data.resize(len, 0);
        if source.take(&mut data)? < len {
            return Err(Errno::EFAULT);
        }
        Ok(Self {
            data,
            from,
            ancillary,
        })
    }

    /// Length in bytes.
    pub fn size(&self) -> usize {
        self.data.len()
    }
}

/// Most packets that wait in one socket (`net.unix.max_dgram_qlen`).
const MAX_PACKETS: usize = 512;

/// Packets, in order.
#[derive(Default)]
pub struct PacketQueue {
    packets: VecDeque<Packet>,
    bytes: usize,
}

impl PacketQueue {
    /// Bytes inside.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether there is nothing to take. (A packet may have no bytes.)
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Whether a packet of `len` bytes fits under a limit of `limit` bytes. One always fits into an
    /// empty queue.
    pub fn admits(&self, len: usize, limit: usize) -> bool {
        self.packets.is_empty() || (self.bytes + len <= limit && self.packets.len() < MAX_PACKETS)
    }

    /// Adds a packet.
    pub fn push(&mut self, packet: Packet) {
        self.bytes += packet.size();
        self.packets.push_back(packet);
    }

    /// Length of the first packet.
    pub fn first_len(&self) -> Option<usize> {
        self.packets.front().map(Packet::size)
    }

    /// Moves the first packet into `dest`; what does not fit is dropped. The packet must be there.
    ///
    /// # Errors
    /// EFAULT; ETOOMANYREFS for a look at rights.
    pub fn take(&mut self, dest: &mut Dest<'_>, take: Take) -> Result<Received> {
        let packet = self.packets.front_mut().ok_or(Errno::EAGAIN)?;
        let mut received = Received {
            count: dest.put(&packet.data)?,
            full_len: packet.size(),
            end_of_record: true,
            from: packet.from.as_ref().map(|name| name.to_raw()),
            ..Received::default()
        };
        if take == Take::Peek {
            received.ancillary = packet.ancillary.duplicate()?;
        } else if let Some(packet) = self.packets.pop_front() {
            self.bytes -= packet.size();
            received.ancillary = packet.ancillary;
        }
        Ok(received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::message::Credentials;

    fn credentials(pid: i32) -> Ancillary {
        Ancillary {
            credentials: Some(Credentials {
                pid,
                uid: 0,
                gid: 0,
            }),
            ..Ancillary::default()
        }
    }

    fn push(queue: &mut StreamQueue, bytes: &[u8], mut ancillary: Ancillary) {
        let added = queue.push(&mut Source::kernel(bytes), bytes.len(), &mut ancillary);
        assert_eq!(added, Ok(bytes.len()));
    }

    fn take(queue: &mut StreamQueue, max: usize, how: Take) -> (Vec<u8>, Option<i32>) {
        let mut buffer = std::vec![0; max];
        let received = queue
            .take(&mut Dest::kernel(&mut buffer), how)
            .expect("kernel memory");
        buffer.truncate(received.count);
        let sender = received.ancillary.credentials;
        (buffer, sender.map(|sender| sender.pid))
    }

    #[test]
    fn control_messages_stay_with_their_bytes() {
        let mut queue = StreamQueue::default();
        push(&mut queue, b"plain", Ancillary::default());
        push(&mut queue, b"marked", credentials(7));
        push(&mut queue, b"after", Ancillary::default());
        assert_eq!(
            take(&mut queue, 99, Take::Consume),
            (b"plain".to_vec(), None)
        );
        assert_eq!(
            take(&mut queue, 99, Take::Peek),
            (b"marked".to_vec(), Some(7))
        );
        assert_eq!(
            take(&mut queue, 3, Take::Consume),
            (b"mar".to_vec(), Some(7))
        );
        assert_eq!(
            take(&mut queue, 99, Take::Consume),
            (b"kedafter".to_vec(), None)
        );
        assert!(queue.is_empty());
    }

    #[test]
    fn equal_credentials_share_one_place() {
        let mut queue = StreamQueue::default();
        for _ in 0..100 {
            push(&mut queue, b"x", credentials(1));
        }
        assert_eq!(queue.attachments.len(), 1);
        assert_eq!(take(&mut queue, 200, Take::Consume).0.len(), 100);
    }

    #[test]
    fn packets_are_cut_and_bounded() {
        let mut queue = PacketQueue::default();
        let packet = |bytes: &[u8]| {
            Packet::new(&mut Source::kernel(bytes), None, Ancillary::default())
                .expect("kernel memory")
        };
        assert!(queue.admits(1000, 10), "an empty queue takes anything");
        queue.push(packet(b"hello"));
        queue.push(packet(b""));
        assert!(!queue.admits(6, 10) && queue.admits(5, 10));
        let mut buffer = [0; 3];
        let received = queue
            .take(&mut Dest::kernel(&mut buffer), Take::Consume)
            .expect("a packet");
        assert_eq!((received.count, received.full_len), (3, 5));
        assert_eq!((queue.len(), queue.first_len()), (0, Some(0)));
        assert!(!queue.is_empty());
        for _ in 0..MAX_PACKETS {
            queue.push(packet(b""));
        }
        assert!(!queue.admits(0, 10));
    }
}
