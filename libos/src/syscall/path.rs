//! Names in the file system (open(2), rename(2), …).

use alloc::vec::Vec;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::caller::{self, AT_FDCWD};
use crate::fs::file::{OpenFile, OpenFlags};
use crate::fs::inode::{DirEntry, FileType, NewNode, cookie};
use crate::fs::vfs::names::{self, Target};
use crate::fs::vfs::open::{self, HowToOpen};
use crate::fs::vfs::walk::{Follow, PathName, Position, Resolve, Walker};
use crate::fs::vfs::{AccessMode, MountFlags, PATH_MAX, Path, check_access, show};
use crate::task::with_current;
use crate::user::{Plain, UserPtr};

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
fn at<T>(
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

fn install(file: alloc::sync::Arc<OpenFile>, flags: OpenFlags) -> SysResult {
    let close_on_exec = flags.contains(OpenFlags::CLOEXEC);
    let fd = with_current(|thread| thread.process().files.insert(file, close_on_exec, 0))?;
    usize::try_from(fd).map_err(|_| Errno::EMFILE)
}

/// See open(2).
pub fn open(path: UserPtr<u8>, flags: u32, mode: u32) -> SysResult {
    openat(AT_FDCWD, path, flags, mode)
}

/// See openat(2).
pub fn openat(dirfd: i32, path: UserPtr<u8>, flags: u32, mode: u32) -> SysResult {
    let flags = OpenFlags::from_bits_retain(flags);
    let how = HowToOpen::new(flags, mode, caller::umask())?;
    let file = at(dirfd, path, |walker, start, name| {
        open::open(walker, start, name, how)
    })?;
    install(file, flags)
}

/// `struct open_how` of openat2(2).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

// SAFETY: three integers: every pattern is valid (1) and it owns nothing (2).
unsafe impl Plain for OpenHow {}

/// See openat2(2).
pub fn openat2(dirfd: i32, path: UserPtr<u8>, how: UserPtr<OpenHow>, size: usize) -> SysResult {
    let how = read_open_how(how, size)?;
    let flags = u32::try_from(how.flags).map_err(|_| Errno::EINVAL)?;
    let flags = OpenFlags::from_bits_retain(flags);
    let known = OpenFlags::all_known();
    let creates = flags.contains(OpenFlags::CREAT) || flags.contains(OpenFlags::TMPFILE);
    let mode = u32::try_from(how.mode).map_err(|_| Errno::EINVAL)?;
    if !known.contains(flags) || mode & !0o7777 != 0 || (!creates && mode != 0) {
        return Err(Errno::EINVAL);
    }
    let resolve = Resolve::from_bits(how.resolve).ok_or(Errno::EINVAL)?;
    if resolve.contains(Resolve::BENEATH | Resolve::IN_ROOT) {
        return Err(Errno::EINVAL);
    }
    let how = HowToOpen::new(flags, mode, caller::umask())?;
    let file = at(dirfd, path, |walker, start, name| {
        // The scope is the directory of `dirfd`, even for an absolute path.
        let scope = caller::start(dirfd).or_else(|error| match name.first() {
            Some(b'/') if resolve.is_empty() => Ok(start.clone()),
            _ => Err(error),
        })?;
        walker.restrict(resolve, &scope);
        open::open(walker, &scope, name, how)
    })?;
    install(file, flags)
}

fn read_open_how(how: UserPtr<OpenHow>, size: usize) -> Result<OpenHow> {
    const KNOWN: usize = size_of::<OpenHow>();
    if size < KNOWN {
        return Err(Errno::EINVAL);
    }
    if size > libos_abi::PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    let rest: UserPtr<u8> = how.byte_offset(KNOWN)?;
    if rest.read_vec(size - KNOWN)?.iter().any(|&byte| byte != 0) {
        return Err(Errno::E2BIG.because("a newer struct open_how"));
    }
    how.read()
}

/// See creat(2).
pub fn creat(path: UserPtr<u8>, mode: u32) -> SysResult {
    let flags = OpenFlags::CREAT | OpenFlags::WRONLY | OpenFlags::TRUNC;
    open(path, flags.bits(), mode)
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

/// How an entry is laid out for getdents(2) or getdents64(2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Old,
    New,
}

/// See getdents(2).
pub fn getdents(fd: i32, buffer: UserPtr<u8>, size: usize) -> SysResult {
    list(fd, buffer, size, Layout::Old)
}

/// See getdents64(2).
pub fn getdents64(fd: i32, buffer: UserPtr<u8>, size: usize) -> SysResult {
    list(fd, buffer, size, Layout::New)
}

/// The most that one call lists, in bytes.
const LIST_MAX: usize = 1 << 20;

fn list(fd: i32, buffer: UserPtr<u8>, size: usize, layout: Layout) -> SysResult {
    let file = with_current(|thread| thread.process().files.get(fd))?;
    if file.flags().contains(OpenFlags::PATH) {
        return Err(Errno::EBADF);
    }
    let size = size.min(u32::MAX as usize).min(LIST_MAX);
    let mut listing = Listing {
        bytes: Vec::new(),
        size,
        layout,
        refused: false,
    };
    let from = *file.offset().lock();
    let next = listing.fill(&file, from)?;
    if listing.bytes.is_empty() && listing.refused {
        return Err(Errno::EINVAL.because("the buffer is too small for one entry"));
    }
    buffer.write_slice(&listing.bytes)?;
    *file.offset().lock() = next;
    Ok(listing.bytes.len())
}

struct Listing {
    bytes: Vec<u8>,
    size: usize,
    layout: Layout,
    /// Whether an entry did not fit.
    refused: bool,
}

impl Listing {
    /// Takes entries from position `from` on; returns the position behind the last taken.
    fn fill(&mut self, file: &OpenFile, from: u64) -> Result<u64> {
        let directory = file.path().filter(|path| path.inode().is_directory());
        let directory = directory.ok_or(Errno::ENOTDIR)?;
        let mut next = from;
        let dots: [(&[u8], Path, u64); 2] = [
            (b".", directory.clone(), cookie::DOT),
            (b"..", self.above(directory), cookie::DOT_DOT),
        ];
        for (name, place, behind) in dots {
            if from >= behind {
                continue;
            }
            let entry = DirEntry {
                name,
                ino: place.inode().metadata().ino,
                file_type: FileType::Directory,
                next: behind,
            };
            if !self.push(entry) {
                return Ok(next);
            }
            next = behind;
        }
        let io = crate::fs::file::Io {
            offset: next,
            flags: file.flags(),
        };
        file.file().read_dir(io, &mut |entry| {
            let taken = self.push(entry);
            if taken {
                next = entry.next;
            }
            taken
        })?;
        Ok(next)
    }

    fn above(&self, directory: &Path) -> Path {
        match directory.is(&caller::root()) {
            true => directory.clone(),
            false => directory.above(),
        }
    }

    fn push(&mut self, entry: DirEntry<'_>) -> bool {
        const HEAD: usize = 18;
        // The old layout has the type behind the name's NUL, the new one before the name.
        let len = match self.layout {
            Layout::New => HEAD + 1 + entry.name.len() + 1,
            Layout::Old => HEAD + entry.name.len() + 2,
        };
        let padded = len.next_multiple_of(8);
        if self.bytes.len() + padded > self.size {
            self.refused = true;
            return false;
        }
        let end = self.bytes.len() + padded;
        let record_len = u16::try_from(padded).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&entry.ino.to_le_bytes());
        self.bytes.extend_from_slice(&entry.next.to_le_bytes());
        self.bytes.extend_from_slice(&record_len.to_le_bytes());
        if self.layout == Layout::New {
            self.bytes.push(entry.file_type.dirent_type());
        }
        self.bytes.extend_from_slice(entry.name);
        self.bytes.resize(end, 0);
        if self.layout == Layout::Old
            && let Some(last) = self.bytes.last_mut()
        {
            *last = entry.file_type.dirent_type();
        }
        true
    }
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
