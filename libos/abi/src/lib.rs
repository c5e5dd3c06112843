//! The contract between the tender, the build tool and the libOS.
//!
//! - [`block`]: what the libOS is told of a disk.
//! - [`boot`]: the record that the tender passes to the image's entry point.
//! - [`driver`]: what the libOS and a file-system driver, loaded beside it, call of each other.
//! - [`fuse`]: the messages of a shared folder's channel.
//! - [`handle`]: the kinds of host object that an image may hold, and what may be done with each.
//! - [`hypercall`]: the closed list of host system calls that a confined image makes.
//! - [`image`]: where the parts of an image are found in its ELF file.
//! - `manifest` (feature `manifest`, host side): what an image asks for, as JSON in its ELF note.
//!
//! Everything here is plain data: no code of either side, no dependencies in the image. A change
//! that either side could misread bumps [`ABI_VERSION`].

#![cfg_attr(not(feature = "manifest"), no_std)]

pub mod block;
pub mod boot;
pub mod driver;
pub mod fuse;
pub mod handle;
pub mod hypercall;
pub mod image;
#[cfg(feature = "manifest")]
pub mod manifest;
pub mod net;
pub mod share;

/// Version of everything in this crate. The tender refuses an image of another version, and the
/// libOS refuses boot information of another version.
pub const ABI_VERSION: u32 = 1;

/// Size of a page on the only architecture supported, x86-64.
pub const PAGE_SIZE: usize = 4096;
