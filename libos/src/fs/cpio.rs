//! The root file system inside the image: a cpio archive in the `newc` format, read in place.
//!
//! [`index`] makes a tree of the archive in one pass over the headers; names and contents stay
//! slices of the mapped image. Format: cpio(5), kernel's `Documentation/driver-api/early-userspace/
//! buffer-format.rst`. The archive is checked, not trusted: every length is bounded by the image.

use alloc::sync::Arc;
use alloc::vec::Vec;

use hashbrown::HashMap;

use crate::errno::{Errno, Result};
use crate::fs::inode::{FileType, Ownership};
use crate::fs::tmpfs::lower::{Links, LowerDirectory, LowerEntry, LowerNode};
use crate::fs::vfs::NAME_MAX;
use crate::user::Timespec;

const HEADER: usize = 110;
const MAGIC: &[u8] = b"070701";
/// As MAGIC, with a checksum, which is not looked at.
const MAGIC_CRC: &[u8] = b"070702";
const TRAILER: &[u8] = b"TRAILER!!!";
/// "No entry" among [`Entry`]'s links.
const NONE: usize = usize::MAX;

struct Entry {
    name: &'static [u8],
    mode: u32,
    uid: u32,
    gid: u32,
    nlink: u32,
    ino: u32,
    mtime: u32,
    rdev: u64,
    data: &'static [u8],
    first_child: usize,
    last_child: usize,
    next_sibling: usize,
}

struct Index {
    entries: Vec<Entry>,
    /// The bytes of files with several names, by the archive's inode number: one of the names
    /// carries them.
    linked: HashMap<u32, &'static [u8]>,
}

/// A directory of the archive.
pub struct ArchiveDirectory {
    index: Arc<Index>,
    entry: usize,
}

/// The root directory of the archive `bytes`.
///
/// # Errors
/// EUCLEAN if it is malformed; the reason says how.
pub fn index(bytes: &'static [u8]) -> Result<ArchiveDirectory> {
    let mut builder = Builder::new();
    let mut at = 0;
    while at < bytes.len() {
        // Archives are padded with zeroes to a block, and may be concatenated behind that.
        if bytes[at] == 0 {
            at += 1;
            continue;
        }
        let record = Record::parse(bytes, at)?;
        at = record.next;
        if record.name != TRAILER {
            builder.add(&record)?;
        }
    }
    Ok(ArchiveDirectory {
        index: Arc::new(builder.index),
        entry: 0,
    })
}

impl ArchiveDirectory {
    /// Mode and owner of this directory.
    pub fn owner(&self) -> Ownership {
        self.index.entries[self.entry].owner()
    }

    /// When it was last changed.
    pub fn mtime(&self) -> Timespec {
        self.index.entries[self.entry].time()
    }
}

impl LowerDirectory for ArchiveDirectory {
    fn for_each(&self, visit: &mut dyn FnMut(LowerEntry<'_>)) {
        let mut at = self.index.entries[self.entry].first_child;
        while let Some(entry) = self.index.entries.get(at) {
            if let Some(node) = self.node(at, entry) {
                let links =
                    (entry.nlink > 1 && matches!(node, LowerNode::Regular(_))).then_some(Links {
                        group: u64::from(entry.ino),
                        count: entry.nlink,
                    });
                visit(LowerEntry {
                    name: entry.name,
                    owner: entry.owner(),
                    mtime: entry.time(),
                    node,
                    links,
                });
            }
            at = entry.next_sibling;
        }
    }
}

impl ArchiveDirectory {
    fn node(&self, at: usize, entry: &Entry) -> Option<LowerNode> {
        Some(match FileType::from_mode(entry.mode)? {
            FileType::Directory => LowerNode::Directory(Arc::new(Self {
                index: Arc::clone(&self.index),
                entry: at,
            })),
            FileType::Regular if entry.nlink > 1 => {
                let linked = self.index.linked.get(&entry.ino);
                LowerNode::Regular(linked.copied().unwrap_or(entry.data))
            }
            FileType::Regular => LowerNode::Regular(entry.data),
            FileType::Symlink => LowerNode::Symlink(entry.data),
            special => LowerNode::Special(special, entry.rdev),
        })
    }
}

impl Entry {
    fn directory(name: &'static [u8]) -> Self {
        Self {
            name,
            mode: 0o040_755,
            uid: 0,
            gid: 0,
            nlink: 2,
            ino: 0,
            mtime: 0,
            rdev: 0,
            data: &[],
            first_child: NONE,
            last_child: NONE,
            next_sibling: NONE,
        }
    }

    fn owner(&self) -> Ownership {
        Ownership {
            mode: self.mode & 0o7777,
            uid: self.uid,
            gid: self.gid,
        }
    }

    fn time(&self) -> Timespec {
        Timespec {
            sec: i64::from(self.mtime),
            nsec: 0,
        }
    }

    /// Takes over everything but the place in the tree.
    fn describe(&mut self, record: &Record) {
        self.mode = record.mode;
        self.uid = record.uid;
        self.gid = record.gid;
        self.nlink = record.nlink;
        self.ino = record.ino;
        self.mtime = record.mtime;
        self.rdev = record.rdev;
        self.data = record.data;
    }
}

struct Builder {
    index: Index,
    by_path: HashMap<&'static [u8], usize>,
}

impl Builder {
    fn new() -> Self {
        let mut by_path = HashMap::new();
        by_path.insert(&b""[..], 0);
        Self {
            index: Index {
                entries: alloc::vec![Entry::directory(b"")],
                linked: HashMap::new(),
            },
            by_path,
        }
    }

    fn add(&mut self, record: &Record) -> Result<()> {
        let path = normalize(record.name);
        let at = self.place(path)?;
        let entry = &mut self.index.entries[at];
        // A path that comes again replaces the earlier one, as when the archive is extracted; but
        // what has children stays a directory.
        if entry.first_child != NONE && record.mode & 0o170_000 != 0o040_000 {
            return Err(Errno::EUCLEAN.because("cpio: a file replaces a directory with entries"));
        }
        entry.describe(record);
        if record.nlink > 1 && !record.data.is_empty() {
            self.index.linked.insert(record.ino, record.data);
        }
        Ok(())
    }

    /// The entry at `path`; made, with all directories above it, if need be.
    fn place(&mut self, path: &'static [u8]) -> Result<usize> {
        if let Some(&at) = self.by_path.get(path) {
            return Ok(at);
        }
        let (above, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (normalize(&path[..slash]), &path[slash + 1..]),
            None => (&b""[..], path),
        };
        if matches!(name, b"" | b"." | b"..") || name.len() > NAME_MAX {
            return Err(Errno::EUCLEAN.because("cpio: a name that no file can have"));
        }
        let parent = self.place(above)?;
        if self.index.entries[parent].mode & 0o170_000 != 0o040_000 {
            return Err(Errno::EUCLEAN.because("cpio: an entry below something not a directory"));
        }
        let at = self.index.entries.len();
        self.index.entries.push(Entry::directory(name));
        let last = core::mem::replace(&mut self.index.entries[parent].last_child, at);
        match self.index.entries.get_mut(last) {
            Some(last) => last.next_sibling = at,
            None => self.index.entries[parent].first_child = at,
        }
        self.by_path.insert(path, at);
        Ok(at)
    }
}

/// A path without leading `/` or `./` and trailing slashes; the root is empty.
fn normalize(mut path: &'static [u8]) -> &'static [u8] {
    loop {
        path = match path {
            [b'/', rest @ ..] | [b'.', b'/', rest @ ..] | [rest @ .., b'/'] => rest,
            b"." => b"",
            _ => return path,
        };
    }
}

struct Record {
    name: &'static [u8],
    ino: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    nlink: u32,
    mtime: u32,
    rdev: u64,
    data: &'static [u8],
    /// Offset of the next record.
    next: usize,
}

impl Record {
    fn parse(bytes: &'static [u8], at: usize) -> Result<Self> {
        let short = || Errno::EUCLEAN.because("cpio: the archive ends inside an entry");
        let header = bytes.get(at..at + HEADER).ok_or_else(short)?;
        if !header.starts_with(MAGIC) && !header.starts_with(MAGIC_CRC) {
            return Err(Errno::EUCLEAN.because("cpio: expected the magic 070701 of a newc header"));
        }
        let field = |number: usize| hex(&header[6 + number * 8..14 + number * 8]);
        let size = usize::try_from(field(6)?).map_err(|_| short())?;
        let name_size = usize::try_from(field(11)?).map_err(|_| short())?;
        let name_start = at + HEADER;
        let name_end = name_start.checked_add(name_size).ok_or_else(short)?;
        let name = bytes.get(name_start..name_end).ok_or_else(short)?;
        let name = name
            .split_last()
            .filter(|(nul, name)| **nul == 0 && !name.contains(&0))
            .map(|(_, name)| name)
            .ok_or_else(|| Errno::EUCLEAN.because("cpio: a name without its NUL"))?;
        let data_start = align(name_end);
        let data_end = data_start.checked_add(size).ok_or_else(short)?;
        Ok(Self {
            name,
            ino: field(0)?,
            mode: field(1)?,
            uid: field(2)?,
            gid: field(3)?,
            nlink: field(4)?,
            mtime: field(5)?,
            rdev: device(field(9)?, field(10)?),
            data: bytes.get(data_start..data_end).ok_or_else(short)?,
            next: align(data_end),
        })
    }
}

const fn align(offset: usize) -> usize {
    (offset + 3) & !3
}

fn hex(digits: &[u8]) -> Result<u32> {
    digits.iter().try_fold(0_u32, |value, &digit| {
        let digit = char::from(digit)
            .to_digit(16)
            .ok_or(Errno::EUCLEAN.because("cpio: a header field is not hexadecimal"))?;
        Ok(value << 4 | digit)
    })
}

/// A device number as stat(2) encodes it.
pub const fn device(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}

#[cfg(test)]
pub mod testing {
    //! Archives for tests.

    use std::vec::Vec;

    /// Writes `newc` records.
    #[derive(Default)]
    pub struct Writer {
        bytes: Vec<u8>,
        ino: u32,
    }

    impl Writer {
        /// Adds an entry with an inode number of its own.
        #[must_use]
        pub fn add(mut self, name: &str, mode: u32, data: &[u8]) -> Self {
            self.ino += 1;
            let ino = self.ino;
            self.add_linked(name, mode, data, 1, ino)
        }

        /// Adds an entry.
        #[must_use]
        pub fn add_linked(
            mut self,
            name: &str,
            mode: u32,
            data: &[u8],
            nlink: u32,
            ino: u32,
        ) -> Self {
            let fields = [
                ino,
                mode,
                0,
                0,
                nlink,
                1_600_000_000,
                u32::try_from(data.len()).expect("small"),
                0,
                0,
                0,
                0,
                u32::try_from(name.len() + 1).expect("small"),
                0,
            ];
            self.bytes.extend_from_slice(b"070701");
            for field in fields {
                self.bytes
                    .extend_from_slice(std::format!("{field:08x}").as_bytes());
            }
            self.bytes.extend_from_slice(name.as_bytes());
            self.bytes.push(0);
            self.pad();
            self.bytes.extend_from_slice(data);
            self.pad();
            self
        }

        fn pad(&mut self) {
            while !self.bytes.len().is_multiple_of(4) {
                self.bytes.push(0);
            }
        }

        /// The archive, for the life of the test process.
        pub fn finish(self) -> &'static [u8] {
            let mut bytes = self.add("TRAILER!!!", 0, b"").bytes;
            bytes.resize(bytes.len().next_multiple_of(512), 0);
            Vec::leak(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Writer;
    use super::*;
    use std::string::String;

    fn list(directory: &dyn LowerDirectory, prefix: &str, out: &mut Vec<String>) {
        directory.for_each(&mut |entry| {
            let path = std::format!("{prefix}/{}", String::from_utf8_lossy(entry.name));
            let text = match &entry.node {
                LowerNode::Regular(data) => String::from_utf8_lossy(data).into_owned(),
                LowerNode::Symlink(to) => std::format!("-> {}", String::from_utf8_lossy(to)),
                LowerNode::Directory(_) => "dir".into(),
                LowerNode::Special(_, rdev) => std::format!("device {rdev:#x}"),
            };
            out.push(std::format!("{path} {:o} {text}", entry.owner.mode));
            if let LowerNode::Directory(below) = &entry.node {
                list(&**below, &path, out);
            }
        });
    }

    #[test]
    fn the_tree_of_an_archive() {
        let bytes = Writer::default()
            .add(".", 0o040_755, b"")
            .add("./etc", 0o040_700, b"")
            .add("etc/hosts", 0o100_644, b"localhost\n")
            .add("/usr/share/deep/file", 0o100_755, b"abc")
            .add("link", 0o120_777, b"etc/hosts")
            .finish();
        let root = index(bytes).expect("well-formed");
        let mut out = Vec::new();
        list(&root, "", &mut out);
        assert_eq!(
            out,
            [
                "/etc 700 dir",
                "/etc/hosts 644 localhost\n",
                "/usr 755 dir",
                "/usr/share 755 dir",
                "/usr/share/deep 755 dir",
                "/usr/share/deep/file 755 abc",
                "/link 777 -> etc/hosts",
            ]
        );
    }

    #[test]
    fn names_of_one_file_share_its_bytes() {
        let bytes = Writer::default()
            .add_linked("a", 0o100_644, b"", 2, 77)
            .add_linked("b", 0o100_644, b"shared", 2, 77)
            .finish();
        let mut seen = Vec::new();
        index(bytes).expect("well-formed").for_each(&mut |entry| {
            let LowerNode::Regular(data) = entry.node else {
                panic!("a regular file")
            };
            seen.push((data, entry.links));
        });
        let links = Some(Links {
            group: 77,
            count: 2,
        });
        assert_eq!(seen, [(&b"shared"[..], links), (b"shared", links)]);
    }

    #[test]
    fn malformed_archives_are_refused() {
        let good = Writer::default().add("a", 0o100_644, b"data").finish();
        for cut in 1..116 {
            let bytes: &'static [u8] = Vec::leak(good[..cut].to_vec());
            assert!(index(bytes).is_err(), "cut at {cut}");
        }
        for name in ["../x", "a/../b", "x//y/./z"] {
            let bytes = Writer::default().add(name, 0o100_644, b"").finish();
            assert!(index(bytes).is_err(), "{name}");
        }
        let below_file = Writer::default()
            .add("a", 0o100_644, b"")
            .add("a/b", 0o100_644, b"")
            .finish();
        assert!(index(below_file).is_err());
        assert!(index(b"070701zz").is_err());
    }

    #[test]
    fn a_thousand_files_are_indexed_fast() {
        let mut writer = Writer::default();
        for number in 0..1000 {
            writer = writer.add(
                &std::format!("dir{}/file{number}", number % 20),
                0o100_644,
                b"x",
            );
        }
        let bytes = writer.finish();
        let start = std::time::Instant::now();
        let root = index(bytes).expect("well-formed");
        // Unoptimised and on a busy machine; optimised it is a fifth of a millisecond.
        assert!(start.elapsed() < std::time::Duration::from_millis(50));
        assert_eq!(root.index.entries.len(), 1021);
    }
}
