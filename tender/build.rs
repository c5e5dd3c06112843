//! Builds the drivers that the tender carries, and links the program that the tests run statically, as `libos-tender` is.
//!
//! The drivers are built in every profile, debug and `cargo check` among them: a tender without them would be another
//! program than the one that is tested. It takes 20 s once, and again when a driver changes.

#[path = "link/static.rs"]
mod link_static;
#[path = "link/nested.rs"]
mod nested;

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=link/static.rs");
    println!("cargo:rerun-if-changed=link/nested.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    for argument in link_static::arguments(&out) {
        println!("cargo:rustc-link-arg-bin=tender-under-test={argument}");
    }
    build_ext4(&out);
}

/// In a directory of its own: the calling cargo holds the lock of its own.
fn build_ext4(out: &Path) {
    let cargo = env::var_os("CARGO").expect("set by cargo");
    let workspace =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("..");
    let target = out.join("drivers");
    let output = nested::Output::Inherited;
    let built = nested::build(&nested::EXT4, &cargo, &workspace, &target, output)
        .unwrap_or_else(|error| panic!("{error}"));
    for source in built.sources {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    println!("cargo:rustc-env=LIBOS_TENDER_EXT4={}", built.elf.display());
}
