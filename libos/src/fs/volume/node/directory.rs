//! An open directory: its names as they were when it was opened or rewound.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use super::Node;
use crate::errno::{Errno, Result};
use crate::fs::file::{Anonymous, File, Io};
use crate::fs::inode::{DirEntry, EmitEntry, FileType, Inode, cookie};
use crate::sync::SpinLock;
use crate::user::Dest;

/// What open(2) of a directory yields. POSIX leaves open whether names that came or went since then are listed.
pub struct OpenDirectory {
    node: Option<Arc<Node>>,
    names: SpinLock<Option<Vec<Name>>>,
}

struct Name {
    name: Box<[u8]>,
    ino: u64,
    file_type: FileType,
}

impl OpenDirectory {
    /// Of this directory.
    pub fn of(node: &Node) -> Self {
        Self {
            node: node.this.upgrade(),
            names: SpinLock::new(None),
        }
    }

    /// Lists the names of `node` from `from` on.
    ///
    /// # Errors
    /// ENOTDIR; those of the volume.
    pub fn list(&self, node: &Node, from: u64, emit: &mut EmitEntry<'_>) -> Result<()> {
        if node.file_type != FileType::Directory {
            return Err(Errno::ENOTDIR);
        }
        let mut names = self.names.lock();
        if from < cookie::FIRST || names.is_none() {
            *names = Some(read(node)?);
        }
        let skipped = usize::try_from(from.saturating_sub(cookie::FIRST)).unwrap_or(usize::MAX);
        let left = names.iter().flatten().enumerate().skip(skipped);
        for (index, name) in left {
            let entry = DirEntry {
                name: &name.name,
                ino: name.ino,
                file_type: name.file_type,
                next: cookie::FIRST + index as u64 + 1,
            };
            if !emit(entry) {
                break;
            }
        }
        Ok(())
    }
}

fn read(node: &Node) -> Result<Vec<Name>> {
    let mut names = Vec::new();
    node.fs.volume().list(node.number, &mut |name, ino, mode| {
        // What is of no type is shown as a file; looking it up tells what is wrong.
        let file_type = FileType::from_mode(mode).unwrap_or(FileType::Regular);
        names.push(Name {
            name: name.into(),
            ino,
            file_type,
        });
    })?;
    Ok(names)
}

impl File for OpenDirectory {
    fn read(&self, _io: Io, _dest: &mut Dest<'_>) -> Result<usize> {
        Err(Errno::EISDIR)
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn read_dir(&self, io: Io, emit: &mut EmitEntry<'_>) -> Result<()> {
        match &self.node {
            Some(node) => self.list(node, io.offset, emit),
            None => Err(Errno::ENOENT),
        }
    }

    fn anonymous(&self) -> Anonymous {
        let st_mode = self
            .node
            .as_ref()
            .map_or(0, |node| node.metadata().st_mode());
        Anonymous {
            st_mode,
            ..Anonymous::default()
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
