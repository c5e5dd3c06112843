//! What is shared, and how.
//!
//! Main types: [`Config`], [`Ids`].

use crate::error::StartError;
use rustix::fs::{FileType, Mode, OFlags};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// The user and group that stand for everyone whose id has no counterpart: `overflowuid` of the kernel.
pub const NOBODY: u32 = 65_534;

/// One shared folder, or file.
#[derive(Clone, Debug)]
pub struct Config {
    /// The host's folder; an absolute path. Symbolic links on the way to it are followed, once, at the start.
    pub path: PathBuf,
    /// Whether changes are refused.
    pub read_only: bool,
    /// Whether the host changes it meanwhile: then nothing may be cached beyond the answer.
    pub host_changes: bool,
    /// Whose files the guest sees.
    pub ids: Ids,
    /// Whether the helper keeps standard error, for messages of faults.
    pub keep_stderr: bool,
}

/// How users and groups of host and guest correspond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// They are the same, and files belong to whoever makes them in the guest: for a caller who may give files away.
    Same,
    /// As in a container without root: the guest's one user and group are the caller's, everyone else is
    /// [`NOBODY`], and files cannot be given away.
    Caller {
        /// The user that the caller is in the guest.
        user: u32,
        /// The group that the caller's is in the guest.
        group: u32,
    },
}

impl Ids {
    /// What is right for this process: [`Self::Same`] for root, else the caller as itself.
    pub fn of_caller() -> Self {
        if rustix::process::geteuid().is_root() {
            return Self::Same;
        }
        Self::Caller {
            user: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
        }
    }
}

/// What is at the path.
#[derive(Debug)]
pub(crate) struct Root {
    /// Open with O_PATH.
    pub file: OwnedFd,
    /// Whether it is a directory; else it is a regular file.
    pub is_directory: bool,
}

impl Config {
    /// Shares `path`, to be read and written, as the caller.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            read_only: false,
            host_changes: false,
            ids: Ids::of_caller(),
            keep_stderr: false,
        }
    }

    /// Opens what is shared.
    ///
    /// # Errors
    /// [`StartError::Open`], [`StartError::Kind`], [`StartError::Access`].
    pub(crate) fn open(&self) -> Result<Root, StartError> {
        let failed = |error: rustix::io::Errno| StartError::Open {
            path: self.path.clone(),
            source: error.into(),
        };
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let file = rustix::fs::open(&self.path, flags, Mode::empty()).map_err(failed)?;
        let stat = rustix::fs::fstat(&file).map_err(failed)?;
        let is_directory = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => true,
            FileType::RegularFile => false,
            other => {
                return Err(StartError::Kind {
                    path: self.path.clone(),
                    found: name(other),
                });
            }
        };
        self.check_access(is_directory)?;
        Ok(Root { file, is_directory })
    }

    /// The rights that every use needs, so that the refusal comes now and not in the guest.
    fn check_access(&self, is_directory: bool) -> Result<(), StartError> {
        use rustix::fs::{Access, AtFlags, CWD};
        let mut wanted = Access::READ_OK;
        if is_directory {
            wanted |= Access::EXEC_OK;
        }
        let allowed = rustix::fs::accessat(CWD, &self.path, wanted, AtFlags::EACCESS);
        allowed.map_err(|error| StartError::Access {
            path: self.path.clone(),
            needs: if is_directory {
                "read and enter"
            } else {
                "read"
            },
            source: io::Error::from(error),
        })
    }
}

/// What it is, in the words of file(1).
fn name(kind: FileType) -> &'static str {
    match kind {
        FileType::BlockDevice => "a block device",
        FileType::CharacterDevice => "a character device",
        FileType::Fifo => "a fifo",
        FileType::Socket => "a socket",
        FileType::Symlink => "a symbolic link",
        _ => "something else",
    }
}
