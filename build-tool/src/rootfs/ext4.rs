//! Copies a tree into a mounted ext4 file system.
//!
//! All that an [`Entry`] has is kept, but for sockets, which nobody listens on. Times of access are those
//! of modification; times of change and creation are the copy's, as on every file system.

use super::{Content, Entry, Tree, bytes};
use crate::progress::Counted;
use anyhow::{Context, Result, bail};
use libos_abi::driver::{AttributeChange, Time, change};
use libos_ext4::{Device, Errno, Ext4Volume, NewNode, XattrSetMode};
use std::collections::HashMap;
use std::io::{self, Write};

const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;
const S_IFSOCK: u32 = 0o140_000;

/// Bytes in a block.
pub const BLOCK: u64 = 4096;

/// The limit that the driver keeps, which writes no `dir_nlink`.
const LINKS: &str = "expected at most 65000 names of a file, and 64998 directories in one";

/// How many bytes are written at once.
const BUFFER: usize = 1 << 20;

/// How many bytes of attributes surely fit into a block.
const ATTRIBUTES: usize = 4000;

/// After how many entries the journal's transaction is ended. The crate copies the whole transaction with each
/// change, to be able to take it back: with one for all, 20,000 files took six times as long.
const COMMIT: usize = 32;

/// What a tree takes on a disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    /// Inodes.
    pub files: u64,
    /// Blocks for contents of files.
    pub blocks: u64,
    /// Blocks that directories, maps of files and attributes take at most.
    pub around: u64,
}

impl Tree {
    /// What it takes on a disk.
    ///
    /// # Errors
    /// A file cannot be opened.
    pub fn demand(&self) -> Result<Demand> {
        let mut demand = Demand::default();
        let mut linked = HashMap::new();
        for (path, entry) in &self.entries {
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            // Blocks of a directory are at least half full.
            demand.around += (name.len() as u64 + 12) * 2;
            if let Some(link) = entry.link
                && linked.insert(link, ()).is_some()
            {
                continue;
            }
            demand.files += 1;
            let attributes: usize = entry.xattrs.iter().map(attribute_len).sum();
            demand.around += if attributes > 64 { BLOCK } else { 0 };
            match &entry.content {
                Content::Directory => demand.around += BLOCK,
                Content::Symlink(target) if target.len() > 59 => demand.around += BLOCK,
                Content::Symlink(_) | Content::Special { .. } => {}
                content => {
                    let (blocks, extents) = blocks_of(content)?;
                    demand.blocks += blocks;
                    demand.around += if extents > 4 {
                        extents.div_ceil(100) * BLOCK
                    } else {
                        0
                    };
                }
            }
        }
        demand.around = demand.around.div_ceil(BLOCK);
        Ok(demand)
    }

    /// Copies everything into `volume`; returns how many sockets were left out.
    ///
    /// # Errors
    /// A file cannot be read any more, or what `volume` says, as [`io::Error`].
    pub fn fill<D: Device>(
        &self,
        volume: &mut Ext4Volume<D>,
        counted: &mut Counted,
    ) -> Result<usize> {
        let mut filler = Filler {
            directories: HashMap::from([(&b""[..], volume.root())]),
            volume,
            linked: HashMap::new(),
            sockets: 0,
            uncommitted: 0,
        };
        for (path, entry) in &self.entries {
            let bytes = filler.add(path, entry).with_context(|| copying(path))?;
            filler.commit().with_context(|| copying(path))?;
            counted.add(bytes);
        }
        for (path, entry) in &self.entries {
            if entry.content == Content::Directory {
                filler
                    .finish_directory(path, entry)
                    .with_context(|| copying(path))?;
                filler.commit().with_context(|| copying(path))?;
            }
        }
        Ok(filler.sockets)
    }
}

/// What an attribute takes of the block, about.
fn attribute_len((name, value): &(Vec<u8>, Vec<u8>)) -> usize {
    name.len() + value.len() + 20
}

fn copying(path: &[u8]) -> String {
    format!("copying /{}", String::from_utf8_lossy(path))
}

/// Blocks and extents (of at most 128 MiB) of a file's content.
fn blocks_of(content: &Content) -> Result<(u64, u64)> {
    if let Content::HostFile {
        len, sparse: false, ..
    } = content
    {
        return Ok((len.div_ceil(BLOCK), len.div_ceil(128 << 20)));
    }
    let file = bytes::of(content)?;
    let blocks = |range: &std::ops::Range<u64>| range.end.div_ceil(BLOCK) - range.start / BLOCK;
    Ok((
        file.data.iter().map(blocks).sum(),
        file.data
            .iter()
            .map(|range| blocks(range).div_ceil(1 << 15))
            .sum(),
    ))
}

fn said(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.0)
}

struct Filler<'a, 'v, D: Device> {
    volume: &'v mut Ext4Volume<D>,
    directories: HashMap<&'a [u8], u64>,
    /// Inodes of files with several names.
    linked: HashMap<(u64, u64), u64>,
    sockets: usize,
    /// Entries that were changed since the last commit.
    uncommitted: usize,
}

impl<'a, D: Device> Filler<'a, '_, D> {
    /// Returns how many bytes its content has.
    fn add(&mut self, path: &'a [u8], entry: &Entry) -> Result<u64> {
        if path.is_empty() {
            return Ok(0);
        }
        let slash = path.iter().rposition(|&byte| byte == b'/');
        let (above, name) = match slash {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], path),
        };
        // A tree has the directories above each of its entries, and they come first.
        let above = *self
            .directories
            .get(above)
            .context("expected a directory above")?;
        if matches!(entry.content, Content::Special { kind: S_IFSOCK, .. }) {
            self.sockets += 1;
            return Ok(0);
        }
        let known = entry.link.and_then(|link| self.linked.get(&link).copied());
        if let Some(ino) = known {
            let linked = self.volume.link(ino, above, name);
            match linked {
                Err(Errno::EMLINK) => return Err(said(Errno::EMLINK)).context(LINKS),
                linked => linked.map_err(said)?,
            }
            return Ok(0);
        }
        let ino = self.make(above, name, entry)?;
        self.linked.extend(entry.link.map(|link| (link, ino)));
        match entry.content {
            Content::Directory => {
                self.directories.insert(path, ino);
                return Ok(0);
            }
            Content::File(_) | Content::HostFile { .. } => {
                let len = self.copy(ino, &entry.content)?;
                self.finish(ino, entry)?;
                return Ok(len);
            }
            Content::Symlink(_) | Content::Special { .. } => self.finish(ino, entry)?,
        }
        Ok(0)
    }

    /// An entry is done: ends the transaction, if it became large.
    fn commit(&mut self) -> Result<()> {
        self.uncommitted += 1;
        if self.uncommitted >= COMMIT {
            self.uncommitted = 0;
            self.volume.sync().map_err(said)?;
        }
        Ok(())
    }

    /// The inode, with its owner.
    fn make(&mut self, above: u64, name: &[u8], entry: &Entry) -> Result<u64> {
        let [uid, gid] = entry.owner;
        let (kind, target, rdev) = match &entry.content {
            Content::Directory => (S_IFDIR, &b""[..], 0),
            Content::File(_) | Content::HostFile { .. } => (S_IFREG, &b""[..], 0),
            Content::Symlink(target) => (S_IFLNK, &target[..], 0),
            Content::Special {
                kind,
                device: [major, minor],
            } => (*kind, &b""[..], rustix::fs::makedev(*major, *minor)),
        };
        let new = NewNode {
            mode: kind | entry.mode,
            uid,
            gid,
            rdev,
            target,
        };
        let made = match self.volume.create(above, name, &new) {
            // The one directory that a new file system has.
            Err(Errno::EEXIST) if name == b"lost+found" && kind == S_IFDIR => {
                self.volume.lookup(above, name)
            }
            made => made,
        };
        let made = match made {
            Err(Errno::EMLINK) => return Err(said(Errno::EMLINK)).context(LINKS),
            made => made.map_err(said)?,
        };
        // A directory's set-group-ID bit gives its group to what is made in it.
        if (made.uid, made.gid) != (uid, gid) {
            self.own(made.ino, entry)?;
        }
        Ok(made.ino)
    }

    fn own(&mut self, ino: u64, entry: &Entry) -> Result<()> {
        let owner = AttributeChange {
            valid: change::OWNER,
            uid: entry.owner[0],
            gid: entry.owner[1],
            ..AttributeChange::default()
        };
        Ok(self.volume.change(ino, &owner).map_err(said)?)
    }

    fn copy(&mut self, ino: u64, content: &Content) -> Result<u64> {
        let file = bytes::of(content)?;
        for range in &file.data {
            let mut writer = Writer {
                volume: self.volume,
                ino,
                at: range.start,
                held: Vec::new(),
            };
            file.source.copy(range.clone(), &mut writer)?;
            writer.flush()?;
        }
        if file.data.last().map_or(0, |last| last.end) < file.len {
            self.volume.truncate(ino, file.len).map_err(said)?;
        }
        Ok(file.len)
    }

    /// Attributes, permission bits and times: last, since writing changes them.
    fn finish(&mut self, ino: u64, entry: &Entry) -> Result<()> {
        for (name, value) in &entry.xattrs {
            let set = self
                .volume
                .set_xattr(ino, name, value, XattrSetMode::Upsert);
            let shown = || format!("its extended attribute {}", String::from_utf8_lossy(name));
            let len: usize = entry.xattrs.iter().map(attribute_len).sum();
            if set == Err(Errno::ENOSPC) && len > ATTRIBUTES {
                bail!(
                    "expected at most {ATTRIBUTES} bytes of extended attributes, found {len}; ext4 keeps them in one block"
                );
            }
            set.map_err(said).with_context(shown)?;
        }
        let (seconds, nanoseconds) = entry.mtime;
        let mtime = Time {
            seconds,
            nanoseconds,
            reserved: 0,
        };
        let symlink = matches!(entry.content, Content::Symlink(_));
        let last = AttributeChange {
            valid: change::ATIME | change::MTIME | if symlink { 0 } else { change::MODE },
            mode: entry.mode,
            atime: mtime,
            mtime,
            ..AttributeChange::default()
        };
        Ok(self.volume.change(ino, &last).map_err(said)?)
    }

    fn finish_directory(&mut self, path: &[u8], entry: &Entry) -> Result<()> {
        let ino = self.directories.get(path).copied();
        let ino = ino.context("expected a directory that was made")?;
        if path.is_empty() {
            self.own(ino, entry)?;
        }
        self.finish(ino, entry)
    }
}

/// Bytes of a file from a place on, in large pieces.
struct Writer<'v, D: Device> {
    volume: &'v mut Ext4Volume<D>,
    ino: u64,
    at: u64,
    held: Vec<u8>,
}

impl<D: Device> Write for Writer<'_, D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BUFFER - self.held.len());
        self.held.extend_from_slice(&bytes[..taken]);
        if self.held.len() == BUFFER {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.held.is_empty() {
            let written = self.volume.write(self.ino, self.at, &self.held);
            written.map_err(said)?;
            self.at += self.held.len() as u64;
            self.held.clear();
        }
        Ok(())
    }
}
