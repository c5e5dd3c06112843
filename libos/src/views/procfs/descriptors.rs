//! `/proc/PID/fd` and `/proc/PID/fdinfo`.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::caller;
use crate::fs::file::{File, OpenFile, OpenFlags};
use crate::fs::inode::{FileType, FsStatistics, Inode, Metadata};
use crate::fs::pipe::{Access, PipeEnd};
use crate::fs::pseudo::{Item, Listing, Magic, text};
use crate::fs::vfs::{Dentry, Mount, MountFlags, Path, show};
use crate::task::{Tid, with_current};
use crate::user::Timespec;
use core::fmt::Write;

/// The descriptors as links.
pub struct Links(pub Tid);

/// The descriptors as descriptions.
pub struct Infos(pub Tid);

fn open(name: &[u8]) -> Option<Arc<OpenFile>> {
    let fd: i32 = core::str::from_utf8(name).ok()?.parse().ok()?;
    with_current(|thread| thread.process().files.get(fd)).ok()
}

fn names(file_type: FileType) -> Vec<(Vec<u8>, FileType)> {
    with_current(|thread| thread.process().files.open_from(0))
        .into_iter()
        .map(|fd| (alloc::format!("{fd}").into_bytes(), file_type))
        .collect()
}

impl Listing for Links {
    fn get(&self, name: &[u8]) -> Option<Item> {
        let file = open(name)?;
        Some(Item::Magic(Arc::new(DescriptorLink(file))))
    }

    fn names(&self) -> Vec<(Vec<u8>, FileType)> {
        names(FileType::Symlink)
    }

    fn subject(&self) -> Tid {
        self.0
    }

    fn is_stable(&self) -> bool {
        false
    }
}

impl Listing for Infos {
    fn get(&self, name: &[u8]) -> Option<Item> {
        let file = open(name)?;
        Some(Item::Made(Arc::new(move || info(&file))))
    }

    fn names(&self) -> Vec<(Vec<u8>, FileType)> {
        names(FileType::Regular)
    }

    fn subject(&self) -> Tid {
        self.0
    }

    fn is_stable(&self) -> bool {
        false
    }
}

struct DescriptorLink(Arc<OpenFile>);

impl Magic for DescriptorLink {
    fn text(&self) -> Result<Vec<u8>> {
        Ok(describe(&self.0))
    }

    fn target(&self) -> Result<Path> {
        Ok(match self.0.path() {
            Some(path) => path.clone(),
            None => wrap(Arc::clone(self.0.file())),
        })
    }

    fn mode(&self) -> u32 {
        let flags = self.0.flags();
        let read = if flags.readable() { 0o400 } else { 0 };
        let write = if flags.writable() { 0o200 } else { 0 };
        read | write | 0o100
    }
}

/// What the link of an open file says.
fn describe(file: &OpenFile) -> Vec<u8> {
    if let Some(path) = file.path() {
        return show::show(path, &caller::root());
    }
    let anonymous = file.file().anonymous();
    match anonymous.label {
        label if label.starts_with("anon_inode:") || label.starts_with('/') => label.into(),
        label => alloc::format!("{label}:[{}]", anonymous.ino).into_bytes(),
    }
}

/// A place for a file that has none, so that it can be opened again by its link.
fn wrap(file: Arc<dyn File>) -> Path {
    let dentry = Dentry::unnamed(Arc::new(Reopen { file }), b"");
    let mount = Mount::detached(Arc::clone(&dentry), "none", MountFlags::empty());
    Path { mount, dentry }
}

/// The inode of a pipe, console or the like.
struct Reopen {
    file: Arc<dyn File>,
}

impl Inode for Reopen {
    fn file_type(&self) -> FileType {
        FileType::from_mode(self.file.anonymous().st_mode).unwrap_or(FileType::Regular)
    }

    fn metadata(&self) -> Metadata {
        let anonymous = self.file.anonymous();
        let (time, caller) = (Timespec::default(), caller::credentials());
        Metadata {
            dev: 0xf,
            ino: anonymous.ino,
            file_type: self.file_type(),
            mode: anonymous.st_mode & 0o7777,
            nlink: 1,
            uid: caller.uid,
            gid: caller.gid,
            rdev: 0,
            size: 0,
            blocks: 0,
            block_size: 4096,
            atime: time,
            mtime: time,
            ctime: time,
            btime: time,
        }
    }

    fn statistics(&self) -> FsStatistics {
        FsStatistics {
            magic: 0x0904_1934,
            block_size: 4096,
            blocks: 0,
            blocks_free: 0,
            files: 0,
            files_free: 0,
            id: 0xf,
        }
    }

    fn open(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>> {
        if let Some(end) = self.file.as_any().downcast_ref::<PipeEnd>() {
            let access = match (flags.readable(), flags.writable()) {
                (true, true) => Access::ReadWrite,
                (false, true) => Access::Write,
                _ => Access::Read,
            };
            return Ok(Arc::new(PipeEnd::attach(end.pipe(), access)));
        }
        match self.file.as_any().is::<crate::fs::console::Console>() {
            true => Ok(Arc::clone(&self.file)),
            false => Err(Errno::ENXIO.because("this kind of descriptor is not opened again")),
        }
    }
}

/// The text of `/proc/PID/fdinfo/FD`.
fn info(file: &OpenFile) -> Vec<u8> {
    let position = *file.offset().lock();
    let mount = file.path().map_or(0, |path| path.mount.id());
    text(|out| {
        writeln!(out, "pos:\t{position}")?;
        writeln!(out, "flags:\t0{:o}", file.flags().bits())?;
        writeln!(out, "mnt_id:\t{mount}")
    })
}
