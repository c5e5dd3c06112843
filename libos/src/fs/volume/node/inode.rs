//! What the virtual file system asks of an inode of a volume.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use libos_abi::driver::{AttributeChange, change};

use super::directory::OpenDirectory;
use super::{Node, shown, stored};
use crate::errno::{Errno, Result};
use crate::fs::file::{File, OpenFlags};
use crate::fs::inode::{
    Allocate, Change, EmitEntry, Extras, FileType, FsStatistics, Inode, Metadata, NewNode,
    Ownership, RenameMode, SeekTo, SetXattr, SyncScope,
};
use crate::fs::vfs::PATH_MAX;
use crate::fs::volume::{Caching, NewFile};

impl Inode for Node {
    fn file_type(&self) -> FileType {
        self.file_type
    }

    fn metadata(&self) -> Metadata {
        let state = self.fresh();
        let known = &state.attributes;
        let pending = state.pages.dirty();
        Metadata {
            dev: self.fs.dev,
            ino: known.ino,
            file_type: self.file_type,
            mode: known.mode & 0o7777,
            nlink: known.nlink,
            uid: known.uid,
            gid: known.gid,
            rdev: known.rdev,
            size: match self.file_type {
                FileType::Regular => state.pages.size(),
                _ => known.size,
            },
            blocks: known.blocks.max(pending * 8),
            block_size: 4096,
            atime: shown(known.atime),
            mtime: shown(known.mtime),
            ctime: shown(known.ctime),
            btime: shown(known.btime),
        }
    }

    fn ownership(&self) -> Ownership {
        let state = self.fresh();
        Ownership {
            mode: state.attributes.mode & 0o7777,
            uid: state.attributes.uid,
            gid: state.attributes.gid,
        }
    }

    fn change(&self, new: &Change) -> Result<()> {
        let mut state = self.fresh();
        // Times that the volume lacks must not overwrite these later.
        state.write_back(&mut self.store())?;
        let owner = new.uid.is_some() || new.gid.is_some();
        let known = &state.attributes;
        let wanted = [
            (new.mode.is_some(), change::MODE),
            (owner, change::OWNER),
            (new.atime.is_some(), change::ATIME),
            (new.mtime.is_some(), change::MTIME),
        ];
        let valid = wanted
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, bit)| bit)
            .sum();
        let change = AttributeChange {
            valid,
            mode: new.mode.unwrap_or(known.mode) & 0o7777,
            uid: new.uid.unwrap_or(known.uid),
            gid: new.gid.unwrap_or(known.gid),
            atime: new.atime.map_or(known.atime, stored),
            mtime: new.mtime.map_or(known.mtime, stored),
        };
        state.is_stale = true;
        self.fs.volume().change(self.number, &change)
    }

    fn statistics(&self) -> FsStatistics {
        self.fs.statistics()
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        self.child(name).map(|node| node as Arc<dyn Inode>)
    }

    fn names_are_stable(&self) -> bool {
        self.fs.caching != Caching::Nothing
    }

    fn create(&self, name: &[u8], node: NewNode<'_>, owner: Ownership) -> Result<Arc<dyn Inode>> {
        let (rdev, target) = match node {
            NewNode::Special(_, rdev) => (rdev, &b""[..]),
            NewNode::Symlink(target) => (0, target),
            NewNode::Regular | NewNode::Directory => (0, &b""[..]),
        };
        let new = NewFile {
            mode: node.file_type().mode_bits() | owner.mode & 0o7777,
            uid: owner.uid,
            gid: owner.gid,
            rdev,
            target,
        };
        let made = self.fs.volume().create(self.number, name, &new)?;
        self.outdate();
        Ok(self.fs.node(&made)?)
    }

    fn link(&self, name: &[u8], inode: &Arc<dyn Inode>) -> Result<()> {
        let node = self.sibling(inode)?;
        self.fs.volume().link(node.number, self.number, name)?;
        node.outdate();
        self.outdate();
        Ok(())
    }

    fn unlink(&self, name: &[u8]) -> Result<()> {
        let node = self.child(name)?;
        if node.is_directory() {
            return Err(Errno::EISDIR);
        }
        self.fs.volume().unlink(self.number, name)?;
        node.lost_name();
        self.outdate();
        Ok(())
    }

    fn rmdir(&self, name: &[u8]) -> Result<()> {
        let node = self.child(name)?;
        if !node.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        self.fs.volume().rmdir(self.number, name)?;
        node.lost_name();
        self.outdate();
        Ok(())
    }

    fn rename(
        &self,
        name: &[u8],
        new_parent: &Arc<dyn Inode>,
        new_name: &[u8],
        mode: RenameMode,
    ) -> Result<()> {
        let new_parent = self.sibling(new_parent)?;
        let moved = self.child(name)?;
        let replaced = match new_parent.child(new_name) {
            Ok(node) => Some(node),
            Err(Errno::ENOENT) => None,
            Err(error) => return Err(error),
        };
        if replaced.is_some() {
            // Programs write a new file and rename it over the old: a power cut must leave one of them.
            moved.write_back()?;
        }
        let to = (new_parent.number, new_name);
        self.fs.volume().rename((self.number, name), to, mode)?;
        if let Some(replaced) = replaced {
            replaced.lost_name();
        }
        for node in [self, &moved, &new_parent] {
            node.outdate();
        }
        Ok(())
    }

    fn read_dir(&self, cookie: u64, emit: &mut EmitEntry<'_>) -> Result<()> {
        OpenDirectory::of(self).list(self, cookie, emit)
    }

    fn read_link(&self) -> Result<Arc<[u8]>> {
        if self.file_type != FileType::Symlink {
            return Err(Errno::EINVAL);
        }
        let mut state = self.state.lock();
        if let Some(target) = &state.target {
            return Ok(Arc::clone(target));
        }
        let mut target = vec![0; PATH_MAX];
        let len = self.fs.volume().read(self.number, 0, &mut target)?;
        target.truncate(len);
        let target: Arc<[u8]> = target.into();
        state.target = Some(Arc::clone(&target));
        Ok(target)
    }

    fn open(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>> {
        match self.file_type {
            FileType::Regular => {
                self.fs.volume().open(self.number, flags.writable())?;
                self.state.lock().opens += 1;
                Ok(self)
            }
            FileType::Directory => Ok(Arc::new(OpenDirectory::of(&self))),
            FileType::Symlink => Err(Errno::ELOOP),
            special => {
                let rdev = self.state.lock().attributes.rdev;
                crate::fs::devfs::open_special(&*self, special, rdev, flags)
            }
        }
    }

    fn truncate(&self, size: u64) -> Result<()> {
        match self.file_type {
            FileType::Regular => self.resize(size),
            FileType::Directory => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    fn allocate(&self, what: Allocate, offset: u64, len: u64) -> Result<()> {
        match self.file_type {
            FileType::Regular => self.change_storage(what, offset, len),
            _ => Err(Errno::ENODEV),
        }
    }

    fn seek(&self, offset: u64, to: SeekTo) -> Result<u64> {
        if self.file_type != FileType::Regular {
            return Err(Errno::EINVAL);
        }
        self.write_back()?;
        self.fs.volume().seek(self.number, offset, to)
    }

    fn sync(&self, scope: SyncScope) -> Result<()> {
        match scope {
            SyncScope::Data => Node::sync(self, true),
            SyncScope::File => Node::sync(self, false),
            SyncScope::FileSystem => self.fs.sync(),
        }
    }

    fn get_xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        self.fs.volume().get_xattr(self.number, name)
    }

    fn set_xattr(&self, name: &[u8], value: &[u8], mode: SetXattr) -> Result<()> {
        self.fs.volume().set_xattr(self.number, name, value, mode)?;
        self.outdate();
        Ok(())
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        self.fs.volume().remove_xattr(self.number, name)?;
        self.outdate();
        Ok(())
    }

    fn list_xattrs(&self) -> Result<Vec<u8>> {
        self.fs.volume().list_xattrs(self.number)
    }

    fn extras(&self) -> Option<&Extras> {
        Some(&self.extras)
    }
}

impl Node {
    fn is_directory(&self) -> bool {
        self.file_type == FileType::Directory
    }

    fn child(&self, name: &[u8]) -> Result<Arc<Self>> {
        if !self.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        let found = self.fs.volume().lookup(self.number, name)?;
        self.fs.node(&found)
    }
}
