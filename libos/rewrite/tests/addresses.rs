//! Which words of a program's data count as code addresses. The word here is the address of the middle
//! of the only `syscall`: where it counts, the site cannot be redirected.

mod common;

use common::LAYOUT;
use common::file::{self, CODE_VADDR, Segment};
use libos_rewrite::{Mode, rewrite};

const CODE: [u8; 8] = [0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3];
const INSIDE: u64 = CODE_VADDR + 6;
const DATA_VADDR: u64 = 0x50_0000;

const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const READ: u32 = 4;
const READ_WRITE: u32 = 6;

const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_TEXTREL: u64 = 22;
const DT_FLAGS: u64 = 30;

fn segment(kind: u32, flags: u32, words: &[u64]) -> Segment {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Segment {
        kind,
        flags,
        vaddr: DATA_VADDR,
        memory: u64::try_from(bytes.len()).unwrap(),
        bytes,
    }
}

/// Whether the `syscall` of a program with these further segments is redirected.
fn redirected(position_independent: bool, further: &[Segment]) -> bool {
    let mut segments = file::segments(&CODE);
    segments.extend_from_slice(further);
    let mut elf = file::elf(&segments);
    if position_independent {
        elf[16] = 3; // ET_DYN
    }
    rewrite(&elf, LAYOUT, Mode::Strict).is_ok()
}

#[test]
fn a_fixed_address_program_may_hold_addresses_anywhere() {
    for flags in [READ, READ_WRITE] {
        assert!(!redirected(false, &[segment(LOAD, flags, &[INSIDE])]));
        assert!(redirected(false, &[segment(LOAD, flags, &[INSIDE - 6])]));
    }
}

#[test]
fn a_constant_of_a_position_independent_program_is_no_address() {
    assert!(redirected(true, &[segment(LOAD, READ, &[INSIDE])]));
    assert!(!redirected(true, &[segment(LOAD, READ_WRITE, &[INSIDE])]));
}

#[test]
fn addends_of_relocations_are_addresses() {
    const R_X86_64_RELATIVE: u64 = 8;
    let table = segment(LOAD, READ, &[DATA_VADDR, R_X86_64_RELATIVE, INSIDE]);
    let dynamic = |start, size| segment(DYNAMIC, READ, &[DT_RELA, start, DT_RELASZ, size, 0, 0]);
    assert!(!redirected(true, &[table.clone(), dynamic(DATA_VADDR, 24)]));
    assert!(!redirected(
        true,
        &[table.clone(), dynamic(DATA_VADDR, u64::MAX)]
    ));
    assert!(redirected(true, &[table.clone(), dynamic(DATA_VADDR, 16)]));
    assert!(redirected(true, &[table, dynamic(u64::MAX, 24)]));
}

#[test]
fn relocations_of_read_only_segments_make_all_data_count() {
    let constant = segment(LOAD, READ, &[INSIDE]);
    for (tag, value, counts) in [
        (DT_TEXTREL, 0, true),
        (DT_FLAGS, 4, true),
        (DT_FLAGS, 8, false),
    ] {
        let dynamic = segment(DYNAMIC, READ, &[tag, value, 0, 0]);
        let segments = [constant.clone(), dynamic];
        assert_eq!(redirected(true, &segments), !counts, "{tag} {value}");
    }
}
