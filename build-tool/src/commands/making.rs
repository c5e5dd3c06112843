//! Makes an image in a file, unless it is already there: what `build`, `image` and the test runner share.

use crate::cli::Making;
use crate::config::{self, Config, FileSpec, Settings};
use crate::elf;
use crate::files;
use crate::image::{self, Request};
use crate::libos::Libos;
use crate::progress::{Announced, Steps};
use crate::rootfs::{Owner, Tree};
use crate::stamp::Stamp;
use anyhow::{Context, Result};
use std::path::Path;

/// An image to be made.
pub struct Job<'a> {
    /// The static program.
    pub program: &'a Path,
    /// How it is to run.
    pub settings: &'a Settings,
    /// The path that the program sees as its own.
    pub exe_path: String,
    /// Its root file system.
    pub tree: Tree,
    /// Where the image goes.
    pub output: &'a Path,
    /// Options of the command line.
    pub making: &'a Making,
}

impl Job<'_> {
    /// Makes the image unless it was made from the same inputs before.
    ///
    /// # Errors
    /// As [`Job::make`].
    pub fn make_if_changed(self) -> Result<()> {
        let libos = self.making.libos.as_deref();
        let stamp = Stamp::of(
            self.program,
            libos,
            self.settings,
            &self.exe_path,
            &self.tree,
        )?;
        if stamp.matches(self.output) {
            return Ok(());
        }
        let output = self.output;
        self.make()?;
        stamp.save(output)
    }

    /// Makes the image.
    ///
    /// # Errors
    /// Something is missing, or the program cannot become an image.
    pub fn make(self) -> Result<()> {
        let _announced = Announced::begin(format!("making an image of {}", self.program.display()));
        let mut steps = Steps::new(self.making.step_times);
        let program = files::read(self.program)?;
        let unfit = || format!("{} cannot become an image", self.program.display());
        // Looked at before the libOS is loaded, which a debug build of this tool may have to build first.
        elf::parse::parse(&program).with_context(unfit)?;
        steps.done("read the program");
        let libos = Libos::load(self.making.libos.as_deref())?;
        steps.done("load the libOS");
        let rootfs = self.tree.to_cpio()?;
        steps.done("pack the root file system");
        let made = image::make(Request {
            program: &program,
            libos: &libos,
            settings: self.settings,
            exe_path: self.exe_path,
            rootfs,
        })
        .with_context(unfit)?;
        steps.done("make the image");
        for remark in &made.remarks {
            eprintln!("note: {}: {remark}", self.settings.name);
        }
        files::write(self.output, &made.file)?;
        steps.done("write the image");
        Ok(())
    }
}

/// The configuration of the package whose Cargo.toml is `manifest`: `libos.toml` beside it, then its own
/// table.
///
/// # Errors
/// A file is malformed or has an unknown key.
pub fn package_config(manifest: &Path) -> Result<Config> {
    let own = config::from_manifest(&text(manifest)?, manifest)?;
    let beside = manifest.with_file_name("libos.toml");
    if !beside.exists() {
        return Ok(own);
    }
    Ok(config_file(&beside)?.or(own))
}

/// The configuration in a `libos.toml`.
///
/// # Errors
/// It is missing, malformed or has an unknown key.
pub fn config_file(path: &Path) -> Result<Config> {
    config::from_toml(&text(path)?, path)
}

fn text(path: &Path) -> Result<String> {
    String::from_utf8(files::read(path)?)
        .with_context(|| format!("expected UTF-8 text in {}", path.display()))
}

/// The tree that `files` describes.
///
/// # Errors
/// A source is missing or unreadable, or a target has no place.
pub fn root_file_system(files: &[FileSpec]) -> Result<Tree> {
    let mut tree = Tree::default();
    for file in files {
        let target = file.target.as_bytes();
        tree.copy(
            &file.source,
            target,
            Owner::Root,
            file.permissions()?,
            &|_| false,
        )
        .context("filling the root file system")?;
    }
    Ok(tree)
}
