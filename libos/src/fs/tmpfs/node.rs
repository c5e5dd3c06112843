//! An inode in memory: attributes, and a body by type.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::file::{Anonymous, File, Io, OpenFlags, Written};
use crate::fs::inode::{
    Allocate, Change, EmitEntry, Extras, FileType, FsStatistics, Inode, Metadata, NewNode,
    Ownership, RenameMode, SeekTo, SetXattr,
};
use crate::fs::packed::FileBytes;
use crate::fs::tmpfs::directory::Directory;
use crate::fs::tmpfs::lower::{LowerDirectory, LowerEntry, LowerNode};
use crate::fs::tmpfs::regular::Regular;
use crate::fs::tmpfs::xattr::Xattrs;
use crate::fs::tmpfs::{TmpFs, now};
use crate::sync::SpinLock;
use crate::user::{Dest, Source, Timespec};

/// What Linux counts for each name in the size of a tmpfs directory.
const BYTES_PER_NAME: u64 = 20;

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

#[derive(Default)]
struct Names {
    names: Directory,
    /// The lower twin, until its names were taken over.
    lower: Option<Arc<dyn LowerDirectory>>,
    subdirectories: u32,
}

impl Node {
    fn new(fs: &Arc<TmpFs>, owner: Ownership, body: Body, time: Timespec) -> Arc<Self> {
        let nlink = if matches!(body, Body::Directory(_)) {
            2
        } else {
            1
        };
        Arc::new(Self {
            fs: Arc::clone(fs),
            ino: fs.new_ino(),
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
        })
    }

    /// An empty directory without a name.
    pub fn directory(fs: &Arc<TmpFs>, owner: Ownership) -> Arc<Self> {
        Self::new(fs, owner, Body::Directory(SpinLock::default()), now())
    }

    /// A directory over a lower one.
    pub fn directory_over(
        fs: &Arc<TmpFs>,
        owner: Ownership,
        lower: Arc<dyn LowerDirectory>,
        mtime: Timespec,
    ) -> Arc<Self> {
        let names = Names {
            lower: Some(lower),
            ..Names::default()
        };
        Self::new(fs, owner, Body::Directory(SpinLock::new(names)), mtime)
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

    /// Runs `act` on the names, which were taken over from the lower twin.
    fn with_names<T>(&self, act: impl FnOnce(&mut Names) -> Result<T>) -> Result<T> {
        let Body::Directory(names) = &self.body else {
            return Err(Errno::ENOTDIR);
        };
        let mut names = names.lock();
        if let Some(lower) = names.lower.take() {
            self.take_over(&mut names, &*lower);
        }
        act(&mut names)
    }

    fn take_over(&self, names: &mut Names, lower: &dyn LowerDirectory) {
        lower.for_each(&mut |entry| {
            let node = self.over(&entry);
            // A lower directory has each name once; a second one would be left out.
            let _ = names.insert(entry.name, node);
        });
    }

    fn over(&self, entry: &LowerEntry<'_>) -> Arc<Self> {
        let (fs, owner, time) = (&self.fs, entry.owner, entry.mtime);
        let make = || match &entry.node {
            LowerNode::Regular(bytes) => {
                Self::regular_over(fs, owner, FileBytes::from(*bytes), time)
            }
            LowerNode::Directory(lower) => Self::directory_over(fs, owner, Arc::clone(lower), time),
            LowerNode::Symlink(target) => {
                Self::new(fs, owner, Body::Symlink(Arc::from(*target)), time)
            }
            LowerNode::Special(file_type, rdev) => {
                Self::new(fs, owner, Body::Special(*file_type, *rdev), time)
            }
        };
        match entry.links {
            Some(links) => {
                let node = fs.link_group(links.group, make);
                node.attributes.lock().nlink = links.count;
                node
            }
            None => make(),
        }
    }

    /// Puts an existing node under a new name; for building the tree at start-up.
    ///
    /// # Errors
    /// EEXIST, ENOTDIR.
    pub fn attach(&self, name: &[u8], node: Arc<Self>) -> Result<()> {
        self.with_names(|names| names.insert(name, node))
    }

    /// The node behind `name`.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR.
    pub fn child(&self, name: &[u8]) -> Result<Arc<Self>> {
        self.with_names(|names| names.find(name))
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

    fn sibling(inode: &Arc<dyn Inode>) -> Result<Arc<Self>> {
        let any: Arc<dyn core::any::Any + Send + Sync> = Arc::clone(inode) as _;
        any.downcast().map_err(|_| Errno::EXDEV)
    }

    fn replace(&self, name: &[u8], new_parent: &Self, new_name: &[u8]) -> Result<()> {
        let moved = self.with_names(|names| names.find(name))?;
        let victim = new_parent.with_names(|names| Ok(names.names.get(new_name).cloned()))?;
        if let Some(victim) = &victim
            && victim.is_dir()
        {
            victim.with_names(|names| names.check_empty())?;
        }
        self.with_names(|names| names.remove(name).map(drop))?;
        new_parent.with_names(|names| match &victim {
            Some(victim) => {
                names.subdirectories += u32::from(moved.is_dir());
                names.subdirectories -= u32::from(victim.is_dir());
                names.names.replace(new_name, Arc::clone(&moved)).map(drop)
            }
            None => names.insert(new_name, Arc::clone(&moved)),
        })?;
        if let Some(victim) = victim {
            victim.add_links(if victim.is_dir() { -2 } else { -1 });
        }
        self.moved(&moved, new_parent);
        Ok(())
    }

    fn exchange(&self, name: &[u8], other: &Self, other_name: &[u8]) -> Result<()> {
        let first = self.with_names(|names| names.find(name))?;
        let second = other.with_names(|names| names.find(other_name))?;
        self.with_names(|names| names.replace(name, &first, &second))?;
        other.with_names(|names| names.replace(other_name, &second, &first))?;
        self.moved(&first, other);
        second.attributes.lock().ctime = now();
        Ok(())
    }

    fn moved(&self, moved: &Self, new_parent: &Self) {
        moved.attributes.lock().ctime = now();
        self.touch_changed();
        new_parent.touch_changed();
    }
}

impl Names {
    fn find(&self, name: &[u8]) -> Result<Arc<Node>> {
        self.names.get(name).cloned().ok_or(Errno::ENOENT)
    }

    fn insert(&mut self, name: &[u8], node: Arc<Node>) -> Result<()> {
        let is_dir = node.is_dir();
        self.names.insert(name, node)?;
        self.subdirectories += u32::from(is_dir);
        Ok(())
    }

    fn remove(&mut self, name: &[u8]) -> Result<Arc<Node>> {
        let node = self.names.remove(name)?;
        self.subdirectories -= u32::from(node.is_dir());
        Ok(node)
    }

    fn replace(&mut self, name: &[u8], old: &Arc<Node>, new: &Arc<Node>) -> Result<()> {
        self.names.replace(name, Arc::clone(new))?;
        self.subdirectories += u32::from(new.is_dir());
        self.subdirectories -= u32::from(old.is_dir());
        Ok(())
    }

    fn check_empty(&self) -> Result<()> {
        match self.names.is_empty() {
            true => Ok(()),
            false => Err(Errno::ENOTEMPTY),
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

impl Inode for Node {
    fn file_type(&self) -> FileType {
        match &self.body {
            Body::Regular(_) => FileType::Regular,
            Body::Directory(_) => FileType::Directory,
            Body::Symlink(_) => FileType::Symlink,
            Body::Special(file_type, _) => *file_type,
        }
    }

    fn metadata(&self) -> Metadata {
        let (size, blocks, subdirectories) = match &self.body {
            Body::Regular(regular) => {
                let (size, pages) = regular.usage();
                (size, pages * 8, 0)
            }
            Body::Symlink(target) => (target.len() as u64, 0, 0),
            Body::Special(..) => (0, 0, 0),
            Body::Directory(_) => self
                .with_names(|names| {
                    let size = names.names.len() as u64 * BYTES_PER_NAME;
                    Ok((size, 0, names.subdirectories))
                })
                .unwrap_or_default(),
        };
        let attributes = self.attributes.lock();
        Metadata {
            dev: self.fs.dev,
            ino: self.ino,
            file_type: self.file_type(),
            mode: attributes.mode,
            nlink: attributes.nlink + subdirectories,
            uid: attributes.uid,
            gid: attributes.gid,
            rdev: match &self.body {
                Body::Special(_, rdev) => *rdev,
                _ => 0,
            },
            size,
            blocks,
            block_size: 4096,
            atime: attributes.atime,
            mtime: attributes.mtime,
            ctime: attributes.ctime,
            btime: attributes.btime,
        }
    }

    fn ownership(&self) -> Ownership {
        let attributes = self.attributes.lock();
        Ownership {
            mode: attributes.mode,
            uid: attributes.uid,
            gid: attributes.gid,
        }
    }

    fn change(&self, change: &Change) -> Result<()> {
        let mut attributes = self.attributes.lock();
        attributes.mode = change.mode.unwrap_or(attributes.mode);
        attributes.uid = change.uid.unwrap_or(attributes.uid);
        attributes.gid = change.gid.unwrap_or(attributes.gid);
        attributes.atime = change.atime.unwrap_or(attributes.atime);
        attributes.mtime = change.mtime.unwrap_or(attributes.mtime);
        attributes.ctime = now();
        Ok(())
    }

    fn statistics(&self) -> FsStatistics {
        self.fs.statistics()
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        self.with_names(|names| names.find(name))
            .map(|node| node as Arc<dyn Inode>)
    }

    fn create(&self, name: &[u8], node: NewNode<'_>, owner: Ownership) -> Result<Arc<dyn Inode>> {
        self.fs.check_inodes()?;
        let node = self.made(owner, node);
        self.with_names(|names| names.insert(name, Arc::clone(&node)))?;
        self.touch_changed();
        Ok(node)
    }

    fn create_unnamed(&self, owner: Ownership) -> Result<Arc<dyn Inode>> {
        self.fs.check_inodes()?;
        let node = self.made(owner, NewNode::Regular);
        node.attributes.lock().nlink = 0;
        Ok(node)
    }

    fn link(&self, name: &[u8], inode: &Arc<dyn Inode>) -> Result<()> {
        let node = Self::sibling(inode)?;
        self.with_names(|names| names.insert(name, Arc::clone(&node)))?;
        node.add_links(1);
        self.touch_changed();
        Ok(())
    }

    fn unlink(&self, name: &[u8]) -> Result<()> {
        let node = self.with_names(|names| {
            let node = names.find(name)?;
            match node.is_dir() {
                true => Err(Errno::EISDIR),
                false => names.remove(name),
            }
        })?;
        node.add_links(-1);
        self.touch_changed();
        Ok(())
    }

    fn rmdir(&self, name: &[u8]) -> Result<()> {
        let node = self.with_names(|names| names.find(name))?;
        node.with_names(|names| names.check_empty())?;
        self.with_names(|names| names.remove(name))?;
        node.add_links(-2);
        self.touch_changed();
        Ok(())
    }

    fn rename(
        &self,
        name: &[u8],
        new_parent: &Arc<dyn Inode>,
        new_name: &[u8],
        mode: RenameMode,
    ) -> Result<()> {
        let new_parent = Self::sibling(new_parent)?;
        match mode {
            RenameMode::Replace => self.replace(name, &new_parent, new_name),
            RenameMode::Exchange => self.exchange(name, &new_parent, new_name),
        }
    }

    fn read_dir(&self, cookie: u64, emit: &mut EmitEntry<'_>) -> Result<()> {
        self.with_names(|names| {
            names.names.list(cookie, emit);
            Ok(())
        })
    }

    fn read_link(&self) -> Result<Arc<[u8]>> {
        match &self.body {
            Body::Symlink(target) => Ok(Arc::clone(target)),
            _ => Err(Errno::EINVAL),
        }
    }

    fn open(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>> {
        match &self.body {
            Body::Regular(_) | Body::Directory(_) => Ok(self),
            Body::Symlink(_) => Err(Errno::ELOOP),
            Body::Special(file_type, rdev) => {
                crate::fs::devfs::open_special(&self, *file_type, *rdev, flags)
            }
        }
    }

    fn truncate(&self, size: u64) -> Result<()> {
        match &self.body {
            Body::Regular(regular) => {
                regular.truncate(&self.fs, size)?;
                self.touch_written();
                Ok(())
            }
            Body::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    fn allocate(&self, what: Allocate, offset: u64, len: u64) -> Result<()> {
        let regular = self.regular().ok_or(Errno::ENODEV)?;
        regular.allocate(&self.fs, what, offset, len)?;
        self.touch_written();
        Ok(())
    }

    fn seek(&self, offset: u64, to: SeekTo) -> Result<u64> {
        self.regular().ok_or(Errno::EINVAL)?.seek(offset, to)
    }

    fn get_xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        match &self.attributes.lock().xattrs {
            Some(xattrs) => xattrs.get(name),
            None => Err(Errno::ENODATA),
        }
    }

    fn set_xattr(&self, name: &[u8], value: &[u8], mode: SetXattr) -> Result<()> {
        let mut attributes = self.attributes.lock();
        let xattrs = attributes.xattrs.get_or_insert_default();
        xattrs.set(name, value, mode)?;
        attributes.ctime = now();
        Ok(())
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        let mut attributes = self.attributes.lock();
        let xattrs = attributes.xattrs.as_mut().ok_or(Errno::ENODATA)?;
        xattrs.remove(name)?;
        attributes.ctime = now();
        Ok(())
    }

    fn list_xattrs(&self) -> Result<Vec<u8>> {
        let attributes = self.attributes.lock();
        Ok(attributes
            .xattrs
            .as_ref()
            .map_or_else(Vec::new, |all| all.names()))
    }

    fn extras(&self) -> Option<&Extras> {
        Some(&self.extras)
    }
}

impl File for Node {
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        match &self.body {
            Body::Regular(regular) => {
                let count = regular.read(io.offset, dest)?;
                self.touch_read(io.flags);
                Ok(count)
            }
            Body::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    fn write(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        let regular = self.regular().ok_or(Errno::EINVAL)?;
        let written = regular.write(&self.fs, io, source)?;
        if written.count > 0 {
            self.touch_written();
        }
        Ok(written)
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn read_dir(&self, io: Io, emit: &mut EmitEntry<'_>) -> Result<()> {
        Inode::read_dir(self, io.offset, emit)?;
        self.touch_read(io.flags);
        Ok(())
    }

    fn anonymous(&self) -> Anonymous {
        Anonymous {
            st_mode: self.metadata().st_mode(),
            ino: self.ino,
            rdev: 0,
            label: "file",
        }
    }

    fn readable_bytes(&self) -> Option<usize> {
        let size = self.regular()?.usage().0;
        Some(usize::try_from(size).unwrap_or(usize::MAX))
    }

    fn pages(&self, offset: u64, len: usize) -> Result<crate::fs::file::FilePages> {
        let regular = self.regular().ok_or(Errno::ENODEV)?;
        regular.pages(&self.fs, offset, len)
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
