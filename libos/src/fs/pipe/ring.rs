//! The bytes of a pipe: a ring that grows on demand up to a capacity, with packet boundaries.
//!
//! Pure data; blocking and waking are the pipe's. Memory is taken as bytes arrive (doubling from
//! one page), so that an idle pipe costs nothing and a pipe of capacity C never more than C.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::user::{Dest, Source};

/// Unit in which capacity is counted, and the bound of an atomic write (PIPE_BUF).
pub const PAGE: usize = 4096;

/// A run of bytes that were written alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    len: usize,
    packet: bool,
}

/// A bounded ring of bytes.
pub struct Ring {
    bytes: Vec<u8>,
    head: usize,
    len: usize,
    capacity: usize,
    /// Empty while everything in the ring is a plain stream; else covers the ring exactly.
    segments: VecDeque<Segment>,
}

impl Ring {
    /// An empty ring that holds at most `capacity` bytes (a power of two, at least a page).
    pub const fn new(capacity: usize) -> Self {
        Self {
            bytes: Vec::new(),
            head: 0,
            len: 0,
            capacity,
            segments: VecDeque::new(),
        }
    }

    /// Number of bytes inside.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The most that fits.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many bytes can be added now. With packets inside, no more than a slot for each page of
    /// capacity is given out, which bounds the book-keeping.
    pub fn free(&self) -> usize {
        if self.segments.len() >= self.capacity / PAGE {
            return 0;
        }
        self.capacity - self.len
    }

    /// Changes the capacity.
    ///
    /// # Errors
    /// EBUSY if more is inside.
    pub fn set_capacity(&mut self, capacity: usize) -> Result<()> {
        if self.len > capacity || self.segments.len() > capacity / PAGE {
            return Err(Errno::EBUSY);
        }
        if self.bytes.len() > capacity {
            self.resize(capacity)?;
        }
        self.capacity = capacity;
        Ok(())
    }

    /// Adds up to `count` bytes from `source`, no more than are free, as a stream.
    ///
    /// # Errors
    /// EFAULT if no byte could be taken; ENOMEM.
    pub fn push(&mut self, source: &mut Source<'_>, count: usize) -> Result<usize> {
        let added = self.add(source, count)?;
        if !self.segments.is_empty() {
            self.mark(added, false);
        }
        Ok(added)
    }

    /// Adds up to `count` bytes as one packet.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_packet(&mut self, source: &mut Source<'_>, count: usize) -> Result<usize> {
        if self.segments.is_empty() && self.len > 0 {
            self.mark(self.len, false);
        }
        let added = self.add(source, count)?;
        self.mark(added, true);
        Ok(added)
    }

    /// Moves bytes into `dest`: a stream as far as it goes, at most one packet, whose rest is dropped.
    ///
    /// # Errors
    /// EFAULT if no byte could be put.
    pub fn pop(&mut self, dest: &mut Dest<'_>) -> Result<usize> {
        if self.segments.is_empty() {
            let moved = self.copy_out(0, self.len, dest)?;
            self.discard_bytes(moved);
            return Ok(moved);
        }
        self.pop_segments(dest)
    }

    /// Copies bytes from `skip` on into `buffer` without taking them; returns how many.
    pub fn peek(&self, skip: usize, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.len.saturating_sub(skip));
        self.copy_out(skip, count, &mut Dest::kernel(buffer))
            .unwrap_or(0)
    }

    /// Drops the first `count` bytes.
    pub fn discard(&mut self, count: usize) {
        let mut left = count.min(self.len);
        self.discard_bytes(left);
        while let Some(segment) = self.segments.front_mut() {
            if left < segment.len {
                segment.len -= left;
                break;
            }
            left -= segment.len;
            self.segments.pop_front();
        }
    }

    fn pop_segments(&mut self, dest: &mut Dest<'_>) -> Result<usize> {
        let mut total = 0;
        while let Some(segment) = self.segments.front().copied() {
            if dest.room() == 0 && !(segment.packet && total == 0) {
                break;
            }
            let moved = match self.copy_out(0, segment.len, dest) {
                Ok(moved) => moved,
                Err(error) if total == 0 => return Err(error),
                Err(_) => break,
            };
            total += moved;
            self.discard(if segment.packet { segment.len } else { moved });
            if segment.packet || moved < segment.len {
                break;
            }
        }
        Ok(total)
    }

    fn mark(&mut self, len: usize, packet: bool) {
        if len == 0 {
            return;
        }
        match self.segments.back_mut() {
            Some(last) if !packet && !last.packet => last.len += len,
            _ => self.segments.push_back(Segment { len, packet }),
        }
    }

    /// Where the byte `behind` the first lies, or would lie: at most the capacity behind it.
    #[inline(always)]
    fn place(&self, behind: usize) -> usize {
        let at = self.head + behind;
        // A division would take longer than the rest of a short read.
        if at < self.bytes.len() {
            at
        } else {
            at - self.bytes.len()
        }
    }

    #[inline(always)]
    fn discard_bytes(&mut self, count: usize) {
        self.len -= count;
        // Starting over at 0 keeps a ping-pong on the same cache line.
        self.head = if self.len == 0 { 0 } else { self.place(count) };
    }

    fn add(&mut self, source: &mut Source<'_>, count: usize) -> Result<usize> {
        let count = count.min(self.free()).min(source.left());
        self.reserve(self.len + count)?;
        let mut added = 0;
        while added < count {
            let at = self.place(self.len);
            let end = self.bytes.len().min(at + count - added);
            let wanted = end - at;
            match source.take(&mut self.bytes[at..end]) {
                Ok(taken) => {
                    self.len += taken;
                    added += taken;
                    if taken < wanted {
                        break;
                    }
                }
                Err(error) if added == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(added)
    }

    /// Copies `count` bytes from position `skip` on into `dest` without taking them, as far as they
    /// fit; returns how many. `skip + count` is within the ring.
    ///
    /// # Errors
    /// EFAULT if no byte could be put.
    pub fn copy_out(&self, skip: usize, count: usize, dest: &mut Dest<'_>) -> Result<usize> {
        let count = count.min(dest.room());
        let mut done = 0;
        while done < count {
            let at = self.place(skip + done);
            let end = self.bytes.len().min(at + count - done);
            match dest.put(&self.bytes[at..end]) {
                Ok(put) => {
                    done += put;
                    if put < end - at {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Makes room for `wanted` bytes in all (at most the capacity).
    fn reserve(&mut self, wanted: usize) -> Result<()> {
        if wanted <= self.bytes.len() {
            return Ok(());
        }
        let size = wanted.next_power_of_two().max(PAGE).min(self.capacity);
        self.resize(size)
    }

    fn resize(&mut self, size: usize) -> Result<()> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(size, 0);
        self.peek(0, &mut bytes);
        self.bytes = bytes;
        self.head = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(ring: &mut Ring, bytes: &[u8]) -> usize {
        ring.push(&mut Source::kernel(bytes), bytes.len())
            .expect("kernel memory")
    }

    fn packet(ring: &mut Ring, bytes: &[u8]) -> usize {
        ring.push_packet(&mut Source::kernel(bytes), bytes.len())
            .expect("kernel memory")
    }

    fn pop(ring: &mut Ring, max: usize) -> Vec<u8> {
        let mut buffer = std::vec![0; max];
        let count = ring
            .pop(&mut Dest::kernel(&mut buffer))
            .expect("kernel memory");
        buffer.truncate(count);
        buffer
    }

    #[test]
    fn bytes_come_out_in_order_across_the_wrap() {
        let mut ring = Ring::new(PAGE);
        let pattern: Vec<u8> = (0..=250).cycle().take(3000).collect();
        for _ in 0..20 {
            assert_eq!(push(&mut ring, &pattern), 3000);
            assert_eq!(pop(&mut ring, 1000), pattern[..1000]);
            assert_eq!(push(&mut ring, &pattern[..1000]), 1000);
            assert_eq!(pop(&mut ring, 2000), pattern[1000..]);
            assert_eq!(pop(&mut ring, 9000), pattern[..1000]);
        }
        assert!(ring.is_empty());
    }

    #[test]
    fn no_more_than_the_capacity_fits() {
        let mut ring = Ring::new(PAGE);
        assert_eq!(push(&mut ring, &[1; 5000]), PAGE);
        assert_eq!((ring.free(), push(&mut ring, b"x")), (0, 0));
    }

    #[test]
    fn memory_is_taken_on_demand() {
        let mut ring = Ring::new(16 * PAGE);
        push(&mut ring, b"x");
        assert_eq!(ring.bytes.len(), PAGE);
        push(&mut ring, &[0; 40_000]);
        assert_eq!(ring.bytes.len(), 16 * PAGE);
        assert_eq!(pop(&mut ring, 1), b"x");
    }

    #[test]
    fn shrinking_below_the_contents_is_refused() {
        let mut ring = Ring::new(4 * PAGE);
        push(&mut ring, &[7; 5000]);
        assert_eq!(ring.set_capacity(PAGE), Err(Errno::EBUSY));
        assert_eq!(ring.set_capacity(2 * PAGE), Ok(()));
        assert_eq!(pop(&mut ring, 9000), [7; 5000]);
    }

    #[test]
    fn a_read_takes_one_packet_and_drops_its_rest() {
        let mut ring = Ring::new(16 * PAGE);
        packet(&mut ring, b"hello");
        packet(&mut ring, b"world");
        assert_eq!(pop(&mut ring, 2), b"he");
        assert_eq!(pop(&mut ring, 99), b"world");
        assert!(ring.is_empty() && ring.segments.is_empty());
    }

    #[test]
    fn a_stream_before_a_packet_stays_a_stream() {
        let mut ring = Ring::new(16 * PAGE);
        push(&mut ring, b"ab");
        packet(&mut ring, b"cd");
        push(&mut ring, b"ef");
        push(&mut ring, b"gh");
        assert_eq!(pop(&mut ring, 1), b"a");
        assert_eq!(pop(&mut ring, 99), b"bcd");
        assert_eq!(pop(&mut ring, 99), b"efgh");
    }

    #[test]
    fn packets_are_bounded_by_slots() {
        let mut ring = Ring::new(2 * PAGE);
        packet(&mut ring, b"a");
        packet(&mut ring, b"b");
        assert_eq!(ring.free(), 0);
    }

    #[test]
    fn peeking_takes_nothing() {
        let mut ring = Ring::new(PAGE);
        push(&mut ring, b"abcdef");
        let mut part = [0; 3];
        assert_eq!(ring.peek(2, &mut part), 3);
        assert_eq!(&part, b"cde");
        ring.discard(5);
        assert_eq!(pop(&mut ring, 9), b"f");
    }
}
