//! Vector and floating-point state that the gate does not save.
//!
//! The gate saves XMM0–XMM15, because compiled libOS code uses them. The rest (x87, upper halves,
//! AVX-512) the libOS never touches, so it must be switched only between threads, and only what
//! XGETBV(1) reports to be in use (Intel SDM vol. 1, 13.6).

use alloc::alloc::{Layout, alloc_zeroed, dealloc};

/// Largest area that is asked for if CPUID does not say.
const FALLBACK_SIZE: usize = 4096;

/// Bytes of the XSAVE area for everything that XCR0 enables (CPUID leaf 0xD).
pub fn area_size() -> usize {
    let leaf = core::arch::x86_64::__cpuid_count(0xd, 0);
    usize::try_from(leaf.ebx).map_or(FALLBACK_SIZE, |size| size.next_multiple_of(64))
}

/// The components that XCR0 enables.
pub fn enabled() -> u64 {
    let leaf = core::arch::x86_64::__cpuid_count(0xd, 0);
    u64::from(leaf.eax) | (u64::from(leaf.edx) << 32)
}

/// A 64-byte aligned XSAVE area.
#[derive(Debug)]
pub struct XsaveArea {
    address: *mut u8,
    size: usize,
}

// SAFETY: the area is plain memory owned by this value.
unsafe impl Send for XsaveArea {}
// SAFETY: shared references only read the address.
unsafe impl Sync for XsaveArea {}

impl XsaveArea {
    /// A zeroed area, which restores to the initial state; `None` if the heap is exhausted.
    pub fn new() -> Option<Self> {
        let size = area_size();
        let layout = Self::layout(size)?;
        // SAFETY: the layout's size is not zero: CPUID reports at least the 576 legacy bytes.
        let address = unsafe { alloc_zeroed(layout) };
        (!address.is_null()).then_some(Self { address, size })
    }

    fn layout(size: usize) -> Option<Layout> {
        Layout::from_size_align(size.max(576), 64).ok()
    }

    /// Address of the first byte.
    pub fn address(&self) -> *mut u8 {
        self.address
    }

    /// Size in bytes.
    pub fn size(&self) -> usize {
        self.size
    }
}

impl Drop for XsaveArea {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout(self.size) {
            // SAFETY: allocated in `new` with this layout.
            unsafe { dealloc(self.address, layout) };
        }
    }
}

/// Stores `components` of the CPU's extended state in the standard format.
///
/// # Safety
/// `area` is 64-byte aligned, writable and large enough for the components, which XCR0 enables; its
/// header is zero.
#[cfg(not(test))]
pub unsafe fn store(area: *mut u8, components: u64) {
    let [low, high] = [components & 0xffff_ffff, components >> 32];
    // SAFETY: the caller's duty.
    unsafe {
        core::arch::asm!("xsave64 [{}]", in(reg) area, in("rax") low, in("rdx") high,
            options(nostack));
    }
}

#[cfg(not(test))]
pub use switched::{SwitchedState, in_use, init_all, restore, save};

#[cfg(not(test))]
mod switched {
    use super::XsaveArea;
    use core::arch::asm;

    /// x87, AVX, AVX-512 opmask, upper halves, upper registers: what a switch cares for.
    const SWITCHED: u32 = 0b1110_0101;

    /// What a thread left behind when it gave up the CPU.
    #[derive(Debug, Default)]
    pub struct SwitchedState {
        area: Option<XsaveArea>,
        saved: u32,
        mxcsr: u32,
        control: u16,
    }

    impl SwitchedState {
        /// Nothing saved; initial MXCSR and x87 control word.
        pub const fn new() -> Self {
            Self {
                area: None,
                saved: 0,
                mxcsr: 0x1f80,
                control: 0x37f,
            }
        }
    }

    /// The switched components that are not in their initial state.
    #[inline]
    pub fn in_use() -> u32 {
        let (low, _high): (u32, u32);
        // SAFETY: XGETBV(1) is available where XSAVEC is, which the tender checked.
        unsafe {
            asm!("xgetbv", in("ecx") 1, out("eax") low, out("edx") _high, options(nomem, nostack));
        }
        low & SWITCHED
    }

    /// Saves what is in use; called on the way out of a thread.
    pub fn save(state: &mut SwitchedState) {
        // SAFETY: stores two control registers to fields of ours.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &raw mut state.mxcsr, options(nostack));
            asm!("fnstcw [{}]", in(reg) &raw mut state.control, options(nostack));
        }
        state.saved = in_use();
        if state.saved == 0 {
            return;
        }
        if state.area.is_none() {
            state.area = XsaveArea::new();
        }
        let Some(area) = &state.area else {
            // No memory for the area: the thread loses upper halves rather than the process its life.
            state.saved = 0;
            return;
        };
        // SAFETY: the area is 64-byte aligned and large enough for all enabled components.
        unsafe {
            asm!("xsavec64 [{}]", in(reg) area.address(), in("eax") state.saved, in("edx") 0,
                options(nostack));
        }
    }

    /// Restores what [`save`] saved; called on the way into a thread.
    pub fn restore(state: &SwitchedState) {
        let stale = in_use();
        match &state.area {
            Some(area) if state.saved != 0 => {
                // Components that are in use now but were not saved return to their initial state,
                // because the area's header does not list them.
                // SAFETY: `save` filled the area in the compacted format.
                unsafe {
                    asm!("xrstor64 [{}]", in(reg) area.address(), in("eax") state.saved | stale,
                        in("edx") 0, options(nostack));
                }
            }
            _ if stale != 0 => init(stale),
            _ => {}
        }
        // SAFETY: loads values that were stored from the same registers.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const state.mxcsr, options(nostack, readonly));
            asm!("fldcw [{}]", in(reg) &raw const state.control, options(nostack, readonly));
        }
    }

    /// Puts `components` into their initial state.
    fn init(components: u32) {
        #[repr(C, align(64))]
        struct Empty([u8; 576]);
        // Standard format; MXCSR stands in the legacy part and is loaded along with AVX.
        static EMPTY: Empty = {
            let mut bytes = [0; 576];
            (bytes[24], bytes[25]) = (0x80, 0x1f);
            Empty(bytes)
        };
        // SAFETY: an all-zero header restores initial state and reads no further than 576 bytes.
        unsafe {
            asm!("xrstor64 [{}]", in(reg) &raw const EMPTY, in("eax") components, in("edx") 0,
                options(nostack, readonly));
        }
    }

    /// Puts everything that is switched into its initial state, for a program that starts.
    pub fn init_all() {
        init(SWITCHED & u32::try_from(super::enabled() & 0xffff_ffff).unwrap_or(0));
    }
}

/// Offsets in a standard-format XSAVE area (Intel SDM vol. 1, 13.4).
mod offset {
    pub const MXCSR: usize = 24;
    pub const MXCSR_MASK: usize = 28;
    #[cfg(not(test))]
    pub const XMM: usize = 160;
    pub const HEADER: usize = 512;
    pub const XCOMP_BV: usize = HEADER + 8;
    pub const RESERVED: usize = HEADER + 16;
    pub const HEADER_END: usize = HEADER + 64;
}

/// Bits of MXCSR that may be set if the area does not say (the kernel's default).
const MXCSR_DEFAULT_MASK: u32 = 0xffbf;

/// Whether XRSTOR takes `image` without a fault: standard format, known components, no reserved
/// bits. What a signal handler left in its frame is a claim like any other.
pub fn is_restorable(image: &[u8], enabled: u64) -> bool {
    let word = |at: usize| {
        image
            .get(at..at + 8)
            .and_then(|b| b.try_into().ok())
            .map(u64::from_le_bytes)
    };
    let half = |at: usize| {
        image
            .get(at..at + 4)
            .and_then(|b| b.try_into().ok())
            .map(u32::from_le_bytes)
    };
    let (Some(present), Some(compacted)) = (word(offset::HEADER), word(offset::XCOMP_BV)) else {
        return false;
    };
    let (Some(mxcsr), Some(mask)) = (half(offset::MXCSR), half(offset::MXCSR_MASK)) else {
        return false;
    };
    let mask = if mask == 0 { MXCSR_DEFAULT_MASK } else { mask };
    let reserved = image.get(offset::RESERVED..offset::HEADER_END);
    present & !enabled == 0
        && compacted == 0
        && mxcsr & !mask & !MXCSR_DEFAULT_MASK == 0
        && reserved.is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0))
}

#[cfg(not(test))]
pub use image::{capture, install};

#[cfg(not(test))]
mod image {
    use super::{enabled, is_restorable, offset};
    use crate::arch::frame::TrapFrame;
    use crate::errno::{Errno, Result};
    use crate::task;

    /// Lets `with` see the complete extended state of the running thread, whose registers are in
    /// `frame`, as a standard-format XSAVE image.
    ///
    /// # Errors
    /// ENOMEM if there is no memory for it.
    pub fn capture<T>(frame: &TrapFrame, with: impl FnOnce(&[u8]) -> T) -> Result<T> {
        task::with_current(|thread| {
            // SAFETY: thread context of the running thread; no other borrow of its CPU state.
            let state = unsafe { thread.cpu_state() };
            let area = state.interrupted_area().ok_or(Errno::ENOMEM)?;
            if frame.xsave == 0 {
                // The gate's frame has XMM; everything else is still in the registers.
                // SAFETY: the area is 64-byte aligned and has the size for all components.
                unsafe {
                    area.address().add(offset::HEADER).write_bytes(0, 64);
                    core::arch::asm!("xsave64 [{}]", in(reg) area.address(), in("eax") -1,
                        in("edx") -1, options(nostack));
                    let xmm = area.address().add(offset::XMM);
                    xmm.copy_from_nonoverlapping(
                        frame.xmm.as_ptr().cast(),
                        size_of_val(&frame.xmm),
                    );
                    // SSE counts as present even if the processor found it in its initial state.
                    let present = area.address().add(offset::HEADER);
                    present.write(present.read() | 2);
                }
            }
            // SAFETY: `area.size()` initialised bytes; nobody writes to them while `with` runs.
            Ok(with(unsafe {
                core::slice::from_raw_parts(area.address(), area.size())
            }))
        })
    }

    /// Makes `image` the extended state that the running thread of `frame` returns with.
    ///
    /// # Errors
    /// EINVAL if the processor would refuse it; ENOMEM.
    pub fn install(frame: &mut TrapFrame, image: &[u8]) -> Result<()> {
        if !is_restorable(image, enabled()) {
            return Err(Errno::EINVAL);
        }
        task::with_current(|thread| {
            // SAFETY: as in `capture`.
            let state = unsafe { thread.cpu_state() };
            let area = state.interrupted_area().ok_or(Errno::ENOMEM)?;
            let len = image.len().min(area.size());
            // SAFETY: both runs have `len` bytes; the rest is cleared, which only matters for
            // components that the header does not list.
            unsafe {
                area.address().copy_from_nonoverlapping(image.as_ptr(), len);
                area.address().add(len).write_bytes(0, area.size() - len);
            }
            frame.xsave = area.address() as u64;
            frame.restore_all = 1;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_aligned_and_holds_the_legacy_part() {
        let area = XsaveArea::new().expect("memory");
        assert_eq!(area.address() as usize % 64, 0);
        assert!(area.size() >= 576, "{}", area.size());
        assert_eq!(enabled() & 3, 3, "x87 and SSE are always enabled");
    }

    #[test]
    fn an_image_is_checked_before_the_processor_sees_it() {
        let enabled = enabled();
        let good = || {
            let mut image = vec![0_u8; area_size()];
            image[offset::MXCSR..offset::MXCSR + 4].copy_from_slice(&0x1f80_u32.to_le_bytes());
            image[offset::HEADER] = 3;
            image
        };
        assert!(is_restorable(&good(), enabled));
        for (at, byte) in [
            (offset::HEADER + 7, 0x80),
            (offset::XCOMP_BV, 1),
            (offset::RESERVED, 1),
            (offset::HEADER_END - 1, 1),
            (offset::MXCSR + 3, 1),
        ] {
            let mut image = good();
            image[at] |= byte;
            assert!(!is_restorable(&image, enabled), "byte {at}");
        }
        assert!(!is_restorable(&good()[..500], enabled));
    }
}
