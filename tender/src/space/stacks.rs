//! Stacks, each with an inaccessible page below it.
//!
//! All lie in one mapping. Every guard costs a call and a split of that mapping (about 2.5 µs), which
//! is why there are few: they are start-up time of every program, used by those with threads. Threads
//! beyond the slots get memory of the libOS, without a guard of the host's.

use super::region;
use crate::error::Error;
use crate::image::PAGE;
use libos_abi::boot::{Span, StackZone};
use rustix::mm::ProtFlags;

/// Length of the initial thread's stack, in bytes: Linux's usual RLIMIT_STACK.
const MAIN_LEN: u64 = 8 << 20;
/// Length of the stack on which the libOS starts, in bytes.
const BOOT_LEN: u64 = 256 << 10;
/// Length of the stack on which host signals arrive, in bytes.
const SIGNAL_LEN: u64 = 64 << 10;

/// Slack in a slot for what the thread library adds to the stack that it was asked for (its guard,
/// its thread descriptor and thread-local data), in bytes.
const SLACK: u64 = 64 << 10;

/// Length of the stacks that a zone's slots are made for, in bytes, and how many slots.
const ZONES: [(u64, u64); 3] = [
    // Rust's threads.
    (2 << 20, 8),
    // C's threads under the usual RLIMIT_STACK.
    (8 << 20, 4),
    // Small ones: musl, Go, programs that choose.
    (256 << 10, 4),
];

/// Where the stacks are.
#[derive(Debug)]
pub struct Stacks {
    /// The initial thread's, without its guard.
    pub main: Span,
    /// The libOS's at start, without its guard.
    pub boot: Span,
    /// The alternate signal stack, without its guard.
    pub signal: Span,
    /// Slots for threads; empty if the host has no room for them.
    pub zones: Vec<StackZone>,
}

/// Lays out all stacks.
///
/// # Errors
/// [`Error::System`].
pub fn map() -> Result<Stacks, Error> {
    let singles: u64 = [BOOT_LEN, SIGNAL_LEN, MAIN_LEN]
        .iter()
        .map(|len| len + PAGE)
        .sum();
    let zones: u64 = ZONES.iter().map(|(len, count)| (len + SLACK) * count).sum();
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // Under a tight RLIMIT_AS, or strict overcommit, single-threaded programs go on without slots.
    let (all, has_zones) = match region::anywhere(singles + zones, protection) {
        Ok(all) => (all, true),
        Err(_) => {
            let all = region::anywhere(singles, protection)
                .map_err(|source| region::failed("mmap(2) of stacks", source))?;
            (all, false)
        }
    };
    let mut cursor = Cursor(all.start);
    Ok(Stacks {
        boot: cursor.single(BOOT_LEN)?,
        signal: cursor.single(SIGNAL_LEN)?,
        main: cursor.single(MAIN_LEN)?,
        zones: if has_zones {
            cursor.zones()?
        } else {
            Vec::new()
        },
    })
}

/// Next free address of the mapping.
struct Cursor(u64);

impl Cursor {
    /// A guard page, then a stack of `len` bytes.
    fn single(&mut self, len: u64) -> Result<Span, Error> {
        self.guard()?;
        let start = self.0 + PAGE;
        self.0 = start + len;
        Ok(Span { start, len })
    }

    fn zones(&mut self) -> Result<Vec<StackZone>, Error> {
        let zones = ZONES
            .iter()
            .map(|&(len, count)| self.zone(len + SLACK, count));
        zones.collect()
    }

    fn zone(&mut self, stride: u64, count: u64) -> Result<StackZone, Error> {
        let base = self.0;
        for _ in 0..count {
            self.guard()?;
            self.0 += stride;
        }
        Ok(StackZone {
            base,
            stride,
            guard: PAGE,
            count,
        })
    }

    fn guard(&self) -> Result<(), Error> {
        let page = Span {
            start: self.0,
            len: PAGE,
        };
        // SAFETY: the page lies in the mapping made above, which nothing refers to yet.
        unsafe { region::guard(page) }
    }
}
