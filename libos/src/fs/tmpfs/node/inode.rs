//! What the virtual file system asks of an inode in memory.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::file::{File, OpenFlags};
use crate::fs::inode::{
    Allocate, Change, EmitEntry, Extras, FileType, FsStatistics, Inode, Metadata, NewNode,
    Ownership, RenameMode, SeekTo, SetXattr,
};
use crate::fs::tmpfs::now;

use super::{Body, Node};

/// What Linux counts for each name in the size of a tmpfs directory.
const BYTES_PER_NAME: u64 = 20;

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
                    let (count, subdirectories) = names.counts();
                    Ok((count as u64 * BYTES_PER_NAME, 0, subdirectories))
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
            names.complete()?;
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
                crate::fs::devfs::open_special(&*self, *file_type, *rdev, flags)
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
