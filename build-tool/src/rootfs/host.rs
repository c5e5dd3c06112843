//! Copies files and directories of the host into a root file system.
//!
//! Symbolic links stay links, names of one file stay so. With their owners, devices and extended
//! attributes are kept as well; otherwise sockets, pipes and devices are left out, since the libOS has
//! its own.

use super::{Content, Entry, Tree};
use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Linux's limits of a list of names and of a value, in bytes.
const XATTR_MAX: usize = 65_536;

/// Who owns the copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Root, whoever built the image.
    Root,
    /// The host file's owner, and all else that it has.
    Same,
}

impl Tree {
    /// Copies `source` (a file, or a directory with all below it) to the guest path `target`.
    ///
    /// `mode` replaces the permission bits of a single file. `skip` is asked about each path below a
    /// directory.
    ///
    /// # Errors
    /// Something cannot be read, or has no place in the tree.
    pub fn copy(
        &mut self,
        source: &Path,
        target: &[u8],
        owner: Owner,
        mode: Option<u32>,
        skip: &dyn Fn(&Path) -> bool,
    ) -> Result<()> {
        // What the user names is what he means: a link there is followed, links below are kept.
        let metadata = std::fs::metadata(source)
            .with_context(|| format!("expected a file or directory at {}", source.display()))?;
        if metadata.is_dir() {
            if mode.is_some() {
                bail!(
                    "expected a file where `mode` is given, found a directory at {}; its files keep their own modes",
                    source.display()
                );
            }
            return self.copy_directory(source, &metadata, target, owner, skip);
        }
        let Some(mut entry) = entry(source, &metadata, owner)? else {
            bail!(
                "expected a file or directory at {}, found a device, socket or pipe",
                source.display()
            );
        };
        entry.mode = mode.unwrap_or(entry.mode);
        // Alone it may differ from the file's other names.
        entry.link = None;
        self.insert(target, entry)
    }

    fn copy_directory(
        &mut self,
        source: &Path,
        metadata: &Metadata,
        target: &[u8],
        owner: Owner,
        skip: &dyn Fn(&Path) -> bool,
    ) -> Result<()> {
        if let Some(directory) = entry(source, metadata, owner)? {
            self.insert(target, directory)?;
        }
        let unreadable = || format!("could not read the directory {}", source.display());
        for child in std::fs::read_dir(source).with_context(unreadable)? {
            let child = child.with_context(unreadable)?;
            let path = child.path();
            if skip(&path) {
                continue;
            }
            let metadata = std::fs::symlink_metadata(&path)
                .with_context(|| format!("could not look at {}", path.display()))?;
            let target = join(target, &child.file_name());
            if metadata.is_dir() {
                self.copy_directory(&path, &metadata, &target, owner, skip)?;
            } else if let Some(entry) = entry(&path, &metadata, owner)? {
                self.insert(&target, entry)?;
            }
        }
        Ok(())
    }
}

fn join(directory: &[u8], name: &OsStr) -> Vec<u8> {
    let mut path = directory.to_vec();
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend(name.as_bytes());
    path
}

/// Tells versions of a file apart: inode, length and time of change.
pub fn version(metadata: &Metadata) -> String {
    format!(
        "{} {} {}.{}",
        metadata.ino(),
        metadata.len(),
        metadata.ctime(),
        metadata.ctime_nsec()
    )
}

/// `None` for what is left out.
fn entry(path: &Path, metadata: &Metadata, owner: Owner) -> Result<Option<Entry>> {
    let content = if metadata.is_dir() {
        Content::Directory
    } else if metadata.is_symlink() {
        let link = std::fs::read_link(path)
            .with_context(|| format!("could not read the link {}", path.display()))?;
        Content::Symlink(link.as_os_str().as_bytes().to_vec())
    } else if metadata.is_file() {
        Content::HostFile {
            path: path.to_owned(),
            start: 0,
            len: metadata.len(),
            sparse: metadata.blocks().saturating_mul(512) < metadata.len(),
            version: version(metadata),
        }
    } else if owner == Owner::Same {
        let device = metadata.rdev();
        Content::Special {
            kind: metadata.mode() & 0o170_000,
            device: [rustix::fs::major(device), rustix::fs::minor(device)],
        }
    } else {
        return Ok(None);
    };
    Ok(Some(Entry {
        content,
        mode: metadata.mode() & 0o7777,
        owner: match owner {
            Owner::Root => [0, 0],
            Owner::Same => [metadata.uid(), metadata.gid()],
        },
        mtime: (
            metadata.mtime(),
            u32::try_from(metadata.mtime_nsec()).unwrap_or(0),
        ),
        xattrs: match owner {
            Owner::Root => Vec::new(),
            Owner::Same => xattrs(path).with_context(|| {
                format!("could not read extended attributes of {}", path.display())
            })?,
        },
        link: (metadata.nlink() > 1 && !metadata.is_dir())
            .then_some((metadata.dev(), metadata.ino())),
    }))
}

/// The extended attributes of `path` itself; none where there can be none.
fn xattrs(path: &Path) -> std::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut names = vec![0; XATTR_MAX];
    let len = match rustix::fs::llistxattr(path, &mut names[..]) {
        Ok(len) => len,
        Err(Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for name in names[..len].split(|&byte| byte == 0) {
        // What the host's security module says of a file means nothing in the image.
        if name.is_empty() || name == b"security.selinux" {
            continue;
        }
        let mut value = vec![0; XATTR_MAX];
        match rustix::fs::lgetxattr(path, name, &mut value[..]) {
            Ok(len) => value.truncate(len),
            // Gone since, or only for readers with more rights.
            Err(Errno::NODATA | Errno::PERM) => continue,
            Err(error) => return Err(error.into()),
        }
        found.push((name.to_vec(), value));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_copied_with_modes_and_links_and_without_what_is_skipped() {
        use std::os::unix::fs::PermissionsExt;
        let host = tempfile::tempdir().expect("a temporary directory");
        let root = host.path();
        std::fs::create_dir_all(root.join("sub/target")).expect("writable");
        std::fs::write(root.join("sub/run.sh"), "#!").expect("writable");
        std::fs::set_permissions(
            root.join("sub/run.sh"),
            std::fs::Permissions::from_mode(0o751),
        )
        .expect("own file");
        std::os::unix::fs::symlink("run.sh", root.join("sub/link")).expect("writable");
        let mut tree = Tree::default();
        let skip = |path: &Path| path.ends_with("target");
        tree.copy(&root.join("sub"), b"/data", Owner::Root, None, &skip)
            .expect("readable");
        let run = &tree.entries[&b"data/run.sh"[..]];
        assert_eq!((run.mode, run.owner), (0o751, [0, 0]));
        assert_eq!(
            tree.entries[&b"data/link"[..]].content,
            Content::Symlink(b"run.sh".to_vec())
        );
        assert!(!tree.entries.contains_key(&b"data/target"[..]));
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = Path::new("/nonexistent/file");
        let refused = Tree::default().copy(missing, b"/x", Owner::Root, None, &|_| false);
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .contains("/nonexistent/file")
        );
    }
}
