//! `cargo libos mkdisk`: an ext4 file system in a file, with or without content.

use crate::cli;
use crate::config::size;
use crate::disk::{self, BLOCK, Disk};
use crate::progress::Counted;
use crate::rootfs::{Demand, Root, Tree};
use anyhow::{Context, Result, anyhow, bail, ensure};
use libos_abi::driver::Time;
use libos_ext4::{Errno, Ext4Volume, Identity, LABEL_MAX, MountError};
use sha2::{Digest, Sha256};
use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The time that `SOURCE_DATE_EPOCH` sets, in seconds since 1970.
static EPOCH: OnceLock<Option<i64>> = OnceLock::new();

/// Makes the disk and prints its path.
///
/// # Errors
/// FILE is there or cannot be written, the size makes no sense, or the tree cannot be read or does not fit.
pub fn perform(options: &cli::Mkdisk) -> Result<ExitCode> {
    let size = disk::parse_size(&options.size).context("--size")?;
    let label = label(options.label.as_deref().unwrap_or_default())?;
    let target = target(&options.file, options.force)?;
    let epoch = epoch()?;
    EPOCH.get_or_init(|| epoch);
    let tree = match &options.from {
        Some(source) => tree(source).with_context(|| format!("--from: {}", source.display()))?,
        None => Tree::default(),
    };
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let made = tempfile::Builder::new()
        .prefix(".mkdisk")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
        .with_context(|| format!("could not write into {}", directory.display()))?;
    let file = made.as_file();
    let unwritable = || format!("could not write {}", target.display());
    file.set_len(size).with_context(unwritable)?;
    let disk = Disk::new(file.try_clone().with_context(unwritable)?, size);
    let identity = identity(size, label, &tree)?;
    let filled = fill(&disk, &identity, &tree, size);
    if let Some(failure) = disk.failure() {
        return Err(failure).with_context(unwritable);
    }
    let sockets = filled?;
    file.sync_all().with_context(unwritable)?;
    match options.force {
        true => made.persist(&target),
        false => made.persist_noclobber(&target),
    }
    .with_context(unwritable)?;
    if sockets != 0 {
        eprintln!("note: {sockets} sockets were left out, since nobody listens on them there");
    }
    println!("{}", options.file.display());
    Ok(ExitCode::SUCCESS)
}

fn label(label: &str) -> Result<Vec<u8>> {
    ensure!(
        label.len() <= LABEL_MAX && !label.contains('\0'),
        "--label: expected at most {LABEL_MAX} bytes without NUL, found {} ({label:?})",
        label.len()
    );
    Ok(label.into())
}

/// Where the disk will be: behind symbolic links, if there are any.
fn target(file: &Path, force: bool) -> Result<PathBuf> {
    let metadata = match std::fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(file.to_owned()),
        Err(error) => {
            return Err(error).with_context(|| format!("could not look at {}", file.display()));
        }
    };
    let shown = file.display();
    if metadata.is_dir() {
        bail!(
            "expected a name for a new file, found a directory at {shown}; name a file inside of it"
        );
    }
    if !metadata.is_file() {
        bail!(
            "expected a name for a new file, found a device, socket or pipe at {shown}, which stays as it is"
        );
    }
    if !force {
        bail!(
            "expected a name for a new file, found a file at {shown}; --force replaces it, with all that it holds"
        );
    }
    std::fs::canonicalize(file).with_context(|| format!("could not look at {shown}"))
}

fn tree(source: &Path) -> Result<Tree> {
    match Root::read(source)? {
        Root::Tree(tree) => Ok(tree),
        Root::Image { .. } => bail!(
            "expected a directory or a TAR archive, found an EROFS image; give the tree that it was made from"
        ),
    }
}

/// What `SOURCE_DATE_EPOCH` says.
fn epoch() -> Result<Option<i64>> {
    let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH") else {
        return Ok(None);
    };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    let seconds = seconds.filter(|seconds| *seconds >= 0);
    seconds
        .map(Some)
        .with_context(|| format!("SOURCE_DATE_EPOCH: expected seconds since 1970, found {text:?}"))
}

/// The present, or what stands for it.
fn now() -> Time {
    let present = || {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Time {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanoseconds: since.subsec_nanos(),
            reserved: 0,
        }
    };
    match EPOCH.get().copied().flatten() {
        Some(seconds) => Time {
            seconds,
            nanoseconds: 0,
            reserved: 0,
        },
        None => present(),
    }
}

/// Its UUID is random, or what is to be on the disk decides it.
fn identity(size: u64, label: Vec<u8>, tree: &Tree) -> Result<Identity> {
    let mut uuid = [0; 16];
    let version = match EPOCH.get().copied().flatten() {
        Some(epoch) => {
            let mut hash = Sha256::new();
            hash.update(size.to_le_bytes());
            hash.update(epoch.to_le_bytes());
            hash.update(label.len().to_le_bytes());
            hash.update(&label);
            tree.describe_content(&mut |text| hash.update(text));
            uuid.copy_from_slice(&hash.finalize()[..16]);
            8
        }
        None => {
            let random = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut uuid));
            random.context("could not read /dev/urandom")?;
            4
        }
    };
    uuid[6] = uuid[6] & 0x0f | version << 4;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    Ok(Identity { uuid, label })
}

/// Makes the file system, and copies the tree into it; returns how many sockets were left out.
fn fill(disk: &Disk, identity: &Identity, tree: &Tree, size: u64) -> Result<usize> {
    let unmade = |error: MountError| anyhow!("could not make the file system: {}", error.reason);
    let errno = |errno: Errno| io::Error::from_raw_os_error(errno.0);
    Ext4Volume::format(disk.clone(), now).map_err(unmade)?;
    identity.write(&mut disk.clone()).map_err(errno)?;
    if tree.is_empty() {
        return Ok(0);
    }
    let mut volume = Ext4Volume::mount(disk.clone(), false, now).map_err(unmade)?;
    let demand = tree.demand()?;
    let free = volume.statistics();
    let too_small = || needed(demand, size, free.blocks - free.blocks_free);
    if demand.blocks > free.blocks_free || demand.files > free.files_free {
        return Err(too_small());
    }
    let mut counted = Counted::begin("copying", demand.blocks * BLOCK);
    let filled = tree.fill(&mut volume, &mut counted);
    drop(counted);
    let sockets = filled.map_err(|error| match is_full(&error) {
        true => error.context(too_small()),
        false => error,
    })?;
    volume.unmount().map_err(errno)?;
    Ok(sockets)
}

fn is_full(error: &anyhow::Error) -> bool {
    let number = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::raw_os_error);
    number == Some(Errno::ENOSPC.0)
}

/// The refusal of a tree that does not fit, with a size at which it does.
fn needed(demand: Demand, size: u64, own: u64) -> anyhow::Error {
    let Demand {
        files,
        blocks,
        around,
    } = demand;
    let enough = disk::enough(files, blocks + around, size, own);
    anyhow!(
        "--size: expected room for {files} files with {}, found {}; give --size {}M or more",
        size::shown((blocks + around) * BLOCK),
        size::shown(size),
        enough >> 20
    )
}
