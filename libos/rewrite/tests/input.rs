//! Files that are refused, each with its typed error, and mode and layout of `rewrite` itself.

mod common;

use common::file::{self, CODE_VADDR, Segment};
use libos_rewrite::{Error, Kind, Layout, Mode, Reason, Violation, rewrite, verify};

const LAYOUT: Layout = Layout {
    stub_vaddr: 0x60_0000,
    gate_vaddr: 0x70_0000,
};
const GOOD: [u8; 8] = [0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3];
const INT80: [u8; 8] = [0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3];

fn refusal(elf: &[u8]) -> Error {
    rewrite(elf, LAYOUT, Mode::Strict).unwrap_err()
}

fn with(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut elf = file::program(&GOOD);
    elf[offset..offset + bytes.len()].copy_from_slice(bytes);
    elf
}

#[test]
fn a_minimal_program_is_rewritten() {
    let elf = file::program(&GOOD);
    let output = rewrite(&elf, LAYOUT, Mode::Strict).unwrap();
    assert_eq!((output.stats.found, output.stats.windows), (1, 1));
    assert_eq!(output.elf.len(), elf.len());
    assert_eq!(output.sites[0].symbol, None);
}

#[test]
fn headers_of_other_files_are_named() {
    assert_eq!(refusal(b""), Error::NotElf);
    assert_eq!(refusal(b"#!/bin/sh"), Error::NotElf);
    assert_eq!(refusal(&with(4, &[1])), Error::Class(1));
    assert_eq!(refusal(&with(5, &[2])), Error::Endianness(2));
    assert_eq!(refusal(&with(18, &[183, 0])), Error::Machine(183));
    assert_eq!(refusal(&with(16, &[1, 0])), Error::Type(1));
    assert!(
        refusal(&with(18, &[183, 0]))
            .to_string()
            .contains("build for x86_64")
    );
}

#[test]
fn a_dynamic_program_is_told_how_to_be_static() {
    let path = b"/lib64/ld-linux-x86-64.so.2\0";
    let mut segments = file::segments(&GOOD);
    segments.push(Segment {
        kind: 3,
        flags: 4,
        vaddr: 0x50_0000,
        bytes: path.to_vec(),
        memory: 28,
    });
    let error = refusal(&file::elf(&segments));
    let expected = Some("/lib64/ld-linux-x86-64.so.2".to_owned());
    assert_eq!(
        error,
        Error::Dynamic {
            interpreter: expected
        }
    );
    for hint in ["+crt-static", "-static", "CGO_ENABLED=0"] {
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    let elf = file::program(&GOOD);
    for len in 0..elf.len() {
        let error = refusal(&elf[..len]);
        let expected = matches!(error, Error::NotElf | Error::Malformed { .. });
        assert!(expected, "{len} bytes: {error:?}");
    }
}

#[test]
fn overlapping_and_wrapping_segments_are_refused() {
    let code = |vaddr| Segment {
        kind: 1,
        flags: 5,
        vaddr,
        bytes: GOOD.to_vec(),
        memory: 8,
    };
    let overlapping = file::elf(&[code(CODE_VADDR), code(CODE_VADDR + 4)]);
    assert!(matches!(refusal(&overlapping), Error::Overlap { .. }));
    let wrapping = file::elf(&[code(u64::MAX - 3)]);
    assert!(matches!(
        refusal(&wrapping),
        Error::Malformed {
            what: "segment",
            ..
        }
    ));
    let mut shared = file::elf(&[code(CODE_VADDR), code(CODE_VADDR + 0x1000)]);
    let first_offset: [u8; 8] = shared[64 + 8..64 + 16].try_into().unwrap();
    shared[64 + 56 + 8..64 + 56 + 16].copy_from_slice(&first_offset);
    assert!(matches!(refusal(&shared), Error::Overlap { what, .. } if what.contains("file")));
}

#[test]
fn a_program_without_code_is_refused() {
    let data = Segment {
        kind: 1,
        flags: 4,
        vaddr: CODE_VADDR,
        bytes: GOOD.to_vec(),
        memory: 8,
    };
    assert_eq!(refusal(&file::elf(&[data])), Error::NoCode);
    assert_eq!(refusal(&file::elf(&[])), Error::NoCode);
}

#[test]
fn strict_names_every_site_and_compat_keeps_it() {
    let code = [&INT80[..], &[0xcc; 8], &[0x0f, 0x05], &[0xeb, 0xfc]].concat();
    let mut segments = file::segments(&code);
    // A pointer to the jump behind the syscall, and no padding in reach but two bytes of it.
    segments[0].bytes[8..16].copy_from_slice(&[0x31, 0xc0, 0x31, 0xc0, 0x31, 0xc0, 0xeb, 0x00]);
    let pointers = [CODE_VADDR + 18, CODE_VADDR + 16]
        .map(u64::to_le_bytes)
        .concat();
    segments.push(Segment {
        kind: 1,
        flags: 4,
        vaddr: 0x50_0000,
        bytes: pointers,
        memory: 16,
    });
    let elf = file::elf(&segments);
    let Error::Unredirectable(refusals) = refusal(&elf) else {
        panic!("{:?}", refusal(&elf))
    };
    let found: Vec<_> = refusals
        .iter()
        .map(|refusal| (refusal.vaddr, refusal.reason))
        .collect();
    let expected = [
        (CODE_VADDR + 5, Reason::Int80),
        (CODE_VADDR + 16, Reason::NoRoom),
    ];
    assert_eq!(found, expected);
    let output = rewrite(&elf, LAYOUT, Mode::Compat).unwrap();
    assert_eq!(output.elf, elf);
    assert_eq!(output.sites[1].kind, Kind::Trapped(Reason::NoRoom));
}

#[test]
fn stubs_on_top_of_the_program_are_refused() {
    let layout = Layout {
        stub_vaddr: CODE_VADDR,
        gate_vaddr: 0x70_0000,
    };
    let error = rewrite(&file::program(&GOOD), layout, Mode::Strict).unwrap_err();
    assert!(matches!(error, Error::StubsOverlap { .. }), "{error}");
}

#[test]
fn verify_sees_every_kind_of_damage() {
    let code = [&GOOD[..], &[0x31, 0xc0, 0xc3]].concat();
    let elf = file::program(&code);
    let good = rewrite(&elf, LAYOUT, Mode::Strict).unwrap();
    let start = elf.len() - code.len();
    verify(&elf, &good, LAYOUT).unwrap();

    let mut bad = good.clone();
    bad.elf[start + 8] ^= 1;
    assert_eq!(
        verify(&elf, &bad, LAYOUT),
        Err(Violation::ChangedByte(start + 8))
    );
    for at in 0..7 {
        let mut bad = good.clone();
        bad.elf[start + at] ^= 1;
        assert!(verify(&elf, &bad, LAYOUT).is_err(), "window byte {at}");
    }
    for at in 0..good.stubs.len() {
        let mut bad = good.clone();
        bad.stubs[at] ^= 1;
        assert!(verify(&elf, &bad, LAYOUT).is_err(), "stub byte {at}");
    }
    let mut bad = good.clone();
    bad.sites.clear();
    assert!(verify(&elf, &bad, LAYOUT).is_err(), "no sites");
    let mut bad = good.clone();
    bad.elf.clone_from(&elf);
    assert!(
        verify(&elf, &bad, LAYOUT).is_err(),
        "the original is no rewritten program"
    );
    let moved = Layout {
        gate_vaddr: LAYOUT.gate_vaddr + 1,
        ..LAYOUT
    };
    assert!(verify(&elf, &good, moved).is_err(), "another gate");
}
