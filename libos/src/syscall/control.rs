//! Control messages (cmsg(3)): descriptors and credentials beside the bytes.

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_raw_sys::net::SOL_SOCKET;

use crate::errno::{Errno, Result};
use crate::fs::file::OpenFile;
use crate::net::message::{Ancillary, ControlMessage, Credentials, MessageFlags, Rights};
use crate::syscall::event::open_file;
use crate::task;
use crate::user::{Plain, UserPtr};

/// Length of a `struct cmsghdr`, which is also its alignment twice over.
const HEADER: usize = 16;

/// Most bytes of control messages in one call; a bound on the libOS's memory.
const MAX_CONTROL: usize = 64 * 1024;

const SCM_RIGHTS: u32 = 1;
const SCM_CREDENTIALS: u32 = 2;

/// `struct cmsghdr`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct ControlHeader {
    len: usize,
    level: u32,
    kind: u32,
}

// SAFETY: three integers without padding: every pattern is valid, nothing is owned.
unsafe impl Plain for ControlHeader {}

/// Decodes what the application sends along.
///
/// # Errors
/// EINVAL for a malformed or unknown message, EBADF for a descriptor that is not open, EPERM for
/// credentials that are not its own, ENOBUFS for too much, EFAULT.
pub(super) fn read(place: UserPtr<u8>, len: usize) -> Result<Ancillary> {
    let mut ancillary = Ancillary::default();
    if place.is_null() || len < HEADER {
        return Ok(ancillary);
    }
    if len > MAX_CONTROL {
        return Err(Errno::ENOBUFS);
    }
    let bytes = place.read_vec(len)?;
    let mut files: Vec<Arc<OpenFile>> = Vec::new();
    let mut rest = &bytes[..];
    while let Some((header, data, next)) = split(rest)? {
        rest = next;
        match (header.level, header.kind) {
            (SOL_SOCKET, SCM_RIGHTS) => {
                for fd in data.chunks_exact(4) {
                    files.push(open_file(word(fd).cast_signed())?);
                }
            }
            (SOL_SOCKET, SCM_CREDENTIALS) => ancillary.credentials = Some(claimed(data)?),
            (SOL_SOCKET, _) => return Err(Errno::EINVAL),
            // Other levels are the families' business.
            (level, kind) => ancillary.network.push(ControlMessage {
                level,
                kind,
                data: data.to_vec(),
            }),
        }
    }
    if !files.is_empty() {
        ancillary.rights = Some(Rights::new(files)?);
    }
    Ok(ancillary)
}

/// A message's header, its data, and what follows it.
type Split<'a> = (ControlHeader, &'a [u8], &'a [u8]);

/// The first message of `bytes`, if there is one.
fn split(bytes: &[u8]) -> Result<Option<Split<'_>>> {
    if bytes.len() < HEADER {
        return Ok(None);
    }
    let len: [u8; 8] = bytes[..8].try_into().map_err(|_| Errno::EINVAL)?;
    let header = ControlHeader {
        len: usize::from_ne_bytes(len),
        level: word(&bytes[8..12]),
        kind: word(&bytes[12..16]),
    };
    if header.len < HEADER || header.len > bytes.len() {
        return Err(Errno::EINVAL);
    }
    let next = header.len.next_multiple_of(8).min(bytes.len());
    Ok(Some((header, &bytes[HEADER..header.len], &bytes[next..])))
}

fn word(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_ne_bytes)
}

/// Credentials that the application claims: they must be its own.
fn claimed(data: &[u8]) -> Result<Credentials> {
    if data.len() != size_of::<Credentials>() {
        return Err(Errno::EINVAL);
    }
    let claimed = Credentials {
        pid: word(&data[..4]).cast_signed(),
        uid: word(&data[4..8]),
        gid: word(&data[8..]),
    };
    if !crate::net::unix::may_claim(claimed) {
        return Err(Errno::EPERM);
    }
    // -1 is nobody's number (`uid_valid` of Linux).
    if claimed.uid == u32::MAX || claimed.gid == u32::MAX {
        return Err(Errno::EINVAL);
    }
    Ok(claimed)
}

/// What became of the control messages of a receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Bytes of the application's buffer in use.
    pub(super) len: usize,
    /// Whether something did not fit.
    pub(super) truncated: bool,
}

/// Tells the application what came along: credentials first, then new descriptors. What does not
/// fit is dropped and reported, as Linux does (net/core/scm.c).
pub(super) fn write(
    ancillary: Ancillary,
    place: UserPtr<u8>,
    room: usize,
    flags: MessageFlags,
) -> Written {
    let mut writer = Writer {
        place,
        room: if place.is_null() { 0 } else { room },
        used: 0,
        truncated: false,
    };
    if let Some(Credentials { pid, uid, gid }) = ancillary.credentials {
        let words = [pid, uid.cast_signed(), gid.cast_signed()];
        let data = words.map(i32::to_ne_bytes).concat();
        writer.put(SOL_SOCKET, SCM_CREDENTIALS, &data);
    }
    for message in &ancillary.network {
        writer.put(message.level, message.kind, &message.data);
    }
    if let Some(rights) = ancillary.rights {
        writer.put_rights(&rights, flags.contains(MessageFlags::CMSG_CLOEXEC));
    }
    Written {
        len: writer.used,
        truncated: writer.truncated,
    }
}

struct Writer {
    place: UserPtr<u8>,
    room: usize,
    used: usize,
    truncated: bool,
}

impl Writer {
    /// How much data of one more message fits.
    fn data_room(&self) -> Option<usize> {
        (self.room - self.used).checked_sub(HEADER)
    }

    fn put(&mut self, level: u32, kind: u32, data: &[u8]) {
        let Some(fits) = self.data_room() else {
            self.truncated = true;
            return;
        };
        self.truncated |= data.len() > fits;
        let data = &data[..data.len().min(fits)];
        let header = ControlHeader {
            len: HEADER + data.len(),
            level,
            kind,
        };
        let written = self
            .place
            .byte_offset::<ControlHeader>(self.used)
            .and_then(|place| place.write(header))
            .and_then(|()| self.place.byte_offset::<u8>(self.used + HEADER))
            .and_then(|place| place.write_slice(data));
        if written.is_err() {
            self.truncated = true;
            return;
        }
        let space = (HEADER + data.len()).next_multiple_of(8);
        self.used = (self.used + space).min(self.room);
    }

    /// Opens a descriptor for each right that fits and tells the numbers.
    fn put_rights(&mut self, rights: &Rights, close_on_exec: bool) {
        let fits = self.data_room().map_or(0, |room| room / 4);
        let mut numbers = Vec::new();
        task::with_current(|thread| {
            let files = &thread.process().files;
            for file in rights.files().iter().take(fits) {
                match files.insert(Arc::clone(file), close_on_exec, 0) {
                    Ok(fd) => numbers.extend_from_slice(&fd.to_ne_bytes()),
                    Err(_) => break,
                }
            }
        });
        self.truncated |= numbers.len() < 4 * rights.files().len();
        if !numbers.is_empty() {
            self.put(SOL_SOCKET, SCM_RIGHTS, &numbers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: usize, level: u32, kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&level.to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> Result<Ancillary> {
        read(UserPtr::new(bytes.as_ptr() as usize), bytes.len())
    }

    #[test]
    fn malformed_messages_are_refused() {
        for (bytes, expected) in [
            (message(15, SOL_SOCKET, SCM_RIGHTS, b""), Errno::EINVAL),
            (message(99, SOL_SOCKET, SCM_RIGHTS, b""), Errno::EINVAL),
            (message(20, SOL_SOCKET, 77, &[0; 4]), Errno::EINVAL),
            (
                message(20, SOL_SOCKET, SCM_RIGHTS, &[0xff; 4]),
                Errno::EBADF,
            ),
            (
                message(20, SOL_SOCKET, SCM_CREDENTIALS, &[0; 4]),
                Errno::EINVAL,
            ),
        ] {
            assert_eq!(read_bytes(&bytes).err(), Some(expected), "{bytes:?}");
        }
        let other_level = message(20, 41, 1, &[0; 4]);
        let found = read_bytes(&other_level).expect("well formed");
        let expected = ControlMessage {
            level: 41,
            kind: 1,
            data: std::vec![0; 4],
        };
        assert_eq!(found.network, [expected]);
    }

    #[test]
    fn credentials_are_told_and_cut() {
        let ancillary = || Ancillary {
            credentials: Some(Credentials {
                pid: 5,
                uid: 6,
                gid: 7,
            }),
            ..Ancillary::default()
        };
        let mut buffer = [0_u8; 32];
        let mut place = || UserPtr::new(buffer.as_mut_ptr() as usize);
        let none = MessageFlags::empty();
        let full = write(ancillary(), place(), 32, none);
        assert_eq!((full.len, full.truncated), (32, false));
        let missing = write(ancillary(), UserPtr::new(0), 32, none);
        assert_eq!((missing.len, missing.truncated), (0, true));
        let cut = write(ancillary(), place(), 20, none);
        assert_eq!((cut.len, cut.truncated), (20, true));
    }
}
