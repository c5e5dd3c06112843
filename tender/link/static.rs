//! Link arguments that make one binary of a crate a static-pie program, for build scripts.
//!
//! A start through the dynamic linker costs 300 µs, three quarters of what the tender itself takes.
//! `-C target-feature=+crt-static` is no way out: it cannot be set for one binary, nor by a crate that is
//! installed with `cargo install`, and it breaks procedural macros where no target is named. So the linker is
//! told `-static-pie`, and to look for libraries in a directory of linker scripts first: `-lc` finds a
//! `libc.so` there that says `GROUP(libc.a …)`. Where the host has no static libc, the binary stays a dynamic one.
//!
//! Used by this crate's build script and, as a module by path, by that of the crate with `libos-tender`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// The libraries that rustc names for std on Linux with glibc, and the archives that stand for them.
const LIBRARIES: [(&str, &[&str]); 7] = [
    ("c", &["libc.a", "libgcc_eh.a", "libgcc.a"]),
    ("gcc_s", &["libgcc_eh.a", "libgcc.a", "libc.a"]),
    ("m", &["libm.a"]),
    ("dl", &["libdl.a"]),
    ("pthread", &["libpthread.a"]),
    ("rt", &["librt.a"]),
    ("util", &["libutil.a"]),
];

/// Link arguments, for `cargo:rustc-link-arg-bin=NAME=…`; none if a static program cannot be linked here.
pub fn arguments(out: &Path) -> Vec<String> {
    scripts(&out.join("static-libraries")).unwrap_or_default()
}

fn scripts(directory: &Path) -> io::Result<Vec<String>> {
    fs::create_dir_all(directory)?;
    for (name, archives) in LIBRARIES {
        let files: Vec<String> = archives
            .iter()
            .map(|archive| find(archive).map(|path| format!("\"{}\"", path.display())))
            .collect::<io::Result<_>>()?;
        let script = format!("GROUP ( {} )\n", files.join(" "));
        fs::write(directory.join(format!("lib{name}.so")), script)?;
    }
    Ok(vec![
        "-static-pie".into(),
        format!("-L{}", directory.display()),
    ])
}

/// Where the C compiler has a library. It answers with the bare name for one that it has not.
fn find(archive: &str) -> io::Result<PathBuf> {
    let output = Command::new("cc")
        .arg(format!("-print-file-name={archive}"))
        .output()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}
