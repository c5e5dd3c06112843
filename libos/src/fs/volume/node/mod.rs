//! An inode of a volume, as programs see it: attributes and pages in memory, everything else asked of the volume.
//! What can be done with one stands in [`inode`] and [`file`]; open directories in [`directory`].

mod directory;
mod file;
mod inode;

use alloc::sync::{Arc, Weak};

use libos_abi::driver::{AttributeChange, Attributes, Time, change};

use super::instance::VolumeFs;
use super::pages::{Pages, Store};
use super::{Caching, Found};
use crate::errno::{Errno, Result};
use crate::fs::inode::{Extras, FileType, Inode};
use crate::sync::{SpinGuard, SpinLock};
use crate::user::Timespec;

/// An inode of a [`VolumeFs`].
pub struct Node {
    fs: Arc<VolumeFs>,
    number: u64,
    file_type: FileType,
    /// Taken before the volume's lock.
    state: SpinLock<State>,
    extras: Extras,
    this: Weak<Self>,
}

struct State {
    attributes: Attributes,
    /// Whether the volume knows better than `attributes`.
    is_stale: bool,
    /// Whether `attributes` has times that the volume lacks: bits of [`change`].
    new_times: u32,
    pages: Pages,
    /// How many open file descriptions there are.
    opens: u32,
    /// Pages that it was promised room for.
    promised: u64,
    target: Option<Arc<[u8]>>,
    /// Why something could not be written, for the next fsync(2).
    error: Option<Errno>,
}

/// One file of a volume, as its pages see it.
struct OneFile<'a> {
    fs: &'a VolumeFs,
    number: u64,
}

impl Store for OneFile<'_> {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.fs.volume().read(self.number, offset, buffer)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.fs.volume().write(self.number, offset, bytes)
    }
}

impl Node {
    /// What was found, for the first time.
    ///
    /// # Errors
    /// EUCLEAN if it is of no type.
    pub fn new(fs: &Arc<VolumeFs>, found: &Found) -> Result<Arc<Self>> {
        let attributes = found.attributes;
        let file_type = FileType::from_mode(attributes.mode)
            .ok_or(Errno::EUCLEAN.because("the volume has an inode of no type"))?;
        Ok(Arc::new_cyclic(|this| Self {
            fs: Arc::clone(fs),
            number: found.number,
            file_type,
            state: SpinLock::new(State {
                attributes,
                is_stale: false,
                new_times: 0,
                pages: Pages::of_size(attributes.size),
                opens: 0,
                promised: 0,
                target: None,
                error: None,
            }),
            extras: Extras::default(),
            this: Weak::clone(this),
        }))
    }

    /// What the volume names it by.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The volume is not used any more.
    ///
    /// # Errors
    /// Those of the volume.
    #[cfg(test)]
    pub fn unmount(&self) -> Result<()> {
        self.fs.unmount()
    }

    /// Takes over what the volume says of it now.
    pub fn learn(&self, attributes: &Attributes) {
        self.state.lock().learn(attributes);
    }

    /// Whether a mapping shows its pages.
    pub fn is_mapped(&self) -> bool {
        self.state.lock().pages.is_mapped()
    }

    /// See [`Pages::idle_since`].
    pub fn idle_since(&self, visit: &mut dyn FnMut(u64)) {
        self.state.lock().pages.idle_since(visit);
    }

    /// See [`Pages::shrink`].
    pub fn shrink(&self, before: u64) {
        self.state.lock().pages.shrink(before);
    }

    /// Keeps why something could not be written for who asks.
    pub fn remember(&self, error: Errno) {
        self.state.lock().error = Some(error);
    }

    /// Writes what the volume lacks.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn write_back(&self) -> Result<()> {
        let mut state = self.state.lock();
        state.write_back(&mut self.store())
    }

    /// As [`Self::write_back`], durably.
    fn sync(&self, data_only: bool) -> Result<()> {
        let mut state = self.state.lock();
        state.write_back(&mut self.store())?;
        match self.file_type {
            FileType::Directory => self.fs.volume().sync_directory(self.number)?,
            _ => self.fs.volume().sync_file(self.number, data_only)?,
        }
        match state.error.take() {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }

    fn store(&self) -> OneFile<'_> {
        OneFile {
            fs: &self.fs,
            number: self.number,
        }
    }

    /// The state, as new as it must be. What cannot be asked for stays as it was.
    fn fresh(&self) -> SpinGuard<'_, State> {
        let mut state = self.state.lock();
        let ask = state.is_stale || self.fs.caching == Caching::Nothing;
        if ask && let Ok(attributes) = self.fs.volume().attributes(self.number) {
            state.learn(&attributes);
        }
        state
    }

    /// The volume changed it by itself.
    fn outdate(&self) {
        self.state.lock().is_stale = true;
    }

    /// Notes new times, to be written some time.
    fn touch(&self, which: u32) {
        if self.fs.caching != Caching::WriteBack {
            return self.outdate();
        }
        let now = now();
        let mut state = self.state.lock();
        if which & change::ATIME != 0 {
            state.attributes.atime = now;
        }
        if which & change::MTIME != 0 {
            state.attributes.mtime = now;
            state.attributes.ctime = now;
        }
        state.new_times |= which;
        drop(state);
        self.soil();
    }

    /// The volume lacks something; nobody will miss it if there is no name left.
    fn soil(&self) {
        if self.state.lock().attributes.nlink > 0
            && let Some(this) = self.this.upgrade()
        {
            self.fs.soil(&this);
        }
    }

    /// The inode behind `inode`, of the same volume.
    fn sibling(&self, inode: &Arc<dyn Inode>) -> Result<Arc<Self>> {
        let node = inode.downcast::<Self>().ok_or(Errno::EXDEV)?;
        match Arc::ptr_eq(&node.fs, &self.fs) {
            true => node.this.upgrade().ok_or(Errno::ENOENT),
            false => Err(Errno::EXDEV),
        }
    }

    /// It lost a name; without any, what was not written need not be.
    fn lost_name(&self) {
        let mut state = self.state.lock();
        state.is_stale = true;
        let left = self.fs.volume().attributes(self.number);
        if let Ok(attributes) = left {
            state.learn(&attributes);
            if attributes.nlink == 0 {
                drop(state);
                self.fs.clean(self.number);
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.fs.keep(self.state.get_mut().promised);
        self.fs.depart(self.number);
    }
}

impl State {
    /// Takes over what the volume says, save for what it does not know yet.
    fn learn(&mut self, new: &Attributes) {
        let old = core::mem::replace(&mut self.attributes, *new);
        self.is_stale = false;
        let ahead = self.new_times != 0 || self.pages.dirty() > 0;
        if ahead {
            self.attributes.size = old.size;
            (self.attributes.atime, self.attributes.mtime) = (old.atime, old.mtime);
            self.attributes.ctime = old.ctime;
        } else if new.size != self.pages.size() && !self.pages.is_mapped() {
            self.pages = Pages::of_size(new.size);
        }
    }

    fn write_back(&mut self, store: &mut OneFile<'_>) -> Result<()> {
        let had = self.pages.dirty() > 0 || self.pages.is_mapped();
        if had {
            self.pages.write_back(&(0..u64::MAX), store)?;
            store.fs.keep(core::mem::take(&mut self.promised));
        }
        if self.new_times == 0 {
            self.is_stale |= had;
            return Ok(());
        }
        let new = AttributeChange {
            valid: core::mem::take(&mut self.new_times),
            atime: self.attributes.atime,
            mtime: self.attributes.mtime,
            ..AttributeChange::default()
        };
        let changed = store.fs.volume().change(store.number, &new);
        if changed.is_err() {
            self.new_times = new.valid;
        }
        self.is_stale = true;
        changed
    }
}

/// The present.
fn now() -> Time {
    let ns = crate::time::realtime_ns();
    Time {
        seconds: i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX),
        nanoseconds: u32::try_from(ns % 1_000_000_000).unwrap_or(0),
        reserved: 0,
    }
}

fn shown(time: Time) -> Timespec {
    Timespec {
        sec: time.seconds,
        nsec: time.nanoseconds.into(),
    }
}

fn stored(time: Timespec) -> Time {
    Time {
        seconds: time.sec,
        nanoseconds: u32::try_from(time.nsec).unwrap_or(0),
        reserved: 0,
    }
}
