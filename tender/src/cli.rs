//! The command line, in two stages: raw flags (clap), then a configuration whose values were checked.
//!
//! Main types: [`RunConfig`], [`FilterConfig`]. Nothing here touches the image or the host.

use crate::error::{EXIT_REFUSED, Error};
use clap::{Args, Parser, Subcommand};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Run an image.
    Run(Box<RunConfig>),
    /// Print the filter of an image.
    Filter(FilterConfig),
}

/// Why there is no command.
#[derive(Debug)]
pub enum Stop {
    /// clap has printed help, the version, or what is wrong with the flags.
    Shown(ExitCode),
    /// A value is out of bounds.
    Refused(Error),
}

/// Where `--strace` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Standard error.
    Stderr,
    /// A file, created or emptied.
    File(PathBuf),
}

/// A checked `run`.
#[derive(Debug)]
pub struct RunConfig {
    /// The image file.
    pub image: PathBuf,
    /// Memory limit in bytes; the manifest's if absent.
    pub memory: Option<u64>,
    /// `NAME=value` pairs that add to or replace the manifest's environment.
    pub env: Vec<OsString>,
    /// Whether the caller's whole environment is passed on first.
    pub inherit_env: bool,
    /// Working directory; the manifest's if absent.
    pub cwd: Option<OsString>,
    /// Host name; the manifest's if absent.
    pub hostname: Option<OsString>,
    /// `argv[0]`; the manifest's `exe_path` if absent.
    pub arg0: Option<OsString>,
    /// A fixed seed, for repeatable runs.
    pub seed: Option<[u8; 32]>,
    /// Where to trace guest calls.
    pub trace: Option<Trace>,
    /// Whether unimplemented calls are named on standard error.
    pub debug: bool,
    /// Where to write the report.
    pub report: Option<PathBuf>,
    /// Arguments; the manifest's if empty.
    pub args: Vec<OsString>,
}

/// A checked `filter`.
#[derive(Debug)]
pub struct FilterConfig {
    /// The image file.
    pub image: PathBuf,
    /// JSON instead of text.
    pub json: bool,
}

#[derive(Parser)]
#[command(
    name = "libos-tender",
    version,
    about = "Runs libOS images under seven host system calls"
)]
struct RawCommandLine {
    #[command(subcommand)]
    command: RawCommand,
}

#[derive(Subcommand)]
enum RawCommand {
    /// Run an image; the exit status is the program's (125: refused by the tender)
    Run(RawRun),
    /// Print the rules and the BPF program that an image would run under
    Filter(RawFilter),
}

#[derive(Args)]
struct RawRun {
    /// Memory limit, such as 64M or 4G; default: what the image asks for
    #[arg(long, value_name = "SIZE")]
    mem: Option<OsString>,
    /// Set an environment variable (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<OsString>,
    /// Pass on the caller's whole environment
    #[arg(long)]
    env_all: bool,
    /// Working directory inside the image
    #[arg(long, value_name = "DIR")]
    cwd: Option<OsString>,
    /// Host name that the program sees
    #[arg(long, value_name = "NAME")]
    hostname: Option<OsString>,
    /// The program's argv[0]
    #[arg(long, value_name = "NAME")]
    arg0: Option<OsString>,
    /// Fixed entropy of up to 32 bytes, for repeatable runs (never for production)
    #[arg(long, value_name = "HEX")]
    entropy_seed: Option<OsString>,
    /// Trace the program's system calls to standard error, or to FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    strace: Option<OsString>,
    /// Name each unimplemented system call once on standard error
    #[arg(long)]
    debug: bool,
    /// Write start-up times and counts as JSON when the program ends
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The image, then the program's arguments
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Arguments of the program
    #[arg(
        value_name = "ARGS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    args: Vec<OsString>,
}

#[derive(Args)]
struct RawFilter {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Both stages.
///
/// # Errors
/// [`Stop`]: help was shown, or a flag or value was refused.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, Stop> {
    let raw = RawCommandLine::try_parse_from(args).map_err(|error| {
        // Nothing is left to do if the terminal is gone.
        let _ = error.print();
        Stop::Shown(if error.use_stderr() {
            ExitCode::from(EXIT_REFUSED)
        } else {
            ExitCode::SUCCESS
        })
    })?;
    match raw.command {
        RawCommand::Run(raw) => check_run(raw)
            .map(|config| Command::Run(Box::new(config)))
            .map_err(Stop::Refused),
        RawCommand::Filter(RawFilter { image, json }) => {
            Ok(Command::Filter(FilterConfig { image, json }))
        }
    }
}

fn check_run(raw: RawRun) -> Result<RunConfig, Error> {
    for pair in &raw.env {
        check_env(pair)?;
    }
    Ok(RunConfig {
        image: raw.image,
        memory: raw.mem.as_deref().map(parse_size).transpose()?,
        env: raw.env,
        inherit_env: raw.env_all,
        cwd: raw.cwd.map(check_cwd).transpose()?,
        hostname: raw.hostname.map(check_hostname).transpose()?,
        arg0: raw.arg0,
        seed: raw.entropy_seed.as_deref().map(parse_seed).transpose()?,
        trace: raw.strace.map(trace),
        debug: raw.debug,
        report: raw.report,
        args: raw.args,
    })
}

fn trace(file: OsString) -> Trace {
    if file.is_empty() {
        Trace::Stderr
    } else {
        Trace::File(file.into())
    }
}

fn usage(option: &'static str, expected: &'static str, found: &OsStr) -> Error {
    Error::Usage {
        option,
        expected,
        found: format!("{found:?}"),
    }
}

/// `NAME=value` with a name that is not empty.
fn check_env(pair: &OsStr) -> Result<(), Error> {
    match pair.as_bytes().iter().position(|&byte| byte == b'=') {
        Some(1..) => Ok(()),
        _ => Err(usage("--env", "NAME=VALUE", pair)),
    }
}

fn check_cwd(cwd: OsString) -> Result<OsString, Error> {
    if cwd.as_bytes().starts_with(b"/") {
        return Ok(cwd);
    }
    Err(usage("--cwd", "an absolute path inside the image", &cwd))
}

fn check_hostname(name: OsString) -> Result<OsString, Error> {
    if (1..=64).contains(&name.len()) {
        return Ok(name);
    }
    Err(usage("--hostname", "1 to 64 bytes", &name))
}

/// A number of bytes, with an optional binary suffix K, M, G or T.
fn parse_size(text: &OsStr) -> Result<u64, Error> {
    let refuse = || usage("--mem", "bytes, with an optional suffix K, M, G or T", text);
    let text = text.to_str().ok_or_else(refuse)?;
    let digits = text.trim_end_matches(|last: char| !last.is_ascii_digit());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        "T" | "t" => 40,
        _ => return Err(refuse()),
    };
    let count: u64 = digits.parse().map_err(|_| refuse())?;
    count.checked_mul(1 << shift).ok_or_else(refuse)
}

/// Up to 32 bytes in hexadecimal, filled up with zeros.
fn parse_seed(text: &OsStr) -> Result<[u8; 32], Error> {
    let refuse = || {
        usage(
            "--entropy-seed",
            "2 to 64 hexadecimal digits, an even number",
            text,
        )
    };
    let digits = text.as_bytes();
    if digits.is_empty() || digits.len() > 64 || digits.len() % 2 != 0 {
        return Err(refuse());
    }
    let mut seed = [0; 32];
    for (byte, pair) in seed.iter_mut().zip(digits.chunks_exact(2)) {
        let nibble = |digit: u8| char::from(digit).to_digit(16);
        let (high, low) = nibble(pair[0]).zip(nibble(pair[1])).ok_or_else(refuse)?;
        *byte = u8::try_from(high << 4 | low).map_err(|_| refuse())?;
    }
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Command, Stop> {
        parse(words.iter().map(OsString::from))
    }

    fn run(words: &[&str]) -> RunConfig {
        let all: Vec<&str> = ["libos-tender", "run"]
            .iter()
            .chain(words)
            .copied()
            .collect();
        match parse_words(&all) {
            Ok(Command::Run(config)) => *config,
            other => panic!("expected a run, found {other:?}"),
        }
    }

    fn refused(words: &[&str]) -> String {
        let all: Vec<&str> = ["libos-tender", "run"]
            .iter()
            .chain(words)
            .copied()
            .collect();
        match parse_words(&all) {
            Err(Stop::Refused(error)) => error.explain(),
            other => panic!("expected a refusal, found {other:?}"),
        }
    }

    #[test]
    fn words_behind_the_image_belong_to_the_program() {
        for words in [
            &[
                "--mem",
                "64M",
                "hello.libos",
                "--",
                "--mem",
                "-x",
                "--",
                "y",
            ][..],
            &["--mem", "64M", "hello.libos", "--mem", "-x", "--", "y"][..],
        ] {
            let config = run(words);
            assert_eq!(config.memory, Some(64 << 20));
            assert_eq!(config.args, ["--mem", "-x", "--", "y"], "{words:?}");
        }
    }

    #[test]
    fn strace_takes_a_file_only_behind_an_equals_sign() {
        assert_eq!(run(&["--strace", "i"]).trace, Some(Trace::Stderr));
        let file = Trace::File("log".into());
        assert_eq!(run(&["--strace=log", "i"]).trace, Some(file));
        assert_eq!(run(&["i"]).trace, None);
    }

    #[test]
    fn sizes_have_binary_suffixes() {
        for (text, bytes) in [
            ("4096", 4096),
            ("1K", 1024),
            ("3G", 3 << 30),
            ("1T", 1 << 40),
        ] {
            assert_eq!(run(&["--mem", text, "i"]).memory, Some(bytes));
        }
        for text in ["", "M", "1X", "-1", "99999999999T", "1.5G", "1MM"] {
            assert!(refused(&["--mem", text, "i"]).contains("--mem"), "{text:?}");
        }
    }

    #[test]
    fn values_out_of_bounds_name_their_option() {
        assert!(refused(&["--env", "=x", "i"]).contains("NAME=VALUE"));
        assert!(refused(&["--env", "x", "i"]).contains("NAME=VALUE"));
        assert!(refused(&["--cwd", "tmp", "i"]).contains("absolute"));
        assert!(refused(&["--hostname", &"h".repeat(65), "i"]).contains("64"));
        assert!(refused(&["--entropy-seed", "0g", "i"]).contains("hexadecimal"));
        assert!(refused(&["--entropy-seed", "012", "i"]).contains("hexadecimal"));
    }

    #[test]
    fn a_short_seed_is_filled_up() {
        let seed = run(&["--entropy-seed", "01fF", "i"]).seed.expect("given");
        assert_eq!(seed[..3], [1, 255, 0]);
    }
}
