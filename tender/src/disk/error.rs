//! Why a disk cannot be used: what was expected, what was found, what to try.

use std::io;
use std::path::PathBuf;

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// A value of the option makes no sense.
    #[error("--block {option}: {key}: expected {expected}, found {found}")]
    Value {
        /// The option's value, as typed.
        option: String,
        /// Which part of it.
        key: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// Two options want the same name, place or file.
    #[error("--block {option}: {key}: expected {expected}, found that of {other}")]
    Twice {
        /// The later option.
        option: String,
        /// The earlier one, with its name.
        other: String,
        /// Which part of them.
        key: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// The file cannot be opened.
    #[error("--block {option}: expected a disk image that can be {access} at {}, found: {source}", path.display())]
    Open {
        /// The option's value, as typed.
        option: String,
        /// The file.
        path: PathBuf,
        /// What it is opened for.
        access: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// It is no file that can be a disk.
    #[error("--block {option}: expected {expected}, found {found}")]
    Kind {
        /// The option's value, as typed.
        option: String,
        /// What was expected.
        expected: &'static str,
        /// What it is.
        found: &'static str,
        /// What to try.
        advice: &'static str,
    },
    /// Its length is not that of a disk.
    #[error("--block {option}: expected {expected}, found {found} bytes")]
    Length {
        /// The option's value, as typed.
        option: String,
        /// What was expected.
        expected: &'static str,
        /// Its length in bytes.
        found: u64,
    },
    /// Somebody else writes to it, or reads what this run wants to write.
    #[error("--block {option}: expected a disk that nobody else {}, found that another process uses it", if *.read_only { "writes to" } else { "uses" })]
    InUse {
        /// The option's value, as typed.
        option: String,
        /// Whether this run only reads it.
        read_only: bool,
    },
    /// A host call failed.
    #[error("--block {option}: expected {call} to succeed, found: {source}")]
    System {
        /// The option's value, as typed.
        option: String,
        /// The call and what it was for.
        call: &'static str,
        /// Its error.
        source: io::Error,
    },
}

impl DiskError {
    /// What the user can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Value { .. } => {
                "NAME=PATH[,ro][,mount=DIR][,fs=ext4|raw], such as --block data=disk.img,mount=/data; see `--block` in \
                 docs/usage.md"
            }
            Self::Twice { .. } => {
                "give each disk a name, a file and a place of its own; a file is one disk only"
            }
            Self::Open { source, .. } => open_advice(source),
            Self::Kind { advice, .. } => advice,
            Self::Length { found: 0, .. } => {
                "`cargo libos mkdisk FILE --size 1G` makes an ext4 disk, `truncate -s 1G FILE` an empty raw one"
            }
            Self::Length { .. } => {
                "`truncate -s SIZE FILE` with another size, or fs=raw if it is no ext4 file system"
            }
            Self::InUse { .. } => {
                "wait for the other program's end (`lsof FILE` shows it); or use the disk with `ro` in all of them"
            }
            Self::System { .. } => {
                "strace -f shows the call; some network file systems have no locks: use a local file"
            }
        }
    }
}

fn open_advice(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => {
            "`cargo libos mkdisk FILE --size 1G` makes an ext4 disk, as does mkfs.ext4: nothing is made for you"
        }
        Some(libc::EACCES | libc::EPERM) => {
            "`ls -l FILE`: it must be yours to read and write; add `ro` if it is only to be read"
        }
        Some(libc::EROFS) => "add `ro`: its file system is read-only",
        Some(libc::EBUSY) => "unmount the device first, or add `ro`",
        _ => "check the path and what it names with `ls -lL FILE`",
    }
}
