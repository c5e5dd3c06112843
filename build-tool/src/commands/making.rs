//! Makes an image in a file, unless it is already there: what `build`, `image` and the test runner share.

use crate::cli::{self, Making};
use crate::config::{self, Config, FileSpec, Settings};
use crate::elf;
use crate::files;
use crate::image::{self, Request};
use crate::libos::Libos;
use crate::progress::{Announced, Steps};
use crate::rootfs::Root;
use crate::stamp::Stamp;
use anyhow::{Context, Result, bail};
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
    pub root: Root,
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
            &self.root,
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
        let rootfs = self.root.plan()?;
        steps.done("lay out the root file system");
        let made = image::make(Request {
            program: &program,
            libos: &libos,
            settings: self.settings,
            exe_path: self.exe_path,
            rootfs_len: rootfs.len(),
        })
        .with_context(unfit)?;
        steps.done("make the image");
        for remark in &made.remarks {
            eprintln!("note: {}: {remark}", self.settings.name);
        }
        files::write_with(self.output, |out| {
            out.write_all(&made.file)?;
            rootfs.write(out)
        })?;
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

/// Takes over what the command line says of the root file system.
///
/// # Errors
/// A pair of names is not one.
pub fn choose_root(config: &mut Config, options: &cli::RootFs) -> Result<()> {
    config.rootfs = options.rootfs.clone().or(config.rootfs.take());
    let files = config.files.get_or_insert_default();
    for pair in &options.root_file {
        files.push(root_file(pair)?);
    }
    Ok(())
}

fn root_file(pair: &str) -> Result<FileSpec> {
    let Some((source, target)) = pair.rsplit_once(':') else {
        bail!("--root-file: expected HOST:GUEST, found {pair:?}");
    };
    Ok(FileSpec {
        source: source.into(),
        target: target.to_owned(),
        mode: None,
    })
}
