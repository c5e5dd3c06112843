//! mremap.

use crate::errno::{Errno, Result};
use crate::mm::extent::Extent;
use crate::mm::space::map::{MapRequest, Placement, StackHint};
use crate::mm::space::{AddressSpace, Removed};
use crate::mm::vma::{Backing, Prot, Vma, VmaFlags};
use crate::mm::zero;

/// From this length on, what is moved gets room to grow in place next time.
const ROOMY: usize = 1 << 20;

/// Where a mapping may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// It stays where it is.
    InPlace,
    /// Anywhere (MREMAP_MAYMOVE).
    Anywhere,
    /// To this address (MREMAP_FIXED), replacing what is there.
    Fixed(usize),
}

/// What becomes of the old mapping when it is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// It is unmapped.
    Unmap,
    /// It stays mapped, empty (MREMAP_DONTUNMAP).
    Keep,
}

/// What mremap did.
pub struct Remapped {
    /// Where the mapping is now.
    pub extent: Extent,
    /// To be dropped without the lock.
    pub removed: Removed,
    /// The part that is new, and whose contents come from the mapping's file if it has one.
    pub grown: Extent,
}

impl AddressSpace {
    /// Changes the length of the mapping at `old` to `len` bytes.
    ///
    /// # Errors
    /// EFAULT if `old` is not within one mapping; ENOMEM; EINVAL as mremap(2).
    pub fn remap(
        &mut self,
        old: Extent,
        len: usize,
        target: Target,
        keep: Old,
    ) -> Result<Remapped> {
        let (found, vma) = self.vmas.find(old.start).ok_or(Errno::EFAULT)?;
        if !found.covers(old) {
            return Err(Errno::EFAULT);
        }
        let mut vma = vma.clone();
        vma.backing = vma.backing.advanced(old.start - found.start);
        if let Target::Fixed(address) = target {
            let wanted = Extent::sized(address, len).ok_or(Errno::EINVAL)?;
            if wanted.overlaps(old) {
                return Err(Errno::EINVAL);
            }
            return self.relocate(old, len, vma, Placement::Fixed(address), keep);
        }
        if keep == Old::Keep {
            return self.relocate(old, len, vma, Placement::Hint(0), keep);
        }
        if len <= old.len() {
            return Ok(self.cut(old, len));
        }
        if found.end == old.end && self.extend(old, len, &vma)? {
            let extent = Extent::new(old.start, old.start + len);
            return Ok(Remapped {
                extent,
                removed: Removed::default(),
                grown: Extent::new(old.end, extent.end),
            });
        }
        if target == Target::InPlace {
            return Err(Errno::ENOMEM);
        }
        self.relocate(old, len, vma, Placement::Hint(0), keep)
    }

    fn cut(&mut self, old: Extent, len: usize) -> Remapped {
        let extent = Extent::new(old.start, old.start + len);
        let removed = self.unmap(Extent::new(extent.end, old.end));
        Remapped {
            extent,
            removed,
            grown: Extent::new(extent.end, extent.end),
        }
    }

    /// Grows into the addresses behind, if they are free.
    fn extend(&mut self, old: Extent, len: usize, vma: &Vma) -> Result<bool> {
        let Some(more) = Extent::sized(old.end, len - old.len()) else {
            return Ok(false);
        };
        self.may_map(more.len())?;
        if self.pages.contains(old.start) || !self.app.covers(more) || !self.free.take_exact(more) {
            return Ok(false);
        }
        if let Err(error) = self.provide(more, vma.prot, vma.flags) {
            self.release(more);
            return Err(error);
        }
        let mut new = vma.clone();
        new.end = more.end;
        new.backing = vma.backing.advanced(old.len());
        self.vmas.insert(more.start, new);
        Ok(true)
    }

    fn relocate(
        &mut self,
        old: Extent,
        len: usize,
        vma: Vma,
        placement: Placement,
        keep: Old,
    ) -> Result<Remapped> {
        let in_file =
            vma.flags.contains(VmaFlags::SHARED) && matches!(vma.backing, Backing::File(..));
        if in_file {
            return Err(Errno::ENOMEM
                .because("a shared file mapping is the file's own pages and can't move"));
        }
        let backing = match vma.backing {
            Backing::File(..) => vma.backing,
            _ => Backing::Anonymous,
        };
        let mut removed = Removed::default();
        if len < old.len() {
            removed.append(self.unmap(Extent::new(old.start + len, old.end)));
        }
        let old = Extent::new(old.start, old.start + len.min(old.len()));
        let request = MapRequest {
            len,
            prot: vma.prot,
            placement: self.roomy_placement(len, vma.prot, placement),
            flags: vma.flags,
            backing,
            stack: StackHint::No,
        };
        let (extent, replaced) = self.map(&request)?;
        removed.append(replaced);
        let source = self.without_guard(old);
        // SAFETY: both are memory of the application; the new one was just mapped, is zero and has
        // at least the old one's length.
        unsafe { zero::copy_touched(source, extent.start + (source.start - old.start)) };
        match keep {
            Old::Unmap => removed.append(self.unmap(old)),
            // SAFETY: memory of the application.
            Old::Keep => unsafe {
                zero::clear(source);
            },
        }
        Ok(Remapped {
            extent,
            removed,
            grown: Extent::new(extent.start + old.len(), extent.end),
        })
    }

    /// A place with free addresses behind it for what is large and grows: growing in place costs
    /// nothing, while moving copies.
    fn roomy_placement(&mut self, len: usize, prot: Prot, placement: Placement) -> Placement {
        if placement != Placement::Hint(0) || len < ROOMY || prot.contains(Prot::EXEC) {
            return placement;
        }
        let room = len.saturating_mul(8).min(self.app.len() / 64);
        match self.free.take_with_room(len, room) {
            Some(extent) => {
                // Only found here: the mapping takes it.
                self.free.free(extent);
                Placement::Hint(extent.start)
            }
            None => placement,
        }
    }
}
