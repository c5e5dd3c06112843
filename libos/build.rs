//! Link arguments of the image: no start files, no libc, position independent.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_IMAGE").is_none() {
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
        // A bitmap for words that hold addresses, in place of 24 bytes for each; a linker that does not
        // know it says so and makes the long table, which `start` reads as well.
        "-Wl,-z,pack-relative-relocs",
        // Entered from outside only: by stubs, and by the host's kernel.
        "-Wl,--undefined=libos_gate",
        "-Wl,--undefined=libos_signal_entry",
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    let directory = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    for script in ["discard.ld", "order.ld"] {
        println!("cargo:rerun-if-changed={script}");
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{directory}/{script}");
    }
}
