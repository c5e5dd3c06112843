//! The register file of an application thread that is inside the libOS.

use core::mem::{offset_of, size_of};

/// What an application thread had in its registers when it called, faulted or was interrupted.
///
/// It stands at the top of the thread's libOS stack. The gate fills it for a call; the host-signal
/// handler fills it for an interruption, in which case `xsave` holds the address of the thread's
/// complete extended state.
#[repr(C, align(64))]
#[derive(Clone, Debug)]
pub struct TrapFrame {
    /// XMM0–XMM15, as the gate saves them; unused while `xsave` is not 0.
    pub xmm: [[u8; 16]; 16],
    /// General registers.
    pub r15: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub r14: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub r13: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub r12: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub rbp: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub rbx: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub r11: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub r10: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub r9: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub r8: u64,
    /// System-call number on entry, result on exit.
    pub rax: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub rcx: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub rdx: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub rsi: u64,
    #[expect(missing_docs, reason = "named after registers")]
    pub rdi: u64,
    /// Where the thread goes on.
    pub rip: u64,
    /// The application's stack pointer.
    pub rsp: u64,
    /// Flags register.
    pub rflags: u64,
    /// Address of the thread's XSAVE area (standard format, 64-byte aligned) if all extended state
    /// is to be restored from it; 0 if only `xmm` is.
    pub xsave: u64,
    /// 1 if every register must be restored (after an interruption, a signal, a new thread); 0 if
    /// the thread returns from a call, where `%rcx`, `%r11` and flags are free to change and the
    /// callee-saved registers still hold their values.
    pub restore_all: u64,
}

/// Size of a frame; keeps the stack below it 64-byte aligned.
pub const FRAME_SIZE: usize = size_of::<TrapFrame>();
const _: () = assert!(FRAME_SIZE.is_multiple_of(64) && offset_of!(TrapFrame, xmm) == 0);

impl TrapFrame {
    /// The six system-call arguments (rdi, rsi, rdx, r10, r8, r9).
    pub fn arguments(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }

    /// A frame with all registers 0.
    pub const fn zeroed() -> Self {
        Self {
            xmm: [[0; 16]; 16],
            r15: 0,
            r14: 0,
            r13: 0,
            r12: 0,
            rbp: 0,
            rbx: 0,
            r11: 0,
            r10: 0,
            r9: 0,
            r8: 0,
            rax: 0,
            rcx: 0,
            rdx: 0,
            rsi: 0,
            rdi: 0,
            rip: 0,
            rsp: 0,
            rflags: INITIAL_FLAGS,
            xsave: 0,
            restore_all: 1,
        }
    }
}

/// Flags of a fresh thread: interrupts enabled (as user mode always shows) and the fixed bit 1.
pub const INITIAL_FLAGS: u64 = 0x202;
