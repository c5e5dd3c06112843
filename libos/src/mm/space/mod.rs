//! The application's address space.
//!
//! [`AddressSpace`] keeps what is mapped ([`VmaMap`]), which addresses are free ([`FreeSpace`]) and
//! which were ever used ([`RangeSet`]). Its operations are in one file each: [`map`] (mmap, munmap),
//! [`protect`], [`remap`], [`heap`] (brk), [`advise`]. They take checked arguments: the system-call
//! layer decodes and rounds.
//!
//! Protection is bookkeeping. What the CPU enforces was laid out by the tender: the image's segments
//! and the stack slots' guards have the protection that they show; everything else is readable and
//! writable, whatever the books say. The libOS itself keeps to the books: a system call with a
//! pointer into memory that the books forbid answers EFAULT.
//!
//! What this does not do: read files (the callers fill file mappings), and block.

pub mod advise;
pub mod heap;
pub mod map;
pub mod protect;
pub mod remap;
mod segments;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use libos_abi::PAGE_SIZE;
use libos_abi::boot::StackZone;

use crate::errno::{Errno, Result};
use crate::mm::Access;
use crate::mm::budget::Budget;
use crate::mm::extent::Extent;
use crate::mm::range_set::RangeSet;
use crate::mm::stack_slots::StackSlots;
use crate::mm::va::FreeSpace;
use crate::mm::vma::{Backing, Prot, Vma, VmaFlags, VmaMap};
use crate::mm::zero;

pub use segments::Segment;

/// Most mappings at once (Linux's default for vm.max_map_count).
pub const MAX_MAP_COUNT: usize = 65_530;

/// What an operation took out of the books. Drop it without the address space's lock: the last
/// reference to a file may go with it.
#[derive(Default)]
pub struct Removed(Vec<Backing>);

impl Removed {
    fn push(&mut self, backing: Backing) {
        if matches!(backing, Backing::File(..)) {
            self.0.push(backing);
        }
    }

    /// Adds what another operation took out.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

/// Memory that the tender mapped with a protection of its own.
#[derive(Clone, Copy, Debug)]
struct Fixed {
    extent: Extent,
    /// What the CPU lets the application do there.
    hard: Prot,
}

/// A mapping that was asked about lately.
#[derive(Clone, Copy)]
struct Hit {
    extent: Extent,
    prot: Prot,
}

const NO_HIT: Hit = Hit {
    extent: Extent::new(0, 0),
    prot: Prot::empty(),
};

/// How many mappings are remembered: typically a stack, the heap, data, and one more.
const HITS: usize = 4;

/// The books. See the module's description.
pub struct AddressSpace {
    vmas: VmaMap,
    /// Where mmap finds addresses, and which of them are free.
    app: Extent,
    free: FreeSpace,
    /// Where the break can move, and where it is.
    brk: Extent,
    brk_end: usize,
    /// Memory that can be executed (compat mode).
    exec: Extent,
    exec_free: FreeSpace,
    /// File data; shared mappings lie there.
    pages: Extent,
    fixed: Vec<Fixed>,
    slots: StackSlots,
    /// Addresses that were accessible once and so may not be zero.
    used: RangeSet,
    budget: &'static Budget,
    /// Most bytes that may be mapped (RLIMIT_AS).
    limit: usize,
    hits: [Hit; HITS],
    next_hit: usize,
}

/// The parts of memory that an address space is made of.
pub struct Parts<'a> {
    /// Where mmap finds addresses: zero, readable, writable.
    pub app: Extent,
    /// Where the break can move: zero, readable, writable.
    pub brk: Extent,
    /// Memory that can be executed; empty in strict mode.
    pub exec: Extent,
    /// Where files have their pages.
    pub pages: Extent,
    /// The initial thread's stack.
    pub stack: Extent,
    /// The tender's stack slots.
    pub zones: &'a [StackZone],
    /// The application's segments.
    pub segments: &'a [Segment],
}

impl AddressSpace {
    /// Nothing mapped, nothing to map.
    pub const fn new(budget: &'static Budget) -> Self {
        const NONE: Extent = Extent::new(0, 0);
        Self {
            vmas: VmaMap::new(),
            app: NONE,
            free: FreeSpace::new(),
            brk: NONE,
            brk_end: 0,
            exec: NONE,
            exec_free: FreeSpace::new(),
            pages: NONE,
            fixed: Vec::new(),
            slots: StackSlots::new(),
            used: RangeSet::new(),
            budget,
            limit: usize::MAX,
            hits: [NO_HIT; HITS],
            next_hit: 0,
        }
    }

    /// Takes the memory over and enters what the tender mapped. Called once.
    ///
    /// # Safety
    /// The parts are mapped as described, belong to the application, and don't overlap.
    pub unsafe fn set_up(&mut self, parts: &Parts<'_>) {
        self.app = parts.app;
        self.free.free(parts.app);
        self.brk = parts.brk;
        self.brk_end = parts.brk.start;
        self.exec = parts.exec;
        self.exec_free.free(parts.exec);
        self.pages = parts.pages;
        self.slots.add(parts.zones);
        self.enter(parts.stack, Prot::RW, Backing::Stack);
        for segment in parts.segments {
            self.enter(segment.extent, segment.prot, Backing::Image(segment.offset));
        }
    }

    fn enter(&mut self, extent: Extent, prot: Prot, backing: Backing) {
        if extent.is_empty() || self.vmas.overlapping(extent).next().is_some() {
            return;
        }
        self.fixed.push(Fixed { extent, hard: prot });
        self.used.insert(extent);
        let mut vma = Vma::anonymous(extent.end, prot);
        vma.backing = backing;
        self.vmas.insert(extent.start, vma);
    }

    /// Whether there is nothing to check against: before the set-up, and in host tests.
    pub fn is_void(&self) -> bool {
        self.app.is_empty()
    }

    /// The mappings.
    pub fn vmas(&self) -> &VmaMap {
        &self.vmas
    }

    /// Where mappings of the application's own memory are: the addresses that mmap hands out.
    pub fn app(&self) -> Extent {
        self.app
    }

    /// Whether the application may access `[address, address + len)` so.
    ///
    /// # Errors
    /// EFAULT.
    #[inline]
    pub fn check(&mut self, address: usize, len: usize, access: Access) -> Result<()> {
        let end = address.checked_add(len).ok_or(Errno::EFAULT)?;
        for hit in &self.hits {
            if hit.extent.start <= address && end <= hit.extent.end && allows(hit.prot, access) {
                return Ok(());
            }
        }
        self.check_slowly(Extent::new(address, end), access)
    }

    #[cold]
    fn check_slowly(&mut self, extent: Extent, access: Access) -> Result<()> {
        let accessible = |vma: &Vma| allows(vma.prot, access);
        if self.vmas.covered_until(extent, accessible) < extent.end {
            return Err(Errno::EFAULT);
        }
        if let Some((found, vma)) = self.vmas.find(extent.start) {
            self.hits[self.next_hit] = Hit {
                extent: found,
                prot: vma.prot,
            };
            self.next_hit = (self.next_hit + 1) % HITS;
        }
        Ok(())
    }

    /// How many of the `len` bytes from `address` on the application may access so, up to the first
    /// that it may not.
    pub fn accessible_len(&self, address: usize, len: usize, access: Access) -> usize {
        let extent = Extent::new(address, address.saturating_add(len));
        self.vmas
            .covered_until(extent, |vma| allows(vma.prot, access))
            - address
    }

    /// Forgets what [`Self::check`] remembers. For every change that takes a right away.
    fn forget_hits(&mut self) {
        self.hits = [NO_HIT; HITS];
    }

    /// Whether the CPU allows `prot` everywhere in `extent`.
    ///
    /// # Errors
    /// EACCES where the tender's protection stands against it; ENOMEM for a stack slot's guard.
    fn allow(&self, extent: Extent, prot: Prot) -> Result<()> {
        if prot.is_empty() {
            return Ok(());
        }
        if self.slots.has_guard(extent) {
            return Err(Errno::ENOMEM.because("the lowest page of a stack slot is a guard"));
        }
        let mut executable = self.exec.intersection(extent).len();
        for fixed in &self.fixed {
            let part = fixed.extent.intersection(extent);
            if part.is_empty() {
                continue;
            }
            if prot.contains(Prot::WRITE) && !fixed.hard.contains(Prot::WRITE) {
                return Err(Errno::EACCES.because("the image's text is never writable (W^X)"));
            }
            if fixed.hard.contains(Prot::EXEC) {
                executable += part.len();
            }
        }
        if prot.contains(Prot::EXEC) && executable < extent.len() {
            return Err(Errno::EACCES.because(
                "memory can't be made executable at run time (compat mode has an arena for that)",
            ));
        }
        Ok(())
    }

    /// Sets how many bytes may be mapped (RLIMIT_AS).
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether `more` bytes may be mapped.
    ///
    /// # Errors
    /// ENOMEM beyond RLIMIT_AS or with too many mappings.
    fn may_map(&self, more: usize) -> Result<()> {
        if self.vmas.len() >= MAX_MAP_COUNT {
            return Err(Errno::ENOMEM.because("too many mappings"));
        }
        if self.vmas.mapped().saturating_add(more) > self.limit {
            return Err(Errno::ENOMEM.because("RLIMIT_AS is reached"));
        }
        Ok(())
    }

    /// Grants memory for `extent`, which is going to be touched.
    ///
    /// # Errors
    /// ENOMEM at the memory limit.
    fn charge(&self, extent: Extent) -> Result<()> {
        if self.budget.admit(extent.len()).is_ok() {
            return Ok(());
        }
        // What is resident there already is no growth.
        let mut resident = 0;
        zero::for_each_touched(extent, |run, _| resident += run.len());
        self.budget.admit(extent.len() - resident)
    }

    /// `extent` without the guard page of a stack slot at its start, which can't even be read.
    fn without_guard(&self, extent: Extent) -> Extent {
        if self.slots.has_guard(extent) {
            Extent::new(extent.end.min(extent.start + PAGE_SIZE), extent.end)
        } else {
            extent
        }
    }

    /// Whether all of `extent` lies below `stack_pointer` in the stack on which that stands, its
    /// guard included (glibc's range begins with it).
    pub fn is_dead_stack(&self, extent: Extent, stack_pointer: usize) -> bool {
        let Some((stack, vma)) = self.vmas.find(stack_pointer) else {
            return false;
        };
        if !vma.flags.contains(VmaFlags::STACK) || extent.end > stack_pointer {
            return false;
        }
        let guard = Extent::new(extent.start.min(stack.start), stack.start);
        let is_guard = |vma: &Vma| vma.flags.contains(VmaFlags::STACK) && vma.prot.is_empty();
        extent.end > stack.start && self.vmas.covered_until(guard, is_guard) == guard.end
    }

    /// Everything that is mapped, for `/proc/self/maps`.
    pub fn snapshot(&self) -> Vec<(Extent, Vma)> {
        self.vmas
            .iter()
            .map(|(extent, vma)| (extent, vma.clone()))
            .collect()
    }
}

fn allows(prot: Prot, access: Access) -> bool {
    match access {
        Access::Read => prot.readable(),
        Access::Write => prot.contains(Prot::WRITE),
    }
}

/// Whether `address` is a multiple of the page size.
pub fn is_page_aligned(address: usize) -> bool {
    address.is_multiple_of(PAGE_SIZE)
}
