//! The blocks of a directory.

use super::{BLOCK, BLOCK_LEN};
use crate::format::DIRENT;
use std::collections::BTreeMap;

/// A name: the inode's number, its type as a directory tells it.
pub type Named<'a> = BTreeMap<&'a [u8], (u64, u8)>;

/// How long the directory with these names is, in bytes.
pub fn len<'a>(names: impl Iterator<Item = &'a [u8]>) -> u64 {
    let mut blocks: u64 = 0;
    let mut used: u64 = 0;
    for name in names {
        let len = (DIRENT + name.len()) as u64;
        if used + len > BLOCK {
            blocks += 1;
            used = 0;
        }
        used += len;
    }
    blocks * BLOCK + used
}

/// The directory's bytes, as many as [`len`] says.
pub fn bytes(names: &Named<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut block: Vec<(&[u8], (u64, u8))> = Vec::new();
    let mut used = 0;
    for (name, target) in names {
        let len = DIRENT + name.len();
        if (used + len) as u64 > BLOCK {
            emit(&mut bytes, &block);
            bytes.resize(bytes.len().next_multiple_of(BLOCK_LEN), 0);
            block.clear();
            used = 0;
        }
        used += len;
        block.push((name, *target));
    }
    emit(&mut bytes, &block);
    bytes
}

fn emit(bytes: &mut Vec<u8>, block: &[(&[u8], (u64, u8))]) {
    let mut name_offset = block.len() * DIRENT;
    for (name, (nid, kind)) in block {
        bytes.extend(nid.to_le_bytes());
        // A block has 4096 bytes.
        bytes.extend(u16::try_from(name_offset).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend([*kind, 0]);
        name_offset += name.len();
    }
    for (name, _) in block {
        bytes.extend(*name);
    }
}

/// The type of `mode` as a directory tells it (`FT_*` of the kernel's `fs_types.h`).
pub fn file_type(mode: u32) -> u8 {
    match mode >> 12 {
        0o10 => 1,
        0o04 => 2,
        0o02 => 3,
        0o06 => 4,
        0o01 => 5,
        0o14 => 6,
        0o12 => 7,
        _ => 0,
    }
}
