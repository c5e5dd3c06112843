//! What the host knows about this process's memory: which pages were touched, how many are resident.
//!
//! Both answers come from handles that the tender opened (`/proc/self/pagemap`, `/proc/self/statm`).
//! Without them the callers fall back to safe assumptions: every page was touched, and what was
//! handed out is resident. Host tests read the same files through std.

use libos_abi::PAGE_SIZE;

/// What the page table says about one page of private anonymous memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Never written since the host mapped it: reads as zero and costs nothing.
    No,
    /// Maybe only read: the host's shared zero page, unless pages are merged (KSM).
    Read,
    /// Written at some time.
    Written,
}

/// One 64-bit entry of pagemap (Documentation/admin-guide/mm/pagemap.rst).
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct PageEntry(u64);

impl PageEntry {
    /// An entry not yet read.
    pub const UNKNOWN: Self = Self(0);

    const PRESENT: u64 = 1 << 63;
    const SWAPPED: u64 = 1 << 62;
    /// Mapped by this process alone. The zero page is not: it is no page of anybody's.
    const EXCLUSIVE: u64 = 1 << 56;

    /// What the entry means.
    pub fn touched(self) -> Touched {
        if self.0 & (Self::PRESENT | Self::SWAPPED) == 0 {
            Touched::No
        } else if self.0 & (Self::SWAPPED | Self::EXCLUSIVE) == 0 {
            Touched::Read
        } else {
            Touched::Written
        }
    }
}

/// Reads the entries of the pages from `address` on; returns how many were read, `None` without a
/// handle.
pub fn page_entries(address: usize, entries: &mut [PageEntry]) -> Option<usize> {
    let offset = u64::try_from(address / PAGE_SIZE * size_of::<PageEntry>()).ok()?;
    let read = source::pagemap(entries.as_mut_ptr().cast(), size_of_val(entries), offset)?;
    Some(read / size_of::<PageEntry>()).filter(|&count| count > 0)
}

/// Bytes of private memory that are resident now; `None` without a handle.
pub fn resident_bytes() -> Option<usize> {
    let statm = statm()?;
    Some(statm.resident.saturating_sub(statm.shared) * PAGE_SIZE)
}

/// `/proc/self/statm` of the host, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statm {
    /// Resident pages, shared ones included.
    pub resident: usize,
    /// Resident pages that lie in files: the image's text and root file system.
    pub shared: usize,
}

/// Reads [`Statm`]; `None` without a handle.
pub fn statm() -> Option<Statm> {
    let mut text = [0_u8; 128];
    let len = source::statm(text.as_mut_ptr(), text.len())?;
    parse_statm(text.get(..len)?)
}

/// `size resident shared …`, decimal, in pages.
fn parse_statm(text: &[u8]) -> Option<Statm> {
    let mut fields = text
        .split(|&byte| byte == b' ')
        .map(|field| core::str::from_utf8(field).ok()?.parse::<usize>().ok());
    fields.next()??;
    Some(Statm {
        resident: fields.next()??,
        shared: fields.next()??,
    })
}

#[cfg(not(test))]
pub use source::set_handles;

#[cfg(not(test))]
mod source {
    use core::ptr::null_mut;
    use core::sync::atomic::{AtomicPtr, Ordering};

    use libos_abi::handle::{Handle, HandleKind};

    use crate::hypercall;

    // Handles hold raw pointers and so can't be in a lock; they are immutable and live for ever.
    static PAGEMAP: AtomicPtr<Handle> = AtomicPtr::new(null_mut());
    static STATM: AtomicPtr<Handle> = AtomicPtr::new(null_mut());

    /// Remembers the two handles among those of the run.
    pub fn set_handles(handles: &'static [Handle]) {
        for handle in handles {
            match handle.kind {
                HandleKind::Pagemap => &PAGEMAP,
                HandleKind::Statm => &STATM,
                _ => continue,
            }
            .store(core::ptr::from_ref(handle).cast_mut(), Ordering::Relaxed);
        }
    }

    fn read(handle: &AtomicPtr<Handle>, buffer: *mut u8, len: usize, offset: u64) -> Option<usize> {
        // SAFETY: null, or a `&'static Handle` that `set_handles` stored.
        let handle = unsafe { handle.load(Ordering::Relaxed).as_ref() }?;
        hypercall::pread(handle, buffer, len, offset).ok()
    }

    pub fn pagemap(buffer: *mut u8, len: usize, offset: u64) -> Option<usize> {
        read(&PAGEMAP, buffer, len, offset)
    }

    pub fn statm(buffer: *mut u8, len: usize) -> Option<usize> {
        read(&STATM, buffer, len, 0)
    }
}

#[cfg(test)]
mod source {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    fn read(path: &str, buffer: *mut u8, len: usize, offset: u64) -> Option<usize> {
        // SAFETY: the callers pass an array of their own and its length.
        let buffer = unsafe { std::slice::from_raw_parts_mut(buffer, len) };
        File::open(path).ok()?.read_at(buffer, offset).ok()
    }

    pub fn pagemap(buffer: *mut u8, len: usize, offset: u64) -> Option<usize> {
        read("/proc/self/pagemap", buffer, len, offset)
    }

    pub fn statm(buffer: *mut u8, len: usize) -> Option<usize> {
        read("/proc/self/statm", buffer, len, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statm_is_read_by_field() {
        assert_eq!(
            parse_statm(b"1024 77 12 4 0 300 0\n"),
            Some(Statm {
                resident: 77,
                shared: 12
            })
        );
        assert_eq!(parse_statm(b"1024 x 12"), None);
        assert_eq!(parse_statm(b"1024 77"), None);
        assert_eq!(parse_statm(b""), None);
    }

    #[test]
    fn the_bits_of_an_entry() {
        assert_eq!(PageEntry(0).touched(), Touched::No);
        assert_eq!(PageEntry(1 << 63).touched(), Touched::Read);
        assert_eq!(PageEntry(1 << 63 | 1 << 56).touched(), Touched::Written);
        assert_eq!(PageEntry(1 << 62).touched(), Touched::Written);
    }

    #[test]
    fn the_host_tells_touched_pages_from_others() {
        let region = crate::mm::testing::Region::new(16 * PAGE_SIZE);
        let third = region.start + 3 * PAGE_SIZE;
        // SAFETY: inside the region, which is ours.
        unsafe { *(third as *mut u8) = 1 };
        let mut entries = [PageEntry::UNKNOWN; 16];
        assert_eq!(page_entries(region.start, &mut entries), Some(16));
        let written = |entry: &PageEntry| entry.touched() == Touched::Written;
        let found: Vec<bool> = entries.iter().map(written).collect();
        assert_eq!(found.iter().filter(|&&written| written).count(), 1);
        assert!(found[3], "the page that was written");
    }
}
