//! Builds with cargo, and collects the executables from its messages.

use super::flags::{Common, Selection};
use super::rustflags::{self, Tool};
use super::settings::Settings;
use super::{TARGET, command};
use anyhow::{Context, Result, ensure};
use cargo_metadata::{Message, PackageId, TargetKind};
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

/// One executable of a build.
#[derive(Debug)]
pub struct Executable {
    /// The package that it belongs to.
    pub package: PackageId,
    /// Its target's name.
    pub name: String,
    /// Whether it is an example.
    pub example: bool,
    /// The file.
    pub path: PathBuf,
}

/// How a build ended.
pub enum Outcome {
    /// With these executables.
    Built(Vec<Executable>),
    /// Cargo failed and has said why; this is its exit status.
    Failed(ExitCode),
}

/// Runs `cargo build` for static programs.
///
/// # Errors
/// Cargo cannot be started, or talks in another way than expected.
pub fn build(selection: &Selection, flags: &Common) -> Result<Outcome> {
    refuse_target(flags)?;
    let directory = std::env::current_dir().context("the current directory is gone")?;
    let mut cargo = command();
    cargo
        .args([
            "build",
            "--target",
            TARGET,
            "--message-format",
            "json-render-diagnostics",
        ])
        .args(selection.to_args())
        .args(flags.to_args())
        .stdout(Stdio::piped());
    rustflags::link_statically(
        &mut cargo,
        Tool::Rustc,
        &Settings::read(&directory, &flags.config)?,
    )?;
    let mut child = cargo
        .spawn()
        .context("could not start cargo; is it on the PATH?")?;
    let stdout = child
        .stdout
        .take()
        .context("cargo has no standard output")?;
    let mut executables = Vec::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message.context("reading cargo's messages")? {
            executables.extend(executable(artifact));
        }
    }
    let status = child.wait().context("waiting for cargo")?;
    if status.success() {
        return Ok(Outcome::Built(executables));
    }
    Ok(Outcome::Failed(exit_code(status)))
}

/// The exit status of a command that ran in this one's place.
pub fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let signal = || status.signal().map(|signal| 128 + signal);
    let code = status
        .code()
        .or_else(signal)
        .and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(101))
}

/// Other targets are refused before cargo builds for them.
///
/// # Errors
/// `--target` names another one.
pub fn refuse_target(flags: &Common) -> Result<()> {
    if let Some(target) = &flags.target {
        ensure!(
            target == TARGET,
            "expected --target {TARGET}, the only one for which cargo is asked so far, found {target}; \
             build a static program with cargo itself and use `cargo libos image`"
        );
    }
    Ok(())
}

fn executable(artifact: cargo_metadata::Artifact) -> Option<Executable> {
    let path = artifact.executable?.into();
    let example = artifact.target.kind.contains(&TargetKind::Example);
    if !example && !artifact.target.kind.contains(&TargetKind::Bin) {
        return None;
    }
    Some(Executable {
        package: artifact.package_id,
        name: artifact.target.name,
        example,
        path,
    })
}
