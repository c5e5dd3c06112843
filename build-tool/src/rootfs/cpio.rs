//! A root file system as a `newc` cpio archive (cpio(5)), which the libOS reads in place.

use super::{Content, Entry, Tree};
use anyhow::{Context, Result};
use std::borrow::Cow;

const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

impl Tree {
    /// The archive; empty for an empty tree.
    ///
    /// # Errors
    /// A file of 4 GiB or more, or one that cannot be read.
    pub fn to_cpio(&self) -> Result<Vec<u8>> {
        let mut archive = Vec::new();
        if self.is_empty() {
            return Ok(archive);
        }
        for (number, (path, entry)) in (1_u32..).zip(&self.entries) {
            let name = if path.is_empty() { b"." } else { &path[..] };
            append(&mut archive, number, name, entry).with_context(|| {
                format!(
                    "packing /{} into the root file system",
                    String::from_utf8_lossy(path)
                )
            })?;
        }
        record(&mut archive, [0; 13], b"TRAILER!!!", b"");
        Ok(archive)
    }
}

fn append(archive: &mut Vec<u8>, number: u32, name: &[u8], entry: &Entry) -> Result<()> {
    let (kind, links, data): (_, _, Cow<'_, [u8]>) = match &entry.content {
        Content::Directory => (S_IFDIR, 2, Cow::default()),
        Content::File(bytes) => (S_IFREG, 1, bytes.into()),
        Content::HostFile { path, .. } => (S_IFREG, 1, crate::files::read(path)?.into()),
        Content::Symlink(target) => (S_IFLNK, 1, target.into()),
    };
    let len = u32::try_from(data.len())
        .context("expected a file below 4 GiB, the most that cpio can hold")?;
    let [owner, group] = entry.owner;
    let mut fields = [0; 13];
    fields[..7].copy_from_slice(&[
        number,
        kind | entry.mode,
        owner,
        group,
        links,
        entry.mtime,
        len,
    ]);
    record(archive, fields, name, &data);
    Ok(())
}

/// Inode, mode, owner, group, links, mtime, length, four device numbers, length of the name (filled in
/// here), checksum (unused); then name and data, each padded to four bytes.
fn record(archive: &mut Vec<u8>, mut fields: [u32; 13], name: &[u8], data: &[u8]) {
    fields[11] = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
    archive.extend(b"070701");
    for field in fields {
        archive.extend(format!("{field:08x}").as_bytes());
    }
    archive.extend(name);
    archive.push(0);
    pad(archive);
    archive.extend(data);
    pad(archive);
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_tree_makes_no_archive() {
        assert!(
            Tree::default()
                .to_cpio()
                .expect("nothing to pack")
                .is_empty()
        );
    }

    #[test]
    fn a_file_is_written_as_cpio_5_says() {
        let mut tree = Tree::default();
        let entry = Entry {
            content: Content::File(b"hello".to_vec()),
            mode: 0o640,
            owner: [1000, 100],
            mtime: 0x6000_0000,
        };
        tree.insert(b"/greeting", entry).expect("plain");
        let archive = tree.to_cpio().expect("small");
        let expected = [
            "070701",
            "00000001",
            "000081a0",
            "000003e8",
            "00000064",
            "00000001",
            "60000000",
            "00000005",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000009",
            "00000000",
            "greeting\0",
            "\0", // 110 + 9 bytes, padded to 120
            "hello\0\0\0",
        ]
        .concat();
        assert_eq!(archive.len() % 4, 0);
        // 110 + 9 = 119, one byte of padding.
        assert_eq!(archive[..128], *expected.as_bytes());
        assert_eq!(&archive[128 + 110..128 + 120], b"TRAILER!!!");
    }

    #[test]
    fn the_system_s_cpio_reads_it_back() {
        use std::io::Write;
        use std::process::{Command, Stdio};
        let mut tree = Tree::default();
        let link = Entry {
            content: Content::Symlink(b"b/file".to_vec()),
            mode: 0o777,
            ..Entry::directory()
        };
        let file = Entry {
            content: Content::File(b"content".to_vec()),
            mode: 0o755,
            ..Entry::directory()
        };
        tree.insert(b"/a/link", link).expect("plain");
        tree.insert(b"/a/b/file", file).expect("plain");
        let child = Command::new("cpio")
            .args(["-itv", "--quiet", "--numeric-uid-gid"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: no cpio(1) here");
            return;
        };
        let archive = tree.to_cpio().expect("small");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(&archive)
            .expect("cpio reads");
        let listing = child.wait_with_output().expect("cpio ends");
        let listing = String::from_utf8(listing.stdout).expect("ASCII names");
        assert!(listing.contains("a/link -> b/file"), "{listing}");
        assert!(listing.contains("-rwxr-xr-x"), "{listing}");
        assert_eq!(listing.lines().count(), 4, "{listing}");
    }
}
