//! The libOS as an ELF file of its own, which the build tool puts into every image.
//!
//! Everything is in the library; this only makes it a linkable program.

#![no_std]
#![no_main]

extern crate libos as _;
