//! Bits of the messages' fields.

#![allow(
    missing_docs,
    reason = "the names are those of the header file, without their prefix"
)]

/// `SetattrIn::valid` (`FATTR_*`).
pub const SET_MODE: u32 = 1 << 0;
pub const SET_UID: u32 = 1 << 1;
pub const SET_GID: u32 = 1 << 2;
pub const SET_SIZE: u32 = 1 << 3;
pub const SET_ATIME: u32 = 1 << 4;
pub const SET_MTIME: u32 = 1 << 5;
/// `fh` is valid.
pub const SET_FH: u32 = 1 << 6;
pub const SET_ATIME_NOW: u32 = 1 << 7;
pub const SET_MTIME_NOW: u32 = 1 << 8;

/// `GetattrIn::flags` and `StatxIn::getattr_flags`: `fh` is valid.
pub const GETATTR_FH: u32 = 1 << 0;

/// `InitIn::flags` and `InitOut::flags` (`FUSE_*`).
pub const ASYNC_READ: u32 = 1 << 0;
pub const POSIX_LOCKS: u32 = 1 << 1;
pub const ATOMIC_O_TRUNC: u32 = 1 << 3;
pub const BIG_WRITES: u32 = 1 << 5;
pub const DONT_MASK: u32 = 1 << 6;
pub const FLOCK_LOCKS: u32 = 1 << 10;
pub const DO_READDIRPLUS: u32 = 1 << 13;
pub const READDIRPLUS_AUTO: u32 = 1 << 14;
pub const WRITEBACK_CACHE: u32 = 1 << 16;
pub const PARALLEL_DIROPS: u32 = 1 << 18;
pub const MAX_PAGES: u32 = 1 << 22;

/// `OpenOut::open_flags` (`FOPEN_*`): what was cached of the file stays valid.
pub const OPEN_KEEP_CACHE: u32 = 1 << 1;
/// The same for the entries of a directory.
pub const OPEN_CACHE_DIR: u32 = 1 << 3;

/// `WriteIn::write_flags`: from the client's page cache, not by the call of a program.
pub const WRITE_CACHE: u32 = 1 << 0;

/// `ReleaseIn::release_flags`: the owner's locks of flock(2) go.
pub const RELEASE_FLOCK_UNLOCK: u32 = 1 << 1;

/// `LkIn::lk_flags`: flock(2), not fcntl(2).
pub const LK_FLOCK: u32 = 1 << 0;

/// `FsyncIn::fsync_flags`: fdatasync(2).
pub const FSYNC_FDATASYNC: u32 = 1 << 0;
