//! Reads configurations from TOML, and says where and how an unknown key is wrong.

use super::Config;
use anyhow::{Result, anyhow};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Reads a `libos.toml`.
///
/// # Errors
/// What is wrong, with file and line; unknown keys with the key that was probably meant.
pub fn from_toml(text: &str, path: &Path) -> Result<Config> {
    let mut config: Config = parse(text, path)?;
    anchor(&mut config, path);
    Ok(config)
}

/// Reads `[package.metadata.libos]` of a Cargo.toml; the default if it is not there.
///
/// # Errors
/// As for [`from_toml`].
pub fn from_manifest(text: &str, path: &Path) -> Result<Config> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Option<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        metadata: Option<Metadata>,
    }
    #[derive(Deserialize)]
    struct Metadata {
        libos: Option<Config>,
    }
    let manifest: Manifest = parse(text, path)?;
    let metadata = manifest.package.and_then(|package| package.metadata);
    let mut config = metadata
        .and_then(|metadata| metadata.libos)
        .unwrap_or_default();
    anchor(&mut config, path);
    Ok(config)
}

/// Makes host paths relative to the file that names them.
fn anchor(config: &mut Config, path: &Path) {
    let directory = path.parent().unwrap_or(Path::new(""));
    if let Some(rootfs) = &mut config.rootfs {
        *rootfs = directory.join(&*rootfs);
    }
    for file in config.files.iter_mut().flatten() {
        file.source = directory.join(&file.source);
    }
}

fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        anyhow!("{}:{line}: {}", path.display(), explain(error.message()))
    })
}

/// serde's message, with the nearest valid key where one is unknown.
fn explain(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(found) = quoted
        .next()
        .filter(|_| message.starts_with("unknown field"))
    else {
        return message.to_owned();
    };
    let valid: Vec<&str> = quoted.collect();
    let similar = |key: &&&str| strsim::jaro_winkler(found, key);
    let nearest = valid
        .iter()
        .max_by(|left, right| similar(left).total_cmp(&similar(right)))
        .filter(|key| similar(key) > 0.7);
    let meant = nearest.map_or(String::new(), |key| format!(", did you mean `{key}`?"));
    format!(
        "unknown key `{found}`{meant} (valid keys: {})",
        valid.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn refused(text: &str) -> String {
        from_toml(text, Path::new("app/libos.toml"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn every_key_is_read() {
        let text = r#"
            memory = "64M"
            args = ["-v"]
            env = { LANG = "C" }
            cwd = "/data"
            hostname = "box"
            mode = "compat"
            rootfs = "tree.tar"
            files = [{ source = "assets", target = "/data" }]
            devices = []
            network = "user"
            publish = ["8080:80", "[::1]:53:53/udp"]
        "#;
        let config = from_toml(text, Path::new("app/libos.toml")).expect("valid");
        assert_eq!(
            config.files.expect("given")[0].source,
            PathBuf::from("app/assets")
        );
        assert_eq!(config.rootfs, Some(PathBuf::from("app/tree.tar")));
        assert_eq!(config.mode, Some(libos_abi::manifest::Mode::Compat));
        assert_eq!(config.network, Some(libos_abi::manifest::Network::User));
        assert_eq!(config.publish.map(|ports| ports.len()), Some(2));
    }

    #[test]
    fn an_unknown_key_is_named_with_file_line_and_neighbour() {
        let message = refused("cwd = \"/\"\nmemroy = \"1M\"\n");
        assert!(message.contains("app/libos.toml:2"), "{message}");
        assert!(
            message.contains("`memroy`, did you mean `memory`?"),
            "{message}"
        );
        let message = refused("[[files]]\nsource = \"a\"\ntarget = \"/a\"\nowner = 1\n");
        assert!(message.contains("`owner`"), "{message}");
    }

    #[test]
    fn the_listed_keys_are_the_valid_ones() {
        let message = refused("zzz = 1");
        let keys = [
            "memory", "args", "env", "cwd", "hostname", "mode", "rootfs", "files", "devices",
            "network", "publish",
        ];
        for key in keys {
            assert!(message.contains(key), "{key}: {message}");
        }
    }

    #[test]
    fn wrong_types_and_bad_toml_name_their_line() {
        assert!(refused("\nmemory = 5\n").contains("libos.toml:2"));
        assert!(refused("a = [").contains("libos.toml:1"));
        let message = refused("network = \"bridge\"");
        assert!(
            message.contains("bridge") && message.contains("user"),
            "{message}"
        );
        assert!(refused("publsh = []").contains("did you mean `publish`?"));
    }

    #[test]
    fn a_cargo_manifest_is_read_for_its_own_table_only() {
        let text =
            "[package]\nname = \"x\"\n[package.metadata.libos]\nmemory = \"1G\"\n[dependencies]\n";
        let path = Path::new("/x/Cargo.toml");
        let config = from_manifest(text, path).expect("valid");
        assert_eq!(config.memory.as_deref(), Some("1G"));
        let config = from_manifest("[workspace]\n", path).expect("valid");
        assert_eq!(config, Config::default());
        let wrong = from_manifest("[package.metadata.libos]\nmem = \"1G\"\n", path).unwrap_err();
        assert!(
            wrong.to_string().contains("`mem`, did you mean `memory`?"),
            "{wrong}"
        );
    }
}
