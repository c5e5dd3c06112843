//! Fuzz targets: no input makes the rewriter panic, and what it accepts passes its verification.
//!
//! Under `cargo test` each target replays its corpus and then runs a bounded number of random inputs.
//! For a long run on stable Rust, with more inputs and no coverage guidance:
//!
//! ```text
//! BOLERO_RANDOM_TEST_TIME_MS=600000 BOLERO_RANDOM_ITERATIONS=1000000000 \
//!     cargo test --release -p libos-rewrite --test fuzz_rewrite
//! ```
//!
//! With coverage guidance, where cargo-bolero is installed:
//!
//! ```text
//! cargo bolero test -p libos-rewrite fuzz_elf --sanitizer NONE -T 10m
//! ```

mod common;

use bolero::check;
use common::file::{self, CODE_VADDR, Segment};
use libos_rewrite::{
    Claim, Error, Facts, Layout, Mode, Region, Text, Violation, check as check_claim, redirect,
    rewrite, verify,
};

const LAYOUT: Layout = Layout {
    stub_vaddr: 0x60_0000,
    gate_vaddr: 0x70_0000,
};
const DATA_VADDR: u64 = 0x50_0000;

/// Fragments that are likely to meet in windows; random bytes alone seldom hold a `syscall`.
const FRAGMENTS: [&[u8]; 24] = [
    &[0x0f, 0x05],
    &[0xb8, 39, 0, 0, 0],
    &[0x31, 0xc0],
    &[0xc3],
    &[0xcc],
    &[0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc],
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0xeb, 0xf9],
    &[0xeb, 0x07],
    &[0x74, 0xf4],
    &[0x0f, 0x84, 0x10, 0, 0, 0],
    &[0xe9, 0xf0, 0xff, 0xff, 0xff],
    &[0xe8, 0x05, 0, 0, 0],
    &[0x48, 0x8d, 0x05, 0xf0, 0xff, 0xff, 0xff],
    &[0x8b, 0x05, 0, 0, 0x10, 0],
    &[0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff],
    &[0xf3, 0x0f, 0x1e, 0xfa],
    &[0xe3, 0x02],
    &[0x53],
    &[0x48, 0x0f, 0x05],
    &[0xcd, 0x80],
    &[0x0f, 0x0b],
];

/// Fragments chosen by bytes; every ninth choice stands for the next byte itself.
fn assemble(input: &[u8]) -> Vec<u8> {
    let mut code = Vec::new();
    for pair in input.chunks(2) {
        match FRAGMENTS.get(usize::from(pair[0]) % (FRAGMENTS.len() + 3)) {
            Some(fragment) => code.extend_from_slice(fragment),
            None => code.extend(pair.get(1)),
        }
    }
    code
}

/// Redirects code at addresses and verifies the result; `true` where there was a site.
fn redirect_and_check(code: &[u8], facts: &Facts<'_>) -> bool {
    let text = Text::new(vec![Region::new(CODE_VADDR, code).unwrap()]).unwrap();
    let redirection = match redirect(&text, facts, LAYOUT) {
        // An operand 2 GiB away, below address 0: no program's, and none that can be moved.
        Err(Error::OutOfReach { .. }) => return false,
        redirection => redirection.unwrap(),
    };
    let mut patched = code.to_vec();
    for patch in &redirection.patches {
        let start = usize::try_from(patch.vaddr - CODE_VADDR).unwrap();
        patched[start..start + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    let after = Text::new(vec![Region::new(CODE_VADDR, &patched).unwrap()]).unwrap();
    let claim = Claim {
        original: &text,
        facts,
        patched: &after,
        stubs: &redirection.stubs,
        sites: &redirection.sites,
        layout: LAYOUT,
    };
    check_claim(claim).unwrap_or_else(|violation| panic!("{violation} in {code:02x?}"));
    !redirection.sites.is_empty()
}

#[test]
fn fuzz_bytes() {
    check!().with_iterations(20_000).for_each(|input: &[u8]| {
        let facts = Facts {
            entries: vec![CODE_VADDR],
            ..Facts::default()
        };
        redirect_and_check(input, &facts);
    });
}

#[test]
fn fuzz_sequences() {
    check!().with_iterations(20_000).for_each(|input: &[u8]| {
        let (head, rest) = input.split_at(input.len().min(12));
        let code = assemble(rest);
        let end = CODE_VADDR + u64::try_from(code.len()).unwrap();
        let at = |index: usize| CODE_VADDR + u64::from(head.get(index).copied().unwrap_or(0));
        let mut entries = vec![CODE_VADDR, at(0)];
        entries.sort_unstable();
        let whole = CODE_VADDR..end;
        let part = at(2)..at(3);
        let functions = match head.get(1) {
            Some(choice) if choice % 2 == 0 && !code.is_empty() => Vec::from([whole]),
            Some(_) if !part.is_empty() => Vec::from([part]),
            _ => Vec::new(),
        };
        let facts = Facts {
            functions,
            entries,
            labels: vec![at(4)],
            data: vec![Region::new(DATA_VADDR, head).unwrap()],
            addresses: vec![Region::new(DATA_VADDR, head).unwrap()],
            position_dependent: head.len() % 2 == 0,
        };
        redirect_and_check(&code, &facts);
    });
}

#[test]
fn fuzz_elf() {
    check!().with_iterations(20_000).for_each(|input: &[u8]| {
        let (edits, rest) = input.split_at(input.len().min(16));
        let mut segments = file::segments(&assemble(rest));
        let data = rest.to_vec();
        let memory = u64::try_from(data.len()).unwrap();
        segments.push(Segment {
            kind: 1,
            flags: 4,
            vaddr: DATA_VADDR,
            bytes: data,
            memory,
        });
        let mut elf = file::elf(&segments);
        // Each pair of bytes damages one byte of the headers or just behind them.
        for edit in edits.chunks_exact(2).filter(|edit| edit[0] >= 20) {
            let at = usize::from(edit[0]) - 20;
            if let Some(byte) = elf.get_mut(at) {
                *byte = edit[1];
            }
        }
        rewrite_and_verify(&elf);
    });
}

#[test]
fn fuzz_file() {
    check!()
        .with_iterations(20_000)
        .for_each(|input: &[u8]| rewrite_and_verify(input));
}

fn rewrite_and_verify(elf: &[u8]) {
    for mode in [Mode::Strict, Mode::Compat] {
        match rewrite(elf, LAYOUT, mode) {
            Ok(output) => {
                verify(elf, &output, LAYOUT).unwrap();
                assert!(mode == Mode::Compat || output.stats.trapped == 0);
            }
            // Random bytes hold branches into the middle of instructions. Where such a second reading
            // of patched bytes makes a new `syscall`, the verifier's refusal is the right answer;
            // any other violation is the planner's mistake.
            Err(Error::Verify(Violation::GateLeft(_))) => {}
            Err(Error::Verify(violation)) => panic!("{violation} in {elf:02x?}"),
            Err(Error::Unredirectable(refusals)) => assert!(!refusals.is_empty()),
            Err(_) => {}
        }
    }
}
