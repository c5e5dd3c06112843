//! Link arguments of the driver as a module: no start files, no libc, position independent. They are the
//! libOS's own, see its `build.rs`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_MODULE").is_none() {
        return;
    }
    for argument in [
        "-nostdlib",
        "-nostartfiles",
        "-static-pie",
        "-Wl,--no-dynamic-linker",
        "-Wl,--gc-sections",
        "-Wl,-z,norelro",
        "-Wl,-z,separate-code",
        "-Wl,--build-id=none",
        "-Wl,--no-eh-frame-hdr",
        "-Wl,-z,pack-relative-relocs",
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    let directory = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rerun-if-changed=../discard.ld");
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{directory}/../discard.ld");
}
