//! The root file system inside the image: EROFS, read where it is mapped.
//!
//! [`open`] looks at the superblock alone. Names, attributes and contents are found when
//! [`crate::fs::tmpfs`], which lies over it, asks; contents stay slices of the mapped image. The format
//! and its checks are `libos_erofs`'s.

use alloc::boxed::Box;
use alloc::sync::Arc;

use libos_erofs::{Chunks, Damaged, Data, Image, Inode};

use crate::errno::{Errno, Result};
use crate::fs::inode::{FileType, Ownership, SetXattr, device_number};
use crate::fs::packed::{FileBytes, Rest};
use crate::fs::tmpfs::lower::{LowerBody, LowerDirectory, LowerNode};
use crate::fs::tmpfs::xattr::Xattrs;
use crate::fs::vfs::PATH_MAX;
use crate::user::Timespec;

/// The root directory of the image `bytes`, and a number greater than all of its inodes'.
///
/// # Errors
/// EUCLEAN if it is malformed; the reason says how.
pub fn open(bytes: &'static [u8]) -> Result<(LowerNode, u64)> {
    let image: &'static Image<'_> = Box::leak(Box::new(Image::open(bytes).map_err(damaged)?));
    Ok((
        node(&image.root().map_err(damaged)?)?,
        image.end_of_numbers(),
    ))
}

fn damaged(damaged: Damaged) -> Errno {
    Errno::EUCLEAN.because(damaged.0)
}

/// Why a listing ended; a type of its own, since a second `From` for [`Errno`] makes the types of others'
/// errors ambiguous.
struct Ended(Errno);

impl From<Damaged> for Ended {
    fn from(error: Damaged) -> Self {
        Self(damaged(error))
    }
}

struct Directory(Inode<'static>);

impl LowerDirectory for Directory {
    fn find(&self, name: &[u8]) -> Result<Option<u64>> {
        self.0.lookup(name).map_err(damaged)
    }

    fn node(&self, number: u64) -> Result<LowerNode> {
        node(&self.0.image().inode(number).map_err(damaged)?)
    }

    fn for_each(&self, visit: &mut dyn FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
        self.0
            .for_each::<Ended>(&mut |entry| visit(entry.name, entry.nid).map_err(Ended))
            .map_err(|ended| ended.0)
    }

    fn counts(&self) -> (usize, u32) {
        let names = self.0.entry_count().unwrap_or(0);
        (
            usize::try_from(names).unwrap_or(0),
            self.0.links.saturating_sub(2),
        )
    }
}

fn node(inode: &Inode<'static>) -> Result<LowerNode> {
    let file_type = FileType::from_mode(inode.mode)
        .ok_or(Errno::EUCLEAN.because("erofs: expected a type of file"))?;
    let body = match file_type {
        FileType::Regular => LowerBody::Regular(bytes(inode.data().map_err(damaged)?)),
        FileType::Directory => LowerBody::Directory(Arc::new(Directory(*inode))),
        FileType::Symlink => LowerBody::Symlink(target(inode)?),
        special => {
            let (major, minor) = inode.device();
            LowerBody::Special(special, device_number(major, minor))
        }
    };
    let (sec, nsec) = inode.mtime;
    Ok(LowerNode {
        number: inode.nid,
        owner: Ownership {
            mode: inode.mode & 0o7777,
            uid: inode.uid,
            gid: inode.gid,
        },
        mtime: Timespec {
            sec,
            nsec: nsec.into(),
        },
        links: inode.links,
        xattrs: xattrs(inode)?,
        body,
    })
}

fn bytes(data: Data<'static>) -> FileBytes {
    match data {
        Data::Pieces(plain, []) => plain.into(),
        Data::Pieces(plain, tail) => FileBytes {
            plain,
            rest: Rest::Plain(tail),
        },
        Data::Chunks(chunks) => FileBytes {
            plain: &[],
            rest: Rest::Chunks(kept(chunks)),
        },
    }
}

/// Such files are few, and their nodes stay.
fn kept(chunks: Chunks<'static>) -> &'static Chunks<'static> {
    Box::leak(Box::new(chunks))
}

fn target(inode: &Inode<'static>) -> Result<Arc<[u8]>> {
    match inode.data().map_err(damaged)? {
        Data::Pieces(head, tail) if (1..PATH_MAX as u64).contains(&inode.size) => {
            Ok([head, tail].concat().into())
        }
        _ => Err(Errno::EUCLEAN.because("erofs: expected the target of a symlink")),
    }
}

fn xattrs(inode: &Inode<'static>) -> Result<Option<Box<Xattrs>>> {
    let mut all: Option<Box<Xattrs>> = None;
    let mut result = Ok(());
    inode
        .xattrs(&mut |prefix, name, value| {
            let name = [prefix, name].concat();
            let xattrs = all.get_or_insert_default();
            result = result.and(xattrs.set(&name, value, SetXattr::Any));
        })
        .map_err(damaged)?;
    result.map(|()| all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::inode::{Inode as _, NewNode};
    use crate::fs::testing::Writer;
    use crate::fs::tmpfs::{Node, TmpFs};
    use std::string::String;
    use std::vec::Vec;

    const OWNER: Ownership = Ownership {
        mode: 0o644,
        uid: 0,
        gid: 0,
    };

    fn root(bytes: &'static [u8]) -> Arc<Node> {
        let (lower, end) = open(bytes).expect("well-formed");
        let fs = TmpFs::new(1 << 20);
        fs.number_from(end);
        Node::over(&fs, lower)
    }

    fn names(directory: &Node) -> Vec<String> {
        let mut names = Vec::new();
        let mut emit = |entry: crate::fs::inode::DirEntry<'_>| {
            names.push(String::from_utf8_lossy(entry.name).into_owned());
            true
        };
        crate::fs::inode::Inode::read_dir(directory, 0, &mut emit).expect("a directory");
        names.sort();
        names
    }

    fn small() -> &'static [u8] {
        Writer::default()
            .add("a", 0o100_600, b"alpha")
            .add_link("b", "a")
            .add("dir/file", 0o100_644, &[7; 5000])
            .add("link", 0o120_777, b"a")
            .add("null", 0o020_666, b"")
            .finish()
    }

    #[test]
    fn attributes_and_numbers_are_the_images() {
        let root = root(small());
        let a = root.child(b"a").expect("there");
        assert!(Arc::ptr_eq(&a, &root.child(b"b").expect("there")));
        let found = a.metadata();
        assert_eq!((found.nlink, found.size, found.mode), (2, 5, 0o600));
        assert_eq!((found.mtime.sec, found.mtime.nsec), (1_600_000_000, 5));
        assert_eq!(root.metadata().nlink, 3);
        assert_eq!(
            root.child(b"null").expect("there").metadata().rdev,
            device_number(1, 3)
        );
        let made = root.create(b"new", NewNode::Regular, OWNER);
        assert!(made.expect("room").metadata().ino > found.ino);
    }

    #[test]
    fn names_are_counted_and_listed_whatever_was_looked_up_before() {
        let root = root(small());
        assert_eq!(root.metadata().size, 5 * 20);
        root.child(b"dir").expect("there");
        root.child(b"a").expect("there");
        assert_eq!((root.metadata().size, root.metadata().nlink), (5 * 20, 3));
        assert!(root.create(b"b", NewNode::Regular, OWNER).is_err());
        root.create(b"c", NewNode::Directory, OWNER).expect("room");
        assert_eq!((root.metadata().size, root.metadata().nlink), (6 * 20, 4));
        assert_eq!(names(&root), ["a", "b", "c", "dir", "link", "null"]);
        assert_eq!((root.metadata().size, root.metadata().nlink), (6 * 20, 4));
    }

    #[test]
    fn a_removed_name_does_not_come_back() {
        let root = root(small());
        root.unlink(b"a").expect("a file");
        assert_eq!(root.child(b"a").err(), Some(Errno::ENOENT));
        assert_eq!(root.child(b"b").expect("there").metadata().nlink, 1);
        assert_eq!(root.rmdir(b"dir").err(), Some(Errno::ENOTEMPTY));
        assert_eq!(names(&root), ["b", "dir", "link", "null"]);
    }

    /// Everything that a walk would touch.
    fn look(node: &Arc<Node>, depth: u32) {
        let _ = (node.metadata(), node.list_xattrs(), node.read_link());
        let mut bytes = [0; 64];
        let _ = node
            .regular()
            .map(|regular| regular.read(0, &mut crate::user::Dest::kernel(&mut bytes)));
        let mut below = Vec::new();
        let mut emit = |entry: crate::fs::inode::DirEntry<'_>| {
            below.push(entry.name.to_vec());
            true
        };
        let _ = crate::fs::inode::Inode::read_dir(&**node, 0, &mut emit);
        for name in below.iter().filter(|_| depth < 4) {
            if let Ok(child) = node.child(name) {
                look(&child, depth + 1);
            }
        }
    }

    #[test]
    fn every_damaged_byte_is_an_error_or_another_tree() {
        let good = small();
        for at in 1024..good.len().min(4096) {
            let mut bad = good.to_vec();
            bad[at] ^= 0x15;
            let bytes: &'static [u8] = Vec::leak(bad);
            if let Ok((lower, _)) = open(bytes) {
                look(&Node::over(&TmpFs::new(1 << 20), lower), 0);
            }
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let refused = open(&[0; 4096]).err().map(|error| error.number());
        assert_eq!(refused, Some(Errno::EUCLEAN.number()));
    }
}
