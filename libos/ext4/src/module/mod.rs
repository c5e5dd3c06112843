//! The driver as a module beside an image: entry point, and what it has from the libOS instead of a standard
//! library.
//!
//! - here: the entry point, memory, panics, and the functions that compiled code calls by name.
//! - [`disk`]: the libOS's disk as a [`crate::Device`].
//! - [`calls`]: the functions that the libOS calls.

mod calls;
mod disk;

use core::alloc::{GlobalAlloc, Layout};
use core::fmt::{self, Write};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use libos_abi::driver::{Bytes, DRIVER_ABI, DriverCalls, HostCalls, Time};

/// What the libOS offers; set before anything else runs, and then never changed.
static HOST: AtomicPtr<HostCalls> = AtomicPtr::new(ptr::null_mut());

fn host() -> &'static HostCalls {
    // SAFETY: `enter` has put the libOS's table there, which stays for ever.
    unsafe { &*HOST.load(Ordering::Relaxed) }
}

// The libOS calls this with the address of its table in rdi; see `libos_abi::driver::Entry`.
core::arch::global_asm!(
    ".pushsection .text.start, \"ax\", @progbits",
    ".globl _start",
    "_start:",
    include_str!("../../../link/relocate.s"),
    "jmp {enter}",
    ".popsection",
    enter = sym enter,
);

unsafe extern "C" fn enter(host: *const HostCalls) -> *const DriverCalls {
    // SAFETY: the libOS passes its table.
    let (abi, size) = unsafe { ((*host).abi, (*host).size) };
    if abi != DRIVER_ABI || usize::try_from(size).is_ok_and(|size| size < size_of::<HostCalls>()) {
        return ptr::null();
    }
    HOST.store(host.cast_mut(), Ordering::Relaxed);
    &raw const calls::CALLS
}

fn now() -> Time {
    let mut time = Time::default();
    // SAFETY: the libOS writes one `Time`.
    unsafe { (host().now)(&raw mut time) };
    time
}

/// Memory of the libOS's heap.
struct HostHeap;

// SAFETY: the libOS's heap gives out what its own global allocator does.
unsafe impl GlobalAlloc for HostHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout is not empty.
        unsafe { (host().allocate)(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: it came from `alloc` with this layout.
        unsafe { (host().free)(memory, layout.size(), layout.align()) }
    }
}

#[global_allocator]
static HEAP: HostHeap = HostHeap;

/// As much of a message as fits.
struct Message {
    bytes: [u8; 240],
    len: usize,
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let count = text.len().min(room.len());
        room[..count].copy_from_slice(&text.as_bytes()[..count]);
        self.len += count;
        Ok(())
    }
}

#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut message = Message {
        bytes: [0; 240],
        len: 0,
    };
    let _ = write!(message, "the ext4 driver: {info}");
    // SAFETY: the bytes live until the call, which does not return.
    unsafe { (host().fatal)(Bytes::of(&message.bytes[..message.len])) }
}

/// Precompiled parts of the core library refer to it, though nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// A function that compiled code calls by name, as the libOS's of the same arguments.
macro_rules! from_host {
    ($($name:ident => $field:ident),*) => {$(
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                "mov rax, [rip + {host}]",
                "jmp [rax + {field}]",
                host = sym HOST,
                field = const core::mem::offset_of!(HostCalls, $field),
            )
        }
    )*};
}

from_host!(memcpy => copy, memmove => move_bytes, memset => fill, memcmp => compare, bcmp => compare);

/// As [`rust_eh_personality`].
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    // SAFETY: the bytes are constant.
    unsafe { (host().fatal)(Bytes::of(b"the ext4 driver: nothing unwinds")) }
}
