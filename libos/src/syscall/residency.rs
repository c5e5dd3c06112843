//! What programs say and ask of pages that are mapped: advice (madvise(2)), residency (mincore(2)), write-back
//! (msync(2)) and locks in memory (mlock(2), …).

use libos_abi::PAGE_SIZE;
use linux_raw_sys::general as abi;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::mapping;
use crate::mm::extent::{Extent, page_ceil};
use crate::mm::host::{self, PageEntry, Touched};
use crate::mm::space::protect::Locked;
use crate::mm::vma::{Backing, VmaFlags};
use crate::mm::with_space;
use crate::syscall::memory::pages_of;
use crate::user::UserPtr;

/// See madvise(2).
pub fn madvise(address: UserPtr<u8>, len: usize, advice: u32) -> SysResult {
    let extent = pages_of(address, len, Errno::EINVAL)?;
    let kind = Advice::decode(advice)?;
    if extent.is_empty() {
        return Ok(0);
    }
    match kind {
        Advice::Discard => discard(extent)?,
        Advice::Free => require(extent, |flags, backing| {
            matches!(backing, Backing::Anonymous | Backing::Heap | Backing::Stack)
                && !flags.contains(VmaFlags::SHARED)
        })?,
        Advice::Punch => with_space(|space| space.punch(extent))?,
        Advice::Hint => require(extent, |_, _| true)?,
        Advice::Unlocked => require(extent, |flags, _| !flags.contains(VmaFlags::LOCKED))?,
    }
    Ok(0)
}

/// What an advice comes down to here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advice {
    /// Contents go.
    Discard,
    /// Contents may go; they don't.
    Free,
    /// Contents of shared memory go.
    Punch,
    /// Nothing to do.
    Hint,
    /// Nothing to do, but refused for locked memory.
    Unlocked,
}

impl Advice {
    fn decode(advice: u32) -> Result<Self> {
        match advice {
            abi::MADV_DONTNEED | abi::MADV_DONTNEED_LOCKED => Ok(Self::Discard),
            abi::MADV_FREE => Ok(Self::Free),
            abi::MADV_REMOVE => Ok(Self::Punch),
            abi::MADV_COLD | abi::MADV_PAGEOUT => Ok(Self::Unlocked),
            abi::MADV_NORMAL
            | abi::MADV_RANDOM
            | abi::MADV_SEQUENTIAL
            | abi::MADV_WILLNEED
            | abi::MADV_DONTFORK
            | abi::MADV_DOFORK
            | abi::MADV_MERGEABLE
            | abi::MADV_UNMERGEABLE
            | abi::MADV_HUGEPAGE
            | abi::MADV_NOHUGEPAGE
            | abi::MADV_DONTDUMP
            | abi::MADV_DODUMP
            | abi::MADV_WIPEONFORK
            | abi::MADV_KEEPONFORK
            | abi::MADV_POPULATE_READ
            | abi::MADV_POPULATE_WRITE
            | abi::MADV_COLLAPSE => Ok(Self::Hint),
            abi::MADV_HWPOISON | abi::MADV_SOFT_OFFLINE => Err(Errno::EPERM),
            _ => Err(Errno::EINVAL),
        }
    }
}

fn require(extent: Extent, accept: impl Fn(VmaFlags, &Backing) -> bool) -> Result<()> {
    with_space(|space| space.require(extent, Errno::EINVAL, |vma| accept(vma.flags, &vma.backing)))
}

#[cfg(not(test))]
fn user_stack_pointer() -> usize {
    use crate::syscall::convert::Argument;

    crate::task::with_current(|thread| {
        // SAFETY: while a call is served the thread's frame holds what it entered with.
        let stack_pointer = unsafe { (*thread.frame()).rsp };
        usize::from_register(stack_pointer)
    })
}

/// Host tests have no application.
#[cfg(test)]
fn user_stack_pointer() -> usize {
    0
}

fn discard(extent: Extent) -> Result<()> {
    // A thread that exits drops its stack (glibc does so each time). Below its own stack pointer
    // nothing is alive: a signal may overwrite it at any time. So it need not be cleared now; it is
    // when the addresses are handed out again.
    let stack_pointer = user_stack_pointer();
    let reread = with_space(|space| {
        if space.is_dead_stack(extent, stack_pointer) {
            return Ok(alloc::vec::Vec::new());
        }
        space.discard(extent)
    })?;
    mapping::read_again(reread)
}

/// See mincore(2).
pub fn mincore(address: UserPtr<u8>, len: usize, residency: UserPtr<u8>) -> SysResult {
    const BATCH: usize = 64;
    let extent = pages_of(address, len, Errno::ENOMEM)?;
    if !with_space(|space| space.vmas().is_mapped(extent)) {
        return Err(Errno::ENOMEM);
    }
    let mut entries = [PageEntry::UNKNOWN; BATCH];
    let mut done = 0;
    while done < extent.len() / PAGE_SIZE {
        let wanted = BATCH.min(extent.len() / PAGE_SIZE - done);
        let start = extent.start + done * PAGE_SIZE;
        let mut bytes = [1; BATCH];
        // Without the host's answer everything counts as resident.
        let count = host::page_entries(start, &mut entries[..wanted]).unwrap_or(wanted);
        if count == wanted {
            for (byte, entry) in bytes.iter_mut().zip(&entries[..wanted]) {
                *byte = u8::from(entry.touched() != Touched::No);
            }
        }
        residency.element(done)?.write_slice(&bytes[..count])?;
        done += count;
    }
    Ok(0)
}

/// See msync(2). A shared mapping is the file itself, so there is nothing to write.
pub fn msync(address: UserPtr<u8>, len: usize, flags: u32) -> SysResult {
    let known = abi::MS_ASYNC | abi::MS_INVALIDATE | abi::MS_SYNC;
    let both = abi::MS_ASYNC | abi::MS_SYNC;
    if flags & !known != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    let extent = pages_of(address, len, Errno::ENOMEM)?;
    let invalidate = flags & abi::MS_INVALIDATE != 0;
    with_space(|space| {
        space.require(extent, Errno::EBUSY, |vma| {
            !(invalidate && vma.flags.contains(VmaFlags::LOCKED))
        })
    })?;
    Ok(0)
}

/// The pages that touch `[address, address + len)`, as mlock(2) counts them.
fn touching_pages(address: UserPtr<u8>, len: usize) -> Result<Extent> {
    let start = crate::mm::extent::page_floor(address.address());
    let end = address.address().checked_add(len).and_then(page_ceil);
    Ok(Extent::new(start, end.ok_or(Errno::EINVAL)?))
}

/// See mlock(2).
pub fn mlock(address: UserPtr<u8>, len: usize) -> SysResult {
    let extent = touching_pages(address, len)?;
    if len > 0 {
        with_space(|space| space.set_locked(extent, Locked::Yes))?;
    }
    Ok(0)
}

/// See mlock2(2).
pub fn mlock2(address: UserPtr<u8>, len: usize, flags: u32) -> SysResult {
    if flags & !abi::MLOCK_ONFAULT != 0 {
        return Err(Errno::EINVAL);
    }
    mlock(address, len)
}

/// See munlock(2).
pub fn munlock(address: UserPtr<u8>, len: usize) -> SysResult {
    let extent = touching_pages(address, len)?;
    if len > 0 {
        with_space(|space| space.set_locked(extent, Locked::No))?;
    }
    Ok(0)
}

/// See mlockall(2). MCL_FUTURE alone changes nothing: nothing is ever paged out here.
pub fn mlockall(flags: u32) -> SysResult {
    let known = abi::MCL_CURRENT | abi::MCL_FUTURE | abi::MCL_ONFAULT;
    if flags == 0 || flags & !known != 0 || flags == abi::MCL_ONFAULT {
        return Err(Errno::EINVAL);
    }
    if flags & abi::MCL_CURRENT != 0 {
        with_space(|space| space.set_all_locked(Locked::Yes));
    }
    Ok(0)
}

/// See munlockall(2).
pub fn munlockall() -> SysResult {
    with_space(|space| space.set_all_locked(Locked::No));
    Ok(0)
}
