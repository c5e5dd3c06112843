//! Changing what a file is: mode (chmod(2)), owner (chown(2)) and times (utimensat(2)), by path or descriptor.

use alloc::sync::Arc;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::caller::{self, AT_FDCWD};
use crate::fs::file::OpenFile;
use crate::fs::inode::{Change, FileType, Inode};
use crate::fs::inotify::{self, Mask};
use crate::fs::vfs::{AccessMode, Credentials, Path, check_access, may_change_mode};
use crate::syscall::fd::file;
use crate::syscall::path::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, place_at};
use crate::user::{Timespec, UserPtr};

/// Something whose metadata is to change.
struct Subject {
    inode: Arc<dyn Inode>,
    place: Option<Path>,
}

impl Subject {
    fn at(dirfd: i32, path: UserPtr<u8>, flags: u32) -> Result<Self> {
        let place = place_at(dirfd, path, flags)?;
        Ok(Self {
            inode: Arc::clone(place.inode()),
            place: Some(place),
        })
    }

    fn behind(file: &OpenFile) -> Result<Self> {
        let inode = file.inode();
        let inode =
            inode.ok_or(Errno::EPERM.because("this kind of file has no metadata to set"))?;
        Ok(Self {
            inode: Arc::clone(inode),
            place: file.path().cloned(),
        })
    }

    fn check_writable(&self) -> Result<()> {
        match self
            .place
            .as_ref()
            .is_some_and(|place| place.mount.is_read_only())
        {
            true => Err(Errno::EROFS),
            false => Ok(()),
        }
    }

    /// Makes a change, and tells inotify(7).
    fn change(&self, change: &Change) -> Result<()> {
        self.inode.change(change)?;
        if let Some(place) = &self.place {
            inotify::event_at(place, Mask::of_change(change));
        }
        Ok(())
    }

    fn change_mode(&self, mode: u32) -> SysResult {
        self.check_writable()?;
        if self.inode.file_type() == FileType::Symlink {
            return Err(Errno::EOPNOTSUPP);
        }
        let mode = may_change_mode(self.inode.ownership(), &caller::credentials(), mode)?;
        self.change(&Change {
            mode: Some(mode),
            ..Change::default()
        })?;
        Ok(0)
    }

    fn change_owner(&self, uid: u32, gid: u32) -> SysResult {
        self.check_writable()?;
        let change = owner_change(&*self.inode, &caller::credentials(), uid, gid)?;
        self.change(&change)?;
        Ok(0)
    }

    fn change_times(&self, times: Option<[Timespec; 2]>) -> SysResult {
        self.check_writable()?;
        let change = time_change(&self.inode, &caller::credentials(), times)?;
        if let Some(change) = change {
            self.change(&change)?;
        }
        Ok(0)
    }
}

/// See chmod(2).
pub fn chmod(path: UserPtr<u8>, mode: u32) -> SysResult {
    fchmodat2(AT_FDCWD, path, mode, 0)
}

/// See fchmod(2).
pub fn fchmod(fd: i32, mode: u32) -> SysResult {
    Subject::behind(&*file(fd)?)?.change_mode(mode)
}

/// See fchmodat(2).
pub fn fchmodat(dirfd: i32, path: UserPtr<u8>, mode: u32) -> SysResult {
    fchmodat2(dirfd, path, mode, 0)
}

/// See fchmodat2(2).
pub fn fchmodat2(dirfd: i32, path: UserPtr<u8>, mode: u32, flags: u32) -> SysResult {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    Subject::at(dirfd, path, flags)?.change_mode(mode)
}

/// See chown(2).
pub fn chown(path: UserPtr<u8>, uid: u32, gid: u32) -> SysResult {
    fchownat(AT_FDCWD, path, uid, gid, 0)
}

/// See lchown(2).
pub fn lchown(path: UserPtr<u8>, uid: u32, gid: u32) -> SysResult {
    fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW)
}

/// See fchown(2).
pub fn fchown(fd: i32, uid: u32, gid: u32) -> SysResult {
    Subject::behind(&*file(fd)?)?.change_owner(uid, gid)
}

/// See fchownat(2).
pub fn fchownat(dirfd: i32, path: UserPtr<u8>, uid: u32, gid: u32, flags: u32) -> SysResult {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    Subject::at(dirfd, path, flags)?.change_owner(uid, gid)
}

/// The rules of chown(2): only root gives a file away; an owner may pick among its groups. The
/// set-id bits of anything but a directory go.
fn owner_change(
    inode: &dyn Inode,
    credentials: &Credentials,
    uid: u32,
    gid: u32,
) -> Result<Change> {
    const KEEP: u32 = u32::MAX;
    const SET_USER_ID: u32 = 0o4000;
    const SET_GROUP_ID: u32 = 0o2000;
    const GROUP_EXECUTE: u32 = 0o010;
    let old = inode.ownership();
    let uid = (uid != KEEP).then_some(uid);
    let gid = (gid != KEEP).then_some(gid);
    if !credentials.is_privileged() {
        let owns = credentials.uid == old.uid;
        let uid_allowed = uid.is_none_or(|uid| owns && uid == old.uid);
        let gid_allowed =
            gid.is_none_or(|gid| owns && (gid == old.gid || credentials.is_member(gid)));
        if !uid_allowed || !gid_allowed {
            return Err(Errno::EPERM);
        }
    }
    let mut cleared = SET_USER_ID;
    if old.mode & GROUP_EXECUTE != 0 {
        cleared |= SET_GROUP_ID;
    }
    let clears = inode.file_type() != FileType::Directory && old.mode & cleared != 0;
    Ok(Change {
        uid,
        gid,
        mode: clears.then_some(old.mode & !cleared),
        ..Change::default()
    })
}

/// UTIME_NOW in a nanosecond field: the present.
const UTIME_NOW: i64 = 0x3fff_ffff;
/// UTIME_OMIT in a nanosecond field: leave it.
const UTIME_OMIT: i64 = 0x3fff_fffe;

/// The rules of utimensat(2): whoever may write may set both times to the present; anything else is
/// the owner's. `None` if nothing is to change.
fn time_change(
    inode: &Arc<dyn Inode>,
    credentials: &Credentials,
    times: Option<[Timespec; 2]>,
) -> Result<Option<Change>> {
    let now = Timespec::from_ns(crate::time::realtime_ns());
    let present = Timespec {
        sec: 0,
        nsec: UTIME_NOW,
    };
    let [atime, mtime] = times.unwrap_or([present; 2]);
    let pick = |time: Timespec| match time.nsec {
        UTIME_NOW => Ok(Some(now)),
        UTIME_OMIT => Ok(None),
        0..=999_999_999 => Ok(Some(time)),
        _ => Err(Errno::EINVAL),
    };
    let (new_atime, new_mtime) = (pick(atime)?, pick(mtime)?);
    if new_atime.is_none() && new_mtime.is_none() {
        return Ok(None);
    }
    let both_now = atime.nsec == UTIME_NOW && mtime.nsec == UTIME_NOW;
    if !credentials.owns(inode.ownership().uid) {
        if !both_now {
            return Err(Errno::EPERM);
        }
        check_access(inode, credentials, AccessMode::WRITE)?;
    }
    Ok(Some(Change {
        atime: new_atime,
        mtime: new_mtime,
        ..Change::default()
    }))
}

/// See utimensat(2).
pub fn utimensat(
    dirfd: i32,
    path: UserPtr<u8>,
    times: UserPtr<[Timespec; 2]>,
    flags: u32,
) -> SysResult {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let times = times.non_null().map(UserPtr::read).transpose()?;
    let omits = |time: &Timespec| time.nsec == UTIME_OMIT;
    if times.is_some_and(|times| times.iter().all(omits)) {
        return Ok(0);
    }
    if path.is_null() && dirfd != AT_FDCWD {
        return Subject::behind(&*file(dirfd)?)?.change_times(times);
    }
    Subject::at(dirfd, path, flags)?.change_times(times)
}

/// `struct timeval`: seconds and microseconds.
type Timeval = [i64; 2];

fn from_timeval([sec, usec]: Timeval) -> Result<Timespec> {
    match usec {
        0..=999_999 => Ok(Timespec {
            sec,
            nsec: usec * 1000,
        }),
        _ => Err(Errno::EINVAL),
    }
}

/// See futimesat(2).
pub fn futimesat(dirfd: i32, path: UserPtr<u8>, times: UserPtr<[Timeval; 2]>) -> SysResult {
    let times = match times.non_null() {
        Some(times) => {
            let [atime, mtime] = times.read()?;
            Some([from_timeval(atime)?, from_timeval(mtime)?])
        }
        None => None,
    };
    if path.is_null() && dirfd != AT_FDCWD {
        return Subject::behind(&*file(dirfd)?)?.change_times(times);
    }
    Subject::at(dirfd, path, 0)?.change_times(times)
}

/// See utimes(2).
pub fn utimes(path: UserPtr<u8>, times: UserPtr<[Timeval; 2]>) -> SysResult {
    futimesat(AT_FDCWD, path, times)
}

/// See utime(2).
pub fn utime(path: UserPtr<u8>, times: UserPtr<[i64; 2]>) -> SysResult {
    let at = |sec| Timespec { sec, nsec: 0 };
    let times = times.non_null().map(UserPtr::read).transpose()?;
    Subject::at(AT_FDCWD, path, 0)?.change_times(times.map(|times| times.map(at)))
}
