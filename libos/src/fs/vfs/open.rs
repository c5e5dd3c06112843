//! open(2): find or make the file, check, open.

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::fs::file::{File, OpenFile, OpenFlags};
use crate::fs::inode::{FileType, Inode, NewNode};
use crate::fs::inotify::Mask;
use crate::fs::vfs::names::{self, new_owner};
use crate::fs::vfs::walk::{Follow, Position, Walker};
use crate::fs::vfs::{AccessMode, Dentry, MountFlags, Path, check_access};

/// What open(2) was asked for.
#[derive(Clone, Copy, Debug)]
pub struct HowToOpen {
    /// `O_*`.
    pub flags: OpenFlags,
    /// Mode of a new file, with the umask applied.
    pub mode: u32,
}

impl HowToOpen {
    /// From the arguments of open(2), which ignores what it does not know.
    ///
    /// # Errors
    /// EINVAL for combinations that make no sense.
    pub fn new(flags: OpenFlags, mode: u32, umask: u32) -> Result<Self> {
        let mut flags = flags | OpenFlags::LARGEFILE;
        if flags.contains(OpenFlags::PATH) {
            flags &=
                OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NOFOLLOW | OpenFlags::CLOEXEC;
            return Ok(Self { flags, mode: 0 });
        }
        if flags.contains(OpenFlags::TMPFILE) {
            if !flags.writable() || flags.contains(OpenFlags::CREAT) {
                return Err(Errno::EINVAL.because("O_TMPFILE needs write access, not O_CREAT"));
            }
        } else if flags.contains(OpenFlags::CREAT | OpenFlags::DIRECTORY) {
            return Err(Errno::EINVAL.because("O_CREAT with O_DIRECTORY"));
        }
        Ok(Self {
            flags,
            mode: mode & 0o7777 & !umask,
        })
    }

    fn has(&self, flag: OpenFlags) -> bool {
        self.flags.contains(flag)
    }

    fn wanted(&self) -> AccessMode {
        let mut wanted = AccessMode::empty();
        // Access mode 3 (neither read nor write, for ioctl only) wants both permissions.
        let access = self.flags.bits() & 3;
        wanted.set(AccessMode::READ, access != 1);
        wanted.set(AccessMode::WRITE, access != 0 || self.has(OpenFlags::TRUNC));
        wanted
    }
}

/// Opens `name`, seen from `start`.
///
/// # Errors
/// As open(2).
pub fn open(
    walker: &mut Walker,
    start: &Path,
    name: &[u8],
    how: HowToOpen,
) -> Result<Arc<OpenFile>> {
    if how.has(OpenFlags::TMPFILE) {
        return open_unnamed(walker, start, name, how);
    }
    let position = walker.locate(start, name)?;
    if how.has(OpenFlags::CREAT) {
        return open_or_create(walker, position, how);
    }
    let follow = match how.has(OpenFlags::NOFOLLOW) {
        true => Follow::No,
        false => Follow::Yes,
    };
    let place = walker.finish(position, follow)?;
    open_place(walker, place, how)
}

/// Opens what stands at `place`, as with `/proc/self/fd` or after a walk.
///
/// # Errors
/// As open(2).
pub fn open_place(walker: &Walker, place: Path, how: HowToOpen) -> Result<Arc<OpenFile>> {
    let inode = place.inode();
    let file_type = inode.file_type();
    if how.has(OpenFlags::DIRECTORY) && file_type != FileType::Directory {
        return Err(Errno::ENOTDIR);
    }
    if how.has(OpenFlags::PATH) {
        let file: Arc<dyn File> = Arc::new(PlaceOnly);
        return Ok(OpenFile::at(file, how.flags, place));
    }
    check_may_open(walker, &place, how)?;
    if how.has(OpenFlags::TRUNC) && file_type == FileType::Regular {
        place.check_writable()?;
        inode.truncate(0)?;
    }
    finish_open(place, how)
}

fn open_or_create(
    walker: &mut Walker,
    mut position: Position<'_>,
    how: HowToOpen,
) -> Result<Arc<OpenFile>> {
    loop {
        if !position.is_normal() || position.trailing_slash {
            return Err(Errno::EISDIR);
        }
        let Some(place) = walker.last(&position)? else {
            return create(walker, &position, how);
        };
        if how.has(OpenFlags::EXCL) {
            return Err(Errno::EEXIST);
        }
        let file_type = place.inode().file_type();
        if file_type == FileType::Symlink && !how.has(OpenFlags::NOFOLLOW) {
            match walker.follow(&position, &place)? {
                Ok(next) => position = next,
                Err(place) => return open_existing(walker, place, how),
            }
            continue;
        }
        return open_existing(walker, place, how);
    }
}

fn open_existing(walker: &Walker, place: Path, how: HowToOpen) -> Result<Arc<OpenFile>> {
    match place.inode().is_directory() {
        true => Err(Errno::EISDIR),
        false => open_place(walker, place, how),
    }
}

fn create(walker: &Walker, position: &Position<'_>, how: HowToOpen) -> Result<Arc<OpenFile>> {
    let dentry = names::make(walker, position, NewNode::Regular, how.mode)?;
    let place = Path {
        mount: Arc::clone(&position.directory.mount),
        dentry,
    };
    // No permission check: the creator gets what it asked for, whatever the new mode says.
    finish_open(place, how)
}

fn open_unnamed(
    walker: &mut Walker,
    start: &Path,
    name: &[u8],
    how: HowToOpen,
) -> Result<Arc<OpenFile>> {
    let directory = walker.resolve(start, name, Follow::Yes)?;
    if !directory.inode().is_directory() {
        return Err(Errno::ENOTDIR);
    }
    directory.check_writable()?;
    let wanted = AccessMode::WRITE | AccessMode::EXECUTE;
    check_access(directory.inode(), &walker.credentials, wanted)?;
    let owner = new_owner(walker, directory.inode(), FileType::Regular, how.mode);
    let inode = directory.inode().create_unnamed(owner)?;
    let label = alloc::format!("#{}", inode.metadata().ino);
    let place = Path {
        mount: Arc::clone(&directory.mount),
        dentry: Dentry::unnamed_in(inode, label.as_bytes(), &directory.dentry),
    };
    finish_open(place, how)
}

fn check_may_open(walker: &Walker, place: &Path, how: HowToOpen) -> Result<()> {
    let inode = place.inode();
    let wanted = how.wanted();
    let writes = wanted.contains(AccessMode::WRITE);
    match inode.file_type() {
        FileType::Symlink => return Err(Errno::ELOOP),
        FileType::Socket => return Err(Errno::ENXIO.because("a socket file is not opened")),
        FileType::Directory if writes => return Err(Errno::EISDIR),
        FileType::Regular if writes => place.check_writable()?,
        FileType::CharDevice | FileType::BlockDevice
            if place.mount.flags().contains(MountFlags::NODEV) =>
        {
            return Err(Errno::EACCES);
        }
        _ => {}
    }
    check_access(inode, &walker.credentials, wanted)?;
    if how.has(OpenFlags::NOATIME) && !walker.credentials.owns(inode.ownership().uid) {
        return Err(Errno::EPERM);
    }
    Ok(())
}

fn finish_open(place: Path, how: HowToOpen) -> Result<Arc<OpenFile>> {
    let file = Arc::clone(place.inode()).open(how.flags)?;
    // These act once, at open time; F_GETFL does not show them.
    let once = OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::NOCTTY | OpenFlags::TRUNC;
    let flags = how.flags.difference(once | OpenFlags::CLOEXEC);
    let file = OpenFile::at(file, flags, place);
    file.report(Mask::OPEN);
    Ok(file)
}

/// What a descriptor opened with O_PATH refers to: a place, nothing to read or write.
pub struct PlaceOnly;

impl File for PlaceOnly {
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// Whether `inode` may become the working or root directory of the caller.
///
/// # Errors
/// ENOTDIR, EACCES.
pub fn check_enter(walker: &Walker, inode: &Arc<dyn Inode>) -> Result<()> {
    if !inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    check_access(inode, &walker.credentials, AccessMode::EXECUTE)
}
