//! The boot information: one record, built by the tender in memory of its own, read by the libOS.
//!
//! All addresses are virtual addresses of the running process. Everything that a record points to
//! stays mapped and unchanged for the life of the process. Fields are only ever appended; a change
//! of meaning bumps [`crate::ABI_VERSION`].

use crate::handle::Handle;

/// First field of [`BootInfo`]: `"libOSbt\x01"` read as little endian.
pub const BOOT_MAGIC: u64 = u64::from_le_bytes(*b"libOSbt\x01");

/// The least length of [`BootInfo::memory`], in bytes of address space: the libOS divides it into regions.
pub const LEAST_MEMORY: u64 = 1 << 30;

/// A run of memory: first address and length in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Address of the first byte.
    pub start: u64,
    /// Length in bytes; 0 means that there is no such memory.
    pub len: u64,
}

impl Span {
    /// Address just behind the last byte.
    pub const fn end(self) -> u64 {
        self.start + self.len
    }

    /// Whether `address` lies inside.
    pub const fn contains(self, address: u64) -> bool {
        address >= self.start && address - self.start < self.len
    }
}

/// A borrowed array that crosses the boundary between tender and libOS.
#[repr(C)]
#[derive(Debug)]
pub struct Array<T> {
    /// First element; dangling if `len` is 0.
    pub ptr: *const T,
    /// Number of elements.
    pub len: usize,
}

// SAFETY: what it points to stays unchanged for the life of the process, so it is a shared borrow.
unsafe impl<T: Sync> Send for Array<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Array<T> {}

impl<T> Clone for Array<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Array<T> {}

impl<T> Array<T> {
    /// An array that borrows `items` for the life of the process.
    pub const fn from_static(items: &'static [T]) -> Self {
        Self {
            ptr: items.as_ptr(),
            len: items.len(),
        }
    }

    /// The elements.
    ///
    /// # Safety
    /// 1. `ptr` points to `len` initialised elements,
    /// 2. which stay mapped and unchanged for the life of the process.
    pub const unsafe fn as_slice(&self) -> &'static [T] {
        // SAFETY: the caller's duties 1 and 2 are those of `from_raw_parts` for `'static`.
        unsafe { core::slice::from_raw_parts(self.ptr, self.len) }
    }
}

/// Bytes of a string; UTF-8 is not promised (Linux paths and environments are bytes).
pub type Text = Array<u8>;

/// A run of equal stack slots, each with an inaccessible guard at its low end.
///
/// Slot `i` is `[base + i * stride, base + (i + 1) * stride)`; its lowest `guard` bytes are mapped
/// without access, the rest is readable, writable and zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackZone {
    /// Address of slot 0.
    pub base: u64,
    /// Distance between slots, in bytes; a multiple of the page size.
    pub stride: u64,
    /// Length of the inaccessible low end of each slot, in bytes; a multiple of the page size.
    pub guard: u64,
    /// Number of slots.
    pub count: u64,
}

/// The application inside the image, as its own `PT_LOAD`s were mapped.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct App {
    /// What was added to the application's link-time addresses; 0 for a fixed-address program.
    pub load_bias: u64,
    /// Entry point (`AT_ENTRY`).
    pub entry: u64,
    /// Program headers as mapped (`AT_PHDR`); 0 if the program maps none.
    pub phdr: u64,
    /// Number of program headers (`AT_PHNUM`).
    pub phnum: u64,
    /// Memory that the application's segments occupy, from the lowest to the highest page.
    pub extent: Span,
    /// Where `brk` starts: just behind the highest segment, page-aligned. The break itself moves in
    /// [`BootInfo::memory`] if nothing is reserved here.
    pub break_start: u64,
    /// The application's ELF file, read-only: what `/proc/self/exe` shows. Its end may be compressed, see
    /// [`crate::image::PackedFile`].
    pub file: Span,
    /// The path that `/proc/self/exe` names.
    pub path: Text,
}

/// Terminal state at start-up, valid if one of the console handles is a terminal.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal {
    /// 1 if this record is valid.
    pub present: u32,
    /// `c_iflag`, `c_oflag`, `c_cflag`, `c_lflag` of the kernel's `struct termios`.
    pub flags: [u32; 4],
    /// `c_line`.
    pub line: u8,
    /// `c_cc`.
    pub control: [u8; 19],
    /// Rows, columns, width and height in pixels, as `struct winsize`.
    pub window: [u16; 4],
}

/// One timed step of start-up, for the report.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// Name of the step.
    pub name: Text,
    /// Its duration in nanoseconds.
    pub nanoseconds: u64,
}

/// Bits of [`BootInfo::options`].
pub mod options {
    /// Trace each guest call to the log handle, as strace does.
    pub const STRACE: u64 = 1 << 0;
    /// Compat mode: `syscall` instructions that were not redirected arrive as SIGSYS.
    pub const COMPAT: u64 = 1 << 1;
    /// The vDSO's `clock_gettime` answers without entering the kernel on this host.
    pub const VDSO_CLOCK: u64 = 1 << 2;
    /// Name unimplemented calls on standard error.
    pub const DEBUG: u64 = 1 << 3;
}

/// What the tender tells the image. Passed by address in `%rdi` to the image's entry point.
///
/// On entry `%rsp` is the 16-byte aligned top of `boot_stack`, the signal handlers listed in the
/// architecture document are installed, and the filter is in force.
#[repr(C)]
#[derive(Debug)]
pub struct BootInfo {
    /// [`BOOT_MAGIC`].
    pub magic: u64,
    /// [`crate::ABI_VERSION`].
    pub abi_version: u32,
    /// `size_of::<BootInfo>()` as the tender knows it.
    pub size: u32,
    /// See [`options`].
    pub options: u64,
    /// What was added to every address of the image file; 0 for a fixed-address image.
    pub image_bias: u64,
    /// The libOS's own segments.
    pub libos: Span,
    /// The stubs that the rewriter made.
    pub stubs: Span,
    /// The table of redirected sites ([`crate::image::Site`]).
    pub sites: Array<crate::image::Site>,
    /// The host's vDSO; length 0 if there is none.
    pub vdso: Span,
    /// Address of the vDSO's `clock_gettime(clockid_t, struct timespec *)`, or 0.
    pub vdso_clock_gettime: u64,
    /// Read-only root file system: an EROFS image without compression; length 0 if there is none.
    pub rootfs: Span,
    /// Private memory, readable and writable, zero, reserved without being committed. The libOS
    /// takes its heap from it and hands the rest out as the application's memory.
    pub memory: Span,
    /// How many bytes of all writable memory may be in use at once.
    pub memory_limit: u64,
    /// Guarded slots for thread stacks.
    pub stack_zones: Array<StackZone>,
    /// The initial thread's stack, with an inaccessible page below it.
    pub main_stack: Span,
    /// The stack on which the image's entry point runs.
    pub boot_stack: Span,
    /// The alternate stack on which host signals arrive.
    pub signal_stack: Span,
    /// Memory that is readable, writable and executable, for code made at run time; compat mode
    /// only, else length 0.
    pub exec_arena: Span,
    /// The application.
    pub app: App,
    /// The host objects that this image holds.
    pub handles: Array<Handle>,
    /// Command line, the program's name first.
    pub args: Array<Text>,
    /// Environment, as `NAME=value`.
    pub env: Array<Text>,
    /// Working directory, absolute.
    pub cwd: Text,
    /// Host name (`uname`).
    pub hostname: Text,
    /// Real user, effective user, real group, effective group of the caller.
    pub ids: [u32; 4],
    /// `AT_HWCAP` and `AT_HWCAP2` of the host.
    pub hwcap: [u64; 2],
    /// Entropy: seed of the libOS's generator. The libOS copies it and does not hand it on.
    pub seed: [u8; 32],
    /// Whether RDRAND may be mixed in; 0 makes a run with a given seed repeatable.
    pub mix_rdrand: u32,
    /// Period of the preemption tick, in microseconds of CPU time.
    pub tick_us: u32,
    /// Terminal state.
    pub terminal: Terminal,
    /// The tender's start-up steps.
    pub phases: Array<Phase>,
    /// CLOCK_MONOTONIC in nanoseconds when the tender was started.
    pub started_ns: u64,
    /// CPU model and facts for `/proc/cpuinfo`: the host's first processor block, as text. Empty if
    /// there is a [`crate::handle::HandleKind::CpuInfo`] to read it from when it is first asked for.
    pub cpuinfo: Text,
    /// Total memory of the host in bytes.
    pub host_memory: u64,
    /// Signals that the caller had set to be ignored (`nohup`): bit `n - 1` for signal `n`.
    pub ignored_signals: u64,
    /// Network interfaces.
    pub interfaces: Array<crate::net::NetInterface>,
    /// Name servers, for `/etc/resolv.conf`.
    pub dns: Array<crate::net::NetAddress>,
    /// Domains to search, for `/etc/resolv.conf`.
    pub dns_search: Array<Text>,
    /// Shared folders, none inside another.
    pub shares: Array<crate::share::Share>,
    /// Disks.
    pub blocks: Array<crate::block::Block>,
    /// The drivers of their file systems, mapped beside the image; at most one of a kind.
    pub modules: Array<crate::driver::Module>,
}
