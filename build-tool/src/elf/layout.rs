//! Where the parts of an image go in the address space.
//!
//! The program keeps its link-time addresses. Behind it, each group on pages of its own and one
//! unmapped page apart from the next: the libOS, the stubs, the site table, the program's file, the
//! root file system. All of it lies close together, because stubs are reached with 32-bit distances.

use super::PAGE;
use libos_abi::manifest::Range;

/// Addresses that must be known before the program is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bases {
    /// What is added to the libOS's own addresses.
    pub libos: u64,
    /// The first stub.
    pub stubs: u64,
}

impl Bases {
    /// Behind a program that ends at `app_end`, with a libOS of `libos_len` bytes from address 0.
    pub fn behind(app_end: u64, libos_len: u64) -> Self {
        let libos = behind(app_end);
        Self {
            libos,
            stubs: behind(libos + libos_len),
        }
    }
}

/// Addresses of the parts behind the libOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The stubs.
    pub stubs: Range,
    /// The site table.
    pub sites: Range,
    /// The program's file.
    pub app_file: Range,
    /// The root file system.
    pub rootfs: Range,
}

impl Tail {
    /// The parts with their lengths in bytes, from `stubs` on.
    pub fn place(stubs: u64, lengths: [u64; 4]) -> Self {
        let mut free = stubs;
        let [stubs, sites, app_file, rootfs] = lengths.map(|len| {
            let range = Range { start: free, len };
            if len != 0 {
                free = behind(free + len);
            }
            range
        });
        Self {
            stubs,
            sites,
            app_file,
            rootfs,
        }
    }
}

/// The first page-aligned address with an unmapped page between it and `end`.
fn behind(end: u64) -> u64 {
    end.next_multiple_of(PAGE) + PAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_apart_by_an_unmapped_page() {
        let bases = Bases::behind(0x5001, 0x2000);
        assert_eq!(
            bases,
            Bases {
                libos: 0x7000,
                stubs: 0xa000
            }
        );
        let tail = Tail::place(bases.stubs, [10, 0x1000, 1, 0]);
        assert_eq!(
            tail.stubs,
            Range {
                start: 0xa000,
                len: 10
            }
        );
        assert_eq!(
            tail.sites,
            Range {
                start: 0xc000,
                len: 0x1000
            }
        );
        assert_eq!(
            tail.app_file,
            Range {
                start: 0xe000,
                len: 1
            }
        );
        assert_eq!(
            tail.rootfs,
            Range {
                start: 0x10000,
                len: 0
            }
        );
    }

    #[test]
    fn empty_parts_take_no_addresses() {
        let tail = Tail::place(0xa000, [0, 0, 1, 0]);
        assert_eq!(tail.app_file.start, 0xa000);
    }
}
