//! What file-system code asks about the running thread: whose permissions, which limits, which
//! places.

use alloc::sync::Arc;

use crate::errno::Result;
use crate::fs::vfs::walk::Walker;
use crate::fs::vfs::{Credentials, Path};
use crate::task::limits::Resource;
use crate::task::with_current;

/// The ids that count for the running thread's file-system permissions.
pub fn credentials() -> Credentials {
    with_current(|thread| {
        thread.process().identity.with(|identity| Credentials {
            uid: identity.user.filesystem,
            gid: identity.group.filesystem,
            groups: Arc::clone(&identity.groups),
        })
    })
}

/// As [`credentials`], with the real ids instead of the effective ones (access(2)).
pub fn real_credentials() -> Credentials {
    with_current(|thread| {
        thread.process().identity.with(|identity| Credentials {
            uid: identity.user.real,
            gid: identity.group.real,
            groups: Arc::clone(&identity.groups),
        })
    })
}

fn soft_limit(resource: Resource) -> u64 {
    with_current(|thread| thread.process().limits.soft(resource))
}

/// One more than the highest descriptor that may be opened (RLIMIT_NOFILE).
pub fn descriptor_limit() -> usize {
    usize::try_from(soft_limit(Resource::Nofile)).unwrap_or(usize::MAX)
}

/// The largest size to which a file may be made to grow, in bytes (RLIMIT_FSIZE).
pub fn file_size_limit() -> u64 {
    soft_limit(Resource::Fsize)
}

/// A call would make a file longer than RLIMIT_FSIZE: SIGXFSZ for the running thread.
pub fn exceeds_file_size() {
    const SIGXFSZ: i32 = 25;
    crate::signal::send_to_current(SIGXFSZ);
}

/// A path walk with the running thread's root and permissions.
pub fn walker() -> Walker {
    with_current(|thread| Walker::new(thread.process().fs.root(), credentials()))
}

/// The running process's root directory.
pub fn root() -> Path {
    with_current(|thread| thread.process().fs.root())
}

/// The running process's working directory.
pub fn cwd() -> Path {
    with_current(|thread| thread.process().fs.cwd())
}

/// The running process's umask.
pub fn umask() -> u32 {
    with_current(|thread| thread.process().fs.umask())
}

/// AT_FDCWD: the working directory instead of a descriptor.
pub const AT_FDCWD: i32 = -100;

/// Where a relative path starts: the directory behind `dirfd`, or the working directory.
///
/// # Errors
/// EBADF; ENOTDIR if `dirfd` has no place in the tree.
pub fn start(dirfd: i32) -> Result<Path> {
    if dirfd == AT_FDCWD {
        return Ok(cwd());
    }
    with_current(|thread| {
        let file = thread.process().files.get(dirfd)?;
        file.path().cloned().ok_or(crate::errno::Errno::ENOTDIR)
    })
}
