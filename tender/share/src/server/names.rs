//! Names: looking them up, making, linking, renaming and removing them.

use super::Server;
use super::attributes;
use super::call::{self, Call};
use crate::channel::Reply;
use libos_abi::fuse::messages::{
    BatchForgetIn, ForgetIn, ForgetOne, LinkIn, MkdirIn, MknodIn, Rename2In, RenameIn,
};
use libos_abi::fuse::wire::Wire;
use rustix::fs::{AtFlags, CWD, FileType, Mode, RenameFlags, Statx};
use rustix::io::{Errno, Result};
use std::ffi::CStr;

/// Set-group-ID: of a directory, that what is made in it gets its group.
const SET_GROUP_ID: u16 = 0o2000;

impl Server {
    pub(super) fn lookup(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (name, _) = call::name(call.body)?;
        self.put_entry(call.header.nodeid, name, reply)
    }

    /// Looks up an entry, and answers with it.
    fn put_entry(&mut self, parent: u64, name: &CStr, reply: &mut Reply) -> Result<()> {
        let (number, found) = self.inodes.lookup(parent, name)?;
        reply.put(self.entry_out(number, &found).to_bytes());
        Ok(())
    }

    pub(super) fn forget(&mut self, call: &Call<'_>) {
        if let Ok((given, _)) = call.read::<ForgetIn>() {
            self.inodes.forget(call.header.nodeid, given.nlookup);
        }
    }

    pub(super) fn batch_forget(&mut self, call: &Call<'_>) {
        let Ok((batch, mut rest)) = call.read::<BatchForgetIn>() else {
            return;
        };
        for _ in 0..batch.count {
            let Some((one, behind)) = ForgetOne::take(rest) else {
                return;
            };
            self.inodes.forget(one.nodeid, one.nlookup);
            rest = behind;
        }
    }

    pub(super) fn readlink(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let inode = self.inodes.get(call.header.nodeid)?;
        if inode.kind != FileType::Symlink {
            return Err(Errno::INVAL);
        }
        let target = rustix::fs::readlinkat(&inode.file, c"", Vec::new())?;
        reply.extend(target.as_bytes());
        Ok(())
    }

    pub(super) fn symlink(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (name, rest) = call::name(call.body)?;
        let (target, _) = call::text(rest)?;
        let parent = self.inodes.get(call.header.nodeid)?;
        rustix::fs::symlinkat(target, &parent.file, name)?;
        self.put_new(call, name, FileType::Symlink, reply)
    }

    /// A regular file, fifo or socket. Devices are for the host's root.
    pub(super) fn mknod(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, rest) = call.read::<MknodIn>()?;
        let (name, _) = call::name(rest)?;
        let kind = match FileType::from_raw_mode(wanted.mode) {
            FileType::Unknown if wanted.mode & 0o170_000 == 0 => FileType::RegularFile,
            kind @ (FileType::RegularFile | FileType::Fifo | FileType::Socket) => kind,
            FileType::CharacterDevice | FileType::BlockDevice => return Err(Errno::PERM),
            _ => return Err(Errno::INVAL),
        };
        self.check_mode(kind, wanted.mode)?;
        let parent = self.inodes.get(call.header.nodeid)?;
        let mode = Mode::from_raw_mode(wanted.mode & 0o7777);
        with_umask(wanted.umask, || {
            rustix::fs::mknodat(&parent.file, name, kind, mode, 0)
        })?;
        self.put_new(call, name, kind, reply)
    }

    pub(super) fn mkdir(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, rest) = call.read::<MkdirIn>()?;
        let (name, _) = call::name(rest)?;
        let parent = self.inodes.get(call.header.nodeid)?;
        let mode = Mode::from_raw_mode(wanted.mode & 0o7777);
        with_umask(wanted.umask, || {
            rustix::fs::mkdirat(&parent.file, name, mode)
        })?;
        self.put_new(call, name, FileType::Directory, reply)
    }

    /// Answers with what was just made, once it belongs to who made it.
    fn put_new(
        &mut self,
        call: &Call<'_>,
        name: &CStr,
        kind: FileType,
        reply: &mut Reply,
    ) -> Result<()> {
        let (number, found) = self.inodes.lookup(call.header.nodeid, name)?;
        let found = match self.give(call, number, kind, &found) {
            Ok(found) => found,
            Err(error) => {
                self.inodes.forget(number, 1);
                return Err(error);
            }
        };
        reply.put(self.entry_out(number, &found).to_bytes());
        Ok(())
    }

    /// Gives a new file to who made it. Whoever exchanges it for another one meanwhile on the host gains nothing: that
    /// would have to be of the same kind, have one name, and belong to this process's user.
    pub(super) fn give(
        &self,
        call: &Call<'_>,
        number: u64,
        kind: FileType,
        found: &Statx,
    ) -> Result<Statx> {
        let (user, mut group) = self
            .policy
            .ids
            .owner_of_new(call.header.uid, call.header.gid);
        let is_new = FileType::from_raw_mode(found.stx_mode.into()) == kind
            && (found.stx_nlink <= 1 || kind == FileType::Directory)
            && found.stx_uid == rustix::process::geteuid().as_raw();
        if (user.is_none() && group.is_none()) || !is_new {
            return Ok(*found);
        }
        let parent = attributes::stat(&self.inodes.get(call.header.nodeid)?.file)?;
        if parent.stx_mode & SET_GROUP_ID != 0 {
            group = None;
        }
        let file = &self.inodes.get(number)?.file;
        rustix::fs::chownat(file, c"", user, group, AtFlags::EMPTY_PATH)?;
        attributes::stat(file)
    }

    pub(super) fn link(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, rest) = call.read::<LinkIn>()?;
        let (name, _) = call::name(rest)?;
        let file = self.inodes.get(wanted.oldnodeid)?;
        let parent = self.inodes.get(call.header.nodeid)?;
        let flags = AtFlags::SYMLINK_FOLLOW;
        rustix::fs::linkat(CWD, file.path(), &parent.file, name, flags)?;
        self.put_entry(call.header.nodeid, name, reply)
    }

    pub(super) fn unlink(&mut self, call: &Call<'_>) -> Result<()> {
        let (name, _) = call::name(call.body)?;
        let parent = self.inodes.get(call.header.nodeid)?;
        rustix::fs::unlinkat(&parent.file, name, AtFlags::empty())
    }

    pub(super) fn rmdir(&mut self, call: &Call<'_>) -> Result<()> {
        let (name, _) = call::name(call.body)?;
        let parent = self.inodes.get(call.header.nodeid)?;
        rustix::fs::unlinkat(&parent.file, name, AtFlags::REMOVEDIR)
    }

    pub(super) fn rename(&mut self, call: &Call<'_>) -> Result<()> {
        let (wanted, names) = call.read::<RenameIn>()?;
        self.move_name(call, wanted.newdir, names, RenameFlags::empty())
    }

    /// Without RENAME_WHITEOUT, which makes a device.
    pub(super) fn rename2(&mut self, call: &Call<'_>) -> Result<()> {
        let (wanted, names) = call.read::<Rename2In>()?;
        let known = RenameFlags::NOREPLACE | RenameFlags::EXCHANGE;
        let flags = RenameFlags::from_bits(wanted.flags).ok_or(Errno::INVAL)?;
        if !known.contains(flags) {
            return Err(Errno::INVAL);
        }
        self.move_name(call, wanted.newdir, names, flags)
    }

    fn move_name(
        &mut self,
        call: &Call<'_>,
        to: u64,
        names: &[u8],
        flags: RenameFlags,
    ) -> Result<()> {
        let (old, rest) = call::name(names)?;
        let (new, _) = call::name(rest)?;
        let from = self.inodes.get(call.header.nodeid)?;
        let to = self.inodes.get(to)?;
        rustix::fs::renameat_with(&from.file, old, &to.file, new, flags)
    }
}

/// Does `make` with a umask, which the kernel combines with a directory's default permissions as for any process.
pub(super) fn with_umask<T>(umask: u32, make: impl FnOnce() -> T) -> T {
    let umask = umask & 0o777;
    if umask == 0 {
        return make();
    }
    rustix::process::umask(Mode::from_raw_mode(umask));
    let made = make();
    rustix::process::umask(Mode::empty());
    made
}
