//! The guest's disks: from `--block` to open handles and the boot information.
//!
//! - [`spec`]: the option, checked.
//! - [`error`]: why a disk cannot be used.
//! - [`lock`]: one writer, or any number of readers.
//!
//! Main type: [`Disk`], a file or block device with what the guest is told of it. It is opened with the caller's rights,
//! before privileges are dropped. A disk that may be written has two handles: see [`libos_abi::block`]. What is on it is
//! the guest's affair: nothing here reads it.

pub mod error;
mod lock;
pub mod spec;

use error::DiskError;
use libos_abi::driver::DriverKind;
use libos_abi::handle::HandleKind;
use rustix::fs::{FileType, Mode, OFlags, Stat};
use spec::Spec;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::fd::OwnedFd;

/// Sector size: the granularity of a raw disk, in bytes.
const SECTOR: u64 = 512;

/// Granularity of a disk with a file system, in bytes.
const FS_BLOCK: u64 = 4096;

/// An open disk.
#[derive(Debug)]
pub struct Disk {
    /// The file, locked. Taken out by [`crate::handles`].
    pub file: Option<OwnedFd>,
    /// The same file, for durable writes; none if it is read-only. Taken out as well.
    pub sync: Option<OwnedFd>,
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
    /// Whether writes are refused.
    pub read_only: bool,
    /// The driver of its file system.
    pub driver: Option<DriverKind>,
    /// Where that is mounted; empty for nowhere.
    pub mount: Vec<u8>,
}

/// The kinds of a disk's handles: that of the file, that for durable writes.
pub const fn handle_kinds(read_only: bool) -> [Option<HandleKind>; 2] {
    if read_only {
        [Some(HandleKind::BlockReadOnly), None]
    } else {
        [Some(HandleKind::Block), Some(HandleKind::BlockSync)]
    }
}

/// Opens and locks each.
///
/// # Errors
/// The first that is not to be had, or is the file of an earlier one.
pub fn open(specs: &[Spec]) -> Result<Vec<Disk>, DiskError> {
    let mut disks = Vec::with_capacity(specs.len());
    let mut identities: Vec<[u64; 3]> = Vec::with_capacity(specs.len());
    for spec in specs {
        let (file, stat) = open_file(spec)?;
        let identity = identity(&stat);
        if let Some(index) = identities.iter().position(|other| *other == identity) {
            let other = format!("--block {}", specs[index].typed);
            return Err(spec::twice(spec, other, "path"));
        }
        identities.push(identity);
        lock::lock(&file, spec)?;
        disks.push(Disk {
            len: length(spec, &file)?,
            sync: open_sync(spec, identity)?,
            file: Some(file.into()),
            name: spec.name.clone(),
            read_only: spec.read_only,
            driver: spec.driver,
            mount: spec.mount.clone(),
        });
    }
    Ok(disks)
}

/// What two descriptors of one disk have in common: a device is the same behind every node.
fn identity(stat: &Stat) -> [u64; 3] {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::BlockDevice => [stat.st_rdev, 0, 1],
        _ => [stat.st_dev, stat.st_ino, 0],
    }
}

fn open_file(spec: &Spec) -> Result<(File, Stat), DiskError> {
    // Looked at before it is opened: opening can have effects on a device, or wait for a fifo's other end.
    let kind = FileType::from_raw_mode(
        rustix::fs::stat(&spec.path)
            .map_err(|error| cannot_open(spec, error))?
            .st_mode,
    );
    check_kind(spec, kind)?;
    let mut flags = OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    flags |= match spec.read_only {
        true => OFlags::RDONLY,
        false => OFlags::RDWR,
    };
    // A device that is mounted or part of another is EBUSY.
    flags.set(
        OFlags::EXCL,
        kind == FileType::BlockDevice && !spec.read_only,
    );
    let file = rustix::fs::open(&spec.path, flags, Mode::empty())
        .map_err(|error| cannot_open(spec, error))?;
    let stat = rustix::fs::fstat(&file).map_err(|error| failed(spec, "fstat(2)", error))?;
    check_kind(spec, FileType::from_raw_mode(stat.st_mode))?;
    Ok((file.into(), stat))
}

/// The second description, whose writes are durable when they return.
fn open_sync(spec: &Spec, identity_of_first: [u64; 3]) -> Result<Option<OwnedFd>, DiskError> {
    if spec.read_only {
        return Ok(None);
    }
    let flags = OFlags::WRONLY | OFlags::DSYNC | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let sync = rustix::fs::open(&spec.path, flags, Mode::empty())
        .map_err(|error| cannot_open(spec, error))?;
    let stat = rustix::fs::fstat(&sync).map_err(|error| failed(spec, "fstat(2)", error))?;
    if identity(&stat) != identity_of_first {
        // Replaced between the two calls.
        return Err(failed(
            spec,
            "open(2) of the same file again",
            rustix::io::Errno::STALE,
        ));
    }
    Ok(Some(sync))
}

fn check_kind(spec: &Spec, kind: FileType) -> Result<(), DiskError> {
    let (found, advice) = match kind {
        FileType::RegularFile => return Ok(()),
        FileType::BlockDevice if spec.device => return Ok(()),
        FileType::BlockDevice => (
            "a block device",
            "add `,device` if the program may have all of the device",
        ),
        FileType::Directory => (
            "a directory",
            "share it with --volume, or name a disk image: `cargo libos mkdisk FILE --size 1G` makes one",
        ),
        FileType::CharacterDevice => ("a character device", "name a disk image"),
        FileType::Fifo => ("a fifo", "name a disk image"),
        FileType::Socket => ("a socket", "name a disk image"),
        _ => ("something else", "name a disk image"),
    };
    Err(DiskError::Kind {
        option: spec.typed.clone(),
        expected: "a regular file",
        found,
        advice,
    })
}

fn length(spec: &Spec, mut file: &File) -> Result<u64, DiskError> {
    // The end is that of files and of devices alike.
    let len = file
        .seek(SeekFrom::End(0))
        .map_err(|source| DiskError::System {
            option: spec.typed.clone(),
            call: "lseek(2) to its end",
            source,
        })?;
    let (granularity, expected) = match spec.driver {
        None => (SECTOR, "a length above 0 that is a multiple of 512"),
        Some(_) => (FS_BLOCK, "a length above 0 that is a multiple of 4096"),
    };
    if len == 0 || !len.is_multiple_of(granularity) {
        return Err(DiskError::Length {
            option: spec.typed.clone(),
            expected,
            found: len,
        });
    }
    Ok(len)
}

fn cannot_open(spec: &Spec, error: rustix::io::Errno) -> DiskError {
    DiskError::Open {
        option: spec.typed.clone(),
        path: spec.path.clone(),
        access: match spec.read_only {
            true => "read",
            false => "read and written",
        },
        source: error.into(),
    }
}

fn failed(spec: &Spec, call: &'static str, error: rustix::io::Errno) -> DiskError {
    DiskError::System {
        option: spec.typed.clone(),
        call,
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::path::Path;

    fn opened(texts: &[String]) -> Result<Vec<Disk>, String> {
        let words: Vec<OsString> = texts.iter().map(OsString::from).collect();
        let specs = spec::parse_all(&words, &[]).expect("valid");
        open(&specs).map_err(|error| format!("{error}\n{}", error.advice()))
    }

    fn file(path: &Path, len: u64) -> String {
        let file = File::create(path).expect("a writable directory");
        file.set_len(len).expect("a length");
        path.display().to_string()
    }

    #[test]
    fn a_disk_has_two_handles_or_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = file(&directory.path().join("a"), 8192);
        let disk = |text: String| opened(&[text]).expect("a disk").remove(0);
        {
            let found = disk(format!("a={path},mount=/d"));
            assert_eq!((found.len, found.driver), (8192, Some(DriverKind::Ext4)));
            let flags = |fd: &Option<OwnedFd>| {
                rustix::fs::fcntl_getfl(fd.as_ref().expect("open")).expect("flags")
            };
            assert!(flags(&found.file).contains(OFlags::RDWR));
            assert!(flags(&found.sync).contains(OFlags::WRONLY | OFlags::DSYNC));
        }
        let found = disk(format!("a={path},ro"));
        assert!(found.sync.is_none() && found.read_only);
    }

    #[test]
    fn what_is_no_disk_is_refused_by_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let odd = file(&path.join("odd"), 1000);
        let sectors = file(&path.join("sectors"), 512);
        let empty = file(&path.join("empty"), 0);
        let good = file(&path.join("good"), 4096);
        let link = path.join("link");
        std::os::unix::fs::symlink("good", &link).expect("a link");
        for (texts, parts) in [
            (
                vec![format!("a={}/none", path.display())],
                ["none", "mkdisk"],
            ),
            (
                vec![format!("a={}", path.display())],
                ["a directory", "--volume"],
            ),
            (vec!["a=/dev/null".into()], ["character device", "image"]),
            (vec![format!("a={odd}")], ["1000 bytes", "512"]),
            (vec![format!("a={empty}")], ["0 bytes", "mkdisk"]),
            (vec![format!("a={sectors},fs=ext4")], ["512 bytes", "4096"]),
            (
                vec![format!("a={good}"), format!("b={}", link.display())],
                ["a file of its own", "one disk"],
            ),
            (
                vec![format!("a={good},ro"), format!("b={good},ro")],
                ["a file of its own", "one disk"],
            ),
        ] {
            let message = opened(&texts).expect_err("refused");
            for part in parts {
                assert!(message.contains(part), "{texts:?}: {message}");
            }
        }
        assert_eq!(opened(&[format!("a={sectors}")]).expect("raw")[0].len, 512);
    }

    #[test]
    fn devices_are_asked_for() {
        let spec = |text: &str| spec::parse(std::ffi::OsStr::new(text)).expect("valid");
        let refusal = check_kind(&spec("a=x"), FileType::BlockDevice).expect_err("refused");
        assert!(refusal.advice().contains(",device"));
        check_kind(&spec("a=x,device"), FileType::BlockDevice).expect("asked for");
    }

    #[test]
    fn one_writer_or_many_readers() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = file(&directory.path().join("a"), 4096);
        let (rw, ro) = (format!("a={path}"), format!("a={path},ro"));
        let other = |text: &String| opened(std::slice::from_ref(text));
        let writer = other(&rw).expect("free");
        for text in [&rw, &ro] {
            let message = other(text).expect_err("in use");
            assert!(message.contains("another process uses it"), "{message}");
        }
        drop(writer);
        let reader = other(&ro).expect("free again");
        other(&ro).expect("readers agree");
        other(&rw).expect_err("a reader is there");
        drop(reader);
        other(&rw).expect("free again");
    }
}
