//! The bytes that a loopback connection holds for one of its sides.
//!
//! Pure data: a list of chunks that grows with what comes and shrinks with what is read. An empty queue
//! holds at most one small chunk, so that a ping-pong touches the same cache lines again and again,
//! and an idle connection costs next to nothing. Larger chunks come from a pool and go back to it last
//! in, first out: a bulk transfer runs through a few warm ones.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::sync::SpinLock;
use crate::user::{Dest, Source};

/// Size of the chunk that an empty queue keeps, in bytes.
const SMALL: usize = 512;

/// Size of a chunk for a few messages.
const MEDIUM: usize = 4096;

/// Size of a chunk for bulk, which is pooled.
const LARGE: usize = 64 * 1024;

/// Bytes that each of the two pools keeps at most.
const POOLED: usize = 4 << 20;

/// Chunks of [`MEDIUM`] and of [`LARGE`] size that wait for use.
static POOLS: SpinLock<[Vec<Box<[u8]>>; 2]> = SpinLock::new([Vec::new(), Vec::new()]);

/// Which pool chunks of `size` go to; small ones are not worth it.
fn pool_of(size: usize) -> Option<usize> {
    match size {
        MEDIUM => Some(0),
        LARGE => Some(1),
        _ => None,
    }
}

/// A run of bytes within a buffer.
struct Chunk {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Chunk {
    /// A chunk for at least `wanted` bytes, as far as chunks go.
    fn new(wanted: usize) -> Result<Self> {
        let size = match wanted {
            wanted if wanted <= SMALL => SMALL,
            wanted if wanted <= MEDIUM => MEDIUM,
            _ => LARGE,
        };
        let pooled = pool_of(size).and_then(|pool| POOLS.lock()[pool].pop());
        let bytes = match pooled {
            Some(bytes) => bytes,
            None => allocate(size)?,
        };
        Ok(Self {
            bytes,
            start: 0,
            end: 0,
        })
    }

    fn recycle(self) {
        let size = self.bytes.len();
        let Some(pool) = pool_of(size) else { return };
        let mut pools = POOLS.lock();
        if pools[pool].len() < POOLED / size {
            pools[pool].push(self.bytes);
        }
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    fn room(&self) -> usize {
        self.bytes.len() - self.end
    }
}

fn allocate(size: usize) -> Result<Box<[u8]>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(size, 0);
    Ok(bytes.into_boxed_slice())
}

/// A queue of bytes.
#[derive(Default)]
pub struct ByteQueue {
    chunks: VecDeque<Chunk>,
    len: usize,
}

impl ByteQueue {
    /// Nothing.
    pub const fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            len: 0,
        }
    }

    /// Bytes inside.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing inside.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds up to `count` bytes from `source`; returns how many.
    ///
    /// # Errors
    /// EFAULT, ENOMEM if not even one byte could be added.
    pub fn push(&mut self, source: &mut Source<'_>, count: usize) -> Result<usize> {
        let count = count.min(source.left());
        let mut added = 0;
        while added < count {
            match self.push_run(source, count - added) {
                Ok(0) => break,
                Ok(more) => added += more,
                Err(error) if added == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(added)
    }

    fn push_run(&mut self, source: &mut Source<'_>, count: usize) -> Result<usize> {
        if self.chunks.back().is_none_or(|last| last.room() == 0) {
            // Many small writes that nobody reads end up in large chunks too.
            self.chunks.push_back(Chunk::new(count.max(self.len))?);
        }
        let Some(last) = self.chunks.back_mut() else {
            return Ok(0);
        };
        let end = last.end + count.min(last.room());
        let taken = source.take(&mut last.bytes[last.end..end])?;
        last.end += taken;
        self.len += taken;
        Ok(taken)
    }

    /// Moves as many bytes into `dest` as it takes, at most `most`; returns how many.
    ///
    /// # Errors
    /// EFAULT if not even one byte could be moved.
    pub fn pop(&mut self, dest: &mut Dest<'_>, most: usize) -> Result<usize> {
        let mut moved = 0;
        while let Some(first) = self.chunks.front().filter(|first| first.len() > 0) {
            let end = first.end.min(first.start.saturating_add(most - moved));
            let run = &first.bytes[first.start..end];
            if run.is_empty() {
                break;
            }
            let wanted = run.len();
            match dest.put(run) {
                Ok(put) => {
                    self.consume(put);
                    moved += put;
                    if put < wanted {
                        break;
                    }
                }
                Err(error) if moved == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(moved)
    }

    /// Copies bytes from position `skip` on into `dest` without taking them; returns how many.
    ///
    /// # Errors
    /// EFAULT if not even one byte could be copied.
    pub fn peek(&self, mut skip: usize, dest: &mut Dest<'_>) -> Result<usize> {
        let mut copied = 0;
        for chunk in &self.chunks {
            let run = &chunk.bytes[chunk.start..chunk.end];
            let run = &run[skip.min(run.len())..];
            skip = skip.saturating_sub(chunk.len());
            match dest.put(run) {
                Ok(put) => {
                    copied += put;
                    if put < run.len() {
                        break;
                    }
                }
                Err(error) if copied == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(copied)
    }

    /// Drops up to `count` bytes; returns how many.
    pub fn discard(&mut self, count: usize) -> usize {
        let mut left = count.min(self.len);
        let dropped = left;
        while left > 0 {
            let Some(first) = self.chunks.front() else {
                break;
            };
            let some = first.len().min(left);
            self.consume(some);
            left -= some;
        }
        dropped
    }

    /// Drops everything and its memory.
    pub fn clear(&mut self) {
        self.len = 0;
        for chunk in core::mem::take(&mut self.chunks) {
            chunk.recycle();
        }
    }

    /// Moves past `count` bytes of the first chunk; a chunk that is done goes, but for a small one
    /// that is the last.
    fn consume(&mut self, count: usize) {
        self.len -= count;
        let is_last = self.chunks.len() == 1;
        let Some(first) = self.chunks.front_mut() else {
            return;
        };
        first.start += count;
        if first.start < first.end {
            return;
        }
        if is_last && first.bytes.len() == SMALL {
            (first.start, first.end) = (0, 0);
        } else if let Some(done) = self.chunks.pop_front() {
            done.recycle();
        }
    }
}

impl Drop for ByteQueue {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &mut ByteQueue, bytes: &[u8]) -> usize {
        queue
            .push(&mut Source::kernel(bytes), usize::MAX)
            .expect("kernel memory")
    }

    fn pop(queue: &mut ByteQueue, max: usize) -> Vec<u8> {
        let mut buffer = std::vec![0; max];
        let count = queue
            .pop(&mut Dest::kernel(&mut buffer), usize::MAX)
            .expect("kernel memory");
        buffer.truncate(count);
        buffer
    }

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at % 251).to_le_bytes()[0]).collect()
    }

    #[test]
    fn bytes_come_out_in_order_whatever_the_sizes() {
        let data = pattern(300_000);
        for (write, read) in [(1, 1), (100, 7), (700, 512), (5000, 70_000), (100_000, 999)] {
            let mut queue = ByteQueue::new();
            let mut out = Vec::new();
            for part in data.chunks(write) {
                assert_eq!(push(&mut queue, part), part.len());
                out.extend(pop(&mut queue, read));
            }
            while !queue.is_empty() {
                out.extend(pop(&mut queue, read));
            }
            assert!(out == data, "writes of {write}, reads of {read}");
        }
    }

    #[test]
    fn an_empty_queue_keeps_a_small_chunk_only() {
        let mut queue = ByteQueue::new();
        push(&mut queue, b"hello");
        pop(&mut queue, 9);
        assert_eq!(queue.chunks.len(), 1);
        push(&mut queue, &pattern(200_000));
        pop(&mut queue, 300_000);
        assert!(queue.is_empty() && queue.chunks.is_empty());
    }

    #[test]
    fn many_small_writes_share_chunks() {
        let mut queue = ByteQueue::new();
        for _ in 0..100_000 {
            push(&mut queue, b"x");
        }
        assert!(queue.chunks.len() < 9, "{} chunks", queue.chunks.len());
    }

    #[test]
    fn peeking_takes_nothing_and_discarding_takes_unseen() {
        let mut queue = ByteQueue::new();
        let data = pattern(10_000);
        data.chunks(1000).for_each(|part| {
            push(&mut queue, part);
        });
        let mut buffer = [0; 3000];
        for skip in [0, 511, 512, 513, 5000] {
            let count = queue.peek(skip, &mut Dest::kernel(&mut buffer));
            assert_eq!(count, Ok(3000));
            assert_eq!(buffer, data[skip..skip + 3000], "from {skip}");
        }
        assert_eq!(queue.peek(9999, &mut Dest::kernel(&mut buffer)), Ok(1));
        assert_eq!(queue.peek(20_000, &mut Dest::kernel(&mut buffer)), Ok(0));
        assert_eq!(queue.discard(9000), 9000);
        assert_eq!(pop(&mut queue, 2000), data[9000..]);
        assert_eq!(queue.discard(1), 0);
    }
}
