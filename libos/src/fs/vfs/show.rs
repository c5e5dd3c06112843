//! From a place back to a name, as getcwd(2) and `/proc/self/fd` show it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::vfs::Path;

/// The absolute path of `place` as seen from `root`, with ` (deleted)` behind it if its name was
/// removed, and `(unreachable)` before it if it is not below `root`.
pub fn show(place: &Path, root: &Path) -> Vec<u8> {
    let (names, reached) = names_up_to(place, root);
    let mut text = Vec::new();
    if !reached && place.dentry.parent().is_some() {
        text.extend_from_slice(b"(unreachable)");
    }
    for name in names.iter().rev() {
        text.push(b'/');
        text.extend_from_slice(name);
    }
    if names.is_empty() {
        text.push(b'/');
    }
    if place.dentry.is_deleted() {
        text.extend_from_slice(b" (deleted)");
    }
    text
}

/// What getcwd(2) returns.
///
/// # Errors
/// ENOENT if the directory was removed.
pub fn working_directory(place: &Path, root: &Path) -> Result<Vec<u8>> {
    match place.dentry.is_deleted() {
        true => Err(Errno::ENOENT),
        false => Ok(show(place, root)),
    }
}

/// The names from `place` upwards, and whether `root` was reached.
fn names_up_to(place: &Path, root: &Path) -> (Vec<Arc<[u8]>>, bool) {
    let mut names = Vec::new();
    let mut at = place.clone();
    loop {
        if at.is(root) {
            return (names, true);
        }
        if at.is_mount_root() {
            match at.mount.place() {
                Some(under) => at = under,
                None => return (names, false),
            }
            continue;
        }
        names.push(at.dentry.name());
        match at.dentry.parent() {
            Some(parent) => at.dentry = parent,
            None => return (names, false),
        }
    }
}
