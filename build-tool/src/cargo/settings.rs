//! The user's cargo configuration, read for the compiler flags in it.
//!
//! Cargo takes flags for the compiler from exactly one of: the environment, `target.*` tables, the `build`
//! table. This tool must add one flag without silencing the others, so [`Settings::flags`] says what cargo
//! would have used. (Naming the flag with `--config` is no way: cargo refuses to join a list with the
//! string that the user may have written.) Files are found as cargo finds them: from the current directory
//! upwards, then cargo's home; `--config` is stronger than all of them.

use super::TARGET;
use crate::files;
use anyhow::{Context, Result};
use cargo_platform::{Cfg, Platform};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toml::{Table, Value};

/// How deep files may include files; an end to those that include themselves.
const MOST_NESTED: usize = 8;

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
            read_with_included(&path, MOST_NESTED, &mut tables)?;
        }
        for text in overrides {
            let path = Path::new(text);
            if path.is_file() {
                read_with_included(path, MOST_NESTED, &mut tables)?;
                continue;
            }
            let table = text.parse();
            tables.push(table.with_context(|| {
                format!("--config: expected KEY=VALUE or a file, found {text:?}")
            })?);
        }
        Ok(Self { tables })
    }

    /// The flags of list `key` (`rustflags` or `rustdocflags`) that cargo would use for the target: those
    /// of all `target` tables that apply or, if there are none, those of the `build` table.
    ///
    /// # Errors
    /// rustc does not say which `cfg` hold.
    pub fn flags(&self, key: &str) -> Result<Vec<String>> {
        let mut flags = self.target_flags(key, |platform| matches!(platform, Platform::Name(_)))?;
        flags.extend(variable(&format!("CARGO_TARGET_{TARGET}_{key}")));
        flags.extend(self.target_flags(key, |platform| matches!(platform, Platform::Cfg(_)))?);
        if flags.is_empty() {
            flags.extend(self.lists(|table| table.get("build")?.get(key)));
            flags.extend(variable(&format!("CARGO_BUILD_{key}")));
        }
        Ok(flags)
    }

    /// What the tables hold for platforms of one `kind` that match the target.
    fn target_flags(&self, key: &str, kind: fn(&Platform) -> bool) -> Result<Vec<String>> {
        let mut flags = Vec::new();
        let mut cfgs = None;
        for name in self.target_names() {
            let lists = self.lists(|table| table.get("target")?.get(name)?.get(key));
            let platform = Platform::from_str(name).ok().filter(kind);
            let Some(platform) = platform.filter(|_| !lists.is_empty()) else {
                continue;
            };
            if matches!(platform, Platform::Cfg(_)) && cfgs.is_none() {
                cfgs = Some(target_cfgs()?);
            }
            if platform.matches(TARGET, cfgs.as_deref().unwrap_or_default()) {
                flags.extend(lists);
            }
        }
        Ok(flags)
    }

    fn target_names(&self) -> BTreeSet<&str> {
        let targets = self
            .tables
            .iter()
            .filter_map(|table| table.get("target")?.as_table());
        targets.flat_map(Table::keys).map(String::as_str).collect()
    }

    /// The lists that `find` finds in the tables, joined, the weakest first, as cargo does.
    fn lists<'a>(&'a self, find: impl Fn(&'a Table) -> Option<&'a Value>) -> Vec<String> {
        self.tables.iter().filter_map(find).flat_map(list).collect()
    }
}

/// The flags in a variable of the environment, named as cargo names it for a key.
fn variable(key: &str) -> Vec<String> {
    let name = key.to_uppercase().replace('-', "_");
    let value = std::env::var(name).unwrap_or_default();
    value.split_whitespace().map(Into::into).collect()
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

/// The configuration in `path`, behind those that it includes (`nested` deep), which are weaker.
fn read_with_included(path: &Path, nested: usize, tables: &mut Vec<Table>) -> Result<()> {
    let text = String::from_utf8(files::read(path)?)
        .with_context(|| format!("expected UTF-8 in {}", path.display()))?;
    let table: Table = text
        .parse()
        .with_context(|| format!("reading cargo's configuration {}", path.display()))?;
    for included in table.get("include").map(included).unwrap_or_default() {
        let included = path.with_file_name(included);
        // Cargo itself says what is wrong with a missing file, or one that includes itself.
        if included.is_file() && nested > 0 {
            read_with_included(&included, nested - 1, tables)?;
        }
    }
    tables.push(table);
    Ok(())
}

/// `include` is a path, or a list of paths or of tables with a path.
fn included(value: &Value) -> Vec<String> {
    let path = |value: &Value| value.get("path").unwrap_or(value).as_str().map(Into::into);
    match value {
        Value::Array(items) => items.iter().filter_map(path).collect(),
        other => path(other).into_iter().collect(),
    }
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

    fn flags(configs: &[&str]) -> Vec<String> {
        let tables = configs
            .iter()
            .map(|text| text.parse().expect("TOML"))
            .collect();
        Settings { tables }
            .flags("rustflags")
            .expect("rustc answers")
    }

    #[test]
    fn lists_and_strings_are_joined_the_weakest_first() {
        let home = "build.rustflags = \"-C opt-level=1\"";
        let project = "[build]\nrustflags = [\"--cfg\", \"a b\"]";
        assert_eq!(
            flags(&[home, project]),
            ["-C", "opt-level=1", "--cfg", "a b"]
        );
        assert!(flags(&[]).is_empty());
    }

    #[test]
    fn flags_for_the_target_silence_those_of_the_build_table() {
        let build = "build.rustflags = [\"-Cx\"]";
        let with =
            |target: &str| flags(&[build, &format!("[target.{target}]\nrustflags = [\"-Cy\"]")]);
        assert_eq!(with("x86_64-unknown-linux-gnu"), ["-Cy"]);
        assert_eq!(with("'cfg(unix)'"), ["-Cy"]);
        assert_eq!(with("'cfg(windows)'"), ["-Cx"]);
        assert_eq!(with("aarch64-unknown-linux-gnu"), ["-Cx"]);
    }

    #[test]
    fn included_files_are_weaker_than_the_one_that_names_them() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::write(&path, text).expect("writable");
            path
        };
        write(
            "more.toml",
            "include = \"config.toml\"\nbuild.rustflags = [\"-Ca\"]",
        );
        let file = write(
            "config.toml",
            "include = [{ path = \"more.toml\" }]\nbuild.rustflags = [\"-Cb\"]",
        );
        let mut tables = Vec::new();
        read_with_included(&file, MOST_NESTED, &mut tables).expect("TOML, and an end");
        let last = tables.last().expect("at least one");
        assert_eq!(last["build"]["rustflags"][0].as_str(), Some("-Cb"));
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
