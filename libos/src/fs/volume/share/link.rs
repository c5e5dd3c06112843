//! The stream to a share's server, by hypercalls.

use core::sync::atomic::AtomicU32;

use libos_abi::handle::Handle;

use super::channel::Link;
use crate::errno::Result;
use crate::hypercall::{self, PollFd};

const POLLIN: i16 = 1;
const POLLOUT: i16 = 4;

/// Waiting is not ended by anything but the server.
static NEVER: AtomicU32 = AtomicU32::new(0);

/// The handle of a share.
pub struct HostLink(pub &'static Handle);

impl Link for HostLink {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        hypercall::read(self.0, buffer.as_mut_ptr(), buffer.len())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        hypercall::write(self.0, bytes.as_ptr(), bytes.len())
    }

    fn wait(&mut self, to_send: bool) {
        let mut set = [PollFd {
            fd: self.0.fd,
            events: if to_send { POLLOUT } else { POLLIN },
            revents: 0,
        }];
        // What ends it early is looked at by whoever waits.
        let _ = hypercall::poll(&mut set, None, &NEVER);
    }

    fn now(&self) -> u64 {
        hypercall::monotonic_ns()
    }
}
