//! Trees for the tests, and how they are told apart.

use libos_erofs::write::{Content, File, Node, Plan};
use libos_erofs::{Data, Entry, Image, Inode, Result, Run};
use std::collections::BTreeMap;

/// A tree to be written.
pub struct Tree {
    pub nodes: Vec<Node>,
}

impl Tree {
    pub fn new() -> Self {
        Self {
            nodes: vec![node(0o040_755, Content::Directory(BTreeMap::new()))],
        }
    }

    /// Adds a node to the directory `parent`; returns its index.
    pub fn add(&mut self, parent: usize, name: &str, mode: u32, content: Content) -> usize {
        self.nodes.push(node(mode, content));
        let index = self.nodes.len() - 1;
        self.link(parent, name, index);
        index
    }

    pub fn link(&mut self, parent: usize, name: &str, index: usize) {
        let Content::Directory(names) = &mut self.nodes[parent].content else {
            panic!("a directory")
        };
        names.insert(name.into(), index);
    }

    pub fn directory(&mut self, parent: usize, name: &str) -> usize {
        self.add(parent, name, 0o040_755, Content::Directory(BTreeMap::new()))
    }

    pub fn file(&mut self, parent: usize, name: &str, bytes: &[u8]) -> usize {
        self.add(
            parent,
            name,
            0o100_644,
            Content::File(File::of(bytes.to_vec())),
        )
    }

    pub fn write(self) -> Vec<u8> {
        let plan = Plan::new(self.nodes).expect("a tree that fits");
        let mut image = Vec::new();
        plan.write(&mut image, &mut |_| {}).expect("in memory");
        assert_eq!(image.len() as u64, plan.len());
        image
    }
}

fn node(mode: u32, content: Content) -> Node {
    Node {
        mode,
        uid: 1000,
        gid: 70_000,
        mtime: (1_700_000_000, 123_456_789),
        xattrs: Vec::new(),
        content,
    }
}

/// Of everything that a tree can hold, one.
pub fn small() -> Tree {
    let mut tree = Tree::new();
    let file = tree.file(0, "file", b"short");
    tree.nodes[file].xattrs = vec![
        (b"user.colour".to_vec(), b"red".to_vec()),
        (b"security.capability".to_vec(), vec![1, 0, 0, 2]),
    ];
    tree.link(0, "same", file);
    let below = tree.directory(0, "-dir");
    tree.file(below, "long", &[7; 5000]);
    tree.file(below, "empty", b"");
    tree.add(
        below,
        "link",
        0o120_777,
        Content::Symlink(b"../file".to_vec()),
    );
    tree.add(below, "null", 0o020_666, Content::Special(1, 3));
    tree.add(below, "disk", 0o060_600, Content::Special(259, 70_000));
    tree.add(below, "pipe", 0o010_644, Content::Special(0, 0));
    let mut bytes = vec![0; 40_000];
    bytes[20_000] = 9;
    let mut holes = File::of(bytes);
    holes.data[0] = 20_000..20_001;
    tree.add(0, "holes", 0o100_600, Content::File(holes));
    tree
}

/// Everything below the directory `at`, one line each.
pub fn walk(image: &Image<'_>, at: &Inode<'_>, path: &str, out: &mut Vec<String>) -> Result<()> {
    let mut below = Vec::new();
    at.for_each::<libos_erofs::Damaged>(&mut |Entry { name, nid }| {
        below.push((String::from_utf8_lossy(name).into_owned(), nid));
        Ok(())
    })?;
    for (name, nid) in below {
        let inode = image.inode(nid)?;
        let path = format!("{path}/{name}");
        out.push(format!("{path} {}", describe(&inode)?));
        // A damaged image may contain itself.
        if inode.is_directory() && path.len() < 1000 && out.len() < 10_000 {
            walk(image, &inode, &path, out)?;
        }
    }
    Ok(())
}

/// The inode, but for its number.
pub fn describe(inode: &Inode<'_>) -> Result<String> {
    let mut xattrs = Vec::new();
    inode.xattrs(&mut |prefix, name, value| {
        let name = [prefix, name].concat();
        xattrs.push((String::from_utf8_lossy(&name).into_owned(), value.to_vec()));
    })?;
    let bytes = match inode.mode >> 12 {
        0o10 | 0o12 => Some(bytes(inode)?),
        _ => None,
    };
    let content = match bytes {
        Some(bytes) if bytes.len() < 100 => String::from_utf8_lossy(&bytes).into_owned(),
        Some(bytes) => format!("{} bytes", bytes.len()),
        None if inode.is_directory() => String::new(),
        None => format!("{:?}", inode.device()),
    };
    Ok(format!(
        "{:o} {}:{} {} {:?} {content} {xattrs:?}",
        inode.mode, inode.uid, inode.gid, inode.links, inode.mtime
    ))
}

/// The bytes of a file, of at most 16 MiB.
pub fn bytes(inode: &Inode<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match inode.data()? {
        Data::Pieces(head, tail) => bytes.extend([head, tail].concat()),
        Data::Chunks(chunks) => {
            while (bytes.len() as u64) < chunks.size().min(16 << 20) {
                match chunks.run(bytes.len() as u64) {
                    Run::Bytes(run) => bytes.extend(run),
                    Run::Hole(len) => bytes.resize(bytes.len() + len.min(1 << 24) as usize, 0),
                }
            }
        }
    }
    Ok(bytes)
}
