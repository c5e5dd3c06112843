//! The bytes of a tree's files, wherever they are, and where they have holes.

use super::Content;
use anyhow::{Context, Result};
use libos_erofs::write::{self, Source};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What a regular file holds; nothing for what is none.
///
/// # Errors
/// It cannot be opened.
pub fn of(content: &Content) -> Result<write::File> {
    match content {
        Content::File(bytes) => Ok(write::File::of(bytes.clone())),
        Content::HostFile {
            path,
            start,
            len,
            sparse,
            ..
        } => host_file(path, *start, *len, *sparse),
        Content::Directory | Content::Symlink(_) | Content::Special { .. } => {
            Ok(write::File::of(Vec::new()))
        }
    }
}

fn host_file(path: &Path, start: u64, len: u64, sparse: bool) -> Result<write::File> {
    let data = match sparse {
        true => data_ranges(path, len)
            .with_context(|| format!("looking for holes in {}", path.display()))?,
        false => Vec::from_iter((len != 0).then_some(0..len)),
    };
    let source = Box::new(HostRange {
        path: path.to_owned(),
        start,
    });
    Ok(write::File { len, data, source })
}

/// Where the first `len` bytes of a file are not holes.
fn data_ranges(path: &Path, len: u64) -> io::Result<Vec<Range<u64>>> {
    let file = File::open(path)?;
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < len {
        let start = match rustix::fs::seek(&file, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Behind the last data.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        at = rustix::fs::seek(&file, SeekFrom::Hole(start))?;
        ranges.push(start..at.min(len));
    }
    ranges.retain(|range| !range.is_empty());
    Ok(ranges)
}

/// Bytes of a host file, from `start` on.
struct HostRange {
    path: PathBuf,
    start: u64,
}

impl Source for HostRange {
    fn copy(&self, range: Range<u64>, out: &mut dyn Write) -> io::Result<()> {
        let named = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("could not read {}: {error}", self.path.display()),
            )
        };
        if range.is_empty() {
            return Ok(());
        }
        let mut file = File::open(&self.path).map_err(named)?;
        file.seek(io::SeekFrom::Start(self.start + range.start))
            .map_err(named)?;
        let wanted = range.end - range.start;
        let copied = io::copy(&mut file.take(wanted), out).map_err(named)?;
        if copied == wanted {
            return Ok(());
        }
        Err(named(io::Error::other(
            "it became shorter while it was packed",
        )))
    }
}
