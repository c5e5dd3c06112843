//! The driver as an ELF file of its own; everything is in the library.

#![no_std]
#![no_main]

extern crate libos_ext4 as _;
