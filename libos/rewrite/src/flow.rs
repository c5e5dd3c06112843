//! Branch targets that only data knows: code pointers and jump tables.
//!
//! Instructions yield direct targets by themselves ([`crate::find`]); this module adds what stands in
//! data: 8-byte words that hold a code address (relocation addends, function tables, absolute jump
//! tables), and 4-byte tables of distances from a base that some instruction refers to. It errs
//! towards too many targets: a false one only makes a window unusable.

use alloc::vec::Vec;
use core::ops::Range;

use crate::find::{Facts, Gate, Listing};
use crate::reach::enclosing;
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
    for region in &facts.data {
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
/// begins is not known, so each 4-byte value in data counts that leads from a base to the
/// neighbourhood of a gate in the same function.
fn add_label_distances(text: &Text<'_>, facts: &Facts<'_>, listing: &mut Listing) {
    let mut pairs = label_reaches(facts, listing);
    if pairs.is_empty() {
        return;
    }
    pairs.sort_by_key(|pair| (pair.reach.start, pair.reach.end));
    let mut left = MOST_DISTANCES;
    for region in &facts.data {
        for value in aligned(region, 4)
            .chunks_exact(4)
            .map(distance)
            .map(i64::from)
        {
            let behind = pairs.partition_point(|pair| pair.reach.start <= value);
            // Reaches all have about the same length, so that earlier pairs soon end before `value`.
            for pair in pairs[..behind].iter().rev() {
                if pair.reach.end <= value || left == 0 {
                    break;
                }
                left -= 1;
                listing
                    .targets
                    .insert(text, pair.base.wrapping_add_signed(value));
            }
        }
    }
}

/// A base label, and the distances from it that lead near a gate.
struct LabelReach {
    base: u64,
    reach: Range<i64>,
}

fn label_reaches(facts: &Facts<'_>, listing: &Listing) -> Vec<LabelReach> {
    let mut bases = listing.code_references.clone();
    bases.sort_unstable();
    bases.dedup();
    bases.retain(|&base| {
        facts
            .functions
            .binary_search_by_key(&base, |function| function.start)
            .is_err()
    });
    let mut pairs = Vec::new();
    for gate in &listing.gates {
        let function = neighbourhood(facts, gate);
        let first = bases.partition_point(|&base| base < function.start);
        let last = bases.partition_point(|&base| base < function.end);
        // More labels than this in one function is no code that takes addresses of labels.
        for &base in bases[first..last].iter().take(MOST_LABELS) {
            let distance = gate.start.wrapping_sub(base).cast_signed();
            pairs.push(LabelReach {
                base,
                reach: distance - WINDOW_REACH..distance + WINDOW_REACH,
            });
        }
    }
    pairs
}

/// Bounds the work on a file made to have countless labels; real ones have thousands of hits.
const MOST_DISTANCES: usize = 1 << 24;

const MOST_LABELS: usize = 64;

/// Farther from its gate no window extends, in bytes.
const WINDOW_REACH: i64 = 32;

fn neighbourhood(facts: &Facts<'_>, gate: &Gate) -> Range<u64> {
    const UNNAMED: u64 = 4096;
    enclosing(&facts.functions, gate.start)
        .cloned()
        .unwrap_or(gate.start.saturating_sub(UNNAMED)..gate.start.saturating_add(UNNAMED))
}

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
