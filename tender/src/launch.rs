//! The jump: the last code of the tender that runs.
//!
//! [`enter`] leaves the address space to the image: a trampoline (`launch.S`, a page of its own) unmaps the
//! tender's program, its libraries and its stack, puts the filter in force and loads the registers of the
//! contract. This takes the caller's environment and the tender's code out of the image's reach, and its
//! pages off the bill: an idle image is as small as if it had been started by the kernel.
//!
//! What stays of the tender: the trampoline's page, and its heap with the thread's descriptor, which the
//! kernel still knows (rseq, robust list).

use crate::error::{EXIT_REFUSED, Error};
use crate::space::region;
use libos_abi::PAGE_SIZE;
use libos_abi::boot::{BootInfo, Span};
use std::arch::global_asm;
use std::convert::Infallible;
use std::ffi::c_void;
use std::mem::offset_of;

const PAGE: u64 = PAGE_SIZE as u64;

/// More of the stack than any start-up uses, in bytes. The kernel keeps at least 128 MiB below the top of
/// the stack free of mappings.
const STACK_REACH: u64 = 16 << 20;

/// What the trampoline works from. Lies in the boot information's memory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Departure {
    /// What to unmap; a length of 0 ends the list.
    pub regions: *const Span,
    /// The filter, as seccomp(2) takes it.
    pub filter: Filter,
    /// A signal mask that blocks nothing.
    pub empty_mask: u64,
    /// Address of the libOS's entry point.
    pub entry: u64,
    /// Top of the stack that it starts on.
    pub stack: u64,
    /// The boot information.
    pub boot: *const BootInfo,
}

/// The kernel's `struct sock_fprog`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// Number of instructions.
    pub len: u16,
    /// The first of them.
    pub first: *const libc::sock_filter,
}

global_asm!(
    include_str!("launch.S"),
    regions = const offset_of!(Departure, regions),
    filter = const offset_of!(Departure, filter),
    empty_mask = const offset_of!(Departure, empty_mask),
    entry = const offset_of!(Departure, entry),
    stack = const offset_of!(Departure, stack),
    boot = const offset_of!(Departure, boot),
    munmap = const libc::SYS_munmap,
    sigprocmask = const libc::SYS_rt_sigprocmask,
    set_mask = const libc::SIG_SETMASK,
    seccomp = const libc::SYS_seccomp,
    set_filter = const libc::SECCOMP_SET_MODE_FILTER,
    write = const libc::SYS_write,
    exit_group = const libc::SYS_exit_group,
    refused = const EXIT_REFUSED,
);

unsafe extern "C" {
    fn libos_tender_trampoline(departure: *const Departure) -> !;
}

/// Leaves for the image. There is no way back.
///
/// # Safety
/// 1. `departure` describes a mapped image, with its boot information and stack in place; it and all that it
///    points to lie outside of its regions.
/// 2. The process runs one thread, signals are blocked, and nothing of the tender is needed again.
pub unsafe fn enter(departure: *const Departure) -> Result<Infallible, Error> {
    // SAFETY: duties 1 and 2 are the trampoline's.
    unsafe { libos_tender_trampoline(departure) }
}

/// Everything of the tender that can be unmapped: the program and its libraries, but for the trampoline's
/// page, and the stack. Ends with an empty region.
pub fn own_regions(vdso: Span) -> Vec<Span> {
    let mut objects: Vec<Span> = Vec::with_capacity(8);
    // SAFETY: the callback's duties are argued there; `data` is the vector that it expects.
    unsafe { libc::dl_iterate_phdr(Some(note_object), (&raw mut objects).cast()) };
    let trampoline = libos_tender_trampoline as *const () as u64;
    let mut regions: Vec<Span> = objects
        .into_iter()
        .filter(|object| !object.contains(vdso.start))
        .flat_map(|object| around_page(object, trampoline))
        .collect();
    regions.extend(stack());
    regions.retain(|region| region.len != 0);
    regions.push(Span::default());
    regions
}

/// Adds the pages of one loaded object to the vector behind `data`.
unsafe extern "C" fn note_object(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    data: *mut c_void,
) -> libc::c_int {
    // SAFETY: dl_iterate_phdr passes a valid record, whose program headers are mapped; `data` is the vector
    // that `own_regions` passes, and nothing else holds it during the call.
    let (info, objects, headers) = unsafe {
        let info = &*info;
        let headers = std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
        (info, &mut *data.cast::<Vec<Span>>(), headers)
    };
    let loads = headers
        .iter()
        .filter(|header| header.p_type == libc::PT_LOAD);
    let bounds = loads.map(|load| (load.p_vaddr, load.p_vaddr + load.p_memsz));
    let extent = bounds.reduce(|(first, end), (start, stop)| (first.min(start), end.max(stop)));
    if let Some((first, end)) = extent {
        let start = info.dlpi_addr.wrapping_add(first) & !(PAGE - 1);
        let end = info.dlpi_addr.wrapping_add(end).next_multiple_of(PAGE);
        objects.push(Span {
            start,
            len: end - start,
        });
    }
    0
}

/// `object` without the page at `hole`.
fn around_page(object: Span, hole: u64) -> [Span; 2] {
    if !object.contains(hole) {
        return [object, Span::default()];
    }
    let behind = hole + PAGE;
    [
        Span {
            start: object.start,
            len: hole - object.start,
        },
        Span {
            start: behind,
            len: object.end() - behind,
        },
    ]
}

/// The initial stack, up to the program's path at its top, where the environment lies as well.
fn stack() -> Option<Span> {
    // SAFETY: getauxval reads this process's auxiliary vector.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) };
    if path == 0 {
        return None;
    }
    // SAFETY: AT_EXECFN is the address of a string on the initial stack.
    let path_len = unsafe { libc::strlen(region::pointer(path).cast()) } as u64;
    let end = (path + path_len + 1).next_multiple_of(PAGE);
    Some(Span {
        start: end - STACK_REACH,
        len: STACK_REACH,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trampoline_has_a_page_of_its_own() {
        let trampoline = libos_tender_trampoline as *const () as u64;
        assert_eq!(trampoline % PAGE, 0);
    }

    #[test]
    fn a_region_is_split_around_the_page_that_stays() {
        let span = |start, len| Span { start, len };
        let object = span(0x1000, 0x5000);
        assert_eq!(
            around_page(object, 0x3000),
            [span(0x1000, 0x2000), span(0x4000, 0x2000)]
        );
        assert_eq!(
            around_page(object, 0x1000),
            [span(0x1000, 0), span(0x2000, 0x4000)]
        );
        assert_eq!(
            around_page(object, 0x5000),
            [span(0x1000, 0x4000), span(0x6000, 0)]
        );
        assert_eq!(around_page(object, 0x6000), [object, Span::default()]);
    }

    #[test]
    fn the_own_regions_hold_code_and_stack_but_not_the_vdso() {
        let vdso = crate::vdso::find();
        let regions = own_regions(Span {
            start: vdso.start,
            len: vdso.len,
        });
        let holds = |address: u64| regions.iter().any(|region| region.contains(address));
        assert!(holds(own_regions as *const () as u64), "{regions:x?}");
        assert!(!holds(libos_tender_trampoline as *const () as u64));
        assert!(!holds(vdso.start));
        assert_eq!(regions.last().map(|region| region.len), Some(0));
    }
}
