//! What is known of a file and of its file system (stat(2), statx(2), statfs(2), …).

use linux_raw_sys::general as abi;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::caller::{self, AT_FDCWD};
use crate::fs::file::OpenFile;
use crate::fs::inode::{FileType, Metadata};
use crate::fs::vfs::Path;
use crate::syscall::fd::any_file;
use crate::syscall::path::{AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, place_at};
use crate::user::{Plain, Timespec, UserPtr};

// SAFETY: integers only: every pattern is valid (1) and it owns nothing (2). Its padding is made of
// named fields.
unsafe impl Plain for abi::stat {}
// SAFETY: as above.
unsafe impl Plain for abi::statx {}
// SAFETY: as above.
unsafe impl Plain for abi::statfs {}

/// What fstat(2) says of an open file.
fn metadata_of(file: &OpenFile) -> Metadata {
    if let Some(inode) = file.inode() {
        return inode.metadata();
    }
    let anonymous = file.file().anonymous();
    let zero = Timespec::default();
    Metadata {
        dev: ANONYMOUS_DEVICE,
        ino: anonymous.ino,
        file_type: FileType::from_mode(anonymous.st_mode).unwrap_or(FileType::Regular),
        mode: anonymous.st_mode & 0o7777,
        nlink: 1,
        uid: caller::credentials().uid,
        gid: caller::credentials().gid,
        rdev: anonymous.rdev,
        size: 0,
        blocks: 0,
        block_size: 4096,
        atime: zero,
        mtime: zero,
        ctime: zero,
        btime: zero,
    }
}

/// `st_mode` of an open file: that of an anonymous inode has no type bits.
fn st_mode_of(file: &OpenFile, metadata: &Metadata) -> u32 {
    match file.inode() {
        Some(_) => metadata.st_mode(),
        None => file.file().anonymous().st_mode,
    }
}

/// Where pipes, sockets and anonymous inodes live.
const ANONYMOUS_DEVICE: u64 = 0xf;

fn write_stat(ptr: UserPtr<abi::stat>, metadata: &Metadata, st_mode: u32) -> SysResult {
    ptr.write(abi::stat {
        st_dev: metadata.dev,
        st_ino: metadata.ino,
        st_nlink: u64::from(metadata.nlink),
        st_mode,
        st_uid: metadata.uid,
        st_gid: metadata.gid,
        __pad0: 0,
        st_rdev: metadata.rdev,
        st_size: metadata.size.cast_signed(),
        st_blksize: i64::from(metadata.block_size),
        st_blocks: metadata.blocks.cast_signed(),
        st_atime: seconds(metadata.atime),
        st_atime_nsec: nanoseconds(metadata.atime),
        st_mtime: seconds(metadata.mtime),
        st_mtime_nsec: nanoseconds(metadata.mtime),
        st_ctime: seconds(metadata.ctime),
        st_ctime_nsec: nanoseconds(metadata.ctime),
        __unused: [0; 3],
    })?;
    Ok(0)
}

/// `struct stat` keeps signed seconds in an unsigned field.
fn seconds(time: Timespec) -> u64 {
    time.sec.cast_unsigned()
}

fn nanoseconds(time: Timespec) -> u64 {
    time.nsec.cast_unsigned()
}

/// See stat(2).
pub fn stat(path: UserPtr<u8>, result: UserPtr<abi::stat>) -> SysResult {
    newfstatat(AT_FDCWD, path, result, 0)
}

/// See lstat(2).
pub fn lstat(path: UserPtr<u8>, result: UserPtr<abi::stat>) -> SysResult {
    newfstatat(AT_FDCWD, path, result, AT_SYMLINK_NOFOLLOW)
}

/// See fstat(2).
pub fn fstat(fd: i32, result: UserPtr<abi::stat>) -> SysResult {
    let file = any_file(fd)?;
    let metadata = metadata_of(&file);
    write_stat(result, &metadata, st_mode_of(&file, &metadata))
}

/// See fstatat(2).
pub fn newfstatat(
    dirfd: i32,
    path: UserPtr<u8>,
    result: UserPtr<abi::stat>,
    flags: u32,
) -> SysResult {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    if means_descriptor(dirfd, path, flags)? {
        return fstat(dirfd, result);
    }
    let place = place_at(dirfd, path, flags)?;
    let metadata = place.inode().metadata();
    write_stat(result, &metadata, metadata.st_mode())
}

/// Whether AT_EMPTY_PATH and an empty path mean `dirfd` itself, whatever it is.
fn means_descriptor(dirfd: i32, path: UserPtr<u8>, flags: u32) -> Result<bool> {
    if flags & AT_EMPTY_PATH == 0 || dirfd == AT_FDCWD {
        return Ok(false);
    }
    Ok(path.is_null() || path.read()? == 0)
}

/// See statx(2).
pub fn statx(
    dirfd: i32,
    path: UserPtr<u8>,
    flags: u32,
    mask: u32,
    result: UserPtr<abi::statx>,
) -> SysResult {
    const SYNC: u32 = 0x6000;
    const KNOWN: u32 = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | SYNC;
    const RESERVED: u32 = 1 << 31;
    if flags & !KNOWN != 0 || flags & SYNC == SYNC || mask & RESERVED != 0 {
        return Err(Errno::EINVAL);
    }
    if means_descriptor(dirfd, path, flags)? {
        let file = any_file(dirfd)?;
        let metadata = metadata_of(&file);
        let mount = file.path().map_or(0, |path| path.mount.id());
        result.write(extended(&metadata, st_mode_of(&file, &metadata), mount))?;
        return Ok(0);
    }
    let place = place_at(dirfd, path, flags)?;
    let metadata = place.inode().metadata();
    let mut extended = extended(&metadata, metadata.st_mode(), place.mount.id());
    if place.is_mount_root() {
        extended.stx_attributes |= u64::from(abi::STATX_ATTR_MOUNT_ROOT);
    }
    result.write(extended)?;
    Ok(0)
}

fn extended(metadata: &Metadata, st_mode: u32, mount: u64) -> abi::statx {
    let time = |time: Timespec| abi::statx_timestamp {
        tv_sec: time.sec,
        tv_nsec: u32::try_from(time.nsec).unwrap_or(0),
        __reserved: 0,
    };
    let (dev_major, dev_minor) = split_device(metadata.dev);
    let (rdev_major, rdev_minor) = split_device(metadata.rdev);
    // SAFETY: integers only: zero is a valid value of each.
    let blank: abi::statx = unsafe { core::mem::zeroed() };
    abi::statx {
        stx_mask: abi::STATX_BASIC_STATS | abi::STATX_BTIME | abi::STATX_MNT_ID,
        stx_blksize: metadata.block_size,
        stx_attributes_mask: u64::from(abi::STATX_ATTR_MOUNT_ROOT),
        stx_nlink: metadata.nlink,
        stx_uid: metadata.uid,
        stx_gid: metadata.gid,
        stx_mode: u16::try_from(st_mode & 0xffff).unwrap_or(0),
        stx_ino: metadata.ino,
        stx_size: metadata.size,
        stx_blocks: metadata.blocks,
        stx_atime: time(metadata.atime),
        stx_btime: time(metadata.btime),
        stx_ctime: time(metadata.ctime),
        stx_mtime: time(metadata.mtime),
        stx_rdev_major: rdev_major,
        stx_rdev_minor: rdev_minor,
        stx_dev_major: dev_major,
        stx_dev_minor: dev_minor,
        stx_mnt_id: mount,
        ..blank
    }
}

/// Major and minor number, as gnu_dev_major(3) takes them apart.
fn split_device(device: u64) -> (u32, u32) {
    let low = |value: u64| u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0);
    let major = (device >> 8 & 0xfff) | (device >> 32 & !0xfff);
    let minor = (device & 0xff) | (device >> 12 & !0xff);
    (low(major), low(minor))
}

/// See statfs(2).
pub fn statfs(path: UserPtr<u8>, result: UserPtr<abi::statfs>) -> SysResult {
    let place = place_at(AT_FDCWD, path, 0)?;
    write_statfs(result, &place)
}

/// See fstatfs(2).
pub fn fstatfs(fd: i32, result: UserPtr<abi::statfs>) -> SysResult {
    let file = any_file(fd)?;
    match file.path() {
        Some(place) => write_statfs(result, place),
        None => {
            const PIPEFS: i64 = 0x5049_5045;
            const SOCKFS: i64 = 0x534f_434b;
            const ANON: i64 = 0x0904_1934;
            let magic = match FileType::from_mode(file.file().anonymous().st_mode) {
                Some(FileType::Fifo) => PIPEFS,
                Some(FileType::Socket) => SOCKFS,
                _ => ANON,
            };
            result.write(abi::statfs {
                f_type: magic,
                f_bsize: 4096,
                f_frsize: 4096,
                f_namelen: 255,
                ..blank_statfs()
            })?;
            Ok(0)
        }
    }
}

fn blank_statfs() -> abi::statfs {
    // SAFETY: integers only: zero is a valid value of each.
    unsafe { core::mem::zeroed() }
}

fn write_statfs(result: UserPtr<abi::statfs>, place: &Path) -> SysResult {
    const VALID: u32 = 0x20;
    let statistics = place.inode().statistics();
    let signed = u64::cast_signed;
    let id = i32::try_from(statistics.id & 0x7fff_ffff).unwrap_or(0);
    result.write(abi::statfs {
        f_type: signed(statistics.magic),
        f_bsize: signed(statistics.block_size),
        f_blocks: signed(statistics.blocks),
        f_bfree: signed(statistics.blocks_free),
        f_bavail: signed(statistics.blocks_free),
        f_files: signed(statistics.files),
        f_ffree: signed(statistics.files_free),
        f_fsid: abi::__kernel_fsid_t { val: [id, 0] },
        f_namelen: 255,
        f_frsize: signed(statistics.block_size),
        f_flags: i64::from(place.mount.flags().bits() | VALID),
        ..blank_statfs()
    })?;
    Ok(0)
}

/// See ustat(2): the call is obsolete, and no device number here is one that it knows.
pub fn ustat(_device: u32, _result: UserPtr<u8>) -> SysResult {
    Err(Errno::EINVAL)
}
