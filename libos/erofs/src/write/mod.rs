//! The writer: from a tree of nodes to the bytes of an image.
//!
//! [`Plan::new`] decides where everything lies, so that the length is known before a byte is written;
//! [`Plan::write`] then writes it in one pass. First come superblock and inodes, each followed by its
//! extended attributes and, if they are short, its data; then the data of all others, each from a block
//! of its own and in one piece, so that they can be used where they lie. A file with holes is stored in
//! chunks. Neither the clock nor chance has a say.

mod directory;
mod inode;
mod node;
mod plan;
mod superblock;

pub use node::{Content, File, Node, Source};
pub use plan::Plan;

/// Length of a block in bytes.
const BLOCK_LEN: usize = 4096;
/// The same.
const BLOCK: u64 = BLOCK_LEN as u64;
/// Its logarithm.
const BLOCK_BITS: u32 = BLOCK.trailing_zeros();
