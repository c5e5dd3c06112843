//! The host's vDSO: where its `clock_gettime` is, and whether it answers without the kernel.
//!
//! Main type: [`Vdso`]. The code of the vDSO is used in place by the libOS; nothing is patched.

use goblin::elf::dynamic::{DT_STRTAB, DT_SYMTAB};
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD};
use std::arch::x86_64::_rdtsc;

/// The mapped vDSO.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vdso {
    /// Address of its ELF header; 0 if there is none.
    pub start: u64,
    /// Length in bytes.
    pub len: u64,
    /// Address of `__vdso_clock_gettime`; 0 if there is none.
    pub clock_gettime: u64,
    /// Whether CLOCK_MONOTONIC is answered in user space.
    pub is_fast: bool,
}

/// The type of `__vdso_clock_gettime`.
type ClockGettime = unsafe extern "C" fn(i32, *mut libc::timespec) -> i32;

/// Longest vDSO that is believed, in bytes (real ones: two pages).
const MAX_LEN: usize = 64 * 1024;

/// A clock that takes longer than this many TSC cycles for its fastest answer has entered the kernel
/// (a vDSO answer costs 50–100, a system call 500 and more). A wrong verdict is harmless: the filter
/// admits `clock_gettime` from the vDSO as well.
const FAST_CYCLES: u64 = 400;

/// Finds the vDSO through the auxiliary vector.
pub fn find() -> Vdso {
    // SAFETY: getauxval reads this process's auxiliary vector.
    let start = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
    if start == 0 {
        return Vdso::default();
    }
    let mut vdso = Vdso {
        start,
        ..Vdso::default()
    };
    let Some(image) = mapped_image(start) else {
        return Vdso::default();
    };
    vdso.len = image.len() as u64;
    if let Some(offset) = find_symbol(image, b"__vdso_clock_gettime") {
        vdso.clock_gettime = start + offset;
        vdso.is_fast = answers_fast(vdso.clock_gettime);
    }
    vdso
}

/// The bytes of the vDSO, as long as its one PT_LOAD says, rounded up to a page.
fn mapped_image(start: u64) -> Option<&'static [u8]> {
    let at = |len| {
        let first: *const u8 = std::ptr::with_exposed_provenance(usize::try_from(start).ok()?);
        // SAFETY: the kernel maps the vDSO at AT_SYSINFO_EHDR, readable for the life of the process;
        // its first page holds the headers, and their PT_LOAD gives the length used afterwards.
        Some(unsafe { std::slice::from_raw_parts(first, len) })
    };
    let first_page = at(4096)?;
    let load = program_header(first_page, PT_LOAD)?;
    let len = usize::try_from(load.memsz)
        .ok()?
        .checked_next_multiple_of(4096)?;
    if load.vaddr != 0 || len > MAX_LEN {
        return None;
    }
    at(len)
}

struct Header {
    vaddr: u64,
    memsz: u64,
}

fn program_header(image: &[u8], wanted: u32) -> Option<Header> {
    let offset = usize::try_from(word(image, 32)?).ok()?;
    let count = usize::from(u16::from_le_bytes(bytes(image, 56)?));
    let entry = (0..count)
        .map(|index| offset + index * 56)
        .find(|&entry| bytes(image, entry).map(u32::from_le_bytes) == Some(wanted))?;
    Some(Header {
        vaddr: word(image, entry + 16)?,
        memsz: word(image, entry + 40)?,
    })
}

/// Offset of the symbol `name`: a walk over `.dynsym`, which in a vDSO ends where `.dynstr` begins.
fn find_symbol(image: &[u8], name: &[u8]) -> Option<u64> {
    let dynamic = program_header(image, PT_DYNAMIC)?;
    let table = |tag| {
        let first = usize::try_from(dynamic.vaddr).ok()?;
        let count = usize::try_from(dynamic.memsz / 16).ok()?;
        let entry = (0..count)
            .map(|index| first + index * 16)
            .find(|&entry| word(image, entry) == Some(tag))?;
        usize::try_from(word(image, entry + 8)?).ok()
    };
    let (symbols, strings) = (table(DT_SYMTAB)?, table(DT_STRTAB)?);
    (symbols..strings).step_by(24).find_map(|symbol| {
        let offset = usize::try_from(u32::from_le_bytes(bytes(image, symbol)?)).ok()?;
        let text = image.get(strings.checked_add(offset)?..)?;
        let is_wanted = text.starts_with(name) && text.get(name.len()) == Some(&0);
        let value = word(image, symbol + 8)?;
        (is_wanted && value != 0 && value < image.len() as u64).then_some(value)
    })
}

fn bytes<const N: usize>(image: &[u8], offset: usize) -> Option<[u8; N]> {
    image.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

fn word(image: &[u8], offset: usize) -> Option<u64> {
    bytes(image, offset).map(u64::from_le_bytes)
}

/// Whether the fastest of a few calls is too fast for a system call.
fn answers_fast(address: u64) -> bool {
    let Ok(address) = usize::try_from(address) else {
        return false;
    };
    // SAFETY: the address is that of the vDSO's `__vdso_clock_gettime`, whose type this is.
    let clock_gettime: ClockGettime =
        unsafe { std::mem::transmute(std::ptr::with_exposed_provenance::<()>(address)) };
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let cycles = (0..4).map(|_| {
        // SAFETY: RDTSC reads a counter.
        let before = unsafe { _rdtsc() };
        // SAFETY: `time` is a timespec to write to, and the clock is one that every kernel has.
        unsafe { clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
        // SAFETY: as above.
        unsafe { _rdtsc() }.saturating_sub(before)
    });
    cycles.min().is_some_and(|fastest| fastest < FAST_CYCLES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_vdso_tells_the_time() {
        let vdso = find();
        assert_ne!(vdso.clock_gettime, 0, "{vdso:?}");
        assert!(vdso.clock_gettime > vdso.start && vdso.clock_gettime < vdso.start + vdso.len);
    }

    #[test]
    fn an_unknown_symbol_is_not_found() {
        let image = mapped_image(find().start).expect("this host has a vDSO");
        assert_eq!(find_symbol(image, b"__vdso_clock_gettime_not"), None);
        assert_eq!(find_symbol(image, b"__vdso_clock_getti"), None);
        assert_eq!(find_symbol(&image[..100], b"__vdso_clock_gettime"), None);
    }
}
