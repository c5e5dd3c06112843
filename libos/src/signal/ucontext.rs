//! The signal frame, as the kernel lays it out on x86-64 (arch/x86/include/asm/sigframe.h).
//!
//! [`RtSigframe`] is plain data: made from a [`TrapFrame`], and read back into one. What the layout
//! has no say in (which stack, the extended state) is in [`super::frame`] and [`super::fpstate`].

use crate::arch::frame::TrapFrame;
use crate::signal::altstack::StackT;
use crate::signal::info::SigInfo;
use crate::user::Plain;

/// `struct sigcontext_64`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after registers")]
pub struct MachineContext {
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rsp: u64,
    pub rip: u64,
    pub rflags: u64,
    pub cs: u16,
    pub gs: u16,
    pub fs: u16,
    pub ss: u16,
    pub error_code: u64,
    pub trap_number: u64,
    pub old_mask: u64,
    pub cr2: u64,
    pub fpstate: u64,
    pub reserved: [u64; 8],
}

/// `struct ucontext`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UContext {
    /// `UC_*`.
    pub flags: u64,
    /// Unused by the kernel.
    pub link: u64,
    /// The alternate stack before the handler.
    pub stack: StackT,
    /// Registers.
    pub machine: MachineContext,
    /// The mask before the handler.
    pub mask: u64,
}

// SAFETY: integers without gaps: every pattern is valid, nothing is owned.
unsafe impl Plain for UContext {}

/// `struct rt_sigframe`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtSigframe {
    /// Where the handler returns to: `sa_restorer`.
    pub restorer: u64,
    /// The interrupted context.
    pub context: UContext,
    /// What is told of the signal.
    pub info: SigInfo,
}

// SAFETY: integers without gaps: every pattern is valid, nothing is owned.
unsafe impl Plain for RtSigframe {}

const _: () = assert!(size_of::<UContext>() == 304 && size_of::<RtSigframe>() == 440);

/// `UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS`.
pub const UC_FLAGS: u64 = 7;
/// Segments of 64-bit user code.
const USER_CS: u16 = 0x33;
const USER_SS: u16 = 0x2b;
/// Flags that a handler's return may set: CF PF AF ZF SF DF OF RF AC. The kernel admits TF too; a
/// single step inside an image would be taken for one of the libOS's own faults.
const RESTORABLE_FLAGS: u64 = 0x0005_0cd5;
/// The fixed bit 1 and the interrupt flag, which user code always sees set.
const FIXED_FLAGS: u64 = 0x202;

/// What the last fault of a thread left to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRegisters {
    /// CR2.
    pub cr2: u64,
    /// Exception vector.
    pub trap_number: u64,
    /// Error code of the exception.
    pub error_code: u64,
}

impl MachineContext {
    /// The registers of `frame`; `rip` is the address to show.
    pub fn capture(frame: &TrapFrame, rip: u64, fault: &FaultRegisters, mask: u64) -> Self {
        Self {
            r8: frame.r8,
            r9: frame.r9,
            r10: frame.r10,
            r11: frame.r11,
            r12: frame.r12,
            r13: frame.r13,
            r14: frame.r14,
            r15: frame.r15,
            rdi: frame.rdi,
            rsi: frame.rsi,
            rbp: frame.rbp,
            rbx: frame.rbx,
            rdx: frame.rdx,
            rax: frame.rax,
            rcx: frame.rcx,
            rsp: frame.rsp,
            rip,
            rflags: frame.rflags,
            cs: USER_CS,
            ss: USER_SS,
            error_code: fault.error_code,
            trap_number: fault.trap_number,
            old_mask: mask,
            cr2: fault.cr2,
            ..Self::default()
        }
    }

    /// Puts the registers back into `frame`, which is then restored whole. Segments are ignored,
    /// flags are sanitized.
    pub fn restore(&self, frame: &mut TrapFrame) {
        frame.r8 = self.r8;
        frame.r9 = self.r9;
        frame.r10 = self.r10;
        frame.r11 = self.r11;
        frame.r12 = self.r12;
        frame.r13 = self.r13;
        frame.r14 = self.r14;
        frame.r15 = self.r15;
        frame.rdi = self.rdi;
        frame.rsi = self.rsi;
        frame.rbp = self.rbp;
        frame.rbx = self.rbx;
        frame.rdx = self.rdx;
        frame.rax = self.rax;
        frame.rcx = self.rcx;
        frame.rsp = self.rsp;
        frame.rip = self.rip;
        frame.rflags = (self.rflags & RESTORABLE_FLAGS) | FIXED_FLAGS;
        frame.restore_all = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn offsets_are_those_of_the_kernels_headers() {
        let machine = offset_of!(RtSigframe, context) + offset_of!(UContext, machine);
        let offsets = [
            (machine, 48),
            (offset_of!(MachineContext, rdi), 64),
            (offset_of!(MachineContext, rax), 104),
            (offset_of!(MachineContext, rsp), 120),
            (offset_of!(MachineContext, rip), 128),
            (offset_of!(MachineContext, rflags), 136),
            (offset_of!(MachineContext, cs), 144),
            (offset_of!(MachineContext, error_code), 152),
            (offset_of!(MachineContext, cr2), 176),
            (offset_of!(MachineContext, fpstate), 184),
            (offset_of!(UContext, mask), 296),
            (offset_of!(RtSigframe, info), 312),
        ];
        for (found, expected) in offsets {
            assert_eq!(found, expected);
        }
    }

    fn sample() -> TrapFrame {
        TrapFrame {
            rax: 1,
            rbx: 2,
            rcx: 3,
            rdx: 4,
            rsi: 5,
            rdi: 6,
            rbp: 7,
            rsp: 0x7000,
            r8: 8,
            r9: 9,
            r10: 10,
            r11: 11,
            r12: 12,
            r13: 13,
            r14: 14,
            r15: 15,
            rip: 0x40_0000,
            rflags: 0x246,
            ..TrapFrame::zeroed()
        }
    }

    #[test]
    fn registers_survive_the_round_trip() {
        let fault = FaultRegisters::default();
        let frame = sample();
        let context = MachineContext::capture(&frame, frame.rip, &fault, 0);
        let mut back = TrapFrame::zeroed();
        back.restore_all = 0;
        context.restore(&mut back);
        let again = MachineContext::capture(&back, back.rip, &fault, 0);
        assert_eq!(context, again);
        assert_eq!((back.rflags, back.restore_all), (0x246, 1));
    }

    #[test]
    fn dangerous_flags_are_cleared() {
        let context = MachineContext {
            rflags: u64::MAX,
            ..MachineContext::default()
        };
        let mut frame = TrapFrame::zeroed();
        context.restore(&mut frame);
        let (iopl, trap, nested) = (0x3000, 0x100, 0x4000);
        assert_eq!(frame.rflags & (iopl | trap | nested), 0);
        assert_eq!(frame.rflags & FIXED_FLAGS, FIXED_FLAGS);
    }
}
