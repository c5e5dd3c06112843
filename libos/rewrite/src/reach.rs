//! Decides what is code where the linear sweep alone is no proof.
//!
//! Inside a function that the file names, a sweep from its first byte without a failure is trusted.
//! Elsewhere (stripped assembly, data between functions) an instruction counts as code only where
//! control can come to it: a recursive walk over direct branches from all known entries. The walk is
//! made only when some byte pair needs it. Main type: [`Verdicts`]; neighbour: [`crate::find`].

use alloc::vec::Vec;
use core::ops::Range;

use iced_x86::{Decoder, DecoderOptions, Instruction};

use crate::find::{Facts, Gate, GateKind, Listing, branch_target, byte_pairs, ends_flow};
use crate::text::{AddressSet, Text};

/// Byte pairs `0f 05` that are no `syscall` instruction, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dismissed {
    /// Part of a longer instruction, such as an immediate.
    pub inside_instruction: usize,
    /// Between functions, where no control flow leads: data.
    pub not_code: usize,
    /// In an executable segment, but outside the code sections.
    pub outside_code: usize,
}

impl Dismissed {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        self.inside_instruction + self.not_code + self.outside_code
    }
}

/// The gates that are code, and what was dismissed.
#[derive(Debug, Clone)]
pub struct Verdicts {
    /// Kernel entries, in the order of their addresses.
    pub gates: Vec<Gate>,
    /// Byte pairs that look like one and are none.
    pub dismissed: Dismissed,
}

/// Judges each gate that the sweep saw, and each `0f 05` that it saw as part of something else.
#[must_use]
pub fn judge(text: &Text<'_>, facts: &Facts<'_>, listing: &Listing) -> Verdicts {
    let mut judge = Judge {
        text,
        facts,
        listing,
        reached: None,
    };
    let mut gates = Vec::with_capacity(listing.gates.len());
    let mut dismissed = Dismissed::default();
    for gate in &listing.gates {
        if judge.is_code(gate.start) {
            gates.push(*gate);
        } else if gate.kind == GateKind::Syscall {
            dismissed.not_code += 1;
        }
    }
    for pair in text.regions().iter().flat_map(byte_pairs) {
        if listing
            .gates
            .binary_search_by_key(&(pair + 2), |gate| gate.after)
            .is_ok()
        {
            continue;
        }
        if judge.hidden(pair) {
            let after = pair + 2;
            gates.push(Gate {
                start: pair,
                after,
                kind: GateKind::Syscall,
                ambiguous: true,
            });
        } else {
            dismissed.inside_instruction += 1;
        }
    }
    gates.extend(&listing.shifted_gates);
    gates.sort_by_key(|gate| (gate.after, gate.ambiguous));
    gates.dedup_by_key(|gate| gate.after);
    Verdicts { gates, dismissed }
}

struct Judge<'t, 'a> {
    text: &'t Text<'a>,
    facts: &'t Facts<'a>,
    listing: &'t Listing,
    reached: Option<AddressSet>,
}

impl Judge<'_, '_> {
    fn is_code(&mut self, vaddr: u64) -> bool {
        self.trusted(vaddr) || self.reached(vaddr)
    }

    /// Whether a pair that the sweep took for part of a longer instruction is reached as one itself.
    fn hidden(&mut self, pair: u64) -> bool {
        !self.trusted(pair) && self.reached(pair)
    }

    /// Whether a known function holds the address and decodes without failure up to it.
    fn trusted(&self, vaddr: u64) -> bool {
        enclosing(&self.facts.functions, vaddr).is_some_and(|function| {
            let first = self
                .listing
                .bad
                .partition_point(|&bad| bad < function.start);
            self.listing.bad.get(first).is_none_or(|&bad| bad > vaddr)
        })
    }

    fn reached(&mut self, vaddr: u64) -> bool {
        let (text, facts, listing) = (self.text, self.facts, self.listing);
        self.reached
            .get_or_insert_with(|| walk(text, facts, listing))
            .contains(text, vaddr)
    }
}

/// The innermost of the sorted ranges that holds an address. Looks back over a few ranges only:
/// functions nest at most as a cold part or an alias within another.
pub(crate) fn enclosing(functions: &[Range<u64>], vaddr: u64) -> Option<&Range<u64>> {
    let behind = functions.partition_point(|function| function.start <= vaddr);
    functions[behind.saturating_sub(8)..behind]
        .iter()
        .rev()
        .find(|function| vaddr < function.end)
}

/// Instruction starts to which control can come.
fn walk(text: &Text<'_>, facts: &Facts<'_>, listing: &Listing) -> AddressSet {
    let mut walker = Walker {
        text,
        visited: AddressSet::new(text),
        pending: Vec::new(),
    };
    walker.pending.extend(&facts.entries);
    walker
        .pending
        .extend(facts.functions.iter().map(|function| function.start));
    walker.run();
    if !mostly_named(text, facts) {
        // Without names the call graph has holes (function pointers, jump tables). A reference, or a
        // branch in code not reached yet, counts when the code at it runs to its end without a failure.
        let mut weak = listing.targets.difference(&walker.visited, text);
        // A function that nothing refers to stands behind the padding of the one before it.
        let behind = listing.padding.iter().map(|run| run.end);
        weak.extend(behind.filter(|vaddr| vaddr.is_multiple_of(FUNCTION_ALIGN)));
        for weak in weak {
            if !walker.visited.contains(text, weak) && runs_clean(text, weak) {
                walker.pending.push(weak);
                walker.run();
            }
        }
    }
    walker.visited
}

/// Compilers align functions to this, in bytes.
pub(crate) const FUNCTION_ALIGN: u64 = 16;

/// Whether known functions make up most of the code.
fn mostly_named(text: &Text<'_>, facts: &Facts<'_>) -> bool {
    let mut covered = 0u64;
    let mut end = 0u64;
    for function in &facts.functions {
        covered += function.end.saturating_sub(function.start.max(end));
        end = end.max(function.end);
    }
    covered > crate::text::to_u64(text.len()) / 2
}

/// Whether a stretch of plausible user code begins at an address: it comes to an unconditional end.
fn runs_clean(text: &Text<'_>, vaddr: u64) -> bool {
    const FARTHEST: usize = 256;
    let Some(region) = text.region(vaddr) else {
        return false;
    };
    let mut decoder = Decoder::with_ip(64, region.tail(vaddr), vaddr, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    for _ in 0..FARTHEST {
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() || instruction.is_privileged() {
            return false;
        }
        if ends_flow(&instruction) {
            return true;
        }
    }
    true
}

struct Walker<'t, 'a> {
    text: &'t Text<'a>,
    visited: AddressSet,
    pending: Vec<u64>,
}

impl Walker<'_, '_> {
    fn run(&mut self) {
        while let Some(vaddr) = self.pending.pop() {
            self.block(vaddr);
        }
    }

    /// Decodes from an address until flow ends or joins what was visited.
    fn block(&mut self, vaddr: u64) {
        let Some(region) = self.text.region(vaddr) else {
            return;
        };
        let mut decoder = Decoder::with_ip(64, region.tail(vaddr), vaddr, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        while decoder.can_decode() && !self.visited.contains(self.text, decoder.ip()) {
            decoder.decode_out(&mut instruction);
            if instruction.is_invalid() {
                return;
            }
            self.visited.insert(self.text, instruction.ip());
            if let Some(target) = branch_target(&instruction)
                && !self.visited.contains(self.text, target)
            {
                self.pending.push(target);
            }
            if ends_flow(&instruction) {
                return;
            }
        }
    }
}
