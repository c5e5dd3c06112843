//! `cargo libos build`: cargo's build, then an image of each executable.

use super::making::{self, Job};
use crate::cargo::artifacts::{self, Executable, Outcome};
use crate::cargo::metadata;
use crate::cli;
use crate::config::Settings;
use crate::rootfs::Root;
use anyhow::{Context, Result};
use cargo_metadata::Metadata;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

/// An image that was built.
pub struct Built {
    /// The program's name.
    pub name: String,
    /// Whether it is an example.
    pub example: bool,
    /// The package's preferred binary, if it names one.
    pub default_run: Option<String>,
    /// The image.
    pub image: PathBuf,
}

/// Builds, and prints the path of each image.
///
/// # Errors
/// A program cannot become an image, or a configuration is wrong.
pub fn perform(options: &cli::Build) -> Result<ExitCode> {
    match build(options)? {
        Ok(images) => {
            for built in &images {
                println!("{}", built.image.display());
            }
            if images.is_empty() {
                eprintln!("note: cargo built no executable; select one with --bin or --example");
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(code) => Ok(code),
    }
}

/// Builds all selected programs. The inner result is cargo's own failure.
///
/// # Errors
/// As [`perform`].
pub fn build(options: &cli::Build) -> Result<Result<Vec<Built>, ExitCode>> {
    let asked = metadata::ask(&options.cargo)?;
    let executables = match artifacts::build(&options.selection, &options.cargo)? {
        Outcome::Built(executables) => executables,
        Outcome::Failed(code) => return Ok(Err(code)),
    };
    let metadata = asked.answer()?;
    let directory = metadata::image_directory(&metadata, &options.cargo)
        .join(options.cargo.profile_directory());
    let mut taken = BTreeSet::new();
    let mut images = Vec::new();
    for executable in executables {
        let mut output = directory.clone();
        // A name is taken twice only by a binary and an example; the example moves, as in cargo.
        if !taken.insert(executable.name.clone()) {
            output.push("examples");
        }
        output.push(format!("{}.libos", executable.name));
        images.push(make(&executable, output, &metadata, options)?);
    }
    Ok(Ok(images))
}

fn make(
    executable: &Executable,
    output: PathBuf,
    metadata: &Metadata,
    options: &cli::Build,
) -> Result<Built> {
    let package = metadata::package(metadata, &executable.package)?;
    let mut config = making::package_config(package.manifest_path.as_std_path())?;
    config.mode = options.making.mode.map(Into::into).or(config.mode);
    making::choose_root(&mut config, &options.root)?;
    let settings = Settings::decide(&executable.name, config)
        .with_context(|| format!("in the configuration of {}", package.name))?;
    if let Some(directory) = output.parent() {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("could not create {}", directory.display()))?;
    }
    let job = Job {
        program: &executable.path,
        settings: &settings,
        exe_path: format!("/bin/{}", settings.name),
        root: Root::of(&settings)?,
        output: &output,
        making: &options.making,
    };
    job.make_if_changed()?;
    Ok(Built {
        name: executable.name.clone(),
        example: executable.example,
        default_run: package.default_run.clone(),
        image: output,
    })
}
