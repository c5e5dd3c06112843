//! What tests of the file systems share.

use libos_erofs::write::{Content, File, Node, Plan};
use std::collections::BTreeMap;
use std::vec::Vec;

/// A small generator (xorshift) for repeatable random tests.
pub struct Random(u64);

impl Random {
    /// From a seed other than 0.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.number() >> 20) % bound
    }
}

/// Writes root images.
pub struct Writer {
    nodes: Vec<Node>,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            nodes: std::vec![node(0o040_755, b"")],
        }
    }
}

impl Writer {
    /// Adds an object with this `st_mode`; directories above appear.
    #[must_use]
    pub fn add(mut self, path: &str, mode: u32, data: &[u8]) -> Self {
        self.nodes.push(node(mode, data));
        let index = self.nodes.len() - 1;
        self.link(path, index);
        self
    }

    /// Gives the object at `old` another name.
    #[must_use]
    pub fn add_link(mut self, path: &str, old: &str) -> Self {
        let (above, name) = self.above(old);
        let index = self.children(above)[name.as_bytes()];
        self.link(path, index);
        self
    }

    fn link(&mut self, path: &str, index: usize) {
        let (above, name) = self.above(path);
        self.children(above).insert(name.as_bytes().into(), index);
    }

    fn above<'a>(&mut self, path: &'a str) -> (usize, &'a str) {
        let mut parts: Vec<&str> = path.split('/').collect();
        let name = parts.pop().expect("a name");
        let mut at = 0;
        for part in parts {
            let new = self.nodes.len();
            at = *self.children(at).entry(part.into()).or_insert(new);
            if at == new {
                self.nodes.push(node(0o040_755, b""));
            }
        }
        (at, name)
    }

    fn children(&mut self, at: usize) -> &mut BTreeMap<Vec<u8>, usize> {
        match &mut self.nodes[at].content {
            Content::Directory(children) => children,
            _ => panic!("a directory"),
        }
    }

    /// The image, for the life of the test process.
    pub fn finish(self) -> &'static [u8] {
        let mut bytes = Vec::new();
        let plan = Plan::new(self.nodes).expect("a small tree");
        plan.write(&mut bytes, &mut |_| {}).expect("in memory");
        Vec::leak(bytes)
    }
}

fn node(mode: u32, data: &[u8]) -> Node {
    Node {
        mode,
        uid: 0,
        gid: 0,
        mtime: (1_600_000_000, 5),
        xattrs: Vec::new(),
        content: match mode >> 12 {
            0o04 => Content::Directory(BTreeMap::new()),
            0o10 => Content::File(File::of(data.to_vec())),
            0o12 => Content::Symlink(data.to_vec()),
            _ => Content::Special(1, 3),
        },
    }
}
