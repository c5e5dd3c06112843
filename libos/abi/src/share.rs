//! Shared folders, as the tender describes them to the libOS. What goes over their handles: [`crate::fuse`].

use crate::boot::Text;

/// Bits of [`Share::flags`].
pub mod flags {
    /// Changes are refused, by the server too.
    pub const READ_ONLY: u32 = 1 << 0;
    /// The host changes the folder meanwhile: the server's answers say that nothing may be cached beyond them.
    pub const HOST_CHANGES: u32 = 1 << 1;
    /// It is a regular file and no directory.
    pub const FILE: u32 = 1 << 2;
}

/// A shared folder, or file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Index of its handle in [`crate::boot::BootInfo::handles`].
    pub handle: u32,
    /// See [`flags`].
    pub flags: u32,
    /// Where it is mounted: absolute, without `.`, `..`, double or trailing slashes, and not the root directory.
    pub target: Text,
}
