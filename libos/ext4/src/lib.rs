//! ext4 on a disk image, by crate `rsext4`.
//!
//! [`Ext4Volume`] offers what the libOS's contract for drivers asks for ([`libos_abi::driver`]), over any
//! [`Device`]: the libOS's disk, or a file of the host in tests and in `cargo libos mkdisk`. It adds to the
//! crate what Linux programs see and the crate does not show: times in nanoseconds ([`times`]), attribute
//! names with their prefix ([`xattr`]), access lists ([`acl`]), errors as errno numbers ([`error`]).
//!
//! It caches no file data: the libOS's page cache is above.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod acl;
pub mod device;
pub mod error;
mod identity;
#[cfg(feature = "module")]
pub mod module;
mod times;
mod volume;
mod xattr;

pub use device::{Device, SECTOR};
pub use error::Errno;
pub use identity::{Identity, LABEL_MAX};
pub use rsext4::XattrSetMode;
pub use volume::{Ext4Volume, MountError, NewNode};
