//! `cargo libos image`: an image from any static ELF program.

use super::making::{self, Job};
use crate::cli;
use crate::config::{Config, Settings};
use crate::rootfs::Root;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::ExitCode;

/// Makes the image and prints its path.
///
/// # Errors
/// Something is missing, malformed or cannot become an image.
pub fn perform(options: &cli::Image) -> Result<ExitCode> {
    let settings = settings(options)?;
    Job {
        program: &options.program,
        settings: &settings,
        exe_path: format!("/bin/{}", settings.name),
        root: Root::of(&settings)?,
        output: &options.output,
        making: &options.making,
    }
    .make()?;
    println!("{}", options.output.display());
    Ok(ExitCode::SUCCESS)
}

fn settings(options: &cli::Image) -> Result<Settings> {
    let name = match &options.name {
        Some(name) => name.clone(),
        None => file_stem(&options.program)?,
    };
    if name.is_empty() || name.contains('/') {
        bail!("expected a name without `/`, found {name:?}; give another with --name");
    }
    let mut config = match &options.config {
        Some(path) => making::config_file(path)?,
        None => Config::default(),
    };
    config.mode = options.making.mode.map(Into::into).or(config.mode);
    making::choose_root(&mut config, &options.root)?;
    Settings::decide(&name, config)
}

fn file_stem(program: &Path) -> Result<String> {
    let name = program.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| {
        format!(
            "expected a program with a UTF-8 file name, found {}; give a name with --name",
            program.display()
        )
    })?;
    Ok(name.to_owned())
}
