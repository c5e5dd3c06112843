//! The runner that cargo and rustdoc start for each test program: makes an image of it and runs that.
//!
//! The program finds what it would find natively: its own path, the working directory, the environment,
//! and the files of its package, under the same absolute paths. They are packed read-only; what a test
//! writes goes to the libOS's memory and is gone with it.

use super::making::{self, Job};
use crate::cli;
use crate::config::{Settings, size};
use crate::elf::parse::{self, ParseError};
use crate::files;
use crate::rootfs::{Owner, Root};
use crate::tender::{self, RunOptions};
use anyhow::{Context, Result, anyhow, bail};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Memory of a test program whose package asks for none in particular.
const TEST_MEMORY: u64 = 2 << 30;

/// Runs the program as an image; the exit status is the program's.
///
/// # Errors
/// It cannot become an image, or its files cannot be packed.
pub fn perform(options: &cli::Runner) -> Result<ExitCode> {
    let program = std::path::absolute(&options.program).context("finding the test program")?;
    if is_host_program(&program)? {
        return run_natively(&program, &options.args);
    }
    let output = image_path(&program, &options.images)?;
    let settings = settings(&program, options)?;
    Job {
        program: &program,
        settings: &settings,
        exe_path: path_text(&program)?,
        root: root(&settings, &program, &options.images)?,
        output: &output,
        making: &options.making,
    }
    .make_if_changed()?;
    let cwd = std::env::current_dir().context("the current directory is gone")?;
    let run = RunOptions {
        env_all: true,
        cwd: Some(cwd.into()),
        arg0: Some(options.program.clone().into()),
        mem: options.mem.clone(),
        strace: options.strace.clone(),
        debug: options.debug,
        ..RunOptions::default()
    };
    match tender::run(&output, &run, &options.args)? {}
}

/// Whether it was built for the build machine, as tests of procedural macros are: such a program is
/// dynamic, and does not lie in the target's directory.
fn is_host_program(program: &Path) -> Result<bool> {
    let dynamic = matches!(
        parse::parse(&files::read(program)?),
        Err(ParseError::Dynamic { .. })
    );
    let for_target = program
        .components()
        .any(|part| part.as_os_str() == crate::cargo::TARGET);
    let by_rustdoc = program.file_name().is_some_and(|name| name == "rust_out");
    Ok(dynamic && !for_target && !by_rustdoc)
}

fn run_natively(program: &Path, args: &[OsString]) -> Result<ExitCode> {
    eprintln!(
        "note: {} was built for the build machine (a procedural macro's tests): it runs natively, not as an image",
        program.display()
    );
    let error = Command::new(program).args(args).exec();
    Err(anyhow!(error).context(format!("could not start {}", program.display())))
}

/// In cargo's target directory for programs that cargo keeps; else (rustdoc's) beside the program, to
/// vanish with it.
fn image_path(program: &Path, images: &Path) -> Result<PathBuf> {
    let name = program
        .file_name()
        .context("expected a test program, found a directory")?;
    if !program.starts_with(target_directory(images)) {
        return Ok(program.with_added_extension("libos"));
    }
    std::fs::create_dir_all(images)
        .with_context(|| format!("could not create {}", images.display()))?;
    let mut file = name.to_owned();
    file.push(".libos");
    Ok(images.join(file))
}

fn settings(program: &Path, options: &cli::Runner) -> Result<Settings> {
    let mut config = match manifest_directory() {
        Some(directory) => making::package_config(&directory.join("Cargo.toml"))?,
        None => crate::config::Config::default(),
    };
    config.mode = options.making.mode.map(Into::into).or(config.mode);
    config
        .memory
        .get_or_insert_with(|| test_memory().to_string());
    let name = program
        .file_name()
        .map_or_else(Default::default, |name| name.to_string_lossy());
    Settings::decide(&name, config)
}

/// Tests are not sized for a small memory as services are, but the host must have it.
fn test_memory() -> u64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = total.and_then(|rest| rest.split_whitespace().next());
    let total = kilobytes.and_then(|number| size::parse(&format!("{number}K")).ok());
    total.map_or(TEST_MEMORY, |total| (total / 2).min(TEST_MEMORY))
}

fn manifest_directory() -> Option<PathBuf> {
    std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from)
}

/// What the configuration asks for, the package's files, and what its build script wrote.
fn root(settings: &Settings, program: &Path, images: &Path) -> Result<Root> {
    let mut tree = match Root::of(settings)? {
        Root::Tree(tree) => tree,
        Root::Image { path, .. } => bail!(
            "expected a directory or TAR as the key `rootfs` of a tested package, found an EROFS image at {}: the package's files cannot be added to it",
            path.display()
        ),
    };
    let skip = |path: &Path| {
        is_build_output(path, images) || path.file_name().is_some_and(|name| name == ".git")
    };
    for directory in [
        manifest_directory(),
        std::env::var_os("OUT_DIR").map(PathBuf::from),
    ] {
        let Some(directory) = directory.filter(|directory| directory.is_dir()) else {
            continue;
        };
        tree.copy(
            &directory,
            directory.as_os_str().as_bytes(),
            Owner::Same,
            None,
            &skip,
        )
        .context("packing the package's files; move what is not needed out of the package")?;
    }
    if let Some(directory) = program.parent() {
        tree.directory(directory.as_os_str().as_bytes())?;
    }
    for directory in program.ancestors().map(|directory| directory.join("tmp")) {
        // CARGO_TARGET_TMPDIR of integration tests: target/tmp.
        if directory.with_file_name("CACHEDIR.TAG").is_file() && directory.is_dir() {
            tree.directory(directory.as_os_str().as_bytes())?;
        }
    }
    Ok(Root::Tree(tree))
}

/// Whether cargo builds there: the directory of this build, or one that cargo has marked.
fn is_build_output(path: &Path, images: &Path) -> bool {
    path == target_directory(images) || path.join("CACHEDIR.TAG").is_file()
}

/// `target`, from `target/libos/test`.
fn target_directory(images: &Path) -> &Path {
    images.ancestors().nth(2).unwrap_or(images)
}

fn path_text(path: &Path) -> Result<String> {
    let text = path.to_str();
    Ok(text
        .with_context(|| format!("expected a UTF-8 path, found {}", path.display()))?
        .to_owned())
}
