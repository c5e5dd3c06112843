//! Links the program that the tests run statically, as `libos-tender` is.

#[path = "link/static.rs"]
mod link_static;

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=link/static.rs");
    let Some(out) = std::env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    for argument in link_static::arguments(&out) {
        println!("cargo:rustc-link-arg-bin=tender-under-test={argument}");
    }
}
