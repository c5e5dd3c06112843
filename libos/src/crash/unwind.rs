//! From a frame's registers to its caller's, by the program's own unwind tables (`.eh_frame`), or by
//! frame pointers where it has none, as Go programs.

use gimli::{
    BaseAddresses, CfaRule, EhFrame, LittleEndian, Register, RegisterRule, UnwindContext,
    UnwindSection, X86_64,
};

use crate::arch::frame::TrapFrame;
use crate::crash::program::Program;
use crate::user::UserPtr;

/// The registers that survive a call, and where the frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// Instruction pointer.
    pub rip: u64,
    /// Stack pointer.
    pub rsp: u64,
    rbp: u64,
    rbx: u64,
    r12: u64,
    r13: u64,
    r14: u64,
    r15: u64,
}

impl Registers {
    /// Those of an interrupted thread.
    pub fn from_frame(f: &TrapFrame) -> Self {
        Self {
            rip: f.rip,
            rsp: f.rsp,
            rbp: f.rbp,
            rbx: f.rbx,
            r12: f.r12,
            r13: f.r13,
            r14: f.r14,
            r15: f.r15,
        }
    }

    fn get(&self, register: Register) -> Option<u64> {
        Some(match register {
            X86_64::RSP => self.rsp,
            X86_64::RBP => self.rbp,
            X86_64::RBX => self.rbx,
            X86_64::R12 => self.r12,
            X86_64::R13 => self.r13,
            X86_64::R14 => self.r14,
            X86_64::R15 => self.r15,
            X86_64::RA => self.rip,
            _ => return None,
        })
    }

    fn place(&mut self, register: Register) -> Option<&mut u64> {
        Some(match register {
            X86_64::RBP => &mut self.rbp,
            X86_64::RBX => &mut self.rbx,
            X86_64::R12 => &mut self.r12,
            X86_64::R13 => &mut self.r13,
            X86_64::R14 => &mut self.r14,
            X86_64::R15 => &mut self.r15,
            X86_64::RA => &mut self.rip,
            _ => return None,
        })
    }
}

const SAVED: [Register; 7] = [
    X86_64::RBP,
    X86_64::RBX,
    X86_64::R12,
    X86_64::R13,
    X86_64::R14,
    X86_64::R15,
    X86_64::RA,
];

/// The caller of the frame with registers `at`; `None` at the outermost frame or where nothing is
/// known. `is_top` says that `at.rip` is an instruction that ran, not a return address.
pub fn caller(program: Option<&Program<'_>>, at: &Registers, is_top: bool) -> Option<Registers> {
    let by_table = program.and_then(|program| by_table(program, at, is_top));
    let next = by_table.or_else(|| by_frame_pointer(at))?;
    let moved_up = next.rsp > at.rsp;
    (moved_up && next.rip != 0).then_some(next)
}

fn read_word(address: u64) -> Option<u64> {
    UserPtr::<u64>::new(usize::try_from(address).ok()?)
        .read()
        .ok()
}

fn by_table(program: &Program<'_>, at: &Registers, is_top: bool) -> Option<Registers> {
    let section = program.section(".eh_frame")?;
    let frames = EhFrame::new(section.bytes, LittleEndian);
    let mut bases = BaseAddresses::default().set_eh_frame(section.address);
    if let Some(text) = program.section(".text") {
        bases = bases.set_text(text.address);
    }
    if let Some(got) = program.section(".got") {
        bases = bases.set_got(got.address);
    }
    // A return address may lie behind its function's last instruction, a call that never returns.
    let address = if is_top {
        at.rip
    } else {
        at.rip.checked_sub(1)?
    };
    let mut context = UnwindContext::new();
    let row = frames
        .unwind_info_for_address(&bases, &mut context, address, EhFrame::cie_from_offset)
        .ok()?;
    let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else {
        return None;
    };
    let cfa = at.get(register)?.checked_add_signed(offset)?;
    let mut next = Registers {
        rsp: cfa,
        rip: 0,
        ..*at
    };
    for register in SAVED {
        let value = match row.register(register) {
            Some(RegisterRule::Offset(offset)) => read_word(cfa.checked_add_signed(offset)?)?,
            Some(RegisterRule::ValOffset(offset)) => cfa.checked_add_signed(offset)?,
            Some(RegisterRule::Register(other)) => at.get(other)?,
            Some(RegisterRule::Undefined) if register == X86_64::RA => 0,
            _ if register == X86_64::RA => 0,
            _ => continue,
        };
        *next.place(register)? = value;
    }
    Some(next)
}

/// The caller by the convention that `%rbp` points to its own saved value, the return address above.
fn by_frame_pointer(at: &Registers) -> Option<Registers> {
    if at.rbp < at.rsp || !at.rbp.is_multiple_of(8) {
        return None;
    }
    let rip = read_word(at.rbp.checked_add(8)?)?;
    let rbp = read_word(at.rbp)?;
    Some(Registers {
        rip,
        rbp,
        rsp: at.rbp.checked_add(16)?,
        ..*at
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registers(rsp: u64, rbp: u64) -> Registers {
        Registers {
            rip: 0x1000,
            rsp,
            rbp,
            rbx: 0,
            r12: 0,
            r13: 0,
            r14: 0,
            r15: 0,
        }
    }

    #[test]
    fn frame_pointers_lead_to_the_caller() {
        let stack = [0_u64, 0x5555, 0x4242, 0];
        let base = stack.as_ptr() as u64;
        let next = caller(None, &registers(base, base + 8), true).expect("a caller");
        assert_eq!((next.rip, next.rbp, next.rsp), (0x4242, 0x5555, base + 24));
    }

    #[test]
    fn a_chain_that_leads_down_or_to_nothing_ends() {
        let stack = [0_u64; 4];
        let base = stack.as_ptr() as u64;
        assert_eq!(
            caller(None, &registers(base, base + 8), true),
            None,
            "return address 0"
        );
        assert_eq!(
            caller(None, &registers(base + 16, base), true),
            None,
            "below the stack pointer"
        );
        assert_eq!(
            caller(None, &registers(base, base + 9), true),
            None,
            "not aligned"
        );
    }
}
