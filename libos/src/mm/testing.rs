//! Helpers for host tests: a region of zeroed memory, and a small random generator.

use std::alloc::{Layout, alloc_zeroed, dealloc};

use libos_abi::PAGE_SIZE;

/// Page-aligned memory that reads as zero and is not touched before it is used.
pub struct Region {
    /// First address.
    pub start: usize,
    /// Length in bytes.
    pub len: usize,
    base: *mut u8,
}

impl Region {
    /// Reserves `len` bytes; at least 64 MiB, so that the C library maps fresh pages for it instead
    /// of clearing some that were freed.
    pub fn new(len: usize) -> Self {
        let len = len.max(64 << 20);
        // SAFETY: the size is not 0.
        let base = unsafe { alloc_zeroed(Self::layout(len)) };
        assert!(!base.is_null(), "{len} bytes of host memory");
        let start = (base as usize).next_multiple_of(PAGE_SIZE);
        Self { start, len, base }
    }

    /// With alignment 16 the allocator uses calloc, which leaves fresh pages alone.
    fn layout(len: usize) -> Layout {
        Layout::from_size_align(len + PAGE_SIZE, 16).expect("a valid layout")
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.base, Self::layout(self.len)) };
    }
}

/// A repeatable sequence of numbers (xorshift64*).
pub struct Random(u64);

impl Random {
    /// A sequence for `seed`, which is not 0.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number in `0..bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.number() >> 16).expect("48 bits") % bound
    }
}
