//! Locks: of fcntl(2), by owner, and of flock(2), by handle.
//!
//! The kernel keeps them, on open file descriptions, so that they hold against the host's programs too. A lock of
//! flock(2) is on the handle's own. For fcntl(2) each owner has a description for each file, which goes when the owner
//! closes any descriptor of that file (FLUSH), as POSIX has it. A request that waits (SETLKW) is tried again from time to
//! time, so that the server need not stand still: only a program of the host, or another owner, can be in its way.

use super::call::Call;
use super::{Outcome, Server};
use crate::channel::Reply;
use crate::raw::{self, Lock};
use libos_abi::fuse::flags::LK_FLOCK;
use libos_abi::fuse::messages::{FileLock, FlushIn, InHeader, LkIn};
use rustix::fs::{FileType, FlockOperation, OFlags};
use rustix::io::{Errno, Result};
use std::os::fd::OwnedFd;

/// Most requests that wait.
const MOST_WAITING: usize = 256;

/// Most owners of locks on one file.
const MOST_OWNERS: usize = 64;

/// The last byte of all files.
const END: u64 = i64::MAX.cast_unsigned();

/// A request that waits for its lock.
pub struct Waiting {
    /// Its header.
    pub header: InHeader,
    /// Whether it is to be answered with EINTR.
    pub interrupted: bool,
    body: Vec<u8>,
}

impl Server {
    pub(super) fn get_lock(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, _) = call.read::<LkIn>()?;
        let lock = lock(&wanted)?;
        self.handles.get(wanted.fh)?;
        let file = self.lock_file(call.header.nodeid, wanted.owner)?;
        let found = raw::get_lock(file, lock)?;
        let start = u64::try_from(found.start).unwrap_or(0);
        let end = match u64::try_from(found.len) {
            Ok(0) | Err(_) => END,
            Ok(len) => start.saturating_add(len - 1),
        };
        let answer = FileLock {
            start,
            end,
            kind: u32::try_from(found.kind).unwrap_or(0),
            pid: u32::try_from(found.process).unwrap_or(0),
        };
        reply.put(answer.to_bytes());
        Ok(())
    }

    /// SETLK: without waiting.
    pub(super) fn set_lock(&mut self, call: &Call<'_>) -> Result<()> {
        let (wanted, _) = call.read::<LkIn>()?;
        if wanted.lk_flags & LK_FLOCK != 0 {
            return self.flock(&wanted);
        }
        let lock = lock(&wanted)?;
        self.handles.get(wanted.fh)?;
        let is_all = wanted.lk.start == 0 && wanted.lk.end >= END;
        if lock.kind == libc::F_UNLCK && is_all {
            self.drop_locks(call.header.nodeid, wanted.owner);
            return Ok(());
        }
        raw::set_lock(self.lock_file(call.header.nodeid, wanted.owner)?, lock)
    }

    fn flock(&self, wanted: &LkIn) -> Result<()> {
        let operation = match i32::try_from(wanted.lk.kind) {
            Ok(libc::F_RDLCK) => FlockOperation::NonBlockingLockShared,
            Ok(libc::F_WRLCK) => FlockOperation::NonBlockingLockExclusive,
            Ok(libc::F_UNLCK) => FlockOperation::NonBlockingUnlock,
            _ => return Err(Errno::INVAL),
        };
        rustix::fs::flock(&self.handles.get(wanted.fh)?.file, operation)
    }

    /// FLUSH: a descriptor of the file was closed by `lock_owner`.
    pub(super) fn flush(&mut self, call: &Call<'_>) -> Result<()> {
        let (wanted, _) = call.read::<FlushIn>()?;
        self.handles.get(wanted.fh)?;
        self.drop_locks(call.header.nodeid, wanted.lock_owner);
        Ok(())
    }

    fn drop_locks(&mut self, number: u64, owner: u64) {
        if let Ok(inode) = self.inodes.get_mut(number) {
            inode.locks.retain(|(other, _)| *other != owner);
        }
    }

    /// The description that holds an owner's locks.
    fn lock_file(&mut self, number: u64, owner: u64) -> Result<&OwnedFd> {
        let inode = self.inodes.get_mut(number)?;
        if inode.kind != FileType::RegularFile {
            return Err(Errno::INVAL);
        }
        let known = inode.locks.iter().position(|(other, _)| *other == owner);
        let index = match known {
            Some(index) => index,
            None if inode.locks.len() >= MOST_OWNERS => return Err(Errno::NOLCK),
            None => {
                let file = inode
                    .reopen(OFlags::RDWR)
                    .or_else(|_| inode.reopen(OFlags::RDONLY))
                    .or_else(|_| inode.reopen(OFlags::WRONLY))?;
                inode.locks.push((owner, file));
                inode.locks.len() - 1
            }
        };
        inode
            .locks
            .get(index)
            .map(|(_, file)| file)
            .ok_or(Errno::NOLCK)
    }

    /// Keeps a request for later.
    pub(super) fn wait_for_lock(&mut self, call: &Call<'_>) -> Outcome {
        if self.waiting.len() >= MOST_WAITING {
            return Outcome::Reply(Err(Errno::NOLCK));
        }
        self.waiting.push(Waiting {
            header: *call.header,
            interrupted: false,
            body: call.body.to_vec(),
        });
        Outcome::Later
    }

    /// Whether requests wait.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Tries again what waits. The answers that are there now: for which request, and what.
    pub fn retry(&mut self) -> Vec<(u64, Result<()>)> {
        let mut answers = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let unique = waiting.header.unique;
            if waiting.interrupted {
                answers.push((unique, Err(Errno::INTR)));
                continue;
            }
            match self.set_lock(&Call::new(&waiting.header, &waiting.body)) {
                Err(Errno::AGAIN) => self.waiting.push(waiting),
                other => answers.push((unique, other)),
            }
        }
        answers
    }
}

/// The lock as fcntl(2) has it.
fn lock(wanted: &LkIn) -> Result<Lock> {
    let FileLock {
        start, end, kind, ..
    } = wanted.lk;
    let kind = i32::try_from(kind).map_err(|_| Errno::INVAL)?;
    if ![libc::F_RDLCK, libc::F_WRLCK, libc::F_UNLCK].contains(&kind) || start > end {
        return Err(Errno::INVAL);
    }
    let first = i64::try_from(start).map_err(|_| Errno::INVAL)?;
    let len = match end {
        END.. => 0,
        end => i64::try_from(end - start + 1).map_err(|_| Errno::INVAL)?,
    };
    Ok(Lock {
        kind,
        start: first,
        len,
        process: 0,
    })
}
