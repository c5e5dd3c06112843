//! The tender's boot record, for all who read it.
//!
//! [`crate::start`] stores it before anything else runs. It stays mapped and unchanged. What the
//! record holds is said in `libos_abi::boot`; what is done with it is not said here.

use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use libos_abi::boot::BootInfo;
use libos_abi::handle::{Handle, HandleKind};

static BOOT: AtomicPtr<BootInfo> = AtomicPtr::new(core::ptr::null_mut());
static STARTUP_NS: AtomicU64 = AtomicU64::new(0);

/// The boot information; `None` before the start has read it.
pub fn boot() -> Option<&'static BootInfo> {
    // SAFETY: `remember` was given a record that stays mapped and unchanged.
    unsafe { BOOT.load(Ordering::Relaxed).as_ref() }
}

/// The first handle of `kind`, if the run has one.
pub fn handle(kind: HandleKind) -> Option<&'static Handle> {
    // SAFETY: the tender's array stays mapped and unchanged.
    let handles = unsafe { boot()?.handles.as_slice() };
    handles.iter().find(|handle| handle.kind == kind)
}

/// How long the libOS itself took to start, in nanoseconds.
pub fn startup_ns() -> u64 {
    STARTUP_NS.load(Ordering::Relaxed)
}

/// Stores the tender's record, for [`boot`] and [`handle`].
pub fn remember(info: &'static BootInfo) {
    BOOT.store(core::ptr::from_ref(info).cast_mut(), Ordering::Relaxed);
}

/// Stores how long the start took, in nanoseconds.
pub fn remember_startup(nanoseconds: u64) {
    STARTUP_NS.store(nanoseconds, Ordering::Relaxed);
}
