//! Reads Go's function table (`runtime.pclntab`): where each Go function begins.
//!
//! A Go program carries it even when stripped, since its own stack unwinder needs it. Format: Go
//! source `internal/abi` and `debug/gosym/pclntab.go`; versions 1.18 and 1.20 (the layouts since are
//! the same). Older programs are read by the sweep alone.

use alloc::vec::Vec;
use core::ops::Range;

use crate::flow::words;
use crate::reader::Reader;
use crate::text::{Region, Text};

/// `magic, 0, 0, instruction quantum 1, pointer size 8` as one little-endian word.
const HEADERS: [u64; 2] = [0x0801_0000_ffff_fff0, 0x0801_0000_ffff_fff1];

/// Function ranges of the first plausible table in the given data.
pub(crate) fn functions(memory: &Text<'_>, data: &[Region<'_>]) -> Vec<Range<u64>> {
    data.iter()
        .flat_map(words)
        .filter(|(_, word)| HEADERS.contains(word))
        .find_map(|(vaddr, _)| table(memory, vaddr))
        .unwrap_or_default()
}

fn table(memory: &Text<'_>, vaddr: u64) -> Option<Vec<Range<u64>>> {
    let mut reader = Reader::new(memory, vaddr)?;
    reader.skip(8)?;
    let count = reader.u64()?;
    reader.u64()?;
    let text_start = reader.u64()?;
    reader.skip(4 * 8)?;
    let functions = vaddr.checked_add(reader.u64()?)?;
    let mut reader = Reader::new(memory, functions)?;
    let mut found: Vec<Range<u64>> = Vec::new();
    let mut start = text_start.checked_add(u64::from(reader.u32()?))?;
    for _ in 0..count {
        reader.u32()?;
        let next = text_start.checked_add(u64::from(reader.u32()?))?;
        if next < start {
            return None;
        }
        found.push(start..next);
        start = next;
    }
    Some(found)
}
