//! Sockets with a pathname: the file system holds the name, the inode knows who bound it.

use alloc::sync::{Arc, Weak};
use core::any::Any;

use crate::errno::{Errno, Result};
use crate::fs::caller;
use crate::fs::inode::{FileType, NewNode};
use crate::fs::vfs::walk::Follow;
use crate::fs::vfs::{AccessMode, check_access, names};
use crate::net::unix::UnixSocket;

/// What the inode of a socket file holds.
struct Bound(Weak<UnixSocket>);

/// Makes a socket file at `path` that stands for `socket`.
///
/// # Errors
/// EADDRINUSE if the path exists, else those of mknod(2).
pub fn bind(path: &[u8], socket: &Weak<UnixSocket>) -> Result<()> {
    let mut walker = caller::walker();
    let position = walker.locate(&caller::cwd(), path)?;
    let mode = 0o777 & !caller::umask();
    let node = NewNode::Special(FileType::Socket, 0);
    let dentry = names::make(&walker, &position, node, mode).map_err(|error| match error {
        Errno::EEXIST => Errno::EADDRINUSE,
        error => error,
    })?;
    let extras = dentry.inode().extras();
    let extras = extras.ok_or(Errno::EPERM.because("no sockets in this file system"))?;
    let bound: Arc<dyn Any + Send + Sync> = Arc::new(Bound(Weak::clone(socket)));
    *extras.bound.lock() = Some(bound);
    Ok(())
}

/// The socket that was bound at `path`.
///
/// # Errors
/// ECONNREFUSED if it is no socket or nobody serves it, EACCES without write permission, else those
/// of a path walk.
pub fn find(path: &[u8]) -> Result<Arc<UnixSocket>> {
    let mut walker = caller::walker();
    let place = walker.resolve(&caller::cwd(), path, Follow::Yes)?;
    let inode = place.inode();
    check_access(inode, &walker.credentials, AccessMode::WRITE)?;
    if inode.file_type() != FileType::Socket {
        return Err(Errno::ECONNREFUSED);
    }
    let bound = inode
        .extras()
        .and_then(|extras| extras.bound.lock().clone());
    let bound = bound.and_then(|bound| bound.downcast::<Bound>().ok());
    bound
        .and_then(|bound| bound.0.upgrade())
        .ok_or(Errno::ECONNREFUSED)
}
