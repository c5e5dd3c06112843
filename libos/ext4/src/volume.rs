//! A mounted ext4 file system.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use libos_abi::driver::{
    AttributeChange, Attributes, Time, VolumeStatistics, allocate as storage, change as valid,
};
use rsext4::{
    Clock, DeviceNumber, DirectoryCursor, DirectoryEntryType, Ext4, Ext4Error, Ext4Result,
    Ext4Timestamp, FileExtentState, FileExtentTarget, FileName, FilePermissions, InodeInfo,
    InodeMetadataUpdate, InodeNumber, MkfsOptions, MountOptions, MountServices, MountedServices,
    MutationContext, NoopObserver, PreallocationOptions, RangeOperation, RenameOptions,
    SpecialInodeKind, UnlinkOutcome, XattrSetMode, ZeroRangeOptions,
};

use crate::acl;
use crate::device::{Device, Shared};
use crate::error::{Errno, Result, from_ext4};
use crate::times::{Geometry, Times};
use crate::xattr;

/// `EXT4_SUPER_MAGIC`.
const MAGIC: u64 = 0xef53;

/// How many names are read from a directory at once.
const LIST: usize = 256;

/// How many inodes' exact times are kept beside the disk, at most.
const EXACT: usize = 4096;

/// The present.
pub type Now = fn() -> Time;

/// The crate's clock.
struct WallClock(Now);

impl Clock for WallClock {
    fn now(&self) -> Ext4Result<Ext4Timestamp> {
        Ok(timestamp((self.0)()))
    }
}

fn timestamp(time: Time) -> Ext4Timestamp {
    Ext4Timestamp::new(time.seconds, time.nanoseconds)
}

/// Why a disk cannot be mounted.
#[derive(Debug)]
pub struct MountError {
    /// The number for mount(2).
    pub errno: Errno,
    /// A sentence for people.
    pub reason: String,
}

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct NewNode<'a> {
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number, of device files.
    pub rdev: u64,
    /// Target, of symlinks.
    pub target: &'a [u8],
}

/// A mounted file system. Inodes without a name live until [`Self::forget`].
pub struct Ext4Volume<D: Device> {
    ext4: Ext4<Shared<D>, MountedServices<(), NoopObserver>>,
    device: Rc<RefCell<D>>,
    geometry: Geometry,
    /// Times as they were set last, newer than the disk's.
    exact: BTreeMap<u64, (Time, Time)>,
}

fn number(ino: u64) -> Result<InodeNumber> {
    let number = u32::try_from(ino).map_err(|_| Errno::ENOENT)?;
    InodeNumber::new(number).map_err(from_ext4)
}

fn file_name(name: &[u8]) -> Result<FileName<'_>> {
    if name.len() > 255 {
        return Err(Errno::ENAMETOOLONG);
    }
    FileName::new(name).map_err(from_ext4)
}

fn permissions(mode: u32) -> Result<FilePermissions> {
    let bits = u16::try_from(mode & 0o7777).unwrap_or(0);
    FilePermissions::new(bits).map_err(from_ext4)
}

/// `S_IFMT`.
const TYPE: u32 = 0o170_000;

const fn type_bits(file_type: DirectoryEntryType) -> u32 {
    match file_type {
        DirectoryEntryType::Fifo => 0o010_000,
        DirectoryEntryType::CharacterDevice => 0o020_000,
        DirectoryEntryType::Directory => 0o040_000,
        DirectoryEntryType::BlockDevice => 0o060_000,
        DirectoryEntryType::RegularFile => 0o100_000,
        DirectoryEntryType::Symlink => 0o120_000,
        DirectoryEntryType::Socket => 0o140_000,
        DirectoryEntryType::Unknown => 0,
    }
}

/// `makedev` of the kernel's `st_rdev`.
fn device_number(rdev: u64) -> Result<DeviceNumber> {
    let major = (rdev >> 8 & 0xfff) | (rdev >> 32 & !0xfff);
    let minor = (rdev & 0xff) | (rdev >> 12 & !0xff);
    let narrow = |value: u64| u32::try_from(value).map_err(|_| Errno::EINVAL);
    DeviceNumber::new(narrow(major)?, narrow(minor & 0xffff_ffff)?).map_err(from_ext4)
}

fn rdev(device: DeviceNumber) -> u64 {
    let (major, minor) = (u64::from(device.major()), u64::from(device.minor()));
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12
}

impl<D: Device> Ext4Volume<D> {
    /// Mounts the file system on `device`, replaying its journal (in memory of the device, so not if it is to
    /// be read only).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn mount(device: D, read_only: bool, now: Now) -> core::result::Result<Self, MountError> {
        let shared = Shared::new(device, read_only);
        let device = shared.handle();
        let geometry = Geometry::read(&mut *device.borrow_mut());
        let geometry = geometry.map_err(|errno| MountError {
            errno,
            reason: "its superblock cannot be read".into(),
        })?;
        let options = match read_only {
            true => MountOptions::read_only_no_journal_replay(),
            false => MountOptions::read_write(),
        };
        let services = MountServices::new(WallClock(now), (), NoopObserver);
        match Ext4::mount(shared, services, options) {
            Ok(ext4) => Ok(Self {
                ext4,
                device,
                geometry,
                exact: BTreeMap::new(),
            }),
            Err(error) => Err(why_not_mounted(error)),
        }
    }

    /// Makes an empty file system on `device` with blocks of 4 KiB. All have one UUID until
    /// [`crate::Identity::write`].
    ///
    /// # Errors
    /// Too small, or an error of the device.
    pub fn format(device: D, now: Now) -> core::result::Result<(), MountError>
    where
        D: 'static,
    {
        let shared = Shared::new(device, false);
        let made = rsext4::format(shared, WallClock(now), MkfsOptions::default());
        made.map(drop).map_err(why_not_mounted)
    }

    /// Number of the root directory.
    pub fn root(&self) -> u64 {
        u64::from(self.ext4.root_inode().raw())
    }

    fn show(&mut self, info: &InodeInfo) -> Attributes {
        let ino = u64::from(info.number.raw());
        let Times {
            mut atime,
            mut mtime,
            ctime,
            btime,
        } = self.geometry.times(&mut *self.device.borrow_mut(), info);
        if let Some(&(exact_atime, exact_mtime)) = self.exact.get(&ino) {
            (atime, mtime) = (exact_atime, exact_mtime);
        }
        Attributes {
            ino,
            mode: info.mode.into(),
            nlink: info.links.into(),
            uid: info.uid,
            gid: info.gid,
            rdev: info.device_number.map_or(0, rdev),
            size: info.size,
            blocks: info.blocks,
            atime,
            mtime,
            ctime,
            btime,
        }
    }

    /// What is known of an inode.
    ///
    /// # Errors
    /// ENOENT; EIO, EUCLEAN.
    pub fn attributes(&mut self, ino: u64) -> Result<Attributes> {
        let info = self.ext4.inode(number(ino)?).map_err(from_ext4)?;
        Ok(self.show(&info))
    }

    /// The inode behind a name.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR; EIO, EUCLEAN.
    pub fn lookup(&mut self, parent: u64, name: &[u8]) -> Result<Attributes> {
        let found = self.ext4.lookup_child(number(parent)?, file_name(name)?);
        let info = found.map_err(from_ext4)?.ok_or(Errno::ENOENT)?;
        Ok(self.show(&info))
    }

    /// Changes metadata.
    ///
    /// # Errors
    /// EROFS; EIO, EUCLEAN.
    pub fn change(&mut self, ino: u64, change: &AttributeChange) -> Result<()> {
        if change.valid & (valid::MODE | valid::OWNER) == valid::MODE | valid::OWNER {
            // A new owner takes the set-id bits away, those of the new mode too.
            let owner = AttributeChange {
                valid: valid::OWNER,
                ..*change
            };
            self.change(ino, &owner)?;
        }
        let has = |bit| change.valid & bit != 0;
        let update = InodeMetadataUpdate {
            permissions: match has(valid::MODE) {
                true => Some(permissions(change.mode)?),
                false => None,
            },
            owner: (has(valid::OWNER) && !has(valid::MODE)).then_some((change.uid, change.gid)),
            atime: has(valid::ATIME).then(|| timestamp(change.atime)),
            mtime: has(valid::MTIME).then(|| timestamp(change.mtime)),
            ..InodeMetadataUpdate::default()
        };
        let info = self.ext4.update_inode_metadata(number(ino)?, update);
        let info = info.map_err(from_ext4)?;
        if has(valid::ATIME) || has(valid::MTIME) {
            let old = self.show(&info);
            let atime = if has(valid::ATIME) {
                change.atime
            } else {
                old.atime
            };
            let mtime = if has(valid::MTIME) {
                change.mtime
            } else {
                old.mtime
            };
            if self.exact.len() >= EXACT {
                self.exact.clear();
            }
            self.exact.insert(ino, (atime, mtime));
        }
        Ok(())
    }

    /// Makes an inode.
    ///
    /// # Errors
    /// EEXIST, ENOSPC, EROFS, EINVAL for a type that is none; EIO, EUCLEAN.
    pub fn create(&mut self, parent: u64, name: &[u8], new: &NewNode<'_>) -> Result<Attributes> {
        let (parent, name) = (number(parent)?, file_name(name)?);
        let context = MutationContext::new(new.uid, new.gid, 0, 0);
        let mode = permissions(new.mode)?;
        let device = || device_number(new.rdev);
        let made = match new.mode & TYPE {
            0o100_000 => self.ext4.create_regular_file(context, parent, name, mode),
            0o040_000 => self.ext4.create_directory(context, parent, name, mode),
            0o120_000 => self.ext4.create_symlink(context, parent, name, new.target),
            special => {
                let kind = match special {
                    0o010_000 => SpecialInodeKind::Fifo,
                    0o140_000 => SpecialInodeKind::Socket,
                    0o020_000 => SpecialInodeKind::CharacterDevice(device()?),
                    0o060_000 => SpecialInodeKind::BlockDevice(device()?),
                    _ => return Err(Errno::EINVAL),
                };
                self.ext4
                    .create_special_inode(context, parent, name, mode, kind)
            }
        };
        let info = made.map_err(from_ext4)?;
        self.exact.remove(&u64::from(info.number.raw()));
        Ok(self.show(&info))
    }

    /// Gives an inode another name.
    ///
    /// # Errors
    /// EEXIST, EMLINK, ENOSPC, EROFS; EIO, EUCLEAN.
    pub fn link(&mut self, ino: u64, parent: u64, name: &[u8]) -> Result<()> {
        let linked = self
            .ext4
            .hard_link(number(ino)?, number(parent)?, file_name(name)?);
        linked.map(drop).map_err(from_ext4)
    }

    /// Removes the name of something that is not a directory.
    ///
    /// # Errors
    /// ENOENT, EISDIR, EROFS; EIO, EUCLEAN.
    pub fn unlink(&mut self, parent: u64, name: &[u8]) -> Result<()> {
        let outcome = self.ext4.unlink(number(parent)?, file_name(name)?);
        outcome.map(drop).map_err(from_ext4)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, ENOTEMPTY, EROFS; EIO, EUCLEAN.
    pub fn rmdir(&mut self, parent: u64, name: &[u8]) -> Result<()> {
        let outcome: Ext4Result<UnlinkOutcome> = self
            .ext4
            .remove_empty_directory(number(parent)?, file_name(name)?);
        outcome.map(drop).map_err(from_ext4)
    }

    /// Moves a name, replacing what is there or changing places with it.
    ///
    /// # Errors
    /// ENOENT, ENOTEMPTY, EISDIR, ENOTDIR, ENOSPC, EROFS; EIO, EUCLEAN.
    pub fn rename(
        &mut self,
        parent: u64,
        name: &[u8],
        new_parent: u64,
        new_name: &[u8],
        exchange: bool,
    ) -> Result<()> {
        let options = match exchange {
            true => RenameOptions::EXCHANGE,
            false => RenameOptions::REPLACE,
        };
        let outcome = self.ext4.rename(
            number(parent)?,
            file_name(name)?,
            number(new_parent)?,
            file_name(new_name)?,
            options,
        );
        outcome.map(drop).map_err(from_ext4)
    }

    /// Frees an inode that has no name.
    ///
    /// # Errors
    /// EIO, EUCLEAN.
    pub fn forget(&mut self, ino: u64) -> Result<()> {
        self.exact.remove(&ino);
        let freed = self.ext4.reap_unlinked_inode(number(ino)?);
        freed.map_err(from_ext4)
    }

    /// Calls `emit` with name, inode number and type bits of each name but `.` and `..`.
    ///
    /// # Errors
    /// ENOTDIR; EIO, EUCLEAN.
    pub fn list(&mut self, ino: u64, emit: &mut dyn FnMut(&[u8], u64, u32)) -> Result<()> {
        let ino = number(ino)?;
        let mut reader = self.ext4.open_directory_reader(ino).map_err(from_ext4)?;
        let mut cursor = DirectoryCursor::Start;
        while cursor != DirectoryCursor::End {
            let read = self
                .ext4
                .read_directory_with_reader(&mut reader, cursor, LIST);
            let entries = read.map_err(from_ext4)?;
            let Some(last) = entries.last() else { break };
            cursor = last.next_cursor;
            for entry in &entries {
                if !matches!(&entry.name[..], b"." | b"..") {
                    let ino = u64::from(entry.inode.raw());
                    emit(&entry.name, ino, type_bits(entry.file_type));
                }
            }
        }
        Ok(())
    }

    /// Reads a file, or a symlink's target, from `offset` on; returns how many bytes.
    ///
    /// # Errors
    /// EISDIR; EIO, EUCLEAN.
    pub fn read(&mut self, ino: u64, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let read = self.ext4.read_inode(number(ino)?, offset, buffer);
        read.map_err(from_ext4)
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// ENOSPC, EFBIG, EROFS; EIO, EUCLEAN.
    pub fn write(&mut self, ino: u64, offset: u64, bytes: &[u8]) -> Result<()> {
        let written = self.ext4.write_inode(number(ino)?, offset, bytes);
        written.map_err(from_ext4)
    }

    /// Sets the size.
    ///
    /// # Errors
    /// EFBIG, EROFS; EIO, EUCLEAN.
    pub fn truncate(&mut self, ino: u64, size: u64) -> Result<()> {
        let cut = self.ext4.truncate_inode(number(ino)?, size);
        cut.map_err(from_ext4)
    }

    /// Changes the storage of a range; `what` is one of [`libos_abi::driver::allocate`].
    ///
    /// # Errors
    /// EINVAL, ENOSPC, EFBIG, EROFS; EIO, EUCLEAN.
    pub fn allocate(&mut self, ino: u64, what: u32, offset: u64, len: u64) -> Result<()> {
        let operation = match what {
            storage::GROW => RangeOperation::Allocate(PreallocationOptions::EXTEND_SIZE),
            storage::KEEP_SIZE => RangeOperation::Allocate(PreallocationOptions::KEEP_SIZE),
            storage::PUNCH_HOLE => RangeOperation::PunchHole,
            storage::ZERO_RANGE => RangeOperation::Zero(ZeroRangeOptions::EXTEND_SIZE),
            storage::ZERO_RANGE_KEEP_SIZE => RangeOperation::Zero(ZeroRangeOptions::KEEP_SIZE),
            storage::COLLAPSE_RANGE => RangeOperation::Collapse,
            storage::INSERT_RANGE => RangeOperation::Insert,
            _ => return Err(Errno::EOPNOTSUPP),
        };
        let done = self
            .ext4
            .operate_inode_range(number(ino)?, offset, len, operation);
        done.map_err(from_ext4)
    }

    /// The next byte from `offset` on with storage, or without.
    ///
    /// # Errors
    /// ENXIO at or beyond the end, or if only a hole is left; EIO, EUCLEAN.
    pub fn seek(&mut self, ino: u64, offset: u64, hole: bool) -> Result<u64> {
        let number = number(ino)?;
        let size = self.ext4.inode(number).map_err(from_ext4)?.size;
        if offset >= size {
            return Err(Errno::ENXIO);
        }
        let mut at = offset;
        while at < size {
            let map = self
                .ext4
                .inode_extents(number, at, size - at, FileExtentTarget::Data, 64);
            let map = map.map_err(from_ext4)?;
            for extent in &map.extents {
                if extent.state != FileExtentState::Initialized {
                    continue;
                }
                if hole && extent.logical_start > at {
                    return Ok(at);
                }
                if !hole {
                    return Ok(extent.logical_start.max(offset).min(size));
                }
                at = at.max(extent.logical_start.saturating_add(extent.length));
            }
            let end = map.extents.last();
            let end = end.map_or(size, |last| last.logical_start.saturating_add(last.length));
            match (map.complete, hole) {
                (true, true) => return Ok(at.min(size)),
                (true, false) => return Err(Errno::ENXIO),
                (false, true) if end > at => return Ok(at),
                (false, _) => at = end.max(at + 1),
            }
        }
        if hole { Ok(size) } else { Err(Errno::ENXIO) }
    }

    /// The value of an extended attribute.
    ///
    /// # Errors
    /// ENODATA, EOPNOTSUPP for a name of no known namespace; EIO, EUCLEAN.
    pub fn get_xattr(&mut self, ino: u64, name: &[u8]) -> Result<Vec<u8>> {
        let (namespace, name) = xattr::split(name).ok_or(Errno::EOPNOTSUPP)?;
        let value = self.ext4.get_xattr(number(ino)?, namespace, name);
        let value = value.map_err(attribute_error)?;
        match xattr::is_acl(namespace) {
            true => acl::from_disk(&value).ok_or(Errno::EUCLEAN),
            false => Ok(value),
        }
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// EEXIST and ENODATA as `mode` says, EINVAL for an access list that is none, ENOSPC, EOPNOTSUPP, EROFS;
    /// EIO, EUCLEAN.
    pub fn set_xattr(
        &mut self,
        ino: u64,
        name: &[u8],
        value: &[u8],
        mode: XattrSetMode,
    ) -> Result<()> {
        let (namespace, name) = xattr::split(name).ok_or(Errno::EOPNOTSUPP)?;
        let list = match xattr::is_acl(namespace) {
            true => Some(acl::to_disk(value).ok_or(Errno::EINVAL)?),
            false => None,
        };
        let value = list.as_deref().unwrap_or(value);
        let set = self
            .ext4
            .set_xattr(number(ino)?, namespace, name, value, mode);
        set.map_err(attribute_error)
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// ENODATA, EOPNOTSUPP, EROFS; EIO, EUCLEAN.
    pub fn remove_xattr(&mut self, ino: u64, name: &[u8]) -> Result<()> {
        let (namespace, name) = xattr::split(name).ok_or(Errno::EOPNOTSUPP)?;
        let removed = self.ext4.remove_xattr(number(ino)?, namespace, name);
        removed.map_err(attribute_error)
    }

    /// The names of extended attributes, each with a NUL behind it.
    ///
    /// # Errors
    /// EIO, EUCLEAN.
    pub fn list_xattrs(&mut self, ino: u64) -> Result<Vec<u8>> {
        let list = self.ext4.list_xattrs(number(ino)?).map_err(from_ext4)?;
        let mut names = Vec::new();
        for name in &list {
            xattr::join(name, &mut names);
        }
        Ok(names)
    }

    /// Everything written so far survives a power cut.
    ///
    /// # Errors
    /// EIO, EUCLEAN.
    pub fn sync(&mut self) -> Result<()> {
        self.ext4.sync().map_err(from_ext4)
    }

    /// Writes everything and marks the file system clean.
    ///
    /// # Errors
    /// EIO, EUCLEAN.
    pub fn unmount(&mut self) -> Result<()> {
        self.ext4.unmount().map_err(from_ext4)
    }

    /// What statfs(2) tells.
    pub fn statistics(&self) -> VolumeStatistics {
        let stats = self.ext4.statfs();
        VolumeStatistics {
            magic: MAGIC,
            block_size: stats.block_size,
            blocks: stats.total_blocks,
            blocks_free: stats.free_blocks,
            files: stats.total_inodes.into(),
            files_free: stats.free_inodes.into(),
        }
    }
}

/// For attributes, what is not found is the attribute.
fn attribute_error(error: Ext4Error) -> Errno {
    match from_ext4(error) {
        Errno::ENOENT => Errno::ENODATA,
        errno => errno,
    }
}

fn why_not_mounted(error: Ext4Error) -> MountError {
    MountError {
        errno: from_ext4(error),
        reason: format!("{error}"),
    }
}
