//! Branch targets that only data knows: code pointers and jump tables.
//!
//! Instructions yield direct targets by themselves ([`crate::find`]); this module adds what stands in
//! data: 8-byte words that hold a code address (relocation addends, function tables, absolute jump
//! tables), and 4-byte tables of distances from a base that some instruction refers to. It errs
//! towards too many targets: a false one only makes a window unusable.

use alloc::vec::Vec;
use core::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};

use crate::find::{Facts, Gate, Listing, branch_target};
use crate::reach::{FUNCTION_ALIGN, enclosing};
use crate::text::{Region, Text};

/// Adds every code address that data may hold to the listing's targets.
pub fn add_data_targets(text: &Text<'_>, facts: &Facts<'_>, listing: &mut Listing) {
    add_words(text, facts, listing);
    add_tables(text, facts, listing);
    add_label_distances(text, facts, listing);
}

/// Aligned 8-byte words that hold a code address. This covers absolute jump tables, tables of
/// function pointers, the addends of RELA entries, and the in-place addends of RELR ones.
fn add_words(text: &Text<'_>, facts: &Facts<'_>, listing: &mut Listing) {
    let Some(span) = span(text) else { return };
    for region in &facts.addresses {
        for (_, word) in words(region) {
            if span.contains(&word) {
                listing.targets.insert(text, word);
            }
        }
    }
}

/// Tables of 4-byte distances: each starts where an instruction refers to and goes on as long as
/// base plus entry lies in the code, at most up to the next referred-to address.
fn add_tables(text: &Text<'_>, facts: &Facts<'_>, listing: &mut Listing) {
    let mut bases = core::mem::take(&mut listing.data_references);
    bases.sort_unstable();
    bases.dedup();
    for region in &facts.data {
        let first = bases.partition_point(|&base| base < region.start());
        let last = bases.partition_point(|&base| base < region.end());
        for (index, &base) in bases[first..last].iter().enumerate() {
            let end = bases[first..last]
                .get(index + 1)
                .copied()
                .unwrap_or(region.end());
            let table = region.tail(base);
            let len = usize::try_from(end - base)
                .unwrap_or(usize::MAX)
                .min(table.len());
            for entry in table[..len].chunks_exact(4) {
                let target = base.wrapping_add_signed(i64::from(distance(entry)));
                if !listing.targets.insert(text, target) {
                    break;
                }
            }
        }
    }
    listing.data_references = bases;
}

/// Tables of distances from a label inside the code (`goto *(&&base + table[i])`). Where such a table
/// begins is not known, so each 4-byte value in data counts that leads from a base to an instruction
/// near a gate in the same function, if that function may jump to what it computed. Where functions are
/// not known either, it must stand among others that lead to instructions.
fn add_label_distances(text: &Text<'_>, facts: &Facts<'_>, listing: &mut Listing) {
    let mut pairs = label_reaches(text, facts, listing);
    if pairs.is_empty() {
        return;
    }
    pairs.sort_by_key(|pair| (pair.reach.start, pair.reach.end));
    let mut left = MOST_DISTANCES;
    for region in &facts.data {
        let table = Distances {
            bytes: aligned(region, 4),
        };
        for index in 0..table.bytes.len() / 4 {
            let value = table.get(index).unwrap_or(0);
            let behind = pairs.partition_point(|pair| pair.reach.start <= value);
            // Reaches all have the same length, so that earlier pairs soon end before `value`.
            for pair in pairs[..behind].iter().rev() {
                if pair.reach.end <= value || left == 0 {
                    break;
                }
                left -= 1;
                let target = pair.base.wrapping_add_signed(value);
                let lands = listing.starts.contains(text, target);
                if lands && (pair.named || table.has_run(text, listing, pair.base, index)) {
                    listing.targets.insert(text, target);
                }
            }
        }
    }
}

/// Data seen as 4-byte signed distances.
struct Distances<'a> {
    bytes: &'a [u8],
}

impl Distances<'_> {
    fn get(&self, index: usize) -> Option<i64> {
        let at = index.checked_mul(4)?;
        self.bytes
            .get(at..at.checked_add(4)?)
            .map(|bytes| i64::from(distance(bytes)))
    }

    /// Whether the value at an index has neighbours that lead to nearby instructions too, two or more
    /// on its sides together, not all of them the same.
    fn has_run(&self, text: &Text<'_>, listing: &Listing, base: u64, index: usize) -> bool {
        let lands = |at: Option<usize>| {
            let value = at
                .and_then(|at| self.get(at))
                .filter(|value| *value != 0 && value.unsigned_abs() < LONGEST_FUNCTION)?;
            let target = base.wrapping_add_signed(value);
            listing.starts.contains(text, target).then_some(value)
        };
        let before = [index.checked_sub(1), index.checked_sub(2)].map(lands);
        let behind = [index.checked_add(1), index.checked_add(2)].map(lands);
        let runs = [[before[0], behind[0]], before, behind];
        runs.iter()
            .any(|run| matches!(run, [Some(a), Some(b)] if a != b))
    }
}

/// A base label, and the distances from it that lead near a gate.
struct LabelReach {
    base: u64,
    /// Whether base and gate are known to be in the same function.
    named: bool,
    reach: Range<i64>,
}

fn label_reaches(text: &Text<'_>, facts: &Facts<'_>, listing: &Listing) -> Vec<LabelReach> {
    let mut bases = listing.code_references.clone();
    bases.sort_unstable();
    bases.dedup();
    bases.retain(|&base| !begins_function(facts, base));
    let mut pairs = Vec::new();
    for gate in &listing.gates {
        let known = enclosing(&facts.functions, gate.start);
        let function = known.cloned().unwrap_or_else(|| neighbourhood(gate));
        let first = bases.partition_point(|&base| base < function.start);
        let last = bases.partition_point(|&base| base < function.end);
        if first == last || known.is_some_and(|function| !may_jump_anywhere(text, function)) {
            continue;
        }
        // More labels than this in one function is no code that takes addresses of labels.
        for &base in bases[first..last].iter().take(MOST_LABELS) {
            let distance = gate.start.wrapping_sub(base).cast_signed();
            pairs.push(LabelReach {
                base,
                named: known.is_some(),
                reach: distance - WINDOW_REACH..distance + WINDOW_REACH,
            });
        }
    }
    pairs
}

/// Whether a function may jump to an address that it computed: it has an indirect jump, or it leaves by a
/// direct one, behind which a thunk may make it (`-mindirect-branch`). Without either, the label whose
/// address it takes is no base of a table: the address is handed out whole.
fn may_jump_anywhere(text: &Text<'_>, function: &Range<u64>) -> bool {
    let Some(bytes) = text.slice(function) else {
        return true;
    };
    let mut decoder = Decoder::with_ip(64, bytes, function.start, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let computed = match instruction.flow_control() {
            FlowControl::IndirectBranch => true,
            FlowControl::UnconditionalBranch => {
                branch_target(&instruction).is_none_or(|target| !function.contains(&target))
            }
            _ => instruction.is_invalid(),
        };
        if computed {
            return true;
        }
    }
    false
}

/// Whether an address that code takes is that of a function, not of a label. Where nothing is known
/// about functions, alignment tells: compilers align functions to 16 bytes, labels seldom.
fn begins_function(facts: &Facts<'_>, vaddr: u64) -> bool {
    match enclosing(&facts.functions, vaddr) {
        Some(function) => function.start == vaddr,
        None => vaddr.is_multiple_of(FUNCTION_ALIGN),
    }
}

/// Bounds the work on a file made to have countless labels; real ones have thousands of hits.
const MOST_DISTANCES: usize = 1 << 24;

const MOST_LABELS: usize = 64;

/// Farther from its gate no window extends, in bytes.
const WINDOW_REACH: i64 = 32;

/// Where a function of unknown extent around a gate may reach.
fn neighbourhood(gate: &Gate) -> Range<u64> {
    let start = gate.start.saturating_sub(LONGEST_FUNCTION);
    start..gate.start.saturating_add(LONGEST_FUNCTION)
}

/// Farther from each other no two instructions of an unnamed function are thought to be, in bytes.
const LONGEST_FUNCTION: u64 = 4096;

/// The smallest range that holds all code.
fn span(text: &Text<'_>) -> Option<Range<u64>> {
    Some(text.regions().first()?.start()..text.regions().last()?.end())
}

/// The aligned 8-byte words of a region with their addresses.
pub(crate) fn words<'a>(region: &Region<'a>) -> impl Iterator<Item = (u64, u64)> + use<'a> {
    let bytes = aligned(region, 8);
    let start = region.end() - crate::text::to_u64(bytes.len());
    (start..).step_by(8).zip(bytes.chunks_exact(8).map(word))
}

fn aligned<'a>(region: &Region<'a>, alignment: usize) -> &'a [u8] {
    let past = usize::try_from(region.start() % crate::text::to_u64(alignment)).unwrap_or(0);
    let skip = if past == 0 { 0 } else { alignment - past };
    region.bytes().get(skip..).unwrap_or(&[])
}

fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

fn distance(bytes: &[u8]) -> i32 {
    bytes.try_into().map_or(0, i32::from_le_bytes)
}
