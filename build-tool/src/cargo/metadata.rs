//! What `cargo metadata` knows about the workspace: packages, and where things are built.

use super::flags::Common;
use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, Package, PackageId};
use std::path::PathBuf;
use std::process::{Child, Stdio};

/// A question to cargo that is being answered while something else is done.
pub struct Pending {
    child: Child,
}

/// Asks; the answer takes cargo some 50 ms, so it is best asked before the build.
///
/// # Errors
/// Cargo cannot be started.
pub fn ask(flags: &Common) -> Result<Pending> {
    let child = super::command()
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .args(flags.for_metadata())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("could not start cargo; is it on the PATH?")?;
    Ok(Pending { child })
}

impl Pending {
    /// The answer.
    ///
    /// # Errors
    /// What cargo said instead.
    pub fn answer(self) -> Result<Metadata> {
        let output = self
            .child
            .wait_with_output()
            .context("waiting for cargo metadata")?;
        if !output.status.success() {
            bail!(
                "cargo metadata failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        serde_json::from_slice(&output.stdout)
            .context("cargo metadata answered with something else than its JSON")
    }
}

/// The package `id`.
///
/// # Errors
/// It is not in the workspace.
pub fn package<'a>(metadata: &'a Metadata, id: &PackageId) -> Result<&'a Package> {
    let found = metadata.packages.iter().find(|package| package.id == *id);
    found.with_context(|| format!("cargo built {id}, but its metadata does not list it"))
}

/// Where images go: `target/libos`.
pub fn image_directory(metadata: &Metadata, flags: &Common) -> PathBuf {
    let target = flags.target_dir.clone();
    target
        .unwrap_or_else(|| metadata.target_directory.clone().into())
        .join("libos")
}
