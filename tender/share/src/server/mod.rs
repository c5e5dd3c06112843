//! The file server: one request in, one answer out, on the files below one folder.
//!
//! - [`inodes`]: the files that the guest has looked up, by number; [`handles`]: those that it has open.
//! - [`names`]: looking up, making, linking, renaming, removing.
//! - [`attributes`]: what stat(2) tells, and changing it; [`ids`]: whose files they are.
//! - [`files`]: opening, reading, writing; [`directories`]: listing; [`xattrs`]; [`locks`].
//!
//! **How it stays inside.** Nothing of the guest's is ever a path: each request names one file by its number, and at most one
//! entry of it by a name without a slash that is not `..`. An entry is opened by openat2(2) with RESOLVE_BENEATH and without
//! following a symbolic link, with O_PATH, which has no effect on whatever is there. Only what then proves to be a regular
//! file or a directory is opened for good, through that very descriptor. So there is no moment between a check and
//! its use in which somebody could exchange a file for a link or a device.
//!
//! To open a descriptor again, and for the calls that know paths alone, the process's working directory is
//! `/proc/self/fd`: there, descriptor 17 has the path `17` ([`inodes::Inode::path`]).
//!
//! Not here: the page cache, permissions of the guest's other users, waiting (but for locks): that is the client's.

pub mod attributes;
mod call;
mod directories;
mod files;
mod handles;
pub mod ids;
mod inodes;
mod locks;
mod names;
mod xattrs;

use crate::channel::Reply;
use crate::config::{Config, Ids};
use crate::pipe::Pipe;
use call::Call;
use handles::Handles;
use ids::IdMap;
use inodes::Inodes;
use libos_abi::fuse::messages::{InHeader, InitIn, InitOut, InterruptIn, Kstatfs};
use libos_abi::fuse::wire::Wire;
use libos_abi::fuse::{MAJOR, MINOR, MOST_DATA, flags, opcode};
use locks::Waiting;
use rustix::io::{Errno, Result};
use std::os::fd::OwnedFd;

/// What the server can of what a client may ask for at the beginning.
const CAPABILITIES: u32 = flags::ASYNC_READ
    | flags::POSIX_LOCKS
    | flags::ATOMIC_O_TRUNC
    | flags::BIG_WRITES
    | flags::DONT_MASK
    | flags::FLOCK_LOCKS
    | flags::DO_READDIRPLUS
    | flags::READDIRPLUS_AUTO
    | flags::WRITEBACK_CACHE
    | flags::PARALLEL_DIROPS
    | flags::MAX_PAGES;

/// Requests that change something: refused on a read-only share.
const CHANGES: [u32; 17] = [
    opcode::SETATTR,
    opcode::SYMLINK,
    opcode::MKNOD,
    opcode::MKDIR,
    opcode::UNLINK,
    opcode::RMDIR,
    opcode::RENAME,
    opcode::RENAME2,
    opcode::LINK,
    opcode::WRITE,
    opcode::SETXATTR,
    opcode::REMOVEXATTR,
    opcode::CREATE,
    opcode::FALLOCATE,
    opcode::COPY_FILE_RANGE,
    opcode::TMPFILE,
    opcode::SYNCFS,
];

/// What holds for the whole share.
#[derive(Clone, Copy, Debug)]
struct Policy {
    read_only: bool,
    ids: IdMap,
    /// For how long answers may be cached, in seconds.
    valid: u64,
    /// Whether files may not get set-user-ID and set-group-ID bits: where they would be root's, on the host.
    refuse_set_id: bool,
}

/// The server of one share.
pub struct Server {
    inodes: Inodes,
    handles: Handles,
    pipe: Pipe,
    waiting: Vec<Waiting>,
    policy: Policy,
    /// Whether the client keeps what is written, and so reads what it has opened for writing alone.
    write_back: bool,
}

/// Whether user 0 is so outside of this process's user namespace too, as far as can be seen from here.
fn is_root_of_host() -> bool {
    let users = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let outside = users.lines().find_map(|line| {
        let mut ids = line.split_ascii_whitespace();
        (ids.next() == Some("0")).then(|| ids.next().map(str::to_owned))
    });
    let is_other = matches!(outside.flatten().as_deref(), Some(other) if other != "0");
    rustix::process::geteuid().is_root() && !is_other
}

/// What a request leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The reply is to be sent.
    Reply(Result<()>),
    /// There is none.
    Silence,
    /// It is to be sent later: see [`Server::retry`].
    Later,
    /// So many bytes of the pipe belong behind its header: see [`Server::send_piped`].
    Piped(usize),
}

impl Server {
    /// Serves `root`, with room for `descriptors` open files. The working directory must be `/proc/self/fd` from the first
    /// request on.
    ///
    /// # Errors
    /// That of statx(2) or pipe2(2).
    pub fn new(config: &Config, root: OwnedFd, descriptors: usize) -> Result<Self> {
        let policy = Policy {
            read_only: config.read_only,
            ids: IdMap::new(config.ids),
            valid: if config.host_changes { 0 } else { 1 << 30 },
            refuse_set_id: config.ids == Ids::Same && is_root_of_host(),
        };
        Ok(Self {
            inodes: Inodes::new(root, descriptors - descriptors / 4)?,
            handles: Handles::new(descriptors / 4),
            pipe: Pipe::new()?,
            waiting: Vec::new(),
            policy,
            write_back: false,
        })
    }

    /// Serves one request. `reply` is empty, and holds what follows the header afterwards.
    pub fn serve(&mut self, header: &InHeader, body: &[u8], reply: &mut Reply) -> Outcome {
        let call = Call::new(header, body);
        match header.opcode {
            opcode::FORGET => {
                self.forget(&call);
                Outcome::Silence
            }
            opcode::BATCH_FORGET => {
                self.batch_forget(&call);
                Outcome::Silence
            }
            opcode::INTERRUPT => {
                self.interrupt(&call);
                Outcome::Silence
            }
            opcode::READ => match self.read_into_pipe(&call, reply) {
                Ok(0) => Outcome::Reply(self.answer(&call, reply)),
                Ok(piped) => Outcome::Piped(piped),
                Err(error) => Outcome::Reply(Err(error)),
            },
            opcode::SETLKW => match self.set_lock(&call) {
                Err(Errno::AGAIN) => self.wait_for_lock(&call),
                other => Outcome::Reply(other),
            },
            _ => Outcome::Reply(self.answer(&call, reply)),
        }
    }

    fn answer(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        if call.header.total_extlen != 0 {
            return Err(Errno::INVAL);
        }
        if self.policy.read_only && CHANGES.contains(&call.header.opcode) {
            return Err(Errno::ROFS);
        }
        match call.header.opcode {
            opcode::INIT => self.initialise(call, reply),
            opcode::DESTROY | opcode::SYNCFS => self.sync_all(call),
            opcode::STATFS => self.statfs(call, reply),
            opcode::LOOKUP => self.lookup(call, reply),
            opcode::READLINK => self.readlink(call, reply),
            opcode::SYMLINK => self.symlink(call, reply),
            opcode::MKNOD => self.mknod(call, reply),
            opcode::MKDIR => self.mkdir(call, reply),
            opcode::UNLINK => self.unlink(call),
            opcode::RMDIR => self.rmdir(call),
            opcode::RENAME => self.rename(call),
            opcode::RENAME2 => self.rename2(call),
            opcode::LINK => self.link(call, reply),
            opcode::GETATTR => self.getattr(call, reply),
            opcode::STATX => self.statx(call, reply),
            opcode::SETATTR => self.setattr(call, reply),
            opcode::ACCESS => self.access(call),
            opcode::OPEN => self.open(call, reply),
            opcode::CREATE => self.create(call, reply),
            opcode::TMPFILE => self.tmpfile(call, reply),
            opcode::READ => self.read(call, reply),
            opcode::WRITE => self.write(call, reply),
            opcode::FALLOCATE => self.fallocate(call),
            opcode::LSEEK => self.lseek(call, reply),
            opcode::COPY_FILE_RANGE => self.copy_file_range(call, reply),
            opcode::FLUSH => self.flush(call),
            opcode::FSYNC | opcode::FSYNCDIR => self.fsync(call),
            opcode::RELEASE | opcode::RELEASEDIR => self.release(call),
            opcode::OPENDIR => self.opendir(call, reply),
            opcode::READDIR => self.readdir(call, reply),
            opcode::READDIRPLUS => self.readdirplus(call, reply),
            opcode::SETXATTR => self.setxattr(call),
            opcode::GETXATTR => self.getxattr(call, reply),
            opcode::LISTXATTR => self.listxattr(call, reply),
            opcode::REMOVEXATTR => self.removexattr(call),
            opcode::GETLK => self.get_lock(call, reply),
            opcode::SETLK => self.set_lock(call),
            _ => Err(Errno::NOSYS),
        }
    }

    fn statfs(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let inode = self.inodes.get(call.header.nodeid)?;
        let found = rustix::fs::fstatvfs(&inode.file)?;
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let answer = Kstatfs {
            blocks: found.f_blocks,
            bfree: found.f_bfree,
            bavail: found.f_bavail,
            files: found.f_files,
            ffree: found.f_ffree,
            bsize: narrow(found.f_bsize),
            namelen: narrow(found.f_namemax),
            frsize: narrow(found.f_frsize),
            ..Kstatfs::default()
        };
        reply.put(answer.to_bytes());
        Ok(())
    }

    /// SYNCFS: of the file system that the shared folder is on.
    fn sync_all(&mut self, call: &Call<'_>) -> Result<()> {
        if call.header.opcode == opcode::DESTROY {
            return Ok(());
        }
        let root = self.inodes.get(libos_abi::fuse::ROOT)?;
        let file = root.reopen(rustix::fs::OFlags::RDONLY)?;
        rustix::fs::syncfs(&file)
    }

    fn interrupt(&mut self, call: &Call<'_>) {
        let Ok((wanted, _)) = call.read::<InterruptIn>() else {
            return;
        };
        for waiting in &mut self.waiting {
            if waiting.header.unique == wanted.unique {
                waiting.interrupted = true;
            }
        }
    }

    /// INIT: versions, and how much fits into one request.
    fn initialise(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        // Older clients send the first four fields only.
        let mut bytes = [0; InitIn::LEN];
        let given = call.body.len().min(InitIn::LEN);
        bytes[..given].copy_from_slice(&call.body[..given]);
        let wanted = InitIn::get(&bytes).filter(|_| given >= 16);
        let wanted = wanted.ok_or(Errno::INVAL)?;
        if wanted.major < MAJOR {
            return Err(Errno::PROTO);
        }
        let most = u32::try_from(MOST_DATA).unwrap_or(u32::MAX);
        let answer = InitOut {
            major: MAJOR,
            minor: MINOR,
            max_readahead: wanted.max_readahead,
            flags: wanted.flags & CAPABILITIES,
            max_write: most,
            time_gran: 1,
            max_pages: u16::try_from(most / 4096).unwrap_or(u16::MAX),
            ..InitOut::default()
        };
        self.write_back = answer.flags & flags::WRITEBACK_CACHE != 0;
        reply.put(answer.to_bytes());
        Ok(())
    }
}
