//! mprotect and mlock.

use crate::errno::{Errno, Result};
use crate::mm::extent::Extent;
use crate::mm::space::AddressSpace;
use crate::mm::vma::{Backing, Prot, Vma, VmaFlags};

impl AddressSpace {
    /// Changes the protection of `extent`. Up to the first gap or refusal it is changed, as Linux
    /// does.
    ///
    /// # Errors
    /// ENOMEM for a gap, a stack slot's guard, or the memory limit; EACCES where the file or the CPU
    /// forbids it.
    pub fn protect(&mut self, extent: Extent, prot: Prot) -> Result<()> {
        let mut end = extent.start;
        let mut verdict = Ok(());
        for (found, vma) in self.vmas.overlapping(extent) {
            let part = found.intersection(extent);
            verdict = if part.start > end {
                Err(Errno::ENOMEM)
            } else {
                self.may_protect(part, vma, prot)
            };
            if verdict.is_err() {
                break;
            }
            end = part.end;
        }
        let changed = Extent::new(extent.start, end);
        if !changed.is_empty() {
            self.vmas.update(changed, |vma| vma.prot = prot);
            self.forget_hits();
            if !prot.is_empty() {
                self.used.insert(changed);
            }
        }
        verdict?;
        if end < extent.end {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    fn may_protect(&self, part: Extent, vma: &Vma, prot: Prot) -> Result<()> {
        if vma.prot == prot {
            return Ok(());
        }
        if prot.contains(Prot::WRITE) && vma.flags.contains(VmaFlags::NO_WRITE) {
            return Err(Errno::EACCES);
        }
        self.allow(part, prot)?;
        // Memory that was reserved without access becomes usable: now it counts.
        let uncounted = vma.prot.is_empty()
            && matches!(vma.backing, Backing::Anonymous)
            && !vma.flags.contains(VmaFlags::NORESERVE)
            && self.slots.slot_at(part.start).is_none();
        if uncounted && !prot.is_empty() {
            self.charge(part)?;
        }
        Ok(())
    }

    /// Marks `extent` as locked or not (mlock(2), munlock(2)). Memory is never paged out by the
    /// libOS, so this is for madvise(2) and the reports.
    ///
    /// # Errors
    /// ENOMEM if part of it is not mapped.
    pub fn set_locked(&mut self, extent: Extent, locked: Locked) -> Result<()> {
        let mapped = self.vmas.is_mapped(extent);
        self.vmas.update(extent, |vma| {
            vma.flags.set(VmaFlags::LOCKED, locked == Locked::Yes)
        });
        if mapped { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// As [`Self::set_locked`], for everything that is mapped.
    pub fn set_all_locked(&mut self, locked: Locked) {
        self.vmas.update(Extent::new(0, usize::MAX), |vma| {
            vma.flags.set(VmaFlags::LOCKED, locked == Locked::Yes);
        });
    }

    /// Bytes that are locked.
    pub fn locked_bytes(&self) -> usize {
        let locked = |vma: &Vma| vma.flags.contains(VmaFlags::LOCKED);
        self.vmas
            .iter()
            .filter(|(_, vma)| locked(vma))
            .map(|(extent, _)| extent.len())
            .sum()
    }
}

/// Whether memory is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// It is.
    Yes,
    /// It is not.
    No,
}
