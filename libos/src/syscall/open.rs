//! Opening files: open(2), openat(2), openat2(2), creat(2).

use crate::errno::{Errno, Result, SysResult};
use crate::fs::caller::{self, AT_FDCWD};
use crate::fs::file::{OpenFile, OpenFlags};
use crate::fs::vfs::open::{self, HowToOpen};
use crate::fs::vfs::walk::Resolve;
use crate::syscall::path::at;
use crate::task::with_current;
use crate::user::{Plain, UserPtr};

fn install(file: alloc::sync::Arc<OpenFile>, flags: OpenFlags) -> SysResult {
    let close_on_exec = flags.contains(OpenFlags::CLOEXEC);
    let fd = with_current(|thread| thread.process().files.insert(file, close_on_exec, 0))?;
    usize::try_from(fd).map_err(|_| Errno::EMFILE)
}

/// See open(2).
pub fn open(path: UserPtr<u8>, flags: u32, mode: u32) -> SysResult {
    openat(AT_FDCWD, path, flags, mode)
}

/// See openat(2).
pub fn openat(dirfd: i32, path: UserPtr<u8>, flags: u32, mode: u32) -> SysResult {
    let flags = OpenFlags::from_bits_retain(flags);
    let how = HowToOpen::new(flags, mode, caller::umask())?;
    let file = at(dirfd, path, |walker, start, name| {
        open::open(walker, start, name, how)
    })?;
    install(file, flags)
}

/// `struct open_how` of openat2(2).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

// SAFETY: three integers: every pattern is valid (1) and it owns nothing (2).
unsafe impl Plain for OpenHow {}

/// See openat2(2).
pub fn openat2(dirfd: i32, path: UserPtr<u8>, how: UserPtr<OpenHow>, size: usize) -> SysResult {
    let how = read_open_how(how, size)?;
    let flags = u32::try_from(how.flags).map_err(|_| Errno::EINVAL)?;
    let flags = OpenFlags::from_bits_retain(flags);
    let known = OpenFlags::all_known();
    let creates = flags.contains(OpenFlags::CREAT) || flags.contains(OpenFlags::TMPFILE);
    let mode = u32::try_from(how.mode).map_err(|_| Errno::EINVAL)?;
    if !known.contains(flags) || mode & !0o7777 != 0 || (!creates && mode != 0) {
        return Err(Errno::EINVAL);
    }
    let resolve = Resolve::from_bits(how.resolve).ok_or(Errno::EINVAL)?;
    if resolve.contains(Resolve::BENEATH | Resolve::IN_ROOT) {
        return Err(Errno::EINVAL);
    }
    let how = HowToOpen::new(flags, mode, caller::umask())?;
    let file = at(dirfd, path, |walker, start, name| {
        // The scope is the directory of `dirfd`, even for an absolute path.
        let scope = caller::start(dirfd).or_else(|error| match name.first() {
            Some(b'/') if resolve.is_empty() => Ok(start.clone()),
            _ => Err(error),
        })?;
        walker.restrict(resolve, &scope);
        open::open(walker, &scope, name, how)
    })?;
    install(file, flags)
}

fn read_open_how(how: UserPtr<OpenHow>, size: usize) -> Result<OpenHow> {
    const KNOWN: usize = size_of::<OpenHow>();
    if size < KNOWN {
        return Err(Errno::EINVAL);
    }
    if size > libos_abi::PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    let rest: UserPtr<u8> = how.byte_offset(KNOWN)?;
    if rest.read_vec(size - KNOWN)?.iter().any(|&byte| byte != 0) {
        return Err(Errno::E2BIG.because("a newer struct open_how"));
    }
    how.read()
}

/// See creat(2).
pub fn creat(path: UserPtr<u8>, mode: u32) -> SysResult {
    let flags = OpenFlags::CREAT | OpenFlags::WRONLY | OpenFlags::TRUNC;
    open(path, flags.bits(), mode)
}
