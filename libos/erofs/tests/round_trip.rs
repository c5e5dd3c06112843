//! What is written is read back.

mod common;

use common::{Tree, bytes, small, walk};
use libos_erofs::write::{Content, File};
use libos_erofs::{Data, Image};

fn lines(image: &[u8]) -> Vec<String> {
    let image = Image::open(image).expect("just written");
    let mut out = Vec::new();
    walk(&image, &image.root().expect("a root"), "", &mut out).expect("well-formed");
    out
}

#[test]
fn everything_is_kept() {
    let time = "(1700000000, 123456789)";
    let xattrs = r#"[("security.capability", [1, 0, 0, 2]), ("user.colour", [114, 101, 100])]"#;
    let expected = [
        format!("/-dir 40755 1000:70000 2 {time}  []"),
        format!("/-dir/disk 60600 1000:70000 1 {time} (259, 70000) []"),
        format!("/-dir/empty 100644 1000:70000 1 {time}  []"),
        format!("/-dir/link 120777 1000:70000 1 {time} ../file []"),
        format!("/-dir/long 100644 1000:70000 1 {time} 5000 bytes []"),
        format!("/-dir/null 20666 1000:70000 1 {time} (1, 3) []"),
        format!("/-dir/pipe 10644 1000:70000 1 {time} (0, 0) []"),
        format!("/file 100644 1000:70000 2 {time} short {xattrs}"),
        format!("/holes 100600 1000:70000 1 {time} 40000 bytes []"),
        format!("/same 100644 1000:70000 2 {time} short {xattrs}"),
    ];
    assert_eq!(lines(&small().write()), expected);
}

#[test]
fn the_same_tree_makes_the_same_bytes() {
    assert!(small().write() == small().write());
}

#[test]
fn names_of_one_file_are_one_inode() {
    let image = small().write();
    let image = Image::open(&image).expect("just written");
    let root = image.root().expect("a root");
    let nid = |name: &[u8]| root.lookup(name).expect("well-formed");
    assert!(nid(b"file").is_some());
    assert_eq!(nid(b"file"), nid(b"same"));
}

#[test]
fn files_lie_in_one_piece_and_long_ones_from_a_page_on() {
    for len in [1, 100, 2048, 2049, 4095, 4096, 4097, 100_000] {
        let mut tree = Tree::new();
        tree.file(0, "before", &[1; 700]);
        let content: Vec<u8> = (0..=250).cycle().take(len).collect();
        tree.file(0, "file", &content);
        let image = tree.write();
        let opened = Image::open(&image).expect("just written");
        let root = opened.root().expect("a root");
        let nid = root.lookup(b"file").expect("well-formed").expect("there");
        let data = opened.inode(nid).and_then(|inode| inode.data());
        let Ok(Data::Pieces(head, tail)) = data else {
            panic!("{len}: flat")
        };
        assert!([head, tail].concat() == content, "{len}");
        assert!(head.is_empty() || tail.is_empty(), "{len}: one piece");
        if len > 2048 {
            let offset = head.as_ptr() as usize - image.as_ptr() as usize;
            assert_eq!(offset % 4096, 0, "{len}");
        }
    }
}

#[test]
fn three_thousand_names_are_found_and_listed() {
    let mut tree = Tree::new();
    let directory = tree.directory(0, "many");
    let name = |number: usize| format!("{}-{number}", "n".repeat(number % 40 + 1));
    for number in 0..3000 {
        tree.file(directory, &name(number), number.to_string().as_bytes());
    }
    let image = tree.write();
    let image = Image::open(&image).expect("just written");
    let nid = image.root().and_then(|root| root.lookup(b"many"));
    let many = image.inode(nid.expect("well-formed").expect("there"));
    let many = many.expect("an inode");
    assert_eq!(many.entry_count(), Ok(3000));
    for number in 0..3000 {
        let nid = many.lookup(name(number).as_bytes()).expect("well-formed");
        let inode = image.inode(nid.expect("there")).expect("an inode");
        assert_eq!(bytes(&inode).expect("flat"), number.to_string().as_bytes());
    }
    for absent in ["", "!", "n", "n-0x", "zzz", "nn-"] {
        assert_eq!(many.lookup(absent.as_bytes()), Ok(None), "{absent}");
    }
}

#[test]
fn holes_take_no_room() {
    let mut tree = Tree::new();
    let file = File {
        len: 1 << 40,
        data: vec![],
        source: Box::new(Vec::new()),
    };
    tree.add(0, "hole", 0o100_644, Content::File(file));
    let image = tree.write();
    assert!(image.len() <= 8192, "{}", image.len());
    let opened = Image::open(&image).expect("just written");
    let nid = opened.root().and_then(|root| root.lookup(b"hole"));
    let inode = opened.inode(nid.expect("well-formed").expect("there"));
    assert_eq!(inode.expect("an inode").size, 1 << 40);
}

#[test]
fn attributes_that_cannot_be_held_are_named() {
    for (name, len) in [("other.x", 1), ("user.big", 65_536)] {
        let mut tree = small();
        tree.nodes[1].xattrs = vec![(name.into(), vec![0; len])];
        let refused = libos_erofs::write::Plan::new(tree.nodes).map(|_| ());
        let message = refused.expect_err("it does not fit").to_string();
        assert!(message.contains(name), "{message}");
    }
}
