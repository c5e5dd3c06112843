//! From a name to a place: path_resolution(7).
//!
//! A [`Walker`] carries what a walk depends on (whose root, whose permissions, which openat2(2)
//! restrictions). [`Walker::locate`] walks to the directory of the last component, which calls that
//! create or remove names need; [`Walker::resolve`] walks all the way. A walk over names in the
//! cache, without symlinks, allocates nothing.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::inode::FileType;
use crate::fs::vfs::{AccessMode, Credentials, Dentry, PATH_MAX, Path, check_access};

/// How many symlinks one walk follows.
const MAX_LINKS: u32 = 40;

bitflags::bitflags! {
    /// Restrictions of openat2(2), with its numbers (`RESOLVE_*`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Resolve: u64 {
        /// Don't cross mounts.
        const NO_XDEV = 0x01;
        /// Don't follow magic links.
        const NO_MAGICLINKS = 0x02;
        /// Don't follow any symlinks.
        const NO_SYMLINKS = 0x04;
        /// Don't leave the directory where the walk starts.
        const BENEATH = 0x08;
        /// Treat the directory where the walk starts as the root.
        const IN_ROOT = 0x10;
        /// Only what needs no waiting; here nothing does.
        const CACHED = 0x20;
    }
}

/// Whether a symlink as last component is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// It is.
    Yes,
    /// The link itself is meant, unless a slash stands behind it.
    No,
}

/// Where the last component stands.
pub struct Position<'n> {
    /// The directory, checked to be one that may be searched (unless the name is empty).
    pub directory: Path,
    /// The last component; empty if the path was `/` or the like.
    pub name: Cow<'n, [u8]>,
    /// Whether slashes stand behind it, so that it must be a directory.
    pub trailing_slash: bool,
}

impl Position<'_> {
    /// Whether the last component is a name, and not `/`, `.` or `..`.
    pub fn is_normal(&self) -> bool {
        !matches!(&*self.name, b"" | b"." | b"..")
    }
}

/// Whose walk it is, and under which restrictions.
pub struct Walker {
    /// The root directory.
    pub root: Path,
    /// Whose permissions count.
    pub credentials: Credentials,
    resolve: Resolve,
    links_left: u32,
}

enum Link {
    To(Arc<[u8]>),
    Jump(Path),
}

impl Walker {
    /// A walker without restrictions.
    pub fn new(root: Path, credentials: Credentials) -> Self {
        Self {
            root,
            credentials,
            resolve: Resolve::empty(),
            links_left: MAX_LINKS,
        }
    }

    /// Adds the restrictions of openat2(2) for a walk from `start`.
    pub fn restrict(&mut self, resolve: Resolve, start: &Path) {
        self.resolve = resolve;
        if resolve.intersects(Resolve::IN_ROOT | Resolve::BENEATH) {
            self.root = start.clone();
        }
    }

    /// The place that `name`, seen from `start`, means.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG; EXDEV by restriction.
    pub fn resolve(&mut self, start: &Path, name: &[u8], follow: Follow) -> Result<Path> {
        let position = self.locate(start, name)?;
        self.finish(position, follow)
    }

    /// Walks to the directory of the last component.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn locate<'n>(&mut self, start: &Path, name: &'n [u8]) -> Result<Position<'n>> {
        match name.len() {
            0 => Err(Errno::ENOENT),
            PATH_MAX.. => Err(Errno::ENAMETOOLONG),
            _ => self.walk(start, name),
        }
    }

    /// The place that the last component means, following it if it is a link.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn finish(&mut self, mut position: Position<'_>, follow: Follow) -> Result<Path> {
        loop {
            let Some(place) = self.last(&position)? else {
                return Err(Errno::ENOENT);
            };
            let must_follow = follow == Follow::Yes || position.trailing_slash;
            if must_follow && place.inode().file_type() == FileType::Symlink {
                match self.follow(&position, &place)? {
                    Ok(next) => position = next,
                    Err(place) => return Self::check_slash(position.trailing_slash, place),
                }
                continue;
            }
            return Self::check_slash(position.trailing_slash, place);
        }
    }

    /// What stands at the last component, links not followed; `None` if there is nothing.
    ///
    /// # Errors
    /// ENAMETOOLONG; EXDEV by restriction.
    pub fn last(&self, position: &Position<'_>) -> Result<Option<Path>> {
        match &*position.name {
            b"" | b"." => Ok(Some(position.directory.clone())),
            b".." => self.above(&position.directory).map(Some),
            name => match position.directory.dentry.find(name)? {
                Some(dentry) => self.cross(&position.directory, dentry).map(Some),
                None => Ok(None),
            },
        }
    }

    /// Follows the symlink `place`, which is the last component at `position`: to the position that
    /// its text means, or (`Err`) straight to a place if it is a magic link.
    ///
    /// # Errors
    /// ELOOP, and what walking the text gives.
    pub fn follow(
        &mut self,
        position: &Position<'_>,
        place: &Path,
    ) -> Result<core::result::Result<Position<'static>, Path>> {
        match self.read_link(place)? {
            Link::Jump(place) => Ok(Err(place)),
            Link::To(target) => {
                let mut next = self.walk(&position.directory, &target)?;
                next.trailing_slash |= position.trailing_slash;
                Ok(Ok(Position {
                    directory: next.directory,
                    name: Cow::Owned(next.name.into_owned()),
                    trailing_slash: next.trailing_slash,
                }))
            }
        }
    }

    fn check_slash(trailing_slash: bool, place: Path) -> Result<Path> {
        match !trailing_slash || place.inode().is_directory() {
            true => Ok(place),
            false => Err(Errno::ENOTDIR),
        }
    }

    fn walk<'n>(&mut self, start: &Path, name: &'n [u8]) -> Result<Position<'n>> {
        let mut rest = Cow::Borrowed(name);
        let mut here = self.begin(start, name)?;
        let mut at = 0;
        loop {
            let component = next_component(&rest, at);
            if component.start < component.end {
                self.check_search(&here)?;
            }
            if component.next == rest.len() {
                let name = match &rest {
                    Cow::Borrowed(rest) => Cow::Borrowed(&rest[component.start..component.end]),
                    Cow::Owned(rest) => Cow::Owned(rest[component.start..component.end].to_vec()),
                };
                return Ok(Position {
                    directory: here,
                    name,
                    trailing_slash: component.end < rest.len() && component.start < component.end,
                });
            }
            at = component.next;
            match &rest[component.start..component.end] {
                b"." => {}
                b".." => here = self.above(&here)?,
                name => {
                    let place = self.cross(&here, here.dentry.child(name)?)?;
                    if place.inode().file_type() != FileType::Symlink {
                        here = place;
                        continue;
                    }
                    match self.read_link(&place)? {
                        Link::Jump(place) => here = place,
                        Link::To(target) => {
                            here = self.begin(&here, &target)?;
                            rest =
                                Cow::Owned([&target, &b"/"[..], &rest[component.next..]].concat());
                            at = 0;
                        }
                    }
                }
            }
        }
    }

    /// Where a walk over `name` starts: at the root for an absolute one.
    fn begin(&self, start: &Path, name: &[u8]) -> Result<Path> {
        if name.first() != Some(&b'/') {
            return Ok(start.clone());
        }
        if self.resolve.contains(Resolve::BENEATH) {
            return Err(Errno::EXDEV);
        }
        if self.resolve.contains(Resolve::NO_XDEV) && !Arc::ptr_eq(&start.mount, &self.root.mount) {
            return Err(Errno::EXDEV);
        }
        Ok(self.root.clone())
    }

    /// One step down, onto what is mounted there.
    fn cross(&self, directory: &Path, dentry: Arc<Dentry>) -> Result<Path> {
        let covered = dentry.is_covered();
        let place = Path {
            mount: Arc::clone(&directory.mount),
            dentry,
        };
        if !covered {
            return Ok(place);
        }
        let place = place.uncovered();
        self.check_mount(directory, &place)?;
        Ok(place)
    }

    fn above(&self, here: &Path) -> Result<Path> {
        if here.is(&self.root) {
            return match self.resolve.contains(Resolve::BENEATH) {
                true => Err(Errno::EXDEV),
                false => Ok(here.clone()),
            };
        }
        let above = here.above();
        self.check_mount(here, &above)?;
        Ok(above)
    }

    fn check_mount(&self, from: &Path, to: &Path) -> Result<()> {
        let stays = Arc::ptr_eq(&from.mount, &to.mount);
        match stays || !self.resolve.contains(Resolve::NO_XDEV) {
            true => Ok(()),
            false => Err(Errno::EXDEV),
        }
    }

    fn check_search(&self, directory: &Path) -> Result<()> {
        let inode = directory.inode();
        if !inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        check_access(inode, &self.credentials, AccessMode::EXECUTE)
    }

    fn read_link(&mut self, place: &Path) -> Result<Link> {
        if self.resolve.contains(Resolve::NO_SYMLINKS) {
            return Err(Errno::ELOOP);
        }
        self.links_left = self.links_left.checked_sub(1).ok_or(Errno::ELOOP)?;
        if let Some(target) = place.inode().follow() {
            if self.resolve.contains(Resolve::NO_MAGICLINKS) {
                return Err(Errno::ELOOP);
            }
            if self.resolve.intersects(Resolve::BENEATH | Resolve::IN_ROOT) {
                return Err(Errno::EXDEV);
            }
            let target = target?;
            self.check_mount(place, &target)?;
            return Ok(Link::Jump(target));
        }
        let target = place.inode().read_link()?;
        match target.is_empty() {
            true => Err(Errno::ENOENT),
            false => Ok(Link::To(target)),
        }
    }
}

struct Component {
    start: usize,
    end: usize,
    /// Behind the slashes that follow.
    next: usize,
}

fn next_component(path: &[u8], at: usize) -> Component {
    let start = skip_slashes(path, at);
    let end = path[start..]
        .iter()
        .position(|&byte| byte == b'/')
        .map_or(path.len(), |len| start + len);
    Component {
        start,
        end,
        next: skip_slashes(path, end),
    }
}

fn skip_slashes(path: &[u8], at: usize) -> usize {
    path[at..]
        .iter()
        .position(|&byte| byte != b'/')
        .map_or(path.len(), |count| at + count)
}

/// How long a path may be that stays off the heap, in bytes. All of them are copied whenever one moves.
const INLINE: usize = 120;

/// A path as calls receive it: short ones stay off the heap.
pub struct PathName {
    inline: [u8; INLINE],
    len: usize,
    long: Vec<u8>,
}

impl PathName {
    /// From bytes of the libOS.
    ///
    /// # Errors
    /// ENAMETOOLONG.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        if bytes.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut name = Self {
            inline: [0; INLINE],
            len: bytes.len(),
            long: Vec::new(),
        };
        match name.inline.get_mut(..bytes.len()) {
            Some(inline) => inline.copy_from_slice(bytes),
            None => name.long = bytes.to_vec(),
        }
        Ok(name)
    }

    /// Copies a path of the application in.
    ///
    /// # Errors
    /// EFAULT; ENAMETOOLONG for 4096 bytes or more.
    pub fn read(ptr: crate::user::UserPtr<u8>) -> Result<Self> {
        let mut name = Self {
            inline: [0; INLINE],
            len: 0,
            long: Vec::new(),
        };
        // Within one page, so that a short path before an unmapped page is read.
        let page = libos_abi::PAGE_SIZE;
        let in_page = page - ptr.address() % page;
        let chunk = in_page.min(name.inline.len());
        let mut source = crate::user::Source::user(ptr, chunk);
        let got = source.take(&mut name.inline[..chunk])?;
        match name.inline[..got].iter().position(|&byte| byte == 0) {
            Some(len) => name.len = len,
            None => {
                name.long = ptr.read_cstr(PATH_MAX)?;
                name.len = name.long.len();
            }
        }
        Ok(name)
    }

    /// The path.
    pub fn bytes(&self) -> &[u8] {
        if self.long.is_empty() {
            &self.inline[..self.len]
        } else {
            &self.long
        }
    }
}
