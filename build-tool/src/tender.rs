//! Starts the tender in this process's place.
//!
//! `libos-tender` beside this program is used if it was built from the same sources: it is smaller, and
//! starts faster. Else this program starts itself as `cargo-libos tender`.

use anyhow::{Result, anyhow};
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the tender is told beside the image and its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Run options")]
pub struct RunOptions {
    /// Memory limit, such as 64M or 4G [default: what the image asks for]
    #[arg(long, value_name = "SIZE")]
    pub mem: Option<String>,
    /// Set an environment variable
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<OsString>,
    /// Pass on the whole environment
    #[arg(long)]
    pub env_all: bool,
    /// Working directory inside the image
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<OsString>,
    /// Host name that the program sees
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<OsString>,
    /// The program's argv[0]
    #[arg(long, hide = true)]
    pub arg0: Option<OsString>,
    /// Fixed entropy, for repeatable runs
    #[arg(long, value_name = "HEX", hide = true)]
    pub entropy_seed: Option<OsString>,
    /// Trace system calls to standard error, or to FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub strace: Option<OsString>,
    /// Name each unimplemented system call once on standard error
    #[arg(long)]
    pub debug: bool,
    /// Write start-up times and counts as JSON when the program ends
    #[arg(long, value_name = "FILE")]
    pub report: Option<OsString>,
    /// Add a network interface: user, tap=NAME, packet=INTERFACE or passt, with keys such as
    /// ip=ADDRESS/PREFIX,gw=ADDRESS; or none [default: what the image asks for]
    #[arg(long, value_name = "KIND[,KEY…]")]
    pub net: Vec<OsString>,
    /// Let a port of the host stand for the program's; -p does so too where its value begins like a port
    #[arg(long, value_name = "[ADDRESS:]HOST:GUEST[/udp]")]
    pub publish: Vec<OsString>,
    /// Share a folder or file of the host; options: ro, consistent
    #[arg(long, value_name = "HOST:GUEST[:ro]")]
    pub volume: Vec<OsString>,
    /// Let the program use a disk image of the host; options: ro, mount=DIR, fs=ext4 or raw, device
    #[arg(long, value_name = "NAME=PATH[,mount=DIR]")]
    pub block: Vec<OsString>,
}

impl RunOptions {
    fn to_args(&self) -> Vec<OsString> {
        let mut args = Vec::new();
        let mut add = |name: &str, value: Option<&OsString>| {
            if let Some(value) = value {
                args.push(name.into());
                args.push(value.clone());
            }
        };
        add("--mem", self.mem.clone().map(OsString::from).as_ref());
        add("--cwd", self.cwd.as_ref());
        add("--hostname", self.hostname.as_ref());
        add("--arg0", self.arg0.as_ref());
        add("--entropy-seed", self.entropy_seed.as_ref());
        add("--report", self.report.as_ref());
        for pair in &self.env {
            add("--env", Some(pair));
        }
        for spec in &self.net {
            add("--net", Some(spec));
        }
        for ports in &self.publish {
            add("--publish", Some(ports));
        }
        for folder in &self.volume {
            add("--volume", Some(folder));
        }
        for disk in &self.block {
            add("--block", Some(disk));
        }
        let switches = [("--env-all", self.env_all), ("--debug", self.debug)];
        args.extend(
            switches
                .iter()
                .filter(|(_, on)| *on)
                .map(|(name, _)| OsString::from(name)),
        );
        match &self.strace {
            Some(file) if file.is_empty() => args.push("--strace".into()),
            Some(file) => {
                let mut option = OsString::from("--strace=");
                option.push(file);
                args.push(option);
            }
            None => {}
        }
        args
    }
}

/// Runs `image` with `args`; returns only if the tender cannot be started.
///
/// # Errors
/// The tender cannot be started.
pub fn run(image: &Path, options: &RunOptions, args: &[OsString]) -> Result<Infallible> {
    let mut command = command()?;
    command
        .arg("run")
        .args(options.to_args())
        .arg(image)
        .arg("--")
        .args(args);
    let error = command.exec();
    Err(anyhow!(error).context(format!(
        "could not start the tender {:?}",
        command.get_program()
    )))
}

fn command() -> Result<Command> {
    let own = std::env::current_exe()?;
    if let Some(beside) = same_build(&own) {
        return Ok(Command::new(beside));
    }
    let mut command = Command::new(own);
    command.arg("tender");
    Ok(command)
}

/// `libos-tender` beside `own`, if it was built from the same sources.
fn same_build(own: &Path) -> Option<PathBuf> {
    let beside = own.with_file_name("libos-tender");
    let answer = Command::new(&beside).arg("--build-id").output().ok()?;
    let same = String::from_utf8_lossy(&answer.stdout).trim() == env!("CARGO_LIBOS_BUILD_ID");
    same.then_some(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_reach_the_tender_as_typed() {
        let options = RunOptions {
            mem: Some("64M".into()),
            env: vec!["A=b c".into()],
            strace: Some("log".into()),
            env_all: true,
            net: vec!["user".into()],
            publish: vec!["80:80".into()],
            volume: vec!["a:/a".into()],
            block: vec!["a=b,ro".into()],
            ..RunOptions::default()
        };
        assert_eq!(
            options.to_args(),
            [
                "--mem",
                "64M",
                "--env",
                "A=b c",
                "--net",
                "user",
                "--publish",
                "80:80",
                "--volume",
                "a:/a",
                "--block",
                "a=b,ro",
                "--env-all",
                "--strace=log"
            ]
        );
        let traced = RunOptions {
            strace: Some("".into()),
            ..RunOptions::default()
        };
        assert_eq!(traced.to_args(), ["--strace"]);
    }
}
