//! Builds small programs with the compilers that the machine has, and joins a rewritten program with
//! its stubs and a gate into a runnable file.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod file;

use std::path::{Path, PathBuf};
use std::process::Command;

use libos_rewrite::{Layout, Output};

/// Far above any test program, on a page boundary; the gate follows the stubs.
pub const STUBS: u64 = 0x1000_0000;
/// A page behind the largest stub area of the test programs.
pub const GATE: u64 = STUBS + 0x10_0000;
pub const LAYOUT: Layout = Layout {
    stub_vaddr: STUBS,
    gate_vaddr: GATE,
};

/// A gate that makes the real system call. `syscall` destroys %rcx and %r11 and keeps all others, so
/// the address to resume at waits in %mm7, which neither the kernel, nor a signal, nor clone changes.
pub const NATIVE_GATE: &[u8] = &[
    0x48, 0x0f, 0x6e, 0xf9, // movq %rcx,%mm7
    0x0f, 0x05, // syscall
    0x48, 0x0f, 0x7e, 0xf9, // movq %mm7,%rcx
    0x0f, 0x77, // emms
    0xff, 0xe1, // jmp *%rcx
];

/// A gate that is a fault.
pub const FATAL_GATE: &[u8] = &[0x0f, 0x0b];

/// How a program is built.
pub struct Recipe {
    pub name: &'static str,
    pub compiler: &'static str,
    pub arguments: &'static [&'static str],
    pub source: &'static str,
}

const fn recipe(
    name: &'static str,
    compiler: &'static str,
    arguments: &'static [&'static str],
    source: &'static str,
) -> Recipe {
    Recipe {
        name,
        compiler,
        arguments,
        source,
    }
}

const RUST: &[&str] = &[
    "--edition=2024",
    "--target=x86_64-unknown-linux-gnu",
    "-Ctarget-feature=+crt-static",
    "-O",
];

const RUST_FIXED: &[&str] = &[
    "--edition=2024",
    "--target=x86_64-unknown-linux-gnu",
    "-Ctarget-feature=+crt-static",
    "-Crelocation-model=static",
];

/// Every kind of program that is supported.
pub const RECIPES: &[Recipe] = &[
    recipe("glibc", "gcc", &["-O2", "-static"], "hello.c"),
    recipe("glibc-pie", "gcc", &["-O2", "-static-pie"], "hello.c"),
    recipe(
        "glibc-threads",
        "gcc",
        &["-O2", "-static", "-pthread"],
        "threads.c",
    ),
    recipe("musl", "musl-gcc", &["-O2", "-static"], "hello.c"),
    recipe(
        "musl-threads",
        "musl-gcc",
        &["-O2", "-static", "-pthread"],
        "threads.c",
    ),
    recipe("rust", "rustc", RUST, "threads.rs"),
    recipe("rust-fixed", "rustc", RUST_FIXED, "threads.rs"),
    recipe("tight", "gcc", &["-nostdlib", "-static"], "tight.S"),
    recipe("tight-pie", "gcc", &["-nostdlib", "-static-pie"], "tight.S"),
    recipe("go", "go", &["build"], "goroutines.go"),
];

/// Builds a program, or says why not and gives `None` where its compiler is missing.
pub fn build(recipe: &Recipe, directory: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/programs")
        .join(recipe.source);
    let program = directory.join(recipe.name);
    let status = Command::new(recipe.compiler)
        .args(recipe.arguments)
        .arg("-o")
        .arg(&program)
        .arg(source)
        .env("CGO_ENABLED", "0")
        .status();
    match status {
        Ok(status) => {
            assert!(
                status.success(),
                "{} failed for {}",
                recipe.compiler,
                recipe.name
            );
            Some(program)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!(
                "SKIPPED {}: {} is not installed",
                recipe.name, recipe.compiler
            );
            None
        }
        Err(error) => panic!("{}: {error}", recipe.compiler),
    }
}

/// A copy without symbols.
pub fn strip(program: &Path) -> PathBuf {
    let stripped = program.with_extension("stripped");
    let status = Command::new("strip")
        .arg("-o")
        .arg(&stripped)
        .arg(program)
        .status()
        .unwrap();
    assert!(status.success(), "strip failed for {}", program.display());
    stripped
}

/// A copy without section headers, as some packers leave it.
pub fn without_sections(elf: &[u8]) -> Vec<u8> {
    let mut copy = elf.to_vec();
    copy[0x28..0x30].fill(0); // e_shoff
    copy[0x3c..0x40].fill(0); // e_shnum, e_shstrndx
    copy
}

/// Joins program, stubs and gate: they are appended to the file, and a program header that the kernel
/// does not need becomes the PT_LOAD that maps them.
pub fn link(output: &Output, gate: &[u8]) -> Vec<u8> {
    const PAGE: usize = 4096;
    assert!(
        output.stubs.len() < usize::try_from(GATE - STUBS).unwrap(),
        "the stubs reach the gate"
    );
    let mut elf = output.elf.clone();
    elf.resize(elf.len().next_multiple_of(PAGE), 0);
    let offset = elf.len();
    elf.extend_from_slice(&output.stubs);
    elf.resize(offset + usize::try_from(GATE - STUBS).unwrap(), 0xcc);
    elf.extend_from_slice(gate);
    let size = u64::try_from(elf.len() - offset).unwrap();
    let header = spare_header(&elf);
    let mut load = Vec::new();
    load.extend_from_slice(&1u32.to_le_bytes()); // PT_LOAD
    load.extend_from_slice(&5u32.to_le_bytes()); // PF_R | PF_X
    for value in [
        u64::try_from(offset).unwrap(),
        STUBS,
        STUBS,
        size,
        size,
        4096,
    ] {
        load.extend_from_slice(&value.to_le_bytes());
    }
    elf[header..header + load.len()].copy_from_slice(&load);
    elf
}

/// Offset of a PT_NOTE, PT_GNU_STACK or PT_GNU_PROPERTY header behind the last PT_LOAD.
fn spare_header(elf: &[u8]) -> usize {
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().unwrap());
    let start = usize::try_from(u64::from_le_bytes(elf[0x20..0x28].try_into().unwrap())).unwrap();
    let count = usize::from(u16::from_le_bytes(elf[0x38..0x3a].try_into().unwrap()));
    let headers: Vec<usize> = (0..count).map(|index| start + index * 56).collect();
    let last_load = headers.iter().rposition(|&at| word(at) == 1).unwrap();
    headers[last_load..]
        .iter()
        .copied()
        .find(|&at| matches!(word(at), 4 | 0x6474_e551 | 0x6474_e553))
        .expect("a spare program header")
}
