//! Names in the file system (access(2), mkdir(2), rename(2), readlink(2), …) and where paths start.

use crate::errno::{Errno, Result, SysResult};
use crate::fs::caller::{self, AT_FDCWD};
use crate::fs::inode::{FileType, NewNode};
use crate::fs::vfs::names::{self, Target};
use crate::fs::vfs::open::{self};
use crate::fs::vfs::walk::{Follow, PathName, Position, Walker};
use crate::fs::vfs::{AccessMode, MountFlags, PATH_MAX, Path, check_access, show};
use crate::task::with_current;
use crate::user::UserPtr;

/// AT_SYMLINK_NOFOLLOW.
pub const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
/// AT_EACCESS of faccessat2(2); the number is that of AT_REMOVEDIR.
const AT_EACCESS: u32 = 0x200;
/// AT_REMOVEDIR of unlinkat(2).
const AT_REMOVEDIR: u32 = 0x200;
/// AT_SYMLINK_FOLLOW of linkat(2).
const AT_SYMLINK_FOLLOW: u32 = 0x400;
/// AT_NO_AUTOMOUNT; there is nothing to mount by itself.
pub const AT_NO_AUTOMOUNT: u32 = 0x800;
/// AT_EMPTY_PATH.
pub const AT_EMPTY_PATH: u32 = 0x1000;

/// Runs `act` with a walker, the start directory and the name.
pub(super) fn at<T>(
    dirfd: i32,
    path: UserPtr<u8>,
    act: impl FnOnce(&mut Walker, &Path, &[u8]) -> Result<T>,
) -> Result<T> {
    let name = PathName::read(path)?;
    let start = start_for(dirfd, name.bytes())?;
    act(&mut caller::walker(), &start, name.bytes())
}

/// Where `name` starts: an absolute one does not look at `dirfd`.
fn start_for(dirfd: i32, name: &[u8]) -> Result<Path> {
    match name.first() {
        Some(b'/') => Ok(caller::cwd()),
        _ => caller::start(dirfd),
    }
}

/// As [`at`], for calls on the place of the last component.
fn with_position(
    dirfd: i32,
    path: UserPtr<u8>,
    act: impl FnOnce(&mut Walker, &Position<'_>) -> Result<()>,
) -> SysResult {
    at(dirfd, path, |walker, start, name| {
        let position = walker.locate(start, name)?;
        act(walker, &position)
    })?;
    Ok(0)
}

/// The place that `path` means; with AT_EMPTY_PATH and an empty path, that of `dirfd` itself.
pub fn place_at(dirfd: i32, path: UserPtr<u8>, flags: u32) -> Result<Path> {
    let follow = match flags & AT_SYMLINK_NOFOLLOW {
        0 => Follow::Yes,
        _ => Follow::No,
    };
    if flags & AT_EMPTY_PATH != 0 && path.is_null() {
        return caller::start(dirfd);
    }
    at(dirfd, path, |walker, start, name| {
        if name.is_empty() && flags & AT_EMPTY_PATH != 0 {
            return Ok(start.clone());
        }
        walker.resolve(start, name, follow)
    })
}

/// See access(2).
pub fn access(path: UserPtr<u8>, mode: i32) -> SysResult {
    faccessat2(AT_FDCWD, path, mode, 0)
}

/// See faccessat(2).
pub fn faccessat(dirfd: i32, path: UserPtr<u8>, mode: i32) -> SysResult {
    faccessat2(dirfd, path, mode, 0)
}

/// See faccessat2(2).
pub fn faccessat2(dirfd: i32, path: UserPtr<u8>, mode: i32, flags: u32) -> SysResult {
    let mode = u32::try_from(mode).map_err(|_| Errno::EINVAL)?;
    let wanted = AccessMode::from_bits(mode).ok_or(Errno::EINVAL)?;
    if flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let credentials = match flags & AT_EACCESS {
        0 => caller::real_credentials(),
        _ => caller::credentials(),
    };
    let name = PathName::read(path)?;
    let start = start_for(dirfd, name.bytes())?;
    let mut walker = Walker::new(caller::root(), credentials);
    let place = match name.bytes() {
        b"" if flags & AT_EMPTY_PATH != 0 => start,
        name => {
            let follow = match flags & AT_SYMLINK_NOFOLLOW {
                0 => Follow::Yes,
                _ => Follow::No,
            };
            walker.resolve(&start, name, follow)?
        }
    };
    if wanted.is_empty() {
        return Ok(0);
    }
    check_access(place.inode(), &walker.credentials, wanted)?;
    let writes_data = wanted.contains(AccessMode::WRITE)
        && matches!(
            place.inode().file_type(),
            FileType::Regular | FileType::Directory | FileType::Symlink
        );
    if writes_data {
        place.check_writable()?;
    }
    let executes = wanted.contains(AccessMode::EXECUTE)
        && place.inode().file_type() == FileType::Regular
        && place.mount.flags().contains(MountFlags::NOEXEC);
    match executes {
        true => Err(Errno::EACCES),
        false => Ok(0),
    }
}

/// See mkdir(2).
pub fn mkdir(path: UserPtr<u8>, mode: u32) -> SysResult {
    mkdirat(AT_FDCWD, path, mode)
}

/// See mkdirat(2).
pub fn mkdirat(dirfd: i32, path: UserPtr<u8>, mode: u32) -> SysResult {
    let mode = mode & 0o1777 & !caller::umask();
    with_position(dirfd, path, |walker, position| {
        names::make(walker, position, NewNode::Directory, mode).map(drop)
    })
}

/// See rmdir(2).
pub fn rmdir(path: UserPtr<u8>) -> SysResult {
    unlinkat(AT_FDCWD, path, AT_REMOVEDIR)
}

/// See unlink(2).
pub fn unlink(path: UserPtr<u8>) -> SysResult {
    unlinkat(AT_FDCWD, path, 0)
}

/// See unlinkat(2).
pub fn unlinkat(dirfd: i32, path: UserPtr<u8>, flags: u32) -> SysResult {
    with_position(dirfd, path, |walker, position| match flags {
        0 => names::unlink(walker, position),
        AT_REMOVEDIR => names::rmdir(walker, position),
        _ => Err(Errno::EINVAL),
    })
}

/// See rename(2).
pub fn rename(old: UserPtr<u8>, new: UserPtr<u8>) -> SysResult {
    renameat2(AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// See renameat(2).
pub fn renameat(old_dirfd: i32, old: UserPtr<u8>, new_dirfd: i32, new: UserPtr<u8>) -> SysResult {
    renameat2(old_dirfd, old, new_dirfd, new, 0)
}

/// See renameat2(2).
pub fn renameat2(
    old_dirfd: i32,
    old: UserPtr<u8>,
    new_dirfd: i32,
    new: UserPtr<u8>,
    flags: u32,
) -> SysResult {
    const NOREPLACE: u32 = 1;
    const EXCHANGE: u32 = 2;
    let target = match flags {
        0 => Target::Replace,
        NOREPLACE => Target::Keep,
        EXCHANGE => Target::Exchange,
        _ => return Err(Errno::EINVAL.because("RENAME_WHITEOUT needs an overlay")),
    };
    let (old, new) = (PathName::read(old)?, PathName::read(new)?);
    let mut walker = caller::walker();
    let old_start = start_for(old_dirfd, old.bytes())?;
    let old = walker.locate(&old_start, old.bytes())?;
    let new_start = start_for(new_dirfd, new.bytes())?;
    let new = walker.locate(&new_start, new.bytes())?;
    names::rename(&walker, &old, &new, target)?;
    Ok(0)
}

/// See link(2).
pub fn link(old: UserPtr<u8>, new: UserPtr<u8>) -> SysResult {
    linkat(AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// See linkat(2).
pub fn linkat(
    old_dirfd: i32,
    old: UserPtr<u8>,
    new_dirfd: i32,
    new: UserPtr<u8>,
    flags: u32,
) -> SysResult {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let follow = match flags & AT_SYMLINK_FOLLOW {
        0 => AT_SYMLINK_NOFOLLOW,
        _ => 0,
    };
    let old = place_at(old_dirfd, old, follow | flags & AT_EMPTY_PATH)?;
    with_position(new_dirfd, new, |walker, position| {
        names::link(walker, &old, position)
    })
}

/// See symlink(2).
pub fn symlink(target: UserPtr<u8>, path: UserPtr<u8>) -> SysResult {
    symlinkat(target, AT_FDCWD, path)
}

/// See symlinkat(2).
pub fn symlinkat(target: UserPtr<u8>, dirfd: i32, path: UserPtr<u8>) -> SysResult {
    let target = PathName::read(target)?;
    if target.bytes().is_empty() {
        return Err(Errno::ENOENT);
    }
    with_position(dirfd, path, |walker, position| {
        names::make(walker, position, NewNode::Symlink(target.bytes()), 0o777).map(drop)
    })
}

/// See readlink(2).
pub fn readlink(path: UserPtr<u8>, buffer: UserPtr<u8>, size: usize) -> SysResult {
    readlinkat(AT_FDCWD, path, buffer, size)
}

/// See readlinkat(2).
pub fn readlinkat(dirfd: i32, path: UserPtr<u8>, buffer: UserPtr<u8>, size: usize) -> SysResult {
    if size == 0 || i32::try_from(size).is_err() {
        return Err(Errno::EINVAL);
    }
    let name = PathName::read(path)?;
    let place = match name.bytes() {
        // An empty path means the link behind a descriptor (O_PATH | O_NOFOLLOW).
        b"" if dirfd != AT_FDCWD => caller::start(dirfd)?,
        name => caller::walker().resolve(&start_for(dirfd, name)?, name, Follow::No)?,
    };
    let target = place.inode().read_link().map_err(|error| match error {
        Errno::EINVAL if name.bytes().is_empty() => Errno::ENOENT,
        error => error,
    })?;
    let count = target.len().min(size);
    buffer.write_slice(&target[..count])?;
    Ok(count)
}

/// See mknod(2).
pub fn mknod(path: UserPtr<u8>, mode: u32, device: u64) -> SysResult {
    mknodat(AT_FDCWD, path, mode, device)
}

/// See mknodat(2).
pub fn mknodat(dirfd: i32, path: UserPtr<u8>, mode: u32, device: u64) -> SysResult {
    const TYPE: u32 = 0o170_000;
    let node = match FileType::from_mode(mode) {
        None if mode & TYPE == 0 => NewNode::Regular,
        Some(FileType::Regular) => NewNode::Regular,
        Some(kind @ (FileType::Fifo | FileType::Socket)) => NewNode::Special(kind, 0),
        Some(kind @ (FileType::CharDevice | FileType::BlockDevice)) => {
            if !caller::credentials().is_privileged() {
                return Err(Errno::EPERM);
            }
            NewNode::Special(kind, device & u64::from(u32::MAX))
        }
        Some(FileType::Directory) => return Err(Errno::EPERM),
        _ => return Err(Errno::EINVAL),
    };
    let mode = mode & 0o7777 & !caller::umask();
    with_position(dirfd, path, |walker, position| {
        names::make(walker, position, node, mode).map(drop)
    })
}

/// See chdir(2).
pub fn chdir(path: UserPtr<u8>) -> SysResult {
    let place = at(AT_FDCWD, path, |walker, start, name| {
        let place = walker.resolve(start, name, Follow::Yes)?;
        open::check_enter(walker, place.inode()).map(|()| place)
    })?;
    with_current(|thread| thread.process().fs.set_cwd(place));
    Ok(0)
}

/// See fchdir(2).
pub fn fchdir(fd: i32) -> SysResult {
    let file = with_current(|thread| thread.process().files.get(fd))?;
    let place = file.path().cloned().ok_or(Errno::ENOTDIR)?;
    open::check_enter(&caller::walker(), place.inode())?;
    with_current(|thread| thread.process().fs.set_cwd(place));
    Ok(0)
}

/// See getcwd(2).
pub fn getcwd(buffer: UserPtr<u8>, size: usize) -> SysResult {
    let mut text = show::working_directory(&caller::cwd(), &caller::root())?;
    text.push(0);
    if text.len() > size {
        return Err(Errno::ERANGE);
    }
    if text.len() > PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    buffer.write_slice(&text)?;
    Ok(text.len())
}

/// See chroot(2).
pub fn chroot(path: UserPtr<u8>) -> SysResult {
    let place = at(AT_FDCWD, path, |walker, start, name| {
        let place = walker.resolve(start, name, Follow::Yes)?;
        open::check_enter(walker, place.inode())?;
        match walker.credentials.is_privileged() {
            true => Ok(place),
            false => Err(Errno::EPERM),
        }
    })?;
    with_current(|thread| thread.process().fs.set_root(place));
    Ok(0)
}

/// See umask(2).
pub fn umask(mask: u32) -> SysResult {
    let old = with_current(|thread| thread.process().fs.set_umask(mask));
    usize::try_from(old).map_err(|_| Errno::EINVAL)
}

/// See mount(2): refused, as to a process without CAP_SYS_ADMIN.
pub fn mount(
    _source: UserPtr<u8>,
    _target: UserPtr<u8>,
    _kind: UserPtr<u8>,
    _flags: u64,
    _data: UserPtr<u8>,
) -> SysResult {
    Err(Errno::EPERM)
}

/// See umount2(2): refused, as to a process without CAP_SYS_ADMIN.
pub fn umount2(_target: UserPtr<u8>, _flags: u32) -> SysResult {
    Err(Errno::EPERM)
}

/// See pivot_root(2): refused, as to a process without CAP_SYS_ADMIN.
pub fn pivot_root(_new_root: UserPtr<u8>, _put_old: UserPtr<u8>) -> SysResult {
    Err(Errno::EPERM)
}

/// See name_to_handle_at(2): no file system here has stable handles.
pub fn name_to_handle_at(
    dirfd: i32,
    path: UserPtr<u8>,
    _handle: UserPtr<u8>,
    _mount_id: UserPtr<u8>,
    flags: u32,
) -> SysResult {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    place_at(dirfd, path, flags & AT_EMPTY_PATH)?;
    Err(Errno::EOPNOTSUPP)
}
