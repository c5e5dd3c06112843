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
}
