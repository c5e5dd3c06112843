//! Where everything lies, and the writing of it.

use super::inode::{self, Fields};
use super::superblock::Superblock;
use super::{BLOCK, BLOCK_BITS, BLOCK_LEN, Content, File, Node, directory};
use crate::format::{
    CHUNK_BASED, DIRECTORY, FLAT_INLINE, FLAT_PLAIN, HOLE, LONG_INODE, SLOT_BITS, SUPER_LEN,
    SUPER_OFFSET, TYPE,
};
use std::io::{self, Write};

/// The longest data that lie behind their inode: longer ones would waste more of a block there than in
/// one of their own.
const LONGEST_INLINE: u64 = 2048;

/// Most chunks of a file with holes, if chunks of a block are not fewer.
const MOST_CHUNKS: u64 = 512;

/// An image to be written.
pub struct Plan {
    nodes: Vec<Node>,
    placed: Vec<Placed>,
    blocks: u32,
    /// Length of superblock and inodes in blocks.
    inode_blocks: u32,
}

/// Where a node lies.
struct Placed {
    nid: u64,
    fields: Fields,
    xattrs: Vec<u8>,
    /// Blocks of its chunks.
    chunks: Vec<u32>,
    /// The directory above, of a directory.
    parent: usize,
}

impl Plan {
    /// Places `nodes`, of which the first is the root directory. Each must be reached from there, a
    /// directory by one name.
    ///
    /// # Errors
    /// Extended attributes that the format cannot hold, or more than 16 TiB.
    pub fn new(nodes: Vec<Node>) -> io::Result<Self> {
        let mut placed = Vec::with_capacity(nodes.len());
        for (ordinal, node) in (1..).zip(&nodes) {
            placed.push(Placed::new(node, ordinal)?);
        }
        count_links(&nodes, &mut placed);
        let mut end = SUPER_OFFSET + SUPER_LEN;
        for place in &mut placed {
            end = place.place_inode(end);
        }
        let mut free = end.div_ceil(BLOCK);
        let inode_blocks = block_number(free)?;
        for (node, place) in nodes.iter().zip(&mut placed) {
            free = place.place_data(node, free)?;
        }
        Ok(Self {
            nodes,
            placed,
            blocks: block_number(free)?,
            inode_blocks,
        })
    }

    /// Length of the image in bytes.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> u64 {
        u64::from(self.blocks) * BLOCK
    }

    /// Writes the image. `progress` hears of each node when it is done, with its length in bytes.
    ///
    /// # Errors
    /// A file cannot be read, or `out` fails.
    pub fn write(&self, out: &mut dyn Write, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
        let mut inodes = vec![0; index_of(u64::from(self.inode_blocks) * BLOCK)];
        for (index, place) in self.placed.iter().enumerate() {
            let bytes = self.inode(index)?;
            let start = index_of(place.offset());
            inodes[start..start + bytes.len()].copy_from_slice(&bytes);
        }
        let superblock = Superblock {
            root: u16::try_from(self.placed[0].nid).unwrap_or(u16::MAX),
            inodes: self.nodes.len() as u64,
            blocks: self.blocks,
            chunks: self
                .placed
                .iter()
                .any(|place| place.fields.layout == CHUNK_BASED),
        };
        superblock.write(&mut inodes[..BLOCK_LEN]);
        out.write_all(&inodes)?;
        drop(inodes);
        for (index, place) in self.placed.iter().enumerate() {
            self.write_data(index, out)?;
            progress(place.fields.size);
        }
        Ok(())
    }

    /// The inode with all that follows it.
    fn inode(&self, index: usize) -> io::Result<Vec<u8>> {
        let (node, place) = (&self.nodes[index], &self.placed[index]);
        let mut bytes = place.fields.bytes(node, place.xattrs.len() as u64);
        bytes.extend(&place.xattrs);
        for block in &place.chunks {
            bytes.extend(block.to_le_bytes());
        }
        if place.fields.is_inline() {
            self.copy(index, 0..place.fields.size, &mut bytes)?;
        }
        Ok(bytes)
    }

    fn write_data(&self, index: usize, out: &mut dyn Write) -> io::Result<()> {
        let place = &self.placed[index];
        let size = place.fields.size;
        match place.fields.layout {
            FLAT_PLAIN if has_data(&self.nodes[index]) => {
                self.copy(index, 0..size, out)?;
                pad(size, out)
            }
            CHUNK_BASED => {
                let len = place.chunk_len();
                for (number, _) in (0..)
                    .zip(&place.chunks)
                    .filter(|(_, block)| **block != HOLE)
                {
                    let range = number * len..size.min((number + 1) * len);
                    self.copy(index, range.clone(), out)?;
                    pad(range.end - range.start, out)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn copy(
        &self,
        index: usize,
        range: std::ops::Range<u64>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match &self.nodes[index].content {
            Content::Directory(_) => out.write_all(&self.directory(index)),
            Content::File(file) => file.source.copy(range, out),
            Content::Symlink(target) => out.write_all(target),
            Content::Special(..) => Ok(()),
        }
    }

    fn directory(&self, index: usize) -> Vec<u8> {
        let Content::Directory(children) = &self.nodes[index].content else {
            return Vec::new();
        };
        let named = |index: usize| {
            (
                self.placed[index].nid,
                directory::file_type(self.nodes[index].mode),
            )
        };
        let mut names: directory::Named<'_> = children
            .iter()
            .map(|(name, child)| (&name[..], named(*child)))
            .collect();
        names.insert(b".", named(index));
        names.insert(b"..", named(self.placed[index].parent));
        directory::bytes(&names)
    }
}

impl Placed {
    /// What is known without the other nodes.
    fn new(node: &Node, ordinal: u32) -> io::Result<Self> {
        let xattrs = inode::xattrs(node)?;
        let (size, word) = match &node.content {
            Content::Directory(children) => (directory_len(children), 0),
            Content::File(file) => (file.len, 0),
            Content::Symlink(target) => (target.len() as u64, 0),
            Content::Special(major, minor) => (
                0,
                minor & 0xff | (major & 0xfff) << 8 | (minor & 0xf_ff00) << 12,
            ),
        };
        let sparse = matches!(&node.content, Content::File(file) if file.is_sparse());
        let fits = LONG_INODE + xattrs.len() as u64 + size <= BLOCK;
        let layout = match size {
            _ if sparse => CHUNK_BASED,
            1..=LONGEST_INLINE if fits => FLAT_INLINE,
            _ => FLAT_PLAIN,
        };
        let mut placed = Self {
            nid: 0,
            fields: Fields {
                layout,
                size,
                word,
                ordinal,
                links: 0,
            },
            xattrs,
            chunks: Vec::new(),
            parent: 0,
        };
        if sparse {
            placed.choose_chunks();
        }
        Ok(placed)
    }

    /// The smallest chunks of which there are not too many.
    fn choose_chunks(&mut self) {
        let size = self.fields.size;
        while size.div_ceil(self.chunk_len()) > MOST_CHUNKS {
            self.fields.word += 1;
        }
        let count = size.div_ceil(self.chunk_len());
        self.chunks = vec![HOLE; usize::try_from(count).unwrap_or(0)];
    }

    fn chunk_len(&self) -> u64 {
        BLOCK << self.fields.word
    }

    fn offset(&self) -> u64 {
        self.nid << SLOT_BITS
    }

    /// Places the inode behind `end`; returns its own end. Neither inode nor data behind it may cross
    /// from one block to the next.
    fn place_inode(&mut self, end: u64) -> u64 {
        let len = LONG_INODE + self.xattrs.len() as u64 + self.chunks.len() as u64 * 4;
        let whole = match self.fields.is_inline() {
            true => len + self.fields.size,
            false => LONG_INODE,
        };
        let mut start = end.next_multiple_of(1 << SLOT_BITS);
        if start % BLOCK + whole > BLOCK {
            start = start.next_multiple_of(BLOCK);
        }
        self.nid = start >> SLOT_BITS;
        start + len.max(whole)
    }

    /// Places the data at the block `free` if they don't follow the inode; returns the next free block.
    fn place_data(&mut self, node: &Node, free: u64) -> io::Result<u64> {
        let size = self.fields.size;
        match (&node.content, self.fields.layout) {
            (Content::File(file), CHUNK_BASED) => self.place_chunks(file, free),
            (_, FLAT_PLAIN) if has_data(node) => {
                self.fields.word = block_number(free)?;
                Ok(free + size.div_ceil(BLOCK))
            }
            _ => Ok(free),
        }
    }

    fn place_chunks(&mut self, file: &File, mut free: u64) -> io::Result<u64> {
        let len = self.chunk_len();
        for (number, block) in (0..).zip(&mut self.chunks) {
            let range = number * len..file.len.min((number + 1) * len);
            if file.has_data(&range) {
                *block = block_number(free)?;
                free += (range.end - range.start).div_ceil(BLOCK);
            }
        }
        Ok(free)
    }
}

fn has_data(node: &Node) -> bool {
    !matches!(node.content, Content::Special(..))
}

fn directory_len(children: &std::collections::BTreeMap<Vec<u8>, usize>) -> u64 {
    let mut names: Vec<&[u8]> = children.keys().map(Vec::as_slice).collect();
    names.extend([&b"."[..], b".."]);
    names.sort_unstable();
    directory::len(names.into_iter())
}

/// Counts the names of each node, and tells directories where they are.
fn count_links(nodes: &[Node], placed: &mut [Placed]) {
    placed[0].fields.links = 2;
    for (index, node) in nodes.iter().enumerate() {
        let Content::Directory(children) = &node.content else {
            continue;
        };
        for &child in children.values() {
            if nodes[child].mode & TYPE == DIRECTORY {
                placed[child].parent = index;
                placed[child].fields.links += 2;
                placed[index].fields.links += 1;
            } else {
                placed[child].fields.links += 1;
            }
        }
    }
}

fn block_number(block: u64) -> io::Result<u32> {
    let too_long = || {
        io::Error::new(
            io::ErrorKind::FileTooLarge,
            "expected less than 16 TiB in all",
        )
    };
    u32::try_from(block)
        .ok()
        .filter(|&block| block != HOLE)
        .ok_or_else(too_long)
}

/// An offset into something in memory.
fn index_of(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// Fills up the block behind `len` bytes.
fn pad(len: u64, out: &mut dyn Write) -> io::Result<()> {
    let zeroes = len.next_multiple_of(BLOCK) - len;
    out.write_all(&[0; BLOCK_LEN][..index_of(zeroes)])
}

const _: () = assert!(1 << BLOCK_BITS == BLOCK);
