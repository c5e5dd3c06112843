//! A volume that a driver beside the image implements.

use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::{CStr, c_void};
use core::ptr;

use libos_abi::driver::{
    AttributeChange, Attributes, Bytes, DRIVER_ABI, DriverCalls, ListedName, NewInode,
    Volume as Mounted, VolumeStatistics, allocate, flag,
};

use super::{Found, Listed, NewFile, Volume};
use crate::errno::{Errno, Result};
use crate::fs::inode::{Allocate, RenameMode, SeekTo, SetXattr};

/// Why a disk is not mounted.
#[derive(Debug)]
pub struct MountError {
    /// For mount(2).
    pub errno: Errno,
    /// A sentence for people.
    pub reason: String,
}

/// A mounted file system of a driver.
pub struct DriverVolume {
    calls: &'static DriverCalls,
    mounted: Mounted,
    root: u64,
}

// SAFETY: the driver keeps no state of a particular thread, and is called by one at a time: every method takes
// `&mut self`, and the driver's own statics are constant.
unsafe impl Send for DriverVolume {}

fn errno(result: i64) -> Errno {
    u16::try_from(result.wrapping_neg()).map_or(Errno::EIO, Errno::from_host)
}

/// An inode's number is what is shown of it.
fn found(attributes: Attributes) -> Found {
    Found {
        number: attributes.ino,
        attributes,
    }
}

fn done(result: i32) -> Result<()> {
    match result {
        0 => Ok(()),
        error => Err(errno(error.into())),
    }
}

fn counted(result: i64) -> Result<u64> {
    u64::try_from(result).map_err(|_| errno(result))
}

/// Longest value of an extended attribute, and longest list of their names (`XATTR_SIZE_MAX`).
const XATTR_MOST: usize = 64 << 10;

impl DriverVolume {
    /// Mounts what is on device `number`, of `len` bytes.
    ///
    /// # Errors
    /// What the driver says.
    ///
    /// # Safety
    /// 1. `calls` is the table that a driver's entry point returned.
    pub unsafe fn mount(
        calls: &'static DriverCalls,
        number: u64,
        len: u64,
        read_only: bool,
    ) -> core::result::Result<Self, MountError> {
        let refuse = |errno, reason: &str| MountError {
            errno,
            reason: reason.into(),
        };
        if calls.abi != DRIVER_ABI {
            return Err(refuse(Errno::ENOSYS, "the driver is of another version"));
        }
        let flags = if read_only { flag::READ_ONLY } else { 0 };
        let (mut mounted, mut root) = (ptr::null_mut(), Attributes::default());
        let mut reason = [0_u8; 160];
        // SAFETY: duty 1; all pointers are valid for the call.
        let result = unsafe {
            (calls.mount)(
                number,
                len,
                flags,
                &raw mut mounted,
                &raw mut root,
                reason.as_mut_ptr(),
                reason.len(),
            )
        };
        match done(result) {
            Ok(()) => Ok(Self {
                calls,
                mounted,
                root: root.ino,
            }),
            Err(errno) => {
                let text = CStr::from_bytes_until_nul(&reason).unwrap_or_default();
                Err(refuse(errno, &text.to_string_lossy()))
            }
        }
    }

    /// The driver's own name for it.
    fn live(&self) -> Result<Mounted> {
        match self.mounted.is_null() {
            true => Err(Errno::EIO.because("the file system was unmounted")),
            false => Ok(self.mounted),
        }
    }

    /// What `read` stores, as long as it says it is.
    fn value(&self, read: impl Fn(*mut u8, usize) -> i64) -> Result<Vec<u8>> {
        let mut value = alloc::vec![0; 256];
        loop {
            let len = counted(read(value.as_mut_ptr(), value.len()))?;
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            if len > XATTR_MOST {
                return Err(Errno::E2BIG);
            }
            let fits = len <= value.len();
            value.resize(len, 0);
            if fits {
                return Ok(value);
            }
        }
    }
}

/// One name goes to the closure behind `context`.
unsafe extern "C" fn take_name(context: *mut c_void, name: *const ListedName) {
    // SAFETY: `list` passes a closure of this type as context, and the driver a valid name.
    unsafe {
        let emit = &mut *context.cast::<&mut Listed<'_>>();
        let name = &*name;
        emit(name.name.get(), name.ino, name.mode);
    }
}

impl Volume for DriverVolume {
    fn root(&mut self) -> Result<Found> {
        self.attributes(self.root).map(found)
    }

    fn lookup(&mut self, parent: u64, name: &[u8]) -> Result<Found> {
        let mut child = Attributes::default();
        // SAFETY: as `mount` promises, as in all methods below; pointers are valid for the call.
        let result =
            unsafe { (self.calls.lookup)(self.live()?, parent, Bytes::of(name), &raw mut child) };
        done(result).map(|()| found(child))
    }

    fn attributes(&mut self, ino: u64) -> Result<Attributes> {
        let mut found = Attributes::default();
        // SAFETY: see `lookup`.
        let result = unsafe { (self.calls.attributes)(self.live()?, ino, &raw mut found) };
        done(result).map(|()| found)
    }

    fn change(&mut self, ino: u64, change: &AttributeChange) -> Result<()> {
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.change)(self.live()?, ino, change) })
    }

    fn create(&mut self, parent: u64, name: &[u8], new: &NewFile<'_>) -> Result<Found> {
        let new = NewInode {
            mode: new.mode,
            uid: new.uid,
            gid: new.gid,
            reserved: 0,
            rdev: new.rdev,
            target: Bytes::of(new.target),
        };
        let mut made = Attributes::default();
        let name = Bytes::of(name);
        // SAFETY: see `lookup`.
        let result = unsafe {
            (self.calls.create)(self.live()?, parent, name, &raw const new, &raw mut made)
        };
        done(result).map(|()| found(made))
    }

    fn link(&mut self, ino: u64, parent: u64, name: &[u8]) -> Result<()> {
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.link)(self.live()?, ino, parent, Bytes::of(name)) })
    }

    fn unlink(&mut self, parent: u64, name: &[u8]) -> Result<()> {
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.unlink)(self.live()?, parent, Bytes::of(name)) })
    }

    fn rmdir(&mut self, parent: u64, name: &[u8]) -> Result<()> {
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.rmdir)(self.live()?, parent, Bytes::of(name)) })
    }

    fn rename(&mut self, from: (u64, &[u8]), to: (u64, &[u8]), mode: RenameMode) -> Result<()> {
        let flags = match mode {
            RenameMode::Replace => 0,
            RenameMode::Exchange => flag::EXCHANGE,
        };
        let (name, new_name) = (Bytes::of(from.1), Bytes::of(to.1));
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.rename)(self.live()?, from.0, name, to.0, new_name, flags) })
    }

    fn forget(&mut self, ino: u64) -> Result<()> {
        if self.attributes(ino)?.nlink > 0 {
            return Ok(());
        }
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.forget)(self.live()?, ino) })
    }

    fn list(&mut self, ino: u64, mut emit: &mut Listed<'_>) -> Result<()> {
        let context = (&raw mut emit).cast();
        // SAFETY: see `lookup`; `take_name` gets back what it expects.
        done(unsafe { (self.calls.list)(self.live()?, ino, take_name, context) })
    }

    fn read(&mut self, ino: u64, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let (start, len) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: see `lookup`.
        let count = counted(unsafe { (self.calls.read)(self.live()?, ino, offset, start, len) })?;
        usize::try_from(count).map_err(|_| Errno::EIO)
    }

    fn write(&mut self, ino: u64, offset: u64, bytes: &[u8]) -> Result<()> {
        let (start, len) = (bytes.as_ptr(), bytes.len());
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.write)(self.live()?, ino, offset, start, len) })
    }

    fn truncate(&mut self, ino: u64, size: u64) -> Result<()> {
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.truncate)(self.live()?, ino, size) })
    }

    fn allocate(&mut self, ino: u64, what: Allocate, offset: u64, len: u64) -> Result<()> {
        let what = match what {
            Allocate::Grow => allocate::GROW,
            Allocate::KeepSize => allocate::KEEP_SIZE,
            Allocate::PunchHole => allocate::PUNCH_HOLE,
            Allocate::ZeroRange => allocate::ZERO_RANGE,
            Allocate::ZeroRangeKeepSize => allocate::ZERO_RANGE_KEEP_SIZE,
            Allocate::CollapseRange => allocate::COLLAPSE_RANGE,
            Allocate::InsertRange => allocate::INSERT_RANGE,
        };
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.allocate)(self.live()?, ino, what, offset, len) })
    }

    fn seek(&mut self, ino: u64, offset: u64, to: SeekTo) -> Result<u64> {
        let hole = u32::from(to == SeekTo::Hole);
        // SAFETY: see `lookup`.
        counted(unsafe { (self.calls.seek)(self.live()?, ino, offset, hole) })
    }

    fn get_xattr(&mut self, ino: u64, name: &[u8]) -> Result<Vec<u8>> {
        let (get, mounted, name) = (self.calls.get_xattr, self.live()?, Bytes::of(name));
        // SAFETY: see `lookup`.
        self.value(|start, len| unsafe { get(mounted, ino, name, start, len) })
    }

    fn set_xattr(&mut self, ino: u64, name: &[u8], value: &[u8], mode: SetXattr) -> Result<()> {
        let mode = match mode {
            SetXattr::Any => 0,
            SetXattr::Create => 1,
            SetXattr::Replace => 2,
        };
        let (name, value) = (Bytes::of(name), Bytes::of(value));
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.set_xattr)(self.live()?, ino, name, value, mode) })
    }

    fn remove_xattr(&mut self, ino: u64, name: &[u8]) -> Result<()> {
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.remove_xattr)(self.live()?, ino, Bytes::of(name)) })
    }

    fn list_xattrs(&mut self, ino: u64) -> Result<Vec<u8>> {
        let (list, mounted) = (self.calls.list_xattrs, self.live()?);
        // SAFETY: see `lookup`.
        self.value(|start, len| unsafe { list(mounted, ino, start, len) })
    }

    fn sync(&mut self) -> Result<()> {
        // SAFETY: see `lookup`.
        done(unsafe { (self.calls.sync)(self.live()?) })
    }

    fn statistics(&mut self) -> Result<VolumeStatistics> {
        let mut statistics = VolumeStatistics::default();
        // SAFETY: see `lookup`.
        let result = unsafe { (self.calls.statistics)(self.live()?, &raw mut statistics) };
        done(result).map(|()| statistics)
    }

    fn unmount(&mut self) -> Result<()> {
        let mounted = core::mem::replace(&mut self.mounted, ptr::null_mut());
        if mounted.is_null() {
            return Ok(());
        }
        // SAFETY: see `lookup`; nothing is asked of it afterwards.
        done(unsafe { (self.calls.unmount)(mounted) })
    }
}
