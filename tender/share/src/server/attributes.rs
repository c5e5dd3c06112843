//! What stat(2) tells of a file, and changing it.

use super::Server;
use super::call::Call;
use super::ids::IdMap;
use crate::channel::Reply;
use libos_abi::fuse::flags::{
    GETATTR_FH, SET_ATIME, SET_ATIME_NOW, SET_FH, SET_GID, SET_MODE, SET_MTIME, SET_MTIME_NOW,
    SET_SIZE, SET_UID,
};
use libos_abi::fuse::messages::{
    AccessIn, Attr, AttrOut, EntryOut, GetattrIn, SetattrIn, StatxIn, StatxOut, SxTime, device,
};
use rustix::fs::{
    Access, AtFlags, CWD, FileType, Mode, OFlags, Statx, StatxFlags, StatxTimestamp, Timespec,
    Timestamps, UTIME_NOW, UTIME_OMIT,
};
use rustix::io::{Errno, Result};
use std::os::fd::AsFd;

/// What makes a file the same file: the numbers of its file system, and its own.
pub type Key = (u32, u32, u64);

/// Set-user-ID and set-group-ID.
const SET_ID: u32 = 0o6000;

/// Permissions, with the three bits above them.
const PERMISSIONS: u32 = 0o7777;

/// What statx(2) tells of an open file.
///
/// # Errors
/// That of statx(2).
pub fn stat(file: impl AsFd) -> Result<Statx> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, wanted)
}

/// Which file it is.
pub fn key(found: &Statx) -> Key {
    (found.stx_dev_major, found.stx_dev_minor, found.stx_ino)
}

/// The attributes, as the guest sees them.
fn attr(found: &Statx, ids: IdMap) -> Attr {
    Attr {
        ino: found.stx_ino,
        size: found.stx_size,
        blocks: found.stx_blocks,
        atime: found.stx_atime.tv_sec.cast_unsigned(),
        mtime: found.stx_mtime.tv_sec.cast_unsigned(),
        ctime: found.stx_ctime.tv_sec.cast_unsigned(),
        atimensec: found.stx_atime.tv_nsec,
        mtimensec: found.stx_mtime.tv_nsec,
        ctimensec: found.stx_ctime.tv_nsec,
        mode: found.stx_mode.into(),
        nlink: found.stx_nlink,
        uid: ids.user_to_guest(found.stx_uid),
        gid: ids.group_to_guest(found.stx_gid),
        rdev: device(found.stx_rdev_major, found.stx_rdev_minor),
        blksize: found.stx_blksize,
        flags: 0,
    }
}

fn statx_of(found: &Statx, ids: IdMap) -> libos_abi::fuse::messages::Statx {
    let time = |time: &StatxTimestamp| SxTime {
        tv_sec: time.tv_sec,
        tv_nsec: time.tv_nsec,
        reserved: 0,
    };
    libos_abi::fuse::messages::Statx {
        mask: found.stx_mask,
        blksize: found.stx_blksize,
        attributes: found.stx_attributes.bits(),
        nlink: found.stx_nlink,
        uid: ids.user_to_guest(found.stx_uid),
        gid: ids.group_to_guest(found.stx_gid),
        mode: found.stx_mode,
        ino: found.stx_ino,
        size: found.stx_size,
        blocks: found.stx_blocks,
        attributes_mask: found.stx_attributes_mask.bits(),
        atime: time(&found.stx_atime),
        btime: time(&found.stx_btime),
        ctime: time(&found.stx_ctime),
        mtime: time(&found.stx_mtime),
        rdev_major: found.stx_rdev_major,
        rdev_minor: found.stx_rdev_minor,
        dev_major: found.stx_dev_major,
        dev_minor: found.stx_dev_minor,
        ..libos_abi::fuse::messages::Statx::default()
    }
}

impl Server {
    /// The answer for a file that was looked up.
    pub(super) fn entry_out(&self, number: u64, found: &Statx) -> EntryOut {
        EntryOut {
            nodeid: number,
            entry_valid: self.policy.valid,
            attr_valid: self.policy.valid,
            attr: attr(found, self.policy.ids),
            ..EntryOut::default()
        }
    }

    /// The file, or the handle on it if that is valid.
    fn stat_of(&self, number: u64, handle: Option<u64>) -> Result<Statx> {
        match handle {
            Some(handle) => stat(&self.handles.get(handle)?.file),
            None => stat(&self.inodes.get(number)?.file),
        }
    }

    pub(super) fn getattr(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, _) = call.read::<GetattrIn>()?;
        let handle = (wanted.flags & GETATTR_FH != 0).then_some(wanted.fh);
        let found = self.stat_of(call.header.nodeid, handle)?;
        self.put_attributes(&found, reply);
        Ok(())
    }

    pub(super) fn statx(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, _) = call.read::<StatxIn>()?;
        let handle = (wanted.getattr_flags & GETATTR_FH != 0).then_some(wanted.fh);
        let found = self.stat_of(call.header.nodeid, handle)?;
        let answer = StatxOut {
            attr_valid: self.policy.valid,
            stat: statx_of(&found, self.policy.ids),
            ..StatxOut::default()
        };
        reply.put(answer.to_bytes());
        Ok(())
    }

    fn put_attributes(&self, found: &Statx, reply: &mut Reply) {
        let answer = AttrOut {
            attr_valid: self.policy.valid,
            attr: attr(found, self.policy.ids),
            ..AttrOut::default()
        };
        reply.put(answer.to_bytes());
    }

    /// chmod, chown, truncate, utimensat: in this order, and up to the first that fails.
    pub(super) fn setattr(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, _) = call.read::<SetattrIn>()?;
        let number = call.header.nodeid;
        if wanted.valid & SET_MODE != 0 {
            self.chmod(number, wanted.mode)?;
        }
        if wanted.valid & (SET_UID | SET_GID) != 0 {
            self.chown(number, &wanted)?;
        }
        if wanted.valid & SET_SIZE != 0 {
            self.truncate(number, &wanted)?;
        }
        if wanted.valid & (SET_ATIME | SET_MTIME | SET_ATIME_NOW | SET_MTIME_NOW) != 0 {
            self.set_times(number, &wanted)?;
        }
        let found = stat(&self.inodes.get(number)?.file)?;
        self.put_attributes(&found, reply);
        Ok(())
    }

    fn chmod(&self, number: u64, mode: u32) -> Result<()> {
        let inode = self.inodes.get(number)?;
        if inode.kind == FileType::Symlink {
            return Err(Errno::OPNOTSUPP);
        }
        self.check_mode(inode.kind, mode)?;
        let mode = Mode::from_raw_mode(mode & PERMISSIONS);
        rustix::fs::chmodat(CWD, inode.path(), mode, AtFlags::empty())
    }

    /// Whether a file may get these permissions.
    ///
    /// # Errors
    /// EPERM for a program that would run as the host's root.
    pub(super) fn check_mode(&self, kind: FileType, mode: u32) -> Result<()> {
        if self.policy.refuse_set_id && kind != FileType::Directory && mode & SET_ID != 0 {
            return Err(Errno::PERM);
        }
        Ok(())
    }

    fn chown(&self, number: u64, wanted: &SetattrIn) -> Result<()> {
        let inode = self.inodes.get(number)?;
        let ids = self.policy.ids;
        let user = match wanted.valid & SET_UID {
            0 => None,
            _ => ids.user_to_host(wanted.uid)?,
        };
        let group = match wanted.valid & SET_GID {
            0 => None,
            _ => ids.group_to_host(wanted.gid)?,
        };
        rustix::fs::chownat(&inode.file, c"", user, group, AtFlags::EMPTY_PATH)
    }

    fn truncate(&self, number: u64, wanted: &SetattrIn) -> Result<()> {
        if i64::try_from(wanted.size).is_err() {
            return Err(Errno::INVAL);
        }
        if wanted.valid & SET_FH != 0 {
            return rustix::fs::ftruncate(&self.handles.get(wanted.fh)?.file, wanted.size);
        }
        let inode = self.inodes.get(number)?;
        if inode.kind == FileType::Directory {
            return Err(Errno::ISDIR);
        }
        let file = inode.reopen(OFlags::WRONLY)?;
        rustix::fs::ftruncate(&file, wanted.size)
    }

    fn set_times(&self, number: u64, wanted: &SetattrIn) -> Result<()> {
        let inode = self.inodes.get(number)?;
        let time = |set, now, seconds: u64, nanoseconds: u32| {
            let (tv_sec, tv_nsec) = match (wanted.valid & set, wanted.valid & now) {
                (0, 0) => (0, UTIME_OMIT),
                (_, 0) if nanoseconds >= 1_000_000_000 => return Err(Errno::INVAL),
                (_, 0) => (seconds.cast_signed(), nanoseconds.into()),
                (_, _) => (0, UTIME_NOW),
            };
            Ok(Timespec { tv_sec, tv_nsec })
        };
        let times = Timestamps {
            last_access: time(SET_ATIME, SET_ATIME_NOW, wanted.atime, wanted.atimensec)?,
            last_modification: time(SET_MTIME, SET_MTIME_NOW, wanted.mtime, wanted.mtimensec)?,
        };
        rustix::fs::utimensat(&inode.file, c"", &times, AtFlags::EMPTY_PATH)
    }

    /// Whether the caller may, on the host.
    pub(super) fn access(&mut self, call: &Call<'_>) -> Result<()> {
        let (wanted, _) = call.read::<AccessIn>()?;
        let wanted = Access::from_bits(wanted.mask).ok_or(Errno::INVAL)?;
        let inode = self.inodes.get(call.header.nodeid)?;
        if inode.kind == FileType::Symlink {
            return Ok(());
        }
        rustix::fs::accessat(CWD, inode.path(), wanted, AtFlags::empty())
    }
}
