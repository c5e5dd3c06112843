//! Cargo's own flags: accepted here under cargo's names, passed on as they are.
//!
//! Main types: [`Selection`] (which executables), [`Common`] (how they are built).

use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// Which packages and executables of them.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cargo's selection")]
pub struct Selection {
    /// Package to take
    #[arg(short, long, value_name = "SPEC")]
    pub package: Vec<String>,
    /// All packages of the workspace
    #[arg(long, alias = "all")]
    pub workspace: bool,
    /// Packages to leave out
    #[arg(long, value_name = "SPEC")]
    pub exclude: Vec<String>,
    /// Only this binary
    #[arg(long, value_name = "NAME")]
    pub bin: Vec<String>,
    /// Only binaries
    #[arg(long)]
    pub bins: bool,
    /// Only this example
    #[arg(long, value_name = "NAME")]
    pub example: Vec<String>,
    /// Only examples
    #[arg(long)]
    pub examples: bool,
}

impl Selection {
    /// As cargo takes them.
    pub fn to_args(&self) -> Vec<OsString> {
        let mut args = Vec::new();
        named(&mut args, "--package", &self.package);
        switch(&mut args, "--workspace", self.workspace);
        named(&mut args, "--exclude", &self.exclude);
        named(&mut args, "--bin", &self.bin);
        switch(&mut args, "--bins", self.bins);
        named(&mut args, "--example", &self.example);
        switch(&mut args, "--examples", self.examples);
        args
    }
}

/// What `cargo test` can select beyond [`Selection`].
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cargo's selection")]
pub struct TestSelection {
    /// Only the library's unit tests
    #[arg(long)]
    pub lib: bool,
    /// Only this integration test
    #[arg(long, value_name = "NAME")]
    pub test: Vec<String>,
    /// All targets that have `test = true`
    #[arg(long)]
    pub tests: bool,
    /// Only this benchmark, run as a test
    #[arg(long, value_name = "NAME")]
    pub bench: Vec<String>,
    /// All benchmarks, run as tests
    #[arg(long)]
    pub benches: bool,
    /// All targets (no doc tests)
    #[arg(long)]
    pub all_targets: bool,
    /// Only the library's documentation tests
    #[arg(long)]
    pub doc: bool,
    /// Build, but do not run
    #[arg(long)]
    pub no_run: bool,
    /// Go on after a test program failed
    #[arg(long)]
    pub no_fail_fast: bool,
}

impl TestSelection {
    /// As cargo takes them.
    pub fn to_args(&self) -> Vec<OsString> {
        let mut args = Vec::new();
        switch(&mut args, "--lib", self.lib);
        named(&mut args, "--test", &self.test);
        switch(&mut args, "--tests", self.tests);
        named(&mut args, "--bench", &self.bench);
        switch(&mut args, "--benches", self.benches);
        switch(&mut args, "--all-targets", self.all_targets);
        switch(&mut args, "--doc", self.doc);
        switch(&mut args, "--no-run", self.no_run);
        switch(&mut args, "--no-fail-fast", self.no_fail_fast);
        args
    }
}

/// How to build.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cargo's options")]
#[expect(clippy::struct_excessive_bools, reason = "cargo's switches, one each")]
pub struct Common {
    /// Features to switch on
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub features: Vec<String>,
    /// All features
    #[arg(long)]
    pub all_features: bool,
    /// Not the `default` feature
    #[arg(long)]
    pub no_default_features: bool,
    /// Optimised, with the release profile
    #[arg(short, long)]
    pub release: bool,
    /// With this profile
    #[arg(long, value_name = "NAME", conflicts_with = "release")]
    pub profile: Option<String>,
    /// Number of parallel jobs
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub jobs: Option<String>,
    /// Build as much as possible after an error
    #[arg(long)]
    pub keep_going: bool,
    /// Where cargo builds
    #[arg(long, value_name = "DIR")]
    pub target_dir: Option<PathBuf>,
    /// The Cargo.toml to use
    #[arg(long, value_name = "PATH")]
    pub manifest_path: Option<PathBuf>,
    /// Must be x86_64-unknown-linux-gnu, the only target so far
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<String>,
    /// Ignore `rust-version`
    #[arg(long)]
    pub ignore_rust_version: bool,
    /// Cargo.lock must not change
    #[arg(long)]
    pub locked: bool,
    /// No network
    #[arg(long)]
    pub offline: bool,
    /// Both of these
    #[arg(long)]
    pub frozen: bool,
    /// Override a cargo configuration value
    #[arg(long, value_name = "KEY=VALUE")]
    pub config: Vec<String>,
    /// Unstable flags
    #[arg(short = 'Z', value_name = "FLAG")]
    pub unstable: Vec<String>,
    /// No progress of cargo
    #[arg(short, long)]
    pub quiet: bool,
    /// More output of cargo
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// auto, always or never
    #[arg(long, value_name = "WHEN")]
    pub color: Option<String>,
}

impl Common {
    /// As cargo takes them, without `--target`.
    pub fn to_args(&self) -> Vec<OsString> {
        let mut args = self.for_metadata();
        named(&mut args, "--features", &self.features);
        switch(&mut args, "--all-features", self.all_features);
        switch(&mut args, "--no-default-features", self.no_default_features);
        switch(&mut args, "--release", self.release);
        named(&mut args, "--profile", &self.profile);
        named(&mut args, "--jobs", &self.jobs);
        switch(&mut args, "--keep-going", self.keep_going);
        named(&mut args, "--target-dir", &self.target_dir);
        switch(&mut args, "--ignore-rust-version", self.ignore_rust_version);
        for _ in 0..self.verbose {
            args.push("--verbose".into());
        }
        args
    }

    /// Those that `cargo metadata` knows too.
    pub fn for_metadata(&self) -> Vec<OsString> {
        let mut args = Vec::new();
        named(&mut args, "--manifest-path", &self.manifest_path);
        switch(&mut args, "--locked", self.locked);
        switch(&mut args, "--offline", self.offline);
        switch(&mut args, "--frozen", self.frozen);
        named(&mut args, "--config", &self.config);
        named(&mut args, "-Z", &self.unstable);
        switch(&mut args, "--quiet", self.quiet);
        named(&mut args, "--color", &self.color);
        args
    }

    /// The directory that cargo gives the profile.
    pub fn profile_directory(&self) -> &str {
        match self.profile.as_deref() {
            None if self.release => "release",
            None | Some("dev" | "test") => "debug",
            Some("bench") => "release",
            Some(other) => other,
        }
    }
}

fn named<'a, T>(args: &mut Vec<OsString>, flag: &str, values: impl IntoIterator<Item = &'a T>)
where
    T: AsRef<std::ffi::OsStr> + 'a,
{
    for value in values {
        args.push(flag.into());
        args.push(value.as_ref().to_owned());
    }
}

fn switch(args: &mut Vec<OsString>, flag: &str, on: bool) {
    if on {
        args.push(flag.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_cargo_s_directories() {
        let directory = |release, profile: Option<&str>| {
            let common = Common {
                release,
                profile: profile.map(Into::into),
                ..Common::default()
            };
            common.profile_directory().to_owned()
        };
        assert_eq!(directory(false, None), "debug");
        assert_eq!(directory(true, None), "release");
        assert_eq!(directory(false, Some("dev")), "debug");
        assert_eq!(directory(false, Some("small")), "small");
    }

    #[test]
    fn flags_come_out_as_they_went_in() {
        let selection = Selection {
            package: vec!["a".into(), "b".into()],
            examples: true,
            ..Selection::default()
        };
        assert_eq!(
            selection.to_args(),
            ["--package", "a", "--package", "b", "--examples"]
        );
        let common = Common {
            features: vec!["x,y".into()],
            verbose: 2,
            offline: true,
            ..Common::default()
        };
        assert_eq!(
            common.to_args(),
            ["--offline", "--features", "x,y", "--verbose", "--verbose"]
        );
    }
}
