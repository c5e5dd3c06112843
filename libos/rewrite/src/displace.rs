//! Moves single instructions to another address.
//!
//! Main types: [`Decoded`] (an instruction with where its displacement stands) and [`Form`] (how it
//! can be moved). A moved instruction does exactly what it did: nothing is pushed, no register and no
//! flag is used. What cannot be moved so (`call`, whose return address would change; `loop` and
//! `jrcxz`, which have no near form; traps, whose address is observed) has no form.

use alloc::vec::Vec;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, OpKind, Register};

use crate::encoding::{JUMP_LEN, LEA_LEN};
use crate::error::Error;
use crate::find::{branch_target, ends_flow};
use crate::text::{Text, to_u64};

/// An instruction where it stands.
pub(crate) struct Decoded<'a> {
    pub instruction: Instruction,
    pub bytes: &'a [u8],
    /// Index in `bytes` of a 4-byte memory displacement, if there is one.
    displacement: Option<usize>,
}

/// How an instruction is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Its bytes mean the same anywhere.
    Copy,
    /// Its displacement at this index is relative to its end, and refers to this address.
    RipRelative(usize, u64),
    /// `jmp rel8` or `jmp rel32` to this address.
    Jump(u64),
    /// `jcc rel8` or `jcc rel32` with this condition nibble to this address.
    Conditional(u8, u64),
}

impl<'a> Decoded<'a> {
    /// Decodes the instruction at an address; `None` outside the code and for invalid bytes.
    pub fn at(text: &Text<'a>, vaddr: u64) -> Option<Self> {
        let tail = text.region(vaddr)?.tail(vaddr);
        let mut decoder = Decoder::with_ip(64, tail, vaddr, DecoderOptions::NONE);
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return None;
        }
        let offsets = decoder.get_constant_offsets(&instruction);
        let displacement =
            (offsets.displacement_size() == 4).then(|| offsets.displacement_offset());
        Some(Self {
            instruction,
            bytes: &tail[..instruction.len()],
            displacement,
        })
    }

    /// Address behind it.
    pub fn end(&self) -> u64 {
        self.instruction.next_ip()
    }

    /// Whether control never falls through.
    pub fn ends_flow(&self) -> bool {
        ends_flow(&self.instruction)
    }

    /// How it can be moved; `None` where it cannot.
    pub fn form(&self) -> Option<Form> {
        let instruction = &self.instruction;
        match instruction.flow_control() {
            FlowControl::Next | FlowControl::Return | FlowControl::IndirectBranch => {
                self.memory_form()
            }
            FlowControl::UnconditionalBranch if self.is_near() => {
                branch_target(instruction).map(Form::Jump)
            }
            FlowControl::ConditionalBranch if self.is_near() => self.conditional_form(),
            _ => None,
        }
    }

    fn memory_form(&self) -> Option<Form> {
        if matches!(
            self.instruction.code(),
            Code::Hlt | Code::Retfd | Code::Retfq | Code::Retfw
        ) || self.instruction.is_privileged()
        {
            return None;
        }
        if !self.instruction.is_ip_rel_memory_operand() {
            return Some(Form::Copy);
        }
        // `%eip`-relative addressing wraps at 4 GiB, so that distance alone does not move it.
        if self.instruction.memory_base() != Register::RIP {
            return None;
        }
        Some(Form::RipRelative(
            self.displacement?,
            self.instruction.ip_rel_memory_address(),
        ))
    }

    fn is_near(&self) -> bool {
        self.instruction.op0_kind() == OpKind::NearBranch64
    }

    fn conditional_form(&self) -> Option<Form> {
        let target = branch_target(&self.instruction)?;
        let opcode = self.bytes.iter().copied().find(|byte| !is_prefix(*byte))?;
        match opcode {
            0x70..=0x7f => Some(Form::Conditional(opcode & 0xf, target)),
            0x0f => {
                let at = self.bytes.len().checked_sub(5)?;
                Some(Form::Conditional(self.bytes.get(at)? & 0xf, target))
            }
            _ => None,
        }
    }
}

/// Prefixes that a branch can carry: hints, `bnd`, REX.
fn is_prefix(byte: u8) -> bool {
    matches!(
        byte,
        0x2e | 0x3e | 0x26 | 0x36 | 0x64 | 0x65 | 0x66 | 0xf2 | 0xf3 | 0x40..=0x4f
    )
}

/// Appends an instruction, moved to where `out` goes on; `base` is the address of `out`'s first byte.
///
/// # Errors
/// [`Error::OutOfReach`] where a 32-bit displacement does not suffice.
pub(crate) fn emit(
    decoded: &Decoded<'_>,
    form: Form,
    base: u64,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    match form {
        Form::Copy => out.extend_from_slice(decoded.bytes),
        Form::RipRelative(index, target) => {
            let start = out.len();
            out.extend_from_slice(decoded.bytes);
            let end = base.wrapping_add(to_u64(out.len()));
            let relative = relative(end, target)?;
            out[start + index..start + index + 4].copy_from_slice(&relative);
        }
        Form::Jump(target) => emit_jump(target, base, out)?,
        Form::Conditional(condition, target) => {
            let end = base.wrapping_add(to_u64(out.len())).wrapping_add(6);
            out.extend_from_slice(&[0x0f, 0x80 | condition]);
            out.extend_from_slice(&relative(end, target)?);
        }
    }
    Ok(())
}

/// Appends `jmp rel32`.
///
/// # Errors
/// [`Error::OutOfReach`]
pub(crate) fn emit_jump(target: u64, base: u64, out: &mut Vec<u8>) -> Result<(), Error> {
    let end = base.wrapping_add(to_u64(out.len())).wrapping_add(JUMP_LEN);
    out.push(0xe9);
    out.extend_from_slice(&relative(end, target)?);
    Ok(())
}

/// Appends `lea target(%rip),%rcx`.
///
/// # Errors
/// [`Error::OutOfReach`]
pub(crate) fn emit_lea_rcx(target: u64, base: u64, out: &mut Vec<u8>) -> Result<(), Error> {
    let end = base.wrapping_add(to_u64(out.len())).wrapping_add(LEA_LEN);
    out.extend_from_slice(&[0x48, 0x8d, 0x0d]);
    out.extend_from_slice(&relative(end, target)?);
    Ok(())
}

fn relative(from: u64, to: u64) -> Result<[u8; 4], Error> {
    let distance = to.wrapping_sub(from).cast_signed();
    i32::try_from(distance)
        .map(i32::to_le_bytes)
        .map_err(|_| Error::OutOfReach { from, to })
}
