//! mmap(2) and mprotect(2), typed: addresses are `u64`, errors name the call.

use crate::error::{Error, Step};
use crate::image::Permissions;
use libos_abi::boot::Span;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};
use std::ffi::c_void;
use std::os::fd::BorrowedFd;

/// Memory that is private, anonymous and not committed in advance.
pub const ANONYMOUS: MapFlags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);

/// Maps `len` bytes where the kernel likes.
///
/// # Errors
/// mmap's.
pub fn anywhere(len: u64, protection: ProtFlags) -> rustix::io::Result<Span> {
    // SAFETY: without MAP_FIXED the kernel picks addresses that nothing uses.
    let address = unsafe {
        rustix::mm::mmap_anonymous(std::ptr::null_mut(), length(len), protection, ANONYMOUS)?
    };
    Ok(Span {
        start: address.expose_provenance() as u64,
        len,
    })
}

/// Maps `span`, which must be free.
///
/// # Errors
/// mmap's; `EEXIST` if something is mapped there.
pub fn exactly(span: Span, protection: ProtFlags) -> rustix::io::Result<()> {
    let flags = ANONYMOUS | MapFlags::FIXED_NOREPLACE;
    // SAFETY: MAP_FIXED_NOREPLACE refuses addresses that are in use.
    let got = unsafe {
        rustix::mm::mmap_anonymous(pointer(span.start), length(span.len), protection, flags)?
    };
    if got == pointer(span.start) {
        return Ok(());
    }
    // A kernel before 4.17 takes the address for a hint.
    // SAFETY: the mapping was made by the call above and nothing knows of it.
    let _ = unsafe { rustix::mm::munmap(got, length(span.len)) };
    Err(rustix::io::Errno::EXIST)
}

/// Replaces `span` of a reservation by zeroed memory.
///
/// # Safety
/// 1. `span` lies in a reservation of the caller's that nothing refers to.
///
/// # Errors
/// [`Error::System`].
pub unsafe fn replace(span: Span, protection: ProtFlags) -> Result<(), Error> {
    let flags = ANONYMOUS | MapFlags::FIXED;
    // SAFETY: by duty 1 nothing that is in use is replaced.
    unsafe { rustix::mm::mmap_anonymous(pointer(span.start), length(span.len), protection, flags) }
        .map(drop)
        .map_err(|source| failed("mmap(2) of zeroed memory", source))
}

/// Replaces `span` of a reservation by a private mapping of `file` from `offset`.
///
/// # Safety
/// 1. `span` lies in a reservation of the caller's that nothing refers to.
///
/// # Errors
/// [`Error::System`].
pub unsafe fn replace_from_file(
    span: Span,
    protection: ProtFlags,
    file: BorrowedFd<'_>,
    offset: u64,
) -> Result<(), Error> {
    let flags = MapFlags::PRIVATE | MapFlags::FIXED;
    let (address, len) = (pointer(span.start), length(span.len));
    // SAFETY: by duty 1 nothing that is in use is replaced.
    unsafe { rustix::mm::mmap(address, len, protection, flags, file, offset) }
        .map(drop)
        .map_err(|source| failed("mmap(2) of a segment", source))
}

/// Takes all access from `span`.
///
/// # Safety
/// 1. Nothing reads or writes `span` and expects to succeed.
///
/// # Errors
/// [`Error::System`].
pub unsafe fn guard(span: Span) -> Result<(), Error> {
    // SAFETY: duty 1.
    unsafe { protect(span, MprotectFlags::empty()) }
}

/// Changes the protection of `span`.
///
/// # Safety
/// 1. `span` is mapped by the caller, and no access to it relies on what it loses.
///
/// # Errors
/// [`Error::System`].
pub unsafe fn protect(span: Span, protection: MprotectFlags) -> Result<(), Error> {
    // SAFETY: duty 1.
    unsafe { rustix::mm::mprotect(pointer(span.start), length(span.len), protection) }
        .map_err(|source| failed("mprotect(2)", source))
}

/// An error of the mapping step.
pub fn failed(call: &'static str, source: rustix::io::Errno) -> Error {
    Error::System {
        step: Step::Map,
        call,
        source: source.into(),
    }
}

/// Permissions as mmap takes them.
pub fn protection(permissions: Permissions) -> ProtFlags {
    let mut flags = ProtFlags::empty();
    flags.set(ProtFlags::READ, permissions.read);
    flags.set(ProtFlags::WRITE, permissions.write);
    flags.set(ProtFlags::EXEC, permissions.execute);
    flags
}

/// An address as a pointer.
pub fn pointer(address: u64) -> *mut c_void {
    std::ptr::with_exposed_provenance_mut(length(address))
}

/// A length as the host's word, which on the only architecture supported has 64 bits.
fn length(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
