//! The guest's shared folders: from `--volume` to open handles and the boot information.
//!
//! - [`spec`]: the option, checked.
//! - [`error`]: why a folder cannot be shared.
//!
//! Main type: [`SharedFolder`], one handle with what the guest is told of it. At its other end is a file server
//! (`libos-share`), which is started before descriptors are closed and privileges dropped; afterwards the tender has no part
//! in what goes over a handle. The server's end is the end of the channel, which the libOS sees and tells of.

pub mod error;
pub mod spec;

use error::ShareError;
use libos_share::Config;
use spec::Spec;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A shared folder with its handle.
#[derive(Debug)]
pub struct SharedFolder {
    /// Carries its messages, nonblocking. Taken out by [`crate::handles`].
    pub fd: Option<OwnedFd>,
    /// See [`libos_abi::share::flags`].
    pub flags: u32,
    /// Its place in the guest.
    pub target: Vec<u8>,
}

/// Starts a file server for each.
///
/// # Errors
/// The first folder that is not to be had, or that another one contains.
pub fn open(specs: &[Spec]) -> Result<Vec<SharedFolder>, ShareError> {
    let hosts = resolve(specs)?;
    let mut folders = Vec::with_capacity(specs.len());
    for (spec, host) in specs.iter().zip(hosts) {
        folders.push(start(spec, host)?);
    }
    if !folders.is_empty() {
        libos_share::disown_children().map_err(|source| ShareError::System {
            call: "sigaction(2) of SIGCHLD",
            source,
        })?;
    }
    Ok(folders)
}

fn start(spec: &Spec, host: PathBuf) -> Result<SharedFolder, ShareError> {
    use libos_abi::share::flags;
    let choose = |condition, flag| if condition { flag } else { 0 };
    let is_file = !host.is_dir();
    let config = Config {
        read_only: spec.read_only,
        host_changes: spec.consistent,
        ..Config::new(host)
    };
    let started = libos_share::start(&config).map_err(|source| ShareError::Start {
        option: spec.typed.clone(),
        source,
    })?;
    Ok(SharedFolder {
        fd: Some(started.channel),
        flags: choose(spec.read_only, flags::READ_ONLY)
            | choose(spec.consistent, flags::HOST_CHANGES)
            | choose(is_file, flags::FILE),
        target: spec.guest.clone(),
    })
}

/// The folders' absolute paths without symbolic links, once it is clear that none lies in another.
fn resolve(specs: &[Spec]) -> Result<Vec<PathBuf>, ShareError> {
    let mut hosts: Vec<PathBuf> = Vec::with_capacity(specs.len());
    for spec in specs {
        let host = spec
            .host
            .canonicalize()
            .map_err(|source| ShareError::Path {
                option: spec.typed.clone(),
                source,
            })?;
        for (earlier, other) in specs.iter().zip(&hosts) {
            check_folders((earlier, other), (spec, &host))?;
        }
        hosts.push(host);
    }
    Ok(hosts)
}

/// Two servers of the same files: each guest mount would cache what the other changes. Fine if neither changes
/// anything, or neither is cached.
fn check_folders(
    (earlier, one): (&Spec, &Path),
    (spec, other): (&Spec, &Path),
) -> Result<(), ShareError> {
    let (one, other) = (one.as_os_str().as_bytes(), other.as_os_str().as_bytes());
    let is_apart = !spec::contains(one, other) && !spec::contains(other, one);
    let is_safe = (earlier.read_only && spec.read_only) || (earlier.consistent && spec.consistent);
    if is_apart || is_safe {
        return Ok(());
    }
    Err(ShareError::Overlap {
        option: spec.typed.clone(),
        other: earlier.typed.clone(),
        key: "host path",
        expected: "a folder that is not shared already, nor inside one that is",
        advice: "share the outer folder alone; or add `consistent` (or `ro`) to both, so that neither keeps what the other \
                 changes",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(texts: &[String]) -> Result<Vec<PathBuf>, ShareError> {
        let words: Vec<_> = texts.iter().map(std::ffi::OsString::from).collect();
        resolve(&spec::parse_all(&words).expect("valid"))
    }

    #[test]
    fn a_folder_inside_another_needs_both_to_agree() {
        let directory = tempfile::tempdir().expect("a directory");
        let outer = directory.path().canonicalize().expect("it exists");
        std::fs::create_dir(outer.join("in")).expect("a directory");
        std::os::unix::fs::symlink("in", outer.join("link")).expect("a link");
        let outer = outer.display();
        for (options, is_fine) in [
            (["", ""], false),
            (["", ":ro"], false),
            ([":ro", ":ro"], true),
            ([":consistent", ""], false),
            ([":consistent", ":ro,consistent"], true),
        ] {
            let [one, other] = options;
            for inner in ["in", "link", "."] {
                let texts = [
                    format!("{outer}/{inner}:/a{one}"),
                    format!("{outer}:/b{other}"),
                ];
                let found = resolved(&texts);
                assert_eq!(found.is_ok(), is_fine, "{texts:?}: {found:?}");
            }
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_refused_by_name() {
        let error = resolved(&["./no such folder:/a".into()]).expect_err("missing");
        assert!(error.to_string().contains("no such folder"), "{error}");
        assert!(error.advice().contains("mkdir"));
    }
}
