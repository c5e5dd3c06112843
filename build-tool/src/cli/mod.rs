//! The command line: flags as typed, no decisions.
//!
//! Main type: [`Command`]. [`parse`] prints help and usage errors itself.

use crate::cargo::flags::{Common, Selection, TestSelection};
use crate::tender::RunOptions;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use libos_abi::manifest::Mode;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Builds ordinary Linux programs into sandboxed images, and runs them under seven host system calls.
#[derive(Debug, Parser)]
#[command(
    name = "cargo libos",
    bin_name = "cargo libos",
    version,
    after_help = "Exit status: the program's for `run` and `test`; cargo's if cargo fails; 125 if refused."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build a crate's programs, and make an image of each
    Build(Build),
    /// Build one program and run its image
    Run(Box<Run>),
    /// Run a crate's tests as images
    Test(Test),
    /// Run a test program as an image (started by cargo)
    #[command(hide = true)]
    Runner(Runner),
    /// Make an image from a static ELF program
    Image(Image),
    /// Show what is in an image
    Inspect(Inspect),
    /// Make a disk: an ext4 file system in a file
    Mkdisk(Mkdisk),
}

/// Options of `build`.
#[derive(Debug, Args)]
pub struct Build {
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub cargo: Common,
    #[command(flatten)]
    pub root: RootFs,
    #[command(flatten)]
    pub making: Making,
}

/// Options of `run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub build: Build,
    #[command(flatten)]
    pub run: RunOptions,
    /// Arguments of the program
    #[arg(last = true)]
    pub args: Vec<OsString>,
}

impl Run {
    /// `-p` is cargo's for packages and docker's for ports. No package begins with a digit, a bracket or a colon,
    /// and every port mapping does.
    fn tell_ports_from_packages(&mut self) {
        let package = &mut self.build.selection.package;
        let ports = package.extract_if(.., |word| {
            word.starts_with(|first: char| first.is_ascii_digit() || "[:".contains(first))
        });
        self.run.publish.extend(ports.map(OsString::from));
    }
}

/// Options of `test`.
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub tests: TestSelection,
    #[command(flatten)]
    pub cargo: Common,
    #[command(flatten)]
    pub making: Making,
    /// Memory limit of each test program [default: 2G, or half of the host's]
    #[arg(long, value_name = "SIZE")]
    pub mem: Option<String>,
    /// Trace system calls to standard error, or to FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub strace: Option<String>,
    /// Name each unimplemented system call once on standard error
    #[arg(long)]
    pub debug: bool,
    /// Only tests whose names contain this
    #[arg(value_name = "TESTNAME")]
    pub name: Option<String>,
    /// Arguments of the test harness
    #[arg(last = true)]
    pub args: Vec<OsString>,
}

/// Options of `runner`.
#[derive(Debug, Args)]
pub struct Runner {
    /// Where images of test programs are kept
    #[arg(long)]
    pub images: PathBuf,
    #[command(flatten)]
    pub making: Making,
    #[arg(long)]
    pub mem: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub strace: Option<OsString>,
    #[arg(long)]
    pub debug: bool,
    /// The test program
    pub program: PathBuf,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<OsString>,
}

/// Options of `image`.
#[derive(Debug, Args)]
pub struct Image {
    /// The program: a static x86-64 ELF file (static-pie or fixed-address)
    pub program: PathBuf,
    /// Where to write the image
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The program's name [default: its file name]
    #[arg(long)]
    pub name: Option<String>,
    /// Configuration, with the keys of [package.metadata.libos]
    #[arg(long, value_name = "libos.toml")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub root: RootFs,
    #[command(flatten)]
    pub making: Making,
}

/// Options that say what the root file system holds.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Root file system")]
pub struct RootFs {
    /// Take a directory, a TAR archive or an EROFS image as the root file system
    #[arg(long, value_name = "DIR|TAR|EROFS")]
    pub rootfs: Option<PathBuf>,
    /// Put a host file or directory into the root file system
    #[arg(long, value_name = "HOST:GUEST")]
    pub root_file: Vec<String>,
}

/// Options of every command that makes images.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Image options")]
pub struct Making {
    /// What to do with system calls that cannot be redirected: refuse the program, or let them trap
    #[arg(long, value_enum)]
    pub mode: Option<ModeName>,
    /// A libOS to use instead of the built-in one
    #[arg(long, value_name = "ELF", hide = true)]
    pub libos: Option<PathBuf>,
    /// Say how long each step took
    #[arg(long, hide = true)]
    pub step_times: bool,
}

/// A mode, by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ModeName {
    /// Refuse
    Strict,
    /// Let them trap
    Compat,
}

impl ModeName {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Compat => "compat",
        }
    }
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Strict => Self::Strict,
            ModeName::Compat => Self::Compat,
        }
    }
}

/// Options of `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The image
    pub image: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `mkdisk`.
#[derive(Debug, Args)]
#[command(
    after_help = "The disk is there once it is whole: FILE appears, or is replaced, at the end.\n\
        With SOURCE_DATE_EPOCH set, the same options and files make the same bytes."
)]
pub struct Mkdisk {
    /// The disk to be made
    pub file: PathBuf,
    /// Its size: bytes, or with a suffix as of truncate(1) (64M, 1G, 1GiB); a multiple of 4096
    #[arg(long, value_name = "SIZE")]
    pub size: String,
    /// Copy a directory or a TAR archive into it, with all that its files have
    #[arg(long, value_name = "DIR|TAR")]
    pub from: Option<PathBuf>,
    /// Its name, of at most 16 bytes
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
    /// Replace FILE if it exists
    #[arg(long)]
    pub force: bool,
}

/// Reads the command line.
///
/// # Errors
/// The exit status, after help or an error were printed.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, ExitCode> {
    let parsed = Cli::command()
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let sorted = parsed.map(|cli| match cli.command {
        Command::Run(mut run) => {
            run.tell_ports_from_packages();
            Command::Run(run)
        }
        other => other,
    });
    sorted.map_err(|stop| {
        let code = if stop.use_stderr() {
            crate::error::REFUSED
        } else {
            0
        };
        // With the terminal gone there is nobody left to tell.
        stop.print().unwrap_or_default();
        ExitCode::from(code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Run {
        let words = ["cargo libos", "run"].iter().chain(words);
        match parse(words.map(OsString::from)) {
            Ok(Command::Run(run)) => *run,
            other => panic!("expected a run, found {other:?}"),
        }
    }

    #[test]
    fn ports_are_told_from_packages() {
        let words = [
            "-p",
            "http-server",
            "-p",
            "8080:8080",
            "-p",
            "base64:0.22",
            "-p",
            "127.0.0.1:80:80",
            "-p",
            "[::1]:80:80/udp",
            "-p",
            "https://example.test:8080/repo#a@1.0",
            "-p",
            ":80",
            "--publish",
            "9000-9001:90-91",
            "--net",
            "user",
            "--",
            "-p",
            "1:1",
        ];
        let run = run(&words);
        let packages = [
            "http-server",
            "base64:0.22",
            "https://example.test:8080/repo#a@1.0",
        ];
        assert_eq!(run.build.selection.package, packages);
        let ports = [
            "9000-9001:90-91",
            "8080:8080",
            "127.0.0.1:80:80",
            "[::1]:80:80/udp",
            ":80",
        ];
        assert_eq!(run.run.publish, ports);
        assert_eq!(run.run.net, ["user"]);
        assert_eq!(run.args, ["-p", "1:1"]);
    }
}
