//! What an open file description asks of an inode in memory.

use crate::errno::{Errno, Result};
use crate::fs::file::{Anonymous, File, Io, Written};
use crate::fs::inode::{EmitEntry, Inode};
use crate::user::{Dest, Source};

use super::{Body, Node};

impl File for Node {
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        match &self.body {
            Body::Regular(regular) => {
                let count = regular.read(io.offset, dest)?;
                self.touch_read(io.flags);
                Ok(count)
            }
            Body::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    fn write(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        let regular = self.regular().ok_or(Errno::EINVAL)?;
        let written = regular.write(&self.fs, io, source)?;
        if written.count > 0 {
            self.touch_written();
        }
        Ok(written)
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn read_dir(&self, io: Io, emit: &mut EmitEntry<'_>) -> Result<()> {
        Inode::read_dir(self, io.offset, emit)?;
        self.touch_read(io.flags);
        Ok(())
    }

    fn anonymous(&self) -> Anonymous {
        Anonymous {
            st_mode: self.metadata().st_mode(),
            ino: self.ino,
            rdev: 0,
            label: "file",
        }
    }

    fn readable_bytes(&self) -> Option<usize> {
        let size = self.regular()?.usage().0;
        Some(usize::try_from(size).unwrap_or(usize::MAX))
    }

    fn pages(&self, offset: u64, len: usize) -> Result<crate::fs::file::FilePages> {
        let regular = self.regular().ok_or(Errno::ENODEV)?;
        regular.pages(&self.fs, offset, len)
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
