//! Builds a program of the guest with a cargo of its own: another profile and other link arguments than the host's.
//!
//! Main function: [`build`]. Used by this crate's build script for the drivers, and, as a module by path, by the build tool
//! for the libOS: by its build script (release builds, where the result is embedded) and by debug builds of the tool at
//! run time. It reads no source itself; cargo knows what is out of date.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// What is built.
pub struct Program {
    /// Its package and binary, which have one name.
    name: &'static str,
    /// The feature that makes an ELF file of it.
    feature: &'static str,
    /// Compiler flags, separated as `CARGO_ENCODED_RUSTFLAGS` wants it.
    flags: &'static str,
    /// The manifests of which it is made.
    manifests: &'static [&'static str],
}

/// The libOS.
#[allow(dead_code, reason = "one of the two users takes each")]
pub const LIBOS: Program = Program {
    name: "libos",
    feature: "image",
    flags: INLINING,
    manifests: &["libos/Cargo.toml", "libos/abi/Cargo.toml"],
};

/// The ext4 driver.
#[allow(dead_code, reason = "one of the two users takes each")]
pub const EXT4: Program = Program {
    name: "libos-ext4",
    feature: "module",
    flags: "",
    manifests: &["libos/ext4/Cargo.toml", "libos/abi/Cargo.toml"],
};

/// A built program.
pub struct Built {
    /// The ELF file.
    pub elf: PathBuf,
    /// The files from which it was made.
    #[allow(dead_code, reason = "only the build script needs it")]
    pub sources: Vec<PathBuf>,
}

/// Where the nested cargo's messages go.
#[derive(Clone, Copy)]
pub enum Output {
    /// To the caller's standard error.
    #[allow(dead_code, reason = "one of the two users takes each")]
    Inherited,
    /// Nowhere, save for warnings and errors.
    #[allow(dead_code, reason = "one of the two users takes each")]
    Quiet,
}

const TARGET: &str = "x86_64-unknown-linux-gnu";
const PROFILE: &str = "libos";

/// What a profile cannot say: how large a function may be that is put in place of its calls, in LLVM's
/// units. With the usual bounds (50; 325 for those marked `#[inline]`, as most of the standard
/// library's) the libOS is 7 % larger and not faster.
const INLINING: &str = "-Cllvm-args=-inline-threshold=35\x1f-Cllvm-args=-inlinehint-threshold=35";

/// Builds `program` of `workspace` under `target_dir`.
///
/// # Errors
/// A sentence that says what failed and what to try.
pub fn build(
    program: &Program,
    cargo: &OsStr,
    workspace: &Path,
    target_dir: &Path,
    output: Output,
) -> Result<Built, String> {
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace)
        .args(["build", "--package", program.name, "--bin", program.name])
        .args(["--features", program.feature])
        .args(["--profile", PROFILE, "--target", TARGET, "--target-dir"])
        .arg(target_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if workspace.join("Cargo.lock").exists() {
        command.arg("--locked");
    }
    if matches!(output, Output::Quiet) {
        command.arg("--quiet");
    }
    clean_environment(&mut command);
    command.env("CARGO_ENCODED_RUSTFLAGS", program.flags);
    run(program, command)?;
    let directory = target_dir.join(TARGET).join(PROFILE);
    Ok(Built {
        elf: directory.join(program.name),
        sources: sources(
            program,
            workspace,
            &directory.join(format!("{}.d", program.name)),
        )?,
    })
}

/// Takes away what the calling cargo, or the user for the program's sake, set for other builds.
fn clean_environment(command: &mut Command) {
    const EXACT: [&str; 9] = [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTDOCFLAGS",
        "CARGO_ENCODED_RUSTDOCFLAGS",
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_LINKER",
        "CARGO_INCREMENTAL",
    ];
    const PREFIXES: [&str; 7] = [
        "CARGO_BUILD_",
        "CARGO_TARGET_",
        "CARGO_PROFILE_",
        "CARGO_FEATURE_",
        "CARGO_CFG_",
        "CARGO_PKG_",
        "DEP_",
    ];
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if EXACT.contains(&text) || PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

fn run(program: &Program, mut command: Command) -> Result<(), String> {
    let status = command.status().map_err(|error| {
        format!(
            "could not start cargo for {} ({:?}): {error}",
            program.name,
            command.get_program()
        )
    })?;
    if status.success() {
        return Ok(());
    }
    Err(format!(
        "building {} failed ({status}); its errors stand above; the same build by hand: {command:?}",
        program.name
    ))
}

/// The files that cargo's dep-info names, and the manifests that it does not.
fn sources(program: &Program, workspace: &Path, dep_info: &Path) -> Result<Vec<PathBuf>, String> {
    let text = fs::read_to_string(dep_info).map_err(|error| {
        format!(
            "reading cargo's dependency file {}: {error}",
            dep_info.display()
        )
    })?;
    let named = text.lines().next().and_then(|line| line.split_once(": "));
    let mut sources: Vec<PathBuf> = Vec::new();
    let mut path = String::new();
    // Words are separated by spaces; a space inside of one is written `\ `.
    for piece in named.map_or("", |(_, files)| files).split(' ') {
        path.push_str(piece);
        if path.ends_with('\\') {
            path.pop();
            path.push(' ');
        } else if !path.is_empty() {
            sources.push(PathBuf::from(std::mem::take(&mut path)));
        }
    }
    for manifest in ["Cargo.toml", "Cargo.lock"].iter().chain(program.manifests) {
        sources.push(workspace.join(manifest));
    }
    Ok(sources)
}
