//! The image's segments, mapped straight from its file.
//!
//! Text and the root file system stay shared in the page cache between all instances. An image that
//! may be moved gets a random base of its own, drawn independently of the kernel's mmap base, so that
//! a leaked address of one says nothing about the other.

use super::region;
use crate::error::Error;
use crate::image::{Image, PAGE, Placement, Segment, USER_END};
use libos_abi::boot::Span;
use rustix::mm::ProtFlags;
use std::os::fd::BorrowedFd;

/// Length of the arena for code made at run time, in bytes.
const ARENA_LEN: u64 = 256 << 20;

/// Random bases lie from here on: above everything that a fixed-address program occupies.
const LOWEST_BASE: u64 = 0x1000_0000_0000;

/// And below here: where the kernel's own choices (stack, mmap, vDSO) begin.
const HIGHEST_BASE: u64 = 0x7000_0000_0000;

/// How many random bases are tried before giving up.
const ATTEMPTS: u64 = 64;

/// Where random bases come from.
#[derive(Clone, Copy, Debug)]
pub enum BaseSource {
    /// The host's generator.
    Random,
    /// A fixed seed, for repeatable runs.
    Seeded(u64),
}

/// A mapped image.
#[derive(Debug)]
pub struct Placed {
    /// What was added to its link-time addresses.
    pub bias: u64,
    /// The arena behind it; compat mode only, else empty.
    pub exec_arena: Span,
}

/// Reserves addresses for the image, then maps each segment into them.
///
/// # Errors
/// [`Error::System`].
pub fn map(image: &Image, file: BorrowedFd<'_>, base: BaseSource) -> Result<Placed, Error> {
    let extent = image.extent();
    let image_len = extent.end - extent.start;
    let arena_len = if image.is_compat() { ARENA_LEN } else { 0 };
    let whole = image_len + arena_len;
    let start = match image.placement {
        Placement::Anywhere => {
            reserve_at_random(whole, base, |start| !straddles_4_gib(image, start))?
        }
        Placement::Fixed => reserve_fixed(extent.start, whole)?,
    };
    let bias = start.wrapping_sub(extent.start);
    for segment in &image.segments {
        map_segment(segment, bias, file)?;
    }
    let exec_arena = Span {
        start: start + image_len,
        len: arena_len,
    };
    if arena_len != 0 {
        let protection = ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC;
        // SAFETY: the arena is the unused end of the reservation made above.
        unsafe { region::replace(exec_arena, protection)? };
    }
    Ok(Placed { bias, exec_arena })
}

/// Reserves `len` bytes at a random page for which `is_good` holds.
///
/// # Errors
/// [`Error::System`].
pub fn reserve_at_random(
    len: u64,
    base: BaseSource,
    is_good: impl Fn(u64) -> bool,
) -> Result<u64, Error> {
    let pages = (HIGHEST_BASE - LOWEST_BASE) / PAGE;
    for attempt in 0..ATTEMPTS {
        let start = LOWEST_BASE + random(base, attempt)? % pages * PAGE;
        if !is_good(start) {
            continue;
        }
        match region::exactly(Span { start, len }, ProtFlags::empty()) {
            Ok(()) => return Ok(start),
            Err(rustix::io::Errno::EXIST) => {}
            Err(source) => return Err(region::failed("mmap(2) of room for the image", source)),
        }
    }
    Err(region::failed(
        "finding room for the image",
        rustix::io::Errno::EXIST,
    ))
}

/// Whether the hypercall code would cross a multiple of 4 GiB: the filter compares addresses in
/// halves of 32 bits, and is shorter if the upper half is one constant.
fn straddles_4_gib(image: &Image, start: u64) -> bool {
    let bias = start.wrapping_sub(image.extent().start);
    let code = image.manifest.layout.hypercall;
    let first = code.start.wrapping_add(bias);
    first >> 32 != (first + code.len) >> 32
}

fn reserve_fixed(start: u64, len: u64) -> Result<u64, Error> {
    if start.checked_add(len).is_none_or(|end| end > USER_END) {
        return Err(region::failed(
            "finding room behind the image",
            rustix::io::Errno::NOMEM,
        ));
    }
    region::exactly(Span { start, len }, ProtFlags::empty())
        .map_err(|source| region::failed("mmap(2) at the image's fixed addresses", source))?;
    Ok(start)
}

fn random(base: BaseSource, attempt: u64) -> Result<u64, Error> {
    match base {
        // An odd multiplier spreads consecutive attempts over the whole range.
        BaseSource::Seeded(seed) => {
            Ok(seed.wrapping_add(attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 8)
        }
        BaseSource::Random => {
            let mut bytes = [0; 8];
            rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
                .map_err(|source| region::failed("getrandom(2)", source))?;
            Ok(u64::from_le_bytes(bytes))
        }
    }
}

fn map_segment(segment: &Segment, bias: u64, file: BorrowedFd<'_>) -> Result<(), Error> {
    let protection = region::protection(segment.permissions);
    let first_page = segment.first_page();
    let file_end = (segment.vaddr + segment.filesz).next_multiple_of(PAGE);
    let at = |first: u64, end: u64| Span {
        start: first.wrapping_add(bias),
        len: end - first,
    };
    let has_file = segment.filesz != 0;
    if has_file {
        let offset = segment.offset - segment.vaddr % PAGE;
        // SAFETY: the segment's pages lie in the reservation, and no other segment shares them.
        unsafe { region::replace_from_file(at(first_page, file_end), protection, file, offset)? };
    }
    let zero_start = if has_file { file_end } else { first_page };
    if segment.end_page() > zero_start {
        // SAFETY: as above.
        unsafe { region::replace(at(zero_start, segment.end_page()), protection)? };
    }
    if has_file && segment.memsz > segment.filesz {
        // SAFETY: validation admits zero-filled memory only in writable segments, so the rest of
        // the last page from the file is mapped and writable, and nothing refers to it.
        unsafe { clear_tail(segment.vaddr + segment.filesz, file_end, bias) };
    }
    Ok(())
}

/// Clears what the file holds behind the segment's end on its last page.
///
/// # Safety
/// 1. `[start, end)` plus `bias` is mapped and writable, and nothing refers to it.
unsafe fn clear_tail(start: u64, end: u64, bias: u64) {
    let first = region::pointer(start.wrapping_add(bias)).cast::<u8>();
    let len = usize::try_from(end - start).unwrap_or(0);
    // SAFETY: duty 1.
    unsafe { first.write_bytes(0, len) };
}
