//! The root file system inside an image: a tree of entries, filled from the host or by hand.
//!
//! Main types: [`Tree`], and [`Root`], which may be a finished image instead. [`host`] and [`tar`] copy
//! files into a tree; [`erofs`] and [`ext4`] write it. Paths are absolute guest paths without `.` and `..`; missing
//! parents appear as directories.

mod bytes;
mod erofs;
mod ext4;
mod host;
mod root;
mod tar;

use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub use ext4::Demand;
pub use host::Owner;
pub use root::Root;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A directory.
    Directory,
    /// A regular file.
    File(Vec<u8>),
    /// A regular file of the host, read when the tree is written.
    HostFile {
        /// Where it is.
        path: PathBuf,
        /// Where in it the file begins, in bytes: an archive holds many.
        start: u64,
        /// Its length in bytes.
        len: u64,
        /// Whether it may have holes.
        sparse: bool,
        /// Tells versions of `path` apart: inode, length and time of change.
        version: String,
    },
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// A device, fifo or socket.
    Special {
        /// Its type, as `st_mode & S_IFMT`.
        kind: u32,
        /// Major and minor number, of devices.
        device: [u32; 2],
    },
}

/// One file, directory, link or device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub content: Content,
    /// Permission bits, as `st_mode & 0o7777`.
    pub mode: u32,
    /// Owner and group.
    pub owner: [u32; 2],
    /// Modification time: seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
    /// Extended attributes: name and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// What all names of a file with several share.
    pub link: Option<(u64, u64)>,
}

impl Entry {
    /// A directory with the usual permissions, owned by root.
    fn directory() -> Self {
        Self {
            content: Content::Directory,
            mode: 0o755,
            owner: [0, 0],
            mtime: (0, 0),
            xattrs: Vec::new(),
            link: None,
        }
    }
}

/// A root file system.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// By path without the leading `/`; the root itself is the empty path.
    entries: BTreeMap<Vec<u8>, Entry>,
}

impl Tree {
    /// Whether nothing was put into it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts `entry` at the absolute `path`, over what was there.
    ///
    /// # Errors
    /// The path is not absolute and plain, or leads through something that is not a directory.
    pub fn insert(&mut self, path: &[u8], entry: Entry) -> Result<()> {
        let relative = plain(path)?;
        for (at, _) in relative
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
        {
            self.require_directory(&relative[..at])?;
        }
        let directory = entry.content == Content::Directory;
        if let Some(old) = self.entries.get(relative)
            && (old.content == Content::Directory) != directory
        {
            bail!(
                "expected one kind of entry at {:?} in the root file system, found a directory and a file",
                String::from_utf8_lossy(path)
            );
        }
        self.entries.insert(relative.to_vec(), entry);
        Ok(())
    }

    /// Puts a directory with the usual permissions at the absolute `path`, unless there is one.
    ///
    /// # Errors
    /// As [`Tree::insert`].
    pub fn directory(&mut self, path: &[u8]) -> Result<()> {
        if self.entries.contains_key(plain(path)?) {
            return self.require_directory(plain(path)?);
        }
        self.insert(path, Entry::directory())
    }

    /// Tells `sink` everything on which the archive depends.
    pub fn describe(&self, sink: &mut impl FnMut(String)) {
        for (path, entry) in &self.entries {
            sink(format!("{path:?} {entry:?}"));
        }
    }

    /// Tells `sink` what the tree holds, wherever it came from: names, metadata, lengths.
    pub fn describe_content(&self, sink: &mut impl FnMut(String)) {
        for (path, entry) in &self.entries {
            let mut entry = entry.clone();
            let linked = entry.link.take().is_some();
            if let Content::HostFile { len, .. } = entry.content {
                entry.content = Content::File(len.to_le_bytes().into());
            }
            sink(format!("{path:?} {entry:?} {linked}\n"));
        }
    }

    fn require_directory(&mut self, path: &[u8]) -> Result<()> {
        let entry = self
            .entries
            .entry(path.to_vec())
            .or_insert_with(Entry::directory);
        if entry.content == Content::Directory {
            return Ok(());
        }
        bail!(
            "expected a directory at \"/{}\" in the root file system, found a file",
            String::from_utf8_lossy(path)
        );
    }
}

/// `path` without its leading and trailing slashes.
fn plain(path: &[u8]) -> Result<&[u8]> {
    let shown = || String::from_utf8_lossy(path).into_owned();
    let Some(mut relative) = path.strip_prefix(b"/") else {
        bail!(
            "expected an absolute path in the root file system, found {:?}",
            shown()
        );
    };
    while let Some(shorter) = relative.strip_suffix(b"/") {
        relative = shorter;
    }
    let parts = || relative.split(|&byte| byte == b'/');
    if !relative.is_empty() && parts().any(|part| matches!(part, b"" | b"." | b"..")) {
        bail!(
            "expected a path without empty parts, `.` and `..` in the root file system, found {:?}",
            shown()
        );
    }
    if relative.contains(&0) || parts().any(|part| part.len() > 255) {
        bail!(
            "expected names of at most 255 bytes without NUL in the root file system, found {:?}",
            shown()
        );
    }
    Ok(relative)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> Entry {
        Entry {
            content: Content::File(bytes.to_vec()),
            mode: 0o644,
            ..Entry::directory()
        }
    }

    #[test]
    fn parents_appear_as_directories() {
        let mut tree = Tree::default();
        tree.insert(b"/a/b/c", file(b"x")).expect("plain");
        let paths: Vec<_> = tree.entries.keys().map(Vec::as_slice).collect();
        assert_eq!(paths, [&b"a"[..], b"a/b", b"a/b/c"]);
    }

    #[test]
    fn a_file_does_not_become_a_directory() {
        let mut tree = Tree::default();
        tree.insert(b"/a", file(b"x")).expect("plain");
        assert!(tree.insert(b"/a/b", file(b"y")).is_err());
        assert!(tree.insert(b"/a", Entry::directory()).is_err());
    }

    #[test]
    fn paths_that_are_not_plain_are_refused() {
        for path in [
            &b"a"[..],
            b"",
            b"/a//b",
            b"/a/../b",
            b"/./a",
            b"/a\0b",
            &[b'/'; 1].repeat(3),
        ] {
            let refused = Tree::default().insert(path, file(b"")).is_err();
            let only_slashes = path.iter().all(|&byte| byte == b'/') && !path.is_empty();
            assert_eq!(refused, !only_slashes, "{path:?}");
        }
        let long = [b"/", &[b'n'; 256][..]].concat();
        assert!(Tree::default().insert(&long, file(b"")).is_err());
    }
}
