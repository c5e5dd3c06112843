//! Instances that watch instances: no circles, and no deep towers.
//!
//! A notification climbs from the innermost instance to the outermost, so the depth bounds the
//! libOS's stack. Linux allows four levels of watching (`EP_MAX_NESTS`), which is five instances.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::epoll::Epoll;

/// Most instances above one another, less one.
const MAX_NESTS: usize = 4;

/// The instances that watch one.
#[derive(Default)]
pub struct Parents(Vec<Weak<Epoll>>);

/// Admits that `parent` watches `child`, and remembers it.
///
/// # Errors
/// EINVAL for the same instance, ELOOP.
pub fn admit(parent: &Epoll, child: &Epoll) -> Result<()> {
    if core::ptr::eq(parent, child) {
        return Err(Errno::EINVAL);
    }
    let below = depth_below(child, parent, 0)?;
    if below + 1 + height_above(parent, 0) > MAX_NESTS {
        return Err(Errno::ELOOP);
    }
    let mut state = child.state.lock();
    state.parents.0.retain(|old| old.strong_count() > 0);
    state.parents.0.push(Weak::clone(&parent.me));
    Ok(())
}

/// `parent` no longer watches `child` (under one of maybe several descriptors).
pub fn dismiss(parent: &Epoll, child: &Epoll) {
    let mut state = child.state.lock();
    let parents = &mut state.parents.0;
    if let Some(index) = parents.iter().position(|old| old.ptr_eq(&parent.me)) {
        parents.swap_remove(index);
    }
}

/// How many levels of instances `epoll` watches; ELOOP if `root` is among them.
fn depth_below(epoll: &Epoll, root: &Epoll, level: usize) -> Result<usize> {
    if core::ptr::eq(epoll, root) || level > MAX_NESTS {
        return Err(Errno::ELOOP);
    }
    let files: Vec<_> = {
        let state = epoll.state.lock();
        let items = state.items.values();
        items.filter_map(|item| item.file.upgrade()).collect()
    };
    let mut depth = 0;
    for child in files.iter().filter_map(|file| file.downcast::<Epoll>()) {
        depth = depth.max(1 + depth_below(child, root, level + 1)?);
    }
    Ok(depth)
}

/// How many levels of instances watch `epoll`.
fn height_above(epoll: &Epoll, level: usize) -> usize {
    if level > MAX_NESTS {
        return 0;
    }
    let parents: Vec<Arc<Epoll>> = {
        let state = epoll.state.lock();
        state.parents.0.iter().filter_map(Weak::upgrade).collect()
    };
    let heights = parents
        .iter()
        .map(|parent| 1 + height_above(parent, level + 1));
    heights.max().unwrap_or(0)
}
