//! What the messages say, in the libOS's words.

use libos_abi::driver::{Attributes, Time};
use libos_abi::fuse::messages::{Attr, major_minor};

use crate::fs::inode::{Allocate, device_number};

/// The attributes of a file; the messages do not tell its birth.
pub fn attributes(attr: &Attr) -> Attributes {
    let time = |seconds: u64, nanoseconds: u32| Time {
        seconds: seconds.cast_signed(),
        // The host's are; nothing here depends on it but what programs are shown.
        nanoseconds: nanoseconds.min(999_999_999),
        reserved: 0,
    };
    let (major, minor) = major_minor(attr.rdev);
    let ctime = time(attr.ctime, attr.ctimensec);
    Attributes {
        ino: attr.ino,
        mode: attr.mode,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: device_number(major, minor),
        size: attr.size,
        blocks: attr.blocks,
        atime: time(attr.atime, attr.atimensec),
        mtime: time(attr.mtime, attr.mtimensec),
        ctime,
        btime: ctime,
    }
}

/// The mode of fallocate(2).
pub const fn allocation(what: Allocate) -> u32 {
    const KEEP_SIZE: u32 = 1;
    const PUNCH_HOLE: u32 = 2;
    const COLLAPSE_RANGE: u32 = 8;
    const ZERO_RANGE: u32 = 16;
    const INSERT_RANGE: u32 = 32;
    match what {
        Allocate::Grow => 0,
        Allocate::KeepSize => KEEP_SIZE,
        Allocate::PunchHole => PUNCH_HOLE | KEEP_SIZE,
        Allocate::ZeroRange => ZERO_RANGE,
        Allocate::ZeroRangeKeepSize => ZERO_RANGE | KEEP_SIZE,
        Allocate::CollapseRange => COLLAPSE_RANGE,
        Allocate::InsertRange => INSERT_RANGE,
    }
}
