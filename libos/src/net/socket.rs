//! The one trait behind which a family's sockets stand, and a socket as a file.

use alloc::sync::Arc;
use core::any::Any;

use linux_raw_sys::ioctl::{FIONREAD, TIOCOUTQ};

use crate::errno::{Errno, Result};
use crate::fs::blocking::Patience;
use crate::fs::file::{Anonymous, File, Io, OpenFlags, Written, next_number};
use crate::fs::poll::PollEvents;
use crate::net::address::RawAddress;
use crate::net::message::{Ancillary, MessageFlags, Outgoing, Received};
use crate::net::options::{OptionValue, Options};
use crate::sync::wait::WaitQueue;
use crate::user::{Dest, Source, UserPtr};

/// What socket(2) was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// `AF_*`.
    pub domain: u32,
    /// `SOCK_*`.
    pub socket_type: u32,
    /// Protocol number.
    pub protocol: u32,
}

bitflags::bitflags! {
    /// Halves of a connection, for shutdown(2).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Halves: u8 {
        /// Receiving.
        const RECEIVE = 1;
        /// Sending.
        const SEND = 2;
    }
}

/// A socket of any family. The man page of each method's call tells its errors.
#[expect(
    clippy::missing_errors_doc,
    reason = "each method's man page lists them"
)]
pub trait Socket: Send + Sync {
    /// What it is.
    fn kind(&self) -> Kind;

    /// The options all families share.
    fn options(&self) -> &Options;

    /// See bind(2).
    fn bind(&self, address: &RawAddress) -> Result<()>;

    /// See listen(2).
    fn listen(&self, backlog: i32) -> Result<()>;

    /// See accept(2): the new connection's socket.
    fn accept(&self, patience: Patience) -> Result<Arc<dyn Socket>>;

    /// See connect(2).
    fn connect(&self, address: &RawAddress, patience: Patience) -> Result<()>;

    /// See sendmsg(2): the number of bytes taken.
    fn send(&self, message: Outgoing<'_, '_>) -> Result<usize>;

    /// See recvmsg(2).
    fn receive(
        &self,
        dest: &mut Dest<'_>,
        flags: MessageFlags,
        patience: Patience,
    ) -> Result<Received>;

    /// See shutdown(2).
    fn shutdown(&self, halves: Halves) -> Result<()>;

    /// See getsockname(2).
    fn local_address(&self) -> Result<RawAddress>;

    /// See getpeername(2).
    fn peer_address(&self) -> Result<RawAddress>;

    /// Who made the connection that accept(2) has just given; they may be gone already.
    fn accepted_from(&self) -> Result<RawAddress> {
        self.peer_address()
    }

    /// An option that is not in [`Options`]; `level` may be SOL_SOCKET.
    fn option(&self, level: u32, name: u32) -> Result<OptionValue>;

    /// Sets an option that is not in [`Options`].
    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()>;

    /// What is ready.
    fn poll(&self) -> PollEvents;

    /// Where changes of [`Self::poll`] are announced.
    fn wait_queue(&self) -> &WaitQueue;

    /// How many bytes a receive would give (FIONREAD).
    fn readable_bytes(&self) -> Result<usize>;

    /// How many bytes were sent and not yet received (TIOCOUTQ).
    fn unsent_bytes(&self) -> Result<usize>;

    /// Requests of its family (netdevice(7)); ENOTTY by default.
    fn ioctl(&self, request: u32, argument: usize) -> Result<usize> {
        let _ = (request, argument);
        Err(Errno::ENOTTY)
    }

    /// The last descriptor is gone.
    fn close(&self);

    /// Itself, to find the family's own type.
    fn as_any(&self) -> &dyn Any;
}

/// A socket as a file.
pub struct SocketFile {
    socket: Arc<dyn Socket>,
    /// Inode number.
    number: u64,
}

impl SocketFile {
    /// `socket`, as a file.
    pub fn new(socket: Arc<dyn Socket>) -> Arc<Self> {
        Arc::new(Self {
            socket,
            number: next_number(),
        })
    }

    /// The socket.
    pub fn socket(&self) -> &Arc<dyn Socket> {
        &self.socket
    }
}

/// How long a send waits under `io`.
pub fn send_patience(socket: &dyn Socket, io: Io, flags: MessageFlags) -> Patience {
    if io.nonblocking() || flags.contains(MessageFlags::DONTWAIT) {
        Patience::None
    } else {
        socket.options().send_patience()
    }
}

/// How long a receive waits under `io`.
pub fn receive_patience(socket: &dyn Socket, io: Io, flags: MessageFlags) -> Patience {
    if io.nonblocking() || flags.contains(MessageFlags::DONTWAIT) {
        Patience::None
    } else {
        socket.options().receive_patience()
    }
}

impl File for SocketFile {
    fn read(&self, io: Io, dest: &mut Dest<'_>) -> Result<usize> {
        if dest.room() == 0 {
            return Ok(0);
        }
        let flags = MessageFlags::empty();
        let patience = receive_patience(&*self.socket, io, flags);
        let received = self.socket.receive(dest, flags, patience)?;
        Ok(received.count)
    }

    fn write(&self, io: Io, source: &mut Source<'_>) -> Result<Written> {
        let flags = MessageFlags::empty();
        let count = self.socket.send(Outgoing {
            source,
            address: None,
            ancillary: Ancillary::default(),
            flags,
            patience: send_patience(&*self.socket, io, flags),
        })?;
        Ok(Written { count, end: 0 })
    }

    fn poll(&self) -> PollEvents {
        self.socket.poll()
    }

    fn wait_queue(&self) -> Option<&WaitQueue> {
        Some(self.socket.wait_queue())
    }

    fn ioctl(&self, request: u32, argument: usize) -> Result<usize> {
        let bytes = match request {
            FIONREAD => self.socket.readable_bytes()?,
            TIOCOUTQ => self.socket.unsent_bytes()?,
            _ => {
                return match self.socket.ioctl(request, argument) {
                    Err(Errno::ENOTTY) => crate::net::inet::ioctl::request(request, argument),
                    answered => answered,
                };
            }
        };
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        UserPtr::<i32>::new(argument).write(bytes)?;
        Ok(0)
    }

    fn anonymous(&self) -> Anonymous {
        Anonymous {
            st_mode: 0o140_777,
            ino: self.number,
            label: "socket",
            rdev: 0,
        }
    }

    fn release(&self, _: OpenFlags) {
        self.socket.close();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
