//! `cargo libos image`: an image from any static ELF program.

use crate::cli;
use crate::config::{self, Config, FileSpec, Settings};
use crate::files;
use crate::image::{self, Request};
use crate::libos::Libos;
use crate::rootfs::{Owner, Tree};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::ExitCode;

/// Makes the image and prints its path.
///
/// # Errors
/// Something is missing, malformed or cannot become an image.
pub fn perform(options: &cli::Image) -> Result<ExitCode> {
    let program = files::read(&options.program)?;
    let settings = settings(options)?;
    let libos = Libos::load(options.making.libos.as_deref())?;
    let made = image::make(Request {
        program: &program,
        libos: &libos,
        settings: &settings,
        exe_path: format!("/bin/{}", settings.name),
        rootfs: root_file_system(&settings.files)?.to_cpio()?,
    })
    .with_context(|| format!("{} cannot become an image", options.program.display()))?;
    for remark in &made.remarks {
        eprintln!("note: {remark}");
    }
    files::write(&options.output, &made.file)?;
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
        Some(path) => {
            let text = String::from_utf8(files::read(path)?)
                .with_context(|| format!("expected UTF-8 text in {}", path.display()))?;
            config::from_toml(&text, path)?
        }
        None => Config::default(),
    };
    config.mode = options.making.mode.map(Into::into).or(config.mode);
    let files = config.files.get_or_insert_default();
    for pair in &options.root_file {
        files.push(root_file(pair)?);
    }
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

/// The tree that `files` describes.
///
/// # Errors
/// A source is missing or unreadable, or a target has no place.
pub fn root_file_system(files: &[FileSpec]) -> Result<Tree> {
    let mut tree = Tree::default();
    for file in files {
        tree.copy(
            &file.source,
            file.target.as_bytes(),
            Owner::Root,
            file.permissions()?,
            &|_| false,
        )
        .context("filling the root file system")?;
    }
    Ok(tree)
}
