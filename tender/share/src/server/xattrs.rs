//! Extended attributes: those that belong to users. The others mean something to the host's kernel.

use super::Server;
use super::call::{self, Call};
use crate::channel::Reply;
use libos_abi::fuse::messages::{GetxattrIn, GetxattrOut, SetxattrIn};
use rustix::fs::XattrFlags;
use rustix::io::{Errno, Result};
use std::ffi::CStr;

/// The names that are let through.
const PREFIX: &[u8] = b"user.";

/// Longest name, without its NUL, in bytes: XATTR_NAME_MAX.
const LONGEST_NAME: usize = 255;

/// Longest value or list, in bytes: XATTR_SIZE_MAX.
const LONGEST: usize = 65_536;

fn name(bytes: &[u8]) -> Result<(&CStr, &[u8])> {
    let (name, rest) = call::text(bytes)?;
    match name.to_bytes() {
        b"" => Err(Errno::RANGE),
        long if long.len() > LONGEST_NAME => Err(Errno::RANGE),
        known if known.starts_with(PREFIX) => Ok((name, rest)),
        _ => Err(Errno::OPNOTSUPP),
    }
}

impl Server {
    pub(super) fn setxattr(&mut self, call: &Call<'_>) -> Result<()> {
        let (wanted, rest) = call.read::<SetxattrIn>()?;
        let (name, value) = name(rest)?;
        let size = usize::try_from(wanted.size).unwrap_or(usize::MAX);
        if size > LONGEST {
            return Err(Errno::TOOBIG);
        }
        let value = value.get(..size).ok_or(Errno::INVAL)?;
        let flags = XattrFlags::from_bits(wanted.flags).ok_or(Errno::INVAL)?;
        let inode = self.inodes.get(call.header.nodeid)?;
        rustix::fs::setxattr(inode.path(), name, value, flags)
    }

    pub(super) fn getxattr(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, rest) = call.read::<GetxattrIn>()?;
        let (name, _) = name(rest)?;
        let path = self.inodes.get(call.header.nodeid)?.path();
        let mut value = vec![0; LONGEST];
        let len = rustix::fs::getxattr(path, name, &mut value[..])?;
        put_sized(&value[..len], wanted.size, reply)
    }

    pub(super) fn listxattr(&mut self, call: &Call<'_>, reply: &mut Reply) -> Result<()> {
        let (wanted, _) = call.read::<GetxattrIn>()?;
        let path = self.inodes.get(call.header.nodeid)?.path();
        let mut list = vec![0; LONGEST];
        let len = rustix::fs::listxattr(path, &mut list[..])?;
        let names = list[..len].split_inclusive(|&byte| byte == 0);
        let known = names.filter(|name| name.starts_with(PREFIX));
        put_sized(&known.collect::<Vec<_>>().concat(), wanted.size, reply)
    }

    pub(super) fn removexattr(&mut self, call: &Call<'_>) -> Result<()> {
        let (name, _) = name(call.body)?;
        rustix::fs::removexattr(self.inodes.get(call.header.nodeid)?.path(), name)
    }
}

/// The bytes, or how many they are if there is no room at all.
fn put_sized(bytes: &[u8], room: u32, reply: &mut Reply) -> Result<()> {
    let size = u32::try_from(bytes.len()).map_err(|_| Errno::TOOBIG)?;
    match room {
        0 => reply.put(GetxattrOut { size, padding: 0 }.to_bytes()),
        room if room < size => return Err(Errno::RANGE),
        _ => reply.extend(bytes),
    }
    Ok(())
}
