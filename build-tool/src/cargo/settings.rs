//! The user's cargo configuration, read for the flags that would be lost otherwise.
//!
//! Cargo takes flags for the compiler from exactly one of: the environment, `target.*` tables, the `build`
//! table. Naming a flag in a `target` table, as this tool does, would thus silence the `build` table; so
//! [`Settings::build_flags_lost`] says what that one holds. Files are found as cargo finds them: from the
//! current directory upwards, then cargo's home; `--config` is stronger than all of them.

use super::TARGET;
use crate::files;
use anyhow::{Context, Result};
use cargo_platform::{Cfg, Platform};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toml::{Table, Value};

/// All configurations that apply, the weakest first.
pub struct Settings {
    tables: Vec<Table>,
}

impl Settings {
    /// Reads what applies in `directory`, with the `--config` values of the command line.
    ///
    /// # Errors
    /// A file cannot be read or is not TOML.
    pub fn read(directory: &Path, overrides: &[String]) -> Result<Self> {
        let mut tables = Vec::new();
        for path in files(directory) {
            tables.push(table(&path)?);
        }
        for text in overrides {
            tables.push(override_table(text)?);
        }
        Ok(Self { tables })
    }

    /// The `build` table's list `key` (`rustflags` or `rustdocflags`), if no `target` table has one that
    /// applies: it would come to nothing beside a flag in a `target` table.
    ///
    /// # Errors
    /// rustc does not say which `cfg` hold.
    pub fn build_flags_lost(&self, key: &str) -> Result<Vec<String>> {
        let upper = key.to_uppercase();
        let target_variable = format!(
            "CARGO_TARGET_{}_{upper}",
            TARGET.to_uppercase().replace('-', "_")
        );
        if std::env::var_os(target_variable).is_some() || self.has_target_flags(key)? {
            return Ok(Vec::new());
        }
        let lists = self
            .tables
            .iter()
            .filter_map(|table| table.get("build")?.get(key));
        let mut flags: Vec<String> = lists.flat_map(list).collect();
        let variable = std::env::var(format!("CARGO_BUILD_{upper}")).unwrap_or_default();
        flags.extend(variable.split_whitespace().map(Into::into));
        Ok(flags)
    }

    fn has_target_flags(&self, key: &str) -> Result<bool> {
        let targets = self
            .tables
            .iter()
            .filter_map(|table| table.get("target")?.as_table());
        let names = targets
            .flatten()
            .filter(|(_, table)| table.get(key).is_some())
            .map(|(name, _)| name);
        let mut cfgs = None;
        for name in names {
            let Ok(platform) = Platform::from_str(name) else {
                continue;
            };
            if matches!(platform, Platform::Cfg(_)) && cfgs.is_none() {
                cfgs = Some(target_cfgs()?);
            }
            if platform.matches(TARGET, cfgs.as_deref().unwrap_or_default()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Flags are a list, or one string with spaces between them.
fn list(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split_whitespace().map(Into::into).collect(),
        Value::Array(items) => items
            .iter()
            .filter_map(|item| item.as_str().map(Into::into))
            .collect(),
        _ => Vec::new(),
    }
}

/// Configuration files, the weakest first.
fn files(directory: &Path) -> Vec<PathBuf> {
    let above: Vec<&Path> = directory.ancestors().collect();
    let mut directories: Vec<PathBuf> = cargo_home().into_iter().collect();
    for directory in above.iter().rev().map(|path| path.join(".cargo")) {
        // Cargo's home is often `~/.cargo`, above the current directory: it counts once.
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    let file = |directory: PathBuf| {
        // As in cargo, the old name wins if both are there.
        ["config", "config.toml"]
            .into_iter()
            .map(|name| directory.join(name))
            .find(|path| path.is_file())
    };
    directories.into_iter().filter_map(file).collect()
}

fn cargo_home() -> Option<PathBuf> {
    let home = || std::env::home_dir().map(|home| home.join(".cargo"));
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(home)
}

fn table(path: &Path) -> Result<Table> {
    let text = String::from_utf8(files::read(path)?)
        .with_context(|| format!("expected UTF-8 in {}", path.display()))?;
    text.parse()
        .with_context(|| format!("reading cargo's configuration {}", path.display()))
}

fn override_table(text: &str) -> Result<Table> {
    let path = Path::new(text);
    if path.is_file() {
        return table(path);
    }
    text.parse()
        .with_context(|| format!("--config: expected KEY=VALUE or a file, found {text:?}"))
}

fn target_cfgs() -> Result<Vec<Cfg>> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(rustc)
        .args(["--print", "cfg", "--target", TARGET])
        .output()
        .context("asking rustc for the target's properties")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text
        .lines()
        .filter_map(|line| Cfg::from_str(line).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(configs: &[&str]) -> Vec<String> {
        let tables = configs
            .iter()
            .map(|text| text.parse().expect("TOML"))
            .collect();
        Settings { tables }
            .build_flags_lost("rustflags")
            .expect("no cfg")
    }

    #[test]
    fn flags_of_the_build_table_would_be_lost() {
        let home = "build.rustflags = \"-C opt-level=1\"";
        let project = "[build]\nrustflags = [\"--cfg\", \"a b\"]";
        assert_eq!(
            lost(&[home, project]),
            ["-C", "opt-level=1", "--cfg", "a b"]
        );
    }

    #[test]
    fn beside_flags_for_the_target_they_never_counted() {
        let build = "build.rustflags = [\"-Cx\"]";
        assert!(
            lost(&[
                build,
                "[target.x86_64-unknown-linux-gnu]\nrustflags = [\"-Cy\"]"
            ])
            .is_empty()
        );
        assert!(lost(&[build, "[target.'cfg(unix)']\nrustflags = [\"-Cy\"]"]).is_empty());
        assert_eq!(
            lost(&[build, "[target.'cfg(windows)']\nrustflags = [\"-Cy\"]"]),
            ["-Cx"]
        );
        assert_eq!(
            lost(&[
                build,
                "[target.aarch64-unknown-linux-gnu]\nrustflags = [\"-Cy\"]"
            ]),
            ["-Cx"]
        );
    }

    #[test]
    fn files_are_found_upwards_and_the_nearest_is_last() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let inner = root.path().join("a/b");
        for directory in [root.path(), inner.as_path()] {
            std::fs::create_dir_all(directory.join(".cargo")).expect("writable");
            std::fs::write(directory.join(".cargo/config.toml"), "").expect("writable");
        }
        let found = files(&inner);
        let ours: Vec<_> = found
            .iter()
            .filter(|path| path.starts_with(root.path()))
            .collect();
        assert_eq!(
            ours,
            [
                &root.path().join(".cargo/config.toml"),
                &inner.join(".cargo/config.toml")
            ]
        );
    }
}
