//! Copies a TAR archive into a root file system. The contents of its files are read when the tree is
//! written, from the archive itself.

use super::{Content, Entry, Tree, host};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use tar::{Archive, EntryType};

/// Where pax headers keep extended attributes.
const PAX_XATTR: &[u8] = b"SCHILY.xattr.";

type TarEntry<'a> = tar::Entry<'a, BufReader<File>>;

impl Tree {
    /// Copies all of the archive at `path`, with owners, times, links and devices. What comes later
    /// replaces what came before, as when the archive is unpacked.
    ///
    /// # Errors
    /// It is unreadable or no TAR archive, or an entry has no place.
    pub fn copy_tar(&mut self, path: &Path) -> Result<()> {
        let file = File::open(path).context("could not open it")?;
        let version = host::version(&file.metadata().context("could not look at it")?);
        let mut archive = Archive::new(BufReader::new(file));
        let entries = archive.entries_with_seek();
        for entry in entries.context("expected a TAR archive")? {
            let mut entry = entry.context("expected a directory, a TAR or an EROFS image")?;
            let name = place(&entry.path_bytes());
            self.add_tar(&mut entry, &name, path, &version)
                .with_context(|| format!("its entry {}", String::from_utf8_lossy(&name)))?;
        }
        Ok(())
    }

    fn add_tar(
        &mut self,
        from: &mut TarEntry<'_>,
        name: &[u8],
        path: &Path,
        version: &str,
    ) -> Result<()> {
        let device = || -> Result<[u32; 2]> {
            let header = from.header();
            Ok([
                header.device_major()?.unwrap_or(0),
                header.device_minor()?.unwrap_or(0),
            ])
        };
        let content = match from.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => Content::HostFile {
                path: path.to_owned(),
                start: from.raw_file_position(),
                len: from.size(),
                sparse: false,
                version: version.to_owned(),
            },
            EntryType::GNUSparse => {
                let mut bytes = Vec::new();
                from.read_to_end(&mut bytes)?;
                Content::File(bytes)
            }
            EntryType::Directory => Content::Directory,
            EntryType::Symlink => Content::Symlink(link_name(from)?),
            EntryType::Link => return self.add_tar_link(&place(&link_name(from)?), name, from),
            EntryType::Char => Content::Special {
                kind: 0o020_000,
                device: device()?,
            },
            EntryType::Block => Content::Special {
                kind: 0o060_000,
                device: device()?,
            },
            EntryType::Fifo => Content::Special {
                kind: 0o010_000,
                device: [0; 2],
            },
            EntryType::XGlobalHeader => return Ok(()),
            other => bail!("expected a file, directory, link or device, found type {other:?}"),
        };
        let header = from.header();
        let number = |value: u64| u32::try_from(value).context("expected owners below 4294967296");
        let mut entry = Entry {
            content,
            mode: header.mode()? & 0o7777,
            owner: [number(header.uid()?)?, number(header.gid()?)?],
            mtime: (i64::try_from(header.mtime()?).unwrap_or(i64::MAX), 0),
            xattrs: Vec::new(),
            link: None,
        };
        read_pax(from, &mut entry)?;
        self.insert(name, entry)
    }

    /// Gives the file at `target` another name.
    fn add_tar_link(&mut self, target: &[u8], name: &[u8], from: &TarEntry<'_>) -> Result<()> {
        let Some(entry) = self.entries.get_mut(&target[1..]) else {
            bail!(
                "expected a hard link to an earlier entry, found one to {}",
                String::from_utf8_lossy(target)
            );
        };
        entry
            .link
            .get_or_insert((u64::MAX, from.raw_header_position()));
        let entry = entry.clone();
        self.insert(name, entry)
    }
}

fn link_name<R: Read + Seek>(from: &tar::Entry<'_, R>) -> Result<Vec<u8>> {
    let name = from.link_name_bytes();
    Ok(name.context("expected a link's target")?.into_owned())
}

/// The absolute path of an entry's name.
fn place(name: &[u8]) -> Vec<u8> {
    let parts = name.split(|&byte| byte == b'/');
    let parts = parts.filter(|part| !matches!(*part, b"" | b"."));
    let mut path: Vec<u8> = parts.flat_map(|part| [b"/", part].concat()).collect();
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

/// Extended attributes, and the time with its fraction.
fn read_pax(from: &mut TarEntry<'_>, entry: &mut Entry) -> Result<()> {
    let Some(extensions) = from.pax_extensions().context("its pax header")? else {
        return Ok(());
    };
    for extension in extensions {
        let extension = extension.context("its pax header")?;
        let value = extension.value_bytes();
        match extension.key_bytes() {
            b"GNU.sparse.major" | b"GNU.sparse.map" => {
                bail!(
                    "expected files as they are, found one with holes; make the archive without --sparse"
                );
            }
            b"mtime" => {
                let text = std::str::from_utf8(value).ok();
                entry.mtime = text
                    .and_then(time)
                    .context("expected a time in its pax header")?;
            }
            key => {
                if let Some(name) = key.strip_prefix(PAX_XATTR) {
                    entry.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
    }
    Ok(())
}

/// Seconds with a fraction, such as `-1.5`, as whole seconds and nanoseconds after them.
fn time(text: &str) -> Option<(i64, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanoseconds: u32 = digits.parse().ok()?;
    match whole.starts_with('-') && nanoseconds != 0 {
        true => Some((seconds - 1, 1_000_000_000 - nanoseconds)),
        false => Some((seconds, nanoseconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_fractions() {
        assert_eq!(time("1700000000.25"), Some((1_700_000_000, 250_000_000)));
        assert_eq!(time("5"), Some((5, 0)));
        assert_eq!(time("-1.5"), Some((-2, 500_000_000)));
        assert_eq!(time("1.x"), None);
    }

    #[test]
    fn names_are_made_absolute() {
        for (name, expected) in [
            ("./a/b/", "/a/b"),
            (".", "/"),
            ("/x//y", "/x/y"),
            ("a/../b", "/a/../b"),
        ] {
            assert_eq!(place(name.as_bytes()), expected.as_bytes(), "{name}");
        }
    }

    #[test]
    fn an_archive_of_gnu_tar_is_read() {
        let place = tempfile::tempdir().expect("a directory");
        let tree = place.path().join("tree");
        std::fs::create_dir_all(tree.join("sub")).expect("writable");
        std::fs::write(tree.join("sub/file"), "content").expect("writable");
        std::fs::hard_link(tree.join("sub/file"), tree.join("same")).expect("one file system");
        std::os::unix::fs::symlink("file", tree.join("sub/link")).expect("writable");
        let archive = place.path().join("tree.tar");
        let made = std::process::Command::new("tar")
            .args(["--format=pax", "--sort=name", "-cf"])
            .args([&archive, Path::new("-C"), &tree, Path::new(".")])
            .status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("skipped: no GNU tar here");
            return;
        }
        let mut found = Tree::default();
        found.copy_tar(&archive).expect("well-formed");
        let paths: Vec<_> = found
            .entries
            .keys()
            .map(|path| String::from_utf8_lossy(path))
            .collect();
        assert_eq!(paths, ["", "same", "sub", "sub/file", "sub/link"]);
        assert!(found.entries[&b"same"[..]].link.is_some());
        assert_eq!(
            found.entries[&b"same"[..]].link,
            found.entries[&b"sub/file"[..]].link
        );
        let mut bytes = Vec::new();
        let plan = found.plan().expect("small").expect("not empty");
        plan.write(&mut bytes, &mut |_| {}).expect("readable");
        assert!(bytes.windows(7).any(|window| window == b"content"));
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), [b'x'; 2000]).expect("writable");
        assert!(Tree::default().copy_tar(file.path()).is_err());
    }
}
