//! What the libOS and a file-system driver call of each other.
//!
//! A driver is an ELF file of its own that the tender maps beside the image, before the filter, when a run asks
//! for a file system that the libOS does not carry inside; so images stay small, and every image can use every
//! disk. It is code of the guest, with the guest's rights and no others: it reaches the host only through
//! [`HostCalls`]. Main types: [`HostCalls`] (what the libOS offers), [`DriverCalls`] (what a driver offers),
//! [`Module`] (where one was mapped).
//!
//! Files are named by inode numbers, as in the low-level interface of FUSE; names, permissions, caching and
//! open files are the libOS's. All calls are made by one caller at a time. Results are 0 or a count, or the
//! negative number of an error of errno(3).

use core::ffi::c_void;

use crate::boot::Span;

/// Version of this contract: [`Module`]s of another are refused.
pub const DRIVER_ABI: u32 = 1;

/// Which driver a module is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverKind {
    /// The fourth extended file system.
    Ext4 = 1,
}

impl DriverKind {
    /// The name in options and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
        }
    }
}

/// A driver that the tender mapped.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Which it is.
    pub kind: DriverKind,
    /// [`DRIVER_ABI`] as the tender knows it.
    pub abi: u32,
    /// Where it lies.
    pub span: Span,
    /// Address of its entry point, an [`Entry`].
    pub entry: u64,
}

/// A driver's entry point: takes what the libOS offers, returns what the driver offers; null if it does not
/// know this version. Called once.
pub type Entry = unsafe extern "C" fn(host: *const HostCalls) -> *const DriverCalls;

/// Borrowed bytes that cross the boundary.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// The first; dangling if `len` is 0.
    pub ptr: *const u8,
    /// How many.
    pub len: usize,
}

impl Bytes {
    /// Borrows `bytes` for a call.
    pub const fn of(bytes: &[u8]) -> Self {
        Self {
            ptr: bytes.as_ptr(),
            len: bytes.len(),
        }
    }

    /// The bytes.
    ///
    /// # Safety
    /// 1. It was made of a slice that outlives `'a`.
    pub const unsafe fn get<'a>(self) -> &'a [u8] {
        // SAFETY: duty 1; a slice's pointer is never null.
        unsafe { core::slice::from_raw_parts(self.ptr, self.len) }
    }
}

/// A point in time, since 1970.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Seconds.
    pub seconds: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanoseconds: u32,
    /// Keeps the layout explicit; always 0.
    pub reserved: u32,
}

/// What is known of an inode.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Inode number.
    pub ino: u64,
    /// Type and permission bits, as `st_mode`.
    pub mode: u32,
    /// Number of names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of device files, as `st_rdev`.
    pub rdev: u64,
    /// Size in bytes.
    pub size: u64,
    /// Storage in units of 512 bytes.
    pub blocks: u64,
    /// Last read.
    pub atime: Time,
    /// Last change of the content.
    pub mtime: Time,
    /// Last change of content or metadata.
    pub ctime: Time,
    /// Creation.
    pub btime: Time,
}

/// Changes of metadata; which of them count says `valid`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct AttributeChange {
    /// Bits of [`change`].
    pub valid: u32,
    /// Permission bits, 12 of them.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Access time.
    pub atime: Time,
    /// Modification time.
    pub mtime: Time,
}

/// Bits of [`AttributeChange::valid`].
pub mod change {
    /// The permission bits.
    pub const MODE: u32 = 1;
    /// Owner and group.
    pub const OWNER: u32 = 2;
    /// The access time.
    pub const ATIME: u32 = 4;
    /// The modification time.
    pub const MTIME: u32 = 8;
}

/// An inode to be made.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NewInode {
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Keeps the layout explicit; always 0.
    pub reserved: u32,
    /// Device number, of device files.
    pub rdev: u64,
    /// Target, of symlinks.
    pub target: Bytes,
}

/// One name of a directory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ListedName {
    /// The name; `.` and `..` are not listed.
    pub name: Bytes,
    /// Inode number.
    pub ino: u64,
    /// Type bits, as in `st_mode`.
    pub mode: u32,
    /// Keeps the layout explicit; always 0.
    pub reserved: u32,
}

/// What statfs(2) tells.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct VolumeStatistics {
    /// Magic number (`f_type`).
    pub magic: u64,
    /// Block size in bytes.
    pub block_size: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Inodes in all.
    pub files: u64,
    /// Free inodes.
    pub files_free: u64,
}

/// What [`DriverCalls::allocate`] does; the numbers are this contract's.
pub mod allocate {
    /// Give storage, grow the size.
    pub const GROW: u32 = 0;
    /// Give storage, keep the size.
    pub const KEEP_SIZE: u32 = 1;
    /// Take storage away.
    pub const PUNCH_HOLE: u32 = 2;
    /// Zero, grow the size.
    pub const ZERO_RANGE: u32 = 3;
    /// Zero, keep the size.
    pub const ZERO_RANGE_KEEP_SIZE: u32 = 4;
    /// Remove the range.
    pub const COLLAPSE_RANGE: u32 = 5;
    /// Insert a hole.
    pub const INSERT_RANGE: u32 = 6;
}

/// Bits of the flags of [`DriverCalls::rename`] and [`DriverCalls::mount`].
pub mod flag {
    /// The two names change places.
    pub const EXCHANGE: u32 = 1;
    /// Nothing is ever written.
    pub const READ_ONLY: u32 = 1;
}

/// What the libOS offers to drivers.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct HostCalls {
    /// [`DRIVER_ABI`].
    pub abi: u32,
    /// `size_of::<HostCalls>()`.
    pub size: u32,
    /// Memory of `len` bytes, aligned to `align`; null if there is none.
    pub allocate: unsafe extern "C" fn(len: usize, align: usize) -> *mut u8,
    /// Gives memory back.
    pub free: unsafe extern "C" fn(memory: *mut u8, len: usize, align: usize),
    /// Reads `len` bytes at `offset` of a device, all or nothing.
    pub read: unsafe extern "C" fn(device: u64, offset: u64, buffer: *mut u8, len: usize) -> i32,
    /// Writes `len` bytes at `offset` of a device.
    pub write: unsafe extern "C" fn(device: u64, offset: u64, buffer: *const u8, len: usize) -> i32,
    /// Everything written before survives a power cut once this has returned 0.
    pub flush: unsafe extern "C" fn(device: u64) -> i32,
    /// The present (CLOCK_REALTIME).
    pub now: unsafe extern "C" fn(time: *mut Time),
    /// The driver found a mistake of its own: says so and ends the program.
    pub fatal: unsafe extern "C" fn(message: Bytes) -> !,
    /// memcpy(3).
    pub copy: unsafe extern "C" fn(to: *mut u8, from: *const u8, len: usize) -> *mut u8,
    /// memmove(3).
    pub move_bytes: unsafe extern "C" fn(to: *mut u8, from: *const u8, len: usize) -> *mut u8,
    /// memset(3).
    pub fill: unsafe extern "C" fn(to: *mut u8, byte: i32, len: usize) -> *mut u8,
    /// memcmp(3).
    pub compare: unsafe extern "C" fn(one: *const u8, other: *const u8, len: usize) -> i32,
}

/// A mounted file system; the driver's own.
pub type Volume = *mut c_void;

/// Takes one listed name; `context` is what the caller gave.
pub type Emit = unsafe extern "C" fn(context: *mut c_void, name: *const ListedName);

/// What a driver offers. Every pointer to a result is written only on success.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DriverCalls {
    /// [`DRIVER_ABI`].
    pub abi: u32,
    /// `size_of::<DriverCalls>()`.
    pub size: u32,
    /// Mounts the file system on a device of `len` bytes; see [`flag`]. `reason` takes up to `reason.len`
    /// bytes of text that say why it cannot, and its length is then the rest of the result: `-(errno)`, with
    /// the text closed by a NUL.
    pub mount: unsafe extern "C" fn(
        device: u64,
        len: u64,
        flags: u32,
        volume: *mut Volume,
        root: *mut Attributes,
        reason: *mut u8,
        reason_len: usize,
    ) -> i32,
    /// Writes everything and ends the use of `volume`, which is gone then even on an error.
    pub unmount: unsafe extern "C" fn(volume: Volume) -> i32,
    /// The inode behind a name.
    pub lookup:
        unsafe extern "C" fn(Volume, parent: u64, name: Bytes, found: *mut Attributes) -> i32,
    /// What is known of an inode.
    pub attributes: unsafe extern "C" fn(Volume, ino: u64, attributes: *mut Attributes) -> i32,
    /// Changes metadata.
    pub change: unsafe extern "C" fn(Volume, ino: u64, change: *const AttributeChange) -> i32,
    /// Makes an inode.
    pub create: unsafe extern "C" fn(
        Volume,
        parent: u64,
        name: Bytes,
        new: *const NewInode,
        made: *mut Attributes,
    ) -> i32,
    /// Gives an inode another name.
    pub link: unsafe extern "C" fn(Volume, ino: u64, parent: u64, name: Bytes) -> i32,
    /// Removes the name of something that is not a directory. An inode without a name lives until
    /// [`Self::forget`].
    pub unlink: unsafe extern "C" fn(Volume, parent: u64, name: Bytes) -> i32,
    /// Removes an empty directory; as with [`Self::unlink`] its inode lives on.
    pub rmdir: unsafe extern "C" fn(Volume, parent: u64, name: Bytes) -> i32,
    /// Moves a name; an inode that it replaces lives on as with [`Self::unlink`].
    pub rename: unsafe extern "C" fn(
        Volume,
        parent: u64,
        name: Bytes,
        new_parent: u64,
        new_name: Bytes,
        flags: u32,
    ) -> i32,
    /// Nobody uses this inode, which has no name, any more: frees it.
    pub forget: unsafe extern "C" fn(Volume, ino: u64) -> i32,
    /// Lists all names of a directory.
    pub list: unsafe extern "C" fn(Volume, ino: u64, emit: Emit, context: *mut c_void) -> i32,
    /// Reads a file, or a symlink's target; returns the count.
    pub read:
        unsafe extern "C" fn(Volume, ino: u64, offset: u64, buffer: *mut u8, len: usize) -> i64,
    /// Writes to a file, which grows if need be.
    pub write:
        unsafe extern "C" fn(Volume, ino: u64, offset: u64, buffer: *const u8, len: usize) -> i32,
    /// Sets the size.
    pub truncate: unsafe extern "C" fn(Volume, ino: u64, size: u64) -> i32,
    /// Changes the storage of a range; see [`allocate`].
    pub allocate: unsafe extern "C" fn(Volume, ino: u64, what: u32, offset: u64, len: u64) -> i32,
    /// The next byte from `offset` on with storage (`hole` 0) or without (1).
    pub seek: unsafe extern "C" fn(Volume, ino: u64, offset: u64, hole: u32) -> i64,
    /// The value of an extended attribute; returns its length, and copies it if it fits.
    pub get_xattr:
        unsafe extern "C" fn(Volume, ino: u64, name: Bytes, buffer: *mut u8, len: usize) -> i64,
    /// Sets an extended attribute; `mode`: 0 any, 1 must not exist, 2 must exist.
    pub set_xattr:
        unsafe extern "C" fn(Volume, ino: u64, name: Bytes, value: Bytes, mode: u32) -> i32,
    /// Removes an extended attribute.
    pub remove_xattr: unsafe extern "C" fn(Volume, ino: u64, name: Bytes) -> i32,
    /// The names, each with a NUL behind it; returns the length, and copies if it fits.
    pub list_xattrs: unsafe extern "C" fn(Volume, ino: u64, buffer: *mut u8, len: usize) -> i64,
    /// Everything written so far survives a power cut once this has returned 0.
    pub sync: unsafe extern "C" fn(Volume) -> i32,
    /// What statfs(2) tells.
    pub statistics: unsafe extern "C" fn(Volume, statistics: *mut VolumeStatistics) -> i32,
}
