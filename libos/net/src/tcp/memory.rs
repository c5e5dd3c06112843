//! How much memory buffers take: bounded in total, generous to few, modest to many.
//!
//! A buffer is chosen when a connection opens or wakes up: as long as its options allow, but no longer than a
//! share that falls with the number of busy connections, and with the cube of what is left of the total. So a few get
//! what they ask for, and the more there are, the less the next one gets: of 64 MiB, the first may have buffers of
//! 1 MiB, the hundredth of 32 KiB, the thousandth of 4 KiB. Quiet connections have none at all, so that among
//! thousands of them a busy one is as well off as if it were alone.
//!
//! The engines of a few connections that ended are kept, with their buffers, for the next ones: it spares the
//! allocator and page faults where connections come and go quickly. They belong to the same owner; what they held is
//! never shown, because a ring shows only what was put into it.
//!
//! Buffers are allocated zeroed and touched only as data comes: where the allocator takes
//! large zeroed allocations from untouched pages, an unused buffer costs addresses, not memory.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::engine::{Current, Engine};

/// Where buffers come from: so many bytes, zeroed; none if there is no memory.
pub type Allocate = fn(usize) -> Option<Vec<u8>>;

/// From the global allocator, by `alloc_zeroed`.
pub fn allocate_zeroed(len: usize) -> Option<Vec<u8>> {
    Some(vec![0; len])
}

/// The least buffer, in bytes.
const LEAST: usize = 4096;

/// Default for the total, in bytes.
const TOTAL: usize = 64 << 20;

/// The longest buffer, in bytes, however large the total is.
const LONGEST: usize = 1 << 20;

/// The least total, in bytes: Linux's tcp_init_mem() leaves 192 pages at least, which would be 96 connections here.
const LEAST_TOTAL: usize = 4 << 20;

/// The total that fits a machine with so many bytes of memory: 3/32 of it, the third figure of Linux's tcp_mem.
pub fn buffers_for(memory: usize) -> usize {
    (memory / 32 * 3).max(LEAST_TOTAL)
}

/// Most engines that are kept, and the most bytes of all their buffers.
const MOST_SPARE: usize = 16;
const MOST_SPARE_LEN: usize = 4 << 20;

/// Account of the buffers in use.
#[derive(Debug)]
pub(crate) struct Memory {
    used: usize,
    /// Connections that have buffers.
    busy: usize,
    total: usize,
    allocate: Allocate,
    spare: Vec<Spare>,
    /// Bytes of the spare engines' buffers, which are not in use.
    spare_len: usize,
}

/// An engine that ended. It keeps its place in memory, from connection to connection.
type Spare = Box<Current>;

/// What a connection gets.
pub(crate) enum Provision {
    /// An engine that ended, to be opened again.
    Engine(Spare),
    /// A receive and a send buffer.
    Buffers(Vec<u8>, Vec<u8>),
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            used: 0,
            busy: 0,
            total: TOTAL,
            allocate: allocate_zeroed,
            spare: Vec::new(),
            spare_len: 0,
        }
    }
}

impl Memory {
    pub fn set(&mut self, total: usize, allocate: Allocate) {
        self.total = total;
        self.allocate = allocate;
    }

    pub fn used(&self) -> usize {
        self.used
    }

    /// Whether three quarters are in use: idle connections should give theirs back.
    pub fn is_tight(&self) -> bool {
        self.used > self.total / 4 * 3
    }

    /// Whether another connection may begin.
    pub fn has_room(&self) -> bool {
        self.used + 2 * LEAST <= self.total
    }

    /// A receive and a send buffer of at most these lengths.
    pub fn take(&mut self, receive: usize, send: usize) -> Option<Provision> {
        if !self.has_room() {
            return None;
        }
        let share = self.share();
        // Powers of two, so that what one leaves fits the next.
        let fair = |wanted: usize| floor(wanted.min(share)).max(LEAST);
        let (receive, send) = (fair(receive), fair(send));
        self.used += receive + send;
        self.busy += 1;
        let fits =
            |engine: &Spare| engine.receive_capacity() == receive && engine.send_capacity() == send;
        if let Some(at) = self.spare.iter().position(fits) {
            self.spare_len -= receive + send;
            return Some(Provision::Engine(self.spare.swap_remove(at)));
        }
        if self.is_tight() {
            // What nobody uses goes first.
            self.spare.clear();
            self.spare_len = 0;
        }
        let buffers = (self.allocate)(receive).zip((self.allocate)(send));
        let Some((receive, send)) = buffers else {
            self.used -= receive + send;
            self.busy -= 1;
            return None;
        };
        Some(Provision::Buffers(receive, send))
    }

    /// The longest buffer that a connection would get now; nothing if there is no room.
    pub fn fair_share(&self) -> usize {
        if self.has_room() {
            self.share().max(LEAST)
        } else {
            0
        }
    }

    fn share(&self) -> usize {
        let left = self.total - self.used;
        // In 1024ths, so that the cube fits.
        let part = left / (self.total / 1024).max(1);
        let cube = (part * part * part) >> 10;
        let of_rest = LONGEST.min(self.total / 8).saturating_mul(cube) >> 20;
        // A lone connection is as fast in 64 MiB of memory as in any.
        let parts = match self.busy {
            0 => 8,
            busy => busy.saturating_mul(16),
        };
        of_rest.min(self.total / parts)
    }

    /// A connection needs its engine no more.
    pub fn give_back(&mut self, engine: Box<Current>) {
        let len = engine.receive_capacity() + engine.send_capacity();
        self.used = self.used.saturating_sub(len);
        self.busy = self.busy.saturating_sub(1);
        let fits = self.spare_len + len <= MOST_SPARE_LEN.min(self.total / 8);
        if fits && self.spare.len() < MOST_SPARE && engine.can_reopen() {
            self.spare_len += len;
            self.spare.push(engine);
        }
    }
}

/// The power of two below or at `len`.
fn floor(len: usize) -> usize {
    len.checked_ilog2().map_or(0, |bits| 1 << bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_get_all_and_many_get_little() {
        let mut memory = Memory::default();
        let mib = 1 << 20;
        let mut least = mib;
        let mut count = 0;
        while let Some(Provision::Buffers(receive, send)) = memory.take(mib, mib) {
            assert_eq!(receive.len(), send.len());
            assert!(count > 0 || receive.len() == mib, "{}", receive.len());
            assert!(receive.len() <= least, "it never grows");
            least = receive.len();
            count += 1;
        }
        assert_eq!(least, LEAST);
        assert!(count > 1000, "{count}");
        assert!(memory.used() <= TOTAL);
    }

    #[test]
    fn the_total_follows_the_memory() {
        let mib = 1 << 20;
        assert_eq!(buffers_for(0), LEAST_TOTAL);
        assert_eq!(buffers_for(64 * mib), 6 * mib);
        assert_eq!(buffers_for(4096 * mib), 384 * mib);
        assert!(buffers_for(usize::MAX) <= usize::MAX / 10);
    }

    #[test]
    fn a_large_total_makes_more_buffers_and_not_longer_ones() {
        let mib = 1 << 20;
        let count = |total| {
            let mut memory = Memory::default();
            memory.set(total, |_| Some(Vec::new()));
            let first = floor(memory.fair_share());
            let many = core::iter::from_fn(|| memory.take(mib, mib)).take(2000);
            (first, many.count())
        };
        assert_eq!(count(384 * mib), (mib, 2000));
        // 256 MiB of memory: one connection has what it would have in a larger machine.
        let (first, many) = count(buffers_for(256 * mib));
        assert_eq!(first, mib);
        assert!(many > 500, "{many}");
        let (first, many) = count(buffers_for(64 * mib));
        assert_eq!(first, mib / 2);
        assert!((200..768).contains(&many), "a small one ends: {many}");
    }
}
