//! Sockets with a pathname: the file system holds the name, the inode who bound it.

use alloc::sync::{Arc, Weak};

use crate::errno::{Errno, Result};
use crate::net::unix::UnixSocket;

/// Makes a socket file at `path` that stands for `socket`.
///
/// # Errors
/// EADDRINUSE if the path exists, else those of mknod(2).
pub fn bind(path: &[u8], socket: &Weak<UnixSocket>) -> Result<()> {
    let _ = (path, socket);
    Err(Errno::EOPNOTSUPP.because("sockets in the file system come with the file system"))
}

/// The socket that was bound at `path`.
///
/// # Errors
/// ECONNREFUSED if it is no socket or nobody serves it, else those of a path walk.
pub fn find(path: &[u8]) -> Result<Arc<UnixSocket>> {
    let _ = path;
    Err(Errno::ENOENT)
}
