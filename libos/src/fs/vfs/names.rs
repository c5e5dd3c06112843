//! Operations that make, remove and move names, with Linux's order of checks.

use alloc::sync::Arc;

use crate::errno::{Errno, Result};
use crate::fs::inode::{FileType, Inode, NewNode, Ownership, RenameMode};
use crate::fs::inotify::{self, Mask, Subject};
use crate::fs::vfs::walk::{Position, Walker};
use crate::fs::vfs::{AccessMode, Dentry, Path, check_access};

const SET_GROUP_ID: u32 = 0o2000;
const STICKY: u32 = 0o1000;

/// Makes `node` at `position`; `mode` has the umask applied.
///
/// # Errors
/// As mkdir(2), mknod(2), symlink(2).
pub fn make(
    walker: &Walker,
    position: &Position<'_>,
    node: NewNode<'_>,
    mode: u32,
) -> Result<Arc<Dentry>> {
    let directory = &position.directory;
    if !position.is_normal() {
        return Err(Errno::EEXIST);
    }
    if walker.last(position)?.is_some() {
        return Err(Errno::EEXIST);
    }
    if position.trailing_slash && node.file_type() != FileType::Directory {
        return Err(Errno::ENOENT);
    }
    directory.check_writable()?;
    check_may_change_directory(walker, directory)?;
    let owner = new_owner(walker, directory.inode(), node.file_type(), mode);
    let inode = directory.inode().create(&position.name, node, owner)?;
    report(directory, &inode, &position.name, Mask::CREATE, 0);
    Ok(directory.dentry.adopt(&position.name, inode))
}

/// Owner and mode of something new in `directory`: its group and set-group-id bit are inherited if
/// the directory has the bit.
pub fn new_owner(
    walker: &Walker,
    directory: &Arc<dyn Inode>,
    file_type: FileType,
    mode: u32,
) -> Ownership {
    let above = directory.ownership();
    let credentials = &walker.credentials;
    let inherits = above.mode & SET_GROUP_ID != 0;
    let gid = if inherits { above.gid } else { credentials.gid };
    let mode = match file_type {
        FileType::Directory if inherits => mode | SET_GROUP_ID,
        FileType::Symlink => 0o777,
        _ => mode,
    };
    Ownership {
        mode,
        uid: credentials.uid,
        gid,
    }
}

/// See unlink(2).
///
/// # Errors
/// As unlink(2).
pub fn unlink(walker: &Walker, position: &Position<'_>) -> Result<()> {
    if !position.is_normal() {
        // Search permission and existence come first on Linux, too.
        walker.last(position)?;
        return Err(Errno::EISDIR);
    }
    let victim = walker.last(position)?.ok_or(Errno::ENOENT)?;
    let directory = &position.directory;
    directory.check_writable()?;
    if position.trailing_slash {
        return Err(match victim.inode().is_directory() {
            true => Errno::EISDIR,
            false => Errno::ENOTDIR,
        });
    }
    check_may_remove(walker, directory, &victim)?;
    if victim.inode().is_directory() {
        return Err(Errno::EISDIR);
    }
    directory.inode().unlink(&position.name)?;
    directory.dentry.forget(&position.name);
    report_removal(directory, &victim, &position.name);
    Ok(())
}

/// See rmdir(2).
///
/// # Errors
/// As rmdir(2).
pub fn rmdir(walker: &Walker, position: &Position<'_>) -> Result<()> {
    match &*position.name {
        b".." => return Err(Errno::ENOTEMPTY),
        b"." => return Err(Errno::EINVAL),
        b"" => return Err(Errno::EBUSY),
        _ => {}
    }
    let victim = walker.last(position)?.ok_or(Errno::ENOENT)?;
    let directory = &position.directory;
    directory.check_writable()?;
    check_may_remove(walker, directory, &victim)?;
    if !victim.inode().is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if victim.is_mount_root() {
        return Err(Errno::EBUSY);
    }
    directory.inode().rmdir(&position.name)?;
    directory.dentry.forget(&position.name);
    report_removal(directory, &victim, &position.name);
    Ok(())
}

/// See link(2): a further name for what is at `old`.
///
/// # Errors
/// As link(2).
pub fn link(walker: &Walker, old: &Path, position: &Position<'_>) -> Result<()> {
    if !position.is_normal() || walker.last(position)?.is_some() {
        return Err(Errno::EEXIST);
    }
    if position.trailing_slash {
        return Err(Errno::ENOENT);
    }
    let directory = &position.directory;
    directory.check_writable()?;
    if !Arc::ptr_eq(&old.mount, &directory.mount) {
        return Err(Errno::EXDEV);
    }
    check_may_change_directory(walker, directory)?;
    if old.inode().is_directory() {
        return Err(Errno::EPERM);
    }
    directory.inode().link(&position.name, old.inode())?;
    directory
        .dentry
        .adopt(&position.name, Arc::clone(old.inode()));
    report(directory, old.inode(), &position.name, Mask::CREATE, 0);
    report_self(old.inode(), Mask::ATTRIB);
    Ok(())
}

/// What renameat2(2) is to do with an existing target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Replace it.
    Replace,
    /// EEXIST.
    Keep,
    /// Exchange both.
    Exchange,
}

/// See rename(2).
///
/// # Errors
/// As rename(2).
pub fn rename(
    walker: &Walker,
    old: &Position<'_>,
    new: &Position<'_>,
    target: Target,
) -> Result<()> {
    if !Arc::ptr_eq(&old.directory.mount, &new.directory.mount) {
        return Err(Errno::EXDEV);
    }
    if !old.is_normal() {
        return Err(Errno::EBUSY);
    }
    if !new.is_normal() {
        return Err(match target {
            Target::Keep => Errno::EEXIST,
            _ => Errno::EBUSY,
        });
    }
    let source = walker.last(old)?.ok_or(Errno::ENOENT)?;
    let victim = walker.last(new)?;
    match (target, &victim) {
        (Target::Keep, Some(_)) => return Err(Errno::EEXIST),
        (Target::Exchange, None) => return Err(Errno::ENOENT),
        _ => {}
    }
    check_slashes(old, new, &source, victim.as_ref(), target)?;
    check_not_below(&source, victim.as_ref(), old, new, target)?;
    old.directory.check_writable()?;
    if let Some(victim) = &victim
        && Arc::ptr_eq(victim.inode(), source.inode())
    {
        // Two names of one file: nothing happens (POSIX), though both stay.
        return Ok(());
    }
    check_may_rename(walker, old, new, &source, victim.as_ref(), target)?;
    let mode = match target {
        Target::Exchange => RenameMode::Exchange,
        _ => RenameMode::Replace,
    };
    let (from, to) = (&old.directory, &new.directory);
    from.inode()
        .rename(&old.name, to.inode(), &new.name, mode)?;
    match mode {
        RenameMode::Replace => from.dentry.moved(&old.name, &to.dentry, &new.name),
        RenameMode::Exchange => from.dentry.exchanged(&old.name, &to.dentry, &new.name),
    }
    if inotify::is_watched() {
        report_move(old, new, &source, victim.as_ref(), mode);
    }
    Ok(())
}

/// Reports `mask` of `inode`, whose name in `directory` is `name`.
fn report(directory: &Path, inode: &Arc<dyn Inode>, name: &[u8], mask: Mask, cookie: u32) {
    let place = Some((directory.inode(), name));
    inotify::event(Subject { inode, place }, mask, cookie);
}

fn report_self(inode: &Arc<dyn Inode>, mask: Mask) {
    inotify::event(Subject { inode, place: None }, mask, 0);
}

/// A name is gone, and with the last name the object.
fn report_removal(directory: &Path, victim: &Path, name: &[u8]) {
    if !inotify::is_watched() {
        return;
    }
    let inode = victim.inode();
    report(directory, inode, name, Mask::DELETE, 0);
    report_end(inode);
}

fn report_end(inode: &Arc<dyn Inode>) {
    if !inode.is_directory() {
        report_self(inode, Mask::ATTRIB);
    }
    if inode.is_directory() || inode.metadata().nlink == 0 {
        report_self(inode, Mask::DELETE_SELF);
        inotify::forget_inode(inode);
    }
}

fn report_move(
    old: &Position<'_>,
    new: &Position<'_>,
    source: &Path,
    victim: Option<&Path>,
    mode: RenameMode,
) {
    let moves = |from: &Position<'_>, to: &Position<'_>, inode: &Arc<dyn Inode>| {
        let cookie = inotify::next_cookie();
        report(&from.directory, inode, &from.name, Mask::MOVED_FROM, cookie);
        report(&to.directory, inode, &to.name, Mask::MOVED_TO, cookie);
        report_self(inode, Mask::MOVE_SELF);
    };
    moves(old, new, source.inode());
    match (mode, victim) {
        (RenameMode::Exchange, Some(victim)) => moves(new, old, victim.inode()),
        (RenameMode::Replace, Some(victim)) => report_end(victim.inode()),
        (_, None) => {}
    }
}

fn check_slashes(
    old: &Position<'_>,
    new: &Position<'_>,
    source: &Path,
    victim: Option<&Path>,
    target: Target,
) -> Result<()> {
    let is_file = |place: &Path| !place.inode().is_directory();
    let exchanges = target == Target::Exchange;
    if exchanges && new.trailing_slash && victim.is_some_and(is_file) {
        return Err(Errno::ENOTDIR);
    }
    let new_slash_counts = !exchanges && new.trailing_slash;
    if is_file(source) && (old.trailing_slash || new_slash_counts) {
        return Err(Errno::ENOTDIR);
    }
    Ok(())
}

/// A directory cannot move below itself, nor replace one of its ancestors.
fn check_not_below(
    source: &Path,
    victim: Option<&Path>,
    old: &Position<'_>,
    new: &Position<'_>,
    target: Target,
) -> Result<()> {
    if source.dentry.is_ancestor_of(&new.directory.dentry) {
        return Err(Errno::EINVAL);
    }
    match victim {
        Some(victim) if victim.dentry.is_ancestor_of(&old.directory.dentry) => Err(match target {
            Target::Exchange => Errno::EINVAL,
            _ => Errno::ENOTEMPTY,
        }),
        _ => Ok(()),
    }
}

fn check_may_rename(
    walker: &Walker,
    old: &Position<'_>,
    new: &Position<'_>,
    source: &Path,
    victim: Option<&Path>,
    target: Target,
) -> Result<()> {
    check_may_remove(walker, &old.directory, source)?;
    let is_directory = source.inode().is_directory();
    match victim {
        None => check_may_change_directory(walker, &new.directory)?,
        Some(victim) => {
            check_may_remove(walker, &new.directory, victim)?;
            match (is_directory, victim.inode().is_directory()) {
                _ if target == Target::Exchange => {}
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                _ => {}
            }
        }
    }
    let changes_parent = !Arc::ptr_eq(&old.directory.dentry, &new.directory.dentry);
    if is_directory && changes_parent {
        // Its `..` changes.
        check_access(source.inode(), &walker.credentials, AccessMode::WRITE)?;
    }
    if source.is_mount_root() || victim.is_some_and(Path::is_mount_root) {
        return Err(Errno::EBUSY);
    }
    Ok(())
}

fn check_may_change_directory(walker: &Walker, directory: &Path) -> Result<()> {
    if directory.dentry.is_deleted() {
        return Err(Errno::ENOENT);
    }
    let wanted = AccessMode::WRITE | AccessMode::EXECUTE;
    check_access(directory.inode(), &walker.credentials, wanted)
}

fn check_may_remove(walker: &Walker, directory: &Path, victim: &Path) -> Result<()> {
    check_may_change_directory(walker, directory)?;
    let above = directory.inode().ownership();
    let credentials = &walker.credentials;
    let sticky = above.mode & STICKY != 0;
    let owned = || credentials.owns(above.uid) || credentials.owns(victim.inode().ownership().uid);
    match !sticky || owned() {
        true => Ok(()),
        false => Err(Errno::EPERM),
    }
}
