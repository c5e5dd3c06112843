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
        // Entered from outside only: by stubs, and by the host's kernel.
        "-Wl,--undefined=libos_gate",
        "-Wl,--undefined=libos_signal_entry",
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
