//! Other readers and writers of the format: the kernel, fsck.erofs, dump.erofs, mkfs.erofs. What is not
//! there is skipped, visibly.

mod common;

use common::{Tree, small, walk};
use libos_erofs::Image;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Command;

fn run(program: &str, args: &[&str]) -> Option<String> {
    let output = match Command::new(program).args(args).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: {program}: {error}");
            return None;
        }
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {text}");
    Some(text)
}

fn larger() -> Tree {
    let mut tree = small();
    let many = tree.directory(0, "many");
    for number in 0..3000 {
        tree.file(many, &format!("entry-{number:05}"), &[5; 30][..number % 30]);
    }
    let mut deep = tree.directory(0, "deep");
    for _ in 0..40 {
        deep = tree.directory(deep, "directory-below");
    }
    tree.file(deep, "end", b"of the path");
    tree
}

#[test]
fn fsck_finds_nothing_wrong() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("image");
    std::fs::write(&file, larger().write()).expect("writable");
    let file = file.to_str().expect("ASCII");
    run("fsck.erofs", &[file]);
    let Some(text) = run("dump.erofs", &["-s", file]) else {
        return;
    };
    assert!(text.contains("0xE0F5E1E2"), "{text}");
}

/// A line for each object below `at`, as the kernel shows it.
fn host_lines(at: &Path, path: &str, out: &mut Vec<String>) {
    let mut names: Vec<_> = std::fs::read_dir(at)
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    names.sort();
    for name in names {
        let below = at.join(&name);
        let path = format!("{path}/{}", name.to_string_lossy());
        let found = std::fs::symlink_metadata(&below).expect("there");
        let kind = found.file_type();
        let content = if kind.is_file() {
            let bytes = std::fs::read(&below).expect("readable");
            match bytes.len() {
                0..100 => String::from_utf8_lossy(&bytes).into_owned(),
                len => format!("{len} bytes"),
            }
        } else if kind.is_symlink() {
            let target = std::fs::read_link(&below).expect("a link");
            target.to_string_lossy().into_owned()
        } else if kind.is_dir() {
            String::new()
        } else if kind.is_char_device() || kind.is_block_device() {
            let rdev = found.rdev();
            let major = (rdev >> 8) & 0xfff;
            format!("{:?}", (major, (rdev & 0xff) | ((rdev >> 12) & 0xf_ff00)))
        } else {
            "(0, 0)".to_owned()
        };
        out.push(format!(
            "{path} {:o} {}:{} {} ({}, {}) {content}",
            found.mode(),
            found.uid(),
            found.gid(),
            found.nlink(),
            found.mtime(),
            found.mtime_nsec()
        ));
        if kind.is_dir() {
            host_lines(&below, &path, out);
        }
    }
}

/// Our lines without extended attributes, which the standard library cannot read.
fn own_lines(bytes: &[u8]) -> Vec<String> {
    let image = Image::open(bytes).expect("an image");
    let mut out = Vec::new();
    walk(&image, &image.root().expect("a root"), "", &mut out).expect("well-formed");
    let cut = |line: String| line.split_once(" [").map(|(line, _)| line.to_owned());
    out.into_iter().filter_map(cut).collect()
}

#[test]
fn the_kernel_sees_the_same_tree() {
    let place = tempfile::tempdir().expect("a directory");
    let (file, target) = (place.path().join("image"), place.path().join("mounted"));
    let bytes = larger().write();
    std::fs::write(&file, &bytes).expect("writable");
    std::fs::create_dir(&target).expect("writable");
    let [file, directory] = [&file, &target].map(|path| path.to_str().expect("ASCII"));
    let mounted = Command::new("mount")
        .args(["-t", "erofs", "-o", "ro,loop", file, directory])
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: the kernel's EROFS cannot be mounted here");
        return;
    }
    let mut found = Vec::new();
    host_lines(&target, "", &mut found);
    let xattr = Command::new("getfattr")
        .args(["--only-values", "-n", "user.colour"])
        .arg(target.join("same"))
        .output();
    run("umount", &[directory]);
    let own = own_lines(&bytes);
    assert_eq!(found.len(), own.len());
    for (found, own) in found.iter().zip(&own) {
        assert_eq!(found, own);
    }
    match xattr {
        Ok(output) => assert_eq!(output.stdout, b"red"),
        Err(error) => eprintln!("skipped: getfattr: {error}"),
    }
}

#[test]
fn images_of_mkfs_are_read() {
    let place = tempfile::tempdir().expect("a directory");
    let tree = place.path().join("tree");
    std::fs::create_dir_all(tree.join("a/b")).expect("writable");
    std::fs::write(tree.join("a/small"), "small").expect("writable");
    std::fs::write(tree.join("a/b/large"), vec![b'x'; 10_001]).expect("writable");
    std::os::unix::fs::symlink("small", tree.join("a/link")).expect("writable");
    for number in 0..500 {
        std::fs::write(tree.join(format!("a/b/{number}")), number.to_string()).expect("writable");
    }
    let file = place.path().join("image");
    let [image, directory] = [&file, &tree].map(|path| path.to_str().expect("ASCII"));
    let mut expected = Vec::new();
    host_lines(&tree, "", &mut expected);
    for options in [&["-Enosbcrc"][..], &["--chunksize=4096"], &["-x-1"]] {
        if run("mkfs.erofs", &[options, &[image, directory]].concat()).is_none() {
            return;
        }
        let own = own_lines(&std::fs::read(&file).expect("just made"));
        assert_eq!(own.len(), expected.len(), "{options:?}");
        for (own, expected) in own.iter().zip(&expected) {
            assert_eq!(own, expected, "{options:?}");
        }
    }
}
