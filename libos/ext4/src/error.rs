//! Errors as the numbers of errno(3).

use rsext4::{Ext4Error, Ext4ErrorKind};

/// An error number of errno(3), positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// No such name.
    pub const ENOENT: Self = Self(2);
    /// The device failed.
    pub const EIO: Self = Self(5);
    /// No memory.
    pub const ENOMEM: Self = Self(12);
    /// The name exists.
    pub const EEXIST: Self = Self(17);
    /// Beyond the end.
    pub const ENXIO: Self = Self(6);
    /// Not a directory.
    pub const ENOTDIR: Self = Self(20);
    /// It is a directory.
    pub const EISDIR: Self = Self(21);
    /// An argument makes no sense.
    pub const EINVAL: Self = Self(22);
    /// The disk is full.
    pub const ENOSPC: Self = Self(28);
    /// No more names.
    pub const EMLINK: Self = Self(31);
    /// The name is too long.
    pub const ENAMETOOLONG: Self = Self(36);
    /// No such attribute.
    pub const ENODATA: Self = Self(61);
    /// Not supported.
    pub const EOPNOTSUPP: Self = Self(95);
    /// The file system is damaged.
    pub const EUCLEAN: Self = Self(117);
}

/// A result of this crate.
pub type Result<T> = core::result::Result<T, Errno>;

/// What a program is told of the crate's error.
pub fn from_ext4(error: Ext4Error) -> Errno {
    use Ext4ErrorKind as Kind;
    Errno(match error.kind() {
        Kind::Io | Kind::JournalAborted => 5,
        Kind::ReadOnly => 30,
        Kind::NoSpace => 28,
        Kind::NoMemory => 12,
        Kind::QuotaExceeded => 122,
        Kind::TooManyLinks => 31,
        Kind::PermissionDenied => 1,
        Kind::NotFound => 2,
        Kind::AlreadyExists => 17,
        Kind::NotDirectory => 20,
        Kind::IsDirectory => 21,
        Kind::NotEmpty => 39,
        Kind::Busy => 16,
        Kind::BadFileDescriptor => 9,
        Kind::InvalidInput => 22,
        Kind::Overflow => 75,
        Kind::FileTooLarge => 27,
        Kind::Unsupported | Kind::UnsupportedFeature | Kind::UnsupportedCapability => 95,
        _ => 117,
    })
}
