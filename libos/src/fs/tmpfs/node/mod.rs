//! An inode in memory: attributes, and a body by type. What can be done with one stands in [`inode`], [`file`]
//! and [`names`].

mod file;
mod inode;
mod names;

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::fs::file::OpenFlags;
use crate::fs::inode::{Extras, FileType, NewNode, Ownership};
use crate::fs::packed::FileBytes;
use crate::fs::tmpfs::lower::{LowerBody, LowerNode};
use crate::fs::tmpfs::regular::Regular;
use crate::fs::tmpfs::xattr::Xattrs;
use crate::fs::tmpfs::{TmpFs, now};
use crate::sync::SpinLock;
use crate::user::Timespec;

use names::Names;

/// An inode of a [`TmpFs`].
pub struct Node {
    fs: Arc<TmpFs>,
    ino: u64,
    /// Taken after the body's lock, if both are.
    attributes: SpinLock<Attributes>,
    body: Body,
    extras: Extras,
}

struct Attributes {
    mode: u32,
    uid: u32,
    gid: u32,
    nlink: u32,
    atime: Timespec,
    mtime: Timespec,
    ctime: Timespec,
    btime: Timespec,
    xattrs: Option<Box<Xattrs>>,
}

enum Body {
    Regular(Regular),
    Directory(SpinLock<Names>),
    Symlink(Arc<[u8]>),
    Special(FileType, u64),
}

impl Node {
    fn new(fs: &Arc<TmpFs>, owner: Ownership, body: Body, time: Timespec) -> Arc<Self> {
        Arc::new(Self::numbered(fs, fs.new_ino(), owner, body, time))
    }

    fn numbered(fs: &Arc<TmpFs>, ino: u64, owner: Ownership, body: Body, time: Timespec) -> Self {
        fs.add_inode();
        let nlink = if matches!(body, Body::Directory(_)) {
            2
        } else {
            1
        };
        Self {
            fs: Arc::clone(fs),
            ino,
            attributes: SpinLock::new(Attributes {
                mode: owner.mode & 0o7777,
                uid: owner.uid,
                gid: owner.gid,
                nlink,
                atime: time,
                mtime: time,
                ctime: time,
                btime: time,
                xattrs: None,
            }),
            body,
            extras: Extras::default(),
        }
    }

    /// An empty directory without a name.
    pub fn directory(fs: &Arc<TmpFs>, owner: Ownership) -> Arc<Self> {
        Self::new(fs, owner, Body::Directory(SpinLock::default()), now())
    }

    /// What shows `lower` until it is changed.
    pub fn over(fs: &Arc<TmpFs>, lower: LowerNode) -> Arc<Self> {
        let body = match lower.body {
            LowerBody::Regular(bytes) => Body::Regular(Regular::over(bytes)),
            LowerBody::Directory(directory) => {
                Body::Directory(SpinLock::new(Names::over(fs, directory)))
            }
            LowerBody::Symlink(target) => Body::Symlink(target),
            LowerBody::Special(file_type, rdev) => Body::Special(file_type, rdev),
        };
        let mut node = Self::numbered(fs, lower.number, lower.owner, body, lower.mtime);
        let is_dir = node.is_dir();
        let attributes = node.attributes.get_mut();
        attributes.xattrs = lower.xattrs;
        if !is_dir {
            attributes.nlink = lower.links.max(1);
        }
        Arc::new(node)
    }

    /// A regular file that borrows `bytes` until it is changed.
    pub fn regular_over(
        fs: &Arc<TmpFs>,
        owner: Ownership,
        bytes: FileBytes,
        mtime: Timespec,
    ) -> Arc<Self> {
        Self::new(fs, owner, Body::Regular(Regular::over(bytes)), mtime)
    }

    /// An empty regular file that has no name and never gets one, such as memfd_create(2) makes.
    /// `sealable` says whether F_ADD_SEALS works on it.
    pub fn unnamed(fs: &Arc<TmpFs>, owner: Ownership, sealable: bool) -> Arc<Self> {
        let regular = Regular::default();
        if sealable {
            regular.make_sealable();
        }
        let node = Self::new(fs, owner, Body::Regular(regular), now());
        node.attributes.lock().nlink = 0;
        node
    }

    /// Inode number.
    pub fn ino(&self) -> u64 {
        self.ino
    }

    /// The content, if it is a regular file.
    pub fn regular(&self) -> Option<&Regular> {
        match &self.body {
            Body::Regular(regular) => Some(regular),
            _ => None,
        }
    }

    /// The file system it is in.
    pub fn fs(&self) -> &Arc<TmpFs> {
        &self.fs
    }

    fn is_dir(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }

    fn made(&self, owner: Ownership, node: NewNode<'_>) -> Arc<Self> {
        let body = match node {
            NewNode::Regular => Body::Regular(Regular::default()),
            NewNode::Directory => Body::Directory(SpinLock::default()),
            NewNode::Symlink(target) => Body::Symlink(Arc::from(target)),
            NewNode::Special(file_type, rdev) => Body::Special(file_type, rdev),
        };
        Self::new(&self.fs, owner, body, now())
    }

    fn touch_changed(&self) {
        let now = now();
        let mut attributes = self.attributes.lock();
        attributes.mtime = now;
        attributes.ctime = now;
    }

    fn add_links(&self, change: i32) {
        let mut attributes = self.attributes.lock();
        attributes.nlink = attributes.nlink.saturating_add_signed(change);
        attributes.ctime = now();
    }

    /// Keeps the access time as the mount option `relatime` says; the day's limit is looked at when
    /// the file is opened.
    fn touch_read(&self, flags: OpenFlags) {
        if flags.contains(OpenFlags::NOATIME) {
            return;
        }
        let mut attributes = self.attributes.lock();
        let key = |time: Timespec| (time.sec, time.nsec);
        let atime = key(attributes.atime);
        if atime <= key(attributes.mtime) || atime <= key(attributes.ctime) {
            attributes.atime = now();
        }
    }

    /// After a change of content: times, and the set-id bits go unless root writes.
    fn touch_written(&self) {
        const SET_IDS: u32 = 0o6000;
        let now = now();
        let mut attributes = self.attributes.lock();
        attributes.mtime = now;
        attributes.ctime = now;
        if attributes.mode & SET_IDS != 0 && !crate::fs::credentials().is_privileged() {
            let group_executes = attributes.mode & 0o010 != 0;
            let cleared = if group_executes { SET_IDS } else { 0o4000 };
            attributes.mode &= !cleared;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Body::Regular(regular) = &self.body {
            regular.give_back(&self.fs);
        }
        self.fs.drop_inode();
    }
}
