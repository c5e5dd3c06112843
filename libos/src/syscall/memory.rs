//! The address space (mmap(2), …).
//!
//! Decodes and rounds; [`crate::mm`] does the work.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use libos_abi::PAGE_SIZE;
use linux_raw_sys::general as abi;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::file::{OpenFile, OpenFlags};
use crate::fs::mapping;
use crate::mm::extent::{Extent, page_ceil};
use crate::mm::space::map::{MapRequest, Placement, StackHint};
use crate::mm::space::remap::{Old, Target};
use crate::mm::space::{AddressSpace, is_page_aligned};
use crate::mm::vma::{Backing, Prot, VmaFlags};
use crate::mm::with_space;
use crate::syscall::convert::Argument;
use crate::task::limits::Resource;
use crate::task::{current_process, with_current};
use crate::user::UserPtr;

pub use crate::syscall::numa::{get_mempolicy, mbind, set_mempolicy};

bitflags::bitflags! {
    /// `MAP_*` of mmap(2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MapFlags: u32 {
        /// Writes are seen by others.
        const SHARED = abi::MAP_SHARED;
        /// Writes are the process's own.
        const PRIVATE = abi::MAP_PRIVATE;
        /// At the address.
        const FIXED = abi::MAP_FIXED;
        /// No file.
        const ANONYMOUS = abi::MAP_ANONYMOUS;
        /// In the low 2 GiB.
        const LOW = abi::MAP_32BIT;
        /// A stack that grows.
        const GROWSDOWN = abi::MAP_GROWSDOWN;
        /// Ignored.
        const DENYWRITE = abi::MAP_DENYWRITE;
        /// Ignored.
        const EXECUTABLE = abi::MAP_EXECUTABLE;
        /// As mlock(2).
        const LOCKED = abi::MAP_LOCKED;
        /// Don't count.
        const NORESERVE = abi::MAP_NORESERVE;
        /// Touch it now.
        const POPULATE = abi::MAP_POPULATE;
        /// With POPULATE: don't read the file.
        const NONBLOCK = abi::MAP_NONBLOCK;
        /// For a thread's stack.
        const STACK = abi::MAP_STACK;
        /// Huge pages.
        const HUGETLB = abi::MAP_HUGETLB;
        /// For persistent memory.
        const SYNC = abi::MAP_SYNC;
        /// At the address, if nothing is there.
        const FIXED_NOREPLACE = abi::MAP_FIXED_NOREPLACE;
        /// Bits without a name here are kept.
        const _ = !0;
    }
}

impl Argument for MapFlags {
    fn from_register(register: u64) -> Self {
        Self::from_bits_retain(u32::from_register(register))
    }
}

/// Which kind of sharing a call of mmap wants; the low four bits of its flags.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Shared,
    Private,
}

impl MapFlags {
    fn sharing(self) -> Result<Sharing> {
        const VALIDATE: u32 = abi::MAP_SHARED_VALIDATE;
        match self.bits() & 0xf {
            abi::MAP_SHARED => Ok(Sharing::Shared),
            abi::MAP_PRIVATE => Ok(Sharing::Private),
            VALIDATE if self.contains(Self::SYNC) => Err(Errno::EOPNOTSUPP),
            VALIDATE => Ok(Sharing::Shared),
            _ => Err(Errno::EINVAL),
        }
    }

    fn placement(self, address: usize) -> Placement {
        if self.contains(Self::FIXED_NOREPLACE) {
            Placement::FixedNoReplace(address)
        } else if self.contains(Self::FIXED) {
            Placement::Fixed(address)
        } else {
            Placement::Hint(address)
        }
    }

    fn vma_flags(self) -> VmaFlags {
        let mut flags = VmaFlags::empty();
        flags.set(VmaFlags::NORESERVE, self.contains(Self::NORESERVE));
        flags.set(VmaFlags::LOCKED, self.contains(Self::LOCKED));
        let stack = self.intersects(Self::STACK | Self::GROWSDOWN);
        flags.set(VmaFlags::STACK, stack);
        flags
    }

    /// Whether the mapping will be a thread's stack with its guard at the low end. glibc says
    /// MAP_STACK and maps the guard's protection first; musl maps without access and says nothing,
    /// so that only the size, which is no round number, tells it from a reservation.
    fn stack_hint(self, address: usize, len: usize, prot: Prot) -> StackHint {
        const ROUND: usize = 64 << 10;
        if address != 0 || !prot.is_empty() {
            return StackHint::No;
        }
        let as_musl =
            self == Self::PRIVATE | Self::ANONYMOUS && len > ROUND && !len.is_multiple_of(ROUND);
        if self.contains(Self::STACK) || as_musl {
            StackHint::Likely
        } else {
            StackHint::No
        }
    }
}

/// From `PROT_*`. PROT_SEM means nothing; PROT_GROWSDOWN and PROT_GROWSUP are for mprotect alone.
///
/// # Errors
/// EINVAL for other bits.
fn decode_prot(bits: u32) -> Result<Prot> {
    let known = abi::PROT_READ | abi::PROT_WRITE | abi::PROT_EXEC | abi::PROT_SEM;
    if bits & !known != 0 {
        return Err(Errno::EINVAL);
    }
    Ok([
        (abi::PROT_READ, Prot::READ),
        (abi::PROT_WRITE, Prot::WRITE),
        (abi::PROT_EXEC, Prot::EXEC),
    ]
    .into_iter()
    .filter(|(bit, _)| bits & bit != 0)
    .map(|(_, prot)| prot)
    .collect())
}

/// The pages of `[address, address + len)`; the address must be aligned, the length is rounded up.
pub(super) fn pages_of(address: UserPtr<u8>, len: usize, overflow: Errno) -> Result<Extent> {
    if !is_page_aligned(address.address()) {
        return Err(Errno::EINVAL);
    }
    page_ceil(len)
        .and_then(|len| Extent::sized(address.address(), len))
        .ok_or(overflow)
}

/// See mmap(2).
pub fn mmap(
    address: UserPtr<u8>,
    len: usize,
    prot: u32,
    flags: MapFlags,
    fd: i32,
    offset: u64,
) -> SysResult {
    if !offset.is_multiple_of(PAGE_SIZE as u64) {
        return Err(Errno::EINVAL);
    }
    // Linux ignores unknown bits here.
    let prot = Prot::from_bits_truncate(u8::try_from(prot & 7).unwrap_or(0));
    let file = mapped_file(flags, fd)?;
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let len = page_ceil(len).ok_or(Errno::ENOMEM)?;
    if offset.checked_add(len as u64).is_none() {
        return Err(Errno::EOVERFLOW);
    }
    let sharing = flags.sharing()?;
    if flags.intersects(MapFlags::LOW | MapFlags::HUGETLB) {
        return Err(Errno::ENOMEM.because("no huge pages, and no addresses below 2 GiB"));
    }
    with_limited_space(|_| ());
    let placement = flags.placement(address.address());
    let mut request = MapRequest {
        len,
        prot,
        placement,
        flags: flags.vma_flags(),
        backing: Backing::Anonymous,
        stack: StackHint::No,
    };
    let extent = match (file, sharing) {
        (Some(file), Sharing::Shared) => {
            check_access(&file, sharing, prot)?;
            mapping::map_shared(file, offset, len, prot, placement)?
        }
        (Some(file), Sharing::Private) => {
            check_access(&file, sharing, prot)?;
            mapping::map_private(file, offset, request)?
        }
        (None, _) => {
            request
                .flags
                .set(VmaFlags::SHARED, sharing == Sharing::Shared);
            request.stack = flags.stack_hint(address.address(), len, prot);
            let (extent, removed) = with_space(|space| space.map(&request))?;
            drop(removed);
            extent
        }
    };
    Ok(extent.start)
}

/// As [`with_space`], for calls that map more: RLIMIT_AS holds.
fn with_limited_space<T>(operation: impl FnOnce(&mut AddressSpace) -> T) -> T {
    let limit = with_current(|thread| thread.process().limits.soft(Resource::As));
    with_space(|space| {
        space.set_limit(usize::try_from(limit).unwrap_or(usize::MAX));
        operation(space)
    })
}

fn mapped_file(flags: MapFlags, fd: i32) -> Result<Option<Arc<OpenFile>>> {
    if flags.contains(MapFlags::ANONYMOUS) {
        return Ok(None);
    }
    let file = current_process().files.get(fd)?;
    if file.flags().contains(OpenFlags::PATH) {
        return Err(Errno::EBADF);
    }
    Ok(Some(file))
}

fn check_access(file: &OpenFile, sharing: Sharing, prot: Prot) -> Result<()> {
    let writes_through = sharing == Sharing::Shared && prot.contains(Prot::WRITE);
    if !file.flags().readable() || (writes_through && !file.flags().writable()) {
        return Err(Errno::EACCES);
    }
    Ok(())
}

/// See munmap(2).
pub fn munmap(address: UserPtr<u8>, len: usize) -> SysResult {
    let extent = pages_of(address, len, Errno::EINVAL)?;
    if extent.is_empty() {
        return Err(Errno::EINVAL);
    }
    drop(with_space(|space| space.unmap(extent)));
    Ok(0)
}

/// See mremap(2).
pub fn mremap(
    old: UserPtr<u8>,
    old_len: usize,
    new_len: usize,
    flags: u32,
    new: UserPtr<u8>,
) -> SysResult {
    let (may_move, fixed, dont_unmap) = (
        flags & abi::MREMAP_MAYMOVE != 0,
        flags & abi::MREMAP_FIXED != 0,
        flags & abi::MREMAP_DONTUNMAP != 0,
    );
    let known = abi::MREMAP_MAYMOVE | abi::MREMAP_FIXED | abi::MREMAP_DONTUNMAP;
    let extent = pages_of(old, old_len, Errno::EINVAL)?;
    let len = page_ceil(new_len).ok_or(Errno::EINVAL)?;
    if flags & !known != 0
        || len == 0
        || ((fixed || dont_unmap) && !may_move)
        || (dont_unmap && len != extent.len())
        || (fixed && !is_page_aligned(new.address()))
    {
        return Err(Errno::EINVAL);
    }
    if extent.is_empty() {
        return Err(Errno::EINVAL.because("a second mapping of the same pages is not supported"));
    }
    let target = match (fixed, may_move) {
        (true, _) => Target::Fixed(new.address()),
        (false, true) => Target::Anywhere,
        (false, false) => Target::InPlace,
    };
    let keep = if dont_unmap { Old::Keep } else { Old::Unmap };
    let remapped = with_limited_space(|space| space.remap(extent, len, target, keep))?;
    mapping::fill_grown(remapped.grown)?;
    Ok(remapped.extent.start)
}

/// See mprotect(2).
pub fn mprotect(address: UserPtr<u8>, len: usize, prot: u32) -> SysResult {
    let grows = abi::PROT_GROWSDOWN | abi::PROT_GROWSUP;
    if prot & grows == grows {
        return Err(Errno::EINVAL);
    }
    let extent = pages_of(address, len, Errno::ENOMEM)?;
    if extent.is_empty() {
        return Ok(0);
    }
    if prot & grows != 0 {
        return Err(Errno::EINVAL.because("no mapping grows by itself"));
    }
    let prot = decode_prot(prot)?;
    with_space(|space| space.protect(extent, prot))?;
    Ok(0)
}

/// See pkey_mprotect(2). Without protection keys only key -1 is valid.
pub fn pkey_mprotect(address: UserPtr<u8>, len: usize, prot: u32, key: i32) -> SysResult {
    if key != -1 {
        return Err(Errno::EINVAL);
    }
    mprotect(address, len, prot)
}

/// See brk(2).
pub fn brk(address: UserPtr<u8>) -> SysResult {
    let (end, removed) = with_limited_space(|space| space.set_break(address.address()));
    drop(removed);
    Ok(end)
}

/// Which expedited barriers the program registered for: bits of the commands.
static BARRIERS: AtomicU32 = AtomicU32::new(0);

/// See membarrier(2). With one vCPU every system call is a barrier for all threads.
pub fn membarrier(command: u32, flags: u32, _cpu: i32) -> SysResult {
    use abi::membarrier_cmd as cmd;
    const PAIRS: [(u32, u32); 3] = [
        (
            cmd::MEMBARRIER_CMD_GLOBAL_EXPEDITED as u32,
            cmd::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED as u32,
        ),
        (
            cmd::MEMBARRIER_CMD_PRIVATE_EXPEDITED as u32,
            cmd::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED as u32,
        ),
        (
            cmd::MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE as u32,
            cmd::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE as u32,
        ),
    ];
    const GLOBAL: u32 = cmd::MEMBARRIER_CMD_GLOBAL as u32;
    const GET_REGISTRATIONS: u32 = cmd::MEMBARRIER_CMD_GET_REGISTRATIONS as u32;
    let supported = PAIRS
        .iter()
        .fold(GLOBAL | GET_REGISTRATIONS, |all, (run, register)| {
            all | run | register
        });
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    match command {
        0 => return Ok(supported as usize),
        GLOBAL => return Ok(0),
        GET_REGISTRATIONS => return Ok(BARRIERS.load(Ordering::Relaxed) as usize),
        _ => {}
    }
    if PAIRS.iter().any(|&(_, register)| register == command) {
        BARRIERS.fetch_or(command, Ordering::Relaxed);
        return Ok(0);
    }
    let pair = PAIRS.iter().find(|&&(run, _)| run == command);
    let &(run, register) = pair.ok_or(Errno::EINVAL)?;
    let global = run == cmd::MEMBARRIER_CMD_GLOBAL_EXPEDITED as u32;
    if global || BARRIERS.load(Ordering::Relaxed) & register != 0 {
        Ok(0)
    } else {
        Err(Errno::EPERM)
    }
}

/// See remap_file_pages(2): deprecated, refused.
pub fn remap_file_pages(
    _address: UserPtr<u8>,
    _len: usize,
    _prot: u32,
    _page: usize,
    _flags: u32,
) -> SysResult {
    Err(Errno::EINVAL.because("remap_file_pages is deprecated and not supported"))
}
