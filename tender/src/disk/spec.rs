//! `--block NAME=PATH[,OPTIONS]`, checked as far as that is possible without looking at the host.
//!
//! Main type: [`Spec`]. Paths are bytes: they need not be UTF-8. A host path with a comma cannot be written; a symbolic
//! link to the file, with another name, can.

use super::error::DiskError;
use crate::share::spec as share;
use libos_abi::driver::DriverKind;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Longest name, in bytes.
const LONGEST_NAME: usize = 16;

/// One `--block`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// As typed, for messages.
    pub typed: String,
    /// The disk's name.
    pub name: String,
    /// The host's file, as typed; a relative one lies in the working directory.
    pub path: PathBuf,
    /// Whether writes are refused.
    pub read_only: bool,
    /// Whether it may be a block device.
    pub device: bool,
    /// The driver of its file system; none for a raw disk.
    pub driver: Option<DriverKind>,
    /// Where its file system is mounted: absolute, without `.`, `..`, double or trailing slashes; empty for nowhere.
    pub mount: Vec<u8>,
}

/// All of a command line; `shares` are its shared folders.
///
/// # Errors
/// The first that makes no sense, or wants the name or place of an earlier one or the place of a share.
pub fn parse_all(words: &[OsString], shares: &[share::Spec]) -> Result<Vec<Spec>, DiskError> {
    let mut all: Vec<Spec> = Vec::with_capacity(words.len());
    for word in words {
        let spec = parse(word)?;
        for earlier in &all {
            check_pair(earlier, &spec)?;
        }
        if let Some(share) = shares.iter().find(|share| share.guest == spec.mount) {
            return Err(twice(&spec, format!("--volume {}", share.typed), "mount"));
        }
        all.push(spec);
    }
    Ok(all)
}

fn check_pair(earlier: &Spec, spec: &Spec) -> Result<(), DiskError> {
    let key = if earlier.name == spec.name {
        "name"
    } else if !spec.mount.is_empty() && earlier.mount == spec.mount {
        "mount"
    } else {
        return Ok(());
    };
    Err(twice(spec, format!("--block {}", earlier.typed), key))
}

/// The refusal of `spec` for having the same `key` as `other`.
pub fn twice(spec: &Spec, other: String, key: &'static str) -> DiskError {
    DiskError::Twice {
        option: spec.typed.clone(),
        other,
        key,
        expected: match key {
            "name" => "a name of its own",
            "mount" => "a place of its own",
            _ => "a file of its own",
        },
    }
}

/// What makes no sense: which part, what was expected, what was found.
type Refusal<'a> = (&'static str, &'static str, &'a [u8]);

/// One of them.
///
/// # Errors
/// [`DiskError::Value`].
pub fn parse(word: &OsStr) -> Result<Spec, DiskError> {
    let typed = word.to_string_lossy().into_owned();
    parse_parts(word.as_bytes(), &typed).map_err(|(key, expected, found)| DiskError::Value {
        option: typed.clone(),
        key,
        expected,
        found: format!("{:?}", String::from_utf8_lossy(found)),
    })
}

fn parse_parts<'a>(word: &'a [u8], typed: &str) -> Result<Spec, Refusal<'a>> {
    const FORM: &str = "NAME=PATH[,ro][,mount=DIR][,fs=ext4|raw]";
    let equals = word.iter().position(|&byte| byte == b'=');
    let (name, rest) = word.split_at(equals.ok_or(("form", FORM, word))?);
    let name = disk_name(name).ok_or((
        "name",
        "a lower-case letter, then up to 15 of those and digits",
        name,
    ))?;
    let mut parts = rest[1..].split(|&byte| byte == b',');
    let path = parts.next().unwrap_or_default();
    if path.is_empty() {
        return Err(("path", "a path of the host behind the `=`", path));
    }
    let options = Options::parse(parts)?;
    let driver = match (options.fs, &options.mount) {
        (Some(driver), _) => driver,
        (None, Some(_)) => Some(DriverKind::Ext4),
        (None, None) => None,
    };
    if driver.is_none() && options.mount.is_some() {
        return Err(("fs", "ext4, or no `mount`: a raw disk has no files", b"raw"));
    }
    Ok(Spec {
        typed: typed.to_owned(),
        name,
        path: OsString::from_vec(path.to_vec()).into(),
        read_only: options.read_only,
        device: options.device,
        driver,
        mount: options.mount.unwrap_or_default(),
    })
}

fn disk_name(name: &[u8]) -> Option<String> {
    let (first, rest) = name.split_first()?;
    let is_good = first.is_ascii_lowercase()
        && name.len() <= LONGEST_NAME
        && rest
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    is_good.then(|| String::from_utf8_lossy(name).into_owned())
}

/// What stands behind the path.
#[derive(Default)]
struct Options {
    read_only: bool,
    device: bool,
    /// Inside: none for a raw disk.
    fs: Option<Option<DriverKind>>,
    mount: Option<Vec<u8>>,
}

impl Options {
    fn parse<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Self, Refusal<'a>> {
        let mut options = Self::default();
        for word in words {
            match word {
                b"ro" => options.read_only = true,
                b"rw" => options.read_only = false,
                b"device" => options.device = true,
                _ => options.parse_value(word)?,
            }
        }
        Ok(options)
    }

    fn parse_value<'a>(&mut self, word: &'a [u8]) -> Result<(), Refusal<'a>> {
        if let Some(path) = word.strip_prefix(b"mount=") {
            let place = share::guest_path(path).map_err(|expected| ("mount", expected, path))?;
            return match self.mount.replace(place) {
                None => Ok(()),
                Some(_) => Err(("mount", "one of them", path)),
            };
        }
        let Some(fs) = word.strip_prefix(b"fs=") else {
            let known = "ro, rw, device, mount=DIR or fs=ext4|raw, separated by commas (a path cannot have one)";
            return Err(("options", known, word));
        };
        let driver = match fs {
            b"ext4" => Some(DriverKind::Ext4),
            b"raw" => None,
            _ => return Err(("fs", "ext4 or raw", fs)),
        };
        match self.fs.replace(driver) {
            None => Ok(()),
            Some(_) => Err(("fs", "one of them", fs)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        parse(OsStr::new(text)).expect(text)
    }

    fn refused(texts: &[&str], shares: &[&str]) -> String {
        let words: Vec<OsString> = texts.iter().map(OsString::from).collect();
        let shares: Vec<OsString> = shares.iter().map(OsString::from).collect();
        let shares = share::parse_all(&shares).expect("valid");
        parse_all(&words, &shares)
            .expect_err(&texts.join(" "))
            .to_string()
    }

    #[test]
    fn name_path_and_options() {
        let found = spec("data=./a=b.img");
        assert_eq!((found.name.as_str(), found.driver), ("data", None));
        assert_eq!(found.path, PathBuf::from("./a=b.img"));
        assert!(!found.read_only && !found.device && found.mount.is_empty());
        let ext4 = Some(DriverKind::Ext4);
        for (text, read_only, device, driver, mount) in [
            ("a=b,ro", true, false, None, &b""[..]),
            ("a=b,ro,rw", false, false, None, b""),
            ("a=b,fs=raw", false, false, None, b""),
            ("a=b,fs=ext4", false, false, ext4, b""),
            ("a=b,mount=/x", false, false, ext4, b"/x"),
            ("a=b,mount=//x/./y/,ro", true, false, ext4, b"/x/y"),
            ("a0=b,fs=ext4,device,mount=/x", false, true, ext4, b"/x"),
        ] {
            let found = spec(text);
            let options = (found.read_only, found.device, found.driver);
            assert_eq!(options, (read_only, device, driver), "{text}");
            assert_eq!(found.mount, mount, "{text}");
        }
        assert_eq!(spec("abcdefghijklmn09=x").name.len(), LONGEST_NAME);
    }

    #[test]
    fn paths_are_bytes() {
        let word = OsString::from_vec(b"a=/h\xff,mount=/g\xfe".to_vec());
        let found = parse(&word).expect("valid");
        assert_eq!(found.path.as_os_str().as_bytes(), b"/h\xff");
        assert_eq!(found.mount, b"/g\xfe");
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, part) in [
            ("", "NAME=PATH"),
            ("disk.img", "NAME=PATH"),
            ("=x", "lower-case"),
            ("A=x", "lower-case"),
            ("0a=x", "lower-case"),
            ("a-b=x", "lower-case"),
            ("abcdefghijklmn090=x", "up to 15"),
            ("a=", "path"),
            ("a=,ro", "path"),
            ("a=x,", "options"),
            ("a=x,RO", "\"RO\""),
            ("a=x,mount=", "absolute"),
            ("a=x,mount=y", "absolute"),
            ("a=x,mount=/", "root directory"),
            ("a=x,mount=/y/../z", "`..`"),
            ("a=x,mount=/proc/y", "/proc"),
            ("a=x,mount=/y,mount=/z", "one of them"),
            ("a=x,mount=/y,fs=raw", "raw disk"),
            ("a=x,fs=ext3", "ext4 or raw"),
            ("a=x,fs=raw,fs=ext4", "one of them"),
        ] {
            let message = refused(&[text], &[]);
            assert!(message.contains(part), "{text}: {message}");
            assert!(message.contains(text), "{text}: {message}");
        }
    }

    #[test]
    fn names_and_places_are_taken_once() {
        for (texts, shares, part) in [
            (vec!["a=x", "a=y"], vec![], "name of its own"),
            (
                vec!["a=x,mount=/d", "b=y,mount=/d/"],
                vec![],
                "place of its own",
            ),
            (vec!["a=x,mount=/d"], vec!["/h:/d"], "--volume /h:/d"),
        ] {
            let message = refused(&texts, &shares);
            assert!(message.contains(part), "{texts:?}: {message}");
        }
        let words = ["a=x", "b=y", "c=z,mount=/d", "d=z,mount=/d/e"].map(OsString::from);
        assert_eq!(parse_all(&words, &[]).expect("beside each other").len(), 4);
    }
}
