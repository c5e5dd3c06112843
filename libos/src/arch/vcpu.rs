//! What a host thread reaches through `%gs`.
//!
//! There is one vCPU; its record is static, and `%gs` points to it from [`install`] on.

use core::cell::UnsafeCell;
use core::ptr::{null, null_mut};

use crate::arch::event::Event;
use crate::arch::frame::TrapFrame;

/// One vCPU. The gate reads and writes `app_rsp` and `frame` by their offsets.
#[repr(C)]
pub struct Vcpu {
    /// Scratch for the gate: the application's stack pointer on entry.
    pub app_rsp: u64,
    /// The running thread's frame, at the top of its libOS stack.
    pub frame: *mut TrapFrame,
    /// The running thread (a `task::Thread`, which this layer does not know); kept alive by the
    /// scheduler.
    pub current: *const (),
    /// What interrupted the application, on its way to thread context.
    event: Event,
}

struct Cell(UnsafeCell<Vcpu>);

// SAFETY: each vCPU's record is used by its own host thread alone, and there is one.
unsafe impl Sync for Cell {}

static VCPU: Cell = Cell(UnsafeCell::new(Vcpu {
    app_rsp: 0,
    frame: null_mut(),
    current: null(),
    event: Event::Attention,
}));

/// Points `%gs` at the record.
pub fn install() {
    // SAFETY: the tender checked that FSGSBASE is there; nothing else uses %gs.
    unsafe { core::arch::asm!("wrgsbase {}", in(reg) VCPU.0.get(), options(nostack)) };
}

/// The running thread; null before the first.
#[inline]
pub fn current() -> *const () {
    // SAFETY: only this vCPU's host thread touches its record, and no reference to it lives on.
    unsafe { (*VCPU.0.get()).current }
}

/// The running thread's frame.
#[inline]
pub fn frame() -> *mut TrapFrame {
    // SAFETY: as in `current`.
    unsafe { (*VCPU.0.get()).frame }
}

/// Makes `thread` the running one.
#[inline]
pub fn set_current(thread: *const (), frame: *mut TrapFrame) {
    // SAFETY: as in `current`.
    unsafe {
        (*VCPU.0.get()).current = thread;
        (*VCPU.0.get()).frame = frame;
    }
}

/// Keeps `event` until [`take_event`].
pub fn set_event(event: Event) {
    // SAFETY: as in `current`.
    unsafe { (*VCPU.0.get()).event = event };
}

/// The event that [`set_event`] kept.
pub fn take_event() -> Event {
    // SAFETY: as in `current`.
    unsafe { core::mem::replace(&mut (*VCPU.0.get()).event, Event::Attention) }
}
