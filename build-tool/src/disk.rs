//! A disk in a file of the host, for the ext4 driver, and how large it may be.
//!
//! Main types: [`Disk`]; [`Size`], read from the command line.

use crate::config::size;
use anyhow::{Context, Result, bail, ensure};
use libos_ext4::error::Result as Errors;
use libos_ext4::{Device, Errno};
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

/// Bytes in a block of the file system: disks are whole blocks.
pub const BLOCK: u64 = 4096;

/// Bytes in a group of blocks.
const GROUP: u64 = BLOCK * 8 * BLOCK;

/// Inodes in each group.
const INODES_PER_GROUP: u64 = 8192;

/// Inodes that are nobody's file.
const RESERVED_INODES: u64 = 16;

/// Blocks that a group's table of inodes and its bitmaps take.
const TABLES: u64 = INODES_PER_GROUP * 256 / BLOCK + 4;

/// What a short last group must have to be used. The driver gives each group as many inodes as the last has
/// room for, so a shorter one would leave the whole disk with few.
const LAST_GROUP: u64 = 4 << 20;

/// The file, as a disk.
#[derive(Clone)]
pub struct Disk {
    file: Rc<File>,
    len: u64,
    failure: Rc<RefCell<Option<io::Error>>>,
}

impl Disk {
    /// The first bytes of `file` that a file system can use well.
    pub fn new(file: File, size: u64) -> Self {
        let rest = size % GROUP;
        let unused = if size > GROUP && rest < LAST_GROUP {
            rest
        } else {
            0
        };
        Self {
            file: Rc::new(file),
            len: size - unused,
            failure: Rc::default(),
        }
    }

    /// What the host said when the disk failed last, which the file system only calls EIO.
    pub fn failure(&self) -> Option<io::Error> {
        self.failure.borrow_mut().take()
    }

    fn noted(&self, done: io::Result<()>) -> Errors<()> {
        done.map_err(|error| {
            *self.failure.borrow_mut() = Some(error);
            Errno::EIO
        })
    }
}

impl Device for Disk {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Errors<()> {
        self.noted(self.file.read_exact_at(buffer, offset))
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Errors<()> {
        self.noted(self.file.write_all_at(bytes, offset))
    }

    /// Nothing: the disk appears when it is whole, and is made durable then.
    fn flush(&mut self) -> Errors<()> {
        Ok(())
    }
}

/// The least and the greatest size of a disk.
pub const SIZES: std::ops::RangeInclusive<u64> = 19 << 20..=1 << 40;

/// Reads a size as truncate(1) does: bytes, or K, KiB, M, MiB, … (binary), KB, MB, … (decimal).
///
/// # Errors
/// Anything else; a size that is none of whole blocks, or too small or large.
pub fn parse_size(text: &str) -> Result<u64> {
    let bytes = bytes(text).with_context(|| {
        format!("expected bytes with an optional suffix (such as 64M, 1G or 1GiB), found {text:?}")
    })?;
    let shown = |bytes: u64| format!("{bytes} ({})", size::shown(bytes));
    let (least, most) = SIZES.into_inner();
    ensure!(
        bytes >= least,
        "expected at least {}, since the file system itself takes most of a smaller disk; found {text}",
        shown(least)
    );
    ensure!(
        bytes <= most,
        "expected at most {}, found {text}",
        shown(most)
    );
    if !bytes.is_multiple_of(BLOCK) {
        let below = bytes - bytes % BLOCK;
        bail!(
            "expected a multiple of {BLOCK}, found {bytes}; the nearest are {below} and {}",
            below + BLOCK
        );
    }
    Ok(bytes)
}

/// A size in whole MiB at which so many inodes and blocks find room, if a disk of `size` bytes takes `own`
/// blocks for itself.
pub fn enough(files: u64, blocks: u64, size: u64, own: u64) -> u64 {
    let tables = size.div_ceil(GROUP) * TABLES;
    let content = (blocks + own.saturating_sub(tables)) * BLOCK;
    let content = content + content / 32;
    let groups = (files + RESERVED_INODES).div_ceil(INODES_PER_GROUP);
    let groups = groups.max(content.div_ceil(GROUP));
    let by_files = (groups - 1) * GROUP + if groups > 1 { LAST_GROUP } else { 0 };
    let by_blocks = content + (groups + 1) * TABLES * BLOCK;
    by_files.max(by_blocks).next_multiple_of(1 << 20)
}

/// `None` for what is no size.
fn bytes(text: &str) -> Option<u64> {
    if let Some(binary) = text.strip_suffix("iB") {
        let unit = binary.ends_with(['K', 'M', 'G', 'T']);
        return size::parse(binary).ok().filter(|_| unit);
    }
    let Some(decimal) = text.strip_suffix('B') else {
        return size::parse(text).ok();
    };
    let power = 1 + "KMGT".find(decimal.chars().last()?)?;
    let number: u64 = decimal[..decimal.len() - 1].parse().ok()?;
    number.checked_mul(1000_u64.pow(u32::try_from(power).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_truncate() {
        for (text, expected) in [
            ("67108864", 64 << 20),
            ("64M", 64 << 20),
            ("64MiB", 64 << 20),
            ("1G", 1 << 30),
            ("1GiB", 1 << 30),
            ("64MB", 64_000_000),
            ("1TB", 1_000_000_000_000),
        ] {
            assert_eq!(parse_size(text).expect(text), expected, "{text}");
        }
        for text in [
            "",
            "iB",
            "12iB",
            "M",
            "1.5G",
            "-1",
            "64MB!",
            "64 M",
            "99999999TB",
            "2T",
        ] {
            assert!(parse_size(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_that_are_none_of_whole_blocks_are_refused_with_the_nearest() {
        let refused = parse_size("67108865").expect_err("odd").to_string();
        assert!(refused.contains("67108864 and 67112960"), "{refused}");
    }

    #[test]
    fn a_short_rest_is_left_unused() {
        let len = |size| Disk::new(tempfile::tempfile().expect("a file"), size).len();
        assert_eq!(len(GROUP + BLOCK), GROUP);
        assert_eq!(len(GROUP + LAST_GROUP), GROUP + LAST_GROUP);
        assert_eq!(len(19 << 20), 19 << 20);
    }
}
