//! Puts the libOS's ELF file into release builds of the tool.
//!
//! A debug build carries none: it builds the libOS when an image is first made (`src/libos`), so that
//! `cargo check` and unit tests of the workspace do not wait for a full link of the libOS.

#[path = "../tender/link/static.rs"]
mod link_static;
#[path = "../tender/link/nested.rs"]
mod nested;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../tender/link/nested.rs");
    println!("cargo:rustc-check-cfg=cfg(libos_embedded)");
    let workspace =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("..");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let id = source_id(&workspace).expect("the tender's sources are beside this crate");
    println!("cargo:rustc-env=CARGO_LIBOS_BUILD_ID={id:016x}");
    println!("cargo:rerun-if-changed=../tender/link/static.rs");
    // A static tender starts images 300 µs sooner.
    for argument in link_static::arguments(&out) {
        println!("cargo:rustc-link-arg-bin=libos-tender={argument}");
    }
    if env::var("PROFILE").as_deref() == Ok("release") {
        embed(&workspace, &out);
    }
}

fn embed(workspace: &Path, out: &Path) {
    let cargo = env::var_os("CARGO").expect("set by cargo");
    let built = nested::build(
        &nested::LIBOS,
        &cargo,
        workspace,
        &out.join("libos"),
        nested::Output::Inherited,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let target = out.join("libos.elf");
    fs::copy(&built.elf, &target)
        .unwrap_or_else(|error| panic!("copying {}: {error}", built.elf.display()));
    for source in built.sources {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    println!("cargo:rustc-env=CARGO_LIBOS_ELF={}", target.display());
    println!("cargo:rustc-cfg=libos_embedded");
}

/// Tells builds of the tender apart: a digest of its sources. `cargo-libos` uses the `libos-tender`
/// beside it only if both have the same.
fn source_id(workspace: &Path) -> io::Result<u64> {
    let mut files = Vec::new();
    for part in [
        "tender/src",
        "tender/usernet/src",
        "libos/net/src",
        "libos/abi/src",
        "libos/ext4/src",
        "libos/link",
        "seccomp-profiles",
        "Cargo.lock",
    ] {
        let path = workspace.join(part);
        println!("cargo:rerun-if-changed={}", path.display());
        collect(&path, &mut files)?;
    }
    files.sort();
    // FNV-1a: needs no dependency, and nobody gains by a collision here.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in files {
        for byte in fs::read(&file)? {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    Ok(hash)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else if path.exists() {
        files.push(path.to_owned());
    }
    Ok(())
}
