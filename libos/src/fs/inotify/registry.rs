//! Which watches an inode has, and the calls by which the VFS reports events.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::fs::inode::Inode;
use crate::fs::inotify::{Mask, Watch};
use crate::fs::vfs::Path;
use crate::sync::SpinLock;
use crate::word_map::WordMap;

/// Watches by the address of their inode, which each keeps alive.
#[expect(
    clippy::box_collection,
    reason = "a value of a `WordMap` is one pointer"
)]
static WATCHES: SpinLock<WordMap<usize, Box<Vec<Arc<Watch>>>>> = SpinLock::new(WordMap::new());

/// Number of watches; 0 lets events return at once.
static COUNT: AtomicUsize = AtomicUsize::new(0);

static COOKIE: AtomicU32 = AtomicU32::new(0);

/// What an event happened to: an object, and its name in a directory where it has one.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The object.
    pub inode: &'a Arc<dyn Inode>,
    /// The directory that holds its name, and the name.
    pub place: Option<(&'a Arc<dyn Inode>, &'a [u8])>,
}

/// Whether anything is watched at all: callers that must work for a [`Subject`] ask first.
#[inline]
pub fn is_watched() -> bool {
    COUNT.load(Ordering::Relaxed) != 0
}

/// A number that ties the two events of one rename together.
pub fn next_cookie() -> u32 {
    COOKIE.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
}

/// Reports `mask`. CREATE, DELETE, MOVED_FROM and MOVED_TO concern the directory only, DELETE_SELF
/// and MOVE_SELF the object only, all others both. Called without locks held.
pub fn event(subject: Subject<'_>, mask: Mask, cookie: u32) {
    if !is_watched() {
        return;
    }
    let directory_only = Mask::CREATE | Mask::DELETE | Mask::MOVED_FROM | Mask::MOVED_TO;
    let self_only = Mask::DELETE_SELF | Mask::MOVE_SELF;
    let mut told = mask;
    told.set(Mask::ISDIR, subject.inode.is_directory());
    if let Some((directory, name)) = subject.place.filter(|_| !mask.intersects(self_only)) {
        report(directory, told, cookie, Some(name));
    }
    if !mask.intersects(directory_only) {
        if mask.intersects(self_only) {
            told.remove(Mask::ISDIR);
        }
        report(subject.inode, told, cookie, None);
    }
}

/// Reports `mask` of what is at `path`.
pub fn event_at(path: &Path, mask: Mask) {
    if !is_watched() {
        return;
    }
    let above = path.dentry.parent();
    let name = path.dentry.name();
    let place = above.as_ref().map(|above| (above.inode(), &*name));
    let inode = path.inode();
    event(Subject { inode, place }, mask, 0);
}

/// The object's last name is gone: its watches end.
pub fn forget_inode(inode: &Arc<dyn Inode>) {
    if !is_watched() {
        return;
    }
    for watch in watches_of(inode) {
        if let Some(owner) = watch.owner.upgrade() {
            owner.end(&watch);
        }
    }
}

fn report(inode: &Arc<dyn Inode>, mask: Mask, cookie: u32, name: Option<&[u8]>) {
    for watch in watches_of(inode) {
        watch.report(mask, cookie, name);
    }
}

fn watches_of(inode: &Arc<dyn Inode>) -> Vec<Arc<Watch>> {
    let watches = WATCHES.lock();
    let list = watches.get(&address(inode));
    list.map_or_else(Vec::new, |list| list.to_vec())
}

/// Adds a watch.
pub(super) fn add(watch: &Arc<Watch>) {
    let mut watches = WATCHES.lock();
    let list = watches.get_or_default(address(&watch.inode));
    list.push(Arc::clone(watch));
    COUNT.fetch_add(1, Ordering::Relaxed);
}

/// Removes a watch, if it is there.
pub(super) fn remove(watch: &Arc<Watch>) {
    let mut watches = WATCHES.lock();
    let key = address(&watch.inode);
    let Some(list) = watches.get_mut(&key) else {
        return;
    };
    let before = list.len();
    list.retain(|other| !Arc::ptr_eq(other, watch));
    COUNT.fetch_sub(before - list.len(), Ordering::Relaxed);
    if list.is_empty() {
        watches.remove(&key);
    }
}

fn address(inode: &Arc<dyn Inode>) -> usize {
    Arc::as_ptr(inode).cast::<()>() as usize
}
