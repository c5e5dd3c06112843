//! The command line, in two stages: raw flags, then a configuration whose values were checked.
//!
//! Main types: [`RunConfig`], [`FilterConfig`]. Nothing here touches the image or the host.
//!
//! The flags are read with `lexopt`: clap took 85–160 µs of a start-up that takes 400 altogether.

use crate::disk;
use crate::error::Error;
use crate::net::publish::{self, Published};
use crate::net::spec::{self, Spec};
use crate::share;
use lexopt::{Arg, Parser};
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
    /// Help or the version was asked for and printed.
    Shown(ExitCode),
    /// A flag is unknown or a value out of bounds.
    Refused(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<lexopt::Error> for Stop {
    fn from(error: lexopt::Error) -> Self {
        Self::Refused(Error::Flags(error))
    }
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
    /// Network interfaces.
    pub net: NetConfig,
    /// Shared folders.
    pub volumes: Vec<share::spec::Spec>,
    /// Disks.
    pub disks: Vec<disk::spec::Spec>,
    /// Arguments; the manifest's if empty.
    pub args: Vec<OsString>,
}

/// What the command line says of networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetConfig {
    /// One for each `--net`; absent if there is none, empty for `--net none`.
    pub specs: Option<Vec<Spec>>,
    /// Published ports.
    pub published: Vec<Published>,
}

/// A checked `filter`.
#[derive(Debug)]
pub struct FilterConfig {
    /// The image file.
    pub image: PathBuf,
    /// JSON instead of text.
    pub json: bool,
    /// Network interfaces.
    pub net: NetConfig,
    /// Shared folders.
    pub volumes: Vec<share::spec::Spec>,
    /// Disks.
    pub disks: Vec<disk::spec::Spec>,
}

const HELP: &str = "\
Runs libOS images under seven host system calls.

Usage:
  libos-tender run [OPTIONS] IMAGE [-- ARGS…]   run an image; its exit status is the program's
                                                (125: refused by the tender)
  libos-tender filter IMAGE [--json] [--net …] [-p …] [-v …] [--block …]
                                                print the rules and the BPF program of an image
  libos-tender --help | --version

Options of run:
  --mem SIZE           memory limit, such as 64M or 4G (default: what the image asks for)
  --env NAME=VALUE     set an environment variable (repeatable)
  --env-all            pass on the caller's whole environment
  --cwd DIR            working directory inside the image
  --hostname NAME      host name that the program sees
  --arg0 NAME          the program's argv[0]
  --entropy-seed HEX   fixed entropy of up to 32 bytes, for repeatable runs (never for production)
  --strace[=FILE]      trace the program's system calls to standard error, or to FILE
  --debug              name each unimplemented system call once on standard error
  --report FILE        write start-up times and counts as JSON when the program ends
  --net KIND[,KEY…]    add a network interface (repeatable): tap=NAME, packet=INTERFACE, user, passt; or none
                       keys: ip=ADDRESS/PREFIX gw=ADDRESS route=NETWORK[@GATEWAY] mac=… mtu=… dns=ADDRESS
                       search=DOMAIN name=eth0 dhcp slaac
  -p, --publish [[ADDRESS:]HOST:]GUEST[/udp]
                       let a port or range of the host stand for the guest's (repeatable)
  -v, --volume HOST:GUEST[:ro]
                       share a folder or file of the host (repeatable); options: ro, consistent
  --block NAME=PATH[,ro][,device][,mount=DIR][,fs=ext4|raw]
                       let the program use a disk image of the host, or with `device` a block device (repeatable)
";

/// A `run` as it stands on the command line.
#[derive(Default)]
struct RawRun {
    mem: Option<OsString>,
    env: Vec<OsString>,
    env_all: bool,
    cwd: Option<OsString>,
    hostname: Option<OsString>,
    arg0: Option<OsString>,
    entropy_seed: Option<OsString>,
    strace: Option<OsString>,
    debug: bool,
    report: Option<OsString>,
    net: RawNet,
    volumes: Vec<OsString>,
    disks: Vec<OsString>,
    image_and_args: Vec<OsString>,
}

/// Networks as they stand on the command line.
#[derive(Default)]
struct RawNet {
    net: Vec<OsString>,
    publish: Vec<OsString>,
}

/// Both stages.
///
/// # Errors
/// [`Stop`]: help was shown, or a flag or value was refused.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, Stop> {
    let mut parser = Parser::from_iter(args);
    match parser.next()? {
        Some(Arg::Value(word)) if word == "run" => {
            let config = check_run(raw_run(&mut parser)?)?;
            Ok(Command::Run(Box::new(config)))
        }
        Some(Arg::Value(word)) if word == "filter" => Ok(Command::Filter(filter(&mut parser)?)),
        Some(Arg::Long("help") | Arg::Short('h')) => Err(shown(HELP)),
        Some(Arg::Long("version") | Arg::Short('V')) => Err(shown(concat!(
            "libos-tender ",
            env!("CARGO_PKG_VERSION"),
            "\n"
        ))),
        Some(Arg::Value(word)) => Err(usage("command", "run or filter", &word).into()),
        Some(other) => Err(other.unexpected().into()),
        None => Err(usage("command", "run or filter", OsStr::new("")).into()),
    }
}

fn shown(text: &str) -> Stop {
    print!("{text}");
    Stop::Shown(ExitCode::SUCCESS)
}

/// First stage of `run`. The first word that is no option is the image, and ends the options.
fn raw_run(parser: &mut Parser) -> Result<RawRun, Stop> {
    let mut raw = RawRun::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("mem") => raw.mem = Some(parser.value()?),
            Arg::Long("env") => raw.env.push(parser.value()?),
            Arg::Long("env-all") => raw.env_all = true,
            Arg::Long("cwd") => raw.cwd = Some(parser.value()?),
            Arg::Long("hostname") => raw.hostname = Some(parser.value()?),
            Arg::Long("arg0") => raw.arg0 = Some(parser.value()?),
            Arg::Long("entropy-seed") => raw.entropy_seed = Some(parser.value()?),
            Arg::Long("strace") => raw.strace = Some(parser.optional_value().unwrap_or_default()),
            Arg::Long("debug") => raw.debug = true,
            Arg::Long("report") => raw.report = Some(parser.value()?),
            Arg::Long("net") => raw.net.net.push(parser.value()?),
            Arg::Long("publish") | Arg::Short('p') => raw.net.publish.push(parser.value()?),
            Arg::Long("volume") | Arg::Short('v') => raw.volumes.push(parser.value()?),
            Arg::Long("block") => raw.disks.push(parser.value()?),
            Arg::Long("help") | Arg::Short('h') => return Err(shown(HELP)),
            Arg::Value(image) => {
                raw.image_and_args.push(image);
                raw.image_and_args.extend(parser.raw_args()?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(raw)
}

fn filter(parser: &mut Parser) -> Result<FilterConfig, Stop> {
    let (mut image, mut json) = (None, false);
    let (mut net, mut volumes, mut disks) = (RawNet::default(), Vec::new(), Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("json") => json = true,
            Arg::Long("net") => net.net.push(parser.value()?),
            Arg::Long("publish") | Arg::Short('p') => net.publish.push(parser.value()?),
            Arg::Long("volume") | Arg::Short('v') => volumes.push(parser.value()?),
            Arg::Long("block") => disks.push(parser.value()?),
            Arg::Long("help") | Arg::Short('h') => return Err(shown(HELP)),
            Arg::Value(word) if image.is_none() => image = Some(word.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let image = image.ok_or_else(|| usage("filter", "the path of an image", OsStr::new("")))?;
    let net = check_net(net)?;
    let volumes = share::spec::parse_all(&volumes).map_err(Error::from)?;
    let disks = disk::spec::parse_all(&disks, &volumes).map_err(Error::from)?;
    Ok(FilterConfig {
        image,
        json,
        net,
        volumes,
        disks,
    })
}

/// Second stage of `run`.
fn check_run(raw: RawRun) -> Result<RunConfig, Error> {
    for pair in &raw.env {
        check_env(pair)?;
    }
    if raw.image_and_args.is_empty() {
        return Err(usage("run", "the path of an image", OsStr::new("")));
    }
    let (image, args) = split_words(raw.image_and_args);
    let volumes = share::spec::parse_all(&raw.volumes)?;
    Ok(RunConfig {
        image,
        memory: raw.mem.as_deref().map(parse_size).transpose()?,
        env: raw.env,
        inherit_env: raw.env_all,
        cwd: raw.cwd.map(check_cwd).transpose()?,
        hostname: raw.hostname.map(check_hostname).transpose()?,
        arg0: raw.arg0,
        seed: raw.entropy_seed.as_deref().map(parse_seed).transpose()?,
        trace: raw.strace.map(trace),
        debug: raw.debug,
        report: raw.report.map(PathBuf::from),
        net: check_net(raw.net)?,
        disks: disk::spec::parse_all(&raw.disks, &volumes)?,
        volumes,
        args,
    })
}

/// Second stage of `--net` and `-p`.
fn check_net(raw: RawNet) -> Result<NetConfig, Error> {
    let texts = |words: Vec<OsString>, option, expected| -> Result<Vec<String>, Error> {
        let text = |word: OsString| {
            word.into_string()
                .map_err(|word| usage(option, expected, &word))
        };
        words.into_iter().map(text).collect()
    };
    let specs = spec::parse_all(&texts(raw.net, "--net", "ASCII text")?)?;
    let published = texts(raw.publish, "--publish", "ASCII text")?;
    let published = publish::parse_all(published.iter().map(String::as_str))?;
    Ok(NetConfig { specs, published })
}

/// The image and its arguments; a `--` between them is the user's mark and not an argument.
fn split_words(words: Vec<OsString>) -> (PathBuf, Vec<OsString>) {
    let mut words = words.into_iter();
    let image = words.next().unwrap_or_default().into();
    let mut args = words.peekable();
    args.next_if(|word| word == "--");
    (image, args.collect())
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
    if digits.is_empty() || digits.len() > 64 || !digits.len().is_multiple_of(2) {
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
        for text in ["", "M", "1X", "0x10", "99999999999T", "1.5G", "1MM"] {
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
    fn networks_are_collected_in_order() {
        assert_eq!(run(&["i"]).net, NetConfig::default());
        assert_eq!(run(&["--net", "none", "i"]).net.specs, Some(vec![]));
        let words = [
            "--net=user",
            "-p",
            "8080:80",
            "--net",
            "tap=t",
            "--publish=53:53/udp",
            "-p81:81",
            "i",
            "-p",
            "x",
        ];
        let config = run(&words);
        assert_eq!(config.net.specs.map(|specs| specs.len()), Some(2));
        let ports: Vec<u16> = config
            .net
            .published
            .iter()
            .map(|port| port.host_port)
            .collect();
        assert_eq!(ports, [8080, 53, 81]);
        assert_eq!(config.args, ["-p", "x"]);
        assert!(refused(&["--net", "tap=t,x=1", "i"]).contains("\"x\""));
        assert!(refused(&["-p", "x", "i"]).contains("-p x"));
    }

    #[test]
    fn shared_folders_are_collected_in_order() {
        let words = [
            "-v",
            "a:/a",
            "--volume=b:/b:ro",
            "-vc:/c",
            "i",
            "-v",
            "d:/d",
        ];
        let config = run(&words);
        let guests: Vec<_> = config.volumes.iter().map(|spec| &spec.guest[..]).collect();
        assert_eq!(guests, [b"/a", b"/b", b"/c"]);
        assert_eq!(config.args, ["-v", "d:/d"]);
        assert!(refused(&["-v", "a:b", "i"]).contains("--volume a:b"));
    }

    #[test]
    fn a_short_seed_is_filled_up() {
        let seed = run(&["--entropy-seed", "01fF", "i"]).seed.expect("given");
        assert_eq!(seed[..3], [1, 255, 0]);
    }
}
