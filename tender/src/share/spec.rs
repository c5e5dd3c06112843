//! `--volume HOST:GUEST[:OPTIONS]`, checked as far as that is possible without looking at the host.
//!
//! Main type: [`Spec`]. Paths are bytes: they need not be UTF-8. A host path with a colon cannot be written, as with
//! docker and podman.

use super::error::ShareError;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Directories in which the libOS itself shows what there is.
const RESERVED: [&[u8]; 3] = [b"/proc", b"/sys", b"/dev"];

/// Longest guest path, in bytes, with its NUL: PATH_MAX.
const LONGEST: usize = 4096;

/// Longest component, in bytes: NAME_MAX.
const LONGEST_NAME: usize = 255;

/// One `--volume`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// As typed, for messages.
    pub typed: String,
    /// The host's folder or file, as typed; a relative one lies in the working directory.
    pub host: PathBuf,
    /// The place in the guest: absolute, without `.`, `..`, double or trailing slashes.
    pub guest: Vec<u8>,
    /// Whether changes are refused.
    pub read_only: bool,
    /// Whether the host changes the folder meanwhile.
    pub consistent: bool,
}

/// All of a command line.
///
/// # Errors
/// The first that makes no sense, or wants the place of an earlier one.
pub fn parse_all(words: &[OsString]) -> Result<Vec<Spec>, ShareError> {
    let mut all: Vec<Spec> = Vec::with_capacity(words.len());
    for word in words {
        let spec = parse(word)?;
        for earlier in &all {
            check_places(earlier, &spec)?;
        }
        all.push(spec);
    }
    Ok(all)
}

/// One of them.
///
/// # Errors
/// [`ShareError::Value`].
pub fn parse(word: &OsStr) -> Result<Spec, ShareError> {
    let typed = word.to_string_lossy().into_owned();
    let refuse = |key, expected, found: &[u8]| ShareError::Value {
        option: typed.clone(),
        key,
        expected,
        found: format!("{:?}", String::from_utf8_lossy(found)),
    };
    let mut parts = word.as_bytes().splitn(3, |&byte| byte == b':');
    let (host, guest) = (parts.next().unwrap_or_default(), parts.next());
    let guest = guest.ok_or_else(|| refuse("form", "HOST:GUEST[:ro]", word.as_bytes()))?;
    if host.is_empty() {
        return Err(refuse(
            "host path",
            "a path of the host before the colon",
            host,
        ));
    }
    let (read_only, consistent) = options(parts.next().unwrap_or_default()).map_err(|unknown| {
        refuse(
            "options",
            "ro, rw or consistent, separated by commas",
            unknown,
        )
    })?;
    let guest = guest_path(guest).map_err(|expected| refuse("guest path", expected, guest))?;
    Ok(Spec {
        typed: typed.clone(),
        host: OsString::from_vec(host.to_vec()).into(),
        guest,
        read_only,
        consistent,
    })
}

/// Whether it is read-only, and whether the host changes it; or the word that is not known.
fn options(text: &[u8]) -> Result<(bool, bool), &[u8]> {
    let (mut read_only, mut consistent) = (false, false);
    if text.is_empty() {
        return Ok((read_only, consistent));
    }
    for word in text.split(|&byte| byte == b',') {
        match word {
            b"ro" => read_only = true,
            b"rw" => read_only = false,
            b"consistent" => consistent = true,
            unknown => return Err(unknown),
        }
    }
    Ok((read_only, consistent))
}

/// The path without what means nothing; or what was expected.
///
/// # Errors
/// What was expected.
pub fn guest_path(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    if !text.starts_with(b"/") {
        return Err("an absolute path in the guest");
    }
    let mut path = Vec::with_capacity(text.len());
    for name in text.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => continue,
            b".." => return Err("a path without `..`"),
            long if long.len() > LONGEST_NAME => return Err("names of at most 255 bytes"),
            _ => {}
        }
        path.push(b'/');
        path.extend(name);
    }
    match path.len() {
        0 => Err("a directory below `/`: the root directory is the image's own"),
        LONGEST.. => Err("a path of at most 4095 bytes"),
        _ if RESERVED.iter().any(|reserved| contains(reserved, &path)) => {
            Err("a path that is not in /proc, /sys or /dev, which are the libOS's own")
        }
        _ => Ok(path),
    }
}

/// Whether `inner` is `outer` or lies in it; both are absolute and without double slashes.
pub fn contains(outer: &[u8], inner: &[u8]) -> bool {
    let rest = inner.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || outer == b"/")
}

fn check_places(earlier: &Spec, spec: &Spec) -> Result<(), ShareError> {
    let (one, other) = (&earlier.guest, &spec.guest);
    if !contains(one, other) && !contains(other, one) {
        return Ok(());
    }
    Err(ShareError::Overlap {
        option: spec.typed.clone(),
        other: earlier.typed.clone(),
        key: "guest path",
        expected: "a place of its own, not inside another share",
        advice: "another guest path: each share needs a place of its own, beside the others",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        parse(OsStr::new(text)).expect(text)
    }

    fn refused(texts: &[&str]) -> String {
        let words: Vec<OsString> = texts.iter().map(OsString::from).collect();
        parse_all(&words).expect_err(&texts.join(" ")).to_string()
    }

    #[test]
    fn host_guest_and_options() {
        let found = spec("./data:/srv//data/./x/");
        assert_eq!(found.host, PathBuf::from("./data"));
        assert_eq!(found.guest, b"/srv/data/x");
        assert!(!found.read_only && !found.consistent);
        assert!(spec("/a:/b:ro").read_only);
        assert!(!spec("/a:/b:ro,rw").read_only);
        let both = spec("/a:/b:consistent,ro");
        assert!(both.read_only && both.consistent);
    }

    #[test]
    fn paths_are_bytes() {
        let word = OsString::from_vec(b"/h\xff:/g\xfe".to_vec());
        let found = parse(&word).expect("valid");
        assert_eq!(found.host.as_os_str().as_bytes(), b"/h\xff");
        assert_eq!(found.guest, b"/g\xfe");
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, part) in [
            ("", "HOST:GUEST"),
            ("/a", "HOST:GUEST"),
            (":/b", "host path"),
            ("/a:", "absolute"),
            ("/a:b", "absolute"),
            ("/a:/", "root directory"),
            ("/a:/./", "root directory"),
            ("/a:/b/../c", "`..`"),
            ("/a:/proc", "/proc"),
            ("/a:/dev/shm", "/dev"),
            ("/a:/sys/x", "/sys"),
            ("/a:/b:rO", "\"rO\""),
            ("/a:/b:ro,", "options"),
            ("/a:/b:Z", "\"Z\""),
        ] {
            let message = refused(&[text]);
            assert!(message.contains(part), "{text}: {message}");
            assert!(message.contains(text), "{text}: {message}");
        }
        assert_eq!(spec("/a:/process").guest, b"/process");
        assert!(refused(&[&format!("/a:/{}", "n".repeat(256))]).contains("255"));
        assert!(refused(&[&format!("/a:{}", "/n".repeat(2100))]).contains("4095"));
    }

    #[test]
    fn places_do_not_overlap() {
        for texts in [
            ["/a:/x", "/b:/x"],
            ["/a:/x", "/b:/x/"],
            ["/a:/x", "/b:/x/y"],
            ["/a:/x/y/z", "/b:/x"],
        ] {
            let message = refused(&texts);
            assert!(message.contains("/a:/x"), "{message}");
        }
        let words = ["/a:/x", "/a:/xy"].map(OsString::from);
        assert_eq!(parse_all(&words).expect("beside each other").len(), 2);
    }
}
