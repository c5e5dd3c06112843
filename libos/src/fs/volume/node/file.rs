//! Reading, writing and mapping a regular file of a volume.

use core::any::Any;

use libos_abi::driver::change;

use super::{Node, State};
use crate::errno::{Errno, Result};
use crate::fs::file::{Anonymous, File, FilePages, Io, OpenFlags, Written};
use crate::fs::inode::{Allocate, Inode};
use crate::fs::volume::Caching;
use crate::user::{Dest, Source};

/// The largest file, in bytes: positions are signed.
const MAX_SIZE: u64 = i64::MAX as u64;

const PAGE: u64 = libos_abi::PAGE_SIZE as u64;

impl File for Node {
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        if self.fs.caching == Caching::Nothing {
            return self.read_through(io.offset, dest);
        }
        self.fs.keep_bounds()?;
        let mut state = self.state.lock();
        let now = self.fs.tick();
        let count = state.pages.read(io.offset, dest, now, &mut self.store())?;
        let touches = !io.flags.contains(OpenFlags::NOATIME) && state.is_unread();
        drop(state);
        if touches && self.fs.caching == Caching::WriteBack {
            self.touch(change::ATIME);
        }
        Ok(count)
    }

    fn write(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        if source.left() == 0 {
            let end = io.offset;
            return Ok(Written { count: 0, end });
        }
        let written = match self.fs.caching {
            Caching::Nothing => self.write_through(io, source),
            _ => self.write_cached(io, source),
        }?;
        let durable = io.flags.intersection(OpenFlags::SYNC);
        if !durable.is_empty() {
            Node::sync(self, durable != OpenFlags::SYNC)?;
        }
        Ok(written)
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn anonymous(&self) -> Anonymous {
        let metadata = self.metadata();
        Anonymous {
            st_mode: metadata.st_mode(),
            ino: metadata.ino,
            rdev: 0,
            label: "file",
        }
    }

    fn readable_bytes(&self) -> Option<usize> {
        usize::try_from(self.fresh().pages.size()).ok()
    }

    fn pages(&self, offset: u64, len: usize) -> Result<FilePages> {
        if self.fs.caching == Caching::Nothing {
            return Err(Errno::ENODEV
                .because("the host changes this folder too: nothing of it is kept in memory"));
        }
        let now = self.fs.tick();
        let pages = self
            .state
            .lock()
            .pages
            .map(offset, len, now, &mut self.store())?;
        self.soil();
        Ok(pages)
    }

    fn release(&self, _flags: OpenFlags) {
        let mut state = self.state.lock();
        state.opens = state.opens.saturating_sub(1);
        if state.opens == 0 && state.pages.dirty() == 0 && !state.pages.is_mapped() {
            // It has done its work: an error of this concerns nobody.
            let _ = self.fs.volume().close(self.number);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Node {
    fn write_cached(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        self.fs.keep_bounds()?;
        let pages = source.left() as u64 / PAGE + 2;
        let promised = self.fs.caching == Caching::WriteBack && self.fs.promise(pages);
        let mut state = self.fresh();
        if promised {
            state.promised += pages;
        }
        let append = io.flags.contains(OpenFlags::APPEND);
        let offset = if append {
            state.pages.size()
        } else {
            io.offset
        };
        let room = MAX_SIZE.checked_sub(offset).filter(|&room| room > 0);
        source.truncate(usize::try_from(room.ok_or(Errno::EFBIG)?).unwrap_or(usize::MAX));
        let now = self.fs.tick();
        let was = state.pages.size();
        let count = state.pages.write(offset, source, now, &mut self.store())?;
        let end = offset + count as u64;
        state.clear_set_ids(self)?;
        if !promised {
            let range = offset..end;
            let written = state.pages.write_back(&range, &mut self.store());
            if written.is_err() {
                // What the volume refused was not written.
                let stored = state.pages.stored();
                state.pages.resize(was.max(stored));
                state.pages.forget(&range, &mut self.store())?;
                state.pages.resize(was);
            }
            written?;
        }
        state.attributes.size = state.pages.size();
        drop(state);
        self.touch(change::MTIME);
        Ok(Written { count, end })
    }

    fn read_through(&self, offset: u64, dest: &mut Dest<'_>) -> Result<usize> {
        let mut volume = self.fs.volume();
        dest.fill_with(|start, len| {
            // SAFETY: memory that a host read may fill, for this call; no thread of the application runs now.
            let buffer = unsafe { core::slice::from_raw_parts_mut(start, len) };
            volume.read(self.number, offset, buffer)
        })
    }

    fn write_through(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        let append = io.flags.contains(OpenFlags::APPEND);
        let offset = match append {
            true => self.fresh().attributes.size,
            false => io.offset,
        };
        let mut volume = self.fs.volume();
        let count = source.drain_with(|start, len| {
            // SAFETY: memory that a host write may read, for this call; no thread of the application runs now.
            let bytes = unsafe { core::slice::from_raw_parts(start, len) };
            volume.write(self.number, offset, bytes).map(|()| len)
        })?;
        let end = offset + count as u64;
        Ok(Written { count, end })
    }

    /// Sets the size.
    ///
    /// # Errors
    /// EFBIG; those of the volume.
    pub(super) fn resize(&self, size: u64) -> Result<()> {
        if size > MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let mut state = self.fresh();
        self.fs.volume().truncate(self.number, size)?;
        state.pages.resize(size);
        state.attributes.size = size;
        state.clear_set_ids(self)?;
        // Its storage changed too.
        state.is_stale = true;
        drop(state);
        self.touch(change::MTIME);
        Ok(())
    }

    /// See fallocate(2).
    ///
    /// # Errors
    /// Those of the volume.
    pub(super) fn change_storage(&self, what: Allocate, offset: u64, len: u64) -> Result<()> {
        let end = offset.checked_add(len).filter(|&end| end <= MAX_SIZE);
        let end = end.ok_or(Errno::EFBIG)?;
        let mut state = self.fresh();
        state.write_back(&mut self.store())?;
        self.fs.volume().allocate(self.number, what, offset, len)?;
        let gone = match what {
            Allocate::Grow | Allocate::KeepSize => 0..0,
            Allocate::PunchHole | Allocate::ZeroRange | Allocate::ZeroRangeKeepSize => offset..end,
            Allocate::CollapseRange | Allocate::InsertRange => offset..u64::MAX,
        };
        let attributes = self.fs.volume().attributes(self.number)?;
        state.attributes = attributes;
        state.pages.became(attributes.size);
        state.pages.forget(&gone, &mut self.store())?;
        drop(state);
        self.touch(change::MTIME);
        Ok(())
    }
}

impl State {
    /// Whether the access time is to be set, as the mount option `relatime` says.
    fn is_unread(&self) -> bool {
        let key = |time: libos_abi::driver::Time| (time.seconds, time.nanoseconds);
        let known = &self.attributes;
        key(known.atime) <= key(known.mtime) || key(known.atime) <= key(known.ctime)
    }

    /// The set-id bits go with a change of content, unless root makes it.
    fn clear_set_ids(&mut self, node: &Node) -> Result<()> {
        use libos_abi::driver::AttributeChange;
        const SET_IDS: u32 = 0o6000;
        let mode = self.attributes.mode & 0o7777;
        if mode & SET_IDS == 0 || crate::fs::credentials().is_privileged() {
            return Ok(());
        }
        let group_executes = mode & 0o010 != 0;
        let mode = mode & !if group_executes { SET_IDS } else { 0o4000 };
        let change = AttributeChange {
            valid: change::MODE,
            mode,
            ..AttributeChange::default()
        };
        self.attributes.mode = self.attributes.mode & !0o7777 | mode;
        node.fs.volume().change(node.number, &change)
    }
}
