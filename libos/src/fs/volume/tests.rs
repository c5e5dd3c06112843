//! Inodes of a volume, over ext4 on a disk in memory.

use alloc::boxed::Box;
use alloc::sync::Arc;
use std::collections::BTreeMap;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::instance::VolumeFs;
use super::node::Node;
use super::testing::MemoryDisk;
use crate::errno::{Errno, Result};
use crate::fs::file::{File, Io, OpenFlags};
use crate::fs::inode::{Change, FileType, Inode, NewNode, Ownership, RenameMode, SyncScope};
use crate::fs::testing::Random;
use crate::user::{Dest, Source, Timespec};

const OWNER: Ownership = Ownership {
    mode: 0o644,
    uid: 0,
    gid: 0,
};

/// A mounted disk.
struct Mounted {
    disk: MemoryDisk,
    root: Arc<Node>,
}

impl Mounted {
    fn fresh(mebibytes: usize) -> Self {
        Self::of(MemoryDisk::formatted(mebibytes << 20))
    }

    fn of(disk: MemoryDisk) -> Self {
        let root = VolumeFs::mount(Box::new(disk.volume())).expect("a root");
        Self { disk, root }
    }

    /// Unmounts it, and mounts it anew.
    fn again(self) -> Self {
        self.root.unmount().expect("a disk that works");
        let Self { disk, root } = self;
        drop(root);
        Self::of(disk)
    }

    fn make(&self, name: &str, bytes: &[u8]) -> Arc<dyn Inode> {
        let inode = self
            .root
            .create(name.as_bytes(), NewNode::Regular, OWNER)
            .expect("room");
        assert_eq!(write(&inode, 0, bytes), Ok(bytes.len()));
        inode
    }

    fn find(&self, name: &str) -> Result<Arc<dyn Inode>> {
        self.root.lookup(name.as_bytes())
    }

    fn free(&self) -> u64 {
        self.root.statistics().blocks_free
    }
}

fn io(offset: u64) -> Io {
    Io {
        offset,
        flags: OpenFlags::RDWR,
    }
}

fn open(inode: &Arc<dyn Inode>) -> Arc<dyn File> {
    Arc::clone(inode).open(OpenFlags::RDWR).expect("a file")
}

fn write(inode: &Arc<dyn Inode>, offset: u64, bytes: &[u8]) -> Result<usize> {
    let written = open(inode).write(io(offset), &mut Source::kernel(bytes));
    written.map(|written| written.count)
}

fn read(inode: &Arc<dyn Inode>) -> Vec<u8> {
    let mut bytes = vec![0xaa; usize::try_from(inode.metadata().size).expect("small") + 1];
    let mut dest = Dest::kernel(&mut bytes);
    let count = open(inode)
        .read(io(0), &mut dest)
        .expect("a disk that works");
    bytes.truncate(count);
    bytes
}

fn names(directory: &Arc<dyn Inode>) -> Vec<String> {
    let file = Arc::clone(directory)
        .open(OpenFlags::empty())
        .expect("a directory");
    let mut all = Vec::new();
    let mut next = 0;
    loop {
        let before = all.len();
        // Two at a time, as a small buffer holds.
        file.read_dir(io(next), &mut |entry| {
            let takes = all.len() < before + 2;
            if takes {
                all.push(String::from_utf8(entry.name.to_vec()).expect("ASCII"));
                next = entry.next;
            }
            takes
        })
        .expect("a directory");
        if all.len() == before {
            all.sort();
            return all;
        }
    }
}

#[test]
fn what_was_written_is_there_after_the_next_mount() {
    let mounted = Mounted::fresh(32);
    let bytes: Vec<u8> = (0..300_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    let file = mounted.make("file", &bytes);
    let mtime = Timespec {
        sec: 1_600_000_000,
        nsec: 123_456_789,
    };
    let change = Change {
        mode: Some(0o4711),
        uid: Some(1000),
        gid: Some(70_000),
        mtime: Some(mtime),
        ..Change::default()
    };
    file.change(&change).expect("a disk that works");
    let root: Arc<dyn Inode> = mounted.root.clone();
    root.create(b"link", NewNode::Symlink(b"file"), OWNER)
        .expect("room");
    root.create(b"pipe", NewNode::Special(FileType::Fifo, 0), OWNER)
        .expect("room");
    root.create(b"folder", NewNode::Directory, OWNER)
        .expect("room");
    root.link(b"other", &file).expect("room");
    file.set_xattr(b"user.key", b"value", crate::fs::inode::SetXattr::Any)
        .expect("room");
    drop((file, root));

    let mounted = mounted.again();
    let root: Arc<dyn Inode> = mounted.root.clone();
    assert_eq!(
        names(&root),
        ["file", "folder", "link", "lost+found", "other", "pipe"]
    );
    let file = mounted.find("other").expect("a name");
    assert!(read(&file) == bytes);
    let known = file.metadata();
    assert_eq!(
        (known.mode, known.uid, known.gid, known.nlink),
        (0o4711, 1000, 70_000, 2)
    );
    assert_eq!(known.mtime, mtime);
    assert_eq!(file.get_xattr(b"user.key").as_deref(), Ok(&b"value"[..]));
    assert_eq!(
        mounted.find("link").expect("a name").read_link().as_deref(),
        Ok(&b"file"[..])
    );
    assert_eq!(
        mounted.find("pipe").expect("a name").file_type(),
        FileType::Fifo
    );
    assert_eq!(mounted.find("none").err(), Some(Errno::ENOENT));
    assert!(
        Arc::ptr_eq(&file, &mounted.find("file").expect("a name")),
        "one inode, one object"
    );
}

#[test]
fn a_file_without_a_name_lives_until_nobody_uses_it() {
    let mounted = Mounted::fresh(32);
    let free = mounted.free();
    let file = mounted.make("file", &[7; 2_000_000]);
    file.sync(SyncScope::File).expect("room");
    assert!(mounted.free() < free - 400);
    mounted.root.unlink(b"file").expect("a name");
    assert_eq!(mounted.find("file").err(), Some(Errno::ENOENT));
    assert_eq!(file.metadata().nlink, 0);
    assert_eq!(write(&file, 1_999_999, &[8; 2]), Ok(2));
    assert_eq!(read(&file)[1_999_998..], [7, 8, 8]);
    assert!(mounted.free() < free - 400, "its blocks are in use");
    drop(file);
    assert_eq!(mounted.free(), free);
}

#[test]
fn renaming_over_a_file_leaves_the_new_one() {
    let mounted = Mounted::fresh(32);
    let old = mounted.make("name", b"old");
    let new = mounted.make("temporary", b"new");
    let root: Arc<dyn Inode> = mounted.root.clone();
    mounted
        .root
        .rename(b"temporary", &root, b"name", RenameMode::Replace)
        .expect("room");
    assert_eq!((read(&old), old.metadata().nlink), (b"old".to_vec(), 0));
    assert_eq!(read(&mounted.find("name").expect("a name")), b"new");
    mounted.make("other", b"other");
    mounted
        .root
        .rename(b"other", &root, b"name", RenameMode::Exchange)
        .expect("two names");
    assert_eq!(read(&mounted.find("other").expect("a name")), b"new");
    drop((old, new, root));
    let mounted = mounted.again();
    assert_eq!(read(&mounted.find("name").expect("a name")), b"other");
    assert_eq!(mounted.find("temporary").err(), Some(Errno::ENOENT));
}

#[test]
fn a_full_disk_is_told_at_the_write_and_known_files_can_be_changed() {
    let mounted = Mounted::fresh(24);
    let kept = mounted.make("kept", &[1; 40_000]);
    let file = mounted.make("file", b"");
    let mut written = 0;
    let refused = loop {
        match write(&file, written, &[2; 65_536]) {
            Ok(count) => written += count as u64,
            Err(error) => break error,
        }
        assert!(written < 24 << 20, "more than the disk");
    };
    assert_eq!(refused, Errno::ENOSPC);
    assert!(written > 1 << 20, "{written} bytes fit");
    assert_eq!(
        write(&kept, 0, &[3; 40_000]),
        Ok(40_000),
        "no room is needed for this"
    );
    drop((kept, file));
    let mounted = mounted.again();
    let file = mounted.find("file").expect("a name");
    assert!(
        file.metadata().size >= written,
        "every byte that was taken is there"
    );
    assert!(read(&file).iter().all(|&byte| byte == 2));
    assert!(read(&mounted.find("kept").expect("a name")) == [3; 40_000]);
    mounted.root.unlink(b"file").expect("a name");
    drop(file);
    assert_eq!(
        mounted.make("again", &[4; 1 << 20]).metadata().size,
        1 << 20
    );
}

#[test]
fn it_agrees_with_a_map_of_names() {
    let mut random = Random::new(41);
    let mut mounted = Mounted::fresh(32);
    let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for step in 0..1500 {
        let name = std::format!("f{}", random.below(12));
        let offset = random.below(100_000);
        let from = usize::try_from(offset).expect("small");
        match random.below(10) {
            0..=3 => {
                let byte = random.number().to_le_bytes()[2];
                let len = usize::try_from(random.below(50_000)).expect("small");
                let inode = mounted
                    .find(&name)
                    .unwrap_or_else(|_| mounted.make(&name, b""));
                assert_eq!(write(&inode, offset, &vec![byte; len]), Ok(len));
                let bytes = model.entry(name).or_default();
                if len > 0 {
                    bytes.resize(bytes.len().max(from + len), 0);
                    bytes[from..from + len].fill(byte);
                }
            }
            4 => {
                let removed = mounted.root.unlink(name.as_bytes());
                assert_eq!(removed.is_ok(), model.remove(&name).is_some());
            }
            5 => {
                let other = std::format!("f{}", random.below(12));
                let root: Arc<dyn Inode> = mounted.root.clone();
                if other != name && model.contains_key(&name) {
                    let (name, new) = (name.as_bytes(), other.as_bytes());
                    mounted
                        .root
                        .rename(name, &root, new, RenameMode::Replace)
                        .expect("room");
                }
                if other != name
                    && let Some(bytes) = model.remove(&name)
                {
                    model.insert(other, bytes);
                }
            }
            6 => {
                if let Ok(inode) = mounted.find(&name) {
                    inode.truncate(offset).expect("room");
                    model.get_mut(&name).expect("known").resize(from, 0);
                }
            }
            7 if step % 50 == 0 => mounted = mounted.again(),
            8 => {
                if let Ok(inode) = mounted.find(&name) {
                    inode.sync(SyncScope::Data).expect("room");
                }
            }
            _ => {
                let bytes = mounted.find(&name).ok().map(|inode| read(&inode));
                assert!(bytes.as_ref() == model.get(&name), "step {step}, {name}");
            }
        }
    }
    let mounted = mounted.again();
    for (name, bytes) in &model {
        assert!(
            read(&mounted.find(name).expect("a name")) == *bytes,
            "{name}"
        );
    }
    let root: Arc<dyn Inode> = mounted.root.clone();
    assert_eq!(names(&root).len(), model.len() + 1);
}
