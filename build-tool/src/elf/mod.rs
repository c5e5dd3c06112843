//! ELF files: programs as they come from a linker, images as the tender wants them.
//!
//! - [`parse`]: bytes to [`Program`]; says why a program cannot become an image.
//! - [`layout`]: where in the address space each part of an image goes.
//! - [`emit`]: parts and addresses to the bytes of an image.
//! - [`pack`]: the program's symbols, compressed.
//! - [`note`]: the manifest in its note.
//! - [`symbols`]: addresses of the libOS's named places.
//!
//! Pure: no files are opened and nothing is printed here.

pub mod emit;
pub mod layout;
pub mod note;
pub mod pack;
pub mod parse;
pub mod symbols;

pub use parse::{Kind, Program, Segment};

/// Size of a page, for address arithmetic.
pub const PAGE: u64 = libos_abi::PAGE_SIZE as u64;

/// `usize` to `u64`, lossless on the only supported architecture.
pub fn to_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
