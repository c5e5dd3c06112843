//! A root file system as an EROFS image, which the libOS reads in place.

use super::{Content, Entry, Tree, bytes};
use anyhow::{Context, Result};
use libos_erofs::write::{self, Node, Plan};
use std::collections::{BTreeMap, HashMap};

const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

impl Tree {
    /// The image of the tree, to be written; `None` for an empty tree.
    ///
    /// # Errors
    /// Something that the format cannot hold, or a file that cannot be opened.
    pub fn plan(&self) -> Result<Option<Plan>> {
        if self.is_empty() {
            return Ok(None);
        }
        let root = Entry::directory();
        let mut nodes = vec![node(self.entries.get(&b""[..]).unwrap_or(&root))?];
        let mut directories: HashMap<&[u8], usize> = HashMap::from([(&b""[..], 0)]);
        let mut linked: HashMap<(u64, u64), usize> = HashMap::new();
        for (path, entry) in self.entries.iter().filter(|(path, _)| !path.is_empty()) {
            let shown = || format!("packing /{}", String::from_utf8_lossy(path));
            let known = entry.link.and_then(|link| linked.get(&link).copied());
            let index = match known {
                Some(index) => index,
                None => {
                    nodes.push(node(entry).with_context(shown)?);
                    nodes.len() - 1
                }
            };
            linked.extend(entry.link.map(|link| (link, index)));
            if entry.content == Content::Directory {
                directories.insert(path, index);
            }
            let slash = path.iter().rposition(|&byte| byte == b'/');
            let (above, name) = match slash {
                Some(slash) => (&path[..slash], &path[slash + 1..]),
                None => (&b""[..], &path[..]),
            };
            // A tree has the directories above each of its entries, and they come first.
            let above = directories.get(above).copied().unwrap_or(0);
            if let write::Content::Directory(names) = &mut nodes[above].content {
                names.insert(name.to_vec(), index);
            }
        }
        let plan = Plan::new(nodes).context("laying out the root file system")?;
        Ok(Some(plan))
    }
}

fn node(entry: &Entry) -> Result<Node> {
    let (kind, content) = match &entry.content {
        Content::Directory => (S_IFDIR, write::Content::Directory(BTreeMap::new())),
        Content::File(_) | Content::HostFile { .. } => {
            (S_IFREG, write::Content::File(bytes::of(&entry.content)?))
        }
        Content::Symlink(target) => (S_IFLNK, write::Content::Symlink(target.clone())),
        Content::Special {
            kind,
            device: [major, minor],
        } => (*kind, write::Content::Special(*major, *minor)),
    };
    Ok(Node {
        mode: kind | entry.mode,
        uid: entry.owner[0],
        gid: entry.owner[1],
        mtime: entry.mtime,
        xattrs: entry.xattrs.clone(),
        content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use libos_erofs::{Data, Image};
    use std::fs::File;
    use std::io::{self, Seek, Write};

    fn image(tree: &Tree) -> Vec<u8> {
        let mut bytes = Vec::new();
        let plan = tree.plan().expect("small").expect("not empty");
        plan.write(&mut bytes, &mut |_| {}).expect("readable");
        bytes
    }

    #[test]
    fn an_empty_tree_makes_no_image() {
        assert!(Tree::default().plan().expect("nothing to pack").is_none());
    }

    #[test]
    fn names_of_one_file_are_one_inode() {
        let mut tree = Tree::default();
        let file = Entry {
            content: Content::File(b"content".to_vec()),
            mode: 0o640,
            link: Some((1, 2)),
            ..Entry::directory()
        };
        tree.insert(b"/a/one", file.clone()).expect("plain");
        tree.insert(b"/two", file).expect("plain");
        let bytes = image(&tree);
        let image = Image::open(&bytes).expect("just written");
        let root = image.root().expect("a root");
        let find = |at: &libos_erofs::Inode<'_>, name: &[u8]| {
            at.lookup(name).expect("well-formed").expect("there")
        };
        let below = image.inode(find(&root, b"a")).expect("an inode");
        assert_eq!(find(&below, b"one"), find(&root, b"two"));
        let file = image.inode(find(&root, b"two")).expect("an inode");
        assert_eq!((file.mode, file.links), (0o100_640, 2));
    }

    #[test]
    fn holes_of_host_files_take_no_room() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("sparse");
        let mut file = File::create(&path).expect("writable");
        file.seek(io::SeekFrom::Start(50 << 20)).expect("a file");
        file.write_all(b"end").expect("room");
        let mut tree = Tree::default();
        tree.copy(&path, b"/sparse", super::super::Owner::Root, None, &|_| {
            false
        })
        .expect("readable");
        let bytes = image(&tree);
        assert!(bytes.len() < 1 << 20, "{}", bytes.len());
        let image = Image::open(&bytes).expect("just written");
        let nid = image.root().and_then(|root| root.lookup(b"sparse"));
        let inode = image.inode(nid.expect("well-formed").expect("there"));
        let Ok(Data::Chunks(chunks)) = inode.expect("an inode").data() else {
            panic!("chunks")
        };
        assert_eq!(chunks.run(50 << 20), libos_erofs::Run::Bytes(b"end"));
    }
}
