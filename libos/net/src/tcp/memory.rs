//! How much memory buffers take: bounded in total, generous to few, modest to many.
//!
//! A buffer is chosen when a connection opens or wakes up: as long as its options allow, but no longer than a
//! share that falls with the cube of what is left of the total. So a few connections get what they ask
//! for, and the more there are, the less a new one gets: of 64 MiB, the first gets buffers of 1 MiB, the hundredth of
//! 50 KiB, the thousandth of 4 KiB. Quiet connections have none at all.
//!
//! Buffers are allocated zeroed and touched only as data comes: where the allocator takes
//! large zeroed allocations from untouched pages, an unused buffer costs addresses, not memory.

use alloc::vec;
use alloc::vec::Vec;

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

/// Account of the buffers in use.
#[derive(Debug)]
pub(crate) struct Memory {
    used: usize,
    total: usize,
    allocate: Allocate,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            used: 0,
            total: TOTAL,
            allocate: allocate_zeroed,
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
    pub fn take(&mut self, receive: usize, send: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        if !self.has_room() {
            return None;
        }
        let share = self.share();
        let fair = |wanted: usize| wanted.min(share).max(LEAST);
        let receive = (self.allocate)(fair(receive))?;
        let send = (self.allocate)(fair(send))?;
        self.used += receive.len() + send.len();
        Some((receive, send))
    }

    fn share(&self) -> usize {
        let left = self.total - self.used;
        // In 1024ths, so that the cube fits.
        let part = left / (self.total / 1024).max(1);
        let cube = (part * part * part) >> 10;
        (self.total / 64).saturating_mul(cube) >> 20
    }

    /// Buffers of so many bytes in all are gone.
    pub fn give_back(&mut self, len: usize) {
        self.used = self.used.saturating_sub(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_get_all_and_many_get_little() {
        let mut memory = Memory::default();
        let mib = 1 << 20;
        let (receive, send) = memory.take(mib, mib).expect("there is room");
        assert_eq!((receive.len(), send.len()), (mib, mib));
        let mut least = mib;
        let mut count = 0;
        while let Some((receive, _)) = memory.take(mib, mib) {
            assert!(receive.len() <= least, "it never grows");
            least = receive.len();
            count += 1;
        }
        assert_eq!(least, LEAST);
        assert!(count > 1000, "{count}");
        assert!(memory.used() <= TOTAL);
        memory.give_back(2 * mib);
        assert!(memory.take(mib, mib).is_some());
    }
}
