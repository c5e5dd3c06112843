//! The functions that the libOS calls: arguments into Rust's types, results into numbers.
//!
//! Safety, for all: pointers are the libOS's, valid for the call as `libos_abi::driver` says; `volume` came
//! from [`mount`] and nobody else uses it meanwhile.

use alloc::boxed::Box;
use core::ffi::c_void;
use core::slice;

use libos_abi::driver::{
    AttributeChange, Attributes, Bytes, DRIVER_ABI, DriverCalls, Emit, ListedName, NewInode,
    Volume, VolumeStatistics, flag,
};
use rsext4::XattrSetMode;

use crate::error::{Errno, Result};
use crate::module::disk::HostDisk;
use crate::volume::{Ext4Volume, MountError, NewNode};

type Mounted = Ext4Volume<HostDisk>;

/// The table.
pub static CALLS: DriverCalls = DriverCalls {
    abi: DRIVER_ABI,
    size: table_size(),
    mount,
    unmount,
    lookup,
    attributes,
    change,
    create,
    link,
    unlink,
    rmdir,
    rename,
    forget,
    list,
    read,
    write,
    truncate,
    allocate,
    seek,
    get_xattr,
    set_xattr,
    remove_xattr,
    list_xattrs,
    sync,
    statistics,
};

#[expect(clippy::cast_possible_truncation, reason = "a few hundred bytes")]
const fn table_size() -> u32 {
    size_of::<DriverCalls>() as u32
}

unsafe fn mounted<'a>(volume: Volume) -> &'a mut Mounted {
    // SAFETY: see the module.
    unsafe { &mut *volume.cast::<Mounted>() }
}

fn status(result: Result<()>) -> i32 {
    result.map_or_else(|errno| -errno.0, |()| 0)
}

fn counted(result: Result<u64>) -> i64 {
    match result {
        Ok(count) => i64::try_from(count).unwrap_or(i64::MAX),
        Err(errno) => i64::from(-errno.0),
    }
}

unsafe fn stored<T>(result: Result<T>, place: *mut T) -> i32 {
    status(result.map(|value| {
        // SAFETY: see the module.
        unsafe { place.write(value) }
    }))
}

/// Copies `bytes` if they fit, and counts them.
unsafe fn given(result: Result<alloc::vec::Vec<u8>>, buffer: *mut u8, len: usize) -> i64 {
    counted(result.map(|bytes| {
        if bytes.len() <= len {
            // SAFETY: see the module; the length was checked.
            unsafe { buffer.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        }
        bytes.len() as u64
    }))
}

unsafe extern "C" fn mount(
    device: u64,
    len: u64,
    flags: u32,
    volume: *mut Volume,
    root: *mut Attributes,
    reason: *mut u8,
    reason_len: usize,
) -> i32 {
    let disk = HostDisk {
        number: device,
        len,
    };
    let read_only = flags & flag::READ_ONLY != 0;
    let tried = Mounted::mount(disk, read_only, super::now).and_then(|mut mounted| {
        let ino = mounted.root();
        let root = mounted.attributes(ino).map_err(|errno| MountError {
            errno,
            reason: "its root directory cannot be read".into(),
        })?;
        Ok((mounted, root))
    });
    match tried {
        Ok((mounted, attributes)) => {
            // SAFETY: see the module.
            unsafe {
                root.write(attributes);
                volume.write(Box::into_raw(Box::new(mounted)).cast());
            }
            0
        }
        Err(error) => {
            let text = error.reason.as_bytes();
            let count = text.len().min(reason_len.saturating_sub(1));
            if reason_len > 0 {
                // SAFETY: see the module; `count` and the NUL fit.
                unsafe {
                    reason.copy_from_nonoverlapping(text.as_ptr(), count);
                    reason.add(count).write(0);
                }
            }
            -error.errno.0
        }
    }
}

unsafe extern "C" fn unmount(volume: Volume) -> i32 {
    // SAFETY: see the module; this is its last use.
    let mut mounted = unsafe { Box::from_raw(volume.cast::<Mounted>()) };
    status(mounted.unmount())
}

unsafe extern "C" fn lookup(
    volume: Volume,
    parent: u64,
    name: Bytes,
    found: *mut Attributes,
) -> i32 {
    // SAFETY: see the module.
    unsafe { stored(mounted(volume).lookup(parent, name.get()), found) }
}

unsafe extern "C" fn attributes(volume: Volume, ino: u64, place: *mut Attributes) -> i32 {
    // SAFETY: see the module.
    unsafe { stored(mounted(volume).attributes(ino), place) }
}

unsafe extern "C" fn change(volume: Volume, ino: u64, change: *const AttributeChange) -> i32 {
    // SAFETY: see the module.
    unsafe { status(mounted(volume).change(ino, &*change)) }
}

unsafe extern "C" fn create(
    volume: Volume,
    parent: u64,
    name: Bytes,
    new: *const NewInode,
    made: *mut Attributes,
) -> i32 {
    // SAFETY: see the module.
    unsafe {
        let new = &*new;
        let node = NewNode {
            mode: new.mode,
            uid: new.uid,
            gid: new.gid,
            rdev: new.rdev,
            target: new.target.get(),
        };
        stored(mounted(volume).create(parent, name.get(), &node), made)
    }
}

unsafe extern "C" fn link(volume: Volume, ino: u64, parent: u64, name: Bytes) -> i32 {
    // SAFETY: see the module.
    unsafe { status(mounted(volume).link(ino, parent, name.get())) }
}

unsafe extern "C" fn unlink(volume: Volume, parent: u64, name: Bytes) -> i32 {
    // SAFETY: see the module.
    unsafe { status(mounted(volume).unlink(parent, name.get())) }
}

unsafe extern "C" fn rmdir(volume: Volume, parent: u64, name: Bytes) -> i32 {
    // SAFETY: see the module.
    unsafe { status(mounted(volume).rmdir(parent, name.get())) }
}

unsafe extern "C" fn rename(
    volume: Volume,
    parent: u64,
    name: Bytes,
    new_parent: u64,
    new_name: Bytes,
    flags: u32,
) -> i32 {
    let exchange = flags & flag::EXCHANGE != 0;
    // SAFETY: see the module.
    unsafe {
        let volume = mounted(volume);
        status(volume.rename(parent, name.get(), new_parent, new_name.get(), exchange))
    }
}

unsafe extern "C" fn forget(volume: Volume, ino: u64) -> i32 {
    // SAFETY: see the module.
    unsafe { status(mounted(volume).forget(ino)) }
}

unsafe extern "C" fn list(volume: Volume, ino: u64, emit: Emit, context: *mut c_void) -> i32 {
    let mut each = |name: &[u8], ino, mode| {
        let listed = ListedName {
            name: Bytes::of(name),
            ino,
            mode,
            reserved: 0,
        };
        // SAFETY: the libOS's function, with its own context.
        unsafe { emit(context, &raw const listed) }
    };
    // SAFETY: see the module.
    unsafe { status(mounted(volume).list(ino, &mut each)) }
}

unsafe extern "C" fn read(
    volume: Volume,
    ino: u64,
    offset: u64,
    buffer: *mut u8,
    len: usize,
) -> i64 {
    // SAFETY: see the module.
    let read = unsafe {
        let buffer = slice::from_raw_parts_mut(buffer, len);
        mounted(volume).read(ino, offset, buffer)
    };
    counted(read.map(|count| count as u64))
}

unsafe extern "C" fn write(
    volume: Volume,
    ino: u64,
    offset: u64,
    buffer: *const u8,
    len: usize,
) -> i32 {
    // SAFETY: see the module.
    unsafe {
        let bytes = slice::from_raw_parts(buffer, len);
        status(mounted(volume).write(ino, offset, bytes))
    }
}

unsafe extern "C" fn truncate(volume: Volume, ino: u64, size: u64) -> i32 {
    // SAFETY: see the module.
    unsafe { status(mounted(volume).truncate(ino, size)) }
}

unsafe extern "C" fn allocate(volume: Volume, ino: u64, what: u32, offset: u64, len: u64) -> i32 {
    // SAFETY: see the module.
    unsafe { status(mounted(volume).allocate(ino, what, offset, len)) }
}

unsafe extern "C" fn seek(volume: Volume, ino: u64, offset: u64, hole: u32) -> i64 {
    // SAFETY: see the module.
    counted(unsafe { mounted(volume).seek(ino, offset, hole != 0) })
}

unsafe extern "C" fn get_xattr(
    volume: Volume,
    ino: u64,
    name: Bytes,
    buffer: *mut u8,
    len: usize,
) -> i64 {
    // SAFETY: see the module.
    unsafe { given(mounted(volume).get_xattr(ino, name.get()), buffer, len) }
}

unsafe extern "C" fn set_xattr(
    volume: Volume,
    ino: u64,
    name: Bytes,
    value: Bytes,
    mode: u32,
) -> i32 {
    let mode = match mode {
        0 => XattrSetMode::Upsert,
        1 => XattrSetMode::Create,
        2 => XattrSetMode::Replace,
        _ => return status(Err(Errno::EINVAL)),
    };
    // SAFETY: see the module.
    unsafe { status(mounted(volume).set_xattr(ino, name.get(), value.get(), mode)) }
}

unsafe extern "C" fn remove_xattr(volume: Volume, ino: u64, name: Bytes) -> i32 {
    // SAFETY: see the module.
    unsafe { status(mounted(volume).remove_xattr(ino, name.get())) }
}

unsafe extern "C" fn list_xattrs(volume: Volume, ino: u64, buffer: *mut u8, len: usize) -> i64 {
    // SAFETY: see the module.
    unsafe { given(mounted(volume).list_xattrs(ino), buffer, len) }
}

unsafe extern "C" fn sync(volume: Volume) -> i32 {
    // SAFETY: see the module.
    unsafe { status(mounted(volume).sync()) }
}

unsafe extern "C" fn statistics(volume: Volume, place: *mut VolumeStatistics) -> i32 {
    // SAFETY: see the module.
    unsafe { stored(Ok(mounted(volume).statistics()), place) }
}
