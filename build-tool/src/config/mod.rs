//! What an image is told to be: `libos.toml`, `[package.metadata.libos]`, and defaults.
//!
//! Main types: [`Config`] (keys as written, all optional), [`Settings`] (every value decided).
//! Precedence, key by key: command line, `libos.toml`, `[package.metadata.libos]`, default.
//! [`read`] parses files; [`size`] reads amounts of memory.

mod read;
pub mod size;

use anyhow::{Context, Result, ensure};
use libos_abi::manifest::{Device, Mode, Network};
use libos_tender::net::publish;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub use read::{from_manifest, from_toml};

/// The keys, as they may be written. See `docs/usage.md`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Memory limit, such as `"256M"`.
    pub memory: Option<String>,
    /// Arguments used if the run gives none.
    pub args: Option<Vec<String>>,
    /// Environment.
    pub env: Option<BTreeMap<String, String>>,
    /// Working directory.
    pub cwd: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// `"strict"` or `"compat"`.
    pub mode: Option<Mode>,
    /// The root file system: a directory, a TAR archive or an EROFS image of the host.
    pub rootfs: Option<PathBuf>,
    /// Host files for the root file system, over that.
    pub files: Option<Vec<FileSpec>>,
    /// Devices beyond the console.
    pub devices: Option<Vec<DeviceSpec>>,
    /// `"none"` or `"user"`.
    pub network: Option<Network>,
    /// Published ports, such as `"8080:80"`.
    pub publish: Option<Vec<String>>,
}

/// One entry of `files`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// Host path; relative to the file that names it.
    pub source: PathBuf,
    /// Absolute path in the image.
    pub target: String,
    /// Permission bits in octal, such as `"755"`; the host file's own if absent.
    pub mode: Option<String>,
}

/// One entry of `devices`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceSpec {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
}

impl Config {
    /// This configuration, with `weaker` for the keys that it leaves out.
    #[must_use]
    pub fn or(self, weaker: Self) -> Self {
        Self {
            memory: self.memory.or(weaker.memory),
            args: self.args.or(weaker.args),
            env: self.env.or(weaker.env),
            cwd: self.cwd.or(weaker.cwd),
            hostname: self.hostname.or(weaker.hostname),
            mode: self.mode.or(weaker.mode),
            rootfs: self.rootfs.or(weaker.rootfs),
            files: self.files.or(weaker.files),
            devices: self.devices.or(weaker.devices),
            network: self.network.or(weaker.network),
            publish: self.publish.or(weaker.publish),
        }
    }
}

/// Memory of a program that asks for none in particular.
const DEFAULT_MEMORY: u64 = 256 << 20;

/// Least memory with which a program can start.
const LEAST_MEMORY: u64 = 1 << 20;

/// A complete, checked description.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The program's name.
    pub name: String,
    /// Memory limit in bytes.
    pub memory: u64,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Working directory, absolute.
    pub cwd: String,
    /// Host name.
    pub hostname: String,
    /// How strict.
    pub mode: Mode,
    /// What the root file system is made of.
    pub rootfs: Option<PathBuf>,
    /// Files over that.
    pub files: Vec<FileSpec>,
    /// Devices.
    pub devices: Vec<Device>,
    /// Network of a run that names none; absent for the tender's default.
    pub network: Option<Network>,
    /// Published ports of a run that names none.
    pub publish: Vec<String>,
}

impl Settings {
    /// Decides every value for the program `name`.
    ///
    /// # Errors
    /// A value that makes no sense, with its key.
    pub fn decide(name: &str, config: Config) -> Result<Self> {
        let memory = match config.memory {
            Some(text) => size::parse(&text).context("key `memory`")?,
            None => DEFAULT_MEMORY,
        };
        ensure!(
            memory >= LEAST_MEMORY,
            "key `memory`: expected at least 1M, found {memory} bytes"
        );
        let settings = Self {
            name: name.to_owned(),
            memory,
            args: config.args.unwrap_or_default(),
            env: config.env.unwrap_or_default(),
            cwd: config.cwd.unwrap_or_else(|| "/".into()),
            hostname: config.hostname.unwrap_or_else(|| hostname(name)),
            mode: config.mode.unwrap_or_default(),
            rootfs: config.rootfs,
            files: config.files.unwrap_or_default(),
            devices: devices(config.devices.unwrap_or_default())?,
            network: config.network,
            publish: config.publish.unwrap_or_default(),
        };
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<()> {
        ensure!(
            self.cwd.starts_with('/'),
            "key `cwd`: expected an absolute path inside the image, found {:?}",
            self.cwd
        );
        ensure!(
            (1..=64).contains(&self.hostname.len()),
            "key `hostname`: expected 1 to 64 bytes, found {:?}",
            self.hostname
        );
        for ports in &self.publish {
            publish::parse(ports).context("key `publish`")?;
        }
        for name in self.env.keys() {
            ensure!(
                !name.is_empty() && !name.contains('='),
                "key `env`: expected names without `=`, found {name:?}"
            );
        }
        let env = self.env.iter().flat_map(|(name, value)| [name, value]);
        let mut strings = env
            .chain(&self.args)
            .chain([&self.name, &self.cwd, &self.hostname]);
        if let Some(string) = strings.find(|string| string.contains('\0')) {
            anyhow::bail!("expected strings without a NUL byte, found {string:?}");
        }
        Ok(())
    }
}

fn hostname(name: &str) -> String {
    let end = name.floor_char_boundary(64);
    name[..end].to_owned()
}

/// No kind of device exists yet, so every request is refused.
fn devices(specs: Vec<DeviceSpec>) -> Result<Vec<Device>> {
    match specs.first() {
        None => Ok(Vec::new()),
        Some(spec) => anyhow::bail!(
            "key `devices`: expected no devices (this version has none beyond the console), found {:?} of kind {:?}",
            spec.name,
            spec.kind
        ),
    }
}

impl FileSpec {
    /// The permission bits that `mode` asks for.
    ///
    /// # Errors
    /// It is not an octal number of at most four digits.
    pub fn permissions(&self) -> Result<Option<u32>> {
        let Some(text) = &self.mode else {
            return Ok(None);
        };
        let value = u32::from_str_radix(text, 8)
            .ok()
            .filter(|bits| *bits <= 0o7777);
        let value = value.with_context(|| {
            format!(
                "key `files.mode`: expected octal permission bits such as \"755\", found {text:?}"
            )
        })?;
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_documented_ones() {
        let settings = Settings::decide("hello", Config::default()).expect("defaults are valid");
        assert_eq!(settings.memory, 256 << 20);
        assert_eq!(
            (settings.cwd.as_str(), settings.hostname.as_str()),
            ("/", "hello")
        );
        assert_eq!(settings.mode, Mode::Strict);
    }

    #[test]
    fn the_stronger_configuration_wins_key_by_key() {
        let strong = Config {
            cwd: Some("/a".into()),
            ..Config::default()
        };
        let weak = Config {
            cwd: Some("/b".into()),
            memory: Some("64M".into()),
            ..Config::default()
        };
        let settings = Settings::decide("x", strong.or(weak)).expect("valid");
        assert_eq!((settings.cwd.as_str(), settings.memory), ("/a", 64 << 20));
    }

    #[test]
    fn values_without_sense_name_their_key() {
        let refused = |config| format!("{:#}", Settings::decide("x", config).unwrap_err());
        let with = Config::default;
        assert!(
            refused(Config {
                memory: Some("1X".into()),
                ..with()
            })
            .contains("`memory`")
        );
        assert!(
            refused(Config {
                memory: Some("4K".into()),
                ..with()
            })
            .contains("at least 1M")
        );
        assert!(
            refused(Config {
                cwd: Some("tmp".into()),
                ..with()
            })
            .contains("`cwd`")
        );
        assert!(
            refused(Config {
                hostname: Some(String::new()),
                ..with()
            })
            .contains("`hostname`")
        );
        let env = Some([("A=B".to_owned(), String::new())].into());
        assert!(refused(Config { env, ..with() }).contains("`env`"));
        let publish = Some(vec!["8080:0".into()]);
        let message = refused(Config { publish, ..with() });
        assert!(
            message.contains("`publish`") && message.contains("guest port"),
            "{message}"
        );
        let devices = Some(vec![DeviceSpec {
            name: "d0".into(),
            kind: "disk".into(),
        }]);
        assert!(refused(Config { devices, ..with() }).contains("\"disk\""));
    }

    #[test]
    fn permission_bits_are_octal() {
        let spec = |mode: &str| FileSpec {
            source: "a".into(),
            target: "/a".into(),
            mode: Some(mode.into()),
        };
        assert_eq!(spec("0755").permissions().expect("octal"), Some(0o755));
        for mode in ["rwx", "8", "77777", ""] {
            assert!(spec(mode).permissions().is_err(), "{mode:?}");
        }
    }
}
