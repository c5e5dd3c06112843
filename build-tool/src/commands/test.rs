//! `cargo libos test`: cargo's tests, each test program run as an image.
//!
//! Cargo does everything as always, and starts this program as its runner ([`super::runner`]).

use crate::cargo::artifacts::{exit_code, refuse_target};
use crate::cargo::rustflags::{self, Tool};
use crate::cargo::settings::Settings;
use crate::cargo::{self, TARGET, metadata};
use crate::cli;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, ExitCode};
use toml::Value;

/// Runs the tests; the exit status is cargo's.
///
/// # Errors
/// Cargo or its configuration cannot be used.
pub fn perform(options: &cli::Test) -> Result<ExitCode> {
    refuse_target(&options.cargo)?;
    let asked = metadata::ask(&options.cargo)?;
    let directory = std::env::current_dir().context("the current directory is gone")?;
    let settings = Settings::read(&directory, &options.cargo.config)?;
    let images = metadata::image_directory(&asked.answer()?, &options.cargo).join("test");
    let mut cargo = cargo::command();
    cargo
        .args(["test", "--target", TARGET])
        .args(options.selection.to_args())
        .args(options.tests.to_args())
        .args(options.cargo.to_args());
    rustflags::link_statically(&mut cargo, Tool::Rustc, &settings)?;
    rustflags::link_statically(&mut cargo, Tool::Rustdoc, &settings)?;
    use_runner(&mut cargo, runner(&images, options)?);
    cargo.args(&options.name).arg("--").args(&options.args);
    let status = cargo
        .status()
        .context("could not start cargo; is it on the PATH?")?;
    Ok(exit_code(status))
}

/// Names the runner to cargo.
fn use_runner(cargo: &mut Command, words: Vec<String>) {
    let variable = format!(
        "CARGO_TARGET_{}_RUNNER",
        TARGET.to_uppercase().replace('-', "_")
    );
    if words.iter().all(|word| !word.contains(char::is_whitespace)) {
        cargo.env(variable, words.join(" "));
        return;
    }
    // Cargo splits the variable at spaces. A list on the command line keeps them, but cannot stand beside
    // a runner that the user's configuration names as a string.
    let list = Value::Array(words.into_iter().map(Value::String).collect());
    cargo.env_remove(variable);
    cargo
        .arg("--config")
        .arg(format!("target.{TARGET}.runner={list}"));
}

/// This program as cargo's runner: command and arguments.
fn runner(images: &Path, options: &cli::Test) -> Result<Vec<String>> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    let mut words = vec![
        text(&own)?,
        "runner".into(),
        "--images".into(),
        text(&std::path::absolute(images)?)?,
    ];
    if let Some(mem) = &options.mem {
        words.extend(["--mem".into(), mem.clone()]);
    }
    if let Some(mode) = options.making.mode {
        words.extend(["--mode".into(), mode.name().into()]);
    }
    if let Some(libos) = &options.making.libos {
        words.extend(["--libos".into(), text(&std::path::absolute(libos)?)?]);
    }
    match &options.strace {
        Some(file) if file.is_empty() => words.push("--strace".into()),
        Some(file) => words.push(format!("--strace={file}")),
        None => {}
    }
    if options.debug {
        words.push("--debug".into());
    }
    Ok(words)
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str();
    let text = text.with_context(|| {
        format!(
            "expected a UTF-8 path for cargo's runner, found {}",
            path.display()
        )
    })?;
    Ok(text.to_owned())
}
