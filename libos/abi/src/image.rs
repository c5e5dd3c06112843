//! Where the parts of an image are found.
//!
//! An image is an ELF file (`ET_DYN`, or `ET_EXEC` for a fixed-address program) whose `PT_LOAD`s
//! are the application's (rewritten in place), the libOS's, the stubs, the site table, the
//! application's file and the root file system; a `PT_NOTE` holds the manifest.

/// Owner of the image's ELF note.
pub const NOTE_NAME: &str = "libos";

/// Type of the note whose descriptor is the manifest, as UTF-8 JSON.
pub const NOTE_MANIFEST: u32 = 1;

/// Names of symbols in the libOS's ELF file that the build tool puts into the manifest.
pub mod symbols {
    /// Entry point: `fn(&'static BootInfo) -> !`.
    pub const ENTRY: &str = "_start";
    /// The handler of every host signal: `fn(signo, *siginfo, *ucontext) -> !`.
    pub const SIGNAL_ENTRY: &str = "libos_signal_entry";
    /// Where the stubs jump to.
    pub const GATE: &str = "libos_gate";
    /// First byte of the only code that executes host system calls.
    pub const HYPERCALL_START: &str = "libos_hypercall_start";
    /// Just behind the last byte of that code.
    pub const HYPERCALL_END: &str = "libos_hypercall_end";
}

/// One redirected site. Sorted by `syscall` in the image's table, so that an address in a stub can
/// be shown as the address in the application that it stands for, and back.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Link-time address of the 2-byte `syscall` instruction.
    pub syscall: u64,
    /// Link-time address of the stub's first byte.
    pub stub: u64,
    /// Link-time address of the instruction in the stub that stands for the `syscall`.
    pub call: u64,
    /// Link-time address where the application goes on; `syscall + 2`, or inside the stub if
    /// instructions behind the `syscall` were displaced.
    pub resume: u64,
}
