//! What a send carries and what a receive yields.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::blocking::Patience;
use crate::fs::file::OpenFile;
use crate::net::address::RawAddress;
use crate::sync::SpinLock;
use crate::user::{Plain, Source};

bitflags::bitflags! {
    /// `MSG_*` of send(2) and recv(2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MessageFlags: u32 {
        /// Urgent data.
        const OOB = 0x1;
        /// Look without taking.
        const PEEK = 0x2;
        /// Some control messages did not fit (result only).
        const CTRUNC = 0x8;
        /// The rest of the message was dropped (result); tell its full length (argument).
        const TRUNC = 0x20;
        /// This call does not block.
        const DONTWAIT = 0x40;
        /// End of a record.
        const EOR = 0x80;
        /// Wait until the buffer is full.
        const WAITALL = 0x100;
        /// Pending errors.
        const ERRQUEUE = 0x2000;
        /// No SIGPIPE.
        const NOSIGNAL = 0x4000;
        /// recvmmsg(2): block for the first message only.
        const WAITFORONE = 0x1_0000;
        /// Received descriptors are close-on-exec.
        const CMSG_CLOEXEC = 0x4000_0000;
        /// Bits without a name here are ignored, as in Linux.
        const _ = !0;
    }
}

/// `struct ucred`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Process id.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

// SAFETY: three integers without padding: every pattern is valid, nothing is owned.
unsafe impl Plain for Credentials {}

impl Credentials {
    /// What Linux tells of nobody: no process, and the overflow ids.
    pub const NOBODY: Self = Self {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
}

/// How many descriptors one message may carry (`SCM_MAX_FD`).
pub const MAX_RIGHTS: usize = 253;

/// How many descriptors may be under way in all sockets together. A socket that is sent through
/// itself keeps itself alive when all its descriptors are closed; this bounds what can be lost so.
const MAX_IN_FLIGHT: usize = 16 * 1024;

static IN_FLIGHT: SpinLock<usize> = SpinLock::new(0);

/// Open file descriptions under way (SCM_RIGHTS).
pub struct Rights {
    files: Vec<Arc<OpenFile>>,
}

impl Rights {
    /// Puts `files` under way.
    ///
    /// # Errors
    /// EINVAL for more than [`MAX_RIGHTS`], ETOOMANYREFS for too many in all.
    pub fn new(files: Vec<Arc<OpenFile>>) -> Result<Self> {
        if files.len() > MAX_RIGHTS {
            return Err(Errno::EINVAL);
        }
        let mut in_flight = IN_FLIGHT.lock();
        if *in_flight + files.len() > MAX_IN_FLIGHT {
            return Err(Errno::ETOOMANYREFS);
        }
        *in_flight += files.len();
        Ok(Self { files })
    }

    /// The same once more, for a look that does not take.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn duplicate(&self) -> Result<Self> {
        Self::new(self.files.clone())
    }

    /// The descriptions.
    pub fn files(&self) -> &[Arc<OpenFile>] {
        &self.files
    }
}

/// Descriptions that wait to be dropped, and whether somebody is at it.
struct Graveyard {
    files: Vec<Arc<OpenFile>>,
    busy: bool,
}

static GRAVEYARD: SpinLock<Graveyard> = SpinLock::new(Graveyard {
    files: Vec::new(),
    busy: false,
});

impl Drop for Rights {
    /// A dropped description may be a socket whose queue holds rights to sockets, and so on. So
    /// they are dropped one after the other, not inside one another, whatever the depth.
    fn drop(&mut self) {
        *IN_FLIGHT.lock() -= self.files.len();
        let mut graveyard = GRAVEYARD.lock();
        graveyard.files.append(&mut self.files);
        if core::mem::replace(&mut graveyard.busy, true) {
            return;
        }
        while let Some(file) = graveyard.files.pop() {
            drop(graveyard);
            drop(file);
            graveyard = GRAVEYARD.lock();
        }
        graveyard.busy = false;
    }
}

/// A control message that only the socket's family understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlMessage {
    /// `cmsg_level`.
    pub level: u32,
    /// `cmsg_type`.
    pub kind: u32,
    /// What follows the header.
    pub data: Vec<u8>,
}

/// What travels beside the bytes.
#[derive(Default)]
pub struct Ancillary {
    /// Descriptors.
    pub rights: Option<Rights>,
    /// Who sent it, if said or asked for.
    pub credentials: Option<Credentials>,
    /// What belongs to the network: addresses, hop limits, timestamps.
    pub network: Vec<ControlMessage>,
}

impl Ancillary {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.rights.is_none() && self.credentials.is_none() && self.network.is_empty()
    }

    /// The same once more.
    ///
    /// # Errors
    /// As [`Rights::new`].
    pub fn duplicate(&self) -> Result<Self> {
        Ok(Self {
            rights: self.rights.as_ref().map(Rights::duplicate).transpose()?,
            credentials: self.credentials,
            network: self.network.clone(),
        })
    }
}

/// A message on its way into a socket.
pub struct Outgoing<'a, 'b> {
    /// Its bytes.
    pub source: &'a mut Source<'b>,
    /// Where to, if said.
    pub address: Option<RawAddress>,
    /// What goes along.
    pub ancillary: Ancillary,
    /// How.
    pub flags: MessageFlags,
    /// How long to wait for room.
    pub patience: Patience,
}

/// What a receive found.
#[derive(Default)]
pub struct Received {
    /// Bytes put into the buffer.
    pub count: usize,
    /// Length of the whole message; more than `count` if it was cut.
    pub full_len: usize,
    /// Whether a record ended.
    pub end_of_record: bool,
    /// Whether it comes from the queue of errors (MSG_ERRQUEUE).
    pub is_error: bool,
    /// Whether it is urgent data (MSG_OOB).
    pub is_urgent: bool,
    /// Who sent it, where the socket tells.
    pub from: Option<RawAddress>,
    /// What came along.
    pub ancillary: Ancillary,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::eventfd::{EventFd, Take};
    use crate::fs::file::OpenFlags;

    fn file() -> Arc<OpenFile> {
        OpenFile::new(Arc::new(EventFd::new(0, Take::All)), OpenFlags::RDWR)
    }

    #[test]
    fn rights_are_bounded() {
        let many: Vec<_> = (0..=MAX_RIGHTS).map(|_| file()).collect();
        assert_eq!(Rights::new(many).err(), Some(Errno::EINVAL));
    }

    #[test]
    fn dropped_rights_drop_their_files() {
        let file = file();
        let rights = Rights::new(std::vec![Arc::clone(&file)]).expect("few");
        let twice = rights.duplicate().expect("few");
        assert_eq!(Arc::strong_count(&file), 3);
        drop((rights, twice));
        assert_eq!(Arc::strong_count(&file), 1);
    }
}
