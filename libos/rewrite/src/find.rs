//! Finds instructions: a linear sweep that resynchronises at known function starts.
//!
//! Main types: [`Facts`] (what the container format knows about the code), [`Listing`] (what one
//! pass over the code yields: instruction starts, branch targets, padding, gates) and [`Gate`] (an
//! instruction that enters the kernel). Whether a gate in doubtful surroundings is code at all is
//! decided by [`crate::reach`]; targets that only data knows are added by [`crate::flow`].
//!
//! The sweep is the hot loop of the rewriter: it decodes each byte once and keeps bits and short
//! lists, not instructions.

use alloc::vec::Vec;
use core::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind};

use crate::text::{AddressSet, Region, Text, to_u64};

/// What is known about code before it is decoded. All lists may be empty; then only the bytes speak.
#[derive(Debug, Clone, Default)]
pub struct Facts<'a> {
    /// Address ranges of functions, sorted by start; they may nest.
    pub functions: Vec<Range<u64>>,
    /// Addresses at which control surely arrives (entry point, landing pads), sorted.
    pub entries: Vec<u64>,
    /// Addresses with a name: boundaries, though perhaps of data, in any order.
    pub labels: Vec<u64>,
    /// Bytes that are not code, in which distances to code may stand.
    pub data: Vec<Region<'a>>,
    /// The part of the data in which absolute code addresses may stand.
    pub addresses: Vec<Region<'a>>,
    /// Whether immediates can hold addresses (a program linked for a fixed address).
    pub position_dependent: bool,
}

/// Which instruction enters the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateKind {
    /// `syscall`
    Syscall,
    /// `sysenter`
    Sysenter,
    /// `int 0x80`
    Int80,
}

/// An instruction that enters the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Its first byte (a prefix, where it has one).
    pub start: u64,
    /// Address of the next instruction.
    pub after: u64,
    /// Which instruction.
    pub kind: GateKind,
    /// Whether another decoding of the same bytes disagrees.
    pub ambiguous: bool,
}

/// What one pass over the code found. Address lists are in rising order unless said otherwise.
#[derive(Debug, Clone)]
pub struct Listing {
    /// First bytes of instructions.
    pub starts: AddressSet,
    /// Addresses that a decoded direct branch or call leads to.
    pub jumped: AddressSet,
    /// Addresses to which anything may lead: `jumped`, function starts, names, references.
    pub targets: AddressSet,
    /// Where decoding failed, or ran across a known function start.
    pub bad: Vec<u64>,
    /// Runs of `nop` and `int3` that no fall-through reaches.
    pub padding: Vec<Range<u64>>,
    /// Instructions that enter the kernel.
    pub gates: Vec<Gate>,
    /// Bytes that a second decoding uses as well, because a branch leads into the middle of an
    /// instruction. What stands there must stay.
    pub contested: AddressSet,
    /// Gates in such a second decoding; all are ambiguous.
    pub shifted_gates: Vec<Gate>,
    /// Addresses outside the code that instructions refer to; unsorted, with duplicates.
    pub data_references: Vec<u64>,
    /// Addresses inside the code that `lea` computes; unsorted, with duplicates.
    pub code_references: Vec<u64>,
}

/// Decodes the code once, from the first byte of each region on.
#[must_use]
pub fn sweep(text: &Text<'_>, facts: &Facts<'_>) -> Listing {
    let mut sweep = Sweep::new(text, facts);
    for index in 0..text.regions().len() {
        sweep.region(index);
    }
    for &label in facts.labels.iter().chain(&facts.entries) {
        sweep.listing.targets.insert(text, label);
    }
    for function in &facts.functions {
        sweep.listing.targets.insert(text, function.start);
    }
    let Listing {
        targets, jumped, ..
    } = &mut sweep.listing;
    targets.union(jumped);
    sweep.second_decodings();
    sweep.listing
}

/// Whether nothing is executed behind the instruction, unless something jumps there.
#[must_use]
pub(crate) fn ends_flow(instruction: &Instruction) -> bool {
    match instruction.flow_control() {
        FlowControl::UnconditionalBranch
        | FlowControl::IndirectBranch
        | FlowControl::Return
        | FlowControl::Exception => true,
        // `hlt` faults in user mode: start-up code ends with it.
        _ => instruction.code() == Code::Hlt,
    }
}

/// The target of a direct jump, conditional jump, call, loop or xbegin.
#[must_use]
pub(crate) fn branch_target(instruction: &Instruction) -> Option<u64> {
    let near = matches!(
        instruction.flow_control(),
        FlowControl::UnconditionalBranch
            | FlowControl::ConditionalBranch
            | FlowControl::Call
            | FlowControl::XbeginXabortXend
    ) && matches!(
        instruction.op0_kind(),
        OpKind::NearBranch64 | OpKind::NearBranch32 | OpKind::NearBranch16
    );
    near.then(|| instruction.near_branch_target())
}

/// Which kernel entry an instruction is, if any.
#[must_use]
pub(crate) fn gate_kind(instruction: &Instruction) -> Option<GateKind> {
    match instruction.code() {
        Code::Syscall => Some(GateKind::Syscall),
        Code::Sysenter => Some(GateKind::Sysenter),
        Code::Int_imm8 if instruction.immediate8() == 0x80 => Some(GateKind::Int80),
        _ => None,
    }
}

/// A second decoding falls in step with the first after a few instructions; longer ones are made up.
const LONGEST_SECOND: usize = 64;

/// What came before the instruction at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Control can fall through from it.
    Flow,
    /// A call, which may never return.
    Call,
    /// Control cannot fall through from it.
    End,
}

struct Sweep<'t, 'a> {
    text: &'t Text<'a>,
    facts: &'t Facts<'a>,
    /// Function starts and entries, sorted: decoding restarts there.
    seeds: Vec<u64>,
    /// Ends of functions, sorted.
    ends: Vec<u64>,
    listing: Listing,
}

impl<'t, 'a> Sweep<'t, 'a> {
    fn new(text: &'t Text<'a>, facts: &'t Facts<'a>) -> Self {
        let mut seeds: Vec<u64> = facts
            .functions
            .iter()
            .map(|function| function.start)
            .collect();
        seeds.extend(&facts.entries);
        seeds.sort_unstable();
        let mut ends: Vec<u64> = facts
            .functions
            .iter()
            .map(|function| function.end)
            .collect();
        ends.sort_unstable();
        let listing = Listing {
            starts: AddressSet::new(text),
            jumped: AddressSet::new(text),
            targets: AddressSet::new(text),
            bad: Vec::new(),
            padding: Vec::new(),
            gates: Vec::new(),
            contested: AddressSet::new(text),
            shifted_gates: Vec::new(),
            data_references: Vec::new(),
            code_references: Vec::new(),
        };
        Self {
            text,
            facts,
            seeds,
            ends,
            listing,
        }
    }

    fn region(&mut self, index: usize) {
        let region = self.text.regions()[index];
        let mut decoder =
            Decoder::with_ip(64, region.bytes(), region.start(), DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        let mut next_seed = self.seeds.partition_point(|&seed| seed <= region.start());
        let mut before = Before::End;
        let mut run: Option<u64> = None;
        while decoder.can_decode() {
            let start = decoder.ip();
            decoder.decode_out(&mut instruction);
            while self.seeds.get(next_seed).is_some_and(|&seed| seed <= start) {
                next_seed += 1;
            }
            let seed = self
                .seeds
                .get(next_seed)
                .copied()
                .filter(|&seed| seed < decoder.ip());
            if instruction.is_invalid() || seed.is_some() {
                self.listing.bad.push(start);
                let resume = seed.unwrap_or(start + 1);
                self.close_run(run.take(), start);
                before = Before::Flow;
                let Some(offset) = region.offset_of(resume) else {
                    break;
                };
                if decoder.set_position(offset).is_err() {
                    break;
                }
                decoder.set_ip(resume);
                continue;
            }
            self.note(index, &region, &instruction);
            if is_padding(&instruction) {
                if run.is_none() && self.unreached(before, start) {
                    run = Some(start);
                }
            } else {
                self.close_run(run.take(), start);
            }
            before = if ends_flow(&instruction) {
                Before::End
            } else if instruction.flow_control() == FlowControl::Call
                && gate_kind(&instruction).is_none()
            {
                Before::Call
            } else {
                Before::Flow
            };
        }
        self.close_run(run, region.end());
    }

    /// Whether control cannot come to `start` from the instruction before it. A call at the very end
    /// of its function is one that does not return.
    fn unreached(&self, before: Before, start: u64) -> bool {
        match before {
            Before::End => true,
            Before::Call => self.ends.binary_search(&start).is_ok(),
            Before::Flow => false,
        }
    }

    fn close_run(&mut self, run: Option<u64>, end: u64) {
        if let Some(start) = run {
            self.listing.padding.push(start..end);
        }
    }

    fn note(&mut self, index: usize, region: &Region<'_>, instruction: &Instruction) {
        let start = instruction.ip();
        let offset = region.offset_of(start).unwrap_or(0);
        self.listing.starts.insert_at(self.text, index, offset);
        if let Some(target) = branch_target(instruction) {
            match region.offset_of(target) {
                Some(offset) => self.listing.jumped.insert_at(self.text, index, offset),
                None => {
                    self.listing.jumped.insert(self.text, target);
                }
            }
        }
        if instruction.is_ip_rel_memory_operand() {
            self.reference(instruction.ip_rel_memory_address(), instruction.code());
        }
        if self.facts.position_dependent {
            self.immediates(instruction);
        }
        if let Some(kind) = gate_kind(instruction) {
            let after = instruction.next_ip();
            self.listing.gates.push(Gate {
                start,
                after,
                kind,
                ambiguous: false,
            });
        } else if instruction.code() == Code::Endbr64 {
            self.listing.targets.insert_at(self.text, index, offset);
        }
    }

    /// Decodes where branches lead into the middle of an instruction (as `lock` prefixes are skipped),
    /// until that decoding falls in step with the sweep.
    fn second_decodings(&mut self) {
        let text = self.text;
        let mut instruction = Instruction::default();
        for target in self.listing.jumped.difference(&self.listing.starts, text) {
            let Some(region) = text.region(target) else {
                continue;
            };
            let tail = region.tail(target);
            let mut decoder = Decoder::with_ip(64, tail, target, DecoderOptions::NONE);
            for _ in 0..LONGEST_SECOND {
                if !decoder.can_decode() || self.listing.starts.contains(text, decoder.ip()) {
                    break;
                }
                decoder.decode_out(&mut instruction);
                let (start, after) = (instruction.ip(), instruction.next_ip());
                if instruction.is_invalid() {
                    break;
                }
                (start..after).for_each(|vaddr| {
                    self.listing.contested.insert(text, vaddr);
                });
                if let Some(kind) = gate_kind(&instruction) {
                    self.listing.shifted_gates.push(Gate {
                        start,
                        after,
                        kind,
                        ambiguous: true,
                    });
                }
                if ends_flow(&instruction) {
                    break;
                }
            }
        }
        for gate in &mut self.listing.gates {
            let contested = self
                .listing
                .contested
                .first_in(text, gate.start..gate.after);
            gate.ambiguous |= contested.is_some();
        }
        let Listing {
            targets, contested, ..
        } = &mut self.listing;
        targets.union(contested);
    }

    fn reference(&mut self, vaddr: u64, code: Code) {
        if !self.listing.targets.insert(self.text, vaddr) {
            self.listing.data_references.push(vaddr);
        } else if matches!(code, Code::Lea_r64_m | Code::Lea_r32_m) {
            self.listing.code_references.push(vaddr);
        }
    }

    /// In a fixed-address program `mov $label,%edi` and `lea label,%rax` name code by absolute value.
    fn immediates(&mut self, instruction: &Instruction) {
        for operand in 0..instruction.op_count() {
            let value = match instruction.op_kind(operand) {
                OpKind::Immediate32 => u64::from(instruction.immediate32()),
                OpKind::Immediate64 => instruction.immediate64(),
                OpKind::Immediate32to64 => instruction.immediate(operand),
                OpKind::Memory if !instruction.is_ip_rel_memory_operand() => {
                    instruction.memory_displacement64()
                }
                _ => continue,
            };
            if self.listing.targets.insert(self.text, value) {
                self.listing.code_references.push(value);
            } else if instruction.op_kind(operand) == OpKind::Memory && value != 0 {
                self.listing.data_references.push(value);
            }
        }
    }
}

fn is_padding(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Nop || instruction.code() == Code::Int3
}

/// Addresses of all `0f 05` byte pairs of a region, code or not.
pub(crate) fn byte_pairs<'a>(region: &Region<'a>) -> impl Iterator<Item = u64> + use<'a> {
    let start = region.start();
    region
        .bytes()
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| *pair == [0x0f, 0x05])
        .map(move |(offset, _)| start + to_u64(offset))
}
