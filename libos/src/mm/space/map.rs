//! mmap and munmap.

use libos_abi::PAGE_SIZE;

use crate::errno::{Errno, Result};
use crate::mm::extent::{Extent, page_floor};
use crate::mm::space::{AddressSpace, Removed, is_page_aligned};
use crate::mm::vma::{Backing, Prot, Vma, VmaFlags};
use crate::mm::zero;

/// Where a mapping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Anywhere; at the address if that is free.
    Hint(usize),
    /// At the address, replacing what is there.
    Fixed(usize),
    /// At the address, unless something is there.
    FixedNoReplace(usize),
}

/// Whether a mapping is going to be a thread's stack with a guard at its low end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackHint {
    /// Not likely.
    No,
    /// The application said so (MAP_STACK), or it looks so.
    Likely,
}

/// A request for memory of the application's own: anonymous, or a private copy of a file.
#[derive(Clone, Debug)]
pub struct MapRequest {
    /// Length in bytes; not 0, whole pages.
    pub len: usize,
    /// Protection.
    pub prot: Prot,
    /// Where.
    pub placement: Placement,
    /// Properties.
    pub flags: VmaFlags,
    /// What is behind it.
    pub backing: Backing,
    /// Whether it should have a guard that faults.
    pub stack: StackHint,
}

impl AddressSpace {
    /// Maps zeroed memory.
    ///
    /// # Errors
    /// ENOMEM: no addresses, the memory limit, too many mappings, or a fixed address where nothing
    /// can be mapped. EEXIST, EINVAL, EACCES as mmap(2).
    pub fn map(&mut self, request: &MapRequest) -> Result<(Extent, Removed)> {
        self.may_map(request.len - self.replaced_len(request))?;
        let (extent, removed) = self.place(request)?;
        if let Err(error) = self.provide(extent, request.prot, request.flags) {
            self.release(extent);
            return Err(error);
        }
        self.vmas.insert(
            extent.start,
            Vma {
                end: extent.end,
                prot: request.prot,
                flags: request.flags,
                backing: request.backing.clone(),
                count: 1,
            },
        );
        Ok((extent, removed))
    }

    /// Enters a shared mapping of a file's pages, which lie at `extent`. The same pages may be mapped
    /// several times; each munmap ends one.
    ///
    /// # Errors
    /// ENOMEM with too many mappings.
    pub fn map_pages(&mut self, extent: Extent, vma: &Vma) -> Result<()> {
        self.may_map(extent.len())?;
        // Where a mapping exists it stays, with the wider protection; the rest is new.
        let mut at = extent.start;
        for (part, mut old) in self.vmas.remove(extent) {
            self.map_new_pages(Extent::new(at, part.start), extent.start, vma);
            old.count += 1;
            old.prot |= vma.prot;
            old.flags.remove(VmaFlags::NO_WRITE & !vma.flags);
            self.vmas.insert(part.start, old);
            at = part.end;
        }
        self.map_new_pages(Extent::new(at, extent.end), extent.start, vma);
        self.forget_hits();
        Ok(())
    }

    fn map_new_pages(&mut self, part: Extent, start: usize, vma: &Vma) {
        if !part.is_empty() {
            let mut new = vma.clone();
            new.end = part.end;
            new.backing = vma.backing.advanced(part.start - start);
            self.vmas.insert(part.start, new);
        }
    }

    /// Unmaps `extent`; what is not mapped there is passed over.
    pub fn unmap(&mut self, extent: Extent) -> Removed {
        let mut removed = Removed::default();
        for (part, mut vma) in self.vmas.remove(extent) {
            if vma.count > 1 {
                vma.count -= 1;
                self.vmas.insert(part.start, vma);
                continue;
            }
            self.release(part);
            removed.push(vma.backing);
        }
        self.forget_hits();
        removed
    }

    /// How many bytes of the request's addresses are mapped already and will be replaced.
    fn replaced_len(&self, request: &MapRequest) -> usize {
        let Placement::Fixed(address) = request.placement else {
            return 0;
        };
        let Some(extent) = Extent::sized(address, request.len) else {
            return 0;
        };
        let parts = self.vmas.overlapping(extent);
        parts.map(|(part, _)| part.intersection(extent).len()).sum()
    }

    /// Finds the addresses and takes them.
    fn place(&mut self, request: &MapRequest) -> Result<(Extent, Removed)> {
        match request.placement {
            Placement::Hint(hint) => {
                let extent = self.place_anywhere(request, hint)?;
                Ok((extent, Removed::default()))
            }
            Placement::Fixed(address) => {
                let extent = self.fixed_extent(address, request)?;
                if !request.flags.contains(VmaFlags::NORESERVE) && !request.prot.is_empty() {
                    // Asked before anything is unmapped; granted again for good below.
                    self.charge(extent)?;
                    self.budget.refund(extent.len());
                }
                let removed = self.unmap(extent);
                self.take_fixed(extent);
                Ok((extent, removed))
            }
            Placement::FixedNoReplace(address) => {
                let extent = self.fixed_extent(address, request)?;
                if self.vmas.overlapping(extent).next().is_some() {
                    return Err(Errno::EEXIST);
                }
                self.take_fixed(extent);
                Ok((extent, Removed::default()))
            }
        }
    }

    fn place_anywhere(&mut self, request: &MapRequest, hint: usize) -> Result<Extent> {
        let len = request.len;
        if request.prot.contains(Prot::EXEC) {
            let found = self.exec_free.take(len, PAGE_SIZE);
            return found.ok_or_else(|| {
                Errno::EACCES.because(
                "memory can't be made executable at run time (compat mode has an arena for that)",
            )
            });
        }
        if request.stack == StackHint::Likely
            && let Some(extent) = self.slots.take(len)
        {
            return Ok(extent);
        }
        if let Some(wanted) = Extent::sized(page_floor(hint), len)
            && self.app.covers(wanted)
            && self.free.take_exact(wanted)
        {
            return Ok(wanted);
        }
        let found = self.free.take(len, PAGE_SIZE);
        found.ok_or_else(|| Errno::ENOMEM.because("no addresses left"))
    }

    /// Checks that something can be mapped at `address`.
    fn fixed_extent(&self, address: usize, request: &MapRequest) -> Result<Extent> {
        if !is_page_aligned(address) {
            return Err(Errno::EINVAL);
        }
        let extent = Extent::sized(address, request.len).ok_or(Errno::ENOMEM)?;
        self.can_replace(extent)?;
        if !request.prot.is_empty() {
            // It has to be made zero, so text won't do even for reading.
            self.allow(extent, request.prot | Prot::WRITE)?;
        }
        Ok(extent)
    }

    /// Whether anonymous memory can be put at `extent`.
    fn can_replace(&self, extent: Extent) -> Result<()> {
        let inside = self.app.covers(extent)
            || self.exec.covers(extent)
            || self.heap_extent().covers(extent)
            || self
                .slots
                .slot_at(extent.start)
                .is_some_and(|slot| slot.covers(extent))
            || self.is_fixed_memory(extent);
        if inside {
            Ok(())
        } else {
            Err(Errno::ENOMEM.because("nothing can be mapped at this address"))
        }
    }

    /// Whether the tender mapped all of `extent`.
    fn is_fixed_memory(&self, extent: Extent) -> bool {
        let mut at = extent.start;
        while at < extent.end {
            let Some(fixed) = self.fixed.iter().find(|fixed| fixed.extent.contains(at)) else {
                return false;
            };
            at = fixed.extent.end;
        }
        true
    }

    fn take_fixed(&mut self, extent: Extent) {
        self.free.remove(extent);
        self.exec_free.remove(extent);
    }

    /// Makes the memory of `extent` zero, and counts it if it is going to be touched.
    pub(super) fn provide(&mut self, extent: Extent, prot: Prot, flags: VmaFlags) -> Result<()> {
        if !prot.is_empty()
            && !flags.contains(VmaFlags::NORESERVE)
            && self.slots.slot_at(extent.start).is_none()
        {
            self.charge(extent)?;
        }
        self.make_zero(extent);
        if !prot.is_empty() {
            self.used.insert(extent);
        }
        Ok(())
    }

    fn make_zero(&self, extent: Extent) {
        if !self.is_fixed_memory(extent) {
            // SAFETY: memory of the application that is not mapped now.
            unsafe { zero::clear_used(extent, &self.used) };
            return;
        }
        // The image's segments come from a file: what was not written there is not zero.
        for fixed in &self.fixed {
            let part = fixed.extent.intersection(extent);
            if fixed.hard.contains(Prot::WRITE) {
                // SAFETY: writable memory of the application, which it asked to be replaced.
                unsafe { core::ptr::write_bytes(part.start as *mut u8, 0, part.len()) };
            }
        }
    }

    /// Gives the addresses of `part`, which is not mapped any more, back.
    pub(super) fn release(&mut self, part: Extent) {
        self.free.free(self.app.intersection(part));
        self.exec_free.free(self.exec.intersection(part));
        for address in [part.start, part.end - 1] {
            if let Some(slot) = self.slots.slot_at(address)
                && self.vmas.overlapping(slot).next().is_none()
            {
                self.slots.release(address);
            }
        }
    }
}
