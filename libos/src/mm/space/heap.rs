//! brk: the break area.

use crate::mm::extent::{Extent, page_ceil};
use crate::mm::space::{AddressSpace, Removed};
use crate::mm::vma::{Backing, Prot, Vma};
use crate::mm::zero;

impl AddressSpace {
    /// Moves the break to `wanted` if that is possible; the break's place afterwards. brk(2) of
    /// Linux reports no error but the unchanged place.
    pub fn set_break(&mut self, wanted: usize) -> (usize, Removed) {
        let removed = self.try_set_break(wanted).unwrap_or_default();
        (self.brk_end, removed)
    }

    fn try_set_break(&mut self, wanted: usize) -> Option<Removed> {
        let target = page_ceil(wanted).filter(|&end| end <= self.brk.end)?;
        if wanted < self.brk.start {
            return None;
        }
        let mapped = self.heap_extent();
        let mut removed = Removed::default();
        if target > mapped.end {
            self.grow_heap(Extent::new(mapped.end, target))?;
        } else if target < mapped.end {
            removed = self.unmap(Extent::new(target, mapped.end));
        }
        self.brk_end = wanted;
        Some(removed)
    }

    fn grow_heap(&mut self, more: Extent) -> Option<()> {
        self.may_map(more.len()).ok()?;
        self.charge(more).ok()?;
        // SAFETY: the break area is the application's, and this part of it is not mapped.
        unsafe { zero::clear_used(more, &self.used) };
        self.used.insert(more);
        let mut vma = Vma::anonymous(more.end, Prot::RW);
        vma.backing = Backing::Heap;
        self.vmas.insert(more.start, vma);
        Some(())
    }

    /// The pages below the break.
    pub(super) fn heap_extent(&self) -> Extent {
        let end = page_ceil(self.brk_end).unwrap_or(self.brk.end);
        Extent::new(self.brk.start, end)
    }
}
